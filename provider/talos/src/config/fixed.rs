//! What no patch may change: what ties a node to its cluster, and what its caller is asked for by other names.

use crate::tree::Tree;

use super::documents::Documents;

/// Which of the documents: the one without a kind, or the one of this kind.
type Kind = Option<&'static str>;

/// Identity and secrets of the cluster. A node with others belongs to another cluster, or to none.
const IDENTITY: &[(Kind, &[&str])] = &[
    (None, &["machine", "type"]),
    (None, &["machine", "token"]),
    (None, &["machine", "ca"]),
    (None, &["cluster", "id"]),
    (None, &["cluster", "secret"]),
    (None, &["cluster", "token"]),
    (None, &["cluster", "clusterName"]),
    (None, &["cluster", "controlPlane", "endpoint"]),
    (None, &["cluster", "ca"]),
    (None, &["cluster", "aggregatorCA"]),
    (None, &["cluster", "serviceAccount"]),
    (None, &["cluster", "etcd", "ca"]),
    (None, &["cluster", "secretboxEncryptionSecret"]),
    (Some("KubeClusterConfig"), &["clusterName"]),
    (Some("KubeClusterConfig"), &["endpoint"]),
    (Some("KubeAPIServerCAConfig"), &["issuingCA"]),
    (Some("KubeAggregatorCAConfig"), &["issuingCA"]),
    (Some("KubeServiceAccountConfig"), &["issuer", "privateKey"]),
];

/// Address ranges: a patch may add one of the other family, and keeps the one that the cluster was made with.
const RANGES: &[(Kind, &[&str])] = &[
    (None, &["cluster", "network", "podSubnets"]),
    (None, &["cluster", "network", "serviceSubnets"]),
    (Some("KubeNetworkConfig"), &["podSubnets"]),
    (Some("KubeNetworkConfig"), &["serviceSubnets"]),
];

/// Images of Kubernetes: from any registry, of the version that the cluster has.
const IMAGES: &[(Kind, &[&str])] = &[
    (None, &["machine", "kubelet", "image"]),
    (None, &["cluster", "apiServer", "image"]),
    (None, &["cluster", "controllerManager", "image"]),
    (None, &["cluster", "scheduler", "image"]),
    (None, &["cluster", "proxy", "image"]),
    (Some("KubeletConfig"), &["image"]),
    (Some("KubeAPIServerConfig"), &["image"]),
    (Some("KubeControllerManagerConfig"), &["image"]),
    (Some("KubeSchedulerConfig"), &["image"]),
    (Some("KubeProxyConfig"), &["image"]),
];

/// Why a patched config is none of the cluster's. Names fields, and shows no value: most are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FixedError {
    /// What ties the node to its cluster.
    #[error("a patch changes or removes `{0}`, which ties the node to its cluster: leave it out of the patches")]
    Identity(String),
    /// An address range.
    #[error("a patch takes the cluster's own range out of `{0}`: it can add a range of the other family, and keeps this one")]
    Range(String),
    /// An image of another version.
    #[error(
        "a patch gives `{0}` another version than the cluster's Kubernetes version, or removes it: an image of yours has the tag `{1}`"
    )]
    Image(String, String),
}

/// Compares a config with what its patches made of it.
pub(super) fn check(before: &Documents, after: &Documents) -> Result<(), FixedError> {
    for (kind, path) in IDENTITY {
        if let Some(own) = at(before, *kind, path)
            && at(after, *kind, path).is_none_or(|now| !now.same_as(own))
        {
            return Err(FixedError::Identity(name(*kind, path)));
        }
    }
    for (kind, path) in RANGES {
        let ranges = |documents| at(documents, *kind, path).and_then(Tree::as_list).unwrap_or_default();
        if !ranges(before).iter().all(|own| ranges(after).iter().any(|now| now.same_as(own))) {
            return Err(FixedError::Range(name(*kind, path)));
        }
    }
    for (kind, path) in IMAGES {
        let tag = |documents| at(documents, *kind, path).and_then(Tree::as_text).and_then(tag);
        if let Some(own) = tag(before)
            && tag(after) != Some(own)
            && !(removable(path, *kind) && at(after, *kind, path).is_none())
        {
            return Err(FixedError::Image(name(*kind, path), own.to_owned()));
        }
    }
    Ok(())
}

/// kube-proxy gives way to a network plugin that does its work.
fn removable(path: &[&str], kind: Kind) -> bool {
    path.contains(&"proxy") || kind == Some("KubeProxyConfig")
}

fn at<'d>(documents: &'d Documents, kind: Kind, path: &[&str]) -> Option<&'d Tree> {
    match kind {
        None => documents.plain()?.at(path),
        Some(kind) => documents.of_kind(kind)?.at(path),
    }
}

fn name(kind: Kind, path: &[&str]) -> String {
    let path = path.join(".");
    kind.map_or_else(|| path.clone(), |kind| format!("{kind}: {path}"))
}

/// `v1.35.4` of `ghcr.io/siderolabs/kubelet:v1.35.4@sha256:…`
fn tag(image: &str) -> Option<&str> {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let (_, tag) = image.rsplit_once(':')?;
    (!tag.contains('/')).then_some(tag)
}
