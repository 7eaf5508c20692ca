//! Rules `producer` and `namespace`: one Kustomization makes an object, in a namespace that is there.

use std::collections::BTreeSet;

use super::{Gatherer, objects};
use crate::fleet::Cluster;
use crate::object::Object;
use crate::place::steps;

/// The namespaces that each cluster has.
const EVERYWHERE: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    for cluster in gatherer.context.clusters {
        for (id, by) in cluster.produced_twice() {
            let Some((first, others)) = by.split_first() else { continue };
            for other in others {
                let Some(object) = other.objects().iter().find(|object| object.id() == id) else { continue };
                let message = format!(
                    "both {} and {} produce it, and each undoes what the other applies: take it out of one",
                    first.title(),
                    other.title()
                );
                gatherer.add("producer", (cluster, other, object), &steps("metadata.name"), message);
            }
        }
        if cluster.is_whole() {
            namespaces(gatherer, cluster);
        }
    }
}

fn namespaces(gatherer: &mut Gatherer<'_>, cluster: &Cluster) {
    let all = || objects(cluster).filter(|(by, _)| !by.spec()["kubeConfig"].is_object());
    let mut known: BTreeSet<String> = EVERYWHERE.map(str::to_owned).into();
    known.extend(cluster.kustomizations.iter().filter(|one| one.parent.is_none()).map(|one| one.object.namespace().to_owned()));
    let mut wide = BTreeSet::new();
    for object in all().map(|(_, object)| object).chain(gatherer.context.given) {
        let spec = &object.0["spec"];
        if object.is("", "Namespace") {
            known.insert(object.name().to_owned());
        } else if object.is("helm.toolkit.fluxcd.io", "HelmRelease") && spec["install"]["createNamespace"] == true {
            known.insert(spec["targetNamespace"].as_str().unwrap_or(object.namespace()).to_owned());
        } else if object.is("apiextensions.k8s.io", "CustomResourceDefinition") && spec["scope"] == "Cluster" {
            wide.insert((spec["group"].as_str().unwrap_or_default(), spec["names"]["kind"].as_str().unwrap_or_default()));
        }
    }
    for (by, object) in all() {
        if wide.contains(&(object.group(), object.kind())) {
            continue;
        }
        for (namespace, path) in named(object) {
            if !known.contains(namespace) {
                let message = format!(
                    "nothing in this cluster makes the namespace `{namespace}`: correct the name, add a Namespace, or give it with `--vars` where it lives only in the cluster"
                );
                gatherer.add("namespace", (cluster, by, object), &steps(path), message);
            }
        }
    }
}

/// The namespaces that an object has to find.
fn named(object: &Object) -> impl Iterator<Item = (&str, &'static str)> {
    let is_release = object.is("helm.toolkit.fluxcd.io", "HelmRelease");
    let of_release = ["targetNamespace", "storageNamespace"].into_iter().zip(["spec.targetNamespace", "spec.storageNamespace"]);
    let of_release =
        of_release.filter(move |_| is_release).map(|(field, path)| (object.0["spec"][field].as_str().unwrap_or_default(), path));
    let own = std::iter::once((object.namespace(), "metadata.namespace"));
    own.chain(of_release).filter(|(namespace, _)| !namespace.is_empty())
}
