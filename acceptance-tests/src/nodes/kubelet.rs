//! The kubelet: runs, registers the node, keeps its labels, opens the ports of what would be scheduled there.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::sleep;

use super::host::Host;
use super::listener::{self, Port};
use super::machine::{Health, Machine};
use super::machine_config::MachineConfig;
use super::resources::provider_id;
use super::world::World;
use crate::kube_api::{KubeCluster, NodeRegistration};

/// The service's life during one boot.
pub(super) async fn run(host: Arc<Host>, id: String, boot: u64) {
    let (shared, timing) = (&host.shared, host.shared.timing);
    sleep(timing.kubelet).await;
    shared.change(|world| {
        if let Some(machine) = world.booted(&id, boot) {
            machine.note_service("kubelet", "Preparing", "Creating service runner");
            machine.note_service("kubelet", "Running", "Started task kubelet for container kubelet");
        }
    });
    sleep(timing.health).await;
    let worker = shared.change(|world| {
        let Some(machine) = world.booted(&id, boot) else { return false };
        machine.note_health("kubelet", Health::Good);
        !machine.is_control_plane()
    });
    if worker {
        listener::open(&host, &id, boot, &Port::Ingress(30080));
        listener::open(&host, &id, boot, &Port::Ingress(30443));
    }
    let key = {
        let world = shared.look();
        world.machines.get(&id).and_then(|machine| machine.config.as_ref()).map(MachineConfig::cluster_key).unwrap_or_default()
    };
    loop {
        shared.until(|world| world.kubernetes_of(&key)).await;
        sleep(timing.register).await;
        if shared.change(|world| with_store(world, &id, KubeCluster::register_node)) {
            break;
        }
    }
    loop {
        // With nothing that gives pods a network it stays as it is; a later config may bring it.
        shared
            .until(|world| world.peers(&key).filter_map(|peer| peer.config.as_ref()).any(MachineConfig::brings_cni).then_some(()))
            .await;
        sleep(timing.ready).await;
        if shared.change(|world| {
            with_store(world, &id, |store, node| {
                store.set_ready(&node.name, true, "KubeletReady", "kubelet is posting ready status");
            })
        }) {
            break;
        }
        sleep(timing.ask).await;
    }
}

/// Tells the node object what a changed config says.
pub(super) fn sync(host: &Host, id: &str) {
    host.shared.change(|world| {
        let ready = world.machines.get(id).and_then(|machine| machine.node_ready);
        let Some(ready) = ready else { return false };
        with_store(world, id, |store, mut node| {
            if ready {
                node.ready = true;
                "KubeletReady".clone_into(&mut node.reason);
                "kubelet is posting ready status".clone_into(&mut node.message);
            }
            store.register_node(node);
        })
    });
}

/// Does something in the cluster's Kubernetes, if its API answers.
fn with_store(world: &World, id: &str, act: impl FnOnce(&KubeCluster, NodeRegistration)) -> bool {
    let Some((node, key)) = world.machines.get(id).and_then(|machine| {
        let config = machine.config.as_ref()?;
        Some((registration(machine, config), config.cluster_key()))
    }) else {
        return false;
    };
    let Some(cluster) = world.kubernetes_of(&key) else { return false };
    act(&world.stores[cluster], node);
    true
}

const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
const NO_LOAD_BALANCER: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The node as kubelet and Talos make it together.
fn registration(machine: &Machine, config: &MachineConfig) -> NodeRegistration {
    let instance = &machine.instance;
    let control_plane = config.is_control_plane();
    let mut labels = config.registration_labels();
    let mut taints = config.registration_taints();
    let mut annotations = BTreeMap::from([("cluster.talos.dev/node-id".to_owned(), machine.node_id.clone())]);
    let by_talos = config.node_taints().into_iter().map(|(key, value)| {
        let (value, effect) =
            value.rsplit_once(':').map_or((String::new(), value.clone()), |(v, e)| (v.to_owned(), e.to_owned()));
        (key, value, effect)
    });
    let by_talos: Vec<(String, String, String)> = by_talos.collect();
    // A worker's Talos acts as its kubelet, which NodeRestriction keeps from taints and from most labels of Kubernetes' own
    // domains. One field that is refused takes all others with it.
    if control_plane || (by_talos.is_empty() && config.node_labels().keys().all(|key| kubelet_may_set(key))) {
        labels.extend(config.node_labels());
        annotations.extend(config.node_annotations());
        taints.extend(by_talos);
    }
    if control_plane {
        labels.insert(CONTROL_PLANE.to_owned(), String::new());
        labels.entry(NO_LOAD_BALANCER.to_owned()).or_default();
        if !config.schedules_on_control_planes() && !taints.iter().any(|(key, _, _)| key == CONTROL_PLANE) {
            taints.push((CONTROL_PLANE.to_owned(), String::new(), "NoSchedule".to_owned()));
        }
    }
    NodeRegistration {
        name: machine.nodename(),
        labels,
        annotations,
        taints,
        internal_ip: instance.private_ip,
        // Only a cloud's controller knows this one.
        external_ip: None,
        provider_id: config.external_cloud_provider().then(|| provider_id(machine)),
        kubelet_version: config.kubelet_version(),
        ready: false,
        reason: "KubeletNotReady".to_owned(),
        message:
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns \
                  error: cni plugin not initialized"
                .to_owned(),
    }
}

/// What NodeRestriction leaves to kubelets.
fn kubelet_may_set(key: &str) -> bool {
    const NAMED: &[&str] = &[
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "node.kubernetes.io/instance-type",
    ];
    let Some((domain, _)) = key.split_once('/') else { return true };
    let inside = |suffix: &str| domain == suffix || domain.ends_with(&format!(".{suffix}"));
    if inside("node-restriction.kubernetes.io") {
        return false;
    }
    (!inside("kubernetes.io") && !inside("k8s.io"))
        || inside("kubelet.kubernetes.io")
        || inside("node.kubernetes.io")
        || NAMED.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::kubelet_may_set;

    #[test]
    fn kubelets_may_not_name_their_own_role() {
        assert!(kubelet_may_set("inferadb.com/pool"));
        assert!(kubelet_may_set("topology.kubernetes.io/zone"));
        assert!(kubelet_may_set("node.kubernetes.io/lifecycle"));
        assert!(!kubelet_may_set("node-role.kubernetes.io/worker"));
        assert!(!kubelet_may_set("x.node-restriction.kubernetes.io/a"));
    }
}
