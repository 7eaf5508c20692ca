//! Changing the configs of nodes that run.

use clouds::{Machine, MachineRole};
use talos::client::Clients;
use talos::config::MachineConfig;
use talos::lifecycle::{self, Change, Ready};
use tf_provider::Diagnostics;
use tokio::time::Instant;

use super::desired::node_name;
use super::fleet::{Fleet, addresses, note_config, progress, reach, step};
use super::model::ClusterModel;

/// Gives each standing node the config that the plan shows for it: control-plane nodes one at a time, then workers, those that
/// reboot one at a time and drained.
pub(super) async fn change_configs(
    fleet: &Fleet<'_>,
    plan: &ClusterModel,
    standing: &[Machine],
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let nodes = fleet.nodes;
    let clients = fleet.talos()?;
    let voters = addresses(standing.iter().filter(|machine| machine.role == MachineRole::ControlPlane));
    let mut ordered: Vec<&Machine> = standing.iter().collect();
    ordered.sort_by_key(|machine| (machine.role, machine.pool.clone(), machine.index));
    for machine in ordered {
        let name = node_name(machine.role, &machine.pool, machine.index);
        let Some(node) = nodes.get(&name) else { continue };
        let config = fleet.config_of(node, machine)?;
        let (model, _) = fleet.record.current();
        let row = model.nodes.known().and_then(|nodes| nodes.get(&name)).and_then(|node| node.known().cloned());
        let Some(row) = row else { continue };
        if row.config.as_str() == Some(&config.fingerprint()) {
            continue;
        }
        let planned = plan.nodes.known().and_then(|nodes| nodes.get(&name)).and_then(|node| node.known());
        let reboots = planned.and_then(|node| node.reboots.known().copied()) > row.reboots.known().copied();
        let client = clients.node(&reach(machine)?);
        if reboots {
            reboot_into(fleet, &clients, machine, &config, &voters, until).await?;
        } else {
            lifecycle::apply_config(&client, config.to_yaml(), Change::InPlace, until, &progress).await.map_err(step)?;
        }
        note_config(fleet, &name, &config, i64::from(reboots));
    }
    Ok(())
}

/// A config that takes a reboot: only while etcd keeps quorum without the node, drained, and let in again after.
async fn reboot_into(
    fleet: &Fleet<'_>,
    clients: &Clients,
    machine: &Machine,
    config: &MachineConfig,
    voters: &[String],
    until: Instant,
) -> Result<(), Diagnostics> {
    let node = reach(machine)?;
    let kubernetes = fleet.kubernetes()?;
    let is_voter = machine.role == MachineRole::ControlPlane;
    if is_voter {
        lifecycle::wait_quorum_without(clients, voters, &node, until, &progress).await.map_err(step)?;
    }
    let names = lifecycle::node_names(clients, std::slice::from_ref(&node), until, &progress).await.map_err(step)?;
    let kubernetes_name = names.get(&node).cloned().unwrap_or_default();
    let alone = is_voter && voters.len() == 1;
    if !alone {
        lifecycle::drain(&kubernetes, &kubernetes_name, until, &progress).await.map_err(step)?;
    }
    lifecycle::apply_config(&clients.node(&node), config.to_yaml(), Change::Reboot, until, &progress).await.map_err(step)?;
    if is_voter {
        lifecycle::wait_etcd(clients, voters, voters.len(), until, &progress).await.map_err(step)?;
    }
    let ready = if config.brings_cni() { Ready::WithNode } else { Ready::WithoutNode };
    lifecycle::wait_machines(clients, &[node], ready, until, &progress).await.map_err(step)?;
    if !alone {
        lifecycle::uncordon(&kubernetes, &kubernetes_name, until, &progress).await.map_err(step)?;
    }
    Ok(())
}
