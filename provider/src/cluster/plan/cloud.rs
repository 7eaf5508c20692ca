//! What the cloud has to say about a plan.

use std::collections::{BTreeMap, BTreeSet};

use clouds::{Image, Kind, MachineRole, MachineType, Root};
use tf_provider::{Diagnostic, Diagnostics, Path, PlanContext, Value, path};

use super::config::ranges;
use crate::claims::{self, Decision};
use crate::cluster::desired::DesiredNode;
use crate::cluster::model::ClusterModel;
use crate::cluster::site::region_root;
use crate::configured::{Configured, Connection};
use crate::diagnostics;
use crate::ids::{MemberId, RegionId};
use crate::names;

/// What the cloud has to say about the plan of a new cluster.
pub(super) async fn in_the_cloud(
    cx: &PlanContext<Configured>,
    connection: &Connection,
    region_id: &RegionId,
    plan: &ClusterModel,
    wanted: Option<&BTreeMap<String, DesiredNode>>,
    found: &mut Diagnostics,
) -> Result<(), Diagnostics> {
    let cloud = connection.cloud.as_ref();
    let asking = |error: &clouds::Error| Diagnostics::from(diagnostics::asking("Cannot plan this cluster", error));
    if let Some(wanted) = wanted {
        machine_types(cx, connection, region_id, plan, wanted, found).await?;
    }
    // A region that this run makes or replaces has been compared with already.
    if cx.provider.planned_network(region_id).is_none() {
        let regions = cloud.roots(Kind::Region).await.map_err(|error| asking(&error))?;
        let network = region_root(&regions, &region_id.scope()).and_then(|root| root.cidr).map(|cidr| cidr.to_string());
        if let Some(network) = &network {
            ranges(plan, Some(network), found);
        }
    }
    let Some(name) = plan.name.as_str() else { return Ok(()) };
    let roots = cloud.roots(Kind::Cluster).await.map_err(|error| asking(&error))?;
    let decision = claims::decide(&roots, &region_id.scope(), name);
    let kept = match (&decision, wanted) {
        (Decision::TakeUp { root, .. }, Some(wanted)) => {
            Some(kept(connection, root, wanted).await.map_err(|error| asking(&error))?)
        }
        _ => None,
    };
    let seen = match &decision {
        Decision::InState(root) => root.claim.as_ref().is_some_and(|claim| cx.provider.has_seen(&claim.0)),
        _ => false,
    };
    let id = MemberId { region: region_id.clone(), name: name.to_owned() };
    if let Some(warning) = claims::announce(&decision, &id.long(), kept.as_deref(), seen)? {
        cx.warn(warning);
    }
    Ok(())
}

/// `4 of 6 nodes exist and are kept: control-plane-0, …`
async fn kept(connection: &Connection, root: &Root, wanted: &BTreeMap<String, DesiredNode>) -> Result<String, clouds::Error> {
    let machines = connection.cloud.machines(&root.id).await?;
    let standing: BTreeSet<String> = machines
        .iter()
        .map(|machine| crate::cluster::desired::node_name(machine.role, &machine.pool, machine.index))
        .filter(|name| wanted.contains_key(name))
        .collect();
    let names: Vec<&str> = standing.iter().map(String::as_str).collect();
    Ok(match names.as_slice() {
        [] => format!("0 of {} nodes exist.", wanted.len()),
        names => format!("{} of {} nodes exist and are kept: {}.", names.len(), wanted.len(), names.join(", ")),
    })
}

