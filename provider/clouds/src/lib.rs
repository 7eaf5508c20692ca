//! Clouds behind one trait.
//!
//! [`Cloud`] is what a provider needs of a cloud to make regions, clusters and backups: every method is
//! convergent (it looks before it acts) and may be called again after it was abandoned at any point. This crate
//! knows nothing of Terraform or Talos: a machine boots from bytes that somebody else made.

pub mod aws;
mod backup;
mod cloud;
mod cluster;
pub mod docker;
mod error;
mod pace;
mod place;
mod region;
mod root;
mod snapshot;
mod tags;

pub use backup::{BackupSpec, BackupState, ReplicaSpec, ReplicaState};
pub use cloud::{Cloud, Observer};
pub use cluster::{
    ClusterOrigin, ClusterSpec, ClusterState, Image, Machine, MachineOrigin, MachineRole, MachineSpec, MachineStatus,
    MachineType, RootDisk, UserDataTooLarge,
};
pub use error::{Error, Result};
pub use place::{Place, ProviderType};
pub use region::{DnsSpec, DnsState, Failover, HealthCheckSpec, IngressState, RegionSpec, RegionState, Subnet};
pub use root::{Claim, Kind, Mark, Root, Scope};
