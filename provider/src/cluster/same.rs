//! What means the same as before stays as it was before.
//!
//! One cluster can be written down in several ways: `large` and the cloud's own name for it, a label as a label or as a
//! patch, a patch for every node or one for each pool. An import finds one of them. Core lets a plan keep the value that
//! stands in the state where the configured one means the same; and where nothing is configured, if the attribute is
//! computed, which is why those below are both optional and computed. What the configuration says takes its place with
//! the first change that makes a difference.

use std::collections::{BTreeMap, BTreeSet};

use clouds::MachineRole;
use talos::secrets::Bundle;
use talos::version::{KubernetesVersion, TalosVersion};
use tf_provider::Value;

use super::create::EVERYBODY;
use super::desired::{DesiredNode, desired_nodes, node_name, strings};
use super::model::{ClusterModel, WorkerPool};
use super::render::Blueprint;
use crate::ids::RegionId;
use crate::{names, networks};

type List = Value<Vec<Value<String>>>;

/// Stands for the zone of a node that does not stand yet.
const SOME_ZONE: &str = "zone-1a";

/// Puts back what is configured, also where that is nothing: a computed attribute comes as it was before, or unknown.
pub(super) fn as_configured(config: &ClusterModel, plan: &mut ClusterModel) {
    plan.kubernetes_api_allowed_cidrs = config.kubernetes_api_allowed_cidrs.clone();
    plan.talos_api_allowed_cidrs = config.talos_api_allowed_cidrs.clone();
    plan.cert_sans = config.cert_sans.clone();
    plan.config_patches = config.config_patches.clone();
    if let (Some(plan), Some(config)) = (plan.control_plane.known_mut(), config.control_plane.known()) {
        plan.zones = config.zones.clone();
        plan.config_patches = config.config_patches.clone();
    }
    for (plan, config) in plan.worker_pool.known_mut().into_iter().flatten().zip(config.worker_pool.known().into_iter().flatten())
    {
        plan.zones = config.zones.clone();
        plan.labels = config.labels.clone();
        plan.annotations = config.annotations.clone();
        plan.taints = config.taints.clone();
        plan.config_patches = config.config_patches.clone();
    }
}

/// Keeps what was before, wherever the plan says the same in other words, and the order in which the pools stood, where that is
/// all that is other about them: after an import, for example.
pub(super) fn keep(bundle: Option<&Bundle>, config: &ClusterModel, prior: &ClusterModel, plan: &mut ClusterModel) {
    let as_written = plan.clone();
    keep_where(Pools::OfOneName, bundle, prior, plan);
    let (Some(written), Some(before), Some(after)) =
        (config.worker_pool.known(), prior.worker_pool.known(), plan.worker_pool.known())
    else {
        return;
    };
    let place = |name: &Value<String>| before.iter().position(|pool| pool.name == *name);
    if after.iter().enumerate().all(|(index, pool)| place(&pool.name).is_none_or(|place| place == index)) {
        return;
    }
    let stays = |pool: &WorkerPool| place(&pool.name).is_some_and(|place| before[place] == *pool);
    let can_show = written.iter().zip(before).all(|(written, before)| can_show(written, before));
    if after.len() == before.len() && after.iter().all(stays) && can_show {
        plan.worker_pool = prior.worker_pool.clone();
    } else {
        // Core compares a block with the one that stood in its place.
        *plan = as_written;
        keep_where(Pools::InOnePlace, bundle, prior, plan);
    }
}

/// Which pools are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pools {
    OfOneName,
    InOnePlace,
}

