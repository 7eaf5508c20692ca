//! Pods on a node, and asking them to leave.

use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::api::{DeleteParams, EvictParams, ListParams, Preconditions};

use super::{Cluster, Error};

/// Marks a pod that only mirrors a static one: the kubelet runs it whatever the API says.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A pod that a drain has to move.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Where it is.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// Tells it from a later one of the same name.
    pub uid: String,
    /// It was asked to leave already.
    pub leaving: bool,
}

/// What became of an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// The pod is on its way out, or gone.
    Accepted,
    /// A disruption budget forbids it now; in the API's words.
    Blocked(String),
}

impl Cluster {
    /// The pods on a node that a drain moves: not those of a DaemonSet (its controller would put them back), not
    /// mirrors of static pods, not finished ones.
    pub async fn pods_to_move(&self, node: &str) -> Result<Vec<Pod>, Error> {
        let parameters = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let api = self.everywhere::<core::Pod>();
        let pods = self.all(|| format!("list pods on node {node}"), &api, parameters).await?;
        let mut pods: Vec<Pod> = pods.into_iter().filter(has_to_move).map(Pod::from).collect();
        pods.sort();
        Ok(pods)
    }

    /// Asks a pod to leave, as its disruption budgets allow.
    pub async fn evict(&self, pod: &Pod) -> Result<Eviction, Error> {
        let api = self.api::<core::Pod>(&pod.namespace);
        let parameters = EvictParams {
            delete_options: Some(DeleteParams {
                preconditions: Some(Preconditions { uid: Some(pod.uid.clone()), resource_version: None }),
                ..DeleteParams::default()
            }),
            ..EvictParams::default()
        };
        let call = || format!("evict pod {}/{}", pod.namespace, pod.name);
        match self.bounded(call, api.evict(&pod.name, &parameters)).await {
            Ok(_) => Ok(Eviction::Accepted),
            Err(Error::Refused { code: 429, message, .. }) => Ok(Eviction::Blocked(message)),
            // 404: gone. 409: another pod has its name.
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(Eviction::Accepted),
            Err(error) => Err(error),
        }
    }
}

fn has_to_move(pod: &core::Pod) -> bool {
    let controlled_by_daemon_set = pod
        .metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner: &OwnerReference| owner.kind == "DaemonSet" && owner.controller == Some(true));
    let mirror = pod.metadata.annotations.iter().flatten().any(|(name, _)| name == MIRROR);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !controlled_by_daemon_set && !mirror && !matches!(phase, Some("Succeeded" | "Failed"))
}

impl From<core::Pod> for Pod {
    fn from(pod: core::Pod) -> Self {
        Self {
            namespace: pod.metadata.namespace.unwrap_or_default(),
            name: pod.metadata.name.unwrap_or_default(),
            uid: pod.metadata.uid.unwrap_or_default(),
            leaving: pod.metadata.deletion_timestamp.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1 as core;
    use serde_json::json;

    use super::has_to_move;

    fn pod(metadata: &serde_json::Value, phase: &str) -> core::Pod {
        serde_json::from_value(json!({ "metadata": metadata, "status": { "phase": phase } })).expect("a pod")
    }

    #[test]
    fn a_drain_leaves_daemon_sets_mirrors_and_finished_pods_alone() {
        let owned_by = |kind: &str, controller: bool| json!({ "ownerReferences": [{ "apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "1", "controller": controller }] });
        assert!(has_to_move(&pod(&json!({}), "Running")));
        assert!(has_to_move(&pod(&owned_by("ReplicaSet", true), "Pending")));
        assert!(has_to_move(&pod(&owned_by("DaemonSet", false), "Running")));
        assert!(!has_to_move(&pod(&owned_by("DaemonSet", true), "Running")));
        assert!(!has_to_move(&pod(&json!({ "annotations": { "kubernetes.io/config.mirror": "hash" } }), "Running")));
        assert!(!has_to_move(&pod(&json!({}), "Succeeded")));
        assert!(!has_to_move(&pod(&json!({}), "Failed")));
    }
}
