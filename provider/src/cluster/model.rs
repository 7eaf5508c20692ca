//! The schema of `inferadb_cluster`.

use std::collections::BTreeMap;

use tf_provider::{Model, Object, Timeouts, Value};

use super::checks;

/// A Kubernetes cluster on Talos Linux: an API load balancer, control-plane nodes spread over the region's zones, and
/// worker pools.
///
/// One apply makes the machines, bootstraps etcd once, and ends when every machine is running, every etcd member votes and
/// the Kubernetes API answers through the cluster's endpoint. Scaling a worker pool and changing patches happen in place.
///
/// A create that was interrupted is gone on from by the next apply: what stands is kept, and nothing is made twice.
#[derive(Model, Clone, PartialEq)]
pub(crate) struct ClusterModel {
    /// `ENVIRONMENT/REGION/NAME`, such as `production/nyc1/prod-nyc1`.
    #[attr(computed)]
    pub(crate) id: Value<String>,
    /// Name of the cluster: lower-case letters, digits and hyphens, at most 32 characters.
    #[attr(required, requires_replace, validate = checks::cluster_name)]
    pub(crate) name: Value<String>,
    /// `id` of the `inferadb_region` that the cluster stands in.
    #[attr(required, requires_replace, validate = checks::region_id)]
    pub(crate) region_id: Value<String>,
    /// Talos version, such as `v1.13.9`: any release of v1.8 to v1.14. On a running cluster it can be changed on Docker only in
    /// this release.
    #[attr(required, validate = checks::talos_version)]
    pub(crate) talos_version: Value<String>,
    /// Kubernetes version, such as `1.35.4`: one that `talos_version` supports, which the plan checks. It cannot be changed on
    /// a running cluster in this release.
    #[attr(required, validate = checks::kubernetes_version)]
    pub(crate) kubernetes_version: Value<String>,
    /// Image to boot from instead of the official Talos image of `talos_version`: on AWS an AMI id, on Docker a reference such as
    /// `ghcr.io/siderolabs/talos:v1.13.9`. A change is for machines that are made from then on.
    #[attr(optional)]
    pub(crate) image: Value<String>,
    /// Whether this cluster's workers serve the region's ingress load balancer. At most one cluster of a region does.
    #[attr(optional, default = false)]
    pub(crate) ingress: Value<bool>,
    /// Address range of pods, a /22 or larger: each node takes a /24 of it. It may meet neither `service_cidr` nor the region's
    /// network.
    #[attr(optional, default = "10.244.0.0/16", requires_replace, validate = checks::pod_cidr)]
    pub(crate) pod_cidr: Value<String>,
    /// Address range of services, a /12 to a /24. It may meet neither `pod_cidr` nor the region's network.
    #[attr(optional, default = "10.96.0.0/12", requires_replace, validate = checks::service_cidr)]
    pub(crate) service_cidr: Value<String>,
    /// IPv4 address ranges that may reach the Kubernetes API (port 6443). Everybody unless given; the API itself admits nobody
    /// without a certificate or token. Where Terraform runs must be among them.
    #[attr(optional, computed, validate = checks::cidr_list)]
    pub(crate) kubernetes_api_allowed_cidrs: Value<Vec<Value<String>>>,
    /// IPv4 address ranges that may reach the Talos API (port 50000), on the load balancer and on each node's own address.
    /// Everybody unless given; the API admits nobody without a client certificate. Where Terraform runs must be among them.
    #[attr(optional, computed, validate = checks::cidr_list)]
    pub(crate) talos_api_allowed_cidrs: Value<Vec<Value<String>>>,
    /// Further names and addresses of the Kubernetes and Talos APIs, for their certificates. The load balancer's is there
    /// anyway.
    #[attr(optional, computed)]
    pub(crate) cert_sans: Value<Vec<Value<String>>>,
    /// Machine config patches for every node, in order: strategic merge patches in YAML. JSON patches (RFC 6902) are taken
    /// where Talos takes them. A field that Talos does not know is an error of the plan.
    #[attr(optional, computed)]
    pub(crate) config_patches: Value<Vec<Value<String>>>,
    /// Whether `kubeconfig` and `talosconfig` are kept in the state. With `false` both are null.
    #[attr(optional, default = true)]
    pub(crate) credentials_in_state: Value<bool>,
    /// Refuses to destroy or replace the cluster while `true`. Turn it off in an apply of its own first.
    #[attr(optional, default = false)]
    pub(crate) deletion_protection: Value<bool>,
    /// Tags on everything that belongs to the cluster, besides the provider's `default_tags`. Of two with one key, these win.
    #[attr(optional, validate = crate::tags::check)]
    pub(crate) tags: Value<BTreeMap<String, Value<String>>>,

