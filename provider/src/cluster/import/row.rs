//! The row of a cluster that stands, patches and nodes excepted.

use std::collections::{BTreeMap, BTreeSet};

use clouds::{ClusterOrigin, ClusterState, MachineRole};
use talos::config::Found;
use talos::secrets::Bundle;
use tf_provider::{Diagnostic, Diagnostics, ReadContext, Value};

use super::super::model::{ClusterModel, ControlPlane, WorkerPool};
use super::super::render::{Blueprint, host, note_endpoints};
use super::super::site::Site;
use super::patches::none;
use super::standing::{Cluster, Standing};
use crate::abilities;
use crate::claims;
use crate::configured::Configured;
use crate::ids::MemberId;
use crate::names;

/// What these are unless told.
const POD_CIDR: &str = "10.244.0.0/16";
const SERVICE_CIDR: &str = "10.96.0.0/12";
const DISK: (i64, &str) = (50, "gp3");

/// The attributes that cloud and nodes show.
pub(super) async fn read(
    cx: &ReadContext<Configured>,
    site: &Site,
    id: &MemberId,
    own: &ClusterState,
    origin: &ClusterOrigin,
    bundle: &Bundle,
    found: &Cluster,
) -> Result<ClusterModel, Diagnostics> {
    let control_plane = found.control_plane().ok_or_else(|| unknown(id, "control plane"))?;
    let shape = control_plane.config.as_ref().ok_or_else(|| unknown(id, "control plane"))?.found();
    let kubernetes = shape.kubernetes_version.as_ref().ok_or_else(|| {
        Diagnostic::error(format!("The Kubernetes version of cluster `{id}` cannot be read back")).detail(format!(
            "No image in the machine config of node `{}` bears a version. Nothing was changed.",
            control_plane.name
        ))
    })?;
    let endpoint = super::endpoint(id, own)?;
    let inside = own.internal_api_address.as_deref();
    let is_own = |san: &str| san == host(&endpoint) || Some(san) == inside;
    let sans = shape.cert_sans.iter().filter(|san| !is_own(san)).map(|san| san.as_str().into()).collect();
    let mut model = ClusterModel {
        id: id.to_string().into(),
        name: id.name.as_str().into(),
        region_id: id.region.to_string().into(),
        talos_version: found.version_text.as_str().into(),
        kubernetes_version: kubernetes.to_string().into(),
        image: image(site, origin, found).await,
        ingress: origin.serves_ingress.into(),
        pod_cidr: POD_CIDR.into(),
        service_cidr: SERVICE_CIDR.into(),
        kubernetes_api_allowed_cidrs: texts(&own.kubernetes_api_allowed_cidrs),
        talos_api_allowed_cidrs: texts(&own.talos_api_allowed_cidrs),
        cert_sans: Value::Known(sans),
        config_patches: none(),
        // These stand in the state only; what is so unless told makes the plan after an import empty.
        credentials_in_state: true.into(),
        deletion_protection: false.into(),
        tags: cx.provider.tags_beyond_defaults(&own.tags),
        tags_all: crate::tags::as_found(&Value::Null, &own.tags),
        status: claims::READY.into(),
        claim: Value::Null,
        environment: id.region.environment.as_str().into(),
        account_id: site.account_id.as_str().into(),
        provider_type: id.region.place.provider_type.as_str().into(),
        provider_region: id.region.place.provider_region.as_str().into(),
        config_contract: found.contract.as_str().into(),
        security_group_id: own.security_group_id.as_str().into(),
        drift: Value::Known(Vec::new()),
        endpoint: endpoint.into(),
        internal_endpoint: Value::Null,
        talos_endpoint: Value::Null,
        nodes: Value::Null,
        kubeconfig: Value::Null,
        talosconfig: Value::Null,
        control_plane: Value::Null,
        worker_pool: Value::Known(Vec::new()),
        timeouts: Value::Null,
    };
    note_endpoints(&mut model, own);
    networks(&mut model, control_plane, &shape, bundle);
    model.control_plane = self::control_plane(cx, site, origin, found, control_plane).await.into();
    // By name: in which order they were written, nothing tells.
    let mut pools = Vec::new();
    for sample in found.samples().filter(|node| node.machine.role == MachineRole::Worker) {
        pools.push(worker_pool(cx, site, id, origin, found, sample).await?);
    }
    model.worker_pool = pools.into();
    Ok(model)
}

/// Pod and service ranges stand for life, but a patch may say others: the tag of the machines tells which the cluster was made with.
fn networks(model: &mut ClusterModel, node: &Standing, shape: &Found, bundle: &Bundle) {
    let first = |ranges: &[ipnet::IpNet]| ranges.first().map(ToString::to_string);
    let pods: Vec<String> = first(&shape.pod_cidrs).into_iter().chain([POD_CIDR.to_owned()]).collect();
    let services: Vec<String> = first(&shape.service_cidrs).into_iter().chain([SERVICE_CIDR.to_owned()]).collect();
    let mut set = |pods: &str, services: &str| {
        model.pod_cidr = pods.into();
        model.service_cidr = services.into();
        let fingerprint = Blueprint::facts(model).map(|facts| facts.with_bundle(bundle).machine_fingerprint());
        fingerprint.as_deref() == Some(&node.machine.bundle_fingerprint)
    };
    if pods.iter().any(|pods| services.iter().any(|services| set(pods, services))) {
        return;
    }
    set(&pods[0], &services[0]);
}

