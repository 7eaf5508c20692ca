//! A machine config as a node reads it: parsed on its own, without the provider's crates, so that what one writes
//! wrongly the other does not read wrongly.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::schema;

/// Why a node does not take a config, in Talos' words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{0}")]
    Parse(String),
    /// It was read and is wrong: one line for each mistake.
    #[error("{}", multierror(.0))]
    Invalid(Vec<String>),
}

/// Talos' library joins several errors so.
fn multierror(errors: &[String]) -> String {
    let count = if errors.len() == 1 { "1 error".to_owned() } else { format!("{} errors", errors.len()) };
    format!("{count} occurred:\n\t* {}\n\n", errors.join("\n\t* "))
}

/// A certificate and, where the config has it, its key; both PEM.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) certificate: String,
    pub(super) key: Option<String>,
}

/// A config that a node took. Shows nothing of itself: it holds keys.
#[derive(Clone)]
pub struct MachineConfig {
    bytes: Arc<[u8]>,
    documents: Vec<Map<String, Value>>,
}

impl MachineConfig {
    /// Reads and validates as a node on a cloud does.
    pub(super) fn load(bytes: &[u8]) -> Result<Self, ConfigError> {
        let config = Self::parse(bytes)?;
        let errors = config.mistakes();
        if errors.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(errors)) }
    }

    /// Reads it, without a look at what it says.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let parse = |text: String| ConfigError::Parse(text);
        let text = std::str::from_utf8(bytes).map_err(|_| parse("decode error: yaml: invalid UTF-8".to_owned()))?;
        let values: Vec<Value> = serde_saphyr::from_multiple(text)
            .map_err(|error| parse(format!("decode error: yaml: {}", first_line(&error.to_string()))))?;
        let mut documents: Vec<Map<String, Value>> = Vec::new();
        for value in values {
            match value {
                Value::Null => {}
                Value::Object(document) => documents.push(document),
                _ => return Err(parse("recovered: expected a mapping node".to_owned())),
            }
        }
        if documents.is_empty() {
            return Err(parse("config not found".to_owned()));
        }
        let mut seen = Vec::new();
        for document in &documents {
            let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
            let kind = text("kind");
            if kind.is_empty() {
                if let Some(unknown) = schema::unknown_keys(document) {
                    let mut yaml = String::new();
                    write_yaml(&mut yaml, &unknown, 0);
                    return Err(parse(format!("unknown keys found during decoding:\n{yaml}")));
                }
            } else if !schema::is_kind(kind) {
                return Err(parse(format!("{kind:?} {:?}: not registered", text("apiVersion"))));
            }
            let identity = format!("{}/v1alpha1/{}", kind, text("name"));
            if seen.contains(&identity) {
                return Err(parse(format!("duplicate document {identity} is not allowed")));
            }
            seen.push(identity);
        }
        Ok(Self { bytes: bytes.into(), documents })
    }

    /// What `Validate` of Talos' library says first; the whole of it is asked of the library itself.
    fn mistakes(&self) -> Vec<String> {
        let mut errors = Vec::new();
        let Some(Value::Object(machine)) = self.at(&["machine"]) else {
            return vec!["machine instructions are required".to_owned()];
        };
        if !matches!(self.at(&["cluster"]), Some(Value::Object(_))) {
            return vec!["cluster instructions are required".to_owned()];
        }
        let kind = machine.get("type").and_then(Value::as_str).unwrap_or_default();
        let endpoint = self.endpoint();
        match endpoint.as_deref() {
            None => errors.push("cluster controlplane endpoint is required".to_owned()),
            Some(url) if host_of(url).is_empty() => {
                errors.push("invalid controlplane endpoint: hostname must not be blank".to_owned());
            }
            Some(_) => {}
        }
        let has_key = |authority: Option<Authority>| authority.is_some_and(|authority| authority.key.is_some());
        if ["controlplane", "init"].contains(&kind) {
            match self.talos_authority() {
                None => errors.extend([
                    "issuing CA or some accepted CAs are required (.machine.ca, machine.acceptedCAs)".to_owned(),
                    "issuing CA is required (.machine.ca)".to_owned(),
                ]),
                Some(authority) if authority.key.is_none() => {
                    errors.push("issuing Talos API CA key is required for controlplane nodes (.machine.ca)".to_owned());
                }
                Some(_) => {}
            }
        } else {
            if self.at(&["cluster", "etcd"]).is_some() {
                errors.push("etcd config is only allowed on control plane machines".to_owned());
            }
            if self.authority_at(&["cluster", "ca"]).is_some_and(|authority| authority.key.is_some()) {
                errors.push("cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)".to_owned());
            }
            if kind == "worker" {
                if has_key(self.talos_authority()) {
                    errors.push("issuing Talos API CA key is not allowed on non-controlplane nodes (.machine.ca)".to_owned());
                }
                if has_key(self.kubernetes_authority()) {
                    errors
                        .push("issuing Kubernetes API CA key is not allowed on non-controlplane nodes (.cluster.ca)".to_owned());
                }
                if self.text(&["machine", "token"]).is_empty() {
                    errors.push("trustd token is required (.machine.token)".to_owned());
                }
            } else {
                errors.push(format!("unknown machine type {kind:?}"));
            }
        }
        errors
    }

    /// All documents as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn main(&self) -> Option<&Map<String, Value>> {
        self.documents.iter().find(|document| !document.contains_key("kind"))
    }

    fn of_kind(&self, kind: &str) -> Option<&Map<String, Value>> {
        self.documents.iter().find(|document| document.get("kind").and_then(Value::as_str) == Some(kind))
    }

    /// A value of the main document.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let mut value = self.main()?.get(*first)?;
        for key in rest {
            value = value.get(*key)?;
        }
        (!value.is_null()).then_some(value)
    }

    fn text(&self, path: &[&str]) -> String {
        self.at(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn authority_at(&self, path: &[&str]) -> Option<Authority> {
        let value = self.at(path)?;
        let decoded = |key: &str| {
            let text = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())?;
            String::from_utf8(STANDARD.decode(text).ok()?).ok()
        };
        Some(Authority { certificate: decoded("crt")?, key: decoded("key") })
    }

    /// The CA of Talos' own API.
    pub(super) fn talos_authority(&self) -> Option<Authority> {
        self.authority_at(&["machine", "ca"])
    }

    /// The CA of Kubernetes; since v1.14 in a document of its own.
    pub(super) fn kubernetes_authority(&self) -> Option<Authority> {
        if let Some(document) = self.of_kind("KubeAPIServerCAConfig") {
            let issuing = document.get("issuingCA");
            let text = |key: &str| issuing?.get(key)?.as_str().map(str::to_owned);
            let accepted = || document.get("acceptedCAs")?.get(0)?.as_str().map(str::to_owned);
            return Some(Authority { certificate: text("cert").or_else(accepted)?, key: text("key") });
        }
        self.authority_at(&["cluster", "ca"])
    }

    /// Whether it makes a control-plane node.
    pub(super) fn is_control_plane(&self) -> bool {
        ["controlplane", "init"].contains(&self.text(&["machine", "type"]).as_str())
    }

    /// What tells one cluster from another: its CA.
    pub(super) fn cluster_key(&self) -> String {
        self.talos_authority().map(|authority| authority.certificate).unwrap_or_default()
    }

    /// With what a worker proves to trustd that it belongs here.
    pub(super) fn token(&self) -> String {
        self.text(&["machine", "token"])
    }

    /// The cluster's name.
    pub(super) fn cluster_name(&self) -> String {
        let of_document = self.of_kind("KubeClusterConfig").and_then(|document| document.get("clusterName")?.as_str());
        of_document.map_or_else(|| self.text(&["cluster", "clusterName"]), str::to_owned)
    }

    /// The URL of the Kubernetes API.
    pub(super) fn endpoint(&self) -> Option<String> {
        let of_document = self.of_kind("KubeClusterConfig").and_then(|document| document.get("endpoint")?.as_str());
        of_document.or_else(|| self.at(&["cluster", "controlPlane", "endpoint"])?.as_str()).map(str::to_owned)
    }

    /// Whether nodes find each other without a Kubernetes API.
    pub(super) fn uses_discovery_service(&self) -> bool {
        let disabled = |path: &[&str]| self.at(path) == Some(&Value::Bool(true));
        !disabled(&["cluster", "discovery", "registries", "service", "disabled"])
    }

    /// Whether another config says the same, whatever its layout and comments.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.documents == other.documents
    }

    /// Host of that URL.
    pub(super) fn endpoint_host(&self) -> String {
        self.endpoint().map(|url| host_of(&url).to_owned()).unwrap_or_default()
    }

    fn texts(value: Option<&Value>) -> Vec<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// Names and addresses that the Talos API's certificate has besides the node's own.
    pub(super) fn cert_sans(&self) -> Vec<String> {
        Self::texts(self.at(&["machine", "certSANs"]))
    }

    /// The same of the Kubernetes API's.
    pub(super) fn api_server_sans(&self) -> Vec<String> {
        let mut sans = Self::texts(self.at(&["cluster", "apiServer", "certSANs"]));
        sans.extend(Self::texts(self.of_kind("KubeAPIServerConfig").and_then(|document| document.get("certExtraSANs"))));
        sans
    }

    /// The first network of services.
    pub(super) fn service_subnet(&self) -> String {
        let of_document = self.of_kind("KubeNetworkConfig").and_then(|document| document.get("serviceSubnets"));
        let list = of_document.or_else(|| self.at(&["cluster", "network", "serviceSubnets"]));
        Self::texts(list).into_iter().next().unwrap_or_else(|| "10.96.0.0/12".to_owned())
    }

    /// Version of the kubelet, like `v1.35.4`: its image's tag.
    pub(super) fn kubelet_version(&self) -> String {
        let of_document = self.of_kind("KubeletConfig").and_then(|document| document.get("image")?.as_str());
        tag_of(of_document.unwrap_or(&self.text(&["machine", "kubelet", "image"])))
    }

    /// Version of the API server.
    pub(super) fn api_server_version(&self) -> String {
        let of_document = self.of_kind("KubeAPIServerConfig").and_then(|document| document.get("image")?.as_str());
        let image = of_document.map_or_else(|| self.text(&["cluster", "apiServer", "image"]), str::to_owned);
        if image.is_empty() { self.kubelet_version() } else { tag_of(&image) }
    }

    /// A host name that the config sets.
    pub(super) fn hostname(&self) -> Option<String> {
        let of_document = self.of_kind("HostnameConfig").and_then(|document| document.get("hostname")?.as_str());
        of_document
            .or_else(|| self.at(&["machine", "network", "hostname"])?.as_str())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    }

    /// Whether pods get a network from what this config installs.
    pub(super) fn brings_cni(&self) -> bool {
        let by_document = self.of_kind("KubeClusterConfig").is_some();
        let name = self.text(&["cluster", "network", "cni", "name"]);
        let built_in = if by_document {
            self.of_kind("KubeFlannelCNIConfig").is_some()
        } else {
            name.is_empty() || name == "flannel" || name == "custom"
        };
        let manifests = self.at(&["cluster", "inlineManifests"]).and_then(Value::as_array);
        let listed = manifests.into_iter().flatten().filter_map(|manifest| manifest.get("contents")?.as_str());
        let own = self
            .documents
            .iter()
            .filter(|document| document.get("kind").and_then(Value::as_str) == Some("KubeInlineManifestConfig"))
            .filter_map(|document| document.get("manifest")?.as_str());
        // A network plug-in is a DaemonSet that puts its configuration where the container runtime looks.
        built_in || listed.chain(own).any(|manifest| manifest.contains("DaemonSet") && manifest.contains("/etc/cni/net.d"))
    }

    /// Whether a cloud's controller tells Kubernetes about the node.
    pub(super) fn external_cloud_provider(&self) -> bool {
        self.at(&["cluster", "externalCloudProvider", "enabled"]) == Some(&Value::Bool(true))
            || self.kubelet_arguments().get("cloud-provider").is_some_and(|value| value == "external")
    }

    fn map_at(&self, old: &[&str], kind: &str, field: &str) -> BTreeMap<String, String> {
        let of_document = self.of_kind(kind).and_then(|document| document.get(field));
        let Some(Value::Object(map)) = of_document.or_else(|| self.at(old)) else { return BTreeMap::new() };
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        map.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
    }

    /// Labels that Talos puts on the node object.
    pub(super) fn node_labels(&self) -> BTreeMap<String, String> {
        self.map_at(&["machine", "nodeLabels"], "KubeNodeConfig", "labels")
    }

    /// Annotations.
    pub(super) fn node_annotations(&self) -> BTreeMap<String, String> {
        self.map_at(&["machine", "nodeAnnotations"], "KubeNodeConfig", "annotations")
    }

    /// Taints as `value:effect` or `effect` by key.
    pub(super) fn node_taints(&self) -> BTreeMap<String, String> {
        self.map_at(&["machine", "nodeTaints"], "KubeNodeConfig", "taints")
    }

    /// Whether nodes take pods of anyone's although they are control-plane nodes.
    pub(super) fn schedules_on_control_planes(&self) -> bool {
        ["allowSchedulingOnControlPlanes", "allowSchedulingOnMasters"]
            .iter()
            .any(|key| self.at(&["cluster", key]) == Some(&Value::Bool(true)))
    }

    /// Extra arguments of the kubelet.
    pub(super) fn kubelet_arguments(&self) -> BTreeMap<String, String> {
        self.map_at(&["machine", "kubelet", "extraArgs"], "KubeletConfig", "extraArgs")
    }

    /// Taints that the kubelet registers itself with: key, value, effect.
    pub(super) fn registration_taints(&self) -> Vec<(String, String, String)> {
        let of_document = self.of_kind("KubeletConfig").and_then(|document| document.get("extraConfig"));
        let extra = of_document.or_else(|| self.at(&["machine", "kubelet", "extraConfig"]));
        let listed = extra.and_then(|extra| extra.get("registerWithTaints")?.as_array()).into_iter().flatten().map(|taint| {
            let text = |key: &str| taint.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("key"), text("value"), text("effect"))
        });
        let arguments = self.kubelet_arguments();
        let argument = arguments.get("register-with-taints").cloned().unwrap_or_default();
        let given = argument.split(',').filter(|taint| !taint.is_empty()).map(|taint| {
            let (key, effect) = taint.rsplit_once(':').unwrap_or((taint, ""));
            let (key, value) = key.split_once('=').unwrap_or((key, ""));
            (key.to_owned(), value.to_owned(), effect.to_owned())
        });
        listed.chain(given).collect()
    }

    /// Labels that the kubelet registers itself with.
    pub(super) fn registration_labels(&self) -> BTreeMap<String, String> {
        let arguments = self.kubelet_arguments();
        let given = arguments.get("node-labels").cloned().unwrap_or_default();
        given
            .split(',')
            .filter_map(|label| label.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Whether a node that runs `self` must reboot for `new`: true where they differ outside of what Talos takes at once
    /// (`CanApplyImmediate` of v1.8.0 and v1.13.9, which look at the main document only).
    pub(super) fn must_reboot_for(&self, new: &Self) -> bool {
        const MACHINE: &[&str] = &[
            "ca",
            "acceptedCAs",
            "time",
            "certSANs",
            "install",
            "network",
            "sysfs",
            "sysctls",
            "logging",
            "controlPlane",
            "kubelet",
            "kernel",
            "registries",
            "pods",
            "seccompProfiles",
            "nodeAnnotations",
            "nodeLabels",
            "nodeTaints",
        ];
        const FEATURES: &[&str] = &["kubernetesTalosAPIAccess", "kubePrism", "hostDNS", "imageCache", "nodeAddressSortAlgorithm"];
        let rest = |config: &Self| {
            let mut document = config.main().cloned().unwrap_or_default();
            document.remove("debug");
            document.remove("cluster");
            if let Some(Value::Object(machine)) = document.get_mut("machine") {
                for key in MACHINE {
                    machine.remove(*key);
                }
                if let Some(Value::Object(features)) = machine.get_mut("features") {
                    for key in FEATURES {
                        features.remove(*key);
                    }
                }
            }
            without_empty(&Value::Object(document))
        };
        rest(self) != rest(new)
    }
}

/// Go's structs do not tell an absent value from an empty one.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: BTreeMap<&String, Value> = map
                .iter()
                .map(|(key, value)| (key, without_empty(value)))
                .filter(|(_, value)| {
                    !matches!(value, Value::Null | Value::Bool(false))
                        && value.as_str() != Some("")
                        && value.as_array().is_none_or(|list| !list.is_empty())
                        && value.as_object().is_none_or(|map| !map.is_empty())
                })
                .collect();
            Value::Object(kept.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(without_empty).collect()),
        other => other.clone(),
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

fn tag_of(image: &str) -> String {
    let image = image.split('@').next().unwrap_or_default();
    image.rsplit_once(':').map(|(_, tag)| tag.to_owned()).filter(|tag| !tag.contains('/')).unwrap_or_default()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Writes YAML as Talos does in its messages: four spaces a level, long texts in one line.
fn write_yaml(out: &mut String, map: &Map<String, Value>, depth: usize) {
    for (key, value) in map {
        out.push_str(&"    ".repeat(depth));
        out.push_str(key);
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push_str(":\n");
                write_yaml(out, inner, depth + 1);
            }
            Value::String(text) if !text.is_empty() && !text.contains([':', '#', '\n', '"', '\'']) => {
                out.push_str(": ");
                out.push_str(text);
                out.push('\n');
            }
            // JSON is YAML too.
            other => {
                out.push_str(": ");
                out.push_str(&other.to_string());
                out.push('\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        MachineConfig::load(text.as_bytes()).map(drop).expect_err("a refusal").to_string()
    }

    #[test]
    fn what_talos_refuses_is_refused_in_its_words() {
        assert_eq!(refusal(""), "config not found");
        assert_eq!(refusal("\n"), "config not found");
        assert_eq!(refusal("hello"), "recovered: expected a mapping node");
        assert_eq!(
            refusal("machine:\n  type: worker\n  nonsense: true\n"),
            "unknown keys found during decoding:\nmachine:\n    nonsense: true\n"
        );
        assert_eq!(refusal("version: v1alpha1\nnonsense: 1\n"), "unknown keys found during decoding:\nnonsense: 1\n");
        let kind = "apiVersion: v1alpha1\nkind: NonsenseConfig\n";
        assert_eq!(refusal(kind), "\"NonsenseConfig\" \"v1alpha1\": not registered");
        assert_eq!(refusal("version: v1alpha1\n---\nversion: v1alpha1\n"), "duplicate document /v1alpha1/ is not allowed");
        assert_eq!(refusal("version: v1alpha1\n"), "1 error occurred:\n\t* machine instructions are required\n\n");
        assert!(refusal("{{{ not: [").starts_with("decode error: yaml: "));
    }

    #[test]
    fn only_some_changes_need_a_reboot() {
        let config = |text: &str| MachineConfig::parse(text.as_bytes()).expect("a config");
        let old = config("machine:\n  type: worker\n  install:\n    disk: /dev/sda\n");
        assert!(!old.must_reboot_for(&config("machine:\n  type: worker\n  install:\n    disk: /dev/sdb\n  udev: {}\n")));
        assert!(!old.must_reboot_for(&config("debug: true\nmachine:\n  type: worker\n  nodeLabels: {a: b}\ncluster: {}\n")));
        assert!(old.must_reboot_for(&config("machine:\n  type: worker\n  env: {a: b}\n")));
        assert!(old.must_reboot_for(&config("machine:\n  type: controlplane\n")));
    }
}
