//! What the plugin builds of the tree, cluster by cluster.

use std::process::Command;

use serde_json::Value;

use crate::support::built;
use crate::{pod_security, repository};

/// A cluster, and all that Flux would apply to it.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) objects: Vec<Value>,
}

impl Cluster {
    /// Where the environment's machine configs set Pod Security, that; else Talos' default.
    pub(crate) fn pod_security(&self) -> Value {
        let settings =
            self.objects.iter().find(|one| one["kind"] == "ConfigMap" && one["metadata"]["name"] == "cluster-settings");
        let settings = settings.unwrap_or_else(|| panic!("{} has no cluster-settings", self.name));
        pod_security::of(settings["data"]["ENVIRONMENT"].as_str().unwrap())
    }
}

/// All clusters. One with a Kustomization that does not build is none to ask about.
pub(crate) fn all() -> Vec<Cluster> {
    let cache = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_flux-inferadb"))
        .args(["build", "--output", "json", "--vars", "flux/bootstrap.yaml"])
        .current_dir(repository())
        .env("KUSTOMIZE", built("KUSTOMIZE_CLI", "kustomize"))
        .env("FLUX_INFERADB_CACHE", cache.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let objects = |cluster: &Value| list(&cluster["kustomizations"]).iter().flat_map(|one| list(&one["objects"])).collect();
    list(&answer["clusters"])
        .iter()
        .map(|cluster| Cluster { name: cluster["name"].as_str().unwrap().to_owned(), objects: objects(cluster) })
        .collect()
}
