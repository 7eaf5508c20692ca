//! Waivers: an annotation `waive.inferadb.com/RULE: why` at the object.

use std::collections::BTreeSet;

use super::{Gatherer, RULES, objects};
use crate::fleet::Cluster;
use crate::object::Object;
use crate::place::Step;

const PREFIX: &str = "waive.inferadb.com/";

/// What was waived so far.
#[derive(Default)]
pub(super) struct Waivers(BTreeSet<(String, String)>);

impl Waivers {
    /// Why an object waives a rule.
    pub(super) fn reason(&mut self, object: &Object, rule: &str) -> Option<String> {
        let reason = object.annotation(&format!("{PREFIX}{rule}")).map(str::trim).filter(|reason| !reason.is_empty())?;
        self.0.insert((object.id().to_string(), rule.to_owned()));
        Some(reason.to_owned())
    }
}

/// Waivers of nothing: of a rule that is none, without a reason, or of what is not wrong in any cluster.
pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    // What was not judged may be wrong all the same.
    let all_judged = gatherer.context.all_clusters && gatherer.context.clusters.iter().all(Cluster::is_whole);
    for cluster in gatherer.context.clusters {
        for (by, object) in objects(cluster) {
            for (key, value) in object.0["metadata"]["annotations"].as_object().into_iter().flatten() {
                let Some(rule) = key.strip_prefix(PREFIX) else { continue };
                let used = gatherer.waivers.0.contains(&(object.id().to_string(), rule.to_owned()));
                let message = if !RULES.iter().any(|known| known.id == rule) {
                    format!("there is no rule `{rule}`: `flux inferadb validate --rules` lists them")
                } else if value.as_str().is_none_or(|reason| reason.trim().is_empty()) {
                    format!("the waiver of `{rule}` has no reason: say in the annotation why it holds")
                } else if !used && all_judged {
                    format!("the waiver of `{rule}` waives nothing any more: take it out")
                } else {
                    continue;
                };
                let path = ["metadata", "annotations", key].map(|key| Step::Key(key.to_owned()));
                gatherer.add("waiver", (cluster, by, object), &path, message);
            }
        }
    }
}