/// That the machine types exist and the image fits them.
async fn machine_types(
    cx: &PlanContext<Configured>,
    connection: &Connection,
    region_id: &RegionId,
    plan: &ClusterModel,
    wanted: &BTreeMap<String, DesiredNode>,
    found: &mut Diagnostics,
) -> Result<(), Diagnostics> {
    let provider_type = region_id.place.provider_type;
    let mut architectures = BTreeSet::new();
    let mut without_uefi = Vec::new();
    let mut asked = BTreeSet::new();
    let mut memory = BTreeMap::new();
    for node in wanted.values() {
        let name = names::machine_type(provider_type, &node.machine_type);
        if !asked.insert(name) {
            continue;
        }
        let machine_type = connection.cloud.machine_type(name).await.map_err(|error| {
            diagnostics::asking(&format!("Cannot look up machine type `{name}`"), &error)
                .at(node.place().attribute("machine_type"))
        })?;
        match &machine_type {
            Some(machine_type) => {
                architectures.insert(machine_type.architecture.clone());
                memory.insert(name, machine_type.memory_mib);
                if !machine_type.boots_uefi {
                    without_uefi.push((machine_type.clone(), node.place().attribute("machine_type")));
                }
                let elsewhere = |zone: &String| !machine_type.zones.contains(zone);
                if !node.zones.is_empty() && node.zones.iter().all(elsewhere) {
                    found.push(
                        Diagnostic::error(format!("None of these zones offers `{name}`"))
                            .detail(format!("The cloud has it in `{}`.", machine_type.zones.join("`, `")))
                            .at(node.place().attribute("zones")),
                    );
                }
            }
            None => found.push(
                Diagnostic::error(format!("`{}` is no machine type of `{}`", node.machine_type, region_id.place))
                    .detail(format!(
                        "Expected {} of one that it offers in this region.",
                        names::known_machine_types(provider_type)
                    ))
                    .at(node.place().attribute("machine_type")),
            ),
        }
    }
    let asked_for = wanted.values().filter_map(|node| memory.get(names::machine_type(provider_type, &node.machine_type)));
    shared_memory(cx, connection, asked_for.sum()).await?;
    let (Some(version), false) = (plan.talos_version.as_str(), plan.image.is_unknown()) else { return Ok(()) };
    for architecture in &architectures {
        match connection.cloud.image(version, architecture, plan.image.as_str()).await {
            Ok(image) => found.extend(unbootable(&image, architecture, &without_uefi)),
            Err(error) => {
                let attribute = if plan.image.is_null() { "talos_version" } else { "image" };
                let doing = format!("There is no image to boot `{architecture}` machines from");
                found.push(diagnostics::asking_for(attribute, &doing, &error).at(path!(attribute)));
            }
        }
    }
    Ok(())
}

/// Warns of machines that together may take more memory than there is.
async fn shared_memory(cx: &PlanContext<Configured>, connection: &Connection, asked_for: u64) -> Result<(), Diagnostics> {
    let failed = |error: clouds::Error| diagnostics::asking("Cannot tell how much memory there is", &error);
    let Some(shared) = connection.cloud.shared_memory_mib().await.map_err(failed)?.filter(|shared| *shared < asked_for) else {
        return Ok(());
    };
    cx.warn(
        Diagnostic::warning("The nodes may run out of memory")
            .detail(format!(
                "All of them together may take {asked_for} MiB, and the engine's machine has {shared} MiB. Linux ends processes when \
                 none is left. Take fewer nodes or smaller machine types, or give the engine more memory."
            ))
            .at(path!("control_plane")),
    );
    Ok(())
}

/// Machine types of that architecture that the image does not start on, of those that know no UEFI.
fn unbootable(image: &Image, architecture: &str, without_uefi: &[(MachineType, Path)]) -> Diagnostics {
    let concerned = without_uefi.iter().filter(|(offer, _)| image.needs_uefi && offer.architecture == architecture);
    concerned
        .map(|(offer, place)| {
            Diagnostic::error(format!("`{}` cannot start `{}`", offer.name, image.name))
                .detail("The image starts by UEFI only, and this machine type has none. Choose a newer type.")
                .at(place.clone())
        })
        .collect()
}

/// An etcd that cannot come back: most of its machines are gone, and those that are left decide nothing.
pub(in crate::cluster) struct LostQuorum {
    cluster: String,
    standing: usize,
    wanted: usize,
}

impl LostQuorum {
    pub(in crate::cluster) fn warning(&self) -> Diagnostic {
        self.say(Diagnostic::warning(self.summary()))
    }

    pub(in crate::cluster) fn error(&self) -> Diagnostic {
        self.say(Diagnostic::error(self.summary()))
    }

    fn summary(&self) -> String {
        format!("The etcd of cluster `{}` has lost its quorum", self.cluster)
    }

