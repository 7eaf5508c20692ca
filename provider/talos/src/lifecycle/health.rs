//! A whole cluster that is as it should be.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Error, NodesAre, Progress, Ready, node_names, wait_etcd, wait_kubernetes, wait_machines, wait_nodes};
use crate::{client::Clients, kubernetes::Cluster};

/// What the cluster is made of.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Addresses of all control-plane nodes: as many members etcd has.
    pub control_plane: &'a [String],
    /// Addresses of all workers.
    pub workers: &'a [String],
    /// Whether the machine configs bring a CNI. Without one no node gets ready, so being registered is enough.
    pub cni: bool,
}

/// What was found out on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthy {
    /// The names of the Node objects, by the nodes' addresses.
    pub names: BTreeMap<String, String>,
    /// The API server's version, like `v1.35.4`.
    pub kubernetes: String,
}

/// Waits until every machine is running and ready, etcd has a voter on each control-plane node, the Kubernetes API is
/// ready through the cluster's endpoint, and every node is registered there, or ready where there is a CNI.
pub async fn wait_healthy(
    clients: &Clients,
    cluster: &Cluster,
    expected: Expected<'_>,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<Healthy, Error> {
    let nodes = [expected.control_plane, expected.workers].concat();
    let (machines_are, nodes_are) =
        if expected.cni { (Ready::WithNode, NodesAre::Ready) } else { (Ready::WithoutNode, NodesAre::Registered) };
    let members = expected.control_plane.len();
    let in_kubernetes = async {
        let (version, names) =
            tokio::try_join!(wait_kubernetes(cluster, deadline, progress), node_names(clients, &nodes, deadline, progress),)?;
        let registered: Vec<String> = names.values().cloned().collect();
        wait_nodes(cluster, &registered, nodes_are, deadline, progress).await?;
        Ok(Healthy { names, kubernetes: version })
    };
    let ((), _, healthy) = tokio::try_join!(
        wait_machines(clients, &nodes, machines_are, deadline, progress),
        wait_etcd(clients, expected.control_plane, members, deadline, progress),
        in_kubernetes,
    )?;
    Ok(healthy)
}
