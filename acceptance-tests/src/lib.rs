//! The sandbox: the world that the provider is tested in and that `make quickstart` runs in.
//!
//! Its parts are a cloud ([`ledger`] records and disturbs its calls), the nodes that the cloud's instances are
//! ([`instance_feed`] hands them over), and real TCP load balancers between them.

pub mod aws;
pub mod container_nodes;
pub mod control;
pub mod docker_engine;
mod hash;
pub mod instance_feed;
pub mod kube_api;
pub mod ledger;
pub mod load_balancer;
pub mod nodes;
pub mod python;
pub mod terraform;
pub mod world;
