//! The admission configuration that Talos gives the API server of an environment.

use serde_json::{Value, json};

use crate::repository;

/// Talos' own, with what the environment's patches in `terraform/environments` set.
pub(crate) fn of(environment: &str) -> Value {
    let mut configuration = talos();
    let main = repository().join("terraform/environments").join(environment).join("main.tf");
    let main = std::fs::read_to_string(&main).unwrap_or_else(|error| panic!("{}: {error}", main.display()));
    let patches: Vec<&str> = main.lines().filter_map(|line| line.trim().strip_prefix("file(\"${local.patches}/")).collect();
    assert!(!patches.is_empty(), "{environment}: no patches in its main.tf");
    for patch in patches {
        let file = repository().join("talos/patches").join(patch.trim_end_matches("\"),"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            let plugins = document["cluster"]["apiServer"]["admissionControl"].as_array();
            for plugin in plugins.into_iter().flatten() {
                assert_eq!(plugin["name"], "PodSecurity", "{}: a plugin that this does not know", file.display());
                merge(&mut configuration, &plugin["configuration"]);
            }
        }
    }
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodSecurity", "configuration": configuration}],
    })
}

/// What the machine config of Talos 1.13 has without a patch, in the version of its kind that Kubernetes did not take away.
fn talos() -> Value {
    json!({
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        "defaults": {
            "enforce": "baseline", "enforce-version": "latest",
            "audit": "restricted", "audit-version": "latest",
            "warn": "restricted", "warn-version": "latest",
        },
        "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": ["kube-system"]},
    })
}

/// As Talos patches what has no type of its own: mappings in each other, lists behind each other, all else replaced.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(patch)) => into.extend(patch.iter().cloned()),
        (into, patch) => {
            let same = into.is_null() || std::mem::discriminant(&*into) == std::mem::discriminant(patch);
            assert!(same, "a patch of another type, which Talos refuses: {patch} over {into}");
            *into = patch.clone();
        }
    }
}
