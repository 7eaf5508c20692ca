//! What a configuration says by itself, and what it may not ask of a cluster that runs.

use clouds::ProviderType;
use talos::patch::Patch;
use talos::version::{KubernetesVersion, TalosVersion};
use tf_provider::{Diagnostic, Diagnostics, Path, Value, path};

use crate::abilities;
use crate::cluster::checks;
use crate::cluster::desired::strings;
use crate::cluster::model::ClusterModel;
use crate::ids::RegionId;
use crate::names;

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
    for (place, name, _) in config.pools() {
        if config.pools().any(|(before, other, _)| before < place && other == name) {
            diagnostics.push(
                Diagnostic::error(format!("Two pools are called `{name}`"))
                    .detail("A pool is known by its name: give one of them another, or take it away.")
                    .at(path!("worker_pool").element(place).attribute("name")),
            );
        }
    }
    ranges(config, None, diagnostics);
    if let Some(region) = config.region_id.as_str().and_then(|id| id.parse::<RegionId>().ok()) {
        lacking(config, region.place.provider_type, diagnostics);
    }
}

/// What the region's cloud does not have. Most configurations name a region that only the plan knows.
pub(super) fn lacking(config: &ClusterModel, cloud: ProviderType, diagnostics: &mut Diagnostics) {
    if !abilities::of(cloud).root_disks {
        let why = "Nodes keep what they write in volumes, which take what the engine's machine has.";
        for attribute in disks(config) {
            diagnostics.push(abilities::lacking(cloud, attribute, why));
        }
    }
    if abilities::of(cloud).firewall {
        return;
    }
    let why = "It publishes ports on the host, where whoever reaches them is let through.";
    for (asked, attribute) in [
        (!config.kubernetes_api_allowed_cidrs.is_null(), path!("kubernetes_api_allowed_cidrs")),
        (!config.talos_api_allowed_cidrs.is_null(), path!("talos_api_allowed_cidrs")),
    ] {
        if asked {
            diagnostics.push(abilities::lacking(cloud, attribute, why));
        }
    }
}

/// Where a configuration says something of root disks.
fn disks(config: &ClusterModel) -> Vec<Path> {
    let mut said = Vec::new();
    let mut look = |block: Path, size: &Value<i64>, kind: &Value<String>| {
        said.extend((!size.is_null()).then(|| block.clone().attribute("disk_size")));
        said.extend((!kind.is_null()).then(|| block.attribute("disk_type")));
    };
    if let Some(control_plane) = config.control_plane.known() {
        look(path!("control_plane"), &control_plane.disk_size, &control_plane.disk_type);
    }
    for (place, _, pool) in config.pools() {
        look(path!("worker_pool").element(place), &pool.disk_size, &pool.disk_type);
    }
    said
}

/// The attributes of all patch lists, each with its place in the configuration.
fn patch_lists(config: &ClusterModel) -> Vec<(Path, &Value<Vec<Value<String>>>)> {
    let mut lists = vec![(path!("config_patches"), &config.config_patches)];
    if let Some(control_plane) = config.control_plane.known() {
        lists.push((path!("control_plane", "config_patches"), &control_plane.config_patches));
    }
    for (place, pool) in config.worker_pool.known().into_iter().flatten().enumerate() {
        lists.push((path!("worker_pool").element(place).attribute("config_patches"), &pool.config_patches));
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

/// Changes that this release makes on no running cluster; said in the plan, not in the middle of an apply. `rebuilds`: where
/// another Talos is another machine.
pub(super) fn unsupported(prior: &ClusterModel, plan: &ClusterModel, rebuilds: bool) -> Result<(), Diagnostics> {
    let mut found = Diagnostics::new();
    let mut refusals = Vec::new();
    let mut refuse = |place: Path, what: &str, instead: &str| {
        refusals.push(
            Diagnostic::error(format!("{what} cannot be changed on a running cluster")).detail(instead.to_owned()).at(place),
        );
    };
    let versions = "This release upgrades no cluster. Set the value back to what the cluster runs.";
    if plan.talos_version != prior.talos_version {
        if !rebuilds {
            refuse(path!("talos_version"), "`talos_version`", versions);
        } else if let Some(problem) = wrong_step(prior, plan) {
            found.push(problem);
        }
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
    let cloud = prior.region_id.as_str().and_then(|id| id.parse::<RegionId>().ok()).map(|region| region.place.provider_type);
    let own = |name: &Value<String>| cloud.zip(name.as_str()).map(|(cloud, name)| names::machine_type(cloud, name).to_owned());
    for (place, name, after) in plan.pools() {
        let Some(before) = prior.pool(name) else { continue };
        let pool =
            "A pool keeps its machines. Add a pool with the new value, apply, then take this one away: its nodes are drained.";
        for (attribute, same) in [
            ("machine_type", own(&before.machine_type) == own(&after.machine_type)),
            ("disk_size", before.disk_size == after.disk_size),
            ("disk_type", before.disk_type == after.disk_type),
            // A kubelet sets taints when it registers, never after.
            ("taints", strings(&before.taints) == strings(&after.taints)),
        ] {
            if !same {
                refuse(
                    path!("worker_pool").element(place).attribute(attribute),
                    &format!("`{attribute}` of pool `{name}`"),
                    pool,
                );
            }
        }
    }
    found.extend(Diagnostics::from(refusals));
    found.into_result()
}

/// What speaks against another Talos on the disks of the one that runs.
fn wrong_step(prior: &ClusterModel, plan: &ClusterModel) -> Option<Diagnostic> {
    let version = |value: &Value<String>| value.as_str().and_then(|text| TalosVersion::parse(text).ok());
    let (before, after) = (version(&prior.talos_version)?, version(&plan.talos_version)?);
    if !(before.minor()..=before.minor() + 1).contains(&after.minor()) {
        return Some(
            Diagnostic::error(format!("Talos cannot go from {before} to {after} in one step"))
                .detail(format!(
                    "Talos reads what the minor version before it has left on a disk: {before} goes to another release of v1.{} or to \
                     one of v1.{}.",
                    before.minor(),
                    before.minor() + 1
                ))
                .at(path!("talos_version")),
        );
    }
    // An image that is named is the Talos that nodes run, whatever the version says.
    (!plan.image.is_null() && plan.image == prior.image).then(|| {
        Diagnostic::error(format!("`image` is not one of Talos {after}"))
            .detail(format!(
                "It is the image of {before} as before. Name one of {after}, or leave `image` out for the official one."
            ))
            .at(path!("image"))
    })
}
