//! Nodes that can be talked to, and what they are called.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{
    Error, Progress,
    wait::{Look, Passed, every},
};
use crate::client::{Clients, ErrorKind, Version};

/// Waits until each node answers with a certificate of this cluster, and says what it runs.
///
/// A worker gets its API certificate from a control-plane node, so it answers only after one of those does.
pub async fn wait_api(
    clients: &Clients,
    nodes: &[String],
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<BTreeMap<String, Version>, Error> {
    every(
        "Talos API",
        clients,
        nodes,
        Passed::Stays,
        (deadline, progress),
        |node| async move { node.version().await.map(Look::Done) },
    )
    .await
}

/// The names of the nodes' Node objects, by address. A node has one once its host name is settled.
pub async fn node_names(
    clients: &Clients,
    nodes: &[String],
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<BTreeMap<String, String>, Error> {
    every("node names", clients, nodes, Passed::Stays, (deadline, progress), |node| async move {
        match node.nodename().await {
            Ok(name) => Ok(Look::Done(name)),
            Err(error) if matches!(error.kind, ErrorKind::NotFound(_)) => Ok(Look::NotYet("it has no name yet".to_owned())),
            Err(error) => Err(error),
        }
    })
    .await
}
