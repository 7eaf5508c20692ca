//! Kubernetes' part of a config: since v1.14 a document for each of its components.

use crate::tree::{Map, Tree, tree};

use super::generate::{CONTROL_PLANE_LABEL, Context, DNS_DOMAIN, KUBE_PRISM_PORT, networks, texts};

const FLANNEL_PORT: i64 = 4789;

/// The documents that every node has.
pub(super) fn for_all(context: &Context<'_>) -> Vec<Tree> {
    let (cluster, bundle) = (context.cluster, context.bundle);
    let authority = if context.control_plane {
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeAPIServerCAConfig",
            "issuingCA": { "cert": bundle.kubernetes.crt.as_str(), "key": bundle.kubernetes.key.as_str() },
        })
    } else {
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeAPIServerCAConfig",
            "acceptedCAs": [bundle.kubernetes.crt.as_str()],
        })
    };
    let arguments = &context.kubelet_arguments;
    vec![
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeClusterConfig",
            "clusterName": cluster.cluster_name.as_str(), "endpoint": cluster.endpoint.as_str(),
        }),
        node(context),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeletConfig",
            "image": context.kubelet_image(),
            "extraArgs"?: (!arguments.is_empty()).then(|| arguments.clone()),
            "defaultRuntimeSeccompProfileEnabled": true,
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeNetworkConfig",
            "dnsDomain": DNS_DOMAIN,
            "podSubnets": networks(&cluster.pod_cidrs),
            "serviceSubnets": networks(&cluster.service_cidrs),
        }),
        authority,
        tree!({ "apiVersion": "v1alpha1", "kind": "KubePrismConfig", "port": KUBE_PRISM_PORT }),
    ]
}

fn node(context: &Context<'_>) -> Tree {
    let mut labels = Map::new();
    if context.control_plane {
        labels.insert(CONTROL_PLANE_LABEL, "".into());
    }
    for (key, value) in context.labels().iter() {
        labels.insert(key, value.clone());
    }
    let mut taints = Map::new();
    if context.control_plane {
        if !context.cluster.schedule_on_control_planes {
            taints.insert(CONTROL_PLANE_LABEL, "NoSchedule".into());
        }
        for (key, value) in context.taint_map().iter() {
            taints.insert(key, value.clone());
        }
    }
    let annotations = &context.node.annotations;
    tree!({
        "apiVersion": "v1alpha1", "kind": "KubeNodeConfig",
        "labels"?: (!labels.is_empty()).then_some(labels),
        "annotations"?: (!annotations.is_empty()).then(|| texts(annotations)),
        "taints"?: (!taints.is_empty()).then_some(taints),
    })
}

/// The documents that control-plane nodes have besides.
pub(super) fn for_control_planes(context: &Context<'_>) -> Vec<Tree> {
    let (cluster, bundle) = (context.cluster, context.bundle);
    let probes = ["/livez", "/readyz", "/healthz"].map(|path| tree!({ "path": path }));
    // The name of the key is part of what etcd holds: with another one, secrets of older clusters cannot be read.
    let secretbox = tree!({
        "secretbox": { "keys": [tree!({ "name": "key2", "secret": bundle.secretbox_key.as_str() })] },
    });
    vec![
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeAggregatorCAConfig",
            "issuingCA": { "cert": bundle.aggregator.crt.as_str(), "key": bundle.aggregator.key.as_str() },
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeAdmissionControlConfig",
            "name": "PodSecurity", "configuration": pod_security(),
        }),
        tree!({ "apiVersion": "v1alpha1", "kind": "KubeAuditPolicyConfig", "configuration": audit_policy() }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeAuthenticationConfig",
            "configuration": {
                "anonymous": { "conditions": Tree::List(probes.to_vec()), "enabled": true },
                "jwt": [],
            },
        }),
        tree!({ "apiVersion": "v1alpha1", "kind": "KubeAuthorizerConfig", "name": "node", "type": "Node" }),
        tree!({ "apiVersion": "v1alpha1", "kind": "KubeAuthorizerConfig", "name": "rbac", "type": "RBAC" }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeEtcdEncryptionConfig",
            "config": { "resources": [tree!({ "providers": [secretbox], "resources": ["secrets"] })] },
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeServiceAccountConfig",
            "issuer": {
                "privateKey": bundle.service_account_key.as_str(),
                "issuerURL": cluster.endpoint.as_str(),
            },
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeAPIServerConfig",
            "image": context.image("kube-apiserver"),
            "certExtraSANs": context.api_server_sans(),
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeControllerManagerConfig",
            "image": context.image("kube-controller-manager"),
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeSchedulerConfig",
            "image": context.image("kube-scheduler"),
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeProxyConfig",
            "image": context.image("kube-proxy"),
        }),
        tree!({
            "apiVersion": "v1alpha1", "kind": "KubeFlannelCNIConfig",
            "backendType": "vxlan", "backendPort": FLANNEL_PORT,
        }),
        tree!({ "apiVersion": "v1alpha1", "kind": "KubeCoreDNSConfig", "enabled": true }),
    ]
}

/// The default pod security admission: baseline enforced, but for `kube-system`.
pub(super) fn pod_security() -> Tree {
    tree!({
        "apiVersion": "pod-security.admission.config.k8s.io/v1alpha1",
        "defaults": {
            "audit": "restricted", "audit-version": "latest",
            "enforce": "baseline", "enforce-version": "latest",
            "warn": "restricted", "warn-version": "latest",
        },
        "exemptions": { "namespaces": ["kube-system"], "runtimeClasses": [], "usernames": [] },
        "kind": "PodSecurityConfiguration",
    })
}

/// The default audit policy: who did what, without what was said.
pub(super) fn audit_policy() -> Tree {
    tree!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [tree!({ "level": "Metadata" })],
    })
}
