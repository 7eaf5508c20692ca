//! The procedures of a cluster's life, over [`crate::client`] and [`crate::kubernetes`].
//!
//! Each looks before it acts and may be dropped at any await or fail half-way: run again, it goes on from what it
//! finds. Each has a deadline, tells its [`Progress`], and ends in an [`Error`] that names the step and the node.

mod bootstrap;
mod config;
mod drain;
mod error;
mod etcd;
mod health;
mod leave;
mod machines;
mod members;
mod nodes;
mod reach;
mod wait;

pub use bootstrap::{Bootstrapped, bootstrap};
pub use config::{Change, Outcome, apply_config, stage_config, wait_config};
pub use drain::{Drained, drain, forget_node, uncordon};
pub use error::Error;
pub use etcd::{wait_etcd, wait_quorum_without};
pub use health::{Expected, Healthy, wait_healthy};
pub use leave::{Left, leave_etcd};
pub use machines::{Ready, wait_machines};
pub use members::{etcd_is_unborn, remove_member, stale_members};
pub use nodes::{NodesAre, list_nodes, wait_kubernetes, wait_nodes};
pub use reach::{node_names, wait_api};

/// Gets a line for a person whenever what is waited for looks different.
pub type Progress<'a> = dyn Fn(&str) + Send + Sync + 'a;