fn keep_where(which: Pools, bundle: Option<&Bundle>, prior: &ClusterModel, plan: &mut ClusterModel) {
    keep_if(&mut plan.talos_version, &prior.talos_version, |plan, prior| same_texts(plan, prior, TalosVersion::parse));
    keep_if(&mut plan.kubernetes_version, &prior.kubernetes_version, |plan, prior| {
        same_texts(plan, prior, KubernetesVersion::parse)
    });
    keep_if(&mut plan.kubernetes_api_allowed_cidrs, &prior.kubernetes_api_allowed_cidrs, same_ranges);
    keep_if(&mut plan.talos_api_allowed_cidrs, &prior.talos_api_allowed_cidrs, same_ranges);
    if let Some(region) = prior.region_id.as_str().and_then(|id| id.parse::<RegionId>().ok()) {
        let cloud = region.place.provider_type;
        let same = |plan: &Value<String>, prior: &Value<String>| {
            same_texts(plan, prior, |name| Ok::<_, ()>(names::machine_type(cloud, name).to_owned()))
        };
        if let (Some(plan), Some(prior)) = (plan.control_plane.known_mut(), prior.control_plane.known()) {
            keep_if(&mut plan.machine_type, &prior.machine_type, same);
        }
        for (_, plan, prior) in pools(which, plan, prior) {
            keep_if(&mut plan.machine_type, &prior.machine_type, same);
        }
    }
    if let (Some(plan), Some(before)) = (plan.control_plane.known_mut(), prior.control_plane.known())
        && same_zones(MachineRole::ControlPlane, "", &plan.count, (&plan.zones, &before.zones), prior)
    {
        keep_set(&mut plan.zones, &before.zones);
    }
    for (name, plan, before) in pools(which, plan, prior) {
        if same_zones(MachineRole::Worker, name, &plan.count, (&plan.zones, &before.zones), prior) {
            keep_set(&mut plan.zones, &before.zones);
        }
    }
    if let Some(bundle) = bundle {
        keep_shape(which, bundle, prior, plan);
    }
}

/// Whether core lets a plan show `before` where `written` is configured: not nothing where there is something.
fn can_show(written: &WorkerPool, before: &WorkerPool) -> bool {
    let lists = |pool: &WorkerPool| [pool.zones.is_null(), pool.taints.is_null(), pool.config_patches.is_null()];
    let maps = |pool: &WorkerPool| [pool.labels.is_null(), pool.annotations.is_null()];
    let shows = |(written, before): (bool, bool)| written || !before;
    lists(written).into_iter().zip(lists(before)).all(shows) && maps(written).into_iter().zip(maps(before)).all(shows)
}

/// What shapes machine configs is kept all together, where each node's config comes out the same.
fn keep_shape(which: Pools, bundle: &Bundle, prior: &ClusterModel, plan: &mut ClusterModel) {
    let mut kept = plan.clone();
    keep_set(&mut kept.cert_sans, &prior.cert_sans);
    keep_set(&mut kept.config_patches, &prior.config_patches);
    if let (Some(kept), Some(prior)) = (kept.control_plane.known_mut(), prior.control_plane.known()) {
        keep_set(&mut kept.config_patches, &prior.config_patches);
    }
    for (_, kept, prior) in pools(which, &mut kept, prior) {
        keep_set(&mut kept.labels, &prior.labels);
        keep_set(&mut kept.annotations, &prior.annotations);
        keep_set(&mut kept.taints, &prior.taints);
        keep_set(&mut kept.config_patches, &prior.config_patches);
    }
    if kept != *plan && render_the_same(bundle, prior, &kept, plan).unwrap_or(false) {
        *plan = kept;
    }
}

