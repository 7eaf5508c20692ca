//! The tags that make things findable, the same on every cloud.

use std::collections::BTreeMap;

use crate::{Kind, MachineRole};

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// Every key of ours starts with it.
pub(crate) const PREFIX: &str = "inferadb.com/";
/// The provider's environment.
pub(crate) const ENVIRONMENT: &str = "inferadb.com/environment";
/// The InferaDB region.
pub(crate) const REGION: &str = "inferadb.com/region";
/// On roots: what they are the root of.
pub(crate) const KIND: &str = "inferadb.com/kind";
/// On roots: the resource's name.
pub(crate) const NAME: &str = "inferadb.com/name";
/// On roots: who may act on them.
pub(crate) const CLAIM: &str = "inferadb.com/claim";
/// On roots: `unfinished` or `finished`.
pub(crate) const STATE: &str = "inferadb.com/state";
/// On roots: a refresh has seen it.
pub(crate) const IN_STATE: &str = "inferadb.com/in-state";
/// On roots: when it was made, in milliseconds since 1970, for telling the older of two.
pub(crate) const CREATED: &str = "inferadb.com/created";
/// On everything made for a cluster.
pub(crate) const CLUSTER: &str = "inferadb.com/cluster";
/// On machines.
pub(crate) const ROLE: &str = "inferadb.com/role";
/// On machines.
pub(crate) const POOL: &str = "inferadb.com/pool";
/// On machines.
pub(crate) const INDEX: &str = "inferadb.com/index";
/// On machines: fingerprint of the secrets that they booted with.
pub(crate) const BUNDLE: &str = "inferadb.com/bundle";
/// On machines: the id of the machine whose place they took.
pub(crate) const REPLACES: &str = "inferadb.com/replaces";
/// Value of [`STATE`].
pub(crate) const FINISHED: &str = "finished";
/// Value of [`STATE`].
pub(crate) const UNFINISHED: &str = "unfinished";

/// Value of [`KIND`].
pub(crate) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Region => "region",
        Kind::Cluster => "cluster",
        Kind::Backup => "backup",
    }
}

/// The value of the role tag.
pub(crate) const fn role_name(role: MachineRole) -> &'static str {
    match role {
        MachineRole::ControlPlane => "control-plane",
        MachineRole::Worker => "worker",
    }
}

/// How a machine is called in messages and in names: `control-plane-0`, `general-2`.
pub(crate) fn machine_name(role: MachineRole, pool: &str, index: u32) -> String {
    match role {
        MachineRole::ControlPlane => format!("control-plane-{index}"),
        MachineRole::Worker => format!("{pool}-{index}"),
    }
}
