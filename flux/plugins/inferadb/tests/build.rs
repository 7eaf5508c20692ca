//! `build`, on small repositories that show one rule each.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod support;

use std::process::Stdio;

use serde_json::{Value, json};
use support::{Repo, kustomization, object};

/// A Flux Kustomization of this repository, with more of its spec.
fn flux(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux-system}}\nspec:\n  interval: 1h\n  prune: true\n  path: {path}\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n{more}"
    )
}

fn config_map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: flux-system}}\ndata: {data}\n")
}

#[test]
fn a_parent_patches_its_child_before_it_is_built() {
    let repo = Repo::new(&[
        ("clusters/one/apps.yaml", &flux("apps", "./nowhere", "")),
        (
            "clusters/one/kustomization.yaml",
            "resources: [apps.yaml]\npatches:\n- patch: |\n    - {op: replace, path: /spec/path, value: ./apps}\n  target: {kind: Kustomization}\n",
        ),
        ("apps/a.yaml", &config_map("a", "{x: y}")),
    ]);
    let built = repo.build(&[]);
    assert_eq!(object(kustomization(&built, "one", "apps"), "ConfigMap", "a")["data"], json!({"x": "y"}));
}

#[test]
fn a_parent_substitutes_in_its_child() {
    let repo = Repo::new(&[
        (
            "clusters/one/all.yaml",
            &format!(
                "{}---\n{}",
                config_map("settings", "{TIER: gold}"),
                flux("layer", "./layer", "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n")
            ),
        ),
        ("layer/apps.yaml", &flux("apps", "./apps/${TIER}", "")),
        ("apps/gold/a.yaml", &config_map("a", "{x: y}")),
    ]);
    let built = repo.build(&[]);
    assert_eq!(object(kustomization(&built, "one", "apps"), "ConfigMap", "a")["data"]["x"], "y");
}

#[test]
fn a_kustomization_that_only_a_replacement_completes_is_found() {
    // No file holds this path, nor this name: kustomize makes both.
    let repo = Repo::new(&[
        (
            "clusters/one/kustomization.yaml",
            "resources: [child.yaml]\nnameSuffix: -made\nreplacements:\n- source: {kind: ConfigMap, name: where, fieldPath: data.path}\n  targets:\n  - select: {kind: Kustomization}\n    fieldPaths: [spec.path]\nconfigMapGenerator:\n- name: where\n  literals: [path=./apps]\n",
        ),
        ("clusters/one/child.yaml", &flux("child", "TO-BE-REPLACED", "")),
        ("apps/a.yaml", &config_map("a", "{x: y}")),
    ]);
    let built = repo.build(&[]);
    assert_eq!(object(kustomization(&built, "one", "child-made"), "ConfigMap", "a")["data"]["x"], "y");
}

#[test]
fn variables_come_from_what_another_kustomization_generates() {
    let repo = Repo::new(&[
        (
            "clusters/one/all.yaml",
            &format!(
                "{}---\n{}",
                flux("apps", "./apps", "  postBuild: {substituteFrom: [{kind: ConfigMap, name: made}]}\n"),
                flux("settings", "./settings", "")
            ),
        ),
        (
            "settings/kustomization.yaml",
            "namespace: flux-system\nconfigMapGenerator:\n- name: made\n  literals: [X=generated]\n  options: {disableNameSuffixHash: true}\n",
        ),
        ("apps/a.yaml", &config_map("a", "{x: \"${X}\"}")),
    ]);
    let built = repo.build(&[]);
    assert_eq!(object(kustomization(&built, "one", "apps"), "ConfigMap", "a")["data"]["x"], "generated");
}

