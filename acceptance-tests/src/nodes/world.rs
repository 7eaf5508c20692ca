//! All machines and clusters, behind one lock: what a machine may do depends on the others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::etcd::Etcd;
use super::machine::{Health, Machine, Stage};
use super::machinery::Libraries;
use super::timing::Timing;
use crate::kube_api::KubeCluster;
use crate::ledger::Ledger;

/// What a boot went through, for who asks why there is no API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootFailure {
    /// The instance.
    pub instance_id: String,
    /// What Talos would have logged.
    pub message: String,
}

#[derive(Default)]
pub(super) struct World {
    pub(super) machines: BTreeMap<String, Machine>,
    pub(super) clusters: Vec<Etcd>,
    /// What each etcd cluster's Kubernetes API holds.
    pub(super) stores: Vec<Arc<KubeCluster>>,
    pub(super) violations: Vec<String>,
    pub(super) failures: Vec<BootFailure>,
    /// Every config that reached a node, unpacked.
    pub(super) configs: Vec<String>,
}

impl World {
    /// Members of a cluster whose etcd runs.
    pub(super) fn up(&self, cluster: usize) -> BTreeSet<u64> {
        self.machines
            .values()
            .filter(|machine| !machine.off && machine.service("etcd").is_some_and(|etcd| etcd.state == "Running"))
            .filter_map(|machine| machine.disk.etcd.filter(|data| data.cluster == cluster && !machine.etcd_refused))
            .map(|data| data.member)
            .collect()
    }

    /// The cluster that a control-plane machine's own etcd is part of, while it runs.
    pub(super) fn local_etcd(&self, instance: &str) -> Option<(usize, u64)> {
        let machine = self.machines.get(instance)?;
        let data = machine.disk.etcd?;
        (self.up(data.cluster).contains(&data.member)).then_some((data.cluster, data.member))
    }

    /// The cluster that any of the control-plane machines' etcd answers for: the machine's own first.
    pub(super) fn reachable_etcd(&self, instance: &str) -> Option<usize> {
        let usable = |cluster: usize| self.clusters[cluster].has_quorum(&self.up(cluster));
        if let Some((cluster, _)) = self.local_etcd(instance)
            && usable(cluster)
        {
            return Some(cluster);
        }
        let key = self.machines.get(instance)?.config.as_ref()?.cluster_key();
        (0..self.clusters.len()).find(|index| self.clusters[*index].owner == key && usable(*index))
    }

    /// The Kubernetes cluster that a machine of this CA belongs to: one with an API that answers.
    pub(super) fn kubernetes_of(&self, key: &str) -> Option<usize> {
        (0..self.clusters.len()).find(|index| self.clusters[*index].owner == key && self.api_server_of(*index).is_some())
    }

    /// A machine whose Kubernetes API answers for an etcd cluster.
    pub(super) fn api_server_of(&self, cluster: usize) -> Option<&str> {
        if !self.clusters[cluster].has_quorum(&self.up(cluster)) {
            return None;
        }
        let serves = |machine: &&Machine| {
            machine.api_server && !machine.off && machine.disk.etcd.is_some_and(|data| data.cluster == cluster)
        };
        self.machines.values().find(serves).map(|machine| machine.instance.instance_id.as_str())
    }

    /// Who has this address, private or public.
    pub(super) fn machine_at(&self, address: IpAddr) -> Option<&Machine> {
        let IpAddr::V4(address) = address else { return None };
        let is = |machine: &&Machine| machine.instance.private_ip == address || machine.instance.public_ip == Some(address);
        self.machines.values().find(is)
    }

    /// Other machines of the same cluster.
    pub(super) fn peers(&self, key: &str) -> impl Iterator<Item = &Machine> {
        self.machines
            .values()
            .filter(move |machine| !machine.off && machine.config.as_ref().is_some_and(|config| config.cluster_key() == key))
    }

    /// A machine in this boot, if the boot is not over.
    pub(super) fn booted(&mut self, instance: &str, boot: u64) -> Option<&mut Machine> {
        self.machines.get_mut(instance).filter(|machine| machine.boot == boot && !machine.off)
    }

