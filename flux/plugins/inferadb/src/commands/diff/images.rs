//! The images that pods run with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::report::Image;
use super::side::Side;

/// The images that pods ran with before and run with now, by name without tag and digest.
pub(super) fn images(before: &Side<'_>, after: &Side<'_>) -> Vec<Image> {
    let gather = |side: &Side<'_>| {
        let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for placed in side.objects.values() {
            find_images(&placed.object.0, &mut images);
        }
        images
    };
    let (old, new) = (gather(before), gather(after));
    let listed = |versions: Option<&BTreeSet<String>>| {
        versions.map(|versions| versions.iter().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default()
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .filter(|name| old.contains_key(*name) && new.contains_key(*name))
        .map(|name| Image { name: name.clone(), old: listed(old.get(name)), new: listed(new.get(name)) })
        .collect()
}

fn find_images(value: &Value, images: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                if matches!(key.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
                    for image in item.as_array().into_iter().flatten().filter_map(|container| container["image"].as_str()) {
                        let (name, version) = split_image(image);
                        images.entry(name.to_owned()).or_default().insert(version.to_owned());
                    }
                }
                find_images(item, images);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_images(item, images)),
        _ => {}
    }
}

/// `registry:5000/name:tag@digest` into its name and the rest.
fn split_image(image: &str) -> (&str, &str) {
    let end = image.find('@').unwrap_or(image.len());
    let path = image[..end].rfind('/').map_or(0, |slash| slash + 1);
    let at = image[path..end].find(':').map_or(end, |colon| path + colon);
    (&image[..at], image[at..].trim_start_matches([':', '@']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_split_where_their_version_starts() {
        for (image, name, version) in [
            ("nginx", "nginx", ""),
            ("nginx:1.2", "nginx", "1.2"),
            ("registry:5000/a/b", "registry:5000/a/b", ""),
            ("registry:5000/a/b:1@sha256:00", "registry:5000/a/b", "1@sha256:00"),
            ("a/b@sha256:00", "a/b", "sha256:00"),
        ] {
            assert_eq!(split_image(image), (name, version), "{image}");
        }
    }
}
