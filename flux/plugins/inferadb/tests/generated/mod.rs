//! Kustomizations made from a seed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::Repo;

/// A case.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kustomization: Value,
}

/// The `spec.ignore` of the source.
pub(crate) const IGNORE: &str = "# left out\n/docs/\n*.skip.yaml\n!/case-*/base/kept.skip.yaml\n";

/// The objects that hold variables.
pub(crate) const VARIABLES: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: flux-system}
data:
  NAME: alpha
  COUNT: "3"
  PORT: "0080"
  FLAG: "yes"
  EMPTY: ""
  BIG: "12345678901234567"
  PATH_NAME: /srv/data/file.tar.gz
  LINES: |
    one
    two
  QUOTED: 'say "hi": #1'
---
apiVersion: v1
kind: ConfigMap
metadata: {name: overrides, namespace: flux-system}
data:
  NAME: beta
  ZONE: "1.0"
  LIST: "[a, b]"
---
apiVersion: v1
kind: Secret
metadata: {name: secrets, namespace: flux-system}
data:
  TOKEN: czNjcjN0Cg==
stringData:
  USER: root
---
apiVersion: v1
kind: ConfigMap
metadata: {name: badly, namespace: flux-system}
data:
  not-a-name: x
"#;

/// Splitmix64: enough to choose with.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One time in `n`.
    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.next() % items.len() as u64).unwrap()]
    }
}

/// Texts with variables: values, functions, escapes, and what is none.
const TEXTS: &[&str] = &[
    "plain",
    "${NAME}",
    "${COUNT}",
    "\"${COUNT}\"",
    "${PORT}",
    "${FLAG}",
    "${BIG}",
    "${EMPTY}",
    "x-${NAME}-y",
    "${NOPE:=fallback}",
    "${NOPE:-${NAME}}",
    "${EMPTY:=full}",
    "${NAME:+set}",
    "${NAME^^}",
    "${NAME^}",
    "${NAME,,}",
    "${#NAME}",
    "${NAME:1}",
    "${NAME:1:2}",
    "${PATH_NAME##*/}",
    "${PATH_NAME#*/}",
    "${PATH_NAME%.*}",
    "${PATH_NAME%%.*}",
    "${PATH_NAME//\\//-}",
    "${NAME/a/o}",
    "${NAME//a/}",
    "${NAME/#al/el}",
    "${NAME/%ha/he}",
    "$${NAME}",
    "$$$${NAME}",
    "$NAME and $(NAME)",
    "\"${LINES}\"",
    "${TOKEN}",
    "${USER}",
    "'${NAME}: ${COUNT}'",
    "\"a\\t${NAME}\"",
    "${INLINE:=none}",
    "0777",
    "1e3",
    "12345678901234567",
    "0.10",
    "'1.0'",
    "yes",
    "\"no\"",
    "~",
    "2026-01-01",
];
/// Texts that fail, or that are YAML of another kind once they have their values.
const BAD: &[&str] = &[
    "${NOPE}",
    "${NAME",
    "${NAME-x}",
    "${NAME:}",
    "${NAME[0]}",
    "${QUOTED}",
    "${NAME:0:-9}",
    "${LIST}",
    "'${QUOTED}'",
    "${ZONE}",
    "${INLINE}",
    "${ZONE}",
    "${INLINE}",
];

/// Writes a repository with so many Kustomizations, and gives them.
pub(crate) fn cases(seed: u64, count: usize, repo: &Repo) -> Vec<Case> {
    let cases: Vec<Case> = (0..count).map(|number| case(&mut Dice(seed * 1_000_003 + number as u64), number, repo)).collect();
    let mut all = String::from(VARIABLES);
    let _ = write!(
        all,
        "---\n{}\n",
        json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "flux-system", "namespace": "flux-system"},
            "spec": {"url": "https://example.com/repo", "interval": "1m", "ignore": IGNORE}})
    );
    for case in &cases {
        let _ = write!(all, "---\n{}\n", case.kustomization);
    }
    repo.write("clusters/one/all.yaml", &all);
    cases
}

