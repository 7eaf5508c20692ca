//! What a change does to a cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::TextDiff;

use super::fate::{self, Fate};
use super::images::images;
use super::mask;
use super::noise::Noise;
use crate::fleet::{Cluster, Kustomization};
use crate::object::{Id, Object};
use crate::yaml;

/// What happens to one object.
pub(super) struct Change {
    pub(super) id: Id,
    pub(super) kind: Kind,
    /// The Kustomization that produces it, or did.
    pub(super) by: String,
    /// Lines of a unified diff, or of the whole object.
    pub(super) lines: String,
}

/// Kinds of changes, in the order in which they are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Deleted by Flux, with what it holds.
    PrunedWithData,
    /// Produced by another Kustomization now, which waits for the one before, and that prunes it first, with what it holds.
    MovedEmptied(String),
    /// The same, where the one before may be first.
    MovedAtRisk(String),
    Pruned,
    /// Produced by another Kustomization now, and still by the one before, which is gone from the tree and not from the cluster.
    Contested(String),
    /// Not produced any more, and left in the cluster.
    Left,
    /// The same, with the Kustomization that produces it.
    LeftWithOwner,
    /// Produced by another Kustomization now: which one before.
    Moved(String),
    Created,
    Changed,
}

/// A Kustomization or Helm release whose objects cannot be compared, and why.
pub(super) struct Withheld {
    /// `KIND NAMESPACE/NAME`.
    pub(super) producer: String,
    pub(super) is_release: bool,
    pub(super) side: &'static str,
    pub(super) error: String,
    pub(super) objects: usize,
}

/// An image that other pods run with now.
pub(super) struct Image {
    pub(super) name: String,
    pub(super) old: String,
    pub(super) new: String,
}

/// All that happens to a cluster.
pub(super) struct Report {
    pub(super) cluster: String,
    pub(super) changes: Vec<Change>,
    pub(super) withheld: Vec<Withheld>,
    pub(super) images: Vec<Image>,
    pub(super) notes: Vec<String>,
}

impl Withheld {
    /// What it does not do.
    pub(super) fn verb(&self) -> &'static str {
        if self.is_release { "is not rendered" } else { "does not build" }
    }

    /// How many objects that leaves out, where the other side has any.
    pub(super) fn count(&self, before: &str) -> String {
        match self.objects {
            0 => String::new(),
            objects => format!("{before}{objects} of its objects are not compared"),
        }
    }
}

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.withheld.is_empty() && self.notes.is_empty()
    }
}

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
    shadow: Option<&'c Value>,
    pub(super) by: &'c Kustomization,
}

