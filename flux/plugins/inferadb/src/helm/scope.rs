//! Which kinds live in a namespace: Helm puts objects without one into the release's, where they can be in any.

use std::collections::HashMap;

use crate::object::Object;

/// Kinds of Kubernetes, and of APIs beside it, that live in none.
const CLUSTER_WIDE: &[(&str, &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenReview"]),
    ("authorization.k8s.io", &["SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("gateway.networking.k8s.io", &["GatewayClass"]),
    ("networking.k8s.io", &["IPAddress", "IngressClass", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("policy", &["PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "DeviceTaintRule", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("snapshot.storage.k8s.io", &["VolumeSnapshotClass", "VolumeSnapshotContent"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
];

/// What custom resource definitions say of their kinds.
#[derive(Default)]
pub(super) struct Scopes(HashMap<(String, String), bool>);

impl Scopes {
    /// Those of the definitions among some objects.
    pub(super) fn of<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Self {
        let definitions = objects.into_iter().filter(|object| object.is("apiextensions.k8s.io", "CustomResourceDefinition"));
        let scope = |definition: &Object| {
            let spec = &definition.0["spec"];
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            ((text(&spec["group"]), text(&spec["names"]["kind"])), spec["scope"] != "Cluster")
        };
        Scopes(definitions.map(scope).collect())
    }

    /// Whether objects of its kind live in a namespace, as definitions of these or of a chart's own say. Of kinds that nothing
    /// defines here, a name that starts with `Cluster` says that they do not.
    pub(super) fn is_namespaced(&self, object: &Object, own: &Scopes) -> bool {
        let kind = (object.group().to_owned(), object.kind().to_owned());
        if let Some(namespaced) = own.0.get(&kind).or_else(|| self.0.get(&kind)) {
            return *namespaced;
        }
        match CLUSTER_WIDE.iter().find(|(group, _)| *group == object.group()) {
            Some((_, kinds)) => !kinds.contains(&object.kind()),
            None => !object.kind().starts_with("Cluster"),
        }
    }
}
