//! Faults that keep something from building, or from ever getting ready.

use crate::dice::Dice;
use crate::tree::{At, Planted, Tree, is_substituted};
use crate::{Kind, Needs};

pub(crate) fn kinds() -> Vec<Kind> {
    let kind = |name, plant| Kind { name, needs: Needs::Nothing, plant };
    vec![
        kind("a path that is not there", path),
        kind("a resource that is not there", resource),
        kind("a patch that is not there", patch),
        kind("a tab where spaces belong", tab),
        kind("a mapping within a value", nested),
        kind("a key twice", twice),
        kind("a variable that nobody gives", variable),
        kind("a shell's variable in a script", script),
        kind("an object without a name", nameless),
        kind("an object without a kind", kindless),
        kind("one resource twice", same_resource),
        kind("one object in two files", same_object),
        kind("a patch of what is not there", aimless),
        kind("variables from a ConfigMap that is not there", variables_from),
        kind("an encrypted Secret that nobody decrypts", encrypted),
        kind("a remote base", remote),
        kind("a file of the machine", machine_file),
        kind("a cluster that syncs another folder", other_folder),
        kind("a component that is not there", component),
        kind("a source that is not there", source),
        kind("something that waits for what is not there", depends_on),
        kind("something that waits for itself", itself),
        kind("things that wait for each other", each_other),
        kind("a field that kustomize does not know", unknown_field),
        kind("a Kustomization that makes nothing", empty),
    ]
}

/// In a Flux Kustomization of some cluster.
fn in_kustomizations(tree: &Tree, fits: impl Fn(&str) -> bool) -> Vec<At> {
    tree.lines(|document, line| document.api_version.starts_with("kustomize.toolkit.fluxcd.io/") && fits(line))
}

fn is_kustomization_file(path: &str) -> bool {
    path.ends_with("/kustomization.yaml")
}

fn path(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_kustomizations(tree, |line| line.starts_with("  path: ./flux/")));
    let text = at.text.replacen("./flux/", "./fluxx/", 1);
    tree.set(&at, &text);
    at.is("build")
}

fn resource(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let is_resource = |line: &str| line.starts_with("  - ") && !line.contains(':');
    let at = dice.choose(&tree.lines_of_files(is_kustomization_file, is_resource));
    let text = at.text.replacen(".yaml", "", 1) + "-new.yaml";
    tree.set(&at, &text);
    at.is("build")
}

fn patch(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines_of_files(is_kustomization_file, |line| line.starts_with("  - path: ")));
    tree.misspell(&at);
    at.is("build")
}

/// A key with a plain value, outside of texts of several lines.
fn plain_lines(tree: &Tree) -> Vec<At> {
    let documents = tree.documents();
    let plain = documents.iter().filter(|document| tree.lines_of(document, |line| line.ends_with('|')).is_empty());
    let is_plain = |line: &str| {
        let value = line.trim_start().split_once(": ").map_or("", |(_, value)| value);
        line.starts_with("  ") && value.starts_with(|c: char| c.is_ascii_lowercase()) && !value.contains(['#', ' '])
    };
    plain.flat_map(|document| tree.lines_of(document, is_plain)).filter(|at| !at.text.contains("- ")).collect()
}

fn tab(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // Behind a key without a value: behind a value, it counts as more of that.
    let first = |at: &At| tree.text(&At { line: at.line - 1, ..at.clone() }).ends_with(':');
    let lines: Vec<At> = plain_lines(tree).into_iter().filter(first).collect();
    let at = dice.choose(&lines);
    tree.set(&at, &format!("\t{}", at.text.trim_start()));
    at.is("build")
}

fn nested(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&plain_lines(tree));
    tree.set(&at, &format!("{}: more", at.text));
    at.is("build")
}

fn twice(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&plain_lines(tree));
    tree.insert(&at, &at.text.clone()).is("build")
}

fn variable(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // One with a default needs no value.
    let at = dice.choose(&tree.lines(|document, line| {
        is_substituted(&document.file) && line.contains("${") && !line.contains(":=") && !line.trim_start().starts_with('#')
    }));
    let text = at.text.replacen('}', "_X}", 1);
    tree.set(&at, &text);
    at.is("build")
}

/// Objects that a label can be put on.
fn metadata(tree: &Tree, dice: &mut Dice) -> At {
    let documents: Vec<_> = tree.documents().into_iter().filter(|one| is_substituted(&one.file)).collect();
    let without = documents.iter().filter(|one| tree.lines_of(one, |line| line.starts_with("  annotations:")).is_empty());
    let lines: Vec<At> = without.flat_map(|one| tree.lines_of(one, |line| line == "metadata:")).collect();
    dice.choose(&lines)
}

fn script(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = metadata(tree, dice);
    tree.insert(&at, "  annotations:\n    example.com/script: if [ ${#ARRAY[@]} ]; then exit; fi").below(1).is("build")
}

fn nameless(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let documents = tree.documents();
    let document = dice.choose(&documents);
    let at = tree.lines_of(&document, |line| line.starts_with("  name: "))[0].clone();
    tree.set(&at, &at.text.replacen("name: ", "nane: ", 1));
    at_start(&document.file, document.start).is("build")
}

fn kindless(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let documents = tree.documents();
    let document = dice.choose(&documents);
    let at = tree.lines_of(&document, |line| line.starts_with("kind: "))[0].clone();
    tree.set(&at, &at.text.replacen("kind: ", "kidn: ", 1));
    at_start(&document.file, document.start).is("build")
}

fn at_start(file: &str, line: usize) -> At {
    At { file: file.to_owned(), line, text: String::new() }
}

