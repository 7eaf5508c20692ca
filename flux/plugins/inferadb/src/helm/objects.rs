//! From what `helm template` prints to what helm-controller applies: post-renderers, common metadata, origin labels, and the
//! release's namespace.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::scope::Scopes;
use crate::error::{Error, Result};
use crate::object::{Id, Object};
use crate::render::Renderer;
use crate::tree::Tree;
use crate::yaml;

const INPUT: &str = "helm-output.yaml";
const HOOK: &str = "helm.sh/hook";
const ORIGIN: &str = "helm.toolkit.fluxcd.io";

/// What a release gives.
pub(super) struct Made {
    pub(super) objects: Vec<Object>,
    /// Those of the chart's `crds`, which Helm never deletes.
    pub(super) kept: BTreeSet<Id>,
}

/// A document that Helm printed.
struct Printed {
    text: String,
    value: Value,
    is_crd: bool,
}

/// Makes the objects of a release: definitions of `crds` first, hooks last, in between what Helm installs, in its order.
pub(super) fn objects(printed: &str, release: &Object, namespace: &str, renderer: &Renderer, scopes: &Scopes) -> Result<Made> {
    let spec = &release.0["spec"];
    let printed = split(printed)?;
    let mut crds: Vec<Object> = Vec::new();
    if spec["install"]["crds"] != "Skip" {
        let found = printed.iter().filter(|one| one.is_crd).map(|one| Object(one.value.clone()));
        crds.extend(found.filter(|object| object.is("apiextensions.k8s.io", "CustomResourceDefinition")));
    }
    let kept = crds.iter().map(Object::id).collect();
    let (hooks, manifests): (Vec<Printed>, Vec<Printed>) =
        printed.into_iter().filter(|one| !one.is_crd).partition(|one| hook(&one.value).is_some());
    let origin = json!({
        format!("{ORIGIN}/name"): release.name(),
        format!("{ORIGIN}/namespace"): release.namespace(),
    });
    let post_rendered = |documents: &[Printed]| -> Result<Vec<Object>> {
        let mut objects = post_render(documents, &spec["postRenderers"], renderer)?;
        for object in &mut objects {
            for field in ["labels", "annotations"] {
                set(object, field, &spec["commonMetadata"][field]);
            }
            set(object, "labels", &origin);
        }
        Ok(objects)
    };
    let mut objects = match spec["postRenderStrategy"].as_str().unwrap_or_default() {
        "nohooks" => {
            let mut objects = post_rendered(&manifests)?;
            objects.extend(hooks.into_iter().map(|one| Object(one.value)));
            objects
        }
        "separate" => {
            let mut objects = post_rendered(&manifests)?;
            objects.extend(post_rendered(&hooks)?);
            objects
        }
        _ => post_rendered(&manifests.into_iter().chain(hooks).collect::<Vec<_>>())?,
    };
    objects.retain(|object| {
        let Some(events) = hook(&object.0) else { return true };
        events.split(',').any(|event| match event.trim().to_lowercase().as_str() {
            "pre-install" | "post-install" => spec["install"]["disableHooks"] != true,
            "test" | "test-success" => spec["test"]["enable"] == true,
            // Of upgrades, rollbacks and deletions.
            _ => false,
        })
    });
    for object in &mut crds {
        set(object, "labels", &origin);
    }
    crds.append(&mut objects);
    let own = Scopes::of(&crds);
    for object in &mut crds {
        if object.namespace().is_empty() && scopes.is_namespaced(object, &own) {
            object.0["metadata"]["namespace"] = json!(namespace);
        }
    }
    Ok(Made { objects: crds, kept })
}

/// The events of a hook.
fn hook(value: &Value) -> Option<&str> {
    value["metadata"]["annotations"][HOOK].as_str()
}

/// Puts labels or annotations over those that are there.
fn set(object: &mut Object, field: &str, values: &Value) {
    let Some(values) = values.as_object().filter(|values| !values.is_empty()) else { return };
    let metadata = &mut object.0["metadata"];
    if !metadata[field].is_object() {
        metadata[field] = Value::Object(Map::new());
    }
    for (key, value) in values {
        metadata[field][key] = value.clone();
    }
}