#[test]
fn an_unknown_variable_fails_its_kustomization_alone() {
    let repo = Repo::new(&[
        (
            "clusters/one/all.yaml",
            &format!("{}---\n{}", flux("bad", "./bad", "  postBuild: {substitute: {A: b}}\n"), flux("good", "./good", "")),
        ),
        ("bad/a.yaml", &config_map("a", "{x: \"${NOPE}\"}")),
        ("good/a.yaml", &config_map("a", "{x: \"${NOPE}\"}")),
    ]);
    let ran = repo.run(&["build"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("one: Kustomization flux-system/bad (bad/a.yaml:4): post build failed for `ConfigMap flux-system/a`: the variable `NOPE` has no value"), "{}", ran.err);
    assert!(ran.out.contains("# one: Kustomization flux-system/good\napiVersion: v1\ndata:\n  x: ${NOPE}\n"), "{}", ran.out);
}

#[test]
fn a_number_may_become_a_text_and_the_reverse() {
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &flux("apps", "./apps", "  postBuild: {substitute: {N: '5', T: 'yes', S: \"'6'\"}}\n")),
        (
            "apps/a.yaml",
            "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {n: \"${N}\", t: \"${T}\", s: \"${S}\"}\n",
        ),
    ]);
    let built = repo.build(&[]);
    assert_eq!(object(kustomization(&built, "one", "apps"), "Thing", "a")["spec"], json!({"n": 5, "t": true, "s": "6"}));
}

#[test]
fn what_lives_only_in_the_cluster_is_given_on_the_command_line() {
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &flux("apps", "./apps", "  postBuild: {substituteFrom: [{kind: Secret, name: theirs}]}\n")),
        ("apps/a.yaml", &config_map("a", "{x: \"${X}\"}")),
        (
            "vars.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: theirs, namespace: flux-system}\nstringData: {X: from-file}\n",
        ),
    ]);
    let without = repo.run(&["build"]);
    assert_eq!(without.code, 1);
    assert!(without.err.contains("`substituteFrom` names Secret `flux-system/theirs`"), "{}", without.err);
    for (arguments, value) in [(["--set", "X=set"], "set"), (["--vars", "vars.yaml"], "from-file")] {
        let built = repo.build(&arguments);
        assert_eq!(object(kustomization(&built, "one", "apps"), "ConfigMap", "a")["data"]["x"], value);
    }
}

#[test]
fn variables_may_come_through_a_pipe() {
    let repo = Repo::new(&[
        (
            "clusters/one/all.yaml",
            &flux("apps", "./apps", "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"),
        ),
        ("apps/a.yaml", &config_map("a", "{x: \"${X}\"}")),
    ]);
    repo.commit();
    for new in ["", "apps/b.yaml", "apps/c.yaml"] {
        if !new.is_empty() {
            // What git listed before lacks it, so that all is built again.
            repo.write(new, &config_map(&new[5..6], "{}"));
        }
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"X: piped\n").unwrap();
        drop(writer);
        let ran = repo.run_in(repo.path(), &["build", "--vars", "/dev/stdin", "--output", "json"], reader);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let built = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(object(kustomization(&built, "one", "apps"), "ConfigMap", "a")["data"]["x"], "piped");
    }
}

