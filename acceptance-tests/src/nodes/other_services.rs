//! Storage, time, controllers, and the health check of a whole cluster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use prost::Message;
use proto::talos::cluster::{HealthCheckProgress, HealthCheckRequest};
use proto::talos::inspect::{ControllerRuntimeDependenciesResponse, ControllerRuntimeDependency};
use proto::talos::storage::{Disk, Disks, DisksResponse};
use proto::talos::time::{Time, TimeRequest, TimeResponse};
use tonic::Status;

use super::api::Call;
use super::grpc::Reply;
use super::machine::Service;
use super::world::World;

/// Answers a call of one of these services.
pub(super) fn answer(call: &Call, service: &str, method: &str) -> Result<Reply, Status> {
    match service {
        "storage.StorageService" => {
            let disk = Disk {
                size: 20 << 30,
                device_name: "/dev/nvme0n1".to_owned(),
                name: "nvme0n1".to_owned(),
                system_disk: true,
                ..Disk::default()
            };
            Ok(Reply::message(&DisksResponse { messages: vec![Disks { metadata: None, disks: vec![disk] }] }))
        }
        "time.TimeService" => {
            let request = TimeRequest::decode(call.message.clone()).unwrap_or_default();
            let server =
                if method == "Time" || request.server.is_empty() { "169.254.169.123".to_owned() } else { request.server };
            let now: prost_types::Timestamp = std::time::SystemTime::now().into();
            let time = Time { metadata: None, server, localtime: Some(now), remotetime: Some(now) };
            Ok(Reply::message(&TimeResponse { messages: vec![time] }))
        }
        "inspect.InspectService" => {
            let messages = vec![ControllerRuntimeDependency::default()];
            Ok(Reply::message(&ControllerRuntimeDependenciesResponse { messages }))
        }
        _ => health_check(call),
    }
}

/// Says what is wrong with a cluster.
type Check = fn(&World, &str) -> Option<String>;

/// What is checked, in order, and what each waits for.
const CHECKS: &[(&str, Check)] = &[
    ("etcd to be healthy", etcd),
    ("etcd members to be consistent across nodes", fine),
    ("etcd members to be control plane nodes", fine),
    ("apid to be ready", fine),
    ("all nodes memory sizes", fine),
    ("all nodes disk sizes", fine),
    ("no diagnostics", fine),
    ("kubelet to be healthy", kubelets),
    ("all nodes to finish boot sequence", booted),
    ("all k8s nodes to report", nodes_ready),
    ("all control plane static pods to be running", fine),
    ("all control plane components to be ready", fine),
    ("all k8s nodes to report ready", nodes_ready),
    ("kube-proxy to report ready", fine),
    ("coredns to report ready", fine),
    ("all k8s nodes to report schedulable", fine),
];

fn fine(_: &World, _: &str) -> Option<String> {
    None
}

fn lacking(world: &World, key: &str, what: &str, lacks: impl Fn(&super::machine::Machine) -> bool) -> Option<String> {
    let names: Vec<String> = world.peers(key).filter(|peer| lacks(peer)).map(|peer| peer.address().to_string()).collect();
    (!names.is_empty()).then(|| format!("{what} on {}", names.join(", ")))
}

fn etcd(world: &World, key: &str) -> Option<String> {
    lacking(world, key, "etcd is not healthy", |peer| {
        peer.is_control_plane() && !peer.service("etcd").is_some_and(Service::is_up)
    })
}

fn kubelets(world: &World, key: &str) -> Option<String> {
    lacking(world, key, "kubelet is not healthy", |peer| !peer.service("kubelet").is_some_and(Service::is_up))
}

fn booted(world: &World, key: &str) -> Option<String> {
    lacking(world, key, "boot is not finished", |peer| peer.stage != super::machine::Stage::Running)
}

fn nodes_ready(world: &World, key: &str) -> Option<String> {
    lacking(world, key, "the node is not ready", |peer| peer.node_ready != Some(true))
}

fn health_check(call: &Call) -> Result<Reply, Status> {
    let request = HealthCheckRequest::decode(call.message.clone()).map_err(|error| Status::internal(error.to_string()))?;
    let shared = Arc::clone(&call.host.shared);
    let (key, forwards, mut found) = {
        let world = shared.look();
        let Some(machine) = world.machines.get(&call.node) else { return Err(Status::unavailable("the node is gone")) };
        let key = machine.config.as_ref().map(super::MachineConfig::cluster_key).unwrap_or_default();
        let mut found: Vec<(bool, std::net::IpAddr)> =
            world.peers(&key).map(|peer| (!peer.is_control_plane(), peer.address())).collect();
        found.sort();
        let found: Vec<String> = found.into_iter().map(|(_, address)| address.to_string()).collect();
        (key, machine.is_control_plane(), found)
    };
    let info = request.cluster_info.unwrap_or_default();
    let named: Vec<String> = info.control_plane_nodes.iter().chain(&info.worker_nodes).cloned().collect();
    if !named.is_empty() {
        found = named;
    }
    let quoted: Vec<String> = found.iter().map(|address| format!("{address:?}")).collect();
    let wait = request.wait_timeout.map_or(Duration::from_mins(5), |wait| Duration::try_from(wait).unwrap_or_default());
    let message = |text: String| -> Result<Bytes, Status> {
        Ok(HealthCheckProgress { metadata: None, message: text }.encode_to_vec().into())
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(64);
    call.host.spawn(&call.node, async move {
        let _ = sender.send(message(format!("discovered nodes: [{}]", quoted.join(" ")))).await;
        let checks = async {
            for (what, check) in CHECKS {
                let _ = sender.send(message(format!("waiting for {what}: ..."))).await;
                if !forwards {
                    let why = "rpc error: code = PermissionDenied desc = no request forwarding";
                    let _ = sender.send(message(format!("waiting for {what}: {why}"))).await;
                    std::future::pending::<()>().await;
                }
                let unknown = found.iter().find(|address| {
                    let at = address.parse().ok().and_then(|address| shared.look().machine_at(address).map(|machine| machine.off));
                    at != Some(false)
                });
                if let Some(address) = unknown {
                    let why = format!(
                        "{address}: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: \
                         dial tcp {address}:50000: connect: no route to host\""
                    );
                    let _ = sender.send(message(format!("waiting for {what}: 1 error occurred:\n\t* {why}"))).await;
                    std::future::pending::<()>().await;
                }
                let said = check(&shared.look(), &key);
                if let Some(why) = said {
                    let _ = sender.send(message(format!("waiting for {what}: {why}"))).await;
                    shared.until(|world| check(world, &key).is_none().then_some(())).await;
                }
                let _ = sender.send(message(format!("waiting for {what}: OK"))).await;
            }
        };
        if tokio::time::timeout(wait, checks).await.is_err() {
            let _ = sender.send(Err(Status::deadline_exceeded("context deadline exceeded"))).await;
        }
    });
    Ok(Reply::Many(stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) }).boxed()))
}
