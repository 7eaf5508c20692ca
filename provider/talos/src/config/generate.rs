//! Generates the config of a node: what `talosctl gen config` of the contract's version makes, with what a cluster in a
//! cloud needs besides.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;

use crate::patch::{ApplyError, Patch};
use crate::pki::CertificateAndKey;
use crate::secrets::Bundle;
use crate::tree::{Map, Tree, tree};
use crate::version::{KubernetesVersion, TalosVersion, VersionError};

use super::contract::Contract;
use super::documents::Documents;
use super::fixed::{self, FixedError};
use super::{MachineConfig, kubernetes};

pub(super) const KUBELET_IMAGE: &str = "ghcr.io/siderolabs/kubelet";
pub(super) const KUBERNETES_IMAGES: &str = "registry.k8s.io";
pub(super) const DNS_DOMAIN: &str = "cluster.local";
pub(super) const KUBE_PRISM_PORT: i64 = 7445;
pub(super) const CONTROL_PLANE_LABEL: &str = "node-role.kubernetes.io/control-plane";
pub(super) const EXCLUDE_FROM_LOAD_BALANCERS: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const DISCOVERY_SERVICE: &str = "https://discovery.talos.dev/";
pub(super) const TAINTS_ARGUMENT: &str = "register-with-taints";

/// What a machine is in its cluster.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Runs etcd and Kubernetes' control plane.
    ControlPlane,
    /// Runs workloads.
    Worker,
}

impl Role {
    /// As Talos writes it: `controlplane` or `worker`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "controlplane",
            Self::Worker => "worker",
        }
    }
}

/// What all nodes of a cluster share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterInput {
    /// The cluster's name, which goes into credentials too.
    pub cluster_name: String,
    /// Where nodes and users reach the Kubernetes API: `https://HOST:6443`.
    pub endpoint: String,
    /// The Talos that the nodes run: decides which fields patches may use.
    pub talos_version: TalosVersion,
    /// The Talos that the cluster was created with: decides the form of its configs, for ever.
    pub contract: TalosVersion,
    /// The Kubernetes that the nodes run.
    pub kubernetes_version: KubernetesVersion,
    /// The addresses of pods; one per family.
    pub pod_cidrs: Vec<IpNet>,
    /// The addresses of services; one per family.
    pub service_cidrs: Vec<IpNet>,
    /// More names and addresses for the certificates of the Kubernetes and the Talos API.
    pub cert_sans: Vec<String>,
    /// Whether ordinary pods may run on control-plane nodes.
    pub schedule_on_control_planes: bool,
    /// Whether a cloud controller completes the nodes: kubelets then start with `--cloud-provider=external`.
    pub external_cloud_provider: bool,
}

/// What one node, or all nodes of a pool, have of their own.
#[derive(Clone)]
pub struct NodeInput<'a> {
    /// What the machine is.
    pub role: Role,
    /// The disk that Talos is installed to where a machine boots from something else; on cloud images not used.
    pub install_disk: Option<String>,
    /// The installer image that goes with it.
    pub install_image: Option<String>,
    /// Labels of the Kubernetes node.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Kubernetes node.
    pub annotations: BTreeMap<String, String>,
    /// Taints of the Kubernetes node as `KEY=VALUE:EFFECT` or `KEY:EFFECT`, set when it registers.
    pub taints: Vec<String>,
    /// More arguments of the kubelet.
    pub kubelet_arguments: BTreeMap<String, String>,
    /// The user's patches, applied in order after all else.
    pub patches: &'a [Patch],
}

impl NodeInput<'_> {
    /// A node without anything of its own.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            install_disk: None,
            install_image: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            taints: Vec::new(),
            kubelet_arguments: BTreeMap::new(),
            patches: &[],
        }
    }
}

/// Why no config could be generated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The versions do not go together.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A newer contract than the Talos that shall read it.
    #[error("the config contract `{contract}` is newer than Talos `{talos}`, which cannot read configs of that form")]
    Contract {
        /// The contract.
        contract: TalosVersion,
        /// The nodes' Talos.
        talos: TalosVersion,
    },
    /// A taint that Kubernetes does not take.
    #[error(
        "the taint `{taint}` is not `KEY=VALUE:EFFECT` or `KEY:EFFECT` with one of the effects `NoSchedule`, `PreferNoSchedule` and `NoExecute`"
    )]
    Taint {
        /// As given.
        taint: String,
    },
    /// A patch that does not go onto the config.
    #[error("patch {}: {source}", .index + 1)]
    Patch {
        /// Which of the node's patches, from 0.
        index: usize,
        /// Why.
        source: ApplyError,
    },
    /// A patch that takes the node out of its cluster.
    #[error(transparent)]
    Fixed(#[from] FixedError),
}