impl<'c> Side<'c> {
    fn new(cluster: Option<&'c Cluster>) -> Self {
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

    fn failed(&self) -> BTreeSet<&str> {
        let failed = self.producers.iter().filter(|(_, one)| one.outcome.is_err());
        failed.map(|(id, _)| id.as_str()).collect()
    }

    /// Whether Flux applies nothing of it: it is suspended, or the Kustomization of a release is.
    pub(super) fn is_suspended(&self, one: &Kustomization) -> bool {
        let parent = one.parent.as_ref().filter(|_| one.is_release()).and_then(|parent| self.producers.get(parent));
        one.is_suspended() || parent.is_some_and(|parent| parent.is_suspended())
    }

    /// The first of these that a Kustomization is, or is rendered below.
    fn below<'f>(&self, kustomization: &Kustomization, these: &BTreeSet<&'f str>) -> Option<&'f str> {
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

/// Compares a cluster before and after.
pub(super) fn compare(name: &str, old: Option<&Cluster>, new: Option<&Cluster>, noise: &Noise) -> Report {
    let mut report =
        Report { cluster: name.to_owned(), changes: Vec::new(), withheld: Vec::new(), images: Vec::new(), notes: Vec::new() };
    if new.is_none() {
        report.notes.push("its folder is gone: its Flux finds nothing to build any more, and prunes nothing".to_owned());
        return report;
    }
    let (before, after) = (Side::new(old), Side::new(new));
    let (failed_before, failed_after) = (before.failed(), after.failed());
    // What a failed producer would have made on the other side is not known.
    let mut unknown: BTreeMap<(&str, &'static str), usize> = BTreeMap::new();
    // A release that neither side renders is no failure.
    let fails = |side: &Side<'_>, id: &&&str| side.producers.get(**id).is_some_and(|one| !one.is_left_out());
    unknown.extend(failed_before.iter().filter(|id| fails(&before, id)).map(|id| ((*id, "before"), 0)));
    unknown.extend(failed_after.iter().filter(|id| fails(&after, id)).map(|id| ((*id, "after"), 0)));
    let ids: BTreeSet<&Id> = before.objects.keys().chain(after.objects.keys()).collect();
    for id in ids {
        match (before.objects.get(id), after.objects.get(id)) {
            (Some(old), None) => match before.below(old.by, &failed_after) {
                Some(failed) => *unknown.entry((failed, "after")).or_default() += 1,
                None => report.changes.extend(gone(id, *old, &before, &after, noise)),
            },
            (None, Some(new)) => match after.below(new.by, &failed_before) {
                Some(failed) => *unknown.entry((failed, "before")).or_default() += 1,
                None if after.is_suspended(new.by) => {}
                None => report.changes.extend(change(id, Kind::Created, None, Some(*new), noise)),
            },
            (Some(old), Some(new)) if !after.is_suspended(new.by) => {
                let still = |by: &Vec<&Kustomization>| by.iter().any(|by| by.id() == old.by.id());
                let kind = if old.by.id() == new.by.id() || after.shared.get(id).is_some_and(still) {
                    Kind::Changed
                } else {
                    moved(id, *old, *new, &before, &after)
                };
                report.changes.extend(change(id, kind, Some(*old), Some(*new), noise));
            }
            // Who produces it now applies nothing, and who did prunes it.
            (Some(old), Some(new)) if old.by.id() != new.by.id() => {
                report.changes.extend(gone(id, *old, &before, &after, noise));
            }
            _ => {}
        }
    }
    for ((id, side), objects) in unknown {
        let Some(producer) = (if side == "before" { before.producers.get(id) } else { after.producers.get(id) }) else {
            continue;
        };
        let error = producer.failure().unwrap_or_default();
        let is_release = producer.is_release();
        let one = Withheld { producer: producer.title(), is_release, side, error, objects };
        // What fails on both sides in the same way is said once.
        match report.withheld.last_mut().filter(|last| last.producer == one.producer && last.error == one.error) {
            Some(last) => {
                last.side = "before and after";
                last.objects += one.objects;
            }
            None => report.withheld.push(one),
        }
    }
    for (id, one) in after.producers.iter().filter(|(_, one)| one.is_suspended()) {
        if before.producers.contains_key(id) && one.outcome.is_ok() {
            report.notes.push(format!("{} is suspended: what changes in it is not applied", one.title()));
        }
    }
    for (id, by) in after.shared.iter().filter(|(id, _)| !before.shared.contains_key(*id)) {
        let by: Vec<String> = by.iter().map(|one| one.title()).collect();
        report.notes.push(format!("{id} is produced by {}: each undoes what the other applies", by.join(" and by ")));
    }
    report.changes.sort_by(|one, other| (&one.kind, &one.id).cmp(&(&other.kind, &other.id)));
    report.images = images(&before, &after);
    report
}

/// An object that is not produced any more.
fn gone(id: &Id, old: Placed<'_>, before: &Side<'_>, after: &Side<'_>, noise: &Noise) -> Option<Change> {
    let kind = match fate::fate(id, old, before, after) {
        Fate::Pruned if fate::takes_data_along(id, old.object) => Kind::PrunedWithData,
        Fate::Pruned => Kind::Pruned,
        Fate::Left => Kind::Left,
        Fate::LeftWithOwner => Kind::LeftWithOwner,
    };
    change(id, kind, Some(old), None, noise)
}

/// An object that another one produces now. It is pruned by the one before, unless the new one has put its own labels on it.
fn moved(id: &Id, old: Placed<'_>, new: Placed<'_>, before: &Side<'_>, after: &Side<'_>) -> Kind {
    let from = old.by.id();
    match fate::fate(id, old, before, after) {
        Fate::LeftWithOwner => Kind::Contested(from),
        Fate::Pruned if fate::takes_data_along(id, old.object) => match fate::first_of(old.by, new.by, after) {
            Some(first) if first == from => Kind::MovedEmptied(from),
            Some(_) => Kind::Moved(from),
            None => Kind::MovedAtRisk(from),
        },
        _ => Kind::Moved(from),
    }
}

/// The change, where anything but noise is one.
fn change(id: &Id, kind: Kind, old: Option<Placed<'_>>, new: Option<Placed<'_>>, noise: &Noise) -> Option<Change> {
    let side = |placed: Option<Placed<'_>>| placed.map(|placed| (placed.object.clone(), placed.shadow.cloned()));
    let (mut before, mut after) = (side(old), side(new));
    for (object, shadow) in before.iter_mut().chain(after.iter_mut()) {
        noise.strip(&mut object.0);
        if let Some(shadow) = shadow {
            noise.strip(shadow);
        }
    }
    if kind == Kind::Changed && before.as_ref().map(|(object, _)| object) == after.as_ref().map(|(object, _)| object) {
        return None;
    }
    let (old_value, new_value) = mask::pair(
        before.as_ref().map(|(object, shadow)| (object, shadow.as_ref())),
        after.as_ref().map(|(object, shadow)| (object, shadow.as_ref())),
    );
    let text = |value: &Value| if value.is_null() { String::new() } else { yaml::emit(value) };
    let lines = match kind {
        Kind::Pruned | Kind::PrunedWithData | Kind::Left | Kind::LeftWithOwner => String::new(),
        _ => unified(&text(&old_value), &text(&new_value)),
    };
    let by = new.or(old).map(|placed| placed.by.id()).unwrap_or_default();
    Some(Change { id: id.clone(), kind, by, lines })
}

fn unified(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).to_string()
}
