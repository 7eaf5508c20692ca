//! What a tree, a chart, a program and a signal cannot make the plugin do: read or write elsewhere, show or keep a secret, wait
//! for ever, leave something behind.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{APPS as ROOT, Ran, Repo, helm, kustomization, release};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";

fn repo(more: &str, template: &str) -> Repo {
    Repo::new(&[
        ("clusters/one/apps.yaml", ROOT),
        ("apps/web.yaml", &release(more)),
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n"),
        ("charts/web/values.yaml", "k: none\n"),
        ("charts/web/templates/a.yaml", template),
    ])
}

/// A program of a few lines of shell.
fn program(repo: &Repo, name: &str, lines: &str) -> String {
    let path = repo.cache().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn stand_in(repo: &Repo, lines: &str) -> String {
    program(repo, "helm", &format!("if [ \"$1\" = version ]; then echo v4.2.4; exit; fi\n{lines}"))
}

fn build(repo: &Repo, helm: &str, arguments: &[&str]) -> Ran {
    repo.run(&[&["build", "--helm", helm], arguments].concat())
}

fn names(repo: &Repo, helm: &str) -> Vec<String> {
    let built: Value = serde_json::from_str(&build(repo, helm, &["--output", "json"]).out).unwrap();
    let objects = kustomization(&built, "one", "apps")["releases"][0]["objects"].as_array().unwrap().clone();
    objects.iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn no_name_becomes_an_option_of_helm() {
    let Some(helm) = helm() else { return };
    let outside = tempfile::tempdir().unwrap();
    let token = outside.path().join("token");
    std::fs::write(&token, "s3cret-of-this-machine").unwrap();
    let (out, token) = (outside.path().join("out").display().to_string(), token.display().to_string());
    let template = format!("{MAP}data: {{k: {{{{ .Values.k | quote }}}}}}\n");
    for (more, why) in [
        (format!("  releaseName: --output-dir={out}\n"), "is no name of a release"),
        (format!("  releaseName: --set-file=k={token}\n"), "is no name of a release"),
        ("  releaseName: Web\n".to_owned(), "is no name of a release"),
        (format!("  targetNamespace: --set-file=k={token}\n  releaseName: web\n"), "is no namespace"),
    ] {
        let ran = build(&repo(&more, &template), &helm, &[]);
        assert_eq!(ran.code, 1, "{more}{}", ran.err);
        assert!(
            ran.err.starts_with("error: one: HelmRelease team/web (apps/web.yaml:1): `") && ran.err.contains(why),
            "{}",
            ran.err
        );
        assert!(!ran.out.contains("s3cret") && !Path::new(&out).exists(), "{more}{}", ran.out);
    }
    let ran = build(&repo("  releaseName: web.one-2\n", &template), &helm, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn a_chart_is_looked_for_at_its_location_alone() {
    let Some(helm) = helm() else { return };
    let repo = repo("", MAP);
    let chart = |name: &str, version: &str| {
        let text = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: team}\nspec:\n  interval: 1h\n";
        repo.write("apps/web.yaml", &format!("{text}  chart: {{spec: {{chart: {name}, version: {version}, sourceRef: {{kind: HelmRepository, name: charts}}}}}}\n"));
        build(&repo, &helm, &["--chart-location", "here/{{.Chart}}", "--chart-location", "here/x-{{.Version}}"])
    };
    repo.write("here/x", "");
    assert!(chart("../charts/web", "1.2.3").err.contains("`../charts/web` is no name of a chart"));
    assert!(chart("web", "/../../charts/web").err.contains("`/../../charts/web` is no version of a chart"));
    let ran = chart("web", "1.2.3");
    assert!(
        ran.err.contains("it is not at `here/web`, `here/web.tgz`, `here/x-1.2.3`, `here/x-1.2.3.tgz`: give where"),
        "{}",
        ran.err
    );
}

#[test]
fn a_range_goes_before_a_tag() {
    let Some(helm) = helm() else { return };
    let repo = repo("", MAP);
    repo.write(
        "apps/web.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: team}\nspec: {interval: 1h, chartRef: {kind: OCIRepository, name: web}}\n",
    );
    let source = |reference: &str| {
        repo.write("apps/source.yaml", &format!("apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {{name: web, namespace: team}}\nspec: {{url: 'oci://example.com/web', ref: {{{reference}}}}}\n"));
        build(&repo, &helm, &["--chart-location", "charts/{{.Chart}}"])
    };
    assert_eq!(source("tag: 1.2.3").err, "");
    let ran = source("tag: 1.2.3, semver: '>=1.0.0'");
    assert!(ran.err.contains("is not rendered: OCIRepository web takes the newest of `>=1.0.0`"), "{}", ran.err);
    assert_eq!(source(&format!("tag: 1.2.3, semver: '>=1.0.0', digest: 'sha256:{}'", "0".repeat(64))).err, "");
}

#[test]
fn hooks_are_those_of_an_installation() {
    let Some(helm) = helm() else { return };
    let hooks = [
        "pre-install",
        "post-install,test",
        "pre-delete",
        "post-delete,pre-upgrade",
        "pre-rollback",
        "test",
        "post-upgrade, pre-install",
    ];
    let template: Vec<String> = hooks
        .iter()
        .enumerate()
        .map(|(number, events)| {
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: hook-{number}, annotations: {{helm.sh/hook: '{events}'}}}}\n")
        })
        .collect();
    let template = template.concat();
    let sorted = |more: &str| {
        let mut names = names(&repo(more, &template), &helm);
        names.sort();
        names
    };
    assert_eq!(sorted(""), ["hook-0", "hook-1", "hook-6"]);
    assert_eq!(sorted("  test: {enable: true}\n"), ["hook-0", "hook-1", "hook-5", "hook-6"]);
    assert_eq!(sorted("  test: {enable: true}\n  install: {disableHooks: true}\n"), ["hook-1", "hook-5"]);
}

fn vars(password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: vars, namespace: flux-system}}\nstringData: {{PASSWORD: '{password}'}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: own, namespace: team}}\nstringData: {{password: '{password}'}}\n"
    )
}

