//! `diff`, on small repositories that show one rule each.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use support::Repo;

fn flux(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux-system}}\nspec:\n  path: {path}\n  prune: true\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n{more}"
    )
}

fn config_map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: x}}\ndata: {data}\n")
}

/// A repository with two Kustomizations, committed.
fn repo() -> Repo {
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &format!("{}---\n{}", flux("apps", "./apps", ""), flux("data", "./data", ""))),
        ("apps/a.yaml", &config_map("a", "{x: y}")),
        ("data/d.yaml", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d, namespace: x}\n"),
        ("data/c.yaml", &config_map("c", "{x: y}")),
    ]);
    repo.commit();
    repo
}

#[test]
fn nothing_changes_where_nothing_changed() {
    let ran = repo().run(&["diff", "HEAD", "--exit-code"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "Nothing changes in any cluster.\n", ""));
}

#[test]
fn what_neither_side_has_a_use_for_is_said_once() {
    let repo = repo();
    let settings = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n";
    repo.write("clusters/one/all.yaml", &format!("{}---\n{}", flux("apps", "./apps", settings), flux("data", "./data", "")));
    repo.write("apps/a.yaml", &config_map("a", "{x: \"${X:=y}\"}"));
    let ran = repo.run(&["diff", "HEAD", "--set", "X=y", "--set", "Y=1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // Before, nothing lacked an object; after, one variable of two is read.
    assert_eq!(ran.err, "warning: the variable of `--set Y` goes nowhere: nothing that was built reads it\n");
    assert_eq!(repo.run(&["diff", "HEAD", "--set", "X=y"]).err, "");
}

#[test]
fn objects_are_created_changed_and_pruned_and_data_comes_first() {
    let repo = repo();
    repo.write("apps/a.yaml", &config_map("a", "{x: z}"));
    repo.write("apps/b.yaml", &config_map("b", "{n: m}"));
    repo.write("data/kustomization.yaml", "resources: []\nnamespace: x\n");
    let ran = repo.run(&["diff", "HEAD", "--exit-code"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(
        ran.out,
        "cluster one
  - PRUNED, WITH WHAT IT HOLDS: PersistentVolumeClaim x/d, by flux-system/data
  - pruned: ConfigMap x/c, by flux-system/data
  + created: ConfigMap x/b, by flux-system/apps
      @@ -0,0 +1,7 @@
      +apiVersion: v1
      +data:
      +  'n': m
      +kind: ConfigMap
      +metadata:
      +  name: b
      +  namespace: x
  ~ changed: ConfigMap x/a, by flux-system/apps
      @@ -1,6 +1,6 @@
       apiVersion: v1
       data:
      -  x: 'y'
      +  x: z
       kind: ConfigMap
       metadata:
         name: a
"
    );
    assert_eq!(repo.run(&["diff", "HEAD"]).code, 0);
}

#[test]
fn an_object_that_another_kustomization_produces_now_is_moved() {
    let repo = repo();
    repo.remove("data/c.yaml");
    repo.write("apps/c.yaml", &config_map("c", "{x: y}"));
    let ran = repo.run(&["diff", "HEAD"]);
    assert_eq!(ran.out, "cluster one\n  > moved from flux-system/data to flux-system/apps: ConfigMap x/c\n");
}

#[test]
fn what_a_failing_side_would_make_is_withheld_and_no_deletion() {
    let repo = repo();
    repo.write("data/kustomization.yaml", "resources: [nowhere.yaml]\n");
    let ran = repo.run(&["diff", "HEAD"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.out,
        "cluster one\n  ! Kustomization flux-system/data does not build after the change: 2 of its objects are not compared\n"
    );
    assert!(
        ran.err.starts_with(
            "error: one: after the change: Kustomization flux-system/data: data/kustomization.yaml:1: `nowhere.yaml` is not in the source"
        ),
        "{}",
        ran.err
    );
    // The same the other way round: nothing counts as created.
    repo.commit();
    repo.remove("data/kustomization.yaml");
    let ran = repo.run(&["diff", "HEAD"]);
    assert!(ran.out.contains("does not build before the change: 2 of its objects"), "{}", ran.out);
    assert!(!ran.out.contains("created"), "{}", ran.out);
}

#[test]
fn what_lies_below_a_failing_parent_is_withheld_too() {
    let repo = repo();
    repo.write("clusters/one/kustomization.yaml", "resources: [nowhere.yaml]\n");
    let ran = repo.run(&["diff", "HEAD"]);
    assert_eq!(ran.code, 2);
    // Two Kustomizations, and three objects of theirs.
    assert_eq!(
        ran.out,
        "cluster one\n  ! Kustomization flux-system/flux-system does not build after the change: 5 of its objects are not compared\n"
    );
}

#[test]
fn secrets_are_hidden_wherever_substitution_put_them() {
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: flux-system}}\nstringData: {{TOKEN: {value}, PORT: \"5\"}}\n"
        )
    };
    let from = "  postBuild: {substituteFrom: [{kind: Secret, name: s}]}\n";
    let thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t, namespace: x}\nspec:\n  url: db://${TOKEN}@host\n  short: ${TOKEN:0:3}\n  loud: ${TOKEN^^}\n  port: ${PORT}\n  five: 5\n";
    // A ConfigMap that carries it on to a third Kustomization.
    let carrier = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: carrier, namespace: flux-system}\ndata: {CARRIED: \"${TOKEN}\", OPEN: free}\n";
    let far = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: far, namespace: x}\nspec: {carried: \"${CARRIED}\", open: \"${OPEN}-${CARRIED:=x}\", free: \"${OPEN}\"}\n";
    let follows = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: carrier}]}\n";
    let repo = Repo::new(&[
        (
            "clusters/one/all.yaml",
            &[flux("apps", "./apps", from), flux("secrets", "./secrets", ""), flux("far", "./far", follows)].join("---\n"),
        ),
        ("secrets/s.yaml", &secret("hunter2")),
        ("apps/thing.yaml", thing),
        ("apps/carrier.yaml", carrier),
        ("far/far.yaml", far),
    ]);
    repo.commit();
    repo.write("secrets/s.yaml", &secret("swordfish"));
    for output in ["terminal", "markdown"] {
        let ran = repo.run(&["diff", "HEAD", "--output", output]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for part in ["hunter2", "HUNTER2", "hun", "swordfish", "SWORDFISH", "swo"] {
            assert!(!ran.out.contains(part) && !ran.err.contains(part), "{part} in {}", ran.out);
        }
        assert!(ran.out.contains("-  url: '*** (before)'") && ran.out.contains("+  url: '*** (after)'"), "{}", ran.out);
        assert!(ran.out.contains("-  carried: '*** (before)'"), "{}", ran.out);
        assert!(ran.out.contains("   five: 5"), "{}", ran.out);
        assert!(ran.out.contains("   port: '***'"), "{}", ran.out);
    }
}

