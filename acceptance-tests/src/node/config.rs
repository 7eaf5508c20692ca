//! What a node reads from its machine config. Read independently of the product.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;

/// What Talos says of a config that it cannot decode or does not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What a machine is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs etcd and Kubernetes' control plane.
    ControlPlane,
    /// Runs workloads.
    Worker,
}

/// A config that a node can boot with.
pub struct NodeConfig {
    /// As it was given.
    pub text: String,
    main: Value,
    /// The role.
    pub role: Role,
    /// Talos' CA certificate, PEM.
    pub os_ca: String,
    /// Its key, PEM; control planes only.
    pub os_ca_key: Option<String>,
}

const TOP: &[&str] = &["version", "debug", "persist", "machine", "cluster"];
const MACHINE: &[&str] = &[
    "type", "token", "ca", "acceptedCAs", "certSANs", "controlPlane", "kubelet", "pods", "network", "disks", "install", "files", "env",
    "time", "sysctls", "sysfs", "registries", "systemDiskEncryption", "features", "udev", "logging", "kernel", "seccompProfiles",
    "baseRuntimeSpecOverrides", "nodeLabels", "nodeAnnotations", "nodeTaints",
];
const CLUSTER: &[&str] = &[
    "id", "secret", "controlPlane", "clusterName", "network", "token", "aescbcEncryptionSecret", "secretboxEncryptionSecret", "ca",
    "acceptedCAs", "aggregatorCA", "serviceAccount", "apiServer", "controllerManager", "proxy", "scheduler", "discovery", "etcd",
    "coreDNS", "externalCloudProvider", "extraManifests", "extraManifestHeaders", "inlineManifests", "adminKubeconfig",
    "allowSchedulingOnMasters", "allowSchedulingOnControlPlanes",
];

/// User data as an instance got it: Talos takes plain text and gzip.
pub(super) fn unpack(user_data: &[u8]) -> Result<String, Refused> {
    let bytes = if user_data.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        GzDecoder::new(user_data).read_to_end(&mut unpacked).map_err(|error| Refused(format!("gzip: {error}")))?;
        unpacked
    } else {
        user_data.to_vec()
    };
    String::from_utf8(bytes).map_err(|error| Refused(error.to_string()))
}

fn documents(text: &str) -> Result<Vec<Value>, Refused> {
    let mut parts = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
        .iter()
        .filter(|part| part.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')))
        .map(|part| serde_saphyr::from_str::<Value>(part).map_err(|error| Refused(format!("yaml: {error}"))))
        .collect()
}

fn unknown_keys(value: &Value, known: &[&str], place: &str) -> Result<(), Refused> {
    let Some(map) = value.as_object() else { return Ok(()) };
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Refused(format!("unknown keys found during decoding:\n{place}{key}: …\n"))),
        None => Ok(()),
    }
}