    /// Tags on the cluster's objects, those of the provider's `default_tags` included.
    #[attr(computed)]
    pub(crate) tags_all: Value<BTreeMap<String, Value<String>>>,
    /// `unfinished` while a create was interrupted, `ready` after it.
    #[attr(computed)]
    pub(crate) status: Value<String>,
    /// Ties the cluster's cloud objects to this row of state. An object that bears another claim is left alone.
    #[attr(computed)]
    pub(crate) claim: Value<String>,
    /// Environment that the cluster belongs to: the provider's `environment`.
    #[attr(computed)]
    pub(crate) environment: Value<String>,
    /// Cloud account that the cluster stands in.
    #[attr(computed)]
    pub(crate) account_id: Value<String>,
    /// Cloud that the cluster stands in, such as `aws`.
    #[attr(computed)]
    pub(crate) provider_type: Value<String>,
    /// The cloud's own name of the region, such as `us-east-1`.
    #[attr(computed)]
    pub(crate) provider_region: Value<String>,
    /// Talos version whose config defaults the cluster keeps for life: the `talos_version` at creation.
    #[attr(computed)]
    pub(crate) config_contract: Value<String>,
    /// Id of the nodes' security group, or of what the cloud has for it.
    #[attr(computed)]
    pub(crate) security_group_id: Value<String>,
    /// What somebody else has changed in the cloud, a sentence each; nodes are shown in `nodes`. Empty in every plan: an apply
    /// mends it.
    #[attr(computed)]
    pub(crate) drift: Value<Vec<Value<String>>>,
    /// Kubernetes API endpoint, `https://ADDRESS:6443`. On Docker it is published on a port of the host, which stands in it.
    #[attr(computed)]
    pub(crate) endpoint: Value<String>,
    /// Kubernetes API endpoint as the nodes reach it, where that is another than `endpoint`.
    #[attr(computed)]
    pub(crate) internal_endpoint: Value<String>,
    /// Where the Talos API is reached: a host name or address, with `:PORT` where that is not 50000.
    #[attr(computed)]
    pub(crate) talos_endpoint: Value<String>,
    /// Every node by name (`control-plane-0`, `POOL-0`, …): what it is and what a plan changes on it.
    #[attr(computed)]
    pub(crate) nodes: Value<BTreeMap<String, Value<Node>>>,
    /// Admin kubeconfig, valid for a year from when it was made; null with `credentials_in_state = false`.
    #[attr(computed, sensitive)]
    pub(crate) kubeconfig: Value<String>,
    /// Admin talosconfig, valid for a year from when it was made; null with `credentials_in_state = false`.
    #[attr(computed, sensitive)]
    pub(crate) talosconfig: Value<String>,

    /// Control-plane nodes. This block is required.
    #[block]
    pub(crate) control_plane: Value<ControlPlane>,
    /// Pools of worker nodes. A pool that is taken away is drained first. In which order they stand makes no difference.
    #[block]
    pub(crate) worker_pool: Value<Vec<WorkerPool>>,
    #[block]
    pub(crate) timeouts: Value<Timeouts>,
}

impl ClusterModel {
    /// The pools whose names are known, each with its place in the configuration.
    pub(super) fn pools(&self) -> impl Iterator<Item = (usize, &str, &WorkerPool)> {
        let pools = self.worker_pool.known().into_iter().flatten().enumerate();
        pools.filter_map(|(place, pool)| Some((place, pool.name.as_str()?, pool)))
    }

