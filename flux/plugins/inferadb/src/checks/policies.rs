//! Rules `default-deny` and `deprecated-api`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Gatherer, objects};
use crate::object::Object;
use crate::place::steps;

/// Versions of APIs that are gone or go, by group, with what comes after.
const OLD: &[(&str, &str, &str)] = &[
    ("source.toolkit.fluxcd.io", "v1beta1", "v1"),
    ("source.toolkit.fluxcd.io", "v1beta2", "v1"),
    ("kustomize.toolkit.fluxcd.io", "v1beta1", "v1"),
    ("kustomize.toolkit.fluxcd.io", "v1beta2", "v1"),
    ("helm.toolkit.fluxcd.io", "v2beta1", "v2"),
    ("helm.toolkit.fluxcd.io", "v2beta2", "v2"),
    ("image.toolkit.fluxcd.io", "v1beta1", "v1"),
    ("image.toolkit.fluxcd.io", "v1beta2", "v1"),
    ("notification.toolkit.fluxcd.io", "v1beta1", "v1beta3, a Receiver as v1"),
    ("notification.toolkit.fluxcd.io", "v1beta2", "v1beta3, a Receiver as v1"),
    ("autoscaling", "v2beta1", "v2"),
    ("autoscaling", "v2beta2", "v2"),
    ("batch", "v1beta1", "v1"),
    ("extensions", "v1beta1", "networking.k8s.io/v1"),
    ("networking.k8s.io", "v1beta1", "v1"),
    ("policy", "v1beta1", "v1"),
    ("rbac.authorization.k8s.io", "v1beta1", "v1"),
    ("apiextensions.k8s.io", "v1beta1", "v1"),
    ("admissionregistration.k8s.io", "v1beta1", "v1"),
    ("scheduling.k8s.io", "v1beta1", "v1"),
    ("storage.k8s.io", "v1beta1", "v1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta1", "v1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta2", "v1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta3", "v1"),
    ("external-secrets.io", "v1beta1", "v1"),
    ("cert-manager.io", "v1alpha2", "v1"),
    ("cert-manager.io", "v1alpha3", "v1"),
    ("cert-manager.io", "v1beta1", "v1"),
];

/// What comes after an object's version, where that is old.
pub(super) fn newer(object: &Object) -> Option<&'static str> {
    let version = object.api_version().rsplit('/').next().unwrap_or_default();
    OLD.iter().find(|(group, old, _)| *group == object.group() && *old == version).map(|(_, _, next)| *next)
}

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    for cluster in gatherer.context.clusters {
        let guarded: BTreeSet<&str> = objects(cluster).filter_map(|(_, object)| denies_by_default(object)).collect();
        for (by, object) in objects(cluster) {
            if let Some(next) = newer(object) {
                let message = format!("`{}` is old: write it as `{next}`", object.api_version());
                gatherer.add("deprecated-api", (cluster, by, object), &steps("apiVersion"), message);
            }
            let is_open = !guarded.contains(object.name()) && !guarded.contains(EVERYWHERE);
            if object.is("", "Namespace") && is_open && cluster.is_whole() {
                let message =
                    "no NetworkPolicy denies what is not allowed in it: add one that selects all pods and allows nothing"
                        .to_owned();
                gatherer.add("default-deny", (cluster, by, object), &steps("metadata.name"), message);
            }
        }
    }
}

const EVERYWHERE: &str = "";

/// The namespace in which a policy shuts all pods in: ingress, and for Cilium's, too, all of the cluster.
fn denies_by_default(object: &Object) -> Option<&str> {
    let spec = &object.0["spec"];
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    match (object.group(), object.kind()) {
        ("networking.k8s.io", "NetworkPolicy") => {
            let types = spec["policyTypes"].as_array();
            let ingress = types.is_none_or(|types| types.iter().any(|one| one == "Ingress"));
            let allows_none = spec["ingress"].as_array().is_none_or(Vec::is_empty);
            (is_empty(&spec["podSelector"]) && ingress && allows_none).then(|| object.namespace())
        }
        ("cilium.io", "CiliumNetworkPolicy") if is_empty(&spec["endpointSelector"]) => Some(object.namespace()),
        ("cilium.io", "CiliumClusterwideNetworkPolicy") if is_empty(&spec["endpointSelector"]) => Some(EVERYWHERE),
        _ => None,
    }
}