fn case(dice: &mut Dice, number: usize, repo: &Repo) -> Case {
    let name = format!("case-{number}");
    let folder = format!("{name}/{}", dice.of(&["base", "base", "overlay"]));
    let bad = dice.one_in(8);
    write_base(dice, &name, bad, repo);
    if folder.ends_with("overlay") {
        write_overlay(dice, &name, repo);
    }
    let mut spec = json!({
        "interval": "1h", "prune": true, "path": dice.of(&["./", "/", ""]).to_owned() + &folder,
        "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
    });
    if dice.one_in(40) {
        spec["path"] = json!("./nowhere");
    }
    if dice.one_in(4) {
        spec["targetNamespace"] = json!("target");
    }
    if dice.one_in(4) {
        spec["namePrefix"] = json!("pre-");
    }
    if dice.one_in(4) {
        spec["nameSuffix"] = json!("-suf");
    }
    if dice.one_in(3) {
        spec["commonMetadata"] = dice.of(&[0, 1, 2]).pipe(|which| match which {
            0 => json!({"labels": {"team": "core", "app": "over"}}),
            1 => json!({"annotations": {"note": "yes"}}),
            _ => json!({"labels": {"team": "core"}, "annotations": {"note": "1"}}),
        });
    }
    if dice.one_in(5) {
        spec["buildMetadata"] = dice.of(&[0, 1]).pipe(|which| match which {
            0 => json!(["originAnnotations"]),
            _ => json!(["managedByLabel", "transformerAnnotations"]),
        });
    }
    if dice.one_in(3) {
        spec["images"] = images(dice);
    }
    if dice.one_in(3) {
        spec["patches"] = patches(dice);
    }
    if dice.one_in(4) {
        repo.write(
            &format!("{name}/component/kustomization.yaml"),
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations:\n  component: here\nresources:\n- more.yaml\n",
        );
        repo.write(
            &format!("{name}/component/more.yaml"),
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\ndata: {v: \"${NAME}\"}\n",
        );
        let missing = dice.one_in(3);
        let component = if missing { "../missing" } else { "../component" };
        spec["components"] = json!([component]);
        if missing && dice.one_in(2) {
            spec["ignoreMissingComponents"] = json!(true);
        }
    }
    if !dice.one_in(6) {
        spec["postBuild"] = post_build(dice);
    }
    let kustomization = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system",
            "annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}},
        "spec": spec,
    });
    Case { name, kustomization }
}

fn post_build(dice: &mut Dice) -> Value {
    let mut post = json!({});
    if !dice.one_in(8) {
        let mut from = vec![json!({"kind": "ConfigMap", "name": "settings"}), json!({"kind": "Secret", "name": "secrets"})];
        if !dice.one_in(3) {
            from.push(json!({"kind": "ConfigMap", "name": "overrides"}));
        }
        if dice.one_in(4) {
            from.insert(0, json!({"kind": "ConfigMap", "name": "absent", "optional": true}));
        }
        if dice.one_in(20) {
            from.push(json!({"kind": "Secret", "name": "absent"}));
        }
        if dice.one_in(25) {
            from.push(json!({"kind": "ConfigMap", "name": "badly"}));
        }
        if dice.one_in(2) {
            from.reverse();
        }
        post["substituteFrom"] = json!(from);
    }
    if dice.one_in(2) {
        post["substitute"] = json!({"INLINE": dice.of(&["in", "a\nb", "7", "true", "", "null", "x: y"]), "NAME": "gamma"});
    }
    if dice.one_in(4) {
        post["substituteStrategy"] = json!(dice.of(&["Always", "WithVariables"]));
    }
    post
}

fn images(dice: &mut Dice) -> Value {
    let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000001";
    match dice.of(&[0, 1, 2, 3]) {
        0 => json!([{"name": "registry.example/engine", "newTag": "2.0.0"}]),
        1 => json!([{"name": "registry.example/engine", "digest": digest}, {"name": "other", "newName": "mirror.example/other"}]),
        2 => json!([{"name": "registry.example/engine", "newName": "mirror.example/engine"}]),
        _ => json!([{"name": "other", "newName": "mirror.example/other", "newTag": "3"}]),
    }
}

