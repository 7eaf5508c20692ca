//! `doctor`: what is there, what is missing, and what mends it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use support::Repo;

const NOTHING: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
const INSTANCE: &str = "# Flux\napiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata: {name: flux, namespace: flux-system}\nspec: {sync: {kind: GitRepository, path: clusters/one}}\n";

#[test]
fn what_is_there_is_said_with_its_place() {
    let repo = Repo::new(&[("clusters/one/flux.yaml", INSTANCE), ("clusters/two/a.yaml", NOTHING)]);
    let ran = repo.run(&["doctor"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("ok        kustomize v5.8.1 ("), "{}", ran.out);
    assert!(ran.out.contains("ok        cluster one starts at clusters/one/flux.yaml:2\n"), "{}", ran.out);
    assert!(
        ran.out.contains(
            "could be  a start of cluster two: it is built as if Flux synced `clusters/two`\n          add a FluxInstance"
        ),
        "{}",
        ran.out
    );
}

#[test]
fn what_is_missing_comes_with_what_mends_it() {
    let repo = Repo::new(&[("clusters/one/flux.yaml", &INSTANCE.replace("clusters/one", "clusters/other"))]);
    let ran = repo.run(&["doctor", "--kustomize", "/nowhere/kustomize"]);
    assert_eq!(ran.code, 1);
    // A helm may be on this machine.
    assert!(
        ran.out.contains("helm v") || ran.out.contains("could be  helm, which renders the charts of releases\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("missing   kustomize, which renders: cannot run `/nowhere/kustomize`")
            && ran.out.contains("\n          go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("missing   the start of cluster one\n          clusters/one/flux.yaml:5: it syncs `clusters/other`"),
        "{}",
        ran.out
    );
    let empty = Repo::new(&[("a", "")]);
    empty.commit();
    assert!(empty.run(&["doctor"]).out.contains("missing   clusters\n          no folder with clusters here"));
}
