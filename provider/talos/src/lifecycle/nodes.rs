//! The Kubernetes API through the cluster's endpoint, and the nodes that it knows.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::{
    Error, Progress,
    wait::{Look, some_of, until},
};
use crate::kubernetes::{self, Cluster, Node};

/// How long a certificate or user that does not fit is borne with: behind a load balancer's address an old API server
/// may answer for a while.
const REFUSALS_BORNE_FOR: Duration = Duration::from_secs(30);

/// What is asked of Node objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodesAre {
    /// They exist.
    Registered,
    /// Their kubelets say that they are ready.
    Ready,
}

/// Waits until the API server is ready for an administrator; answers its version.
pub async fn wait_kubernetes(cluster: &Cluster, deadline: Instant, progress: &Progress<'_>) -> Result<String, Error> {
    const STEP: &str = "Kubernetes API";
    let refused_since = &Mutex::new(None);
    until(STEP, deadline, progress, || async move {
        let found = async {
            cluster.ready().await?;
            cluster.version().await
        };
        match found.await {
            Ok(version) => Ok(Look::Done(version)),
            Err(error) => bear(STEP, error, &mut *refused_since.lock().await).map(|error| Look::NotYet(error.to_string())),
        }
    })
    .await
}

/// Waits until each of these nodes is registered or ready; answers their objects.
pub async fn wait_nodes(
    cluster: &Cluster,
    names: &[String],
    are: NodesAre,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<BTreeMap<String, Node>, Error> {
    const STEP: &str = "Kubernetes nodes";
    let refused_since = &Mutex::new(None);
    until(STEP, deadline, progress, || async move {
        match cluster.nodes().await {
            Ok(mut nodes) => {
                nodes.retain(|name, _| names.contains(name));
                Ok(judge(names, nodes, are))
            }
            Err(error) => bear(STEP, error, &mut *refused_since.lock().await).map(|error| Look::NotYet(error.to_string())),
        }
    })
    .await
}

/// All Node objects by name.
pub async fn list_nodes(cluster: &Cluster, deadline: Instant, progress: &Progress<'_>) -> Result<BTreeMap<String, Node>, Error> {
    const STEP: &str = "Kubernetes nodes";
    let refused_since = &Mutex::new(None);
    until(STEP, deadline, progress, || async move {
        match cluster.nodes().await {
            Ok(nodes) => Ok(Look::Done(nodes)),
            Err(error) => bear(STEP, error, &mut *refused_since.lock().await).map(|error| Look::NotYet(error.to_string())),
        }
    })
    .await
}

fn judge(names: &[String], nodes: BTreeMap<String, Node>, are: NodesAre) -> Look<BTreeMap<String, Node>> {
    let missing: Vec<String> = names
        .iter()
        .filter_map(|name| match nodes.get(name) {
            None => Some(format!("`{name}` is not registered")),
            Some(node) if are == NodesAre::Ready && !node.ready => Some(format!("`{name}` is not ready")),
            Some(_) => None,
        })
        .collect();
    if missing.is_empty() {
        Look::Done(nodes)
    } else {
        Look::NotYet(format!("{} of {} nodes; {}", names.len() - missing.len(), names.len(), some_of(&missing)))
    }
}

fn bear(step: &'static str, error: kubernetes::Error, refused_since: &mut Option<Instant>) -> Result<kubernetes::Error, Error> {
    if error.is_transient() {
        *refused_since = None;
        return Ok(error);
    }
    let setup = matches!(error, kubernetes::Error::Setup(_));
    if !setup && refused_since.get_or_insert_with(Instant::now).elapsed() < REFUSALS_BORNE_FOR {
        Ok(error)
    } else {
        Err(Error::Kubernetes { step, source: error })
    }
}
