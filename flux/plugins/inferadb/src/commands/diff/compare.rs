//! What a change does to a cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::TextDiff;

use super::fate::{self, Fate};
use super::images::images;
use super::mask;
use super::noise::Noise;
use super::report::{Change, Kind, Report, Withheld};
use super::side::{Placed, Side};
use crate::fleet::{Cluster, Kustomization};
use crate::object::Id;
use crate::yaml;

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