/// Whether all nodes have the same config by both; `None` where one cannot be told yet.
fn render_the_same(bundle: &Bundle, prior: &ClusterModel, one: &ClusterModel, other: &ClusterModel) -> Option<bool> {
    let (first, second) = (Blueprint::facts(one)?.with_bundle(bundle), Blueprint::facts(other)?.with_bundle(bundle));
    let (ones, others) = (kinds_of_nodes(one)?, kinds_of_nodes(other)?);
    let standing = prior.nodes.known();
    let mut seen = BTreeSet::new();
    for (name, node) in &ones {
        let row = standing.and_then(|nodes| nodes.get(name)).and_then(Value::known);
        let zone = row.and_then(|row| row.zone.as_str()).unwrap_or(SOME_ZONE);
        let machine_type = row.and_then(|row| row.machine_type.as_str()).unwrap_or(&node.machine_type);
        if !seen.insert((node.role, node.pool.as_str(), zone, machine_type)) {
            continue;
        }
        let (one, other) =
            (first.node_config(node, zone, machine_type), second.node_config(others.get(name)?, zone, machine_type));
        if !one.ok()?.same_as(&other.ok()?, first.talos_version()) {
            return Some(false);
        }
    }
    Some(true)
}

/// All nodes, with one of each pool that has none.
fn kinds_of_nodes(model: &ClusterModel) -> Option<BTreeMap<String, DesiredNode>> {
    let mut model = model.clone();
    for pool in model.worker_pool.known_mut().into_iter().flatten() {
        if pool.count.known() == Some(&0) {
            pool.count = 1.into();
        }
    }
    desired_nodes(&model)
}

/// The pools that both have.
fn pools<'m>(
    which: Pools,
    plan: &'m mut ClusterModel,
    prior: &'m ClusterModel,
) -> impl Iterator<Item = (&'m str, &'m mut WorkerPool, &'m WorkerPool)> {
    let pools = plan.worker_pool.known_mut().into_iter().flatten().enumerate();
    pools.filter_map(move |(index, pool)| {
        let (place, name, before) = prior.pools().find(|(_, name, _)| pool.name.as_str() == Some(*name))?;
        (which == Pools::OfOneName || place == index).then_some((name, pool, before))
    })
}

fn keep_if<T: Clone>(plan: &mut Value<T>, prior: &Value<T>, same: impl Fn(&Value<T>, &Value<T>) -> bool) {
    if same(plan, prior) {
        keep_set(plan, prior);
    }
}

/// Core does not let a plan keep nothing where something is configured.
fn keep_set<T: Clone>(plan: &mut Value<T>, prior: &Value<T>) {
    if prior.is_known() && !plan.is_unknown() {
        *plan = prior.clone();
    }
}

fn same_texts<T: PartialEq, E>(plan: &Value<String>, prior: &Value<String>, read: impl Fn(&str) -> Result<T, E>) -> bool {
    let read = |value: &Value<String>| value.as_str().and_then(|text| read(text).ok());
    matches!((read(plan), read(prior)), (Some(plan), Some(prior)) if plan == prior)
}

/// Ranges in any order; none given are everybody's.
fn same_ranges(plan: &List, prior: &List) -> bool {
    let read = |list: &List| {
        let texts = if list.is_null() { vec![EVERYBODY.to_owned()] } else { strings(list)? };
        texts.iter().map(|text| networks::parse(text).ok()).collect::<Option<BTreeSet<_>>>()
    };
    matches!((read(plan), read(prior)), (Some(plan), Some(prior)) if plan == prior)
}

/// Whether the zones are the same, or put all the nodes that there are and are to be where they stand.
fn same_zones(role: MachineRole, pool: &str, count: &Value<i64>, (plan, prior): (&List, &List), row: &ClusterModel) -> bool {
    let read = |list: &List| Some(strings(list)?.into_iter().collect::<BTreeSet<_>>());
    let (Some(after), Some(before)) = (read(plan), read(prior)) else { return false };
    if after == before {
        return true;
    }
    let after: Vec<String> = after.into_iter().collect();
    let Some(count) = count.known().and_then(|count| u32::try_from(*count).ok()) else { return false };
    let zone = |index: u32| row.nodes.known()?.get(&node_name(role, pool, index))?.known()?.zone.as_str();
    !after.is_empty() && (0..count).all(|index| zone(index) == Some(after[index as usize % after.len()].as_str()))
}

#[cfg(test)]
mod tests;
