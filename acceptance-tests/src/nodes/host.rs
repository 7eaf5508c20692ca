//! One process that is every node.

use std::collections::HashMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::boot;
use super::machine::Machine;
use super::machine_config::MachineConfig;
use super::machinery::Libraries;
use super::timing::Timing;
use super::world::{BootFailure, Shared};
use crate::instance_feed::{InstanceHost, InstanceStarted};
use crate::kube_api::KubeCluster;
use crate::ledger::Ledger;

/// Talos of an instance whose image does not say.
const UNNAMED_TALOS: &str = "v1.13.9";

/// What keeps a machine's tasks: they end with it, and are left hanging by a reboot.
#[derive(Clone)]
struct Life {
    stop: CancellationToken,
    freeze: CancellationToken,
    tasks: TaskTracker,
}

pub(super) struct Host {
    pub(super) shared: Arc<Shared>,
    lives: Mutex<HashMap<String, Life>>,
    this: Weak<Self>,
}

impl Host {
    fn lives(&self) -> MutexGuard<'_, HashMap<String, Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self, id: &str) -> Option<Life> {
        self.lives().get(id).cloned()
    }

    /// Ends with the present boot.
    pub(super) fn frozen(&self, id: &str) -> CancellationToken {
        self.life(id).map_or_else(cancelled, |life| life.freeze)
    }

    /// Runs something that ends with the present boot.
    pub(super) fn spawn(&self, id: &str, task: impl Future<Output = ()> + Send + 'static) {
        let Some(life) = self.life(id) else { return };
        life.tasks.spawn(async move {
            tokio::select! {
                () = life.stop.cancelled() => {}
                () = life.freeze.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Runs something that a reboot does not end; it looks at [`Host::frozen`] itself.
    pub(super) fn spawn_lasting(&self, id: &str, task: impl Future<Output = ()> + Send + 'static) {
        let Some(life) = self.life(id) else { return };
        life.tasks.spawn(async move {
            tokio::select! {
                () = life.stop.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Stops all that runs: what is connected gets no answer any more.
    pub(super) fn freeze(&self, id: &str) {
        if let Some(life) = self.lives().get_mut(id) {
            life.freeze.cancel();
            life.freeze = life.stop.child_token();
        }
    }

    /// Begins the next boot.
    pub(super) fn power_on(&self, id: &str) {
        let boot = self.shared.change(|world| world.machines.get_mut(id).map(Machine::power_on));
        if let (Some(boot), Some(this)) = (boot, self.this.upgrade()) {
            self.spawn(id, boot::run(this, id.to_owned(), boot));
        }
    }
}

fn cancelled() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}

/// Plays every instance as a Talos node. Clones share it; dropping the last one ends all nodes.
#[derive(Clone)]
pub struct NodeHost {
    host: Arc<Host>,
    _ends: Arc<Ends>,
}

struct Ends(Arc<Host>);

impl Drop for Ends {
    fn drop(&mut self) {
        for life in self.0.lives().values() {
            life.stop.cancel();
        }
    }
}

impl NodeHost {
    /// Nodes that write their calls into this ledger. Configs are checked by Talos' own library where `TALOS_MACHINERY_CLI`
    /// (v1.13) and `TALOS_MACHINERY_CLI_V1_14` name programs that ask it.
    pub fn new(ledger: Ledger, timing: Timing) -> Self {
        let shared = Arc::new(Shared::new(ledger, timing, Libraries::from_environment()));
        let host = Arc::new_cyclic(|this| Host { shared, lives: Mutex::default(), this: this.clone() });
        Self { _ends: Arc::new(Ends(Arc::clone(&host))), host }
    }

    /// What no cluster may ever go through, such as a second etcd. A test fails if there is any.
    pub fn violations(&self) -> Vec<String> {
        self.host.shared.look().violations.clone()
    }

    /// Nodes without an API, and why.
    pub fn boot_failures(&self) -> Vec<BootFailure> {
        self.host.shared.look().failures.clone()
    }

    /// Every config that reached a node, in order.
    pub fn configs(&self) -> Vec<String> {
        self.host.shared.look().configs.clone()
    }

    /// The instance with this address, private or public.
    pub fn instance_at(&self, address: Ipv4Addr) -> Option<String> {
        let world = self.host.shared.look();
        let mut machines = world.machines.iter();
        let has = |instance: &InstanceStarted| instance.private_ip == address || instance.public_ip == Some(address);
        machines.find(|(_, machine)| has(&machine.instance)).map(|(id, _)| id.clone())
    }

    /// The boot id of an instance, while it runs.
    pub fn boot_id(&self, instance_id: &str) -> Option<String> {
        self.host.shared.look().machines.get(instance_id).filter(|machine| !machine.off).map(|machine| machine.boot_id.clone())
    }

    /// How often an instance has booted.
    pub fn boots(&self, instance_id: &str) -> u32 {
        let boots = self.host.shared.look().machines.get(instance_id).map_or(0, |machine| machine.boot);
        u32::try_from(boots).unwrap_or(u32::MAX)
    }

    /// Cuts an instance's power, and gives it back: what was connected hangs.
    pub fn power_cycle(&self, instance_id: &str) {
        self.host.freeze(instance_id);
        self.host.shared.change(|world| world.power_off(instance_id));
        self.host.power_on(instance_id);
    }

    /// Cuts an instance's power for good, without the cloud's knowledge.
    pub fn crash(&self, instance_id: &str) {
        self.host.freeze(instance_id);
        self.host.shared.change(|world| world.power_off(instance_id));
    }

    /// Gives power back to an instance that [`NodeHost::crash`] took it from: it boots from its disk.
    pub fn revive(&self, instance_id: &str) {
        self.host.power_on(instance_id);
    }

    /// Puts another Talos on an instance's disk, which the next boot runs.
    pub fn install(&self, instance_id: &str, talos: &str) {
        self.host.shared.change(|world| {
            if let Some(machine) = world.machines.get_mut(instance_id).filter(|_| !talos.is_empty()) {
                talos.clone_into(&mut machine.disk.talos);
            }
        });
    }

    /// Listens at `here` for a node whose address is not this machine's, as a container's is not.
    pub fn listen_at(&self, address: std::net::Ipv4Addr, here: std::net::Ipv4Addr) {
        self.host.shared.listen_at(address, here);
    }

    /// The Kubernetes cluster of a node, once its first API server was up.
    pub fn kubernetes_of(&self, instance_id: &str) -> Option<Arc<KubeCluster>> {
        let world = self.host.shared.look();
        let key = world.machines.get(instance_id)?.config.as_ref()?.cluster_key();
        let cluster = world.kubernetes_of(&key)?;
        Some(Arc::clone(&world.stores[cluster]))
    }
}

impl InstanceHost for NodeHost {
    fn started(&self, instance: InstanceStarted) {
        let id = instance.instance_id.clone();
        let stop = CancellationToken::new();
        let life = Life { freeze: stop.child_token(), stop, tasks: TaskTracker::new() };
        self.host.lives().insert(id.clone(), life);
        let talos = instance.talos_version.clone().unwrap_or_else(|| UNNAMED_TALOS.to_owned());
        self.host.shared.change(|world| world.machines.insert(id.clone(), Machine::new(instance, talos)));
        self.host.power_on(&id);
    }

    fn stopped(&self, instance_id: &str) {
        self.crash(instance_id);
    }

    fn restarted(&self, instance_id: &str) {
        self.revive(instance_id);
    }

    fn terminated(&self, instance_id: &str) -> BoxFuture<'static, ()> {
        let life = self.host.lives().remove(instance_id);
        let shared = Arc::clone(&self.host.shared);
        let gone = shared.change(|world| {
            world.power_off(instance_id);
            world.machines.remove(instance_id)
        });
        if let Some(machine) = gone {
            let name = machine.nodename();
            let key = machine.config.as_ref().map(MachineConfig::cluster_key).unwrap_or_default();
            let notices = shared.timing.unreachable;
            tokio::spawn(async move {
                tokio::time::sleep(notices).await;
                shared.change(|world| {
                    let back = world.peers(&key).any(|peer| peer.nodename() == name);
                    for index in 0..world.clusters.len() {
                        if !back && world.clusters[index].owner == key {
                            world.stores[index].set_ready(
                                &name,
                                false,
                                "NodeStatusUnknown",
                                "Kubelet stopped posting node status.",
                            );
                        }
                    }
                });
            });
        }
        Box::pin(async move {
            if let Some(life) = life {
                life.stop.cancel();
                life.tasks.close();
                life.tasks.wait().await;
            }
        })
    }
}
