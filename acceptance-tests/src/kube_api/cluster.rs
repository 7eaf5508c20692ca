//! The state of one cluster, which all its API servers share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;
use tokio::sync::watch;

use super::objects::{self, CONTROL_PLANE, NodeRegistration, PodKind};
use super::store::{Key, Resource, Store};
use crate::ledger::Ledger;

/// What every control plane runs as static pods.
const STATIC_PODS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// The objects of one cluster.
pub struct KubeCluster {
    pub(super) ledger: Ledger,
    /// Like `v1.35.4`.
    pub(super) version: String,
    store: Mutex<Store>,
    /// The newest change, for watches.
    changes: watch::Sender<u64>,
}

impl KubeCluster {
    /// A cluster with no nodes, whose API servers are of this version (like `v1.35.4`).
    pub fn new(ledger: Ledger, kubernetes_version: &str) -> Arc<Self> {
        let cluster = Self {
            ledger,
            version: kubernetes_version.to_owned(),
            store: Mutex::new(Store::new()),
            changes: watch::Sender::new(0),
        };
        cluster.change(|store| {
            for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
                store.put(Key::new(Resource::Namespaces, "", name), objects::namespace(name));
            }
        });
        Arc::new(cluster)
    }

    /// A kubelet's registration: creates the Node, or updates what is the kubelet's if it exists (a cordon stays, and taints
    /// are set at creation only). Besides, the pods that every such node runs are there after.
    pub fn register_node(&self, node: NodeRegistration) {
        self.change(|store| {
            let name = node.name.clone();
            let control_plane = node.labels.contains_key(CONTROL_PLANE);
            let key = Key::node(&name);
            let existing = store.get(&key).cloned();
            let stored = store.put(key, objects::node(node, existing));
            let uid = stored["metadata"]["uid"].as_str();

            let labels =
                |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let proxied = store
                .list(Resource::Pods, Some("kube-system"))
                .any(|(key, pod)| key.name.starts_with("kube-proxy-") && pod["spec"]["nodeName"].as_str() == Some(&name));
            if !proxied {
                let pod = format!("kube-proxy-{}", objects::suffix());
                let labels = labels(&[("k8s-app", "kube-proxy"), ("tier", "node")]);
                let object = objects::pod("kube-system", &pod, &name, uid, PodKind::DaemonSet, labels);
                store.put(Key::new(Resource::Pods, "kube-system", &pod), object);
            }
            for component in STATIC_PODS.into_iter().filter(|_| control_plane) {
                let pod = format!("{component}-{name}");
                let key = Key::new(Resource::Pods, "kube-system", &pod);
                if store.get(&key).is_none() {
                    let labels = labels(&[("k8s-app", component), ("tier", "control-plane")]);
                    store.put(key, objects::pod("kube-system", &pod, &name, uid, PodKind::Static, labels));
                }
            }
        });
    }

    /// Sets a Node's condition `Ready`; does nothing if there is no such Node. Not ready for the reason
    /// `NodeStatusUnknown` makes it `Unknown`, as for a kubelet that has gone silent; otherwise it is `False`.
    pub fn set_ready(&self, name: &str, ready: bool, reason: &str, message: &str) {
        self.change(|store| {
            let key = Key::node(name);
            if let Some(mut node) = store.get(&key).cloned() {
                objects::set_ready(&mut node, ready, reason, message);
                store.put(key, node);
            }
        });
    }

    /// Whether a Node is ready; `None` if there is no such Node.
    pub fn is_ready(&self, name: &str) -> Option<bool> {
        self.store().get(&Key::node(name)).map(objects::is_ready)
    }

    /// The names of all Nodes, sorted.
    pub fn node_names(&self) -> Vec<String> {
        self.store().list(Resource::Nodes, None).map(|(key, _)| key.name.clone()).collect()
    }

    /// Runs a pod on a node. Makes the namespace if it is missing.
    pub fn add_pod(&self, namespace: &str, name: &str, node: &str, kind: PodKind, labels: BTreeMap<String, String>) {
        self.change(|store| {
            ensure_namespace(store, namespace);
            let uid = store.get(&Key::node(node)).and_then(|node| node["metadata"]["uid"].as_str()).map(str::to_owned);
            let pod = objects::pod(namespace, name, node, uid.as_deref(), kind, labels);
            store.put(Key::new(Resource::Pods, namespace, name), pod);
        });
    }

    /// Lets at most `allowed` more pods with these labels be evicted. A second budget for the same labels takes the first
    /// one's place.
    pub fn add_disruption_budget(&self, namespace: &str, selector: BTreeMap<String, String>, allowed: u32) {
        self.change(|store| {
            ensure_namespace(store, namespace);
            let name = selector.iter().map(|(key, value)| format!("{key}-{value}")).collect::<Vec<_>>().join("-");
            let name = if name.is_empty() { "all".to_owned() } else { name.replace('/', "-") };
            store.put(Key::new(Resource::Budgets, namespace, &name), objects::budget(namespace, &name, selector, allowed));
        });
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes objects in one go and tells the watches.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let (result, version) = {
            let mut store = self.store();
            let result = change(&mut store);
            (result, store.version())
        };
        self.changes.send_if_modified(|newest| {
            let newer = version > *newest;
            *newest = version.max(*newest);
            newer
        });
        result
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

fn ensure_namespace(store: &mut Store, name: &str) {
    let key = Key::new(Resource::Namespaces, "", name);
    if store.get(&key).is_none() {
        let namespace: Json = objects::namespace(name);
        store.put(key, namespace);
    }
}
