//! What the controller does with each document after `kustomize build`: decryption, substitution, common metadata.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::envsubst::{self, EnvsubstError};
use crate::error::{Error, Result};
use crate::object::{Id, KUSTOMIZE, Object};
use crate::render::Rendered;
use crate::shadow;
use crate::sops;
use crate::variables::Variables;
use crate::yaml;

/// Whether a spec has variables substituted: it must have values, unless it asks for defaults alone.
fn substitutes(spec: &Value, variables: &Variables) -> bool {
    !variables.is_empty() || spec["postBuild"]["substituteStrategy"] == "Always"
}

/// What a Kustomization's documents became.
pub(crate) struct Made {
    pub(crate) objects: Vec<Object>,
    /// The same objects as they would be if each Secret had held other values, for those that take any: where the two
    /// differ, a secret shows.
    pub(crate) shadows: Vec<Option<Value>>,
    /// The names of variables that the objects ask for.
    pub(crate) reads: BTreeSet<String>,
}

/// Makes the objects of a Kustomization from what kustomize gave.
pub(crate) fn objects(rendered: &Rendered, spec: &Value, variables: impl FnOnce() -> Result<Variables>) -> Result<Made> {
    let documents = &rendered.documents;
    // What became of a document; nothing as long as it is as kustomize gave it.
    let mut changed: Vec<Option<Object>> = vec![None; documents.len()];
    // Gathered once, and only where an object asks: without one, a missing ConfigMap is no error.
    let mut gather = Some(variables);
    let mut gathered = Variables::new();
    let mut reads = BTreeSet::new();
    let mut shadows: Vec<Option<Value>> = vec![None; documents.len()];
    for (position, document) in documents.iter().enumerate() {
        let object = &document.object;
        if object.name().is_empty() || object.kind().is_empty() || object.api_version().is_empty() {
            return Err(Error::NotAnObject(document.text.lines().take(3).collect::<Vec<_>>().join(" ")));
        }
        let mut decrypted: Option<String> = None;
        if decrypts(spec, object) {
            let mut plain = object.0.clone();
            sops::object(&mut plain);
            if plain["kind"] == "Secret" && plain["data"].as_object().is_some_and(serde_json::Map::is_empty) {
                remove(&mut plain, "data");
            }
            if plain != object.0 {
                decrypted = Some(yaml::emit(&plain));
                changed[position] = Some(Object(plain));
            }
        }
        let object = changed[position].as_ref().unwrap_or(object);
        if spec["postBuild"].is_null() || is_exempt(object) {
            continue;
        }
        if let Some(gather) = gather.take() {
            gathered = gather()?;
        }
        if !substitutes(spec, &gathered) {
            continue;
        }
        let text = decrypted.as_ref().unwrap_or(&document.text);
        let id = object.id();
        let value = substitute(&id, text, &object.0, &gathered)?;
        if text.contains('$') {
            let names = envsubst::names(text);
            if names.iter().any(|name| gathered.get(name).is_some_and(|variable| variable.secret)) {
                shadows[position] = Some(shadow(&id, text, &value, &gathered));
            }
            reads.extend(names);
        }
        changed[position] = Some(Object(value));
        let now = |at: usize| changed[at].as_ref().unwrap_or(&documents[at].object);
        if (0..documents.len()).any(|other| other != position && is_same(now(position), now(other))) {
            return Err(Error::Twice { object: Box::new(id) });
        }
    }
    let objects = changed.into_iter().zip(documents.iter());
    let objects = objects.map(|(changed, document)| changed.unwrap_or_else(|| document.object.clone())).collect();
    let (objects, shadows) = finish(objects, shadows, spec)?;
    Ok(Made { objects, shadows, reads })
}

/// An object as it would be if each Secret had held other values. Where those do not even fit, all of it counts as secret.
fn shadow(id: &Id, text: &str, value: &Value, variables: &Variables) -> Value {
    let with = |other: fn(&str) -> String| {
        let mut others = variables.clone();
        for variable in others.values_mut().filter(|variable| variable.secret) {
            variable.value = other(&variable.value);
        }
        substitute(id, text, value, &others)
    };
    // A function may make the same of both: of none of them where the other is longer, with another start and end.
    let wrapped = |text: &str| format!("zqzq{text}qzqz");
    match (with(shadow::text), with(wrapped)) {
        (Ok(other), Ok(wrapped)) => shadow::joined(value, other, &wrapped),
        _ => Value::Null,
    }
}