    /// The pool of that name.
    pub(super) fn pool(&self, name: &str) -> Option<&WorkerPool> {
        self.pools().find(|(_, other, _)| *other == name).map(|(_, _, pool)| pool)
    }
}

/// Control-plane nodes.
#[derive(Model, Clone, PartialEq)]
pub(crate) struct ControlPlane {
    /// Number of nodes: 1, 3, 5 or 7. It cannot be changed on a running cluster in this release.
    #[attr(required, validate = checks::control_plane_count)]
    pub(crate) count: Value<i64>,
    /// `small`, `medium` or `large` (on AWS `t3.medium`, `t3.xlarge` and `t3.2xlarge`), or the cloud's own machine type. It
    /// cannot be changed on a running cluster in this release.
    #[attr(required)]
    pub(crate) machine_type: Value<String>,
    /// Size of the root disk in GiB, 10 to 16384. The disk is encrypted. Not to be had on Docker.
    #[attr(optional, default = 50, validate = checks::disk_size)]
    pub(crate) disk_size: Value<i64>,
    /// Type of the root disk, by the cloud's name for it. Not to be had on Docker.
    #[attr(optional, default = "gp3")]
    pub(crate) disk_type: Value<String>,
    /// Zones of the region to spread the control plane over. All of them unless given. A change is for nodes that
    /// are made from then on.
    #[attr(optional, computed)]
    pub(crate) zones: Value<Vec<Value<String>>>,
    /// Machine config patches for control-plane nodes, applied after the cluster's.
    #[attr(optional, computed)]
    pub(crate) config_patches: Value<Vec<Value<String>>>,
}

/// A pool of worker nodes.
#[derive(Model, Clone, PartialEq)]
pub(crate) struct WorkerPool {
    /// Name of the pool, which its nodes bear: lower-case letters, digits and hyphens, at most 32 characters. One with another name
    /// is another pool.
    #[attr(required, validate = checks::pool_name)]
    pub(crate) name: Value<String>,
    /// Number of nodes, 0 to 1000. Nodes come and go in place; those that go, the last ones first, are drained before.
    #[attr(required, validate = checks::worker_count)]
    pub(crate) count: Value<i64>,
    /// `small`, `medium` or `large` (on AWS `t3.medium`, `t3.xlarge` and `t3.2xlarge`), or the cloud's own machine type. A pool
    /// keeps its machines: for others, add a pool.
    #[attr(required)]
    pub(crate) machine_type: Value<String>,
    /// Size of the root disk in GiB, 10 to 16384. The disk is encrypted. Not to be had on Docker.
    #[attr(optional, default = 50, validate = checks::disk_size)]
    pub(crate) disk_size: Value<i64>,
    /// Type of the root disk, by the cloud's name for it. Not to be had on Docker.
    #[attr(optional, default = "gp3")]
    pub(crate) disk_type: Value<String>,
    /// Zones of the region to spread the pool over. All of them unless given. A change is for nodes that are made from then on.
    #[attr(optional, computed)]
    pub(crate) zones: Value<Vec<Value<String>>>,
    /// Labels of the nodes in Kubernetes.
    #[attr(optional, computed, validate = checks::labels)]
    pub(crate) labels: Value<BTreeMap<String, Value<String>>>,
    /// Annotations of the nodes in Kubernetes.
    #[attr(optional, computed, validate = checks::annotations)]
    pub(crate) annotations: Value<BTreeMap<String, Value<String>>>,
    /// Taints of the nodes in Kubernetes: `KEY=VALUE:EFFECT` or `KEY:EFFECT`, the effect `NoSchedule`, `PreferNoSchedule` or
    /// `NoExecute`. A node sets them when it registers, so they cannot be changed on a pool: add one.
    #[attr(optional, computed, validate = checks::taints)]
    pub(crate) taints: Value<Vec<Value<String>>>,
    /// Machine config patches for the nodes of this pool, applied after the cluster's.
    #[attr(optional, computed)]
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
