//! Nothing outside of a source is read, whoever names it: Flux refuses it, and on this machine it may be a secret.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use support::{APPS as ROOT, Repo};

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

/// A repository inside a folder that has a file beside it.
fn repo(kustomization: &str) -> (Repo, String) {
    let repo = Repo::new(&[
        ("outside/token.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stolen}\ndata: {token: T0PSECRET}\n"),
        ("outside/base/kustomization.yaml", "resources: [../token.yaml]\n"),
        ("repo/clusters/one/all.yaml", ROOT),
        ("repo/apps/a.yaml", OBJECT),
        ("repo/apps/nested/kustomization.yaml", "resources: [b.yaml]\n"),
        ("repo/apps/nested/b.yaml", &OBJECT.replace("name: a", "name: b")),
    ]);
    let outside = repo.path().join("outside").canonicalize().unwrap().display().to_string();
    repo.write("repo/apps/kustomization.yaml", &kustomization.replace("OUTSIDE", &outside));
    (repo, outside)
}

#[test]
fn a_file_elsewhere_is_refused_at_its_line() {
    for (what, line) in [
        ("resources:\n  - OUTSIDE/token.yaml\n", 2),
        ("resources:\n  - ../../outside/token.yaml\n", 2),
        ("resources:\n  - OUTSIDE/base\n", 2),
        ("resources: [a.yaml]\ncomponents:\n  - ../../outside/base\n", 3),
        ("resources: [a.yaml]\nconfigMapGenerator:\n  - name: x\n    files:\n      - OUTSIDE/token.yaml\n", 5),
        ("resources: [a.yaml]\nconfigMapGenerator:\n  - name: x\n    files:\n      - key=../../outside/token.yaml\n", 5),
        ("resources: [a.yaml]\nsecretGenerator:\n  - name: x\n    envs:\n      - OUTSIDE/token.yaml\n", 5),
        ("resources: [a.yaml]\npatches:\n  - path: OUTSIDE/token.yaml\n", 3),
        ("resources: [a.yaml]\nreplacements:\n  - path: ../../outside/token.yaml\n", 3),
        ("resources: [a.yaml]\ntransformers:\n  - OUTSIDE/token.yaml\n", 3),
        ("resources: [a.yaml]\nopenapi:\n  path: OUTSIDE/token.yaml\n", 3),
        // Fields are found whatever the case of their letters.
        ("Resources:\n  - OUTSIDE/token.yaml\n", 2),
        // What configures a transformer or generator names files in its own way.
        (
            "resources: [a.yaml]\ntransformers:\n  - |-\n    apiVersion: builtin\n    kind: PatchTransformer\n    metadata: {name: p}\n    path: OUTSIDE/token.yaml\n",
            7,
        ),
        (
            "resources: [a.yaml]\ngenerators:\n  - |-\n    apiVersion: builtin\n    kind: ConfigMapGenerator\n    metadata: {name: p}\n    files: [../../outside/token.yaml]\n",
            7,
        ),
    ] {
        let (repo, _) = repo(what);
        let ran = repo.run(&["build", "--repo", "repo"]);
        let wanted = format!("apps/kustomization.yaml:{line}: ");
        assert!(
            ran.code == 1 && ran.err.contains(&wanted) && ran.err.contains("lies outside of the source"),
            "{what}: {}",
            ran.err
        );
        assert!(!format!("{}{}", ran.out, ran.err).contains("T0PSECRET"), "{what}: {}", ran.out);
    }
}

#[test]
fn a_file_elsewhere_is_refused_in_what_a_folder_below_names() {
    for field in ["resources", "Resources"] {
        let (repo, outside) = repo("resources: [nested]\n");
        repo.write("repo/apps/nested/kustomization.yaml", &format!("{field}:\n  - {outside}/token.yaml\n"));
        let ran = repo.run(&["build", "--repo", "repo"]);
        assert!(
            ran.err.contains("apps/nested/kustomization.yaml:2: ") && !ran.out.contains("T0PSECRET"),
            "{}{}",
            ran.err,
            ran.out
        );
    }
}

#[test]
fn what_configures_a_transformer_in_a_file_of_the_source_is_looked_through() {
    let (repo, outside) = repo("resources: [a.yaml]\ntransformers: [t.yaml]\n");
    let transformer = format!("apiVersion: builtin\nkind: PatchTransformer\nmetadata: {{name: p}}\npath: {outside}/token.yaml\n");
    repo.write("repo/apps/t.yaml", &transformer);
    let ran = repo.run(&["build", "--repo", "repo"]);
    assert!(ran.err.contains("apps/t.yaml:4: ") && !ran.out.contains("T0PSECRET"), "{}{}", ran.err, ran.out);
}

#[test]
fn paths_of_fields_are_no_files() {
    let transformer = "resources: [a.yaml]\ntransformers:\n  - |-\n    apiVersion: builtin\n    kind: LabelTransformer\n    metadata: {name: l}\n    labels: {x: z}\n    fieldSpecs: [{path: metadata/labels, create: true}]\n";
    let (repo, _) = repo(transformer);
    let ran = repo.run(&["build", "--repo", "repo"]);
    assert!(ran.code == 0 && ran.out.contains("x: z"), "{}{}", ran.err, ran.out);
}