/// Generates the config of a node.
///
/// # Errors
/// Versions that do not go together, a malformed taint, or a patch that cannot be applied. That Talos takes the result
/// is for [`validate`](crate::validate::validate) to say.
pub fn generate(bundle: &Bundle, cluster: &ClusterInput, node: &NodeInput<'_>) -> Result<MachineConfig, ConfigError> {
    cluster.talos_version.check(&cluster.kubernetes_version)?;
    if cluster.contract.minor() > cluster.talos_version.minor() {
        return Err(ConfigError::Contract { contract: cluster.contract.clone(), talos: cluster.talos_version.clone() });
    }
    let taints = taints(&node.taints)?;
    let context = Context {
        bundle,
        cluster,
        node,
        contract: Contract::of(&cluster.contract),
        control_plane: node.role == Role::ControlPlane,
        kubelet_arguments: kubelet_arguments(node, &taints),
        taints,
    };
    let mut documents = vec![context.plain()];
    if context.contract.documents_for_all() {
        documents.extend(context.own_documents());
        documents.push(hostname());
        documents.extend(kubernetes::for_all(&context));
        if context.control_plane {
            documents.extend(kubernetes::for_control_planes(&context));
        }
    } else if context.contract.hostname_document() {
        documents.push(hostname());
    }
    let mut documents = Documents::new(documents);
    let unpatched = (!node.patches.is_empty()).then(|| documents.clone());
    for (index, patch) in node.patches.iter().enumerate() {
        patch.apply(&mut documents).map_err(|source| ConfigError::Patch { index, source })?;
    }
    if let Some(unpatched) = unpatched {
        fixed::check(&unpatched, &documents)?;
    }
    Ok(MachineConfig::new(documents))
}

/// All that the parts of a config are made of.
pub(super) struct Context<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) cluster: &'a ClusterInput,
    pub(super) node: &'a NodeInput<'a>,
    pub(super) contract: Contract,
    pub(super) control_plane: bool,
    pub(super) kubelet_arguments: Map,
    pub(super) taints: Vec<(String, String)>,
}

