//! What a configuration says by itself, and what it may not ask of a cluster that runs.

use talos::patch::Patch;
use talos::version::{KubernetesVersion, TalosVersion};
use tf_provider::{Diagnostic, Diagnostics, Path, Value, path};

use crate::abilities;
use crate::cluster::checks;
use crate::cluster::desired::strings;
use crate::cluster::model::ClusterModel;
use crate::ids::RegionId;

/// Checks that concern several attributes, none of which needs the cloud.
pub(in crate::cluster) fn validate(config: &ClusterModel, diagnostics: &mut Diagnostics) {
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
pub(super) fn ranges(config: &ClusterModel, network: Option<&str>, diagnostics: &mut Diagnostics) {
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

/// Changes that this release makes on no running cluster; said in the plan, not in the middle of an apply.
pub(super) fn unsupported(prior: &ClusterModel, plan: &ClusterModel) -> Result<(), Diagnostics> {
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
