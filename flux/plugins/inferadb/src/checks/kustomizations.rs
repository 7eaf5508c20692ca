//! Rule `kustomization`: Flux drops the fields of a kustomization.yaml that it does not know, and applies nothing without a word.

use super::Gatherer;
use crate::fleet::Kustomization;
use crate::place::{Place, steps};
use crate::render::{FILE_NAMES, unknown_fields};
use crate::yaml;

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    for cluster in gatherer.context.clusters {
        for one in cluster.kustomizations.iter().filter(|one| one.outcome.is_ok()) {
            let unknown = unknown(gatherer, one);
            // What makes nothing for that reason is told once.
            if one.objects().is_empty() && unknown.is_empty() {
                let place = gatherer.context.places.of_kustomization(cluster, one, &steps("spec.path"));
                let message = "makes no object: correct its path or what lies there, or take it out".to_owned();
                gatherer.add_at("kustomization", cluster, place, &one.object, message);
            }
            for (place, message) in unknown {
                gatherer.add_at("kustomization", cluster, place, &one.object, message);
            }
        }
    }
}

fn unknown(gatherer: &Gatherer<'_>, one: &Kustomization) -> Vec<(Place, String)> {
    let is_kustomization = |file: &&String| FILE_NAMES.contains(&file.rsplit('/').next().unwrap_or_default());
    let mut found = Vec::new();
    for file in one.files.iter().filter(is_kustomization) {
        let Some(node) = gatherer.context.tree.text(file).ok().and_then(|text| yaml::parse_one(&text).ok()) else { continue };
        for unknown in unknown_fields(&node) {
            let message = format!(
                "`{}` is no field of a kustomization.yaml, and Flux drops it without a word: write `{}`, or take it out",
                unknown.field, unknown.nearest
            );
            found.push((Place { file: file.clone(), line: unknown.line }, message));
        }
    }
    found
}