fn same_resource(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let is_file = |line: &str| line.starts_with("  - ") && line.contains(".yaml") && !line.contains(':');
    let at = dice.choose(&tree.lines_of_files(is_kustomization_file, is_file));
    tree.insert(&at, &at.text.clone()).is("build")
}

fn same_object(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let documents = tree.documents();
    let document = dice.choose(&documents);
    let text: Vec<String> = tree.lines_of(&document, |_| true).into_iter().map(|at| at.text).collect();
    tree.append(&document.file, &text.join("\n")).is("build")
}

fn aimless(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let paths = tree.lines_of_files(is_kustomization_file, |line| line.starts_with("  - path: "));
    let files: Vec<String> =
        paths.iter().map(|at| at.file.replace("kustomization.yaml", at.text.trim_start_matches("  - path: ").trim())).collect();
    let at = dice.choose(&tree.lines_of_files(|path| files.iter().any(|file| file == path), |line| line.starts_with("  name: ")));
    tree.misspell(&at);
    let start = tree.lines_of_files(|path| path == at.file, |line| line.starts_with("apiVersion"));
    start[0].is("build")
}

fn variables_from(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_kustomizations(tree, |line| line == "        name: cluster-settings"));
    tree.misspell(&at);
    at.is("build")
}

fn encrypted(tree: &mut Tree, _: &mut Dice) -> Planted {
    let file = "flux/infrastructure/base/sources/cilium.yaml";
    let text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: registry\n  namespace: flux-system\nstringData:\n  token: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]\nsops:\n  version: 3.9.0";
    tree.append(file, text).is("build")
}

fn remote(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines_of_files(is_kustomization_file, |line| line == "resources:"));
    tree.insert(&at, "  - https://github.com/example/base//deploy?ref=v1").is("build")
}

fn machine_file(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines_of_files(is_kustomization_file, |line| line == "resources:"));
    let file = ["/etc/hostname", "../../../../../../../../etc/hostname"][dice.roll(2)];
    tree.insert(&at, &format!("  - {file}")).is("build")
}

fn other_folder(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines(|document, line| document.kind == "FluxInstance" && line.starts_with("    path: ")));
    tree.misspell(&at);
    at.is("build")
}

fn component(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&tree.lines_of_files(is_kustomization_file, |line| line == "resources:"));
    let above = At { line: at.line - 1, ..at };
    tree.insert(&above, "components:\n  - ../components/none").below(1).is("build")
}

fn source(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_kustomizations(tree, |line| line == "    name: flux-system"));
    tree.misspell(&at);
    at.is("build")
}

fn depends_on(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_kustomizations(tree, is_dependency));
    tree.misspell(&at);
    at.is("depends-on")
}

fn is_dependency(line: &str) -> bool {
    line.starts_with("    - name: ")
}

fn itself(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let documents: Vec<_> =
        tree.of_kind("Kustomization").into_iter().filter(|one| !tree.lines_of(one, is_dependency).is_empty()).collect();
    let document = dice.choose(&documents);
    let at = tree.lines_of(&document, is_dependency)[0].clone();
    tree.set(&at, &format!("    - name: {}", document.name));
    At { line: at.line - 1, ..at }.is("cycle")
}

fn each_other(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // What waits for something that somebody waits for.
    let documents = tree.of_kind("Kustomization");
    let waits_for = |file: &str, one: &str, other: &str| {
        let of_file = |document: &&crate::tree::Document| document.file.rsplit_once('/').unwrap().0 == file;
        documents.iter().filter(of_file).any(|document| {
            document.name == one && !tree.lines_of(document, |line| line == format!("    - name: {other}")).is_empty()
        })
    };
    let mut pairs = Vec::new();
    for document in documents.iter().filter(|one| !tree.lines_of(one, is_dependency).is_empty()) {
        let folder = document.file.rsplit_once('/').unwrap().0;
        let others = documents.iter().filter(|other| other.file.starts_with(folder));
        pairs.extend(
            others.filter(|other| waits_for(folder, &other.name, &document.name)).map(|other| (document.clone(), other.clone())),
        );
    }
    let (document, other) = dice.choose(&pairs);
    let at = tree.lines_of(&document, is_dependency)[0].clone();
    tree.set(&at, &format!("    - name: {}", other.name));
    // The circle is told from its first name on.
    let first = if document.name < other.name { document } else { other };
    tree.lines_of(&first, |line| line == "  dependsOn:")[0].is("cycle")
}

fn unknown_field(tree: &mut Tree, dice: &mut Dice) -> Planted {
    // Where Flux reads it, and not kustomize.
    let environments = ["dev", "staging", "production"];
    let parts = ["apps/{}/", "infrastructure/{}/controllers/", "infrastructure/{}/configs/"];
    let environment = dice.choose(&environments);
    let file = format!("flux/{}kustomization.yaml", dice.choose(&parts).replace("{}", environment));
    let at = dice.choose(&tree.lines_of_files(|path| path == file, |line| line == "resources:"));
    let above = At { line: at.line - 1, ..at };
    tree.insert(&above, "commonLabel: {a: b}").is("kustomization")
}

fn empty(tree: &mut Tree, dice: &mut Dice) -> Planted {
    let at = dice.choose(&in_kustomizations(tree, |line| line == "spec:"));
    for environment in ["dev", "staging", "production"] {
        tree.add_file(&format!("flux/nothing/{environment}/kustomization.yaml"), "resources: []");
    }
    let text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: nothing\n  namespace: flux-system\nspec:\n  path: ./flux/nothing/ENVIRONMENT\n  prune: true\n  interval: 1h\n  sourceRef:\n    kind: SYNC_KIND\n    name: flux-system";
    tree.append(&at.file, text).below(6).is("kustomization")
}