/// Each post-renderer works on what the one before has made. What kustomize reads and writes goes through it even without
/// any, as helm-controller labels everything with its library.
fn post_render(documents: &[Printed], steps: &Value, renderer: &Renderer) -> Result<Vec<Object>> {
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let none = [json!({})];
    let steps: Vec<&Value> =
        steps.as_array().into_iter().flatten().map(|one| &one["kustomize"]).filter(|one| one.is_object()).collect();
    let steps: Vec<&Value> = if steps.is_empty() { none.iter().collect() } else { steps };
    let mut text = joined(documents.iter().map(|one| &one.text));
    let mut made = Vec::new();
    for step in steps {
        let built = kustomize(&text, step, renderer)?;
        text = joined(built.documents.iter().map(|document| &document.text));
        made = built.documents.iter().map(|document| document.object.clone()).collect();
    }
    Ok(made)
}

fn joined<'t>(documents: impl Iterator<Item = &'t String>) -> String {
    documents.flat_map(|text| ["---\n", text.as_str(), "\n"]).collect()
}

fn kustomize(text: &str, step: &Value, renderer: &Renderer) -> Result<crate::render::Rendered> {
    let patches: Vec<Value> = step["patches"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|patch| {
            let mut one = json!({"patch": patch["patch"]});
            if patch["target"].is_object() {
                one["target"] = patch["target"].clone();
            }
            one
        })
        .collect();
    let mut kustomization = json!({"resources": [INPUT]});
    if !patches.is_empty() {
        kustomization["patches"] = Value::Array(patches);
    }
    if step["images"].is_array() {
        kustomization["images"] = step["images"].clone();
    }
    let files = [
        (INPUT.to_owned(), text.to_owned().into_bytes()),
        ("kustomization.yaml".to_owned(), yaml::emit(&kustomization).into_bytes()),
    ];
    renderer.render(&Tree::from_memory(files), "the release", &json!({})).map_err(|error| match error {
        Error::Kustomize(message) => Error::PostRender(message),
        // Files of the scratch copy are no place to point at.
        other => Error::PostRender(other.to_string()),
    })
}

/// The documents that Helm printed, each with the file that it comes from in a comment before it.
fn split(printed: &str) -> Result<Vec<Printed>> {
    let (mut documents, mut text, mut is_crd) = (Vec::new(), String::new(), false);
    let end = |text: &mut String, is_crd: bool, documents: &mut Vec<Printed>| -> Result<()> {
        let text = std::mem::take(text);
        let node = yaml::parse_one(&text).map_err(|error| Error::Helm(format!("what it prints is no YAML: {error}")))?;
        let value = node.to_json();
        if value.is_object() {
            documents.push(Printed { text, value, is_crd });
        }
        Ok(())
    };
    for line in printed.lines() {
        if line.strip_prefix("---").is_some_and(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('#')) {
            end(&mut text, is_crd, &mut documents)?;
            continue;
        }
        if text.is_empty()
            && let Some(file) = line.strip_prefix("# Source: ")
        {
            is_crd = is_of_crds(file);
        }
        text.push_str(line);
        text.push('\n');
    }
    end(&mut text, is_crd, &mut documents)?;
    Ok(documents)
}

/// Whether a file is of a chart's `crds`: below the chart's name, or that of one that it brings along.
fn is_of_crds(file: &str) -> bool {
    let mut parts = file.split('/').skip(1);
    loop {
        match parts.next() {
            Some("charts") => {
                parts.next();
            }
            part => return part == Some("crds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_crds_are_told_from_templates() {
        for (file, is_crd) in [
            ("a/crds/x.yaml", true),
            ("a/charts/b/crds/x.yaml", true),
            ("a/templates/crds/x.yaml", false),
            ("a/charts/crds/templates/x.yaml", false),
        ] {
            assert_eq!(is_of_crds(file), is_crd, "{file}");
        }
    }
}
