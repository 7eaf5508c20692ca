//! Labels and annotations that change with everything and say nothing.

use serde_json::Value;

/// What charts and kustomize write that way.
const USUAL: [&str; 6] = [
    "helm.sh/chart",
    "checksum/config",
    "app.kubernetes.io/version",
    "chart",
    "config.kubernetes.io/origin",
    "alpha.config.kubernetes.io/transformations",
];

/// Keys of labels and annotations that are not compared.
pub(super) struct Noise(Vec<String>);

impl Noise {
    /// The keys given; the usual ones where none are. An empty key alone means none.
    pub(super) fn new(keys: &[String]) -> Self {
        if keys.is_empty() {
            return Noise(USUAL.map(str::to_owned).to_vec());
        }
        Noise(keys.iter().filter(|key| !key.is_empty()).cloned().collect())
    }

    /// Takes them out of an object, and of the templates in it.
    pub(super) fn strip(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
                    for field in ["labels", "annotations"] {
                        if let Some(keys) = metadata.get_mut(field).and_then(Value::as_object_mut) {
                            keys.retain(|key, _| !self.0.contains(key));
                            if keys.is_empty() {
                                metadata.remove(field);
                            }
                        }
                    }
                }
                map.values_mut().for_each(|value| self.strip(value));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.strip(item)),
            _ => {}
        }
    }
}
