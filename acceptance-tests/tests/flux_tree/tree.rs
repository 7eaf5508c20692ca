//! The files of the tree, and the objects that Flux' own controller makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use acceptance_tests::terraform::tool::repository;
use serde_json::Value as Json;

/// The clusters that there have to be; `flux inferadb new-region` adds others.
pub(crate) const NEEDED: [&str; 5] = ["dev-local", "prod-nyc1", "prod-sfo1", "staging-nyc1", "staging-sfo1"];

/// The folders under `flux/clusters`, by name.
pub(crate) fn clusters() -> impl Iterator<Item = &'static str> {
    static CLUSTERS: OnceLock<Vec<String>> = OnceLock::new();
    let found = CLUSTERS.get_or_init(|| {
        let entries = fs::read_dir(repository().join("flux/clusters")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    });
    found.iter().map(String::as_str)
}

/// An object that some Flux Kustomization of a cluster makes.
pub(crate) struct Made {
    pub(crate) cluster: String,
    pub(crate) kustomization: String,
    pub(crate) object: Json,
}

impl Made {
    pub(crate) fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.object["metadata"]["namespace"].as_str().unwrap_or_default()
    }
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file that holds one document.
pub(crate) fn yaml(path: &str) -> Json {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file under a folder, by its path in the folder.
pub(crate) fn files(folder: &str) -> BTreeMap<String, String> {
    let root = repository().join(folder);
    let mut waiting = vec![root.clone()];
    let mut files = BTreeMap::new();
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    files
}

/// All that the clusters are made of, or `None` where the program that builds it is not there, which is said.
pub(crate) fn made(test: &str) -> Option<&'static [Made]> {
    static MADE: OnceLock<Vec<Made>> = OnceLock::new();
    let Some(program) = std::env::var_os("FLUX_ORACLE_CLI") else {
        let _ = writeln!(std::io::stderr(), "skipped: {test}: FLUX_ORACLE_CLI is not set, which `make unit` does");
        return None;
    };
    Some(MADE.get_or_init(|| build(Path::new(&program))))
}

fn build(program: &Path) -> Vec<Made> {
    let built = Command::new(program).args(["walk", "-objects"]).arg(repository()).args(clusters()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let made = |line: &str| {
        let mut line: Json = serde_json::from_str(line).unwrap();
        Made {
            cluster: line["cluster"].as_str().unwrap().to_owned(),
            kustomization: line["kustomization"].as_str().unwrap().to_owned(),
            object: line["object"].take(),
        }
    };
    String::from_utf8(built.stdout).unwrap().lines().map(made).collect()
}
