//! Talos nodes: every instance of the cloud is one, on its own loopback addresses, with real mutual TLS.
//!
//! | file | what |
//! | --- | --- |
//! | `config` | what a node reads from its machine config, and what it refuses |
//! | `life` | boot, run, reboot, end; etcd and kubelet of one node |
//! | `api` | apid and machined: routing, roles, methods |
//! | `apply` | ApplyConfiguration |
//! | `cosi` | the resources that can be read |
//! | `etcd` | membership |
//! | `grpc`, `tls`, `roles` | the wire |
//!
//! Played is what a machine in a cloud does from user data on. Maintenance mode, upgrades, resets and the streams of
//! logs and events are not: such a method answers `Unimplemented` and says so.

mod api;
mod apply;
mod config;
mod cosi;
mod etcd;
mod grpc;
mod life;
mod roles;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::instance_feed::{InstanceHost, InstanceStarted};
use crate::kube_api::KubeCluster;
use crate::ledger::Ledger;

pub use config::{NodeConfig, Refused, Role};

use life::Node;

/// How long things take. Real nodes take a hundred times as long; order and causes are theirs.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Power on to API.
    pub boot: Duration,
    /// API to etcd, after bootstrap or when it can join.
    pub etcd: Duration,
    /// Learner to voter.
    pub learner: Duration,
    /// etcd to kube-apiserver, and kube-apiserver to a registered node.
    pub kubernetes: Duration,
    /// Order to power cycle.
    pub shutdown: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            boot: Duration::from_millis(150),
            etcd: Duration::from_millis(100),
            learner: Duration::from_millis(200),
            kubernetes: Duration::from_millis(100),
            shutdown: Duration::from_millis(50),
        }
    }
}

/// Why a node's part cannot start: a certificate that cannot be signed, a port that is taken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(String);

/// All nodes.
#[derive(Clone)]
pub struct NodeHost {
    world: Arc<World>,
}

/// What nodes share: each other, the etcds, the Kubernetes clusters.
struct World {
    timing: Timing,
    ledger: Ledger,
    shared: Mutex<Shared>,
    /// Bumped whenever something that another node waits for may have changed.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Shared {
    /// By instance id.
    nodes: BTreeMap<String, Arc<Node>>,
    etcds: etcd::Etcds,
    /// By Kubernetes CA certificate.
    clusters: BTreeMap<String, Cluster>,
    configs: Vec<String>,
    violations: Vec<String>,
}

/// A Kubernetes cluster and how many of its API servers are up.
struct Cluster {
    kube: Arc<KubeCluster>,
    servers: usize,
}

impl World {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn violation(&self, what: String) {
        tracing::error!(violation = what, "a node was misused");
        self.shared().violations.push(what);
    }
}

impl NodeHost {
    /// No node yet.
    pub fn new(ledger: Ledger, timing: Timing) -> Self {
        let shared = Mutex::default();
        Self { world: Arc::new(World { timing, ledger, shared, changes: watch::Sender::new(0) }) }
    }

    /// Every machine config that reached a node, as text, in order.
    pub fn configs(&self) -> Vec<String> {
        self.world.shared().configs.clone()
    }

    /// What must never happen and did: a second etcd of one cluster, user data that no node boots from.
    pub fn violations(&self) -> Vec<String> {
        self.world.shared().violations.clone()
    }

    /// The Kubernetes cluster of a node, once its first API server was up.
    pub fn kubernetes_of(&self, instance_id: &str) -> Option<Arc<KubeCluster>> {
        let node = self.world.shared().nodes.get(instance_id).cloned()?;
        let (authority, _) = node.config()?.kubernetes_ca()?;
        self.world.shared().clusters.get(&authority).map(|cluster| Arc::clone(&cluster.kube))
    }

    /// How often a node has booted, 0 for one that is not there.
    pub fn boots(&self, instance_id: &str) -> u32 {
        self.world.shared().nodes.get(instance_id).map_or(0, |node| node.boots())
    }
}

impl InstanceHost for NodeHost {
    fn started(&self, instance: InstanceStarted) {
        let node = Node::power_on(Arc::clone(&self.world), instance);
        self.world.shared().nodes.insert(node.instance().instance_id.clone(), node);
    }

    fn terminated(&self, instance_id: &str) -> BoxFuture<'static, ()> {
        let node = self.world.shared().nodes.remove(instance_id);
        let world = Arc::clone(&self.world);
        Box::pin(async move {
            if let Some(node) = node {
                node.power_off().await;
                world.changed();
            }
        })
    }
}

impl Drop for NodeHost {
    fn drop(&mut self) {
        // The last handle that is not a node's own.
        let nodes: Vec<Arc<Node>> = {
            let mut shared = self.world.shared();
            if Arc::strong_count(&self.world) > shared.nodes.len() + 1 {
                return;
            }
            std::mem::take(&mut shared.nodes).into_values().collect()
        };
        for node in nodes {
            node.cut();
        }
    }
}
