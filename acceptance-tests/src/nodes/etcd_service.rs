//! etcd as a service of a control-plane node: waits to be told or for others to join, becomes a member, then a voter.

use std::sync::Arc;

use tokio::time::sleep;

use super::etcd::{Etcd, Member};
use super::host::Host;
use super::kube_apiserver;
use super::machine::{EtcdData, Health};
use super::world::World;
use crate::kube_api::KubeCluster;
use crate::ledger::Ledger;

const NOT_FOR_LEARNERS: &str = "etcdserver: rpc not supported for learner";

enum Next {
    /// The data on disk is of a member.
    Start(EtcdData),
    /// The data on disk is of a member that was removed.
    Refused,
    Begin,
    Join(usize),
}

fn next(world: &World, id: &str) -> Option<Next> {
    let machine = world.machines.get(id)?;
    if let Some(data) = machine.disk.etcd {
        let listed = world.clusters[data.cluster].member(data.member).is_some();
        return Some(if listed { Next::Start(data) } else { Next::Refused });
    }
    if machine.bootstrapping {
        return Some(Next::Begin);
    }
    // Having left, it stays out until it is told or boots again.
    if machine.service("etcd").is_some_and(|etcd| etcd.state == "Finished") {
        return None;
    }
    let key = machine.config.as_ref()?.cluster_key();
    let usable =
        |cluster: &usize| world.clusters[*cluster].owner == key && world.clusters[*cluster].has_quorum(&world.up(*cluster));
    (0..world.clusters.len()).find(usable).map(Next::Join)
}

/// The service's life during one boot.
pub(super) async fn run(host: Arc<Host>, id: String, boot: u64) {
    let (shared, timing) = (&host.shared, host.shared.timing);
    loop {
        match shared.until(|world| next(world, &id)).await {
            Next::Start(data) => serve(&host, &id, boot, data).await,
            Next::Refused => {
                shared.change(|world| {
                    if let Some(machine) = world.booted(&id, boot) {
                        machine.etcd_refused = true;
                        machine.api_server = false;
                        machine.note_service("etcd", "Failed", "Failed to run process: the member has been permanently removed");
                        machine.note_health("etcd", Health::Unknown);
                    }
                });
                shared.until(|world| (world.machines.get(&id)?.disk.etcd.is_none()).then_some(())).await;
            }
            Next::Begin => {
                sleep(timing.etcd / 2).await;
                shared.change(|world| begin(world, &id, boot, &shared.ledger));
            }
            Next::Join(cluster) => {
                if !shared.change(|world| join(world, &id, boot, cluster)) {
                    sleep(timing.ask).await;
                }
            }
        }
    }
}

fn new_member(world: &World, id: &str, learner: bool) -> Option<Member> {
    let machine = world.machines.get(id)?;
    Some(Member {
        id: rand::random::<u64>() | 1,
        name: String::new(),
        instance: id.to_owned(),
        address: machine.instance.private_ip,
        learner,
    })
}

/// Makes a cluster of one.
fn begin(world: &mut World, id: &str, boot: u64, ledger: &Ledger) {
    let Some(mut member) = new_member(world, id, false) else { return };
    let Some(machine) = world.booted(id, boot) else { return };
    machine.bootstrapping = false;
    member.name = machine.hostname();
    let Some(config) = machine.config.clone() else { return };
    let owner = config.cluster_key();
    let second = world.clusters.iter().any(|cluster| {
        cluster.owner == owner && cluster.members.iter().any(|member| world.machines.contains_key(&member.instance))
    });
    if second {
        let name = config.cluster_name();
        let text = format!("a second etcd cluster was bootstrapped for cluster `{name}`, on instance `{id}`");
        tracing::error!("{text}");
        world.violations.push(text);
    }
    let data = EtcdData { cluster: world.clusters.len(), member: member.id };
    world.clusters.push(Etcd::new(owner, member));
    world.stores.push(KubeCluster::new(ledger.clone(), &config.api_server_version()));
    if let Some(machine) = world.booted(id, boot) {
        machine.disk.etcd = Some(data);
    }
}

/// Asks to be listed as a learner.
fn join(world: &mut World, id: &str, boot: u64, cluster: usize) -> bool {
    let Some(member) = new_member(world, id, true) else { return false };
    if world.booted(id, boot).is_none() {
        return false;
    }
    let up = world.up(cluster);
    let data = EtcdData { cluster, member: member.id };
    // One of this name that is gone blocks nobody: etcd tells members by id.
    if world.clusters[cluster].add_learner(member, &up).is_err() {
        return false;
    }
    if let Some(machine) = world.booted(id, boot) {
        machine.disk.etcd = Some(data);
    }
    true
}

/// Runs as a listed member until it is one no more.
async fn serve(host: &Arc<Host>, id: &str, boot: u64, data: EtcdData) {
    let (shared, timing) = (&host.shared, host.shared.timing);
    let listed = |world: &World| {
        let machine = world.machines.get(id)?;
        (machine.disk.etcd != Some(data) || world.clusters[data.cluster].member(data.member).is_none()).then_some(())
    };
    let work = async {
        shared.change(|world| {
            if let Some(machine) = world.booted(id, boot) {
                machine.note_service("etcd", "Preparing", "Creating service runner");
            }
        });
        sleep(timing.etcd).await;
        shared.change(|world| {
            if let Some(machine) = world.booted(id, boot) {
                machine.note_service("etcd", "Running", "Started task etcd for container etcd");
                let name = machine.hostname();
                if let Some(member) = world.clusters[data.cluster].members.iter_mut().find(|member| member.id == data.member) {
                    member.name = name;
                }
            }
        });
        sleep(timing.health).await;
        let learner = |world: &World| world.clusters[data.cluster].member(data.member).is_some_and(|member| member.learner);
        if learner(&shared.look()) {
            shared.change(|world| {
                if let Some(machine) = world.booted(id, boot) {
                    machine.note_health("etcd", Health::Bad(NOT_FOR_LEARNERS.to_owned()));
                }
            });
            sleep(timing.learner.saturating_sub(timing.health)).await;
            loop {
                let promoted = shared.change(|world| {
                    let up = world.up(data.cluster);
                    world.clusters[data.cluster].promote(data.member, &up)
                });
                if promoted {
                    break;
                }
                sleep(timing.ask).await;
            }
        }
        shared.until(|world| world.clusters[data.cluster].has_quorum(&world.up(data.cluster)).then_some(())).await;
        shared.change(|world| {
            if let Some(machine) = world.booted(id, boot) {
                machine.note_health("etcd", Health::Good);
            }
        });
        kube_apiserver::run(host, id, boot, data.cluster).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = shared.until(listed) => {}
        () = work => {}
    }
    shared.change(|world| {
        if let Some(machine) = world.booted(id, boot) {
            machine.api_server = false;
        }
    });
}
