//! What will happen to a cluster, and what cannot: every check that needs no machine.

use std::collections::{BTreeMap, BTreeSet};

use clouds::{Image, Kind, MachineType, Root};
use talos::patch::Patch;
use talos::version::{KubernetesVersion, TalosVersion};
use tf_provider::{Diagnostic, Diagnostics, Path, PlanContext, Value, path};

use super::checks;
use super::desired::{DesiredNode, desired_nodes, strings};
use super::model::{ClusterModel, Node};
use super::record::{ClusterPrivate, pool_value, role_name};
use super::render::Blueprint;
use super::site::{other_environment, parse_region_id, region_root};
use crate::abilities;
use crate::claims::{self, Decision, Remake};
use crate::configured::{Configured, Connection};
use crate::diagnostics;
use crate::ids::{MemberId, RegionId};
use crate::names;

/// Checks that concern several attributes, none of which needs the cloud.
pub(super) fn validate(config: &ClusterModel, diagnostics: &mut Diagnostics) {
    if config.control_plane.is_null() {
        diagnostics.push(
            Diagnostic::error("A `control_plane` block is required")
                .detail("It says how many control-plane nodes there are, and of which `machine_type`.")
                .at(path!("control_plane")),
        );
    }
    let talos = config.talos_version.as_str().and_then(|version| TalosVersion::parse(version).ok());
    let kubernetes = config.kubernetes_version.as_str().and_then(|version| KubernetesVersion::parse(version).ok());
    if let (Some(talos), Some(kubernetes)) = (&talos, &kubernetes)
        && let Err(error) = talos.check(kubernetes)
    {
        diagnostics.push(
            Diagnostic::error("These versions do not go together").detail(error.to_string()).at(path!("kubernetes_version")),
        );
    }
    if let Some(talos) = &talos {
        patches(config, talos, diagnostics);
    }
    if let Some(pools) = config.worker_pool.known() {
        for name in pools.keys() {
            if let Err(problem) = checks::pool_name(name) {
                diagnostics.push(
                    Diagnostic::error("This pool cannot be named so")
                        .detail(problem)
                        .at(path!("worker_pool").element(name.as_str())),
                );
            }
        }
    }
    ranges(config, None, diagnostics);
    lacking(config, diagnostics);
}

/// What the region's cloud does not have.
fn lacking(config: &ClusterModel, diagnostics: &mut Diagnostics) {
    let Some(cloud) = config.region_id.as_str().and_then(|id| id.parse::<RegionId>().ok()).map(|id| id.place.provider_type)
    else {
        return;
    };
    if abilities::of(cloud).firewall {
        return;
    }
    let why = "It publishes ports on the host's loopback address, where whoever uses the host reaches them.";
    for (asked, attribute) in [
        (!config.kubernetes_api_allowed_cidrs.is_null(), path!("kubernetes_api_allowed_cidrs")),
        (!config.talos_api_allowed_cidrs.is_null(), path!("talos_api_allowed_cidrs")),
    ] {
        if asked {
            diagnostics.push(abilities::lacking(cloud, attribute, why));
        }
    }
}

/// The attributes of all patch lists, each with its place in the configuration.
fn patch_lists(config: &ClusterModel) -> Vec<(Path, &Value<Vec<Value<String>>>)> {
    let mut lists = vec![(path!("config_patches"), &config.config_patches)];
    if let Some(control_plane) = config.control_plane.known() {
        lists.push((path!("control_plane", "config_patches"), &control_plane.config_patches));
    }
    for (name, pool) in config.worker_pool.known().into_iter().flatten() {
        lists.push((path!("worker_pool").element(name.as_str()).attribute("config_patches"), &pool.config_patches));
    }
    lists
}

fn patches(config: &ClusterModel, talos: &TalosVersion, diagnostics: &mut Diagnostics) {
    for (place, list) in patch_lists(config) {
        for (index, patch) in list.known().into_iter().flatten().enumerate() {
            let Some(text) = patch.as_str() else { continue };
            if let Err(error) = Patch::parse(text, talos) {
                diagnostics.push(
                    Diagnostic::error("This patch cannot be applied").detail(error.to_string()).at(place.clone().element(index)),
                );
            }
        }
    }
}

