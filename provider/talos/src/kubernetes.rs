//! The little of Kubernetes that a cluster's life needs: is it up, which nodes are there, move pods off one.

mod cluster;
mod error;
mod pods;

pub use cluster::{Cluster, Node};
pub use error::Error;
pub use pods::{Eviction, Pod};