impl Context<'_> {
    /// The document without a kind.
    fn plain(&self) -> Tree {
        let mut document = tree!({ "version": "v1alpha1", "debug": false, "persist": true });
        if let Some(map) = document.as_map_mut() {
            map.insert("machine", self.machine());
            map.insert("cluster", self.cluster());
        }
        document
    }

    fn machine(&self) -> Tree {
        let contract = self.contract;
        let mut machine = Map::new();
        machine.insert("type", self.node.role.as_str().into());
        machine.insert("token", self.bundle.trustd_token.as_str().into());
        machine.insert("ca", pair(&self.bundle.os, self.control_plane));
        machine.insert("certSANs", self.cluster.cert_sans.as_slice().into());
        if !contract.documents_for_all() {
            machine.insert("kubelet", self.kubelet());
            if contract.writes_empty_network() {
                machine.insert("network", tree!({}));
            }
            machine.insert("install", self.install());
        }
        machine.insert("features", self.features());
        if !contract.documents_for_all() {
            let labels = self.labels();
            if !labels.is_empty() {
                machine.insert("nodeLabels", labels.into());
            }
            if !self.node.annotations.is_empty() {
                machine.insert("nodeAnnotations", texts(&self.node.annotations));
            }
            if self.control_plane && !self.taints.is_empty() {
                machine.insert("nodeTaints", self.taint_map().into());
            }
        }
        machine.into()
    }

    fn kubelet(&self) -> Tree {
        let mut kubelet = Map::new();
        kubelet.insert("image", self.kubelet_image().into());
        if !self.kubelet_arguments.is_empty() {
            kubelet.insert("extraArgs", self.kubelet_arguments.clone().into());
        }
        kubelet.insert("defaultRuntimeSeccompProfileEnabled", true.into());
        kubelet.insert("disableManifestsDirectory", true.into());
        kubelet.into()
    }

    fn install(&self) -> Tree {
        tree!({
            "disk"?: self.node.install_disk.as_deref(),
            "image"?: self.node.install_image.as_deref(),
            "wipe": false,
            "grubUseUKICmdline"?: self.contract.grub_uses_uki_cmdline().then_some(true),
        })
    }

    fn features(&self) -> Tree {
        let implied = self.contract.says_what_is_implied().then_some(true);
        let stable_hostname = (!self.contract.hostname_document()).then_some(true);
        let mut features = tree!({
            "rbac"?: implied,
            "stableHostname"?: stable_hostname,
            "apidCheckExtKeyUsage"?: implied,
            "diskQuotaSupport": true,
        });
        if let (false, Some(map)) = (self.contract.documents_for_all(), features.as_map_mut()) {
            map.insert("kubePrism", tree!({ "enabled": true, "port": KUBE_PRISM_PORT }));
            map.insert("hostDNS", host_dns());
        }
        features
    }

    fn cluster(&self) -> Tree {
        let (bundle, input, contract) = (self.bundle, self.cluster, self.contract);
        let mut cluster = Map::new();
        if !contract.documents_for_all() {
            cluster.insert("id", bundle.cluster_id.as_str().into());
            cluster.insert("secret", bundle.cluster_secret.as_str().into());
            cluster.insert("controlPlane", tree!({ "endpoint": input.endpoint.as_str() }));
            cluster.insert("clusterName", input.cluster_name.as_str().into());
            cluster.insert(
                "network",
                tree!({
                    "dnsDomain": DNS_DOMAIN,
                    "podSubnets": networks(&input.pod_cidrs),
                    "serviceSubnets": networks(&input.service_cidrs),
                }),
            );
        }
        cluster.insert("token", bundle.bootstrap_token.as_str().into());
        if !contract.documents_for_all() {
            self.certificates_and_components(&mut cluster);
            cluster.insert(
                "discovery",
                tree!({
                    "enabled": true,
                    "registries": { "kubernetes": { "disabled": true }, "service": {} },
                }),
            );
        }
        if self.control_plane {
            cluster.insert("etcd", tree!({ "ca": pair(&bundle.etcd, true) }));
        }
        if input.external_cloud_provider {
            cluster.insert("externalCloudProvider", tree!({ "enabled": true }));
        }
        if self.control_plane && input.schedule_on_control_planes && !contract.documents_for_all() {
            cluster.insert("allowSchedulingOnControlPlanes", true.into());
        }
        cluster.into()
    }

    fn certificates_and_components(&self, cluster: &mut Map) {
        let bundle = self.bundle;
        if !self.control_plane {
            cluster.insert("ca", pair(&bundle.kubernetes, false));
            return;
        }
        cluster.insert("secretboxEncryptionSecret", bundle.secretbox_key.as_str().into());
        cluster.insert("ca", pair(&bundle.kubernetes, true));
        cluster.insert("aggregatorCA", pair(&bundle.aggregator, true));
        cluster.insert("serviceAccount", tree!({ "key": base64(&bundle.service_account_key) }));
        let psp = self.contract.says_what_is_implied().then_some(true);
        cluster.insert(
            "apiServer",
            tree!({
                "image": self.image("kube-apiserver"),
                "certSANs": self.api_server_sans(),
                "disablePodSecurityPolicy"?: psp,
                "admissionControl": [tree!({
                    "name": "PodSecurity",
                    "configuration": kubernetes::pod_security(),
                })],
                "auditPolicy": kubernetes::audit_policy(),
            }),
        );
        for (key, image) in
            [("controllerManager", "kube-controller-manager"), ("proxy", "kube-proxy"), ("scheduler", "kube-scheduler")]
        {
            cluster.insert(key, tree!({ "image": self.image(image) }));
        }
    }

    /// What v1.14 took out of the document without a kind, but for Kubernetes.
    fn own_documents(&self) -> Vec<Tree> {
        let mut documents = vec![
            tree!({
                "apiVersion": "v1alpha1", "kind": "DiscoveryServiceConfig",
                "name": "default", "endpoint": DISCOVERY_SERVICE,
            }),
            tree!({
                "apiVersion": "v1alpha1", "kind": "DiscoveryIdentityConfig",
                "clusterID": self.bundle.cluster_id.as_str(),
                "clusterSecret": self.bundle.cluster_secret.as_str(),
            }),
        ];
        if let Some(disk) = &self.node.install_disk {
            let selector = format!("disk.dev_path == {disk:?}");
            documents.push(tree!({
                "apiVersion": "v1alpha1", "kind": "UnattendedInstallConfig",
                "installer": { "image"?: self.node.install_image.as_deref() },
                "provisioning": { "diskSelector": { "match": selector }, "wipe": false },
            }));
        }
        documents.extend([
            tree!({ "apiVersion": "v1alpha1", "kind": "ResolverConfig", "hostDNS": host_dns() }),
            tree!({
                "apiVersion": "v1alpha1", "kind": "VolumeConfig",
                "name": "EPHEMERAL", "mount": { "secure": true },
            }),
            tree!({ "apiVersion": "v1alpha1", "kind": "FilesystemTrimConfig", "interval": "168h0m0s" }),
            tree!({ "apiVersion": "v1alpha1", "kind": "SecurityProfileConfig", "workloadIsolation": true }),
        ]);
        documents
    }

    pub(super) fn labels(&self) -> Map {
        let mut labels = Map::new();
        if self.control_plane {
            labels.insert(EXCLUDE_FROM_LOAD_BALANCERS, "".into());
        }
        for (key, value) in &self.node.labels {
            labels.insert(key.as_str(), value.as_str().into());
        }
        labels
    }

    pub(super) fn taint_map(&self) -> Map {
        self.taints.iter().map(|(key, effect)| (key.clone(), effect.as_str().into())).collect()
    }

    pub(super) fn api_server_sans(&self) -> Tree {
        let host = self.contract.lists_endpoint_san().then(|| host(&self.cluster.endpoint));
        Tree::List(host.into_iter().chain(self.cluster.cert_sans.iter().map(String::as_str)).map(Tree::from).collect())
    }

    pub(super) fn image(&self, name: &str) -> String {
        format!("{KUBERNETES_IMAGES}/{name}:v{}", self.cluster.kubernetes_version)
    }

    pub(super) fn kubelet_image(&self) -> String {
        format!("{KUBELET_IMAGE}:v{}", self.cluster.kubernetes_version)
    }
}