fn patches(dice: &mut Dice) -> Value {
    match dice.of(&[0, 1, 2, 3, 4]) {
        0 => json!([{"target": {"kind": "Deployment"}, "patch": "- op: add\n  path: /spec/replicas\n  value: 4\n"}]),
        1 => json!([{"target": {"kind": "ConfigMap", "name": "values.*"},
            "patch": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: any}\ndata: {patched: \"${NAME}\", number: \"5\"}\n"}]),
        2 => json!([{"patch": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: engine}\nspec: {paused: true}\n"}]),
        3 => json!([{"target": {"labelSelector": "app=engine"}, "patch": "- op: remove\n  path: /metadata/labels/app\n"}]),
        _ => json!([{"patch": "$patch: delete\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: values}\n"}]),
    }
}

fn write_base(dice: &mut Dice, name: &str, bad: bool, repo: &Repo) {
    let mut values = String::new();
    for key in 0..6 {
        let text = if bad && key == 0 { dice.of(BAD) } else { dice.of(TEXTS) };
        // Plain scalars stand in a map of texts only where their object is no ConfigMap.
        let _ = writeln!(values, "  k{key}: {text}");
    }
    let switch = match dice.of(&[0, 0, 0, 1, 2]) {
        1 => "  labels: {kustomize.toolkit.fluxcd.io/substitute: disabled}\n",
        2 => "  annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}\n",
        _ => "",
    };
    let custom = format!("apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: thing\n{switch}spec:\n{values}");
    repo.write(&format!("{name}/base/thing.yaml"), &custom);
    let label = dice.of(&["x", "\"${COUNT:=1}\"", "${COUNT:=1}", "v${COUNT:=1}"]);
    repo.write(
        &format!("{name}/base/engine.yaml"),
        &format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: engine\n  labels:\n    app: engine\n    count: {label}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: engine}}}}\n  template:\n    metadata: {{labels: {{app: engine}}}}\n    spec:\n      containers:\n      - name: engine\n        image: registry.example/engine:1.0.0\n        args: [\"--name=${{NAME:=none}}\", \"$${{HOME}}\"]\n      - {{name: side, image: other}}\n"
        ),
    );
    let values = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: values\n  namespace: here\ndata:\n  a: \"${NAME:=x}\"\n  script: |\n    #!/bin/sh\n    echo $HOME $(date)\n\n    exit ${COUNT:=0}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {token: \"${TOKEN:=t}\"}\n";
    repo.write(&format!("{name}/base/values.yaml"), values);
    let skipped = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: skipped}\n";
    repo.write(&format!("{name}/base/left.skip.yaml"), skipped);
    repo.write(&format!("{name}/base/kept.skip.yaml"), &skipped.replace("skipped", "kept"));
    repo.write(&format!("{name}/base/README.md"), "no manifest\n");
    if dice.one_in(3) {
        // A folder without a kustomization.yaml: its files, folders below it, and those that have one.
        repo.write(&format!("{name}/base/deep/er/one.yaml"), &skipped.replace("skipped", "deeper"));
        repo.write(&format!("{name}/base/deep-er/kustomization.yaml"), "resources: [../deep-er/two.yml]\nnamePrefix: p-\n");
        repo.write(&format!("{name}/base/deep-er/two.yml"), &skipped.replace("skipped", "two"));
        repo.write(&format!("{name}/base/deep-er/unlisted.yaml"), &skipped.replace("skipped", "unlisted"));
        if dice.one_in(2) {
            repo.write(&format!("{name}/base/.sourceignore"), "deep/\n/thing.yaml\n");
        }
        return;
    }
    let mut file = String::from(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- thing.yaml\n- engine.yaml\n- values.yaml\n",
    );
    if dice.one_in(3) {
        file.push_str("images:\n- name: registry.example/engine\n  newTag: 1.2.3\n");
    }
    if dice.one_in(4) {
        // What Flux reads and kustomize would not: numbers, names in another case, fields that are none.
        file.push_str("commonLabels: {version: 1, on: true}\nNamePrefix: k-\nresource: [x.yaml]\n");
    }
    if dice.one_in(4) {
        file.push_str("configMapGenerator:\n- name: made\n  literals: [a=1, \"b=${NAME:=x}\"]\n  files: [notes.txt]\n");
        repo.write(&format!("{name}/base/notes.txt"), "two\nlines ${COUNT:=0}\n");
    }
    if dice.one_in(4) {
        file.push_str("secretGenerator:\n- name: hidden\n  envs: [.hidden.env]\n  options: {disableNameSuffixHash: true}\n");
        repo.write(&format!("{name}/base/.hidden.env"), "A=1\nB=two words\n");
    }
    if dice.one_in(5) {
        file.push_str("labels:\n- pairs: {by: labels}\n  includeSelectors: false\nsortOptions: {order: legacy}\n");
    }
    if dice.one_in(5) {
        file.push_str("patches:\n- path: patch.yaml\nreplicas:\n- {name: engine, count: 5}\n");
        repo.write(&format!("{name}/base/patch.yaml"), "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: engine}\nspec:\n  template:\n    spec:\n      terminationGracePeriodSeconds: 60\n");
    }
    if dice.one_in(5) {
        file.push_str("replacements:\n- source: {kind: ConfigMap, name: values, fieldPath: data.a}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: [\"metadata.labels.app\"]\n");
    }
    if dice.one_in(12) {
        file.push_str("components: [../nowhere]\n");
    }
    repo.write(
        &format!("{name}/base/{}", dice.of(&["kustomization.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization"])),
        &file,
    );
    if dice.one_in(20) {
        repo.write(&format!("{name}/base/kustomization.yml"), &file);
    }
    if dice.one_in(8) {
        repo.write(&format!("{name}/base/.sourceignore"), "README.md\nnotes.*\n");
    }
}

fn write_overlay(dice: &mut Dice, name: &str, repo: &Repo) {
    let mut file = String::from("resources: [../base]\nnamespace: overlay\n");
    if dice.one_in(3) {
        file.push_str("commonAnnotations: {overlay: here}\n");
    }
    if dice.one_in(6) {
        file = String::from("resources: []\ncomponents: [../plain]\n");
        repo.write(
            &format!("{name}/plain/kustomization.yaml"),
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [list.yaml]\n",
        );
        repo.write(
            &format!("{name}/plain/list.yaml"),
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: one}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: \"${NAME:=two}\"}\n",
        );
    }
    repo.write(&format!("{name}/overlay/kustomization.yaml"), &file);
}

trait Pipe: Sized {
    fn pipe<R>(self, f: impl FnOnce(Self) -> R) -> R {
        f(self)
    }
}

impl Pipe for i32 {}
