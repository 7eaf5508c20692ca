//! Taking up a cluster that stands: its row is read back from the cloud and from its nodes, and its secrets from the control plane.
//!
//! | file | what |
//! | --- | --- |
//! | `standing` | the nodes, and what each runs with |
//! | `row` | attributes, from all that was found |
//! | `patches` | what the attributes do not say of the nodes' configs |
//! | `talosconfig` | the way to the secrets where the cloud does not give user data back |

mod patches;
mod row;
mod standing;
mod talosconfig;

use clouds::{ClusterState, Kind, Machine, MachineRole, Root};
use talos::secrets::Bundle;
use tf_provider::{Diagnostic, Diagnostics, ReadContext, Value};

use super::credentials;
use super::desired::{DesiredNode, desired_nodes, node_name};
use super::model::ClusterModel;
use super::record::{ClusterPrivate, node_of};
use super::render::Blueprint;
use super::secrets;
use super::site::Site;
use crate::claims;
use crate::configured::Configured;
use crate::diagnostics;
use crate::ids::MemberId;
use patches::{Sample, says_the_same};
use standing::Standing;

/// Finds the cluster of that id and reads it back.
pub(super) async fn import(cx: &ReadContext<Configured>, id: &str) -> Result<(ClusterModel, ClusterPrivate), Diagnostics> {
    let id = MemberId::from_import(id).map_err(|error| Diagnostic::error("Invalid id").detail(error.to_string()))?;
    cx.provider.check_environment(&id.to_string(), &id.region.environment, "The import id names")?;
    let site = Site::open(&cx.provider, &id.region.to_string().into()).await?;
    let cloud = site.cloud.as_ref();
    let failed = |error: clouds::Error| Diagnostics::from(diagnostics::asking(&format!("Cannot import cluster `{id}`"), &error));

    let missing = || missing(&id, &site.account_id);
    let (root, claim) =
        claims::import(cloud, Kind::Cluster, &site.scope(), &id.name).await.map_err(failed)?.ok_or_else(missing)?;
    if !root.finished {
        return Err(unfinished(&id, &root));
    }
    let (own, machines) = tokio::try_join!(cloud.read_cluster(&root.id), cloud.machines(&root.id)).map_err(failed)?;
    let own = own.ok_or_else(missing)?;
    let origin = cloud.cluster_origin(&own, &site.region).await.map_err(failed)?;

    let bundle = bundle(cloud, &id, &machines).await?;
    let found = standing::ask(cx, cloud, &bundle, &id, machines).await?;
    let mut model = row::read(cx, &site, &id, &own, &origin, &bundle, &found).await?;
    model.claim = claim.0.into();
    patches(cx, &mut model, &bundle, &found)?;
    nodes(&mut model, &bundle, &found)?;
    let (kubeconfig, talosconfig) = credentials::for_row(&model, &bundle)?;
    model.kubeconfig = kubeconfig.into();
    model.talosconfig = talosconfig.into();
    Ok((model, ClusterPrivate { bundle: Some(bundle) }))
}

/// The secrets: from the user data of a control-plane machine, or from the node that `TALOSCONFIG` reaches.
async fn bundle(cloud: &dyn clouds::Cloud, id: &MemberId, machines: &[Machine]) -> Result<Bundle, Diagnostics> {
    if !machines.iter().any(|machine| machine.role == MachineRole::ControlPlane) {
        return Err(Diagnostic::error(format!("Cluster `{id}` has no control-plane machine"))
            .detail("What it is made of can be read back from its nodes only. Nothing was changed.")
            .into());
    }
    let from_cloud = secrets::read_back(cloud, machines).await;
    if let Ok(Some(bundle)) = from_cloud {
        return Ok(bundle);
    }
    if let Some(bundle) = talosconfig::bundle(machines).await? {
        return Ok(bundle);
    }
    let way_on = "An import reads the cluster's secrets from the user data of a control-plane machine, or from the control-plane \
                  node that the talosconfig in the environment variable `TALOSCONFIG` reaches with the role `os:admin`.";
    match from_cloud {
        // The cloud's own words first.
        Err(refused) => Err(refused
            .into_iter()
            .map(|one| {
                let detail = format!("{}\n\n{way_on}", one.detail_text());
                one.detail(detail)
            })
            .collect::<Vec<_>>()
            .into()),
        Ok(_) => Err(Diagnostic::error(format!("The secrets of cluster `{id}` cannot be read back"))
            .detail(format!("No control-plane machine gives its user data back. {way_on} Nothing was changed."))
            .into()),
    }
}

