//! Talos' API over mutual TLS: one node ([`Client`]) or many at once ([`Clients`]).
//!
//! A call goes to the node at the client's own address; nothing is proxied through another node, so that an answer is
//! always that node's own. Each call has a deadline, and a connection that no longer answers is not used again: after
//! a reboot the old one hangs half-open.

mod answer;
mod connection;
mod error;
mod etcd;
mod identity;
mod machine;
mod many;
mod node;
mod resource;

pub use error::{Error, ErrorKind};
pub use etcd::{EtcdMember, EtcdStatus};
pub use identity::{Identity, IdentityError};
pub use machine::{Applied, ApplyMode, Service, Version};
pub use many::Clients;
pub use node::Client;
pub use resource::{MachineStatus, RunningConfig, Stage, UnmetCondition};

/// The port of Talos' API on every node.
pub const API_PORT: u16 = 50000;
