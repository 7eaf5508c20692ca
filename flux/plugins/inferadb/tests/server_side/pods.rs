//! The pod that a controller would make: Pod Security is enforced on pods alone, and a template that breaks it is accepted.

use serde_json::{Value, json};

/// A pod of what runs pods, or of a pod.
pub(crate) fn of(object: &Value) -> Option<Value> {
    let group = object["apiVersion"].as_str()?.split_once('/').map_or("", |(group, _)| group);
    let template = match (group, object["kind"].as_str()?) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => &object["spec"]["template"],
        ("batch", "CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"],
        ("", "Pod") => object,
        _ => return None,
    };
    let owner = &object["metadata"];
    let mut metadata = json!({"generateName": format!("{}-", owner["name"].as_str()?)});
    metadata["namespace"] = owner["namespace"].as_str().unwrap_or("default").into();
    for field in ["labels", "annotations"] {
        if !template["metadata"][field].is_null() {
            metadata[field] = template["metadata"][field].clone();
        }
    }
    let mut spec = template["spec"].clone();
    // Each stateful pod gets a volume of its own for every claim.
    for claim in object["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let name = claim["metadata"]["name"].as_str()?;
        let volume =
            json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-{}-0", owner["name"].as_str()?)}});
        if spec["volumes"].is_null() {
            spec["volumes"] = json!([]);
        }
        spec["volumes"].as_array_mut()?.push(volume);
    }
    Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}
