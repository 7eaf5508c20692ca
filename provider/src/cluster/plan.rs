//! What will happen to a cluster, and what cannot: every check that needs no machine.

mod cloud;
mod config;

use std::collections::BTreeMap;

use clouds::Kind;
use talos::version::TalosVersion;
use tf_provider::{Diagnostic, Diagnostics, PlanContext, Value};

pub(super) use self::cloud::lost_quorum;
use self::cloud::{in_the_cloud, ingress_is_free};
pub(super) use self::config::validate;
use self::config::{lacking, ranges, unsupported};
use super::desired::{DesiredNode, desired_nodes};
use super::model::{ClusterModel, Node};
use super::rebuild::runs;
use super::record::{ClusterPrivate, pool_value, role_name};
use super::render::Blueprint;
use super::site::{other_environment, parse_region_id};
use crate::abilities;
use crate::claims::{self, Remake};
use crate::configured::Configured;
use crate::ids::{MemberId, RegionId};
use crate::names;

/// What a create notes for the delete half of a replacement.
pub(super) fn remake(model: &ClusterModel) -> Remake {
    let text = |value: &Value<String>| value.as_str().unwrap_or_default().to_owned();
    Remake::of(
        model.id.as_str().unwrap_or_default(),
        [
            ("region_id", text(&model.region_id)),
            ("talos_version", text(&model.talos_version)),
            ("pod_cidr", text(&model.pod_cidr)),
            ("service_cidr", text(&model.service_cidr)),
        ],
    )
}

/// The plan of a new cluster.
pub(super) async fn create(
    cx: &PlanContext<Configured>,
    config: &ClusterModel,
    plan: &mut ClusterModel,
) -> Result<Remake, Diagnostics> {
    plan.status = claims::READY.into();
    plan.config_contract = plan.talos_version.clone();
    plan.drift = Value::Known(Vec::new());
    plan.tags_all = cx.provider.tags_all(&plan.tags);
    plan.environment = cx.provider.environment().clone();
    if plan.credentials_in_state.known() == Some(&false) {
        plan.kubeconfig = Value::Null;
        plan.talosconfig = Value::Null;
    }
    let mut found = Diagnostics::new();
    let wanted = desired_nodes(plan);
    let mut types = BTreeMap::new();
    if plan.region_id.is_known() {
        let region_id = parse_region_id(&plan.region_id)?;
        plan.provider_type = region_id.place.provider_type.as_str().into();
        plan.provider_region = region_id.place.provider_region.as_str().into();
        let provider_type = region_id.place.provider_type;
        lacking(config, provider_type, &mut found);
        for (name, node) in wanted.iter().flatten() {
            types.insert(name.clone(), names::machine_type(provider_type, &node.machine_type).to_owned());
        }
        if plan.environment.as_str().is_some_and(|own| own != region_id.environment) {
            return Err(other_environment(&cx.provider, &region_id).into());
        }
        if let Some(name) = plan.name.as_str() {
            let id = MemberId { region: region_id.clone(), name: name.to_owned() };
            cx.provider.plans(Kind::Cluster, &id.long())?;
            plan.id = id.to_string().into();
        }
        ingress_is_free(cx, &region_id, &Value::Null, plan).await?;
        if let Some(network) = cx.provider.planned_network(&region_id) {
            ranges(plan, Some(&network.to_string()), &mut found);
        }
        if let Some(connection) = cx.provider.cloud_if_known(&region_id.place).await? {
            plan.account_id = connection.account_id.as_str().into();
            in_the_cloud(cx, &connection, &region_id, plan, wanted.as_ref(), &mut found).await?;
        }
    }
    plan.nodes = match &wanted {
        None => Value::unknown(),
        Some(wanted) => wanted
            .iter()
            .map(|(name, node)| (name.clone(), new_node(plan, node, types.get(name)).into()))
            .collect::<BTreeMap<_, _>>()
            .into(),
    };
    if let Some(wanted) = &wanted {
        Box::pin(renders(cx, plan, wanted, &mut found)).await?;
    }
    found.into_result()?;
    Ok(remake(plan))
}

/// A node that an apply will make.
fn new_node(plan: &ClusterModel, node: &DesiredNode, machine_type: Option<&String>) -> Node {
    Node {
        role: role_name(node.role).into(),
        pool: pool_value(node.role, &node.pool),
        machine_type: machine_type.map_or_else(Value::unknown, |name| name.as_str().into()),
        zone: Value::unknown(),
        instance_id: Value::unknown(),
        private_ip: Value::unknown(),
        public_ip: Value::unknown(),
        talos_version: plan.talos_version.clone(),
        config: Value::unknown(),
        reboots: 0.into(),
    }
}