/// Workers get their taints as they register: afterwards NodeRestriction forbids a kubelet to set them.
fn kubelet_arguments(node: &NodeInput<'_>, taints: &[(String, String)]) -> Map {
    let mut arguments: Map = node.kubelet_arguments.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    if node.role == Role::Worker && !taints.is_empty() {
        let mut all: Vec<_> = arguments.get(TAINTS_ARGUMENT).and_then(Tree::as_text).map(str::to_owned).into_iter().collect();
        all.extend(taints.iter().map(|(key, effect)| {
            let separator = if effect.contains(':') { "=" } else { ":" };
            format!("{key}{separator}{effect}")
        }));
        arguments.insert(TAINTS_ARGUMENT, all.join(",").into());
    }
    arguments
}

/// Splits taints into key and `VALUE:EFFECT`, or `EFFECT` where there is no value.
fn taints(taints: &[String]) -> Result<Vec<(String, String)>, ConfigError> {
    taints
        .iter()
        .map(|taint| {
            let (key, value, effect) = parse_taint(taint).ok_or_else(|| ConfigError::Taint { taint: taint.clone() })?;
            let rest = if value.is_empty() { effect.to_owned() } else { format!("{value}:{effect}") };
            Ok((key.to_owned(), rest))
        })
        .collect()
}

pub(super) fn parse_taint(taint: &str) -> Option<(&str, &str, &str)> {
    let (rest, effect) = taint.rsplit_once(':')?;
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    (effects.contains(&effect) && crate::validate::qualified_name(key).is_ok() && crate::validate::label_value(value).is_ok())
        .then_some((key, value, effect))
}

fn hostname() -> Tree {
    tree!({ "apiVersion": "v1alpha1", "kind": "HostnameConfig", "auto": "stable" })
}

fn host_dns() -> Tree {
    tree!({ "enabled": true, "forwardKubeDNSToHost": true })
}

/// A certificate with its key, or without it: workers get no keys of authorities.
fn pair(pair: &CertificateAndKey, with_key: bool) -> Tree {
    let key = if with_key { base64(&pair.key) } else { Tree::text("") };
    tree!({ "crt": base64(&pair.crt), "key": key })
}

fn base64(text: &str) -> Tree {
    Tree::text(STANDARD.encode(text.as_bytes()))
}

pub(super) fn texts(map: &BTreeMap<String, String>) -> Tree {
    map.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect::<Map>().into()
}

pub(super) fn networks(networks: &[IpNet]) -> Tree {
    Tree::List(networks.iter().map(|network| network.to_string().into()).collect())
}

/// The host of `https://host:port`, without the brackets of an IPv6 address.
fn host(endpoint: &str) -> &str {
    let authority =
        endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}
