//! Settings that stand in a document of their own and in the one without a kind at the same time.
//!
//! This is what a patch runs into that was written for configs of an older contract: the generated config already has the
//! new document.

use crate::tree::Tree;

use super::Rules;

/// A kind of document, and the paths that must not be set beside it.
const CONFLICTS: &[(&str, &[&str])] = &[
    ("HostnameConfig", &["machine.network.hostname", "machine.features.stableHostname"]),
    ("ResolverConfig", &["machine.network.nameservers", "machine.network.searchDomains", "machine.network.disableSearchDomain"]),
    ("KubeSpanConfig", &["machine.network.kubespan"]),
    ("KubeAPIServerConfig", &["cluster.apiServer", "cluster.controlPlane.localAPIServerPort"]),
    ("KubeAdmissionControlConfig", &["cluster.apiServer.admissionControl"]),
    ("KubeAuditPolicyConfig", &["cluster.apiServer.auditPolicy"]),
    ("KubeAPIServerCAConfig", &["cluster.ca"]),
    ("KubeAggregatorCAConfig", &["cluster.aggregatorCA"]),
    ("KubeClusterConfig", &["cluster.clusterName", "cluster.controlPlane.endpoint"]),
    ("KubeControllerManagerConfig", &["cluster.controllerManager", "machine.controlPlane.controllerManager"]),
    ("KubeCoreDNSConfig", &["cluster.coreDNS"]),
    ("KubeletConfig", &["machine.kubelet"]),
    ("KubePrismConfig", &["machine.features.kubePrism"]),
    ("KubeNetworkConfig", &["cluster.network"]),
    ("KubeFlannelCNIConfig", &["cluster.network"]),
    (
        "KubeNodeConfig",
        &["cluster.allowSchedulingOnControlPlanes", "machine.nodeLabels", "machine.nodeAnnotations", "machine.nodeTaints"],
    ),
    ("KubeProxyConfig", &["cluster.proxy"]),
    ("KubeSchedulerConfig", &["cluster.scheduler", "machine.controlPlane.scheduler"]),
    ("KubeServiceAccountConfig", &["cluster.serviceAccount"]),
    ("KubeTalosAPIAccessConfig", &["machine.features.kubernetesTalosAPIAccess"]),
    ("KubeEtcdEncryptionConfig", &["cluster.secretboxEncryptionSecret", "cluster.aescbcEncryptionSecret"]),
    ("DiscoveryIdentityConfig", &["cluster.id", "cluster.secret"]),
    ("DiscoveryServiceConfig", &["cluster.discovery"]),
    ("UnattendedInstallConfig", &["machine.install"]),
];

/// Documents of Kubernetes' control plane, which no worker may have.
const CONTROL_PLANE_ONLY: [&str; 14] = [
    "KubeAPIServerConfig",
    "KubeAdmissionControlConfig",
    "KubeAggregatorCAConfig",
    "KubeAuditPolicyConfig",
    "KubeAuthenticationConfig",
    "KubeAuthorizerConfig",
    "KubeControllerManagerConfig",
    "KubeCoreDNSConfig",
    "KubeEtcdEncryptionConfig",
    "KubeFlannelCNIConfig",
    "KubeProxyConfig",
    "KubeSchedulerConfig",
    "KubeServiceAccountConfig",
    "KubeTalosAPIAccessConfig",
];

impl Rules<'_> {
    pub(super) fn conflicts(&mut self) {
        let documents = self.documents;
        let Some(plain) = documents.plain() else { return };
        for (kind, paths) in CONFLICTS {
            if documents.of_kind(kind).is_none() {
                continue;
            }
            for path in *paths {
                let keys: Vec<_> = path.split('.').collect();
                if plain.at(&keys).is_some_and(is_set) {
                    let message = format!("this is set by the document `{kind}` already: change it there");
                    self.refuse(*path, message);
                }
            }
        }
        let resolver = documents.of_kind("ResolverConfig");
        if resolver.is_some_and(|resolver| resolver.at(&["hostDNS"]).is_some())
            && plain.at(&["machine", "features", "hostDNS"]).is_some()
        {
            let message = "this is set by the document `ResolverConfig` already: change it there";
            self.refuse("machine.features.hostDNS", message);
        }
        if self.is_control_plane() {
            return;
        }
        for kind in CONTROL_PLANE_ONLY {
            if documents.of_kind(kind).is_some() {
                self.refuse(kind, "only control-plane nodes have this document");
            }
        }
    }
}

/// An empty text or `false` is as good as nothing; an empty section is not.
fn is_set(tree: &Tree) -> bool {
    match tree {
        Tree::Null | Tree::Bool(false) => false,
        Tree::Text(text) => !text.is_empty(),
        Tree::Number(number) => number != "0",
        Tree::List(list) => !list.is_empty(),
        Tree::Bool(true) | Tree::Map(_) => true,
    }
}