impl NodeConfig {
    /// Reads a config, and refuses what no Talos would take.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let mut main = None;
        for document in documents(text)? {
            if document.get("apiVersion").is_some() {
                if document.get("kind").and_then(Value::as_str).is_none_or(|kind| !kind.ends_with("Config") && !kind.ends_with("Document")) {
                    return Err(Refused(format!("\"{}\": not registered", document.get("kind").unwrap_or(&Value::Null))));
                }
                continue;
            }
            if main.is_some() {
                return Err(Refused("not allowed to have more than one v1alpha1 document".to_owned()));
            }
            main = Some(document);
        }
        let main = main.ok_or_else(|| Refused("the config has no v1alpha1 document".to_owned()))?;
        unknown_keys(&main, TOP, "")?;
        unknown_keys(&main["machine"], MACHINE, "machine:\n    ")?;
        unknown_keys(&main["cluster"], CLUSTER, "cluster:\n    ")?;
        let role = match main.pointer("/machine/type").and_then(Value::as_str) {
            Some("controlplane") => Role::ControlPlane,
            Some("worker") => Role::Worker,
            other => return Err(Refused(format!("machine type {other:?} is not known"))),
        };
        let pem = |pointer: &str| main.pointer(pointer).and_then(Value::as_str).and_then(decode);
        let os_ca = pem("/machine/ca/crt").ok_or_else(|| Refused("issuing Talos API CA is required".to_owned()))?;
        let os_ca_key = pem("/machine/ca/key");
        if role == Role::ControlPlane && os_ca_key.is_none() {
            return Err(Refused("issuing Talos API CA key is required for controlplane nodes".to_owned()));
        }
        if main.pointer("/cluster/controlPlane/endpoint").and_then(Value::as_str).is_none_or(|url| !url.starts_with("https://")) {
            return Err(Refused("cluster controlplane endpoint is required".to_owned()));
        }
        Ok(Self { text: text.to_owned(), role, os_ca, os_ca_key, main })
    }

    fn at(&self, pointer: &str) -> Option<&str> {
        self.main.pointer(pointer).and_then(Value::as_str)
    }

    fn pem(&self, pointer: &str) -> Option<String> {
        self.at(pointer).and_then(decode)
    }

    fn strings(&self, pointer: &str) -> Vec<String> {
        let items = self.main.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn map(&self, pointer: &str) -> BTreeMap<String, String> {
        let entries = self.main.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default();
        entries.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect()
    }

    /// Names and addresses besides the node's own, for the Talos API's certificate.
    pub fn cert_sans(&self) -> Vec<String> {
        self.strings("/machine/certSANs")
    }

    /// Kubernetes' CA: certificate, and the key on control planes. PEM.
    pub fn kubernetes_ca(&self) -> Option<(String, Option<String>)> {
        Some((self.pem("/cluster/ca/crt")?, self.pem("/cluster/ca/key")))
    }

    /// etcd's CA certificate, PEM; control planes only.
    pub fn etcd_ca(&self) -> Option<String> {
        self.pem("/cluster/etcd/ca/crt")
    }

    /// Names and addresses in kube-apiserver's certificate: those that are given and the endpoint's host.
    pub fn kubernetes_names(&self) -> Vec<String> {
        let mut names = self.strings("/cluster/apiServer/certSANs");
        if let Some(host) = self.at("/cluster/controlPlane/endpoint").and_then(|url| url.strip_prefix("https://")) {
            names.push(host.rsplit_once(':').map_or(host, |(host, _)| host).to_owned());
        }
        names.extend(["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "127.0.0.1"].map(str::to_owned));
        names
    }

    /// `v1.35.4`, from the kubelet's image.
    pub fn kubelet_version(&self) -> String {
        let image = self.at("/machine/kubelet/image").unwrap_or_default();
        image.rsplit_once(':').map_or("v0.0.0", |(_, tag)| tag).to_owned()
    }

    /// Node labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.map("/machine/nodeLabels")
    }

    /// Node annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.map("/machine/nodeAnnotations")
    }

    /// Taints as the kubelet registers with them: key, value, effect.
    pub fn taints(&self) -> Vec<(String, String, String)> {
        let mut taints: Vec<(String, String, String)> = self
            .at("/machine/kubelet/extraArgs/register-with-taints")
            .unwrap_or_default()
            .split(',')
            .filter_map(|taint| {
                let (name, effect) = taint.rsplit_once(':')?;
                let (key, value) = name.split_once('=').unwrap_or((name, ""));
                Some((key.to_owned(), value.to_owned(), effect.to_owned()))
            })
            .collect();
        let schedules = self.main.pointer("/cluster/allowSchedulingOnControlPlanes").and_then(Value::as_bool) == Some(true);
        if self.role == Role::ControlPlane && !schedules {
            taints.push(("node-role.kubernetes.io/control-plane".to_owned(), String::new(), "NoSchedule".to_owned()));
        }
        taints
    }

    /// Whether a network comes with the config: flannel unless told, `none` with or without a manifest of the user's.
    pub fn brings_cni(&self) -> bool {
        if self.at("/cluster/network/cni/name") != Some("none") {
            return true;
        }
        let manifests = self.main.pointer("/cluster/inlineManifests").and_then(Value::as_array).cloned().unwrap_or_default();
        manifests.iter().any(|manifest| {
            let text = manifest.get("contents").and_then(Value::as_str).unwrap_or_default();
            text.contains("kind: DaemonSet") && ["cilium", "calico", "flannel"].iter().any(|name| text.contains(name))
        })
    }

    /// Whether Talos (up to v1.13) changes from this config to `new` only by a reboot.
    pub fn needs_reboot_for(&self, new: &Self) -> bool {
        fixed(&self.main) != fixed(&new.main)
    }

    /// Private keys and tokens, to look for in places where none may stand: raw text as in the config.
    pub fn secrets(&self) -> Vec<String> {
        [
            "/machine/token",
            "/machine/ca/key",
            "/cluster/secret",
            "/cluster/token",
            "/cluster/secretboxEncryptionSecret",
            "/cluster/ca/key",
            "/cluster/aggregatorCA/key",
            "/cluster/serviceAccount/key",
            "/cluster/etcd/ca/key",
        ]
        .iter()
        .filter_map(|pointer| self.at(pointer))
        .map(str::to_owned)
        .collect()
    }
}

/// What a running Talos cannot change: the rest of `machine`.
fn fixed(main: &Value) -> Value {
    let mut fixed = main.clone();
    if let Some(top) = fixed.as_object_mut() {
        top.retain(|key, _| key != "cluster" && key != "debug");
        if let Some(machine) = top.get_mut("machine").and_then(Value::as_object_mut) {
            for live in [
                "ca", "acceptedCAs", "time", "certSANs", "install", "network", "sysfs", "sysctls", "logging", "controlPlane", "kubelet",
                "kernel", "registries", "pods", "seccompProfiles", "nodeAnnotations", "nodeLabels", "nodeTaints",
            ] {
                machine.remove(live);
            }
            if let Some(features) = machine.get_mut("features").and_then(Value::as_object_mut) {
                features.retain(|key, _| !matches!(key.as_str(), "kubernetesTalosAPIAccess" | "kubePrism" | "hostDNS" | "imageCache" | "nodeAddressSortAlgorithm"));
            }
        }
    }
    fixed
}

fn decode(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok().filter(|pem| pem.contains("-----BEGIN"))
}
