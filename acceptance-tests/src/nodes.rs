//! The Talos simulator: one process that is every node.
//!
//! A node lives as a real one does: it boots from its user data, later from its disk; it has a config or is in maintenance
//! mode; its services come up one after the other; it is a member of etcd or is not. What it answers was recorded from real
//! nodes of v1.8.0, and where no recording says it, read from Talos' source. It parses configs on its own and shares no
//! code with the provider.

mod access;
mod api;
mod apply;
mod boot;
mod client_config;
mod cosi_state;
mod diff;
mod etcd;
mod etcd_service;
mod events;
mod grpc;
mod host;
mod kube_apiserver;
mod kubelet;
mod listener;
mod machine;
mod machine_config;
mod machine_service;
mod machinery;
mod maintenance;
mod other_services;
mod pki;
mod resource_types;
mod resources;
mod schema;
mod timing;
mod versions;
mod world;

pub use host::NodeHost;
pub use machine_config::{ConfigError, MachineConfig};
pub use timing::Timing;
pub use world::BootFailure;