    fn say(&self, diagnostic: Diagnostic) -> Diagnostic {
        let Self { standing, wanted, .. } = self;
        diagnostic
            .detail(format!(
                "{standing} of its {wanted} control-plane machines are left, and etcd decides nothing with fewer than {}. New machines \
                 could not join it, so an apply makes none and is refused. Make a new cluster (`-replace` on this one, or another `name` \
                 beside it) and restore a snapshot of etcd into it if there is one. Where `deletion_protection` is on, turn it off in an \
                 apply of its own first: that needs no node.",
                wanted / 2 + 1,
            ))
            .at(path!("control_plane"))
    }
}

/// Whether the control-plane machines that are left cannot decide.
pub(in crate::cluster) async fn lost_quorum(
    provider: &Configured,
    prior: &ClusterModel,
    region_id: &RegionId,
    wanted: &BTreeMap<String, DesiredNode>,
) -> Result<Option<LostQuorum>, Diagnostics> {
    let lacks = |name: &String| prior.nodes.known().is_some_and(|nodes| !nodes.contains_key(name));
    let control_plane: Vec<&String> = wanted.iter().filter(|(_, node)| node.is_control_plane()).map(|(name, _)| name).collect();
    let ready = prior.status.as_str() == Some(claims::READY);
    let Some(claim) = prior.claim.as_str() else { return Ok(None) };
    if !ready || !control_plane.iter().any(|name| lacks(name)) {
        return Ok(None);
    }
    let Some(connection) = provider.cloud_if_known(&region_id.place).await? else { return Ok(None) };
    let failed = |error: clouds::Error| diagnostics::asking("Cannot tell which machines stand", &error);
    let roots = connection.cloud.roots(Kind::Cluster).await.map_err(failed)?;
    let Some(root) = claims::owned(&roots, claim) else { return Ok(None) };
    // A stopped machine has its etcd on its disk.
    let machines = connection.cloud.machines(&root.id).await.map_err(failed)?;
    let standing = machines.iter().filter(|machine| machine.role == MachineRole::ControlPlane).count();
    let wanted = control_plane.len();
    let cluster = prior.name.as_str().unwrap_or_default().to_owned();
    Ok((standing <= wanted / 2).then_some(LostQuorum { cluster, standing, wanted }))
}

/// That no other cluster of the region serves its ingress: each would take the other's workers off the load balancer.
pub(super) async fn ingress_is_free(
    cx: &PlanContext<Configured>,
    region_id: &RegionId,
    prior: &Value<bool>,
    plan: &ClusterModel,
) -> Result<(), Diagnostics> {
    let (Some(name), Some(serves)) = (plan.name.as_str(), plan.ingress.known().copied()) else { return Ok(()) };
    if let Some(other) = cx.provider.plans_ingress(region_id, name, serves) {
        return Err(ingress_is_taken(region_id, &other).into());
    }
    if !serves || prior.known() == Some(&true) {
        return Ok(());
    }
    let Some(connection) = cx.provider.cloud_if_known(&region_id.place).await? else { return Ok(()) };
    let cloud = connection.cloud.as_ref();
    let failed = |error: clouds::Error| diagnostics::asking("Cannot tell which cluster serves the region's ingress", &error);
    let regions = cloud.roots(Kind::Region).await.map_err(failed)?;
    let Some(root) = region_root(&regions, &region_id.scope()) else { return Ok(()) };
    let Some(region) = cloud.read_region(&root.id).await.map_err(failed)? else { return Ok(()) };
    let clusters = cloud.roots(Kind::Cluster).await.map_err(failed)?;
    let others = clusters.iter().filter(|root| root.scope == region_id.scope() && root.name != name);
    for other in others.filter(|root| !cx.provider.gives_ingress_up(region_id, &root.name)) {
        let Some(state) = cloud.read_cluster(&other.id).await.map_err(failed)? else { continue };
        match cloud.cluster_origin(&state, &region).await {
            Ok(origin) if origin.serves_ingress => return Err(ingress_is_taken(region_id, &other.name).into()),
            // A cloud that does not tell, or a cluster that is just going.
            Ok(_) | Err(clouds::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error).into()),
        }
    }
    Ok(())
}

fn ingress_is_taken(region_id: &RegionId, other: &str) -> Diagnostic {
    Diagnostic::error(format!("Cluster `{other}` serves the ingress of region `{}`", region_id.name))
        .detail(format!(
            "At most one cluster of a region does, since each would take the other's workers off the load balancer. Set `ingress = false` \
             on `{other}` and apply, then set it here."
        ))
        .at(path!("ingress"))
}
