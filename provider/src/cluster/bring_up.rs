//! From machines to a healthy cluster, and nodes in and out of one.

use std::collections::{BTreeMap, BTreeSet};

use clouds::{ClusterState, Machine, MachineRole, MachineSpec, RootDisk};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use talos::client::{Clients, ErrorKind, Identity};
use talos::config::MachineConfig;
use talos::credentials;
use talos::kubernetes::Cluster;
use talos::lifecycle::{self, Change, Drained, Expected, Ready};
use talos::secrets::Bundle;
use tf_provider::{Diagnostic, Diagnostics};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::create::{Machines, wanted};
use super::desired::{DesiredNode, node_name};
use super::machines::reconcile;
use super::model::ClusterModel;
use super::read::address;
use super::record::{Record, node_of};
use super::render::{Blueprint, endpoint};
use super::secrets::BOOTSTRAP_TAG;
use super::site::Site;
use crate::diagnostics;

/// Metadata service hop limit: pods cannot reach it.
const HOP_LIMIT: u8 = 1;

/// How long the admin certificates of one run are valid: longer than any operation.
const RUN_LIFETIME: time::Duration = time::Duration::hours(24);

/// How long those in a row are, as Talos' own.
const ROW_LIFETIME: time::Duration = time::Duration::days(365);

/// One question to all nodes.
const ASK_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// A cluster's machines and all that is needed to work on them.
pub(super) struct Fleet<'a> {
    pub(super) site: &'a Site,
    pub(super) cluster: &'a ClusterState,
    pub(super) blueprint: &'a Blueprint<'a>,
    pub(super) record: &'a Record<'a>,
}

/// Which machines that stand already are as good as new ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Those of the right type that booted with this bundle: the cluster never ran.
    MustFit,
    /// All: they are nodes of a running cluster.
    Stays,
}

