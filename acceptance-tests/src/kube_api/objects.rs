//! Nodes as kubelets register them, and the pods that run on each.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Map, Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a kubelet says of its node.
#[derive(Clone, Debug)]
pub struct NodeRegistration {
    /// The Node object's name.
    pub name: String,
    /// Besides those that every kubelet sets (host name, architecture, operating system).
    pub labels: BTreeMap<String, String>,
    /// Talos' and the kubelet's own.
    pub annotations: BTreeMap<String, String>,
    /// Key, value and effect; only when the Node is created.
    pub taints: Vec<(String, String, String)>,
    /// `InternalIP`.
    pub internal_ip: Ipv4Addr,
    /// `ExternalIP`.
    pub external_ip: Option<Ipv4Addr>,
    /// `spec.providerID`, which once set stays.
    pub provider_id: Option<String>,
    /// Like `v1.35.4`.
    pub kubelet_version: String,
    /// The condition `Ready`.
    pub ready: bool,
    /// Its reason, like `KubeletReady`.
    pub reason: String,
    /// Its message.
    pub message: String,
}

/// Whose a pod is, which says what a drain does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodKind {
    /// A ReplicaSet's.
    Plain,
    /// A DaemonSet's.
    DaemonSet,
    /// The mirror of a static pod.
    Static,
}

/// Marks a node as a control plane.
pub(super) const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// Makes the Node object, or brings one up to date that is there: labels and annotations are added, the status is the
/// kubelet's, and the rest (cordon, taints) stays.
pub(super) fn node(registration: NodeRegistration, existing: Option<Json>) -> Json {
    let NodeRegistration {
        name,
        mut labels,
        annotations,
        taints,
        internal_ip,
        external_ip,
        provider_id,
        kubelet_version,
        ready,
        reason,
        message,
    } = registration;
    for (key, value) in [("arch", "amd64"), ("os", "linux"), ("hostname", &name)] {
        labels.entry(format!("kubernetes.io/{key}")).or_insert_with(|| value.to_owned());
    }
    let mut node = existing.unwrap_or_else(|| {
        let taints: Vec<Json> = taints
            .into_iter()
            .map(|(key, value, effect)| {
                let mut taint = json!({ "key": key, "effect": effect });
                if !value.is_empty() {
                    taint["value"] = json!(value);
                }
                taint
            })
            .collect();
        let mut node = json!({ "kind": "Node", "apiVersion": "v1", "metadata": metadata(&name), "spec": {}, "status": {} });
        if !taints.is_empty() {
            node["spec"]["taints"] = json!(taints);
        }
        node
    });
    merge(&mut node["metadata"]["labels"], labels);
    merge(&mut node["metadata"]["annotations"], annotations);
    if let (Some(id), true) = (provider_id, node["spec"]["providerID"].is_null()) {
        node["spec"]["providerID"] = json!(id);
    }
    let mut addresses = vec![json!({ "type": "InternalIP", "address": internal_ip.to_string() })];
    if let Some(external) = external_ip {
        addresses.push(json!({ "type": "ExternalIP", "address": external.to_string() }));
    }
    addresses.push(json!({ "type": "Hostname", "address": name }));
    let resources = json!({ "cpu": "2", "memory": "3900Mi", "ephemeral-storage": "18Gi", "pods": "110" });
    let status = &mut node["status"];
    status["addresses"] = json!(addresses);
    status["capacity"] = resources.clone();
    status["allocatable"] = resources;
    status["daemonEndpoints"] = json!({ "kubeletEndpoint": { "Port": 10250 } });
    status["nodeInfo"] = json!({
        "architecture": "amd64",
        "operatingSystem": "linux",
        "kubeletVersion": kubelet_version,
        "kubeProxyVersion": "",
        "containerRuntimeVersion": "containerd://2.1.6",
        "kernelVersion": "6.18.0-talos",
        "osImage": "Talos",
        "bootID": "",
        "machineID": "",
        "systemUUID": "",
    });
    set_ready(&mut node, ready, &reason, &message);
    node
}

