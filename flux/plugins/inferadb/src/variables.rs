//! The variables of a Flux Kustomization: `postBuild.substitute` over the objects of `postBuild.substituteFrom`, the later
//! of which win.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::Object;
use crate::yaml;

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) value: String,
    /// Whether a Secret gave it.
    pub(crate) secret: bool,
}

/// By name.
pub(crate) type Variables = BTreeMap<String, Variable>;

/// ConfigMaps and Secrets by kind, namespace and name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(HashMap<(String, String, String), BTreeMap<String, Variable>>);

impl Pool {
    /// Takes an object in where it is a ConfigMap or Secret that is not there yet. What differs in its shadow is secret, in
    /// a ConfigMap too.
    pub(crate) fn add(&mut self, object: &Object, shadow: Option<&Value>) {
        if object.api_version() != "v1" || !matches!(object.kind(), "ConfigMap" | "Secret") {
            return;
        }
        let key = (object.kind().to_owned(), object.namespace().to_owned(), object.name().to_owned());
        let is_secret = object.kind() == "Secret";
        let mut data: BTreeMap<String, Variable> = BTreeMap::new();
        for (key, value) in object.0["data"].as_object().into_iter().flatten() {
            let Some(text) = value.as_str() else { continue };
            let value = if is_secret {
                STANDARD.decode(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
            } else {
                text.to_owned()
            };
            let secret = is_secret || shadow.is_some_and(|shadow| shadow["data"][key] != text);
            data.insert(key.clone(), Variable { value, secret });
        }
        if is_secret {
            // The API server writes them over `data`.
            for (key, value) in object.0["stringData"].as_object().into_iter().flatten() {
                data.insert(key.clone(), Variable { value: value.as_str().unwrap_or_default().to_owned(), secret: true });
            }
        }
        self.0.entry(key).or_insert(data);
    }

    /// The entries of a ConfigMap or Secret.
    pub(crate) fn data(&self, kind: &str, namespace: &str, name: &str) -> Option<&BTreeMap<String, Variable>> {
        self.0.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    fn get(&self, reference: &Reference<'_>, namespace: &str) -> Option<&BTreeMap<String, Variable>> {
        self.data(reference.kind, namespace, reference.name)
    }
}

/// What lives only in the cluster, as the command line gives it.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Whole objects.
    pub(crate) objects: Vec<Object>,
    /// Values that stand for objects which nothing here produces.
    pub(crate) values: Vec<(String, String)>,
    /// Whether there was such an object.
    pub(crate) is_taken: AtomicBool,
}

impl Given {
    /// Reads `--vars` files (objects, or a plain mapping) and `--set K=V`, which wins.
    pub(crate) fn read(files: &[std::path::PathBuf], sets: &[String]) -> Result<Self> {
        let mut given = Given::default();
        for file in files {
            let text = std::fs::read_to_string(file).map_err(|source| Error::Read { path: file.clone(), source })?;
            let path = file.display().to_string();
            for node in yaml::parse(&text).map_err(|source| Error::Yaml { path: path.clone(), source })? {
                let value = node.to_json();
                if value["kind"].is_string() && value["metadata"].is_object() {
                    given.objects.push(Object(value));
                    continue;
                }
                let Value::Object(map) = value else {
                    return Err(Error::Usage(format!("{path}:{}: neither an object nor a mapping of variables", node.line)));
                };
                for (key, value) in map {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    given.values.push((key, text));
                }
            }
        }
        for set in sets {
            let Some((key, value)) = set.split_once('=') else {
                return Err(Error::Usage(format!("`--set {set}`: write it as NAME=VALUE")));
            };
            given.values.push((key.to_owned(), value.to_owned()));
        }
        Ok(given)
    }
}

/// An item of `substituteFrom`.
pub(crate) struct Reference<'s> {
    pub(crate) kind: &'s str,
    pub(crate) name: &'s str,
    pub(crate) optional: bool,
}

/// The items of a spec's `substituteFrom`.
pub(crate) fn references(spec: &Value) -> impl Iterator<Item = Reference<'_>> {
    spec["postBuild"]["substituteFrom"].as_array().into_iter().flatten().map(|item| Reference {
        kind: item["kind"].as_str().unwrap_or_default(),
        name: item["name"].as_str().unwrap_or_default(),
        optional: item["optional"] == true,
    })
}

/// Whether all objects of `substituteFrom` are there, those too that may be missing.
pub(crate) fn all_there(spec: &Value, namespace: &str, pool: &Pool) -> Missing {
    let missing: Vec<Reference<'_>> = references(spec).filter(|reference| pool.get(reference, namespace).is_none()).collect();
    match missing.iter().any(|reference| !reference.optional) {
        true => Missing::Required,
        false if missing.is_empty() => Missing::Nothing,
        false => Missing::Optional,
    }
}

/// What is missing of `substituteFrom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Missing {
    Nothing,
    Optional,
    Required,
}

/// Gathers the variables of a Kustomization.
pub(crate) fn gather(spec: &Value, namespace: &str, pool: &Pool, given: &Given) -> Result<Variables> {
    let mut variables = Variables::new();
    let one_line = |value: &str| value.replace('\n', "");
    for reference in references(spec) {
        if let Some(data) = pool.get(&reference, namespace) {
            for (key, variable) in data {
                variables.insert(key.clone(), Variable { value: one_line(&variable.value), secret: variable.secret });
            }
        } else if !given.values.is_empty() {
            given.is_taken.store(true, Ordering::Relaxed);
            for (key, value) in &given.values {
                let secret = reference.kind == "Secret";
                variables.insert(key.clone(), Variable { value: one_line(value), secret });
            }
        } else if !reference.optional {
            return Err(Error::NoVariables {
                kind: reference.kind.to_owned(),
                namespace: namespace.to_owned(),
                name: reference.name.to_owned(),
            });
        }
    }
    for (key, value) in spec["postBuild"]["substitute"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        variables.insert(key.clone(), Variable { value: one_line(&value), secret: false });
    }
    Ok(variables)
}