/// Address ranges that meet. The network's range takes part where it is known.
fn ranges(config: &ClusterModel, network: Option<&str>, diagnostics: &mut Diagnostics) {
    let (Some(pods), Some(services)) = (
        config.pod_cidr.as_str().or_else(|| config.pod_cidr.is_null().then_some("10.244.0.0/16")),
        config.service_cidr.as_str().or_else(|| config.service_cidr.is_null().then_some("10.96.0.0/12")),
    ) else {
        return;
    };
    if let Err(problem) = checks::disjoint(&[("`pod_cidr`", pods), ("`service_cidr`", services)]) {
        diagnostics.push(Diagnostic::error("Address ranges meet").detail(problem).at(path!("pod_cidr")));
    }
    let Some(network) = network else { return };
    for (attribute, range) in [("pod_cidr", pods), ("service_cidr", services)] {
        if let Err(problem) = checks::disjoint(&[(&format!("`{attribute}`"), range), ("the region's network", network)]) {
            diagnostics.push(
                Diagnostic::error("Address ranges meet")
                    .detail(format!("{problem}. Nodes would take addresses of one for the other."))
                    .at(Path::root().attribute(attribute)),
            );
        }
    }
}

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
pub(super) async fn create(cx: &PlanContext<Configured>, plan: &mut ClusterModel) -> Result<Remake, Diagnostics> {
    plan.status = claims::READY.into();
    plan.config_contract = plan.talos_version.clone();
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

/// What the cloud has to say about the plan of a new cluster.
async fn in_the_cloud(
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
        machine_types(connection, region_id, plan, wanted, found).await?;
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
        .map(|machine| super::desired::node_name(machine.role, &machine.pool, machine.index))
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
    match plan.credentials_in_state.known() {
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
    unsupported(prior, plan)?;
    let Some(wanted) = desired_nodes(plan) else {
        plan.nodes = Value::unknown();
        return Ok(remake(plan));
    };
    let mut found = Diagnostics::new();
    ranges(plan, None, &mut found);
    if let Some(bundle) = private.and_then(|private| private.bundle.as_ref())
        && let Some(facts) = Blueprint::facts(plan)
    {
        check_configs(cx, plan, &facts.with_bundle(bundle), &wanted, &mut found).await?;
    }
    found.into_result()?;
    let region_id = parse_region_id(&plan.region_id)?;
    plan.nodes = changed_nodes(cx, private, prior, plan, &region_id, &wanted)?.into();
    Ok(remake(plan))
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
    let (mut changing, mut rebooting, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for (name, node) in wanted {
        let Some(standing) = prior.nodes.known().and_then(|nodes| nodes.get(name)).and_then(Value::known) else {
            let machine_type = names::machine_type(region_id.place.provider_type, &node.machine_type).to_owned();
            nodes.insert(name.clone(), new_node(plan, node, Some(&machine_type)).into());
            made.push(name.as_str());
            continue;
        };
        let mut next = standing.clone();
        if let Some((before, after)) = &blueprints {
            let (zone, machine_type) =
                (standing.zone.as_str().unwrap_or_default(), standing.machine_type.as_str().unwrap_or_default());
            let config = after.node_config(node, zone, machine_type)?;
            let fingerprint = config.fingerprint();
            if standing.config.as_str() != Some(&fingerprint) {
                next.config = fingerprint.into();
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
                } else {
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
            ("change in place", &changing),
            ("change and reboot, one at a time", &rebooting),
            ("be drained and removed", &gone),
        ],
    );
    Ok(nodes)
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

/// Changes that this release makes on no running cluster; said in the plan, not in the middle of an apply.
fn unsupported(prior: &ClusterModel, plan: &ClusterModel) -> Result<(), Diagnostics> {
    let mut found = Diagnostics::new();
    let mut refuse = |place: Path, what: &str, instead: &str| {
        found.push(
            Diagnostic::error(format!("{what} cannot be changed on a running cluster")).detail(instead.to_owned()).at(place),
        );
    };
    let versions = "This release upgrades no cluster. Set the value back to what the cluster runs.";
    if plan.talos_version != prior.talos_version {
        refuse(path!("talos_version"), "`talos_version`", versions);
    }
    if plan.kubernetes_version != prior.kubernetes_version {
        refuse(path!("kubernetes_version"), "`kubernetes_version`", versions);
    }
    if let (Some(before), Some(after)) = (prior.control_plane.known(), plan.control_plane.known()) {
        let fixed =
            "The control plane keeps the size and machines that it was made with. Set the value back, or make a new cluster.";
        for (attribute, same) in [
            ("count", before.count == after.count),
            ("machine_type", before.machine_type == after.machine_type),
            ("disk_size", before.disk_size == after.disk_size),
            ("disk_type", before.disk_type == after.disk_type),
        ] {
            if !same {
                refuse(path!("control_plane").attribute(attribute), &format!("`control_plane.{attribute}`"), fixed);
            }
        }
    }
    for (name, after) in plan.worker_pool.known().into_iter().flatten() {
        let Some(before) = prior.worker_pool.known().and_then(|pools| pools.get(name)) else { continue };
        let pool =
            "A pool keeps its machines. Add a pool with the new value, apply, then take this one away: its nodes are drained.";
        for (attribute, same) in [
            ("machine_type", before.machine_type == after.machine_type),
            ("disk_size", before.disk_size == after.disk_size),
            ("disk_type", before.disk_type == after.disk_type),
            // A kubelet sets taints when it registers, never after.
            ("taints", strings(&before.taints) == strings(&after.taints)),
        ] {
            if !same {
                refuse(
                    path!("worker_pool").element(name.as_str()).attribute(attribute),
                    &format!("`{attribute}` of pool `{name}`"),
                    pool,
                );
            }
        }
    }
    found.into_result()
}