impl Fleet<'_> {
    fn name(&self) -> String {
        self.record.current().0.name.as_str().unwrap_or_default().to_owned()
    }

    /// Machines for all wanted nodes. The first control-plane machine of a new cluster is made before any other, since its user
    /// data remembers the secrets; the others at once. A failure lets what is under way end, so that the row names all that exists.
    pub(super) async fn make_machines(
        &self,
        plan: &ClusterModel,
        standing: Vec<Machine>,
        which: Standing,
    ) -> Result<Machines, Diagnostics> {
        let nodes = wanted(plan);
        let types = self.site.machine_types(&nodes);
        let fingerprint = self.blueprint.machine_fingerprint();
        let work = reconcile(&nodes, &standing, |name, machine| {
            which == Standing::Stays
                || (machine.bundle_fingerprint == fingerprint && types.get(name) == Some(&machine.machine_type))
        });
        let mut machines = work.keep;
        for (name, machine) in &machines {
            self.note_standing(name, machine);
        }
        if !work.remove.is_empty() {
            let ids: Vec<String> = work.remove.iter().map(|machine| machine.id.clone()).collect();
            tracing::info!(machines = ids.join(", "), "terminating machines that cannot be kept");
            self.site
                .cloud
                .terminate_machines(&ids)
                .await
                .map_err(|error| diagnostics::cloud("Cannot terminate machines that cannot be kept", &error))?;
        }
        let images = self.images(plan, work.create.iter().filter_map(|(name, _)| types.get(name))).await?;
        let first = usize::from(!machines.values().any(|machine| machine.role == MachineRole::ControlPlane));
        let (before, after) = work.create.split_at(first.min(work.create.len()));
        for batch in [before, after] {
            let mut making: FuturesUnordered<_> = batch
                .iter()
                .map(|(name, replaces)| {
                    let (node, types, images) = (&nodes[name], &types, &images);
                    async move { (name, self.make_machine(name, node, replaces.clone(), types, images).await) }
                })
                .collect();
            let mut failures = Diagnostics::new();
            while let Some((name, made)) = making.next().await {
                match made {
                    Ok((machine, config)) => {
                        tracing::info!(node = name, machine = machine.id, "machine runs");
                        let version = self.blueprint.talos_version().to_string();
                        self.record.node(name, node_of(&machine, &version, &config, 0));
                        machines.insert(name.clone(), machine);
                    }
                    Err(failure) => failures.extend(failure),
                }
            }
            if failures.has_errors() {
                return Err(once_each(failures, machines.len(), nodes.len()));
            }
        }
        Ok(machines)
    }

    /// The row of a machine that stood before: what is known of it, with the cloud's facts as they are now.
    fn note_standing(&self, name: &str, machine: &Machine) {
        let (model, _) = self.record.current();
        let known = model.nodes.known().and_then(|nodes| nodes.get(name)).and_then(|node| node.known().cloned());
        let version = self.blueprint.talos_version().to_string();
        let node = match known {
            Some(node) if node.instance_id.as_str() == Some(&machine.id) => node_of(
                machine,
                node.talos_version.as_str().unwrap_or(&version),
                node.config.as_str().unwrap_or_default(),
                node.reboots.known().copied().unwrap_or(0),
            ),
            _ => node_of(machine, &version, "", 0),
        };
        self.record.node(name, node);
    }

    /// Image ids by machine type.
    async fn images<'t>(
        &self,
        plan: &ClusterModel,
        types: impl Iterator<Item = &'t String>,
    ) -> Result<BTreeMap<String, String>, Diagnostics> {
        let version = plan.talos_version.as_str().unwrap_or_default();
        let mut images = BTreeMap::new();
        for name in types.collect::<BTreeSet<_>>() {
            let doing = format!("Cannot find an image for machine type `{name}`");
            let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
            let machine_type = self.site.cloud.machine_type(name).await.map_err(failed)?.ok_or_else(|| {
                Diagnostic::error(format!("`{name}` is no machine type of `{}`", self.site.region_id.place))
                    .detail("No machine was made.")
            })?;
            let image = self.site.cloud.image(version, &machine_type.architecture, plan.image.as_str()).await.map_err(failed)?;
            images.insert(name.clone(), image.id);
        }
        Ok(images)
    }

    async fn make_machine(
        &self,
        name: &str,
        node: &DesiredNode,
        replaces: Option<String>,
        types: &BTreeMap<String, String>,
        images: &BTreeMap<String, String>,
    ) -> Result<(Machine, String), Diagnostics> {
        let subnet = self.site.subnet(node)?;
        let machine_type = types.get(name).cloned().unwrap_or_default();
        let config = self.boot_config(node, &subnet.zone, &machine_type)?;
        let (model, _) = self.record.current();
        let spec = MachineSpec {
            role: node.role,
            pool: node.pool.clone(),
            index: node.index,
            replaces,
            image_id: images.get(&machine_type).cloned().unwrap_or_default(),
            machine_type,
            subnet_id: subnet.id.clone(),
            root_disk: RootDisk { size_gib: node.disk_size, volume_type: node.disk_type.clone() },
            user_data: Zeroizing::new(config.to_yaml().as_bytes().to_vec()),
            bundle_fingerprint: self.blueprint.machine_fingerprint(),
            metadata_hop_limit: HOP_LIMIT,
            tags: crate::tags::plain(&model.tags_all).unwrap_or_default(),
        };
        let machine = self
            .site
            .cloud
            .create_machine(&self.site.scope(), &self.name(), self.cluster, &spec)
            .await
            .map_err(|error| diagnostics::cloud(&format!("Cannot make node `{name}`"), &error))?;
        Ok((machine, config.fingerprint()))
    }

    /// What a machine boots from: its config, without inline manifests where the cloud cannot carry those.
    fn boot_config(&self, node: &DesiredNode, zone: &str, machine_type: &str) -> Result<MachineConfig, Diagnostics> {
        let config = self.blueprint.node_config(node, zone, machine_type)?;
        if self.site.cloud.check_user_data(config.to_yaml().as_bytes()).is_ok() {
            return Ok(config);
        }
        let (reduced, _) = config.without_inline_manifests();
        self.site.cloud.check_user_data(reduced.to_yaml().as_bytes()).map_err(|error| {
            Diagnostic::error("The machine config is too large to boot from").detail(format!(
                "Even without its inline manifests {error}. Make the patches smaller. No machine was made with it."
            ))
        })?;
        Ok(reduced)
    }

    /// Control-plane machines behind the API load balancer, exactly.
    pub(super) async fn serve_control_plane(&self, machines: &Machines) -> Result<(), Diagnostics> {
        let ids = ids_of(machines, MachineRole::ControlPlane);
        self.site.cloud.set_targets(&self.cluster.api_target_group_ids, &ids).await.map_err(|error| {
            diagnostics::cloud("Cannot register the control-plane nodes at the API load balancer", &error).into()
        })
    }

    /// Workers behind the region's ingress load balancer where this cluster serves it; else none of them, where it did.
    pub(super) async fn serve_ingress(
        &self,
        plan: &ClusterModel,
        machines: &Machines,
        served_before: bool,
    ) -> Result<(), Diagnostics> {
        let serves = plan.ingress.known() == Some(&true);
        if !serves && !served_before {
            return Ok(());
        }
        let Some(ingress) = &self.site.region.ingress else { return Ok(()) };
        let failed = |error: clouds::Error| {
            Diagnostics::from(diagnostics::cloud("Cannot register the workers at the region's ingress load balancer", &error))
        };
        let cloud = self.site.cloud.as_ref();
        cloud.allow_ingress(self.cluster, &self.site.region, serves).await.map_err(failed)?;
        let ids = if serves { ids_of(machines, MachineRole::Worker) } else { Vec::new() };
        cloud.set_targets(&ingress.target_group_ids, &ids).await.map_err(failed)
    }

    fn talos(&self) -> Result<Clients, Diagnostics> {
        Clients::new(&identity(self.blueprint.bundle())?).map_err(|error| broken_identity(&error.to_string()))
    }

    /// The Kubernetes API, through the cluster's endpoint.
    fn kubernetes(&self) -> Result<Cluster, Diagnostics> {
        let identity = Identity::kubernetes_admin(self.blueprint.bundle(), RUN_LIFETIME)
            .map_err(|error| broken_identity(&error.to_string()))?;
        Cluster::new(&endpoint(&self.cluster.api_address), &identity).map_err(|error| broken_identity(&error.to_string()))
    }

    fn config_of(&self, node: &DesiredNode, machine: &Machine) -> Result<MachineConfig, Diagnostics> {
        self.blueprint.node_config(node, &machine.zone, &machine.machine_type)
    }
}

