//! `graph`, on small repositories.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use support::Repo;

fn flux(name: &str, path: &str, after: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux-system}}\nspec:\n  path: {path}\n  dependsOn: [{after}]\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n"
    )
}

const RELEASES: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a, namespace: x}\nspec: {chart: {spec: {chart: alpha, version: 1.2.3}}}\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: b, namespace: x}\nspec: {suspend: true, dependsOn: [{name: a}]}\n";

fn repo() -> Repo {
    Repo::new(&[
        ("clusters/one/all.yaml", &format!("{}---\n{}", flux("apps", "./apps", "{name: infra}"), flux("infra", "./infra", ""))),
        ("infra/releases.yaml", RELEASES),
        ("apps/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ])
}

#[test]
fn the_text_is_a_tree_of_who_renders_whom_in_the_order_of_waiting() {
    let ran = repo().run(&["graph"]);
    assert_eq!(
        ran.out,
        "one
Kustomization flux-system/flux-system (./clusters/one, 2 objects)
├─ Kustomization flux-system/infra (./infra, 2 objects)
│  ├─ HelmRelease x/a (alpha 1.2.3)
│  └─ HelmRelease x/b [suspended], after x/a
└─ Kustomization flux-system/apps (./apps, 1 object), after flux-system/infra
"
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn mermaid_has_each_node_and_each_edge() {
    let ran = repo().run(&["graph", "--output", "mermaid"]);
    assert_eq!(
        ran.out,
        "flowchart LR
  subgraph c0[\"one\"]
    c0n0[\"flux-system/flux-system\"]
    c0n1[\"flux-system/infra\"]
    c0n2([\"x/a\"])
    c0n3([\"x/b\"]):::suspended
    c0n4[\"flux-system/apps\"]
  end
  c0n0 -.-> c0n1
  c0n1 -.-> c0n2
  c0n1 -.-> c0n3
  c0n2 --> c0n3
  c0n0 -.-> c0n4
  c0n1 --> c0n4
  classDef failed stroke:#c00,stroke-width:2px
  classDef suspended stroke-dasharray:4
"
    );
}

#[test]
fn dot_has_each_node_and_each_edge() {
    let ran = repo().run(&["graph", "--output", "dot"]);
    assert!(ran.out.starts_with("digraph fleet {\n") && ran.out.ends_with("}\n"), "{}", ran.out);
    assert!(
        ran.out.contains("\"one Kustomization flux-system/infra\" -> \"one Kustomization flux-system/apps\";\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\"one HelmRelease x/b\" [label=\"x/b\", shape=ellipse, style=dashed];\n"), "{}", ran.out);
}

#[test]
fn svg_draws_one_cluster_each_node_in_a_column_behind_what_it_waits_for() {
    let repo = repo();
    let ran = repo.run(&["graph", "--output", "svg", "one"]);
    let place = |name: &str| -> usize {
        let line = ran.out.lines().find(|line| line.contains(&format!(">{name}</text>")) && line.contains("<text x=")).unwrap();
        line.split('"').nth(1).unwrap().parse().unwrap()
    };
    assert!(place("flux-system/flux-system") < place("flux-system/infra"));
    assert!(place("flux-system/infra") < place("flux-system/apps"));
    assert!(place("x/a") < place("x/b"));
    repo.write("clusters/two/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let ran = repo.run(&["graph", "--output", "svg"]);
    assert_eq!((ran.code, ran.err.trim()), (2, "error: an SVG shows one cluster: name one of one, two"));
}

#[test]
fn a_circle_and_what_is_not_there_are_named() {
    let repo = repo();
    repo.write(
        "clusters/one/all.yaml",
        &[
            flux("a", "./apps", "{name: b}"),
            flux("b", "./apps", "{name: c}"),
            flux("c", "./apps", "{name: a}"),
            flux("d", "./apps", "{name: nope}"),
        ]
        .join("---\n"),
    );
    let ran = repo.run(&["graph"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "error: one: Kustomization flux-system/d waits for Kustomization flux-system/nope, which is not there: correct its `dependsOn`
error: one: Kustomization flux-system/a waits for Kustomization flux-system/b waits for Kustomization flux-system/c waits for Kustomization flux-system/a: none of them gets ready; take one `dependsOn` out
"
    );
}

#[test]
fn what_does_not_build_is_drawn_and_named() {
    let repo = repo();
    repo.write("apps/a.yaml", "no: object\n");
    let ran = repo.run(&["graph"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("Kustomization flux-system/apps (./apps) [does not build], after"), "{}", ran.out);
    assert!(
        ran.err.contains("error: one: Kustomization flux-system/apps (clusters/one/all.yaml:1): kustomize build failed: "),
        "{}",
        ran.err
    );
}
