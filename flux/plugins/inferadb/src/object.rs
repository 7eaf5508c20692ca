//! A Kubernetes object, as a build gives it.

use std::fmt;

use serde_json::{Map, Value};

/// What makes an object one and the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(out, ".{}", self.group)?;
        }
        if self.namespace.is_empty() { write!(out, " {}", self.name) } else { write!(out, " {}/{}", self.namespace, self.name) }
    }
}

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object(pub(crate) Value);

impl Object {
    fn meta(&self, key: &str) -> &str {
        self.0["metadata"][key].as_str().unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.meta("name")
    }

    pub(crate) fn namespace(&self) -> &str {
        self.meta("namespace")
    }

    pub(crate) fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or_default()
    }

    pub(crate) fn api_version(&self) -> &str {
        self.0["apiVersion"].as_str().unwrap_or_default()
    }

    pub(crate) fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether it is of this group and kind, in any version.
    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.kind() == kind && self.group() == group
    }

    pub(crate) fn is_flux_kustomization(&self) -> bool {
        self.is(FLUX_KUSTOMIZE, "Kustomization")
    }

    pub(crate) fn id(&self) -> Id {
        Id {
            group: self.group().to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
        }
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.0["metadata"]["labels"][key].as_str()
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.0["metadata"]["annotations"][key].as_str()
    }

    /// Adds labels and annotations over those that are there, as `SetCommonMetadata` does: a map with anything but texts
    /// in it counts as none.
    pub(crate) fn set_common_metadata(&mut self, common: &Value) {
        for field in ["labels", "annotations"] {
            let mut all = match self.0["metadata"].get(field) {
                Some(Value::Object(map)) if map.values().all(Value::is_string) => map.clone(),
                _ => Map::new(),
            };
            for (key, value) in common[field].as_object().into_iter().flatten() {
                all.insert(key.clone(), value.clone());
            }
            if !all.is_empty()
                && let Some(metadata) = self.0["metadata"].as_object_mut()
            {
                metadata.insert(field.to_owned(), Value::Object(all));
            }
        }
    }
}

/// The API group of Flux's Kustomization.
pub(crate) const FLUX_KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
/// The API group of kustomize's own.
pub(crate) const KUSTOMIZE: &str = "kustomize.config.k8s.io";