    /// Brings all that follows from the rest up to date: leaders, health of learners, what nodes know of themselves, resources.
    pub(super) fn settle(&mut self) {
        for cluster in 0..self.clusters.len() {
            let up = self.up(cluster);
            self.clusters[cluster].elect(&up);
        }
        let names: BTreeMap<String, Option<bool>> = self
            .machines
            .iter()
            .map(|(id, machine)| {
                let key = machine.config.as_ref().map(super::machine_config::MachineConfig::cluster_key).unwrap_or_default();
                let known = self.kubernetes_of(&key).map(|cluster| self.stores[cluster].is_ready(&machine.nodename()));
                // While no API answers, it goes by what it knew.
                (id.clone(), known.unwrap_or(machine.node_ready))
            })
            .collect();
        for (id, ready) in names {
            if let Some(machine) = self.machines.get_mut(&id) {
                machine.node_ready = if machine.config.is_some() { ready } else { None };
            }
        }
        let views: Vec<(String, Vec<super::resources::View>)> = self
            .machines
            .iter()
            .filter(|(_, machine)| !machine.off)
            .map(|(id, machine)| (id.clone(), super::resources::views(self, machine)))
            .collect();
        for (id, view) in views {
            if let Some(machine) = self.machines.get_mut(&id) {
                let before = machine.resources.get("runtime", "MachineStatuses.runtime.talos.dev", "machine").map(|r| r.version);
                machine.resources.update(view);
                let after = machine.resources.get("runtime", "MachineStatuses.runtime.talos.dev", "machine").map(|r| r.version);
                if before != after {
                    machine.note_status_event();
                }
            }
        }
    }

    /// Ends all services of a machine at once.
    pub(super) fn power_off(&mut self, instance: &str) {
        if let Some(machine) = self.machines.get_mut(instance) {
            machine.off = true;
            machine.api = None;
            machine.api_server = false;
            machine.bootstrapping = false;
            for service in &mut machine.services {
                service.state = "Finished";
                service.health = Health::Unknown;
            }
        }
    }

    /// Notes that a node has no API, and never will in this boot.
    pub(super) fn fail(&mut self, failure: BootFailure) {
        self.violations.push(format!("{}: {}", failure.instance_id, failure.message));
        self.failures.push(failure);
    }

    /// Sets a stage.
    pub(super) fn stage(&mut self, instance: &str, stage: Stage) {
        if let Some(machine) = self.machines.get_mut(instance) {
            machine.stage = stage;
        }
    }
}

/// What all parts share.
pub(super) struct Shared {
    pub(super) ledger: Ledger,
    pub(super) timing: Timing,
    pub(super) libraries: Libraries,
    world: Mutex<World>,
    /// Where this process listens for addresses that are not this machine's.
    elsewhere: Mutex<BTreeMap<Ipv4Addr, Ipv4Addr>>,
    /// Bumped after every change.
    pub(super) changes: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(ledger: Ledger, timing: Timing, libraries: Libraries) -> Self {
        Self { ledger, timing, libraries, world: Mutex::default(), elsewhere: Mutex::default(), changes: watch::Sender::new(0) }
    }

    /// Where this process listens for one of a node's addresses.
    pub(super) fn listens_at(&self, address: Ipv4Addr) -> Ipv4Addr {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).get(&address).copied().unwrap_or(address)
    }

    /// Listens there for an address that another network has.
    pub(super) fn listen_at(&self, address: Ipv4Addr, here: Ipv4Addr) {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).insert(address, here);
    }

    /// A look, without a change.
    pub(super) fn look(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change, with all that follows from it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.look();
        let result = change(&mut world);
        world.settle();
        drop(world);
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Waits until a look gives something, looking again after each change.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&World) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(found) = look(&self.look()) {
                return found;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// An address of a member as etcd writes it.
pub(super) fn etcd_url(address: Ipv4Addr, port: u16) -> String {
    format!("https://{address}:{port}")
}