#[test]
fn who_does_not_prune_leaves_objects_behind() {
    let repo = repo();
    repo.write(
        "clusters/one/all.yaml",
        &[flux("apps", "./apps", ""), flux("data", "./data", "").replace("prune: true", "prune: false")].join("---\n"),
    );
    repo.write(
        "apps/a.yaml",
        &config_map("a", "{x: y}")
            .replace("namespace: x", "namespace: x, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}"),
    );
    repo.write("apps/b.yaml", &config_map("b", "{x: y}"));
    repo.commit();
    repo.remove("data/d.yaml");
    repo.remove("apps/a.yaml");
    let ran = repo.run(&["diff", "HEAD"]);
    assert_eq!(
        ran.out,
        "cluster one
  - left in the cluster, as flux-system/apps does not prune it: ConfigMap x/a
  - left in the cluster, as flux-system/data does not prune it: PersistentVolumeClaim x/d
"
    );
}

#[test]
fn images_are_told_on_their_own() {
    let deployment = |tag: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: e, namespace: x}}\nspec: {{template: {{spec: {{containers: [{{name: e, image: \"ghcr.io/x/e:{tag}\"}}]}}}}}}\n"
        )
    };
    let repo = repo();
    repo.write("apps/e.yaml", &deployment("1.0.0"));
    repo.commit();
    repo.write("apps/e.yaml", &deployment("1.1.0"));
    let ran = repo.run(&["diff", "HEAD"]);
    assert!(ran.out.ends_with("  image ghcr.io/x/e: 1.0.0 → 1.1.0\n"), "{}", ran.out);
}

#[test]
fn noise_is_hidden_unless_asked_for() {
    let noisy = |version: &str| {
        config_map("a", "{x: y}").replace("namespace: x", &format!("namespace: x, labels: {{helm.sh/chart: {version}}}"))
    };
    let repo = repo();
    repo.write("apps/a.yaml", &noisy("v1"));
    repo.commit();
    repo.write("apps/a.yaml", &noisy("v2"));
    assert_eq!(repo.run(&["diff", "HEAD"]).out, "Nothing changes in any cluster.\n");
    assert!(repo.run(&["diff", "HEAD", "--strip", ""]).out.contains("+    helm.sh/chart: v2"));
}

#[test]
fn two_commits_are_compared_without_the_files_as_they_are() {
    let repo = repo();
    repo.write("apps/b.yaml", &config_map("b", "{}"));
    repo.commit();
    repo.remove("apps/b.yaml");
    let ran = repo.run(&["diff", "HEAD~1", "HEAD"]);
    assert!(ran.out.contains("+ created: ConfigMap x/b"), "{}", ran.out);
}

#[test]
fn a_flux_object_shows_as_itself() {
    let repo = repo();
    repo.write("clusters/one/all.yaml", &[flux("apps", "./apps", "  suspend: true\n"), flux("data", "./data", "")].join("---\n"));
    repo.write("apps/a.yaml", &config_map("a", "{x: z}"));
    let ran = repo.run(&["diff", "HEAD"]);
    assert!(ran.out.contains("~ changed: Kustomization.kustomize.toolkit.fluxcd.io flux-system/apps"), "{}", ran.out);
    assert!(ran.out.contains("note: Kustomization flux-system/apps is suspended"), "{}", ran.out);
    assert!(!ran.out.contains("ConfigMap x/a"), "{}", ran.out);
}

#[test]
fn a_comment_counts_and_folds() {
    let repo = repo();
    repo.write("apps/b.yaml", &config_map("b", "{x: \"a```b\"}"));
    repo.remove("data/d.yaml");
    let ran = repo.run(&["diff", "HEAD", "--output", "markdown"]);
    assert!(ran.out.contains("| one | 1 | 0 | 0 | 1 | 0 |\n"), "{}", ran.out);
    assert!(
        ran.out.contains("- :warning: **pruned, with what it holds**: `PersistentVolumeClaim x/d`, by `flux-system/data`\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("<details><summary>created: ConfigMap x/b, by flux-system/apps</summary>\n\n````diff\n"),
        "{}",
        ran.out
    );
}

#[test]
fn an_unknown_revision_is_refused() {
    let ran = repo().run(&["diff", "nope"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("nope"), "{}", ran.err);
}

/// A Kustomization that nobody deletes.
fn kept(name: &str, path: &str, more: &str) -> String {
    flux(name, path, more).replacen(
        "namespace: flux-system",
        "namespace: flux-system, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}",
        1,
    )
}

#[test]
fn what_a_kustomization_applies_that_stays_in_the_cluster_stays_too() {
    let repo = repo();
    let apps = flux("apps", "./apps", "");
    repo.write("clusters/one/all.yaml", &[apps.clone(), kept("data", "./data", "")].join("---\n"));
    repo.commit();
    repo.write("clusters/one/all.yaml", &apps);
    let ran = repo.run(&["diff", "HEAD"]);
    assert_eq!(
        ran.out,
        "cluster one
  - left in the cluster, as flux-system/flux-system does not prune it: Kustomization.kustomize.toolkit.fluxcd.io flux-system/data
  - left in the cluster with flux-system/data, which nobody prunes and which goes on with what its path holds: ConfigMap x/c
  - left in the cluster with flux-system/data, which nobody prunes and which goes on with what its path holds: PersistentVolumeClaim x/d
"
    );
    // Under another name, both apply the same.
    repo.write("clusters/one/all.yaml", &[apps, kept("date", "./data", "")].join("---\n"));
    let ran = repo.run(&["diff", "HEAD"]);
    for id in ["ConfigMap x/c", "PersistentVolumeClaim x/d"] {
        let line = format!(
            "  ! produced by flux-system/date now, and by flux-system/data still, which is gone from the tree and left in the cluster: {id}\n"
        );
        assert!(ran.out.contains(&line), "{}", ran.out);
    }
    assert!(!ran.out.contains("moved") && !ran.out.contains("PRUNED"), "{}", ran.out);
}

#[test]
fn a_deletion_policy_decides_what_a_kustomization_takes_along() {
    let id = "Kustomization.kustomize.toolkit.fluxcd.io flux-system/data, by flux-system/flux-system\n";
    let claim = "PersistentVolumeClaim x/d";
    for (spec, prune, takes) in [
        ("", "true", true),
        ("", "false", false),
        ("  deletionPolicy: Orphan\n", "true", false),
        ("  deletionPolicy: Delete\n", "false", true),
        ("  deletionPolicy: WaitForTermination\n", "false", true),
        ("  suspend: true\n", "true", false),
    ] {
        let repo = repo();
        let apps = flux("apps", "./apps", "");
        let data = flux("data", "./data", spec).replace("prune: true", &format!("prune: {prune}"));
        repo.write("clusters/one/all.yaml", &[apps.clone(), data].join("---\n"));
        repo.commit();
        repo.write("clusters/one/all.yaml", &apps);
        let ran = repo.run(&["diff", "HEAD"]);
        let (kustomization, data) = if takes {
            (
                format!("  - PRUNED, WITH WHAT IT HOLDS: {id}"),
                format!("  - PRUNED, WITH WHAT IT HOLDS: {claim}, by flux-system/data\n"),
            )
        } else {
            (format!("  - pruned: {id}"), format!("  - left in the cluster, as flux-system/data does not prune it: {claim}\n"))
        };
        assert!(ran.out.contains(&kustomization) && ran.out.contains(&data), "{spec}{prune}: {}", ran.out);
    }
}

#[test]
fn what_holds_data_is_in_danger_where_its_old_owner_is_first() {
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d, namespace: x}\n";
    let after = |name: &str| format!("  dependsOn: [{{name: {name}}}]\n");
    let id = "PersistentVolumeClaim x/d";
    let both = "from flux-system/data to flux-system/apps";
    for (apps, data, line) in [
        (
            after("data"),
            String::new(),
            format!(
                "  > MOVED, AND EMPTIED ON THE WAY: {id}, {both}: flux-system/apps waits for flux-system/data, which prunes it first, with what it holds\n"
            ),
        ),
        (
            String::new(),
            String::new(),
            format!(
                "  > MOVED, AND MAY BE EMPTIED ON THE WAY: {id}, {both}: flux-system/data may prune it, with what it holds, before flux-system/apps has it\n"
            ),
        ),
        // The new owner is first, and puts its labels on it.
        (String::new(), after("apps"), format!("  > moved {both}: {id}\n")),
        (String::new(), "  prune: false\n".to_owned(), format!("  > moved {both}: {id}\n")),
    ] {
        let repo = repo();
        let data = flux("data", "./data", &data);
        let data = if data.contains("prune: false") { data.replace("  prune: true\n", "") } else { data };
        repo.write("clusters/one/all.yaml", &[flux("apps", "./apps", &apps), data].join("---\n"));
        repo.commit();
        repo.remove("data/d.yaml");
        repo.write("apps/d.yaml", claim);
        let ran = repo.run(&["diff", "HEAD"]);
        assert_eq!(ran.out, format!("cluster one\n{line}"));
    }
    // What nothing may delete gets over unharmed.
    let repo = repo();
    let spared = claim.replace("namespace: x", "namespace: x, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}");
    repo.write("data/d.yaml", &spared);
    repo.commit();
    repo.remove("data/d.yaml");
    repo.write("apps/d.yaml", &spared);
    assert_eq!(repo.run(&["diff", "HEAD"]).out, format!("cluster one\n  > moved {both}: {id}\n"));
}

#[test]
fn an_object_that_goes_to_a_suspended_kustomization_is_pruned() {
    let repo = repo();
    repo.write("clusters/one/all.yaml", &[flux("apps", "./apps", "  suspend: true\n"), flux("data", "./data", "")].join("---\n"));
    repo.commit();
    repo.remove("data/c.yaml");
    repo.write("apps/c.yaml", &config_map("c", "{x: y}"));
    let ran = repo.run(&["diff", "HEAD"]);
    assert!(ran.out.contains("  - pruned: ConfigMap x/c, by flux-system/data\n"), "{}", ran.out);
}

#[test]
fn an_object_that_two_produce_from_now_on_is_noted() {
    let repo = repo();
    repo.write("apps/c.yaml", &config_map("c", "{x: y}"));
    let ran = repo.run(&["diff", "HEAD"]);
    assert_eq!(
        ran.out,
        "cluster one\n  note: ConfigMap x/c is produced by Kustomization flux-system/apps and by Kustomization flux-system/data: each undoes what the other applies\n"
    );
    repo.commit();
    assert_eq!(repo.run(&["diff", "HEAD"]).out, "Nothing changes in any cluster.\n");
}

#[test]
fn a_cluster_that_neither_side_has_is_refused() {
    let repo = repo();
    let ran = repo.run(&["diff", "HEAD", "--cluster", "one", "--cluster", "noe"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("there is no cluster `noe`: there are one"), "{}", ran.err);
    // One that only one side has is asked for with reason.
    repo.write("clusters/two/all.yaml", &flux("apps", "./apps", ""));
    let ran = repo.run(&["diff", "HEAD", "--cluster", "two"]);
    assert!(ran.code == 0 && ran.out.contains("cluster two\n"), "{}{}", ran.out, ran.err);
}

#[test]
fn what_is_no_revision_is_told_what_to_do() {
    let repo = repo();
    for (revision, advice) in [
        ("main..HEAD", "two revisions are two arguments, as in `diff main HEAD`"),
        ("main...HEAD", "two revisions are two arguments, as in `diff main HEAD`"),
        ("release", "get it with `git fetch origin release` and name it `FETCH_HEAD`"),
        ("one", "a cluster goes with `--cluster`"),
    ] {
        let ran = repo.run(&["diff", revision]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(&format!("there is no revision `{revision}`")) && ran.err.contains(advice), "{}", ran.err);
    }
}

#[test]
fn names_do_nothing_to_who_reads_them() {
    let evil = |name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \"{name}\", namespace: x}}\ndata: {{x: \"a\\n::error::b\\nc\"}}\n"
        )
    };
    let repo = repo();
    repo.write("apps/evil.yaml", &evil("x\\n::error file=evil::pwned\\u001b[31m</summary><img src=x>`**"));
    let obeyed = |out: &str| out.contains('\u{1b}') || out.lines().any(|line| line.trim_start().starts_with("::"));
    let ran = repo.run(&["diff", "HEAD"]);
    assert!(ran.out.contains("+ created: ConfigMap x/x\\n::error file=evil::pwned\\u{1b}[31m"), "{}", ran.out);
    assert!(!obeyed(&ran.out), "{}", ran.out);
    let markdown = repo.run(&["diff", "HEAD", "--output", "markdown"]).out;
    assert!(
        markdown.contains("<summary>created: ConfigMap x/x\\n::error file=evil::pwned\\u{1b}[31m&#60;/summary&#62;&#60;img src=x&#62;&#96;&#42;&#42;, by flux-system/apps</summary>"),
        "{markdown}"
    );
    assert!(!markdown.contains('\u{1b}'), "{markdown}");
    repo.commit();
    // A line that does not change is shown beside one that does.
    repo.write(
        "apps/evil.yaml",
        &evil("x\\n::error file=evil::pwned\\u001b[31m</summary><img src=x>`**").replace("\\nc", "\\nd"),
    );
    let ran = repo.run(&["diff", "HEAD"]);
    assert!(ran.out.contains("\\::error::b") && !obeyed(&ran.out), "{}", ran.out);
    repo.commit();
    repo.remove("apps/evil.yaml");
    let markdown = repo.run(&["diff", "HEAD", "--output", "markdown"]).out;
    assert!(
        markdown.contains("- **pruned**: `` ConfigMap x/x\\n::error file=evil::pwned\\u{1b}[31m</summary><img src=x>`** ``, by `flux-system/apps`\n"),
        "{markdown}"
    );
}
