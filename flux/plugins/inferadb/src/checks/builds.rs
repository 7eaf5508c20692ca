//! Rules `build`, `depends-on` and `cycle`.

use super::Gatherer;
use crate::graph::Graph;
use crate::place::{Step, steps};

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    for cluster in gatherer.context.clusters {
        let graph = Graph::new(cluster);
        for producer in cluster.producers().filter(|producer| !producer.is_left_out()) {
            if let Err(error) = &producer.outcome {
                let place = gatherer.context.places.of_failure(cluster, producer, error);
                let message = error.to_string();
                let message = message.strip_prefix(&format!("{}:{}: ", place.file, place.line)).unwrap_or(&message).to_owned();
                gatherer.add_at("build", cluster, place, &producer.object, message);
            }
        }
        let mut add = |rule, id: &str, path: &[Step], message: String| {
            for kustomization in &cluster.kustomizations {
                if format!("Kustomization {}", kustomization.id()) == id {
                    let place = gatherer.context.places.of_kustomization(cluster, kustomization, path);
                    gatherer.add_at(rule, cluster, place, &kustomization.object, message.clone());
                }
                for object in kustomization.objects() {
                    if format!("HelmRelease {}/{}", object.namespace(), object.name()) == id && object.kind() == "HelmRelease" {
                        gatherer.add(rule, (cluster, kustomization, object), path, message.clone());
                    }
                }
            }
        };
        for (id, after) in graph.missing().into_iter().filter(|_| cluster.is_whole()) {
            let position =
                graph.nodes.iter().find(|node| node.id == id).and_then(|node| node.after.iter().position(|one| one == after));
            let path = steps(&format!("spec.dependsOn.{}", position.unwrap_or(0)));
            add("depends-on", id, &path, format!("waits for {after}, which is not there: correct its `dependsOn`"));
        }
        for cycle in graph.cycles() {
            let first = cycle.first().copied().unwrap_or_default();
            let message =
                format!("{} waits for {first}: none of them gets ready; take one `dependsOn` out", cycle.join(" waits for "));
            add("cycle", first, &steps("spec.dependsOn"), message);
        }
    }
}
