//! From machines that run to a healthy cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use clouds::{Machine, MachineRole};
use talos::client::{Clients, ErrorKind};
use talos::lifecycle::{self, Change, Expected};
use tf_provider::{Diagnostic, Diagnostics};
use tokio::time::Instant;

use super::change;
use super::desired::{DesiredNode, node_name};
use super::fleet::{Fleet, Machines, addresses, control_plane, note_config, progress, reach, step};
use super::secrets::BOOTSTRAP_TAG;
use crate::diagnostics;

/// One question to all nodes.
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// Whether an earlier create has begun this cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// All machines were made by this run.
    Now,
    /// Some stood before.
    Before,
}

/// From machines that were just made (or left by an earlier create) to a healthy cluster.
pub(super) async fn start(
    fleet: &Fleet<'_>,
    machines: &Machines,
    begun: Begun,
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let clients = fleet.talos()?;
    let voters = control_plane(machines);
    lifecycle::wait_api(&clients, &voters, until, &progress).await.map_err(step)?;
    let nodes = fleet.nodes;
    bring_to_config(fleet, &clients, nodes, machines, MachineRole::ControlPlane, until).await?;
    let chosen = choose(fleet, &clients, machines, begun, until).await?;
    lifecycle::bootstrap(&clients.node(&chosen), until, &progress).await.map_err(step)?;
    // Workers get their API certificate from a control-plane node.
    bring_to_config(fleet, &clients, nodes, machines, MachineRole::Worker, until).await?;
    wait_healthy(fleet, machines, deadline).await
}

/// The node that is asked to bootstrap: the one that was tagged for it before, else the first, which is tagged now.
async fn choose(
    fleet: &Fleet<'_>,
    clients: &Clients,
    machines: &Machines,
    begun: Begun,
    until: Instant,
) -> Result<String, Diagnostics> {
    let control_plane: Vec<&Machine> = machines.values().filter(|machine| machine.role == MachineRole::ControlPlane).collect();
    if let Some(chosen) = control_plane.iter().find(|machine| machine.tags.contains_key(BOOTSTRAP_TAG)) {
        return reach(chosen);
    }
    // The tagged one may be gone while others joined its etcd: that etcd lives, and asking one more would make a second.
    let all: Vec<String> = addresses(control_plane.iter().copied());
    if begun == Begun::Before && !lifecycle::etcd_is_unborn(clients, &all, until, &progress).await.map_err(step)? {
        let members = clients.each(&all, ASK_WITHIN, |client| async move { client.etcd_member_id().await }).await;
        let alive = members.into_iter().find(|(_, member)| matches!(member, Ok(Some(_))));
        return alive.map(|(address, _)| address).ok_or_else(|| {
            Diagnostic::error("etcd was bootstrapped on a machine that is gone")
                .detail(
                    "Its other members have data but no leader can be told. Nothing was bootstrapped again, since that would make a \
                     second etcd. Destroy the cluster, or restore a snapshot.",
                )
                .into()
        });
    }
    let first = control_plane
        .iter()
        .min_by_key(|machine| machine.index)
        .ok_or_else(|| Diagnostic::error("The cluster has no control-plane node"))?;
    let doing = format!("Cannot mark node `{}` for the bootstrap", node_name(first.role, &first.pool, first.index));
    fleet.site.cloud.tag_machine(&first.id, BOOTSTRAP_TAG, "true").await.map_err(|error| diagnostics::cloud(&doing, &error))?;
    reach(first)
}

/// Gives nodes that joined a running cluster the config they are to have, where they booted with another.
pub(super) async fn settle_new(fleet: &Fleet<'_>, machines: &Machines, deadline: std::time::Instant) -> Result<(), Diagnostics> {
    let (clients, nodes, until) = (fleet.talos()?, fleet.nodes, Instant::from_std(deadline));
    for role in [MachineRole::ControlPlane, MachineRole::Worker] {
        bring_to_config(fleet, &clients, nodes, machines, role, until).await?;
    }
    Ok(())
}

/// Gives nodes of one role the config they are to have, where they booted with another: without inline manifests, or for an
/// earlier create with other patches.
async fn bring_to_config(
    fleet: &Fleet<'_>,
    clients: &Clients,
    nodes: &BTreeMap<String, DesiredNode>,
    machines: &Machines,
    role: MachineRole,
    until: Instant,
) -> Result<(), Diagnostics> {
    for (name, machine) in machines.iter().filter(|(_, machine)| machine.role == role) {
        let config = fleet.config_of(&nodes[name], machine)?;
        let (model, _) = fleet.record.current();
        let standing = model.nodes.known().and_then(|nodes| nodes.get(name)).and_then(|node| node.known().cloned());
        if standing.is_some_and(|node| node.config.as_str() == Some(&config.fingerprint())) {
            continue;
        }
        let client = clients.node(&reach(machine)?);
        let applied = lifecycle::apply_config(&client, config.to_yaml(), Change::InPlace, until, &progress).await;
        let reboots = match applied {
            Ok(_) => 0,
            // Nothing runs there yet, so a reboot costs nobody anything.
            Err(lifecycle::Error::Node { source, .. }) if matches!(source.kind, ErrorKind::InvalidArgument(_)) => {
                change::reboot_into(fleet, clients, machine, &config, until).await?;
                1
            }
            Err(error) => return Err(step(error)),
        };
        note_config(fleet, name, &config, reboots);
    }
    Ok(())
}

/// Every machine running and ready, all etcd members voters, the Kubernetes API ready through the endpoint, every node registered;
/// nodes Ready where the config brings a CNI.
pub(super) async fn wait_healthy(
    fleet: &Fleet<'_>,
    machines: &Machines,
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let clients = fleet.talos()?;
    let kubernetes = fleet.kubernetes()?;
    let nodes = fleet.nodes;
    let cni = match machines.iter().find(|(_, machine)| machine.role == MachineRole::ControlPlane) {
        Some((name, machine)) => fleet.config_of(&nodes[name], machine)?.brings_cni(),
        None => false,
    };
    let expected = Expected {
        control_plane: &control_plane(machines),
        workers: &addresses(machines.values().filter(|machine| machine.role == MachineRole::Worker)),
        cni,
    };
    lifecycle::wait_healthy(&clients, &kubernetes, expected, until, &progress).await.map_err(step)?;
    Ok(())
}
