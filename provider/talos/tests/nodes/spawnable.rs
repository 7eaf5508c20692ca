//! The procedures can be run on any thread: their futures are `Send`. This compiles or it does not.

use talos::{
    client::{Client, Clients},
    kubernetes::Cluster,
    lifecycle::{
        Change, Expected, NodesAre, Progress, Ready, apply_config, bootstrap, drain, etcd_is_unborn, forget_node, leave_etcd,
        node_names, remove_member, stale_members, wait_api, wait_etcd, wait_healthy, wait_kubernetes, wait_machines, wait_nodes,
        wait_quorum_without,
    },
};
use tokio::time::Instant;

fn spawnable(_: impl Future + Send) {}

#[allow(dead_code)]
fn all(node: &Client, clients: &Clients, cluster: &Cluster, nodes: &[String], at: Instant, progress: &Progress<'_>) {
    let expected = Expected { control_plane: nodes, workers: nodes, cni: true };
    spawnable(wait_api(clients, nodes, at, progress));
    spawnable(node_names(clients, nodes, at, progress));
    spawnable(bootstrap(node, at, progress));
    spawnable(etcd_is_unborn(clients, nodes, at, progress));
    spawnable(wait_etcd(clients, nodes, 3, at, progress));
    spawnable(wait_quorum_without(clients, nodes, "a", at, progress));
    spawnable(stale_members(clients, nodes, at, progress));
    spawnable(remove_member(clients, nodes, 1, at, progress));
    spawnable(leave_etcd(clients, nodes, "a", at, progress));
    spawnable(wait_machines(clients, nodes, Ready::WithNode, at, progress));
    spawnable(wait_kubernetes(cluster, at, progress));
    spawnable(wait_nodes(cluster, nodes, NodesAre::Ready, at, progress));
    spawnable(wait_healthy(clients, cluster, expected, at, progress));
    spawnable(apply_config(node, "", Change::Reboot, at, progress));
    spawnable(drain(cluster, "a", at, progress));
    spawnable(forget_node(cluster, "a", None, at, progress));
}
