//! A cluster before a change, or after it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fleet::{Cluster, Kustomization};
use crate::object::{Id, Object};

/// A side's objects by identity.
pub(super) struct Side<'c> {
    pub(super) objects: BTreeMap<Id, Placed<'c>>,
    /// Kustomizations and Helm releases, by their ids.
    pub(super) producers: BTreeMap<String, &'c Kustomization>,
    /// Objects that more than one Kustomization produces, with these.
    pub(super) shared: BTreeMap<Id, Vec<&'c Kustomization>>,
}

#[derive(Clone, Copy)]
pub(super) struct Placed<'c> {
    pub(super) object: &'c Object,
    pub(super) shadow: Option<&'c Value>,
    pub(super) by: &'c Kustomization,
}

impl<'c> Side<'c> {
    pub(super) fn new(cluster: Option<&'c Cluster>) -> Self {
        let all: Vec<&Kustomization> = cluster.into_iter().flat_map(Cluster::producers).collect();
        let mut objects = BTreeMap::new();
        for by in &all {
            if by.parent.is_none() {
                objects.insert(by.object.id(), Placed { object: &by.object, shadow: None, by });
            }
            if let Ok(built) = &by.outcome {
                for (object, shadow) in built.objects.iter().zip(&built.shadows) {
                    objects.insert(object.id(), Placed { object, shadow: shadow.as_ref(), by });
                }
            }
        }
        let shared = cluster.map(Cluster::produced_twice).unwrap_or_default();
        Side { objects, shared, producers: all.into_iter().map(|one| (one.id(), one)).collect() }
    }

    pub(super) fn failed(&self) -> BTreeSet<&str> {
        let failed = self.producers.iter().filter(|(_, one)| one.outcome.is_err());
        failed.map(|(id, _)| id.as_str()).collect()
    }

    /// Whether Flux applies nothing of it: it is suspended, or the Kustomization of a release is.
    pub(super) fn is_suspended(&self, one: &Kustomization) -> bool {
        let parent = one.parent.as_ref().filter(|_| one.is_release()).and_then(|parent| self.producers.get(parent));
        one.is_suspended() || parent.is_some_and(|parent| parent.is_suspended())
    }

    /// The first of these that a Kustomization is, or is rendered below.
    pub(super) fn below<'f>(&self, kustomization: &Kustomization, these: &BTreeSet<&'f str>) -> Option<&'f str> {
        let mut id = kustomization.id();
        let mut steps = 0;
        loop {
            if let Some(found) = these.get(id.as_str()) {
                return Some(found);
            }
            id = self.producers.get(&id)?.parent.clone()?;
            steps += 1;
            if steps > self.producers.len() {
                return None;
            }
        }
    }
}