#[test]
fn what_is_told_in_vain_is_said() {
    let repo = Repo::new(&[
        (
            "clusters/one/all.yaml",
            &flux("apps", "./apps", "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"),
        ),
        ("apps/a.yaml", &config_map("a", "{x: \"${X}\"}")),
        ("vars.yaml", &config_map("settings", "{X: y}")),
        ("elsewhere/a.yaml", &config_map("b", "{}")),
    ]);
    let told = |arguments: &[&str]| {
        let ran = repo.run(&[&["build"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.err
    };
    assert_eq!(told(&["--set", "X=1"]), "");
    assert_eq!(
        told(&["--set", "X=1", "--set", "Y=2"]),
        "warning: the variable of `--set Y` goes nowhere: nothing that was built reads it\n"
    );
    assert_eq!(
        told(&["--vars", "vars.yaml", "--set", "X=1"]),
        "warning: the variable of `--set X` goes nowhere: nothing that was built lacks an object of `substituteFrom`, for which it would stand\n"
    );
    assert_eq!(
        told(&["--set", "X=1", "--source", "GitRepository/flux-system/other=elsewhere"]),
        "warning: `--source GitRepository/flux-system/other` is not used: nothing that was built comes from this source\n"
    );
    for (source, why) in [
        ("GitRepository/flux-system/other=nowhere", "there is no folder `nowhere`"),
        ("other=elsewhere", "write it as KIND/NAMESPACE/NAME=DIR"),
        ("GitRepository/flux-system/=elsewhere", "write it as KIND/NAMESPACE/NAME=DIR"),
        ("GitRepository/flux-system/other", "write it as KIND/NAMESPACE/NAME=DIR"),
    ] {
        let ran = repo.run(&["build", "--source", source]);
        assert_eq!((ran.code, ran.err), (2, format!("error: `--source {source}`: {why}\n")));
    }
}

#[test]
fn encrypted_secrets_keep_their_keys() {
    let enc = "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]";
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: flux-system}}\nstringData: {{user: \"{enc}\"}}\nsops: {{mac: \"{enc}\"}}\n"
    );
    let repo = Repo::new(&[
        (
            "clusters/one/all.yaml",
            &format!("{}---\n{}", flux("with", "./s", "  decryption: {provider: sops}\n"), flux("without", "./s", "")),
        ),
        ("s/s.yaml", &secret),
    ]);
    let built = repo.build(&[]);
    let made = object(kustomization(&built, "one", "with"), "Secret", "s");
    assert_eq!(made["stringData"], json!({"user": "sops-placeholder"}));
    assert_eq!(made["sops"], json!(null));
    assert!(kustomization(&built, "one", "without")["error"].as_str().unwrap().contains("no `spec.decryption`"));
}

#[test]
fn a_flux_instance_is_where_a_cluster_starts_and_its_patches_hold() {
    let instance = "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata: {name: flux, namespace: flux-system}\nspec:\n  sync: {kind: OCIRepository, url: \"oci://x\", ref: latest, path: clusters/one}\n  kustomize:\n    patches:\n    - target: {kind: Kustomization, name: flux-system}\n      patch: |\n        - {op: add, path: /spec/postBuild, value: {substitute: {A: patched}}}\n    - target: {kind: Deployment}\n      patch: |\n        - {op: remove, path: /spec}\n";
    let repo = Repo::new(&[
        ("flux/clusters/one/flux-system/instance.yaml", instance),
        ("flux/clusters/one/kustomization.yaml", "resources: [a.yaml]\n"),
        ("flux/clusters/one/a.yaml", &config_map("a", "{x: \"${A}\"}")),
    ]);
    // The artifact holds `flux`: its path starts there.
    let built = repo.build(&[]);
    assert_eq!(object(kustomization(&built, "one", "flux-system"), "ConfigMap", "a")["data"]["x"], "patched");
}

#[test]
fn the_checkout_is_left_as_it_is() {
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &flux("apps", "./apps", "  namePrefix: p-\n")),
        ("apps/a.yaml", &config_map("a", "{x: y}")),
    ]);
    repo.commit();
    repo.build(&[]);
    repo.git(&["diff", "--exit-code", "HEAD"]);
    assert!(!repo.path().join("apps/kustomization.yaml").exists());
}

#[test]
fn equal_folders_are_rendered_once_for_all_clusters_and_runs() {
    let kept = |repo: &Repo| std::fs::read_dir(repo.cache()).unwrap().count();
    let repo = Repo::new(&[("apps/a.yaml", &config_map("a", "{x: y}"))]);
    for cluster in ["one", "two", "three"] {
        repo.write(&format!("clusters/{cluster}/all.yaml"), &flux("apps", "./apps", ""));
    }
    repo.build(&[]);
    // Three roots of their own folders, one `apps`, and the version of kustomize.
    assert_eq!(kept(&repo), 5);
    repo.build(&[]);
    assert_eq!(kept(&repo), 5);
    repo.write("apps/a.yaml", &config_map("a", "{x: z}"));
    let built = repo.build(&[]);
    assert_eq!(kept(&repo), 6);
    assert_eq!(object(kustomization(&built, "two", "apps"), "ConfigMap", "a")["data"]["x"], "z");
}

