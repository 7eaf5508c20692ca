//! Completion, as the Flux CLI asks for it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use support::Repo;

const NOTHING: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

fn repo() -> Repo {
    let repo = Repo::new(&[
        ("clusters/prod-nyc1/a.yaml", NOTHING),
        ("clusters/prod-sfo1/a.yaml", NOTHING),
        ("clusters/dev/a.yaml", NOTHING),
        ("terraform/environments/dev/regions.tf", ""),
        ("terraform/environments/staging/regions.tf", ""),
    ]);
    repo.commit();
    repo.git(&["tag", "v1"]);
    repo
}

#[test]
fn each_word_has_its_candidates_and_the_last_line_is_the_directive() {
    let repo = repo();
    for (words, expected) in [
        (&["b"][..], "build\n:4\n"),
        (&["build", ""], "dev\nprod-nyc1\nprod-sfo1\n:4\n"),
        (&["build", "prod"], "prod-nyc1\nprod-sfo1\n:4\n"),
        (&["build", "dev", "d"], ":4\n"),
        (&["graph", "--output", ""], "text\nmermaid\ndot\nsvg\n:4\n"),
        (&["graph", "-o", "s"], "svg\n:4\n"),
        (&["graph", "--output=m"], "--output=mermaid\n:4\n"),
        (&["diff", "--cluster", "d"], "dev\n:4\n"),
        (&["diff", ""], "main\nv1\n:4\n"),
        (&["build", "--no-c"], "--no-cache\n:4\n"),
        (&["build", "--repo", ""], ":16\n"),
        (&["build", "--vars", ""], ":0\n"),
        (&["build", "--releases", ""], "never\nauto\nalways\n:4\n"),
        (&["diff", "--kube-version", ""], ":4\n"),
        (&["build", "--clusters", "clusters", "de"], "dev\n:4\n"),
        (&["new-region", ""], ":4\n"),
        (&["new-region", "lon1", "--provider", "d"], "digitalocean\ndocker\n:4\n"),
        (&["new-region", "lon1", "--env", ""], "dev\nstaging\n:4\n"),
        (&["new-region", "lon1", "--env=s"], "--env=staging\n:4\n"),
        (&["nonsense", ""], ":4\n"),
        (&[], ":4\n"),
    ] {
        let ran = repo.run(&[&["__completeNoDesc"], words].concat());
        assert_eq!((ran.code, ran.out.as_str()), (0, expected), "{words:?}");
    }
}

#[test]
fn candidates_are_described() {
    let ran = repo().run(&["__complete", "build", "dev"]);
    assert_eq!(ran.out, "dev\tclusters/dev\n:4\n");
}

#[test]
fn nothing_to_offer_is_no_failure() {
    let ran = Repo::new(&[]).run(&["__complete", "build", ""]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, ":4\n", ""));
}