/// Sets the condition `Ready`. Of a node whose kubelet has gone silent (reason `NodeStatusUnknown`) it is `Unknown`.
pub(super) fn set_ready(node: &mut Json, ready: bool, reason: &str, message: &str) {
    let status = match (ready, reason) {
        (true, _) => "True",
        (false, "NodeStatusUnknown") => "Unknown",
        (false, _) => "False",
    };
    let now = now();
    let known = node["status"]["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let since = match known {
        Some(condition) if condition["status"] == status => condition["lastTransitionTime"].clone(),
        _ => json!(now),
    };
    let condition = json!({
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": now,
        "lastTransitionTime": since,
    });
    match node["status"]["conditions"].as_array_mut() {
        Some(conditions) => {
            conditions.retain(|condition| condition["type"] != "Ready");
            conditions.push(condition);
        }
        None => node["status"]["conditions"] = json!([condition]),
    }
}

/// Whether a Node's condition `Ready` is true.
pub(super) fn is_ready(node: &Json) -> bool {
    let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// A running pod on a node.
pub(super) fn pod(
    namespace: &str,
    name: &str,
    node: &str,
    node_uid: Option<&str>,
    kind: PodKind,
    labels: BTreeMap<String, String>,
) -> Json {
    let mut metadata = metadata(name);
    metadata["namespace"] = json!(namespace);
    let workload = name.rsplit_once('-').map_or(name, |(workload, _)| workload);
    let owner = |api: &str, kind: &str, name: &str, uid: &str| {
        let owner = json!({ "apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": true });
        Json::Array(vec![owner])
    };
    match kind {
        PodKind::Plain => metadata["ownerReferences"] = owner("apps/v1", "ReplicaSet", workload, &uid()),
        PodKind::DaemonSet => metadata["ownerReferences"] = owner("apps/v1", "DaemonSet", workload, &uid()),
        PodKind::Static => {
            let hash = format!("{:032x}", rand::random::<u128>());
            metadata["ownerReferences"] = owner("v1", "Node", node, node_uid.unwrap_or_default());
            metadata["annotations"] = json!({
                "kubernetes.io/config.hash": hash,
                "kubernetes.io/config.mirror": hash,
                "kubernetes.io/config.seen": now(),
                "kubernetes.io/config.source": "http",
            });
        }
    }
    merge(&mut metadata["labels"], labels);
    let started = metadata["creationTimestamp"].clone();
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": metadata,
        "spec": { "nodeName": node, "containers": [{ "name": workload, "image": format!("registry.k8s.io/{workload}") }] },
        "status": {
            "phase": "Running",
            "startTime": started,
            "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": started }],
        },
    })
}

pub(super) fn namespace(name: &str) -> Json {
    let mut metadata = metadata(name);
    metadata["labels"] = json!({ "kubernetes.io/metadata.name": name });
    json!({
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": metadata,
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}

pub(super) fn budget(namespace: &str, name: &str, selector: BTreeMap<String, String>, allowed: u32) -> Json {
    let mut metadata = metadata(name);
    metadata["namespace"] = json!(namespace);
    let selector: Map<String, Json> = selector.into_iter().map(|(key, value)| (key, Json::String(value))).collect();
    json!({
        "kind": "PodDisruptionBudget",
        "apiVersion": "policy/v1",
        "metadata": metadata,
        "spec": { "maxUnavailable": allowed, "selector": { "matchLabels": selector } },
        "status": { "disruptionsAllowed": allowed, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0 },
    })
}

/// Five characters as Kubernetes ends generated names with.
pub(super) fn suffix() -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    rand::random::<[u8; 5]>().into_iter().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

fn metadata(name: &str) -> Json {
    json!({ "name": name, "uid": uid(), "creationTimestamp": now() })
}

/// A random UUID (version 4).
fn uid() -> String {
    let bits = (rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{bits:032x}");
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}

fn merge(target: &mut Json, entries: BTreeMap<String, String>) {
    if entries.is_empty() {
        return;
    }
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    for (key, value) in entries {
        target[key] = json!(value);
    }
}
