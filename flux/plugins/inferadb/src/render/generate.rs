//! The kustomization.yaml that Flux builds from: the one in the folder, or one made for it, with what `spec` adds.

use serde_json::{Map, Value, json};

use super::fields::{self, KUSTOMIZATION};
use crate::error::{Error, Result};
use crate::tree::{Tree, join};
use crate::yaml;

/// The names that kustomize knows, in the order in which Flux looks.
pub(crate) const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A kustomization.yaml to render.
pub(crate) struct Generated {
    /// Where it is written.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) content: Map<String, Value>,
}

/// The kustomization file of a folder.
pub(crate) fn file_of(tree: &Tree, folder: &str) -> Option<String> {
    FILE_NAMES.iter().filter_map(|name| join(folder, name)).find(|path| tree.has_file(path))
}

/// Makes the kustomization.yaml for `folder` from a Flux Kustomization's `spec`.
pub(crate) fn generate(tree: &Tree, folder: &str, spec: &Value) -> Result<Generated> {
    let (path, mut content) = match file_of(tree, folder) {
        Some(path) => {
            let mut content = read(tree, &path)?;
            if !content.contains_key("resources") {
                // Without any, kustomize would call the file empty.
                content.insert("buildMetadata".to_owned(), json!(["originAnnotations"]));
            }
            (path, content)
        }
        None => (join(folder, FILE_NAMES[0]).unwrap_or_default(), for_folder(tree, folder)?),
    };
    for (field, target) in [("targetNamespace", "namespace"), ("namePrefix", "namePrefix"), ("nameSuffix", "nameSuffix")] {
        if let Some(value) = spec[field].as_str() {
            content.insert(target.to_owned(), json!(value));
        }
    }
    for patch in spec["patches"].as_array().into_iter().flatten() {
        let mut added = json!({"patch": patch["patch"]});
        if patch["target"].is_object() {
            added["target"] = patch["target"].clone();
        }
        push(&mut content, "patches", added);
    }
    for component in spec["components"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !is_local_relative(component) {
            return Err(Error::Component(component.to_owned()));
        }
        let there = join(folder, component).is_some_and(|path| tree.has_file(&path) || tree.has_folder(&path));
        if there || spec["ignoreMissingComponents"] != true {
            push(&mut content, "components", json!(component));
        }
    }
    for image in spec["images"].as_array().into_iter().flatten() {
        merge_image(&mut content, image);
    }
    if let Some(metadata) = spec["buildMetadata"].as_array().filter(|metadata| !metadata.is_empty()) {
        content.insert("buildMetadata".to_owned(), json!(metadata));
    }
    Ok(Generated { path, content })
}

fn read(tree: &Tree, path: &str) -> Result<Map<String, Value>> {
    let node = yaml::parse_one(&tree.text(path)?).map_err(|source| Error::Yaml { path: path.to_owned(), source })?;
    let mut content = fields::read(&node, KUSTOMIZATION, "").map_err(|wrong| Error::Type {
        path: path.to_owned(),
        field: wrong.field,
        expected: wrong.expected,
    })?;
    content.entry("apiVersion").or_insert_with(|| json!("kustomize.config.k8s.io/v1beta1"));
    content.entry("kind").or_insert_with(|| json!("Kustomization"));
    Ok(content)
}

/// A folder without a kustomization.yaml: all of its YAML files, and the folders below it that have one.
fn for_folder(tree: &Tree, folder: &str) -> Result<Map<String, Value>> {
    let mut resources: Vec<Value> = Vec::new();
    let mut done: Option<String> = None;
    for path in tree.below(folder) {
        if done.as_ref().is_some_and(|done| path.starts_with(done)) {
            continue;
        }
        if let Some(inner) = folder_with_file(tree, folder, path) {
            resources.push(json!(relative(folder, &inner)));
            done = Some(format!("{inner}/"));
        } else if is_yaml(path) {
            yaml::parse(&tree.text(path)?).map_err(|source| Error::Yaml { path: path.to_owned(), source })?;
            resources.push(json!(relative(folder, path)));
        }
    }
    let mut content = Map::new();
    content.insert("apiVersion".to_owned(), json!("kustomize.config.k8s.io/v1beta1"));
    content.insert("kind".to_owned(), json!("Kustomization"));
    if resources.is_empty() {
        content.insert("namespace".to_owned(), json!("_placeholder"));
    } else {
        content.insert("resources".to_owned(), Value::Array(resources));
    }
    Ok(content)
}

/// The uppermost folder between the two that has a kustomization file.
fn folder_with_file(tree: &Tree, folder: &str, path: &str) -> Option<String> {
    let start = if folder.is_empty() { 0 } else { folder.len() + 1 };
    path.match_indices('/')
        .map(|(at, _)| at)
        .filter(|at| *at >= start)
        .map(|at| &path[..at])
        .find(|inner| file_of(tree, inner).is_some())
        .map(str::to_owned)
}

/// As Flux tells it, who minds the case.
fn is_yaml(path: &str) -> bool {
    matches!(path.rsplit_once('.'), Some((_, "yaml" | "yml")))
}

fn relative(folder: &str, path: &str) -> String {
    let rest = path.strip_prefix(folder).unwrap_or(path);
    format!("./{}", rest.trim_start_matches('/'))
}

fn push(content: &mut Map<String, Value>, field: &str, value: Value) {
    if let Value::Array(items) = content.entry(field).or_insert_with(|| json!([])) {
        items.push(value);
    }
}

/// Merges by field into the entry of the same name. Tag and digest are one: either replaces both.
fn merge_image(content: &mut Map<String, Value>, image: &Value) {
    let set = |field: &str| image[field].as_str().filter(|value| !value.is_empty());
    let name = image["name"].as_str().unwrap_or_default();
    let present = content.get_mut("images").and_then(Value::as_array_mut).and_then(|images| {
        images.iter_mut().find(|present| present["name"].as_str().unwrap_or_default() == name).and_then(Value::as_object_mut)
    });
    let mut new = Map::new();
    new.insert("name".to_owned(), json!(name));
    let is_new = present.is_none();
    let entry = present.unwrap_or(&mut new);
    if let Some(value) = set("newName") {
        entry.insert("newName".to_owned(), json!(value));
    }
    if set("newTag").or(set("digest")).is_some() {
        for field in ["newTag", "digest"] {
            match set(field) {
                Some(value) => entry.insert(field.to_owned(), json!(value)),
                None => entry.remove(field),
            };
        }
    }
    if is_new {
        push(content, "images", Value::Object(new));
    }
}

fn is_local_relative(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let remote = ["git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/"];
    !remote.iter().any(|prefix| lower.starts_with(prefix) && lower.len() > prefix.len())
        && !path.starts_with('/')
        && !lower.strip_prefix("file://").unwrap_or(&lower).starts_with('/')
}