/// Finds the patches that lead from what the attributes say to what the nodes run with.
fn patches(
    cx: &ReadContext<Configured>,
    model: &mut ClusterModel,
    bundle: &Bundle,
    found: &standing::Cluster,
) -> Result<(), Diagnostics> {
    let (blueprint, wanted) = rendering(model, bundle)?;
    let mut samples = Vec::new();
    for standing in found.samples() {
        let machine = &standing.machine;
        let Some(node) = wanted.get(&standing.name) else { continue };
        let Some(config) = &standing.config else { continue };
        let generated = blueprint.node_config(node, &machine.zone, &machine.machine_type)?;
        samples.push(Sample { pool: machine.pool.as_str(), node: &standing.name, generated, found: config, live: standing.live });
    }
    let patches = patches::find(cx, &samples, &found.version, bundle)?;
    model.config_patches = patches.common;
    if let Some(control_plane) = model.control_plane.known_mut() {
        control_plane.config_patches = patches.own.get("").cloned().unwrap_or_else(patches::none);
    }
    for pool in model.worker_pool.known_mut().into_iter().flatten() {
        pool.config_patches = pool.name.as_str().and_then(|name| patches.own.get(name).cloned()).unwrap_or_else(patches::none);
    }
    Ok(())
}

/// The rows of the nodes: the fingerprint of the config that each runs with, or none where that cannot be told, so that the
/// next plan gives it the one that it is to have.
fn nodes(model: &mut ClusterModel, bundle: &Bundle, found: &standing::Cluster) -> Result<(), Diagnostics> {
    let (blueprint, wanted) = rendering(model, bundle)?;
    let mut nodes = std::collections::BTreeMap::new();
    for standing in &found.nodes {
        let machine = &standing.machine;
        let rendered = match wanted.get(&standing.name) {
            Some(node) => Some(blueprint.node_config(node, &machine.zone, &machine.machine_type)?),
            None => None,
        };
        let config = match (&standing.config, rendered) {
            (Some(config), Some(rendered)) if says_the_same(config, &rendered, standing.live, &found.version) => {
                rendered.fingerprint().into()
            }
            (Some(config), _) if standing.live => config.fingerprint().into(),
            _ => Value::Null,
        };
        let version = standing.version.as_deref().unwrap_or(&found.version_text);
        let mut node = node_of(machine, version, "", 0);
        node.config = config;
        nodes.insert(standing.name.clone(), node.into());
    }
    model.nodes = nodes.into();
    Ok(())
}

type Wanted = std::collections::BTreeMap<String, DesiredNode>;

fn rendering<'b>(model: &ClusterModel, bundle: &'b Bundle) -> Result<(Blueprint<'b>, Wanted), Diagnostics> {
    Ok((super::create::blueprint_of(model, bundle)?, desired_nodes(model).unwrap_or_default()))
}

fn missing(id: &MemberId, account: &str) -> Diagnostics {
    Diagnostic::error(format!("No cluster `{id}`"))
        .detail(format!(
            "Account `{account}` has nothing in `{}` that is tagged as cluster `{}` of region `{}` in environment `{}`.",
            id.region.place, id.name, id.region.name, id.region.environment,
        ))
        .into()
}

fn unfinished(id: &MemberId, root: &Root) -> Diagnostics {
    Diagnostic::error(format!("Cluster `{id}` is not finished"))
        .detail(format!(
            "A create of it did not end: `{}` stands, and what belongs to it is not complete. There is nothing to import yet. Apply \
             its configuration without importing it: the apply goes on from what stands, and a destroy after that removes all of it. \
             Nothing was changed.",
            root.id
        ))
        .into()
}

impl Standing {
    fn name_of(machine: &Machine) -> String {
        node_name(machine.role, &machine.pool, machine.index)
    }
}

/// The API's address; a cluster without its load balancer cannot be read back.
fn endpoint(id: &MemberId, own: &ClusterState) -> Result<String, Diagnostics> {
    if own.api_address.is_empty() {
        return Err(Diagnostic::error(format!("Cluster `{id}` has lost its API load balancer"))
            .detail("The address of its API went with it, and no node is reached by another one. Nothing was changed.")
            .into());
    }
    Ok(super::render::endpoint(&own.api_address))
}
