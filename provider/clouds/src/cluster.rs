//! What a cluster consists of: firewall, API load balancer, machines.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{RegionState, Scope};

/// The cluster's own objects, machines excepted, as they are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// Environment and region.
    pub scope: Scope,
    /// The cluster's name.
    pub name: String,
    /// The region it stands in, as just read.
    pub region: RegionState,
    /// Who may reach the Kubernetes API (6443).
    pub kubernetes_api_allowed_cidrs: Vec<Ipv4Net>,
    /// Who may reach the Talos API (50000).
    pub talos_api_allowed_cidrs: Vec<Ipv4Net>,
    /// Tags on everything, besides those that the crate needs itself.
    pub tags: BTreeMap<String, String>,
}

/// The cluster's own objects as they stand; parts that do not exist (yet) are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// Security group of the nodes: the root.
    pub security_group_id: String,
    /// Security group of the API load balancer.
    pub api_security_group_id: String,
    /// API load balancer id (ARN on AWS).
    pub api_load_balancer_id: String,
    /// Where the Kubernetes API is reached: DNS name or address of the API load balancer, with `:PORT` where that is not
    /// 6443; empty while there is none.
    pub api_address: String,
    /// Where the nodes reach it, in the same form, where that is another address.
    #[serde(default)]
    pub internal_api_address: Option<String>,
    /// Where the Talos API is reached through the load balancer, as `HOST:PORT`, where that is not port 50000 of
    /// `api_address`.
    #[serde(default)]
    pub talos_api_address: Option<String>,
    /// What control-plane nodes are registered with: 6443, then 50000.
    pub api_target_group_ids: Vec<String>,
    /// Who may reach the Kubernetes API (6443), as found, sorted.
    pub kubernetes_api_allowed_cidrs: Vec<Ipv4Net>,
    /// Who may reach the Talos API (50000), as found, sorted.
    pub talos_api_allowed_cidrs: Vec<Ipv4Net>,
    /// Tags of the root without the crate's own.
    pub tags: BTreeMap<String, String>,
    /// What does not hold in the cloud now though every cluster has it, one sentence each (empty: converged). A read fills it.
    pub drift: Vec<String>,
}

/// What a machine is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineRole {
    /// Runs etcd and the Kubernetes API.
    ControlPlane,
    /// Runs workloads.
    Worker,
}

/// A machine as it is wanted. Two calls with the same `cluster`, `role`, `pool`, `index` and `replaces` make one machine.
#[derive(Clone)]
pub struct MachineSpec {
    /// Role.
    pub role: MachineRole,
    /// Pool name; empty for the control plane.
    pub pool: String,
    /// Place in the role or pool, from 0.
    pub index: u32,
    /// Id of the machine that this one takes the place of.
    pub replaces: Option<String>,
    /// The cloud's own machine type.
    pub machine_type: String,
    /// The subnet (and so the zone).
    pub subnet_id: String,
    /// Image id.
    pub image_id: String,
    /// Root disk.
    pub root_disk: RootDisk,
    /// Plain bytes to boot from; the cloud's encoding is applied here.
    pub user_data: Zeroizing<Vec<u8>>,
    /// Tag value that tells whose secrets the machine booted with.
    pub bundle_fingerprint: String,
    /// Metadata service hop limit: 1, or 2 where pods may use the instance profile.
    pub metadata_hop_limit: u8,
    /// Tags, besides those that the crate needs itself.
    pub tags: BTreeMap<String, String>,
}

/// Root disk of a machine; always encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootDisk {
    /// GiB.
    pub size_gib: u32,
    /// The cloud's volume type, for example `gp3`.
    pub volume_type: String,
}

/// Where a machine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineStatus {
    /// Being made.
    Pending,
    /// On.
    Running,
    /// Off, or going off, but still there.
    Stopped,
    /// On its way out or gone; its name is free again.
    Terminated,
}

/// A machine as the cloud shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The cloud's id.
    pub id: String,
    /// Role, from its tags.
    pub role: MachineRole,
    /// Pool, from its tags; empty for the control plane.
    pub pool: String,
    /// Index, from its tags.
    pub index: u32,
    /// The cloud's machine type.
    pub machine_type: String,
    /// Zone.
    pub zone: String,
    /// Life.
    pub status: MachineStatus,
    /// Address inside the network.
    pub private_ip: Option<Ipv4Addr>,
    /// Public address.
    pub public_ip: Option<Ipv4Addr>,
    /// Where its Talos API is reached, as `HOST:PORT`, where that is not port 50000 of its public or private address.
    pub talos_address: Option<String>,
    /// The image that it was made from.
    pub image_id: String,
    /// Whose secrets it booted with.
    pub bundle_fingerprint: String,
    /// All its tags (also those that [`crate::Cloud::tag_machine`] set).
    pub tags: BTreeMap<String, String>,
}

/// What a cluster was made with, beyond what reads of it show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterOrigin {
    /// By machine id.
    pub machines: BTreeMap<String, MachineOrigin>,
    /// Its workers serve the region's ingress load balancer.
    pub serves_ingress: bool,
}

/// What a machine was made with, beyond what reads of it show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineOrigin {
    /// The image that it booted from.
    pub image_id: String,
    /// The root disk as it is now; `None` where the cloud shows none.
    pub root_disk: Option<RootDisk>,
}

/// A machine type of the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineType {
    /// The cloud's name.
    pub name: String,
    /// `amd64` or `arm64`, as Talos names them.
    pub architecture: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Zones of the place that offer it, sorted.
    pub zones: Vec<String>,
    /// It starts images by UEFI.
    pub boots_uefi: bool,
}

/// A bootable image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The cloud's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `amd64` or `arm64`.
    pub architecture: String,
    /// It starts by UEFI only.
    pub needs_uefi: bool,
}

/// User data that the cloud cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine config is {size} bytes as this cloud's user data, and {limit} is the most it takes")]
pub struct UserDataTooLarge {
    /// Bytes after this cloud's encoding.
    pub size: usize,
    /// The most it takes.
    pub limit: usize,
}