#[test]
fn files_that_came_or_went_since_the_last_build_count() {
    let repo = Repo::new(&[("clusters/one/all.yaml", &flux("apps", "./apps", "")), ("apps/a.yaml", &config_map("a", "{x: y}"))]);
    repo.commit();
    let names = |folder: &str| {
        let ran = repo.run(&["build", "--output", "json"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "after {folder}");
        let built = serde_json::from_str(&ran.out).unwrap();
        let objects = kustomization(&built, "one", "apps")["objects"].as_array().unwrap().clone();
        objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("the first build"), ["a"]);
    repo.write("apps/b.yaml", &config_map("b", "{x: y}"));
    assert_eq!(names("a new file"), ["a", "b"]);
    // What git listed before lacks this folder.
    repo.write("late/c.yaml", &config_map("c", "{x: y}"));
    repo.write("clusters/one/all.yaml", &flux("apps", "./late", ""));
    assert_eq!(names("a new folder"), ["c"]);
    repo.write("late/d.yaml", &config_map("d", "{x: y}"));
    repo.write(".gitignore", "d.yaml\n");
    assert_eq!(names("a file that git leaves out"), ["c"]);
    repo.write(".gitignore", "");
    assert_eq!(names("the same file, taken in"), ["c", "d"]);
    repo.remove("late/c.yaml");
    assert_eq!(names("a file that went"), ["d"]);
    // No repository any more: all files count.
    repo.write(".gitignore", "d.yaml\n");
    std::fs::remove_dir_all(repo.path().join(".git")).unwrap();
    assert_eq!(
        repo.run(&["build", "--repo", ".", "--output", "json"]).out,
        repo.run(&["build", "--no-cache", "--repo", ".", "--output", "json"]).out
    );
    assert_eq!(names("git went"), ["d"]);
}

#[test]
fn nothing_is_fetched() {
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &flux("apps", "./apps", "")),
        ("apps/kustomization.yaml", "resources: [\"https://example.com/manifests.yaml\"]\n"),
    ]);
    let ran = repo.run(&["build"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("apps/kustomization.yaml:1: `https://example.com/manifests.yaml` lies elsewhere"), "{}", ran.err);
}

#[test]
fn two_parents_of_one_child_are_named() {
    let child = flux("child", "./apps", "");
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &format!("{}---\n{}", flux("a", "./a", ""), flux("b", "./b", ""))),
        ("a/child.yaml", &child),
        ("b/child.yaml", &child),
        ("apps/a.yaml", &config_map("a", "{x: y}")),
    ]);
    let built = repo.build(&[]);
    let error = kustomization(&built, "one", "child")["error"].as_str().unwrap().to_owned();
    assert_eq!(error, "flux-system/a and flux-system/b both produce the Kustomization `flux-system/child`");
}

#[test]
fn an_unknown_cluster_is_refused_with_those_that_are_there() {
    let repo = Repo::new(&[("clusters/one/all.yaml", &config_map("a", "{x: y}"))]);
    let ran = repo.run(&["build", "tow"]);
    assert_eq!((ran.code, ran.err.trim()), (2, "error: there is no cluster `tow`: there are one"));
}