/// An `os:admin` of the cluster for this run.
pub(super) fn identity(bundle: &Bundle) -> Result<Identity, Diagnostics> {
    Identity::talos_admin(bundle, RUN_LIFETIME).map_err(|error| broken_identity(&error.to_string()))
}

/// Admin kubeconfig and talosconfig for the row.
pub(super) fn credentials(model: &ClusterModel, bundle: &Bundle) -> Result<(String, String), Diagnostics> {
    let name = model.name.as_str().unwrap_or_default();
    let server = model.endpoint.as_str().unwrap_or_default();
    let api = super::render::host(server).to_owned();
    let nodes: Vec<String> = model
        .nodes
        .known()
        .into_iter()
        .flatten()
        .filter_map(|(_, node)| node.known())
        .filter(|node| node.role.as_str() == Some("control-plane"))
        .filter_map(|node| node.private_ip.as_str().map(str::to_owned))
        .collect();
    let failed = |error: &dyn std::fmt::Display| broken_identity(&error.to_string());
    let kubeconfig = credentials::admin_kubeconfig(bundle, name, server, ROW_LIFETIME).map_err(|error| failed(&error))?;
    let talosconfig =
        credentials::admin_talosconfig(bundle, name, &[api], &nodes, ROW_LIFETIME).map_err(|error| failed(&error))?;
    Ok((kubeconfig.to_string(), talosconfig.to_string()))
}

fn broken_identity(why: &str) -> Diagnostics {
    Diagnostic::error("The cluster's admin certificates cannot be made or used").detail(why.to_owned()).into()
}

fn ids_of(machines: &Machines, role: MachineRole) -> Vec<String> {
    machines.values().filter(|machine| machine.role == role).map(|machine| machine.id.clone()).collect()
}

fn addresses<'m>(machines: impl IntoIterator<Item = &'m Machine>) -> Vec<String> {
    machines.into_iter().filter_map(address).map(|address| address.to_string()).collect()
}

fn control_plane(machines: &Machines) -> Vec<String> {
    addresses(machines.values().filter(|machine| machine.role == MachineRole::ControlPlane))
}

