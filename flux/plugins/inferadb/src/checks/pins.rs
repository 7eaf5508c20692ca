//! Rules `image` and `chart`: what runs is named by a version, so that the same commit gives the same cluster.

use serde_json::Value;

use super::{Gatherer, objects};
use crate::object::Object;
use crate::place::{Step, each_value, steps};

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    for cluster in gatherer.context.clusters {
        for (by, object) in objects(cluster) {
            let mut loose: Vec<(Vec<Step>, String)> = Vec::new();
            each_value(&object.0, &mut Vec::new(), &mut |path, value| {
                let Some(Step::Key(key)) = path.last() else { return };
                if !matches!(key.as_str(), "containers" | "initContainers") {
                    return;
                }
                for (position, container) in value.as_array().into_iter().flatten().enumerate() {
                    if let Some(image) = container["image"].as_str().filter(|image| !is_pinned_image(image)) {
                        let path = [path, &[Step::Item(position), Step::Key("image".to_owned())]].concat();
                        loose.push((
                            path,
                            format!(
                                "the image `{image}` is of no certain version: give it a tag other than `latest`, or a digest"
                            ),
                        ));
                    }
                }
            });
            for (path, message) in loose {
                gatherer.add("image", (cluster, by, object), &path, message);
            }
            if let Some((path, message)) = loose_chart(object) {
                gatherer.add("chart", (cluster, by, object), &steps(path), message);
            }
        }
    }
}

fn is_pinned_image(image: &str) -> bool {
    if image.contains('@') {
        return true;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest")
}

/// A chart of whatever version there is, or the source of one.
fn loose_chart(object: &Object) -> Option<(&'static str, String)> {
    let spec = &object.0["spec"];
    let advice = "name one version, as `1.2.3`";
    match (object.group(), object.kind()) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") if spec["chart"].is_object() => {
            let version = spec["chart"]["spec"]["version"].as_str().unwrap_or_default();
            // Charts out of Git have the version of their commit.
            let of_git = spec["chart"]["spec"]["sourceRef"]["kind"] != "HelmRepository";
            let path = if version.is_empty() { "spec.chart.spec" } else { "spec.chart.spec.version" };
            (!of_git && !is_one_version(version)).then(|| (path, format!("the chart's version is {}: {advice}", shown(version))))
        }
        ("source.toolkit.fluxcd.io", "OCIRepository") if holds_chart(spec) => {
            let reference = &spec["ref"];
            let tag = reference["tag"].as_str().unwrap_or_default();
            let pinned = reference["digest"].is_string() || (!tag.is_empty() && tag != "latest" && reference["semver"].is_null());
            let range = reference["semver"].as_str().unwrap_or(tag);
            (!pinned)
                .then(|| ("spec.ref", format!("the chart's version is {}: {advice} in `ref.tag`, or a digest", shown(range))))
        }
        _ => None,
    }
}

fn shown(version: &str) -> String {
    if version.is_empty() { "not given".to_owned() } else { format!("`{version}`, which many fit") }
}

fn holds_chart(spec: &Value) -> bool {
    spec["layerSelector"]["mediaType"].as_str().is_some_and(|media| media.starts_with("application/vnd.cncf.helm.chart."))
}

fn is_one_version(version: &str) -> bool {
    let plain = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = plain.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_or_many() {
        for one in ["1.2.3", "v1.2.3", "1.2.3-rc.1", "1.2.3+build"] {
            assert!(is_one_version(one), "{one}");
        }
        for many in ["", "*", "1.x", "1.2", ">=1.2.3", "~1.2.3", "^1.2.3", "1.2.x", "1.2.3 - 1.3.0 || 2"] {
            assert!(!is_one_version(many), "{many}");
        }
        for (image, pinned) in [
            ("a", false),
            ("a:latest", false),
            ("registry:5000/a", false),
            ("registry:5000/a:1", true),
            ("a@sha256:00", true),
            ("a:latest@sha256:00", true),
        ] {
            assert_eq!(is_pinned_image(image), pinned, "{image}");
        }
    }
}
