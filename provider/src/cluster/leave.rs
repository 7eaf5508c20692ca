//! Nodes that go: workers that the plan no longer has, and etcd members whose machines are lost.

use std::collections::BTreeSet;

use clouds::{Machine, MachineRole};
use talos::kubernetes::Cluster;
use talos::lifecycle::{self, Drained};
use tf_provider::Diagnostics;
use tokio::time::Instant;

use super::desired::node_name;
use super::fleet::{Fleet, Machines, addresses, progress, reach, step};
use super::model::ClusterModel;
use super::render::NODE_LABEL;
use crate::diagnostics;

/// A node that is to go away and says nothing for so long is dead.
const SILENT_AFTER: std::time::Duration = std::time::Duration::from_secs(30);

/// Takes away workers that the plan no longer has: drained, terminated, their Node objects deleted.
pub(super) async fn remove_surplus(
    fleet: &Fleet<'_>,
    plan: &ClusterModel,
    standing: &[Machine],
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let nodes = fleet.nodes;
    let going: Vec<(String, &Machine)> = standing
        .iter()
        .map(|machine| (node_name(machine.role, &machine.pool, machine.index), machine))
        .filter(|(name, machine)| machine.role == MachineRole::Worker && !nodes.contains_key(name))
        .collect();
    if going.is_empty() {
        return Ok(());
    }
    let clients = fleet.talos()?;
    let kubernetes = fleet.kubernetes()?;
    let mut left: Machines =
        standing.iter().map(|machine| (node_name(machine.role, &machine.pool, machine.index), machine.clone())).collect();
    for (name, machine) in going {
        let node = reach(machine)?;
        let names =
            lifecycle::node_names(&clients, std::slice::from_ref(&node), until.min(Instant::now() + SILENT_AFTER), &progress)
                .await;
        let kubernetes_name = match names.ok().and_then(|mut names| names.remove(&node)) {
            Some(name) => Some(name),
            None => registered_as(&kubernetes, machine).await,
        };
        let mut uid = None;
        if let Some(kubernetes_name) = &kubernetes_name {
            match lifecycle::drain(&kubernetes, kubernetes_name, until, &progress).await.map_err(step)? {
                Drained::Empty(found) | Drained::Dead(found, _) => uid = Some(found),
                Drained::NotRegistered => {}
            }
        }
        left.remove(&name);
        fleet.serve_ingress(plan, &left, false).await?;
        fleet
            .site
            .cloud
            .terminate_machines(std::slice::from_ref(&machine.id))
            .await
            .map_err(|error| diagnostics::cloud(&format!("Cannot terminate node `{name}`"), &error))?;
        fleet.record.forget_node(&name);
        if let (Some(kubernetes_name), Some(uid)) = (&kubernetes_name, &uid) {
            lifecycle::forget_node(&kubernetes, kubernetes_name, Some(uid), until, &progress).await.map_err(step)?;
        }
    }
    Ok(())
}

/// The name of the Node object with a machine's address: a dead machine tells no name itself.
async fn registered_as(kubernetes: &Cluster, machine: &Machine) -> Option<String> {
    let address = machine.private_ip?.to_string();
    let nodes = kubernetes.nodes().await.ok()?;
    nodes.into_iter().find(|(_, node)| node.internal_ips.contains(&address)).map(|(name, _)| name)
}

/// Deletes the Node objects of machines of this cluster that are gone, however they went: no cloud controller does it, and the
/// pods of a StatefulSet would wait for them for ever.
pub(super) async fn forget_lost_nodes(
    fleet: &Fleet<'_>,
    machines: &Machines,
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let kubernetes = fleet.kubernetes()?;
    let nodes = lifecycle::list_nodes(&kubernetes, until, &progress).await.map_err(step)?;
    let ours: BTreeSet<String> =
        machines.values().filter_map(|machine| machine.private_ip).map(|address| address.to_string()).collect();
    let lost = nodes.values().filter(|node| {
        !node.ready && node.labels.contains_key(NODE_LABEL) && !node.internal_ips.iter().any(|address| ours.contains(address))
    });
    for node in lost {
        tracing::info!(node = node.name, "deleting the Node object of a machine that is gone");
        lifecycle::forget_node(&kubernetes, &node.name, Some(&node.uid), until, &progress).await.map_err(step)?;
    }
    Ok(())
}

/// Removes the etcd members of control-plane machines that are gone, so that their successors can join.
pub(super) async fn forget_lost_members(
    fleet: &Fleet<'_>,
    standing: &[Machine],
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let alive: BTreeSet<String> = standing.iter().map(|machine| node_name(machine.role, &machine.pool, machine.index)).collect();
    if fleet.nodes.iter().all(|(name, node)| !node.is_control_plane() || alive.contains(name)) {
        return Ok(());
    }
    let until = Instant::from_std(deadline);
    let clients = fleet.talos()?;
    let voters = addresses(standing.iter().filter(|machine| machine.role == MachineRole::ControlPlane));
    for member in lifecycle::stale_members(&clients, &voters, until, &progress).await.map_err(step)? {
        tracing::info!(member = member.name, "removing the etcd member of a machine that is gone");
        lifecycle::remove_member(&clients, &voters, member.id, until, &progress).await.map_err(step)?;
    }
    Ok(())
}