/// One diagnostic per cause: ten machines refused for one quota are one error.
fn once_each(failures: Diagnostics, made: usize, wanted: usize) -> Diagnostics {
    let mut once: Vec<Diagnostic> = Vec::new();
    for failure in failures {
        // The summary names the node; the cause is in the detail.
        if once.len() < 3 && !once.iter().any(|seen| seen.detail_text() == failure.detail_text()) {
            let detail = format!("{}\n\n{made} of {wanted} nodes exist.", failure.detail_text());
            once.push(failure.detail(detail));
        }
    }
    once.into()
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn step(error: lifecycle::Error) -> Diagnostics {
    Diagnostic::error("The cluster did not become healthy")
        .detail(format!("{error}\n\nAll that exists is kept, and the next apply goes on from it."))
        .into()
}

fn progress(line: &str) {
    tracing::info!("{line}");
}

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
    plan: &ClusterModel,
    machines: &Machines,
    begun: Begun,
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let clients = fleet.talos()?;
    let voters = control_plane(machines);
    lifecycle::wait_api(&clients, &voters, until, &progress).await.map_err(step)?;
    let nodes = wanted(plan);
    bring_to_config(fleet, &clients, &nodes, machines, MachineRole::ControlPlane, until).await?;
    let chosen = choose(fleet, &clients, machines, begun, until).await?;
    lifecycle::bootstrap(&clients.node(&chosen), until, &progress).await.map_err(step)?;
    // Workers get their API certificate from a control-plane node.
    bring_to_config(fleet, &clients, &nodes, machines, MachineRole::Worker, until).await?;
    wait_healthy(fleet, plan, machines, deadline).await
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

fn reach(machine: &Machine) -> Result<String, Diagnostics> {
    address(machine).map(|address| address.to_string()).ok_or_else(|| {
        Diagnostic::error(format!("Machine `{}` has no address", machine.id))
            .detail("It was stopped, or lost its network interface.")
            .into()
    })
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
                lifecycle::apply_config(&client, config.to_yaml(), Change::Reboot, until, &progress).await.map_err(step)?;
                1
            }
            Err(error) => return Err(step(error)),
        };
        note_config(fleet, name, &config, reboots);
    }
    Ok(())
}

fn note_config(fleet: &Fleet<'_>, name: &str, config: &MachineConfig, reboots: i64) {
    let (model, _) = fleet.record.current();
    if let Some(mut node) = model.nodes.known().and_then(|nodes| nodes.get(name)).and_then(|node| node.known().cloned()) {
        node.config = config.fingerprint().into();
        node.reboots = (node.reboots.known().copied().unwrap_or(0) + reboots).into();
        fleet.record.node(name, node);
    }
}

/// Every machine running and ready, all etcd members voters, the Kubernetes API ready through the endpoint, every node registered;
/// nodes Ready where the config brings a CNI.
pub(super) async fn wait_healthy(
    fleet: &Fleet<'_>,
    plan: &ClusterModel,
    machines: &Machines,
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let clients = fleet.talos()?;
    let kubernetes = fleet.kubernetes()?;
    let nodes = wanted(plan);
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

/// Gives each standing node the config that the plan shows for it: control-plane nodes one at a time, then workers, those that
/// reboot one at a time and drained.
pub(super) async fn change_configs(
    fleet: &Fleet<'_>,
    plan: &ClusterModel,
    standing: &[Machine],
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let nodes = wanted(plan);
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
            reboot_into(fleet, &clients, &name, machine, &config, &voters, until).await?;
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
    name: &str,
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
        kubernetes.cordon(&kubernetes_name, false).await.map_err(|error| {
            Diagnostics::from(
                Diagnostic::error(format!("Node `{name}` has rebooted but stays cordoned")).detail(error.to_string()),
            )
        })?;
    }
    Ok(())
}

/// Takes away workers that the plan no longer has: drained, terminated, their Node objects deleted.
pub(super) async fn remove_surplus(
    fleet: &Fleet<'_>,
    plan: &ClusterModel,
    standing: &[Machine],
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let until = Instant::from_std(deadline);
    let nodes = wanted(plan);
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
        // A dead machine tells no name; its Node object is found by its address then.
        let names =
            lifecycle::node_names(&clients, std::slice::from_ref(&node), until.min(Instant::now() + SILENT_AFTER), &progress)
                .await;
        let kubernetes_name = names.ok().and_then(|mut names| names.remove(&node));
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

/// Removes the etcd members of control-plane machines that are gone, so that their successors can join.
pub(super) async fn forget_lost_members(
    fleet: &Fleet<'_>,
    plan: &ClusterModel,
    standing: &[Machine],
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    let alive: BTreeSet<String> = standing.iter().map(|machine| node_name(machine.role, &machine.pool, machine.index)).collect();
    if wanted(plan).iter().all(|(name, node)| !node.is_control_plane() || alive.contains(name)) {
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

/// A node that is to go away and says nothing for so long is dead.
const SILENT_AFTER: std::time::Duration = std::time::Duration::from_secs(30);
