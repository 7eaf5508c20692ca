//! What becomes of an object that the Kustomization before produces no more.

use std::collections::BTreeSet;

use serde_json::Value;

use super::side::{Placed, Side};
use crate::fleet::Kustomization;
use crate::object::{Id, Object};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pruned,
    /// Nobody prunes it.
    Left,
    /// Nobody deletes the Kustomization either that is gone from the tree: it goes on applying.
    LeftWithOwner,
}

/// Whether Flux deletes what is produced no more. Who prunes is the producer as it is now.
pub(super) fn fate(id: &Id, old: Placed<'_>, before: &Side<'_>, after: &Side<'_>) -> Fate {
    let now = after.producers.get(&old.by.id());
    let owner = || match before.objects.get(&old.by.object.id()) {
        // Nothing produces the root; its own file may.
        Some(owner) if owner.by.id() != old.by.id() => fate(&old.by.object.id(), *owner, before, after),
        _ => Fate::Pruned,
    };
    let pruned = |is_pruned: bool| if is_pruned { Fate::Pruned } else { Fate::Left };
    if old.by.is_release() {
        let is_kept = old.by.outcome.as_ref().is_ok_and(|built| built.kept.contains(id))
            || old.object.annotation("helm.sh/resource-policy") == Some("keep")
            || old.object.annotation("helm.sh/hook").is_some();
        // A release that is gone takes its objects along, if it is deleted itself.
        return pruned(!is_kept && now.map_or_else(|| owner() == Fate::Pruned, |now| !after.is_suspended(now)));
    }
    let Some(now) = now else {
        return match owner() {
            Fate::Pruned => pruned(prunes_when_deleted(old.by.spec()) && !is_spared(old.object)),
            _ if old.by.is_suspended() => Fate::Left,
            _ => Fate::LeftWithOwner,
        };
    };
    pruned(now.spec()["prune"] == true && !now.is_suspended() && !is_spared(old.object))
}

/// Whether a Kustomization that is deleted deletes what it applied.
fn prunes_when_deleted(spec: &Value) -> bool {
    let prunes = match spec["deletionPolicy"].as_str().unwrap_or("MirrorPrune") {
        "Delete" | "WaitForTermination" => true,
        "MirrorPrune" => spec["prune"] == true,
        _ => false,
    };
    prunes && spec["suspend"] != true
}

/// Whether a label or annotation keeps kustomize-controller from deleting an object.
fn is_spared(object: &Object) -> bool {
    [("prune", "disabled"), ("reconcile", "disabled"), ("ssa", "ignore")].into_iter().any(|(key, value)| {
        let key = format!("kustomize.toolkit.fluxcd.io/{key}");
        let is = |told: Option<&str>| told.is_some_and(|told| told.eq_ignore_ascii_case(value));
        is(object.label(&key)) || is(object.annotation(&key))
    })
}

/// Whether the deletion of an object takes data along, or everything in it.
pub(super) fn takes_data_along(id: &Id, object: &Object) -> bool {
    match (id.group.as_str(), id.kind.as_str()) {
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => prunes_when_deleted(&object.0["spec"]),
        ("", "PersistentVolumeClaim" | "PersistentVolume" | "Namespace")
        | ("apps", "StatefulSet")
        | ("apiextensions.k8s.io", "CustomResourceDefinition")
        | ("apps.foundationdb.org", _)
        | ("helm.toolkit.fluxcd.io", "HelmRelease") => true,
        _ => false,
    }
}

/// Which of two Kustomizations is through with a change before the other starts: the one that the other waits for.
pub(super) fn first_of(old: &Kustomization, new: &Kustomization, after: &Side<'_>) -> Option<String> {
    // What is gone waits for nothing any more.
    if old.is_release() || new.is_release() || !after.producers.contains_key(&old.id()) {
        return None;
    }
    match (waits_for(&new.id(), &old.id(), after), waits_for(&old.id(), &new.id(), after)) {
        (true, false) => Some(old.id()),
        (false, true) => Some(new.id()),
        _ => None,
    }
}

fn waits_for(one: &str, other: &str, side: &Side<'_>) -> bool {
    let (mut seen, mut left) = (BTreeSet::new(), vec![one.to_owned()]);
    while let Some(id) = left.pop() {
        let next = side.producers.get(&id).map(|one| one.depends_on()).unwrap_or_default();
        if next.iter().any(|id| id == other) {
            return true;
        }
        left.extend(next.into_iter().filter(|id| seen.insert(id.clone())));
    }
    false
}
