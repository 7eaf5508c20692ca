//! Small repositories, and the plugin run on them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(dead_code, reason = "each test program uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A program that the Makefile builds.
pub(crate) fn built(variable: &str, name: &str) -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.build/bin").join(name);
    let path = std::env::var_os(variable).map_or_else(own, PathBuf::from);
    let path = path.canonicalize().unwrap_or(path);
    assert!(path.is_file(), "{} is missing: run `make .build/bin/{name}`", path.display());
    path
}

/// A repository of its own.
pub(crate) struct Repo {
    folder: TempDir,
    cache: TempDir,
}

impl Repo {
    /// Files by path. The first character of each line is as it stands: write them flush.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let repo = Repo { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() };
        for (path, content) in files {
            repo.write(path, content);
        }
        repo
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn cache(&self) -> &Path {
        self.cache.path()
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let file = self.folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.folder.path().join(path)).unwrap();
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.com",
                "-c",
                "commit.gpgsign=false",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Commits all that is there.
    pub(crate) fn commit(&self) {
        if !self.path().join(".git").exists() {
            self.git(&["init", "-q"]);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "t"]);
    }

    /// Runs the plugin.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(self.path(), arguments, Stdio::null())
    }

    /// Runs the plugin in another folder, or with something to read.
    pub(crate) fn run_in(&self, folder: &Path, arguments: &[&str], input: impl Into<Stdio>) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_flux-inferadb"))
            .args(arguments)
            .current_dir(folder)
            .stdin(input)
            .env("KUSTOMIZE", built("KUSTOMIZE_CLI", "kustomize"))
            .env("FLUX_INFERADB_CACHE", self.cache())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        Ran::new(&output)
    }

    /// What `build` gives, as JSON.
    pub(crate) fn build(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["build", "--output", "json"], arguments].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err))
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// A Kustomization of a build.
pub(crate) fn kustomization<'v>(built: &'v Value, cluster: &str, name: &str) -> &'v Value {
    let clusters = built["clusters"].as_array().unwrap();
    let cluster = clusters.iter().find(|one| one["name"] == cluster).unwrap_or_else(|| panic!("no cluster {cluster}"));
    let all = cluster["kustomizations"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no Kustomization {name} in {all:#?}"))
}

/// An object of a Kustomization.
pub(crate) fn object<'v>(kustomization: &'v Value, kind: &str, name: &str) -> &'v Value {
    let objects = kustomization["objects"].as_array().unwrap_or_else(|| panic!("{kustomization:#}"));
    let found = objects.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} in {kustomization:#}"))
}

/// The helm that the Makefile builds; without it, a test says that it was skipped.
#[allow(clippy::print_stdout, reason = "a test says that it was skipped")]
pub(crate) fn helm() -> Option<String> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.build/bin/helm");
    let path = std::env::var_os("HELM_CLI").map_or_else(own, PathBuf::from);
    if !path.is_file() {
        println!("skipped: what helm renders: {} is missing: run `make .build/bin/helm`", path.display());
        return None;
    }
    Some(path.canonicalize().unwrap().display().to_string())
}

/// A Kustomization of `./apps`.
pub(crate) const APPS: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  path: ./apps
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
";

/// A release of a chart in the repository.
pub(crate) fn release(more: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: web, namespace: team}}
spec:
  interval: 1h
  chart:
    spec:
      chart: ./charts/web
      sourceRef: {{kind: GitRepository, name: flux-system, namespace: flux-system}}
{more}"
    )
}
