//! What a cluster would say to the tree: a real API server, with etcd, the custom resource definitions of what the tree uses and the
//! admission settings that Talos gives it, is asked in a server-side dry run for each object of each cluster, and for a pod of each pod
//! template. Nothing runs there: no controller, no node, no webhook.
//!
//! `make flux-full` builds the programs and runs it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod api;
mod api_server;
mod cluster;
mod definitions;
mod dry_run;
mod faults;
mod pod_security;
mod pods;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_server::ApiServer;
use definitions::Definitions;
use dry_run::DryRun;
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().unwrap()
}

fn preferred_kubernetes() -> String {
    let versions: Value = serde_saphyr::from_str(&std::fs::read_to_string(repository().join("versions.yaml")).unwrap()).unwrap();
    versions["kubernetes"]["preferred"].as_str().unwrap().to_owned()
}

/// Custom resource definitions of all that the tree uses, or `None` where there are none, which is said.
fn definitions(test: &str) -> Option<Arc<Definitions>> {
    let schemas = std::env::var_os("INFERADB_SCHEMA_DIR").map_or_else(|| repository().join("../shared/schemas"), PathBuf::from);
    let manifests = schemas.join("crd-manifests");
    if !manifests.is_dir() {
        println!("skipped: {test}: there is no {}", manifests.display());
        return None;
    }
    Some(Definitions::installed(&manifests))
}

#[test]
fn an_api_server_accepts_each_object_and_each_pod_of_the_tree() {
    let Some(definitions) = definitions("an_api_server_accepts_each_object_and_each_pod_of_the_tree") else { return };
    let clusters = cluster::all();
    assert_eq!(clusters.len(), std::fs::read_dir(repository().join("flux/clusters")).unwrap().count());
    let mut refused = Vec::new();
    for cluster in &clusters {
        let server = ApiServer::start(&cluster.pod_security(), &definitions);
        assert_eq!(server.api.get("/version").body["gitVersion"], format!("v{}", preferred_kubernetes()));
        let dry_run = DryRun::of(&server.api, &cluster.objects);
        let pods: Vec<_> = cluster.objects.iter().filter_map(pods::of).collect();
        let (objects, created) = (dry_run.apply(&cluster.objects), dry_run.create(&pods));
        println!(
            "{}: accepted {} of {} objects and {} of {} pods",
            cluster.name,
            cluster.objects.len() - objects.len(),
            cluster.objects.len(),
            pods.len() - created.len(),
            pods.len(),
        );
        assert!(cluster.objects.len() > 20 && !pods.is_empty(), "{}: too little to say much", cluster.name);
        refused.extend(objects.iter().chain(&created).map(|refusal| format!("{}: {refusal}", cluster.name)));
    }
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}
