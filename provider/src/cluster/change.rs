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
use crate::abilities;
use crate::diagnostics;

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
    in_order(&mut ordered);
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
            let reboot = async |_: &str| reboot_into(fleet, &clients, machine, &config, until).await;
            out_of_service(fleet, &clients, machine, &config, &voters, until, reboot).await?;
        } else {
            lifecycle::apply_config(&client, config.to_yaml(), Change::InPlace, until, &progress).await.map_err(step)?;
        }
        note_config(fleet, &name, &config, i64::from(reboots));
    }
    Ok(())
}

/// Has a node run with a config that takes a reboot.
pub(super) async fn reboot_into(
    fleet: &Fleet<'_>,
    clients: &Clients,
    machine: &Machine,
    config: &MachineConfig,
    until: Instant,
) -> Result<(), Diagnostics> {
    let (node, text) = (clients.node(&reach(machine)?), config.to_yaml());
    if !abilities::of(fleet.site.region_id.place.provider_type).rebuilds_machines {
        lifecycle::apply_config(&node, text, Change::Reboot, until, &progress).await.map_err(step)?;
        return Ok(());
    }
    lifecycle::stage_config(&node, text, until, &progress).await.map_err(step)?;
    let cloud = fleet.site.cloud.as_ref();
    cloud
        .restart_machine(&machine.id)
        .await
        .map_err(|error| diagnostics::cloud(&format!("Cannot restart machine `{}`", machine.id), &error))?;
    lifecycle::wait_config(&node, text, until, &progress).await.map_err(step)
}

/// Control-plane nodes first, then pool by pool.
pub(super) fn in_order(machines: &mut [&Machine]) {
    machines.sort_by(|a, b| (a.role, &a.pool, a.index).cmp(&(b.role, &b.pool, b.index)));
}

/// Does something to a node that takes it down: only while etcd keeps quorum without it, drained, and let in again after.
pub(super) async fn out_of_service(
    fleet: &Fleet<'_>,
    clients: &Clients,
    machine: &Machine,
    config: &MachineConfig,
    voters: &[String],
    until: Instant,
    deed: impl AsyncFnOnce(&str) -> Result<(), Diagnostics>,
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
    deed(&node).await?;
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