#[test]
fn kustomize_may_be_named_from_where_one_is() {
    let repo = Repo::new(&[("clusters/one/a.yaml", &config_map("a", "{x: y}"))]);
    std::os::unix::fs::symlink(support::built("KUSTOMIZE_CLI", "kustomize"), repo.path().join("here")).unwrap();
    let ran = repo.run(&["build", "--kustomize", "./here"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn an_old_kustomize_is_used_with_a_warning() {
    let repo = Repo::new(&[("clusters/one/a.yaml", &config_map("a", "{x: y}"))]);
    let kustomize = support::built("KUSTOMIZE_CLI", "kustomize");
    let script = format!("#!/bin/sh\nif [ \"$1\" = version ]; then echo v5.5.0; else exec {} \"$@\"; fi\n", kustomize.display());
    repo.write("old", &script);
    std::fs::set_permissions(repo.path().join("old"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran = repo.run(&["build", "--kustomize", "./old"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("old` is kustomize v5.5.0, and Flux 2.9 renders as v5.8.1 does"), "{}", ran.err);
}

#[test]
fn files_that_sops_encrypted_are_generated_from_with_placeholders() {
    let enc = "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]";
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &flux("s", "./s", "  decryption: {provider: sops}\n")),
        ("s/kustomization.yaml", "resources: [base]\n"),
        (
            "s/base/kustomization.yaml",
            "namespace: x\nsecretGenerator:\n- name: s\n  envs: [.env]\n  files: [config.yaml]\n  options: {disableNameSuffixHash: true}\n",
        ),
        ("s/base/.env", &format!("USER=root\nPASSWORD={enc}\nsops_mac={enc}\n")),
        ("s/base/config.yaml", &format!("a:\n  b: {enc}\nsops:\n  mac: {enc}\n")),
    ]);
    let built = repo.build(&[]);
    let made = object(kustomization(&built, "one", "s"), "Secret", "s");
    let base64 = |text: &str| json!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text));
    assert_eq!(
        made["data"],
        json!({"USER": base64("root"), "PASSWORD": base64("sops-placeholder"), "config.yaml": base64("a:\n  b: sops-placeholder\n")})
    );
}

#[test]
fn a_folder_may_stand_for_a_source_elsewhere() {
    let theirs = Repo::new(&[("deploy/a.yaml", &config_map("a", "{x: theirs}")), ("deploy/b.yaml", &config_map("b", "{}"))]);
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: theirs, namespace: flux-system}\nspec: {url: \"https://example.com/theirs\", ignore: b.yaml}\n";
    let repo = Repo::new(&[(
        "clusters/one/all.yaml",
        &format!("{source}---\n{}", flux("theirs", "./deploy", "").replace("name: flux-system}\n", "name: theirs}\n")),
    )]);
    let without = repo.run(&["build"]);
    assert_eq!(without.code, 1);
    assert!(
        without.err.contains("its source GitRepository/flux-system/theirs is none that this repository is, and nothing is fetched here: correct the name, or give its folder with `--source GitRepository/flux-system/theirs=DIR`"),
        "{}",
        without.err
    );
    // From another folder, too, whose name is then as short as that of the repository's own files.
    let from_there = ["build", "--output", "json", "--source", "GitRepository/flux-system/theirs=./", "--repo"];
    let ran = repo.run_in(theirs.path(), &[&from_there[..], &[repo.path().to_str().unwrap()]].concat(), Stdio::null());
    let built: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object(kustomization(&built, "one", "theirs"), "ConfigMap", "a")["data"]["x"], "theirs");
    let built = repo.build(&["--source", &format!("GitRepository/flux-system/theirs={}", theirs.path().display())]);
    let made = kustomization(&built, "one", "theirs");
    assert_eq!(object(made, "ConfigMap", "a")["data"]["x"], "theirs");
    // Its own `spec.ignore` holds.
    assert_eq!(made["objects"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_suspended_is_named_and_left_out() {
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &flux("apps", "./apps", "  suspend: true\n")),
        ("apps/a.yaml", &config_map("a", "{x: y}")),
    ]);
    let ran = repo.run(&["build"]);
    assert_eq!(ran.code, 0);
    assert!(!ran.out.contains("Kustomization flux-system/apps\n"), "{}", ran.out);
    assert_eq!(ran.err, "note: one: Kustomization flux-system/apps is suspended: Flux applies none of its objects\n");
}

