//! The schema of `inferadb_cluster`.

use std::collections::BTreeMap;

use tf_provider::{Model, Object, Timeouts, Value};

use super::checks;

/// A Kubernetes cluster on Talos Linux: an API load balancer, control-plane nodes spread over the region's zones, and
/// worker pools.
///
/// One apply makes the machines, bootstraps etcd once, and ends when every machine is running, every etcd member votes and
/// the Kubernetes API answers through the cluster's endpoint. Scaling a worker pool and changing patches happen in place.
#[derive(Model, Clone, PartialEq)]
pub(crate) struct ClusterModel {
    /// `ENVIRONMENT/REGION/NAME`.
    #[attr(computed)]
    pub(crate) id: Value<String>,
    /// Name of the cluster: lower-case letters, digits and hyphens, at most 32 characters.
    #[attr(required, requires_replace, validate = checks::cluster_name)]
    pub(crate) name: Value<String>,
    /// `id` of the `inferadb_region` that the cluster stands in.
    #[attr(required, requires_replace, validate = checks::region_id)]
    pub(crate) region_id: Value<String>,
    /// Talos version, for example `v1.13.9`.
    #[attr(required, validate = checks::talos_version)]
    pub(crate) talos_version: Value<String>,
    /// Kubernetes version, for example `1.35.4`.
    #[attr(required, validate = checks::kubernetes_version)]
    pub(crate) kubernetes_version: Value<String>,
    /// Cloud image to boot from instead of the official Talos image of `talos_version` (on AWS an AMI id).
    #[attr(optional)]
    pub(crate) image: Value<String>,
    /// Whether this cluster's workers serve the region's ingress load balancer. At most one cluster of a region does.
    #[attr(optional, default = false)]
    pub(crate) ingress: Value<bool>,
    /// Address range of pods.
    #[attr(optional, default = "10.244.0.0/16", requires_replace, validate = checks::pod_cidr)]
    pub(crate) pod_cidr: Value<String>,
    /// Address range of services.
    #[attr(optional, default = "10.96.0.0/12", requires_replace, validate = checks::service_cidr)]
    pub(crate) service_cidr: Value<String>,
    /// Address ranges that may reach the Kubernetes API (port 6443). Everybody unless given; the API itself admits nobody
    /// without a certificate or token.
    #[attr(optional, validate = checks::cidr_list)]
    pub(crate) kubernetes_api_allowed_cidrs: Value<Vec<Value<String>>>,
    /// Address ranges that may reach the Talos API (port 50000). Everybody unless given; the API admits nobody without a
    /// client certificate. Where Terraform runs must be among them.
    #[attr(optional, validate = checks::cidr_list)]
    pub(crate) talos_api_allowed_cidrs: Value<Vec<Value<String>>>,
    /// Further names and addresses of the Kubernetes and Talos APIs, for their certificates.
    #[attr(optional)]
    pub(crate) cert_sans: Value<Vec<Value<String>>>,
    /// Machine config patches for every node, in order: strategic merge patches in YAML. JSON patches (RFC 6902) are taken
    /// where Talos takes them.
    #[attr(optional)]
    pub(crate) config_patches: Value<Vec<Value<String>>>,
    /// Whether `kubeconfig` and `talosconfig` are kept in the state. With `false` both are null.
    #[attr(optional, default = true)]
    pub(crate) credentials_in_state: Value<bool>,
    /// Refuses to destroy or replace the cluster while `true`. Turn it off in an apply of its own first.
    #[attr(optional, default = false)]
    pub(crate) deletion_protection: Value<bool>,
    /// Tags on everything that belongs to the cluster, besides the provider's `default_tags`.
    #[attr(optional, validate = crate::tags::check)]
    pub(crate) tags: Value<BTreeMap<String, Value<String>>>,