/// Renders the configs once with secrets that are thrown away, so that what Talos would refuse is refused here, before a machine
/// is bought: one node of the control plane and of each pool, since the others differ in their zone only.
async fn renders(
    cx: &PlanContext<Configured>,
    plan: &ClusterModel,
    wanted: &BTreeMap<String, DesiredNode>,
    found: &mut Diagnostics,
) -> Result<(), Diagnostics> {
    let Some(facts) = Blueprint::facts(plan) else { return Ok(()) };
    let contract = facts.contract().clone();
    let bundle = super::secrets::generate(contract).await?;
    check_configs(cx, plan, &facts.with_bundle(&bundle), wanted, found).await
}

/// That Talos takes the config of each kind of node, and that a machine can boot from it.
async fn check_configs(
    cx: &PlanContext<Configured>,
    plan: &ClusterModel,
    blueprint: &Blueprint<'_>,
    wanted: &BTreeMap<String, DesiredNode>,
    found: &mut Diagnostics,
) -> Result<(), Diagnostics> {
    let connection = if plan.region_id.is_known() {
        cx.provider.cloud_if_known(&parse_region_id(&plan.region_id)?.place).await?
    } else {
        None
    };
    for node in wanted.values().filter(|node| node.index == 0) {
        if let Err(problem) = blueprint.check(node, connection.as_ref().map(|connection| connection.cloud.as_ref())) {
            found.extend(problem);
        }
    }
    Ok(())
}

/// The plan of a change.
pub(super) async fn update(
    cx: &PlanContext<Configured>,
    private: Option<&ClusterPrivate>,
    prior: &ClusterModel,
    config: &ClusterModel,
    plan: &mut ClusterModel,
) -> Result<Remake, Diagnostics> {
    plan.status = claims::READY.into();
    plan.tags_all = cx.provider.tags_all(&plan.tags);
    let replaced = plan.name != prior.name
        || plan.region_id != prior.region_id
        || plan.pod_cidr != prior.pod_cidr
        || plan.service_cidr != prior.service_cidr;
    if replaced {
        // A plan without a refresh replaces its own object too.
        cx.provider.saw(prior.claim.as_str().unwrap_or_default());
        super::delete::check_protection(prior)?;
        // Core plans again, as a create.
        return Ok(remake(plan));
    }
    plan.drift = Value::Known(Vec::new());
    let moves = prior.endpoint.is_null();
    if moves {
        plan.endpoint = Value::unknown();
        plan.internal_endpoint = Value::unknown();
        plan.talos_endpoint = Value::unknown();
    }
    match plan.credentials_in_state.known() {
        _ if moves && plan.credentials_in_state.known() != Some(&false) => {
            plan.kubeconfig = Value::unknown();
            plan.talosconfig = Value::unknown();
        }
        Some(false) => {
            plan.kubeconfig = Value::Null;
            plan.talosconfig = Value::Null;
        }
        _ if prior.kubeconfig.is_null() || plan.cert_sans != prior.cert_sans => {
            plan.kubeconfig = if prior.kubeconfig.is_null() { Value::unknown() } else { prior.kubeconfig.clone() };
            plan.talosconfig = if prior.talosconfig.is_null() { Value::unknown() } else { prior.talosconfig.clone() };
        }
        _ => {}
    }
    unsupported(prior, plan, rebuilds_of(prior))?;
    let Some(wanted) = desired_nodes(plan) else {
        plan.nodes = Value::unknown();
        return Ok(remake(plan));
    };
    let mut found = Diagnostics::new();
    ranges(plan, None, &mut found);
    lacking(config, parse_region_id(&plan.region_id)?.place.provider_type, &mut found);
    if let Some(bundle) = private.and_then(|private| private.bundle.as_ref())
        && let Some(facts) = Blueprint::facts(plan)
    {
        check_configs(cx, plan, &facts.with_bundle(bundle), &wanted, &mut found).await?;
    }
    found.into_result()?;
    let region_id = parse_region_id(&plan.region_id)?;
    ingress_is_free(cx, &region_id, &prior.ingress, plan).await?;
    // A warning, as an error would also keep `destroy` from planning; the apply refuses at once.
    if let Some(lost) = lost_quorum(&cx.provider, prior, &region_id, &wanted).await? {
        cx.warn(lost.warning());
        // A protected cluster that is dead must still be let go.
        if prior.deletion_protection.known() == Some(&true) && plan.deletion_protection.known() == Some(&false) {
            plan.nodes = prior.nodes.clone();
            return Ok(remake(plan));
        }
    }
    plan.nodes = changed_nodes(cx, private, prior, plan, &region_id, &wanted)?.into();
    Ok(remake(plan))
}

