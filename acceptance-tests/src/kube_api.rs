//! A cluster's Kubernetes API server, as much of it as whoever runs the machines below it needs: Nodes, the pods on
//! them, evictions, readiness.
//!
//! [`KubeCluster`] is what etcd holds; the node simulator registers nodes there. [`serve`] is one control plane's
//! kube-apiserver in front of it: real TLS on port 6443, client certificates of the cluster's authority, and every request
//! in the [ledger](crate::ledger).
//!
//! What it says follows real API servers of Talos clusters: no anonymous access, so a stranger gets 401 even from
//! `/readyz`; a client certificate of another authority passes TLS and gets that 401 too.

mod access;
mod certificates;
mod cluster;
mod discovery;
mod objects;
mod patch;
mod refusal;
mod request;
mod selector;
mod server;
mod store;
mod verbs;
mod watch;

pub use certificates::ServingIdentity;
pub use cluster::KubeCluster;
pub use objects::{NodeRegistration, PodKind};
pub use server::{PORT, serve};