    /// `tags` over the provider's `default_tags`.
    #[attr(computed)]
    pub(crate) tags_all: Value<BTreeMap<String, Value<String>>>,
    /// `unfinished` while a create was interrupted, `ready` after.
    #[attr(computed)]
    pub(crate) status: Value<String>,
    /// Ties the cluster's cloud objects to this row of state.
    #[attr(computed)]
    pub(crate) claim: Value<String>,
    /// Environment that the cluster belongs to.
    #[attr(computed)]
    pub(crate) environment: Value<String>,
    /// Cloud account that the cluster stands in.
    #[attr(computed)]
    pub(crate) account_id: Value<String>,
    /// Cloud that the cluster stands in.
    #[attr(computed)]
    pub(crate) provider_type: Value<String>,
    /// The cloud's own name of the region.
    #[attr(computed)]
    pub(crate) provider_region: Value<String>,
    /// Talos version whose config defaults the cluster keeps for life: the `talos_version` at creation. Upgrades do not
    /// change it.
    #[attr(computed)]
    pub(crate) config_contract: Value<String>,
    /// The nodes' security group, or what the cloud has for it.
    #[attr(computed)]
    pub(crate) security_group_id: Value<String>,
    /// Kubernetes API endpoint, `https://ADDRESS:6443`.
    #[attr(computed)]
    pub(crate) endpoint: Value<String>,
    /// Every node by name (`control-plane-0`, `POOL-0`, …): what it is and what a plan changes on it.
    #[attr(computed)]
    pub(crate) nodes: Value<BTreeMap<String, Value<Node>>>,
    /// Admin kubeconfig, valid for a year.
    #[attr(computed, sensitive)]
    pub(crate) kubeconfig: Value<String>,
    /// Admin talosconfig, valid for a year.
    #[attr(computed, sensitive)]
    pub(crate) talosconfig: Value<String>,

    /// Control-plane nodes. Required.
    #[block]
    pub(crate) control_plane: Value<ControlPlane>,
    /// Pools of worker nodes, by name.
    #[block]
    pub(crate) worker_pool: Value<BTreeMap<String, WorkerPool>>,
    /// How long each operation may take.
    #[block]
    pub(crate) timeouts: Value<Timeouts>,
}

/// Control-plane nodes.
#[derive(Model, Clone, PartialEq)]
pub(crate) struct ControlPlane {
    /// Number of nodes: 1, 3, 5 or 7. Cannot be changed after creation.
    #[attr(required, validate = checks::control_plane_count)]
    pub(crate) count: Value<i64>,
    /// `small`, `medium`, `large`, or the cloud's own machine type.
    #[attr(required)]
    pub(crate) machine_type: Value<String>,
    /// Root disk size in GiB. The disk is encrypted.
    #[attr(optional, default = 50, validate = checks::disk_size)]
    pub(crate) disk_size: Value<i64>,
    /// Root disk type.
    #[attr(optional, default = "gp3")]
    pub(crate) disk_type: Value<String>,
    /// Patches for control-plane nodes, after the cluster's.
    #[attr(optional)]
    pub(crate) config_patches: Value<Vec<Value<String>>>,
}

/// A pool of worker nodes.
#[derive(Model, Clone, PartialEq)]
pub(crate) struct WorkerPool {
    /// Number of nodes, from 0.
    #[attr(required, validate = checks::worker_count)]
    pub(crate) count: Value<i64>,
    /// `small`, `medium`, `large`, or the cloud's own machine type.
    #[attr(required)]
    pub(crate) machine_type: Value<String>,
    /// Root disk size in GiB. The disk is encrypted.
    #[attr(optional, default = 50, validate = checks::disk_size)]
    pub(crate) disk_size: Value<i64>,
    /// Root disk type.
    #[attr(optional, default = "gp3")]
    pub(crate) disk_type: Value<String>,
    /// Zones to spread the pool over; the region's zones unless given.
    #[attr(optional)]
    pub(crate) zones: Value<Vec<Value<String>>>,
    /// Node labels.
    #[attr(optional, validate = checks::labels)]
    pub(crate) labels: Value<BTreeMap<String, Value<String>>>,
    /// Node annotations.
    #[attr(optional, validate = checks::annotations)]
    pub(crate) annotations: Value<BTreeMap<String, Value<String>>>,
    /// Node taints, `KEY=VALUE:EFFECT` or `KEY:EFFECT`, set when a node registers.
    #[attr(optional, validate = checks::taints)]
    pub(crate) taints: Value<Vec<Value<String>>>,
    /// Patches for this pool's nodes, after the cluster's.
    #[attr(optional)]
    pub(crate) config_patches: Value<Vec<Value<String>>>,
}

/// A node of a cluster.
#[derive(Object, Clone, PartialEq)]
pub(crate) struct Node {
    /// `control-plane` or `worker`.
    pub(crate) role: Value<String>,
    /// Worker pool; null for control-plane nodes.
    pub(crate) pool: Value<String>,
    /// The cloud's machine type.
    pub(crate) machine_type: Value<String>,
    /// Zone.
    pub(crate) zone: Value<String>,
    /// The cloud's id of the machine.
    pub(crate) instance_id: Value<String>,
    /// Address inside the network.
    pub(crate) private_ip: Value<String>,
    /// Public address.
    pub(crate) public_ip: Value<String>,
    /// Talos version it runs.
    pub(crate) talos_version: Value<String>,
    /// Fingerprint of its machine config, secrets left out.
    pub(crate) config: Value<String>,
    /// Reboots that this provider has ordered.
    pub(crate) reboots: Value<i64>,
}
