//! Rules `variable-unused` and `variable-secret`. A variable without a value fails its Kustomization's build.

use std::collections::BTreeSet;

use super::{Gatherer, objects};
use crate::place::{Step, each_value, value_at};
use crate::variables;

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    let clusters = gatherer.context.clusters;
    // By kind, namespace and name of the object that gives them: what is read of it in any cluster.
    let mut read: BTreeSet<(String, String, String, String)> = BTreeSet::new();
    let mut given: BTreeSet<(String, String, String)> = BTreeSet::new();
    let mut complete = gatherer.context.all_clusters;
    for kustomization in clusters.iter().flat_map(|cluster| &cluster.kustomizations) {
        for reference in variables::references(kustomization.spec()) {
            let source = (reference.kind.to_owned(), kustomization.object.namespace().to_owned(), reference.name.to_owned());
            // What the broken one reads is not known.
            complete &= kustomization.outcome.is_ok();
            for name in kustomization.outcome.iter().flat_map(|built| &built.reads) {
                read.insert((source.0.clone(), source.1.clone(), source.2.clone(), name.clone()));
            }
            given.insert(source);
        }
    }
    for cluster in clusters {
        for (by, object) in objects(cluster) {
            let key = (object.kind().to_owned(), object.namespace().to_owned(), object.name().to_owned());
            if complete && object.group().is_empty() && given.contains(&key) {
                for field in ["data", "stringData"] {
                    for name in object.0[field].as_object().into_iter().flatten().map(|(name, _)| name) {
                        let (kind, namespace, object_name) = key.clone();
                        if !read.contains(&(kind, namespace, object_name, name.clone())) {
                            let path = [field, name].map(|key| Step::Key(key.to_owned()));
                            let message =
                                format!("no Kustomization of any cluster reads the variable `{name}`: take it out, or use it");
                            gatherer.add("variable-unused", (cluster, by, object), &path, message);
                        }
                    }
                }
            }
        }
        for by in &cluster.kustomizations {
            let Ok(built) = &by.outcome else { continue };
            for (object, shadow) in built.objects.iter().zip(&built.shadows) {
                let Some(shadow) = shadow else { continue };
                if object.is("", "Secret") {
                    continue;
                }
                let mut shown: Vec<Vec<Step>> = Vec::new();
                each_value(&object.0, &mut Vec::new(), &mut |path, value| {
                    if !value.is_object() && !value.is_array() && value != value_at(shadow, path) {
                        shown.push(path.to_vec());
                    }
                });
                for path in shown {
                    let message = "a variable from a Secret goes into an object that is none, where everybody reads it: put it into a Secret, and name that".to_owned();
                    gatherer.add("variable-secret", (cluster, by, object), &path, message);
                }
            }
        }
    }
}