#[test]
fn source_ignore_files_and_links_are_as_in_an_artifact() {
    let repo = Repo::new(&[
        ("clusters/one/all.yaml", &flux("apps", "./apps", "")),
        (".sourceignore", "*.skip.yaml\n"),
        ("apps/a.yaml", &config_map("a", "{x: y}")),
        ("apps/b.skip.yaml", &config_map("b", "{x: y}")),
        ("outside.yaml", &config_map("c", "{x: y}")),
    ]);
    std::os::unix::fs::symlink("../outside.yaml", repo.path().join("apps/c.yaml")).unwrap();
    let built = repo.build(&[]);
    let names: Vec<&str> = kustomization(&built, "one", "apps")["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn a_file_that_cannot_be_read_fails_its_cluster_alone() {
    let repo = Repo::new(&[
        ("clusters/bad/a.yaml", "apiVersion: source.toolkit.fluxcd.io/v1\n b: [\n"),
        ("clusters/good/a.yaml", &config_map("a", "{x: y}")),
    ]);
    let ran = repo.run(&["build"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.starts_with("error: bad: Kustomization flux-system/flux-system: clusters/bad/a.yaml:2: no YAML: "),
        "{}",
        ran.err
    );
    assert!(ran.out.starts_with("---\n# good: Kustomization flux-system/flux-system\n"), "{}", ran.out);
}

#[test]
fn a_cluster_that_syncs_another_folder_fails_alone_at_that_line() {
    let sync = flux("flux-system", "./clusters/prd", "");
    let repo = Repo::new(&[
        ("clusters/one/flux-system/gotk-sync.yaml", &sync),
        ("clusters/two/a.yaml", &config_map("a", "{x: y}")),
        (
            "clusters/three/instance.yaml",
            "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata:\n  name: flux\n  namespace: flux-system\nspec:\n  sync:\n    kind: GitRepository\n    path: clusters/thre\n",
        ),
    ]);
    let ran = repo.run(&["build"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("clusters/one/flux-system/gotk-sync.yaml:7: it syncs `./clusters/prd`, which is not the folder that it stands in: write `clusters/one`"), "{}", ran.err);
    assert!(ran.err.contains("clusters/three/instance.yaml:9: it syncs `clusters/thre`"), "{}", ran.err);
    assert!(ran.out.contains("# two: Kustomization flux-system/flux-system"), "{}", ran.out);
}

#[test]
fn a_folder_that_the_source_leaves_out_is_not_there() {
    let repo = Repo::new(&[("clusters/one/all.yaml", &flux("apps", "./apps", "")), ("apps/a.yaml", &config_map("a", "{x: y}"))]);
    for (pattern, found) in [("/apps", "the path `./apps` is not in"), ("apps/", "the path `./apps` is not in")] {
        repo.write(".sourceignore", pattern);
        let ran = repo.run(&["build"]);
        assert!(ran.code == 1 && ran.err.contains(found), "{pattern}: {}{}", ran.err, ran.out);
    }
    // Its files alone: the folder stays, and is empty.
    repo.write(".sourceignore", "*.yaml\n!/clusters/**");
    assert_eq!(repo.run(&["build"]).code, 0);
}

#[test]
fn what_is_broken_below_is_named_and_not_each_folder_on_the_way() {
    let files = |inner: &'static str| {
        Repo::new(&[
            ("clusters/one/all.yaml", &flux("apps", "./apps", "")),
            ("apps/kustomization.yaml", "resources: [base]\n"),
            ("apps/base/kustomization.yaml", "resources: [engine]\n"),
            ("apps/base/engine/kustomization.yaml", inner),
            ("apps/base/engine/a.yaml", &config_map("a", "{x: y}")),
        ])
    };
    let ran = files("resorces: [a.yaml]\n").run(&["build"]);
    assert!(ran.err.contains("resorces") && !ran.err.contains("is a directory"), "{}", ran.err);
    let repo = files("resources: [a.yaml]\n");
    std::fs::write(repo.path().join("apps/base/engine/a.yaml"), b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \xff}\n")
        .unwrap();
    let ran = repo.run(&["build"]);
    assert!(ran.err.contains("apps/base/engine/a.yaml: not UTF-8"), "{}", ran.err);
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let repo = Repo::new(&[("clusters/one/a.yaml", &config_map("a", "{x: y}"))]);
    if !std::path::Path::new("/dev/full").exists() {
        println!("skipped: a result that cannot be written: this machine has no /dev/full");
        return;
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_flux-inferadb"))
        .arg("build")
        .current_dir(repo.path())
        .env("KUSTOMIZE", support::built("KUSTOMIZE_CLI", "kustomize"))
        .env("FLUX_INFERADB_CACHE", repo.cache())
        .stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("the result cannot be written"), "{said}");
}

#[test]
fn a_program_that_is_no_kustomize_is_refused() {
    let repo = Repo::new(&[("clusters/one/a.yaml", &config_map("a", "{x: y}"))]);
    let ran = repo.run(&["build", "--kustomize", "/bin/true"]);
    assert!(ran.code == 2 && ran.err.contains("`/bin/true` is no kustomize"), "{}", ran.err);
}

#[test]
fn clusters_are_named_as_a_shell_completes_them() {
    let repo =
        Repo::new(&[("clusters/one/a.yaml", &config_map("a", "{x: y}")), ("clusters/two/a.yaml", &config_map("b", "{x: y}"))]);
    for arguments in
        [&["one"] as &[&str], &["one/"], &["clusters/one"], &["./clusters/one/"], &["--clusters", "./clusters/", "one"]]
    {
        let ran = repo.run(&[&["build"], arguments].concat());
        assert!(
            ran.code == 0 && ran.out.contains("# one:") && !ran.out.contains("# two:"),
            "{arguments:?}: {}{}",
            ran.err,
            ran.out
        );
    }
}

#[test]
fn a_folder_that_is_no_repository_is_not_read() {
    let repo = Repo::new(&[("some/file", "")]);
    let ran = repo.run(&["build"]);
    assert!(ran.code == 2 && ran.err.contains("is no repository, and has no folder with clusters"), "{}", ran.err);
}