/// A secret gets into values by substitution, and from a Secret.
fn with_secrets(template: &str) -> Repo {
    let repo = repo(
        "  values: {inline: '${PASSWORD}'}\n  valuesFrom: [{kind: Secret, name: own, valuesKey: password, targetPath: own}]\n",
        template,
    );
    repo.write("clusters/one/apps.yaml", &format!("{ROOT}  postBuild: {{substituteFrom: [{{kind: Secret, name: vars}}]}}\n"));
    repo
}

#[test]
fn no_part_of_a_secret_shows() {
    let Some(helm) = helm() else { return };
    for field in ["inline", "own"] {
        let template = format!(
            "{MAP}data: {{part: '{{{{ index (splitList \":\" .Values.{field}) 1 }}}}', cut: '{{{{ trunc 4 (trimPrefix \"on\" (trimPrefix \"zqzq\" .Values.{field})) }}}}'}}\n"
        );
        let repo = with_secrets(&template);
        repo.write("clusters/one/vars.yaml", &vars("one:two:three"));
        repo.commit();
        repo.write("clusters/one/vars.yaml", &vars("one:four:three"));
        let ran = repo.run(&["diff", "HEAD", "--releases", "always", "--helm", &helm]);
        assert!(ran.out.contains("~ changed: ConfigMap team/web, by HelmRelease team/web"), "{}{}", ran.out, ran.err);
        for told in ["two", "four", "e:t", "e:f"] {
            assert!(!ran.out.contains(told) && !ran.err.contains(told), "{told}: {}{}", ran.out, ran.err);
        }
        // Neither in what Helm says.
        repo.write("charts/web/templates/a.yaml", &format!("{{{{ fail (join \"-\" (splitList \":\" .Values.{field})) }}}}\n"));
        let ran = build(&repo, &helm, &[]);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("helm template failed: ") && !ran.err.contains("four"), "{}", ran.err);
    }
    // Nor in what is said of values that are none, nor of a name.
    let repo = with_secrets(MAP);
    repo.write("clusters/one/vars.yaml", &vars("*two"));
    repo.write("apps/web.yaml", &release("  valuesFrom: [{kind: Secret, name: own, valuesKey: password}]\n"));
    let ran = build(&repo, &helm, &[]);
    assert!(ran.err.contains("its values cannot be composed: Secret team/own, `password`: line 1: no YAML"), "{}", ran.err);
    repo.write("clusters/one/vars.yaml", &vars("--two"));
    repo.write("apps/web.yaml", &release("  releaseName: ${PASSWORD}\n"));
    let ran = build(&repo, &helm, &[]);
    assert!(ran.err.contains("is no name of a release") && !ran.err.contains("two"), "{}", ran.err);
}

#[test]
fn functions_hide_no_secret_from_a_diff() {
    let repo = Repo::new(&[(
        "clusters/one/apps.yaml",
        &format!("{ROOT}  postBuild: {{substituteFrom: [{{kind: Secret, name: vars}}]}}\n"),
    )]);
    // As long as what stands in the place of secrets; a default; parts.
    repo.write("apps/map.yaml", &format!("{MAP}data: {{long: '${{#PASSWORD}}', part: '${{PASSWORD#*:}}', start: '${{PASSWORD:0:3}}', all: '${{PASSWORD:=x}}', open: here}}\n"));
    let long = format!("zqz:{}", "b".repeat(35));
    repo.write("clusters/one/vars.yaml", &vars(&long));
    repo.commit();
    repo.write("apps/map.yaml", &std::fs::read_to_string(repo.path().join("apps/map.yaml")).unwrap().replace("here", "there"));
    let ran = repo.run(&["diff", "HEAD"]);
    assert!(ran.out.contains("+  open: there"), "{}{}", ran.out, ran.err);
    for line in ["long: '***'", "part: '***'", "all: '***'"] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
    assert!(!ran.out.contains("bbb") && !ran.out.contains("39"), "{}", ran.out);
}