/// The image, where it is not the official one of the version.
async fn image(site: &Site, origin: &ClusterOrigin, found: &Cluster) -> Value<String> {
    let mut official: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for node in &found.nodes {
        let (id, machine_type) = (&node.machine.id, node.machine.machine_type.as_str());
        let Some(machine) = origin.machines.get(id) else { continue };
        if !official.contains_key(machine_type) {
            official.insert(machine_type, official_image(site, machine_type, &found.version_text).await);
        }
        if official.get(machine_type).is_some_and(|official| official.as_ref() != Some(&machine.image_id)) {
            return machine.image_id.as_str().into();
        }
    }
    Value::Null
}

/// One that is not offered any more cannot be compared with.
async fn official_image(site: &Site, machine_type: &str, version: &str) -> Option<String> {
    let architecture = site.cloud.machine_type(machine_type).await.ok()??.architecture;
    site.cloud.image(version, &architecture, None).await.ok().map(|image| image.id)
}

async fn control_plane(
    cx: &ReadContext<Configured>,
    site: &Site,
    origin: &ClusterOrigin,
    found: &Cluster,
    sample: &Standing,
) -> ControlPlane {
    let (disk_size, disk_type) = disk(cx, site, origin, sample);
    ControlPlane {
        count: count(found, sample).into(),
        machine_type: machine_type(site, sample),
        disk_size: disk_size.into(),
        disk_type: disk_type.into(),
        zones: zones(site, found, sample).await,
        config_patches: none(),
    }
}

async fn worker_pool(
    cx: &ReadContext<Configured>,
    site: &Site,
    id: &MemberId,
    origin: &ClusterOrigin,
    found: &Cluster,
    sample: &Standing,
) -> Result<WorkerPool, Diagnostics> {
    let machine = &sample.machine;
    let shape = sample.config.as_ref().ok_or_else(|| unknown(id, &format!("pool `{}`", machine.pool)))?.found();
    let name = super::super::desired::node_name(machine.role, &machine.pool, machine.index);
    let given = |key: &str, value: &str| {
        let region = id.region.place.provider_region.as_str();
        let own = super::super::render::own_labels(&name, region, &machine.zone, &machine.machine_type);
        own.contains(&(key, value))
    };
    let labels: BTreeMap<String, Value<String>> = shape
        .labels
        .iter()
        .filter(|(key, value)| !given(key, value))
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    let annotations: BTreeMap<String, Value<String>> =
        shape.annotations.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    let (disk_size, disk_type) = disk(cx, site, origin, sample);
    Ok(WorkerPool {
        name: machine.pool.as_str().into(),
        count: count(found, sample).into(),
        machine_type: machine_type(site, sample),
        disk_size: disk_size.into(),
        disk_type: disk_type.into(),
        zones: zones(site, found, sample).await,
        labels: labels.into(),
        annotations: annotations.into(),
        taints: texts(&shape.taints),
        config_patches: none(),
    })
}

/// The nodes of the sample's pool.
fn pool<'f>(found: &'f Cluster, sample: &'f Standing) -> impl Iterator<Item = &'f Standing> {
    let of = |node: &Standing| (node.machine.role, node.machine.pool.clone());
    found.nodes.iter().filter(move |node| of(node) == of(sample))
}

/// Up to the last that stands: one that is missing below it is made again.
fn count(found: &Cluster, sample: &Standing) -> i64 {
    pool(found, sample).map(|node| i64::from(node.machine.index) + 1).max().unwrap_or(0)
}

fn machine_type(site: &Site, sample: &Standing) -> Value<String> {
    names::our_machine_type(site.region_id.place.provider_type, &sample.machine.machine_type).into()
}

fn disk(cx: &ReadContext<Configured>, site: &Site, origin: &ClusterOrigin, sample: &Standing) -> (i64, String) {
    if let Some(disk) = origin.machines.get(&sample.machine.id).and_then(|machine| machine.root_disk.as_ref()) {
        return (i64::from(disk.size_gib), disk.volume_type.clone());
    }
    let (gib, kind) = DISK;
    if !abilities::of(site.region_id.place.provider_type).root_disks {
        return (gib, kind.to_owned());
    }
    cx.warn(Diagnostic::warning(format!("The root disk of node `{}` is not found", sample.name)).detail(format!(
        "It is taken for one of {gib} GiB and type `{kind}`. Where the next plan says that `disk_size` or `disk_type` cannot be \
         changed, the disk has lost its tags or is not attached."
    )));
    (gib, kind.to_owned())
}

/// None given where the nodes are spread over all zones of the region that offer their machine type; else those that they are in.
async fn zones(site: &Site, found: &Cluster, sample: &Standing) -> Value<Vec<Value<String>>> {
    let offered = site.cloud.machine_type(&sample.machine.machine_type).await.ok().flatten().map(|offered| offered.zones);
    let all: Vec<&str> = site
        .region
        .subnets
        .iter()
        .map(|subnet| subnet.zone.as_str())
        .filter(|zone| offered.as_ref().is_none_or(|offered| offered.iter().any(|offer| offer == zone)))
        .collect();
    let spread = |node: &Standing| all.get(node.machine.index as usize % all.len().max(1)) == Some(&node.machine.zone.as_str());
    if pool(found, sample).all(spread) {
        return none();
    }
    let zones: BTreeSet<&str> = pool(found, sample).map(|node| node.machine.zone.as_str()).collect();
    Value::Known(zones.into_iter().map(Into::into).collect())
}

fn texts<T: ToString>(list: &[T]) -> Value<Vec<Value<String>>> {
    Value::Known(list.iter().map(|item| item.to_string().into()).collect())
}

fn unknown(id: &MemberId, who: &str) -> Diagnostics {
    Diagnostic::error(format!("What the {who} of cluster `{id}` runs with cannot be read back"))
        .detail(
            "None of its nodes answers, and none of its machines gives its user data back. Let this machine reach the nodes' port \
             50000, and import again. Nothing was changed.",
        )
        .into()
}
