//! Machines for the nodes that a plan asks for.

use std::collections::{BTreeMap, BTreeSet};

use clouds::{Machine, MachineRole, MachineSpec, MachineStatus, RootDisk};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tf_provider::{Diagnostic, Diagnostics};
use zeroize::Zeroizing;

use super::desired::{DesiredNode, node_name};
use super::fleet::{Fleet, Machines};
use super::machines::reconcile;
use super::model::ClusterModel;
use super::record::node_of;
use super::secrets::CONTRACT_TAG;
use crate::diagnostics;

/// Metadata service hop limit: pods cannot reach it.
const HOP_LIMIT: u8 = 1;

/// Which machines that stand already are as good as new ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Those of the right type and image that booted with this bundle: the cluster never ran.
    MustFit,
    /// All: they are nodes of a running cluster.
    Stays,
}

/// What the cloud has for a machine type.
struct Offer {
    image_id: String,
    zones: Vec<String>,
}

impl Fleet<'_> {
    /// Machines for all wanted nodes. The first control-plane machine of a new cluster is made before any other, since its user
    /// data remembers the secrets; the others at once. A failure lets what is under way end, so that the row names all that exists.
    pub(super) async fn make_machines(
        &self,
        plan: &ClusterModel,
        standing: Vec<Machine>,
        which: Standing,
    ) -> Result<Machines, Diagnostics> {
        let nodes = self.nodes;
        let types = self.site.machine_types(nodes);
        let fingerprint = self.blueprint.machine_fingerprint();
        let from = match which {
            Standing::MustFit => {
                let names = standing.iter().map(|machine| node_name(machine.role, &machine.pool, machine.index));
                self.offers(plan, names.collect::<Vec<_>>().iter().filter_map(|name| types.get(name))).await?
            }
            Standing::Stays => BTreeMap::new(),
        };
        let work = reconcile(nodes, &standing, |name, machine| {
            which == Standing::Stays
                || (machine.bundle_fingerprint == fingerprint
                    && types.get(name) == Some(&machine.machine_type)
                    && from.get(&machine.machine_type).is_some_and(|offer| offer.image_id == machine.image_id))
        });
        let mut machines = work.keep;
        self.start_stopped(plan, machines.values_mut()).await?;
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
        let offers = self.offers(plan, work.create.iter().filter_map(|(name, _)| types.get(name))).await?;
        let first = usize::from(!machines.values().any(|machine| machine.role == MachineRole::ControlPlane));
        let (before, after) = work.create.split_at(first.min(work.create.len()));
        for batch in [before, after] {
            let mut making: FuturesUnordered<_> = batch
                .iter()
                .map(|(name, replaces)| {
                    let (node, types, offers) = (&nodes[name], &types, &offers);
                    async move { (name, self.make_machine(name, node, replaces.clone(), types, offers).await) }
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

    /// Turns machines on that somebody stopped and that the plan asks for: a stopped node would be waited for in vain.
    pub(super) async fn start_stopped(
        &self,
        plan: &ClusterModel,
        machines: impl IntoIterator<Item = &mut Machine>,
    ) -> Result<(), Diagnostics> {
        let types = self.site.machine_types(self.nodes);
        for machine in machines.into_iter().filter(|machine| machine.status == MachineStatus::Stopped) {
            let name = node_name(machine.role, &machine.pool, machine.index);
            let Some(node) = self.nodes.get(&name) else { continue };
            tracing::info!(node = name, machine = machine.id, "starting a machine that was stopped");
            // What stands in the node's place is turned on and returned, unless it was being made again when that was cut short.
            let offers = self.offers(plan, types.get(&name).into_iter()).await?;
            (*machine, _) = self.make_machine(&name, node, None, &types, &offers).await?;
        }
        Ok(())
    }

    /// What a standing machine is to be made of when it is made again on its disks.
    pub(super) async fn rebuild_spec(
        &self,
        name: &str,
        plan: &ClusterModel,
        machine: &Machine,
    ) -> Result<MachineSpec, Diagnostics> {
        let types = self.site.machine_types(self.nodes);
        let offers = self.offers(plan, std::iter::once(&machine.machine_type)).await?;
        self.spec_of(name, &self.nodes[name], None, &types, &offers).map(|(spec, _)| spec)
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

    /// What machines of these types boot from, and where they can stand.
    async fn offers<'t>(
        &self,
        plan: &ClusterModel,
        types: impl Iterator<Item = &'t String>,
    ) -> Result<BTreeMap<String, Offer>, Diagnostics> {
        let version = plan.talos_version.as_str().unwrap_or_default();
        let mut offers = BTreeMap::new();
        for name in types.collect::<BTreeSet<_>>() {
            let doing = format!("Cannot find an image for machine type `{name}`");
            let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
            let machine_type = self.site.cloud.machine_type(name).await.map_err(failed)?.ok_or_else(|| {
                Diagnostic::error(format!("`{name}` is no machine type of `{}`", self.site.region_id.place))
                    .detail("No machine was made.")
            })?;
            let image = self.site.cloud.image(version, &machine_type.architecture, plan.image.as_str()).await.map_err(failed)?;
            offers.insert(name.clone(), Offer { image_id: image.id, zones: machine_type.zones });
        }
        Ok(offers)
    }

    async fn make_machine(
        &self,
        name: &str,
        node: &DesiredNode,
        replaces: Option<String>,
        types: &BTreeMap<String, String>,
        offers: &BTreeMap<String, Offer>,
    ) -> Result<(Machine, String), Diagnostics> {
        let (spec, fingerprint) = self.spec_of(name, node, replaces, types, offers)?;
        let machine = self
            .site
            .cloud
            .create_machine(&self.site.scope(), &self.name(), self.cluster, &spec)
            .await
            .map_err(|error| diagnostics::cloud(&format!("Cannot make node `{name}`"), &error))?;
        Ok((machine, fingerprint))
    }

    /// A node's machine, and the fingerprint of the config that it boots from.
    fn spec_of(
        &self,
        name: &str,
        node: &DesiredNode,
        replaces: Option<String>,
        types: &BTreeMap<String, String>,
        offers: &BTreeMap<String, Offer>,
    ) -> Result<(MachineSpec, String), Diagnostics> {
        let machine_type = types.get(name).cloned().unwrap_or_default();
        let offer = offers.get(&machine_type);
        let subnet = self.site.subnet(node, offer.map(|offer| offer.zones.as_slice()))?;
        let config = self.blueprint.boot_config(self.site.cloud.as_ref(), node, &subnet.zone, &machine_type)?;
        let (model, _) = self.record.current();
        let mut tags = crate::tags::plain(&model.tags_all).unwrap_or_default();
        tags.insert(CONTRACT_TAG.to_owned(), self.blueprint.contract().to_string());
        let spec = MachineSpec {
            role: node.role,
            pool: node.pool.clone(),
            index: node.index,
            replaces,
            image_id: offer.map(|offer| offer.image_id.clone()).unwrap_or_default(),
            machine_type,
            subnet_id: subnet.id.clone(),
            root_disk: RootDisk { size_gib: node.disk_size, volume_type: node.disk_type.clone() },
            user_data: Zeroizing::new(config.to_yaml().as_bytes().to_vec()),
            bundle_fingerprint: self.blueprint.machine_fingerprint(),
            metadata_hop_limit: HOP_LIMIT,
            tags,
        };
        Ok((spec, config.fingerprint()))
    }
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