/// All files of a folder that contain a text.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| std::fs::read(file).unwrap().windows(text.len()).any(|part| part == text.as_bytes())).collect()
}

#[test]
fn no_secret_is_kept_on_disk() {
    let Some(helm) = helm() else { return };
    let given = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(given.path(), vars("hunter2")).unwrap();
    let given = given.path().display().to_string();
    let repo = with_secrets(&format!(
        "{MAP}data: {{own: '{{{{ .Values.own }}}}', inline: '{{{{ .Values.inline }}}}', open: in-the-open}}\n"
    ));
    let ran = build(&repo, &helm, &["--vars", &given]);
    assert!(ran.out.contains("inline: hunter2") && ran.out.contains("own: hunter2"), "{}{}", ran.out, ran.err);
    assert!(holding(repo.cache(), "hunter2").is_empty());
    // What has no secret in it is.
    repo.write("apps/web.yaml", &release(""));
    build(&repo, &helm, &["--vars", &given]);
    assert_eq!(holding(repo.cache(), "in-the-open").len(), 2);
}

#[test]
fn only_the_user_reads_scratch_files() {
    let repo = repo("", MAP);
    let stat = |file: &str| {
        format!("printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {{name: m%s-%s}}\\n' $(/usr/bin/stat -c %a . {file})\n")
    };
    let helm = stand_in(&repo, &stat("values.json"));
    assert_eq!(names(&repo, &helm), ["m700-600"]);
    let kustomize = format!("if [ \"$1\" = version ]; then echo v5.8.1; exit; fi\n{}", stat("clusters/one/apps.yaml"));
    let ran = repo.run(&["build", "--kustomize", &program(&repo, "kustomize", &kustomize), "--no-cache"]);
    assert!(ran.out.contains("name: m700-600"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_signal_takes_programs_and_scratch_folders_along() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let repo = with_secrets(MAP);
        repo.write("clusters/one/vars.yaml", &vars("hunter2"));
        let pipe = repo.cache().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let helm = stand_in(&repo, &format!("echo $$ > '{}'\nexec /bin/sleep 1000\n", pipe.display()));
        let scratch = tempfile::tempdir().unwrap();
        let mut plugin = Command::new(env!("CARGO_BIN_EXE_flux-inferadb"))
            .args(["build", "--helm", &helm])
            .current_dir(repo.path())
            .env("KUSTOMIZE", support::built("KUSTOMIZE_CLI", "kustomize"))
            .env("FLUX_INFERADB_CACHE", repo.cache().join("kept"))
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Until helm runs, which has its values then.
        let running = std::fs::read_to_string(&pipe).unwrap();
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
        let kill =
            |arguments: &[&str]| Command::new("/bin/kill").args(arguments).stderr(Stdio::null()).status().unwrap().success();
        assert!(kill(&[&format!("-{signal}"), &plugin.id().to_string()]));
        assert_eq!(plugin.wait().unwrap().code(), Some(code), "{signal}");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "{signal}");
        assert!(!kill(&["-0", running.trim()]), "{signal}: helm is left");
    }
}

#[test]
fn a_program_that_prints_without_an_end_is_ended() {
    let repo = repo("", MAP);
    let helm = stand_in(&repo, "exec /usr/bin/yes\n");
    let ran = build(&repo, &helm, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("was not waited for: it was ended, as it printed more than 64 MiB"), "{}", ran.err);
}

#[test]
fn what_is_no_helm_and_no_version_is_refused() {
    let repo = repo("", MAP);
    let ran = build(&repo, "/bin/true", &[]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.err,
        "error: `/bin/true` is no helm: asked for its version, it prints ``: give the path of helm with `--helm` or HELM\n"
    );
    let helm = stand_in(&repo, "");
    for (option, told) in [("--kube-version", "abc"), ("--kube-version", "1.36 --x"), ("--api-versions", "a b")] {
        let ran = build(&repo, &helm, &[option, told]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.starts_with(&format!("error: `{option} {told}`: write it as ")), "{}", ran.err);
    }
}

#[test]
fn an_empty_variable_names_no_program() {
    let repo = repo("", MAP);
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(support::built("KUSTOMIZE_CLI", "kustomize"), bin.path().join("kustomize")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_flux-inferadb"))
        .args(["build", "--no-cache"])
        .current_dir(repo.path())
        .env("PATH", bin.path())
        .env("HELM", "")
        .env("KUSTOMIZE", "")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("note: one: HelmRelease team/web is not rendered: helm is not installed: get v4."), "{told}");
}

#[test]
fn a_release_that_fails_and_leaves_nothing_out_is_said_without_a_count() {
    let Some(helm) = helm() else { return };
    let repo = repo("", "{{ fail \"no\" }}\n");
    repo.commit();
    let ran = repo.run(&["diff", "HEAD", "--releases", "always", "--helm", &helm]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.out, "cluster one\n  ! HelmRelease team/web is not rendered before and after the change\n");
    assert_eq!(ran.err.matches("helm template failed").count(), 1, "{}", ran.err);
}