fn decrypts(spec: &Value, object: &Object) -> bool {
    spec["decryption"]["provider"] == "sops" && !is_decryption_off(object)
}

fn is_decryption_off(object: &Object) -> bool {
    object.annotation("kustomize.toolkit.fluxcd.io/decrypt").is_some_and(|value| value.eq_ignore_ascii_case("disabled"))
}

/// Whether an object asks to be left as it is.
pub(crate) fn is_exempt(object: &Object) -> bool {
    let key = "kustomize.toolkit.fluxcd.io/substitute";
    object.label(key) == Some("disabled") || object.annotation(key) == Some("disabled")
}

fn substitute(id: &Id, text: &str, value: &Value, variables: &Variables) -> Result<Value> {
    for name in variables.keys() {
        let mut chars = name.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !first || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Error::VariableName { object: Box::new(id.clone()), name: name.clone() });
        }
    }
    let mut new = if text.contains('$') {
        let values = |name: &str| variables.get(name).map(|variable| variable.value.as_str());
        let text = envsubst::expand(text, &values)
            .map_err(|source: EnvsubstError| Error::Envsubst { object: Box::new(id.clone()), source })?;
        let node = yaml::parse_one(&text).map_err(|source| Error::Substituted { object: Box::new(id.clone()), source })?;
        node.to_json()
    } else {
        value.clone()
    };
    if !new.is_object() {
        let source = yaml::YamlError { line: 1, message: "it is no mapping any more".to_owned() };
        return Err(Error::Substituted { object: Box::new(id.clone()), source });
    }
    through_floats(&mut new);
    Ok(new)
}

/// The controller reads the substituted object back as JSON, where each number is a float.
fn through_floats(value: &mut Value) {
    match value {
        // What a float holds as it is.
        Value::Number(number) if number.as_i64().is_some_and(|integer| integer.unsigned_abs() <= 1 << 53) => {}
        Value::Number(number) => {
            if let Some(float) = number.as_f64().and_then(yaml::from_float) {
                *number = float;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(through_floats),
        Value::Object(map) => map.values_mut().for_each(through_floats),
        _ => {}
    }
}

/// As kustomize compares: the namespace `default` is none.
fn is_same(one: &Object, other: &Object) -> bool {
    let namespace = |object: &Object| match object.namespace() {
        "default" => String::new(),
        namespace => namespace.to_owned(),
    };
    one.kind() == other.kind()
        && one.api_version() == other.api_version()
        && one.name() == other.name()
        && namespace(one) == namespace(other)
}

fn remove(value: &mut Value, key: &str) {
    if let Some(map) = value.as_object_mut() {
        map.remove(key);
    }
}

/// Lists become their items, kustomize's own files go, and common metadata comes.
fn finish(objects: Vec<Object>, shadows: Vec<Option<Value>>, spec: &Value) -> Result<(Vec<Object>, Vec<Option<Value>>)> {
    let mut finished = Vec::new();
    for (object, shadow) in objects.into_iter().zip(shadows) {
        if let Some(items) = object.0["items"].as_array().filter(|_| object.kind().ends_with("List")) {
            let shadow_of = |position: usize| shadow.as_ref().map(|shadow| shadow["items"][position].clone());
            finished.extend(items.iter().enumerate().map(|(position, item)| (Object(item.clone()), shadow_of(position))));
        } else if !object.is(KUSTOMIZE, "Kustomization") && !object.name().is_empty() {
            finished.push((object, shadow));
        }
    }
    for (object, _) in &mut finished {
        let encrypted = object.kind() == "Secret" && object.api_version() == "v1" && !object.0["sops"].is_null();
        if encrypted && !is_decryption_off(object) {
            return Err(Error::Encrypted(Box::new(object.id())));
        }
        if spec["commonMetadata"].is_object() {
            object.set_common_metadata(&spec["commonMetadata"]);
        }
    }
    Ok(finished.into_iter().unzip())
}