/// Whether the cluster's cloud gives nodes another Talos by other machines.
fn rebuilds_of(row: &ClusterModel) -> bool {
    parse_region_id(&row.region_id).is_ok_and(|region| abilities::of(region.place.provider_type).rebuilds_machines)
}

/// Every node as the apply will leave it.
fn changed_nodes(
    cx: &PlanContext<Configured>,
    private: Option<&ClusterPrivate>,
    prior: &ClusterModel,
    plan: &ClusterModel,
    region_id: &RegionId,
    wanted: &BTreeMap<String, DesiredNode>,
) -> Result<BTreeMap<String, Value<Node>>, Diagnostics> {
    let bundle = private.and_then(|private| private.bundle.as_ref());
    let before_nodes = desired_nodes(prior).unwrap_or_default();
    let blueprints = bundle
        .and_then(|bundle| Some((Blueprint::facts(prior)?.with_bundle(bundle), Blueprint::facts(plan)?.with_bundle(bundle))));
    let mut nodes = BTreeMap::new();
    let (mut changing, mut rebooting, mut made, mut rebuilt) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let rebuilds = abilities::of(region_id.place.provider_type).rebuilds_machines;
    let version = plan.talos_version.as_str().and_then(|text| TalosVersion::parse(text).ok());
    for (name, node) in wanted {
        let Some(standing) = prior.nodes.known().and_then(|nodes| nodes.get(name)).and_then(Value::known) else {
            let machine_type = names::machine_type(region_id.place.provider_type, &node.machine_type).to_owned();
            nodes.insert(name.clone(), new_node(plan, node, Some(&machine_type)).into());
            made.push(name.as_str());
            continue;
        };
        let mut next = standing.clone();
        let is_rebuilt = rebuilds
            && standing.talos_version.as_str().is_some_and(|says| version.as_ref().is_some_and(|version| !runs(says, version)));
        if is_rebuilt {
            next.talos_version = version.as_ref().map_or_else(Value::unknown, |version| version.to_string().into());
            next.instance_id = Value::unknown();
            rebuilt.push(name.as_str());
        }
        if let Some((before, after)) = &blueprints {
            let (zone, machine_type) =
                (standing.zone.as_str().unwrap_or_default(), standing.machine_type.as_str().unwrap_or_default());
            let config = after.node_config(node, zone, machine_type)?;
            let fingerprint = config.fingerprint();
            if plan.endpoint.is_unknown() || standing.config.as_str() != Some(&fingerprint) {
                // Every config holds the endpoint.
                next.config = if plan.endpoint.is_unknown() { Value::unknown() } else { fingerprint.into() };
                let reboots = match before_nodes.get(name) {
                    Some(before_node) => {
                        let old = before.node_config(before_node, zone, machine_type)?;
                        super::render::requires_reboot(&old, &config, after.talos_version())
                    }
                    None => false,
                };
                if reboots {
                    next.reboots = (standing.reboots.known().copied().unwrap_or(0) + 1).into();
                    rebooting.push(name.as_str());
                } else if !is_rebuilt {
                    changing.push(name.as_str());
                }
            }
        }
        nodes.insert(name.clone(), next.into());
    }
    let gone: Vec<&str> = prior
        .nodes
        .known()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| !wanted.contains_key(*name))
        .collect();
    summarize(
        cx,
        plan,
        &[
            ("be made", &made),
            (&rebuild_words(plan, wanted), &rebuilt),
            ("change in place", &changing),
            ("change and reboot, one at a time", &rebooting),
            ("be drained and removed", &gone),
        ],
    );
    Ok(nodes)
}

/// What happens to nodes that get another Talos by another machine.
fn rebuild_words(plan: &ClusterModel, wanted: &BTreeMap<String, DesiredNode>) -> String {
    let version = plan.talos_version.as_str().unwrap_or("another version");
    let alone = wanted.values().filter(|node| node.is_control_plane()).count() == 1;
    let downtime = if alone { "; the Kubernetes API is down while its only control-plane node is" } else { "" };
    format!("be made again from the image of {version}, one at a time, on the disks and addresses that they have{downtime}")
}

/// Says in the terminal what the map `nodes` shows per node.
fn summarize(cx: &PlanContext<Configured>, plan: &ClusterModel, parts: &[(&str, &Vec<&str>)]) {
    let lines: Vec<String> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| {
            let (first, more) = names.split_at(names.len().min(8));
            let count = if names.len() == 1 { "1 node".to_owned() } else { format!("{} nodes", names.len()) };
            format!("- {count} to {what}: {}{}", first.join(", "), if more.is_empty() { "" } else { ", …" })
        })
        .collect();
    if !lines.is_empty() {
        let name = plan.name.as_str().unwrap_or_default();
        cx.warn(Diagnostic::warning(format!("Nodes of cluster `{name}` change")).detail(lines.join("\n")));
    }
}
