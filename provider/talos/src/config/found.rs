//! What a config that was found on a node says of the inputs that it was made of.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::tree::{Map, Tree};
use crate::version::KubernetesVersion;

use super::MachineConfig;
use super::documents::Documents;
use super::generate::{TAINTS_ARGUMENT, parse_taint};

/// The inputs, as far as they show. A patch of the user's may have changed any of them, so whoever generates a config from
/// them has to compare it with the one that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The Kubernetes version that most of the config's images have.
    pub kubernetes_version: Option<KubernetesVersion>,
    /// The addresses of pods.
    pub pod_cidrs: Vec<IpNet>,
    /// The addresses of services.
    pub service_cidrs: Vec<IpNet>,
    /// Names and addresses in the certificates of the Talos API and, on control planes, of the Kubernetes API too.
    pub cert_sans: Vec<String>,
    /// Labels of the Kubernetes node.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Kubernetes node.
    pub annotations: BTreeMap<String, String>,
    /// Taints that a worker registers with, as `KEY=VALUE:EFFECT` or `KEY:EFFECT`.
    pub taints: Vec<String>,
}

impl MachineConfig {
    /// Reads the inputs back.
    pub fn found(&self) -> Found {
        let place = Place(self.documents());
        let kubelet_sans = place.texts(&["machine", "certSANs"], "", &[]);
        let server_sans = place.texts(&["cluster", "apiServer", "certSANs"], "KubeAPIServerConfig", &["certExtraSANs"]);
        let in_both = |san: &String| server_sans.is_empty() || server_sans.contains(san);
        let networks = |old: &str| {
            let path = ["cluster", "network", old];
            place.texts(&path, "KubeNetworkConfig", &[old]).iter().filter_map(|text| text.parse().ok()).collect()
        };
        Found {
            kubernetes_version: place.kubernetes_version(),
            pod_cidrs: networks("podSubnets"),
            service_cidrs: networks("serviceSubnets"),
            cert_sans: kubelet_sans.into_iter().filter(in_both).collect(),
            labels: place.entries(&["machine", "nodeLabels"], "labels"),
            annotations: place.entries(&["machine", "nodeAnnotations"], "annotations"),
            taints: place.taints(),
        }
    }
}

/// Looks in the document without a kind, and in the one that v1.14 has for it.
struct Place<'d>(&'d Documents);

impl Place<'_> {
    fn at(&self, path: &[&str], kind: &str, key: &[&str]) -> Option<&Tree> {
        let old = self.0.plain().and_then(|document| document.at(path));
        old.or_else(|| self.0.of_kind(kind)?.at(key))
    }

    fn texts(&self, path: &[&str], kind: &str, key: &[&str]) -> Vec<String> {
        let list = self.at(path, kind, key).and_then(Tree::as_list).unwrap_or_default();
        list.iter().filter_map(Tree::as_text).map(str::to_owned).collect()
    }

    fn entries(&self, path: &[&str], key: &str) -> BTreeMap<String, String> {
        let map = self.at(path, "KubeNodeConfig", &[key]).and_then(Tree::as_map);
        map.into_iter()
            .flat_map(Map::iter)
            .filter_map(|(key, value)| Some((key.to_owned(), value.as_text()?.to_owned())))
            .collect()
    }

    /// None where one of them is not written as we write them: a patch has set the argument then.
    fn taints(&self) -> Vec<String> {
        let path = ["machine", "kubelet", "extraArgs", TAINTS_ARGUMENT];
        let argument = self.at(&path, "KubeletConfig", &["extraArgs", TAINTS_ARGUMENT]).and_then(Tree::as_text);
        let taints: Vec<String> =
            argument.unwrap_or_default().split(',').filter(|taint| !taint.is_empty()).map(str::to_owned).collect();
        if taints.iter().all(|taint| parse_taint(taint).is_some()) { taints } else { Vec::new() }
    }

    fn kubernetes_version(&self) -> Option<KubernetesVersion> {
        let images = [
            (["machine", "kubelet", "image"], "KubeletConfig"),
            (["cluster", "apiServer", "image"], "KubeAPIServerConfig"),
            (["cluster", "controllerManager", "image"], "KubeControllerManagerConfig"),
            (["cluster", "scheduler", "image"], "KubeSchedulerConfig"),
            (["cluster", "proxy", "image"], "KubeProxyConfig"),
        ];
        let versions: Vec<KubernetesVersion> =
            images.iter().filter_map(|(path, kind)| version_of(self.at(path, kind, &["image"])?.as_text()?)).collect();
        // Of equally many the first, which is the kubelet's.
        let count = |version: &KubernetesVersion| versions.iter().filter(|other| *other == version).count();
        let most = versions.iter().map(count).max()?;
        versions.iter().find(|version| count(version) == most).cloned()
    }
}

/// The version in an image's tag: `REGISTRY/NAME:v1.35.4`, perhaps with a digest.
fn version_of(image: &str) -> Option<KubernetesVersion> {
    let name = image.split('@').next().unwrap_or_default();
    let (_, tag) = name.rsplit_once(':')?;
    KubernetesVersion::parse(tag.trim_start_matches('v')).ok()
}
