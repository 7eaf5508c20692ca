//! The machine service of a configured node.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use proto::talos::common::Data;
use proto::talos::machine::{self as wire};
use tonic::{Code, Status};

use super::api::Call;
use super::boot::{self, Down};
use super::etcd::{Etcd, Refusal};
use super::grpc::Reply;
use super::machine::{Health, Machine, Stage, uuid};
use super::world::etcd_url;
use super::{apply, client_config, events, versions};

/// Methods of v1.8; later ones have a few more, which nobody calls here.
pub(super) const METHODS: &[&str] = &[
    "ApplyConfiguration",
    "Bootstrap",
    "Containers",
    "Copy",
    "CPUInfo",
    "DiskStats",
    "DiskUsage",
    "Dmesg",
    "EtcdAlarmDisarm",
    "EtcdAlarmList",
    "EtcdDefragment",
    "EtcdForfeitLeadership",
    "EtcdLeaveCluster",
    "EtcdMemberList",
    "EtcdRecover",
    "EtcdRemoveMemberByID",
    "EtcdSnapshot",
    "EtcdStatus",
    "Events",
    "GenerateClientConfiguration",
    "GenerateConfiguration",
    "Hostname",
    "ImageList",
    "ImagePull",
    "Kubeconfig",
    "List",
    "LoadAvg",
    "Logs",
    "LogsContainers",
    "Memory",
    "MetaDelete",
    "MetaWrite",
    "Mounts",
    "Netstat",
    "NetworkDeviceStats",
    "PacketCapture",
    "Processes",
    "Read",
    "Reboot",
    "Reset",
    "Restart",
    "Rollback",
    "ServiceList",
    "ServiceRestart",
    "ServiceStart",
    "ServiceStop",
    "Shutdown",
    "Stats",
    "SystemStat",
    "Upgrade",
    "Version",
];

fn decode<M: Message + Default>(call: &Call) -> Result<M, Status> {
    M::decode(call.message.clone()).map_err(|error| Status::internal(format!("grpc: error unmarshalling request: {error}")))
}

/// Waits for the caller's own deadline, as calls to an etcd do that is not there.
async fn hang() -> Result<Reply, Status> {
    std::future::pending().await
}

impl Call {
    /// Looks at the node that answers.
    fn see<T>(&self, look: impl FnOnce(&Machine) -> T) -> Result<T, Status> {
        let world = self.host.shared.look();
        let machine = world.machines.get(&self.node).filter(|machine| machine.boot == self.boot && !machine.off);
        machine.map(look).ok_or_else(|| Status::unavailable("the node goes down"))
    }
}

/// Answers a call of this service.
pub(super) async fn answer(call: Call, method: &str) -> Result<Reply, Status> {
    let control_plane = call.see(Machine::is_control_plane)?;
    if !control_plane && let Some(what) = only_on_control_planes(method) {
        return Err(Status::unimplemented(format!("{what} is only available on control plane nodes")));
    }
    match method {
        "ApplyConfiguration" => apply::answer(call).await,
        "Bootstrap" => bootstrap(&call, control_plane),
        "EtcdAlarmDisarm" => {
            reached(&call, || wire::EtcdAlarmDisarmResponse { messages: vec![wire::EtcdAlarmDisarm::default()] }).await
        }
        "EtcdAlarmList" => reached(&call, || wire::EtcdAlarmListResponse { messages: vec![wire::EtcdAlarm::default()] }).await,
        "EtcdDefragment" => {
            reached(&call, || wire::EtcdDefragmentResponse { messages: vec![wire::EtcdDefragment::default()] }).await
        }
        "EtcdForfeitLeadership" => forfeit(&call).await,
        "EtcdLeaveCluster" => leave(&call).await,
        "EtcdMemberList" => member_list(&call).await,
        "EtcdRemoveMemberByID" => remove(&call).await,
        "EtcdSnapshot" => match local(&call) {
            Some(_) => Ok(Reply::all(&[Data { metadata: None, bytes: vec![0; 4096] }], None)),
            None => hang().await,
        },
        "EtcdStatus" => status(&call).await,
        "Events" => events::stream(&call),
        "GenerateClientConfiguration" => client_config::generate(&call, &decode(&call)?),
        "GenerateConfiguration" => Err(Status::unknown("invalid generate request")),
        "Hostname" => {
            let hostname = call.see(Machine::hostname)?;
            Ok(Reply::message(&wire::HostnameResponse { messages: vec![wire::Hostname { metadata: None, hostname }] }))
        }
        "Kubeconfig" => client_config::kubeconfig(&call),
        "Read" => read(&call),
        "Reboot" => reboot(&call, Down::Reboot, |actor_id| {
            Reply::message(&wire::RebootResponse { messages: vec![wire::Reboot { metadata: None, actor_id }] })
        }),
        "Shutdown" => reboot(&call, Down::Off, |actor_id| {
            Reply::message(&wire::ShutdownResponse { messages: vec![wire::Shutdown { metadata: None, actor_id }] })
        }),
        "Reset" => reset(&call),
        "ServiceList" => service_list(&call),
        "ServiceRestart" | "ServiceStart" | "ServiceStop" => service(&call, method),
        "Version" => version(&call),
        "Logs" => logs(&call),
        "ImagePull" => image_pull(&decode(&call)?),
        "ImageList" => Ok(image_list(decode(&call)?)),
        "PacketCapture" => {
            // Its first field is the interface, as the first of this one is a service.
            let request: wire::ServiceRestartRequest = decode(&call)?;
            Err(Status::not_found(format!("interface {:?} not found", request.id)))
        }
        "Netstat" => Err(Status::internal("runtime error: invalid memory address or nil pointer dereference")),
        "MetaWrite" => Ok(Reply::message(&wire::MetaWriteResponse { messages: vec![wire::MetaWrite::default()] })),
        "MetaDelete" => Ok(Reply::message(&wire::MetaDeleteResponse { messages: vec![wire::MetaDelete::default()] })),
        "Copy" | "DiskUsage" | "Dmesg" | "List" => Ok(Reply::all::<Data>(&[], None)),
        "Containers" | "CPUInfo" | "DiskStats" | "LoadAvg" | "LogsContainers" | "Memory" | "Mounts" | "NetworkDeviceStats"
        | "Processes" | "Stats" | "SystemStat" => {
            // One empty message: their figures are carried by nobody here.
            Ok(Reply::message(&wire::MountsResponse { messages: vec![wire::Mounts::default()] }))
        }
        other => Err(Status::unimplemented(format!("the simulator does not play {other}"))),
    }
}

/// What of a method's name a worker says in its refusal.
fn only_on_control_planes(method: &str) -> Option<&'static str> {
    Some(match method {
        "EtcdMemberList" => "member list",
        "EtcdRemoveMemberByID" => "etcd remove member",
        "EtcdLeaveCluster" => "etcd leave",
        "EtcdForfeitLeadership" => "etcd forfeit leadership",
        "EtcdRecover" => "etcd recover",
        "EtcdSnapshot" => "etcd snapshot",
        "EtcdAlarmList" | "EtcdAlarmDisarm" => "etcd alarm list",
        "EtcdDefragment" => "etcd defragment",
        "EtcdStatus" => "etcd status",
        "Kubeconfig" => "kubeconfig",
        _ => return None,
    })
}

fn bootstrap(call: &Call, control_plane: bool) -> Result<Reply, Status> {
    let done = || Reply::message(&wire::BootstrapResponse { messages: vec![wire::Bootstrap::default()] });
    call.host.shared.change(|world| {
        let Some(machine) = world.booted(&call.node, call.boot) else { return Err(Status::unavailable("the node goes down")) };
        if !control_plane {
            return Err(Status::failed_precondition("bootstrap can only be performed on a control plane node"));
        }
        // Until the boot has come to etcd there is nothing to be told.
        if !machine.service("etcd").is_some_and(|etcd| ["Preparing", "Finished", "Failed", "Running"].contains(&etcd.state)) {
            return Err(Status::failed_precondition("bootstrap is not available yet"));
        }
        if machine.disk.etcd.is_some() {
            return Err(Status::already_exists("etcd data directory is not empty"));
        }
        machine.bootstrapping = true;
        Ok(done())
    })
}

/// The cluster of the node's own etcd.
fn local(call: &Call) -> Option<(usize, u64)> {
    call.host.shared.look().local_etcd(&call.node)
}

/// Answers if any etcd is there.
async fn reached<M: Message>(call: &Call, message: impl FnOnce() -> M) -> Result<Reply, Status> {
    let found = call.host.shared.look().reachable_etcd(&call.node);
    if found.is_some() { Ok(Reply::message(&message())) } else { hang().await }
}

async fn member_list(call: &Call) -> Result<Reply, Status> {
    let request: wire::EtcdMemberListRequest = decode(call)?;
    let found = {
        let world = call.host.shared.look();
        let usable = |cluster: usize| world.clusters[cluster].has_quorum(&world.up(cluster));
        let cluster = if request.query_local {
            // Asked with a leader required: without one there is no answer.
            world.local_etcd(&call.node).map(|(cluster, _)| cluster).filter(|cluster| usable(*cluster))
        } else {
            world.reachable_etcd(&call.node)
        };
        cluster.map(|cluster| members(&world.clusters[cluster]))
    };
    match found {
        Some(members) => Ok(Reply::message(&wire::EtcdMemberListResponse { messages: vec![members] })),
        None => hang().await,
    }
}

fn members(cluster: &Etcd) -> wire::EtcdMembers {
    let member = |member: &super::etcd::Member| wire::EtcdMember {
        id: member.id,
        hostname: member.name.clone(),
        peer_urls: vec![etcd_url(member.address, 2380)],
        client_urls: if member.name.is_empty() { Vec::new() } else { vec![etcd_url(member.address, 2379)] },
        is_learner: member.learner,
    };
    wire::EtcdMembers {
        metadata: None,
        legacy_members: cluster.members.iter().map(|member| member.name.clone()).collect(),
        members: cluster.members.iter().map(member).collect(),
    }
}

async fn status(call: &Call) -> Result<Reply, Status> {
    let found = {
        let world = call.host.shared.look();
        let talos = world.machines.get(&call.node).map(|machine| machine.disk.talos.clone()).unwrap_or_default();
        world.local_etcd(&call.node).map(|(cluster, id)| {
            let up = world.up(cluster);
            let etcd = &world.clusters[cluster];
            let leader = etcd.has_quorum(&up);
            wire::EtcdMemberStatus {
                protocol_version: versions::etcd(&talos).to_owned(),
                db_size: 1_056_768,
                db_size_in_use: 1_052_672,
                leader: if leader { etcd.leader } else { 0 },
                raft_index: etcd.index,
                raft_term: etcd.term,
                raft_applied_index: etcd.index,
                errors: if leader { Vec::new() } else { vec![Refusal::NoLeader.to_string()] },
                is_learner: etcd.member(id).is_some_and(|member| member.learner),
                member_id: id,
                storage_version: String::new(),
            }
        })
    };
    match found {
        Some(status) => {
            let message = wire::EtcdStatus { metadata: None, member_status: Some(status) };
            Ok(Reply::message(&wire::EtcdStatusResponse { messages: vec![message] }))
        }
        None => hang().await,
    }
}

async fn remove(call: &Call) -> Result<Reply, Status> {
    let request: wire::EtcdRemoveMemberByIdRequest = decode(call)?;
    let id = request.member_id;
    let outcome = call.host.shared.change(|world| {
        let cluster = world.reachable_etcd(&call.node)?;
        let up = world.up(cluster);
        Some(world.clusters[cluster].remove(id, &up))
    });
    match outcome {
        None | Some(Err(Refusal::NoLeader)) => hang().await,
        Some(Ok(())) => {
            Ok(Reply::message(&wire::EtcdRemoveMemberByIdResponse { messages: vec![wire::EtcdRemoveMemberById::default()] }))
        }
        Some(Err(Refusal::NotFound)) => Err(Status::not_found(format!("failed to remove member {id}: {}", Refusal::NotFound))),
        Some(Err(refusal)) => Err(Status::unknown(format!("failed to remove member: failed to remove member {id}: {refusal}"))),
    }
}

async fn leave(call: &Call) -> Result<Reply, Status> {
    /// Between attempts while etcd calls itself unhealthy, and how many of them.
    const AGAIN: Duration = Duration::from_secs(10);
    const ATTEMPTS: u32 = 30;
    for _ in 0..ATTEMPTS {
        let outcome = call.host.shared.change(|world| {
            let (cluster, id) = world.local_etcd(&call.node)?;
            let up = world.up(cluster);
            let removed = world.clusters[cluster].remove(id, &up);
            if removed.is_ok()
                && let Some(machine) = world.booted(&call.node, call.boot)
            {
                // It stops etcd and deletes the data, which is of no member any more.
                machine.disk.etcd = None;
                machine.note_service("etcd", "Stopping", "Sending SIGTERM to task etcd (container etcd)");
                machine.note_service("etcd", "Finished", "Service finished successfully");
                machine.note_health("etcd", Health::Bad("service not running".to_owned()));
            }
            Some((id, removed))
        });
        match outcome {
            None | Some((_, Err(Refusal::NoLeader))) => return hang().await,
            Some((_, Ok(()))) => {
                return Ok(Reply::message(&wire::EtcdLeaveClusterResponse { messages: vec![wire::EtcdLeaveCluster::default()] }));
            }
            Some((_, Err(Refusal::Unhealthy))) => tokio::time::sleep(AGAIN).await,
            Some((id, Err(refusal))) => {
                return Err(Status::unknown(format!("failed to leave cluster: failed to remove member {id}: {refusal}")));
            }
        }
    }
    Err(Status::unknown("failed to leave cluster: 30 error(s) occurred: etcdserver: unhealthy cluster"))
}

async fn forfeit(call: &Call) -> Result<Reply, Status> {
    let outcome = call.host.shared.change(|world| {
        let (cluster, id) = world.local_etcd(&call.node)?;
        let up = world.up(cluster);
        let etcd = &mut world.clusters[cluster];
        if !etcd.has_quorum(&up) {
            return None;
        }
        if etcd.members.len() == 1 {
            return Some(Err(Status::unknown("failed to forfeit leadership: cannot forfeit leadership, only one member")));
        }
        Some(Ok(etcd.move_leader(id, &up).unwrap_or_default()))
    });
    match outcome {
        Some(Ok(member)) => {
            let message = wire::EtcdForfeitLeadership { metadata: None, member };
            Ok(Reply::message(&wire::EtcdForfeitLeadershipResponse { messages: vec![message] }))
        }
        Some(Err(status)) => Err(status),
        None => hang().await,
    }
}

fn version(call: &Call) -> Result<Reply, Status> {
    let tag = call.see(|machine| machine.disk.talos.clone())?;
    let version = wire::VersionInfo {
        tag,
        sha: "undefined".to_owned(),
        built: String::new(),
        go_version: "go1.23.12".to_owned(),
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
    };
    let message = wire::Version {
        metadata: None,
        version: Some(version),
        platform: Some(wire::PlatformInfo { name: "aws".to_owned(), mode: "cloud".to_owned() }),
        features: Some(wire::FeaturesInfo { rbac: true }),
    };
    Ok(Reply::message(&wire::VersionResponse { messages: vec![message] }))
}

fn service_list(call: &Call) -> Result<Reply, Status> {
    let services = call.see(|machine| {
        machine
            .services
            .iter()
            .map(|service| wire::ServiceInfo {
                id: service.id.to_owned(),
                state: service.state.to_owned(),
                events: Some(wire::ServiceEvents {
                    events: service
                        .events
                        .iter()
                        .map(|(state, msg, at)| wire::ServiceEvent {
                            msg: msg.clone(),
                            state: (*state).to_owned(),
                            ts: Some((*at).into()),
                        })
                        .collect(),
                }),
                health: Some(events::health(service)),
            })
            .collect()
    })?;
    Ok(Reply::message(&wire::ServiceListResponse { messages: vec![wire::ServiceList { metadata: None, services }] }))
}

/// Restarts, starts or stops a service, where Talos allows it.
fn service(call: &Call, method: &str) -> Result<Reply, Status> {
    let request: wire::ServiceRestartRequest = decode(call)?;
    let id = request.id;
    let (exists, up) = call.see(|machine| {
        let service = machine.service(&id);
        (service.is_some(), service.is_some_and(super::machine::Service::is_up))
    })?;
    if !exists {
        return Err(Status::unknown(format!("service {id:?} not defined")));
    }
    let resp = |done: &str| format!("Service {id:?} {done}");
    match method {
        "ServiceStart" => {
            let message = wire::ServiceStart { metadata: None, resp: resp("started") };
            Ok(Reply::message(&wire::ServiceStartResponse { messages: vec![message] }))
        }
        "ServiceStop" => Err(Status::unknown(format!("service {id:?} doesn't support stop operation via API"))),
        _ if !["kubelet", "cri", "udevd"].contains(&id.as_str()) => {
            Err(Status::unknown(format!("service {id:?} doesn't support restart operation via API")))
        }
        _ => {
            if up {
                restart(call, &id);
            }
            let message = wire::ServiceRestart { metadata: None, resp: resp("restarted") };
            Ok(Reply::message(&wire::ServiceRestartResponse { messages: vec![message] }))
        }
    }
}

fn restart(call: &Call, id: &str) {
    let known = ["kubelet", "cri", "udevd"].into_iter().find(|known| *known == id);
    let Some(id) = known else { return };
    call.host.shared.change(|world| {
        if let Some(machine) = world.booted(&call.node, call.boot) {
            machine.note_service(id, "Stopping", format!("Sending SIGTERM to task {id} (container {id})"));
            machine.note_service(id, "Finished", "Service finished successfully");
            machine.note_service(id, "Preparing", "Running pre state");
            machine.note_health(id, Health::Unknown);
        }
    });
    let (host, node, node_boot) = (Arc::clone(&call.host), call.node.clone(), call.boot);
    call.host.spawn(&call.node, async move {
        tokio::time::sleep(host.shared.timing.health).await;
        host.shared.change(|world| {
            if let Some(machine) = world.booted(&node, node_boot) {
                machine.note_service(id, "Running", format!("Started task {id} for container {id}"));
                machine.note_health(id, Health::Good);
            }
        });
    });
}

/// Files of a node that are read for what they say.
fn read(call: &Call) -> Result<Reply, Status> {
    let request: wire::ReadRequest = decode(call)?;
    let path = request.path;
    let content = call.see(|machine| match path.as_str() {
        "/proc/sys/kernel/random/boot_id" => Some(format!("{}\n", machine.boot_id)),
        "/proc/sys/kernel/ostype" => Some("Linux\n".to_owned()),
        "/etc/hostname" => Some(format!("{}\n", machine.hostname())),
        "/etc/kubernetes/kubeconfig-kubelet" => machine.config.as_ref().map(|config| {
            let (name, server) = (config.cluster_name(), config.endpoint().unwrap_or_default());
            format!("apiVersion: v1\nkind: Config\nclusters:\n- name: {name}\n  cluster:\n    server: {server}\n")
        }),
        "/etc/os-release" => Some(format!(
            "NAME=\"Talos\"\nID=talos\nVERSION_ID={0}\nPRETTY_NAME=\"Talos ({0})\"\nHOME_URL=\"https://www.talos.dev/\"\n\
             BUG_REPORT_URL=\"https://github.com/siderolabs/talos/issues\"\nVENDOR_NAME=\"Sidero Labs\"\n\
             VENDOR_URL=\"https://www.siderolabs.com/\"\n",
            machine.disk.talos
        )),
        _ => None,
    })?;
    let end = |status: Status| Ok(Reply::all::<Data>(&[], Some(status)));
    match content {
        Some(content) => Ok(Reply::all(&[Data { metadata: None, bytes: content.into_bytes() }], None)),
        None if ["/", "/etc", "/proc", "/sys", "/var"].contains(&path.as_str()) => {
            end(Status::unknown("path must be a regular file"))
        }
        None => end(Status::not_found(format!("stat {path}: no such file or directory"))),
    }
}

fn reboot(call: &Call, down: Down, reply: impl FnOnce(String) -> Reply) -> Result<Reply, Status> {
    let going = call.see(|machine| matches!(machine.stage, Stage::Rebooting | Stage::ShuttingDown | Stage::Resetting))?;
    if going {
        return Err(Status::failed_precondition("the node goes down already"));
    }
    let (host, node, node_boot) = (Arc::clone(&call.host), call.node.clone(), call.boot);
    call.host.spawn_lasting(&call.node, boot::go_down(host, node, node_boot, down));
    Ok(reply(uuid()))
}

/// Wipes the disk and goes down; gracefully, a member of etcd leaves first.
fn reset(call: &Call) -> Result<Reply, Status> {
    let request: wire::ResetRequest = decode(call)?;
    if request.mode() == wire::reset_request::WipeMode::SystemDisk && !request.user_disks_to_wipe.is_empty() {
        return Err(Status::unknown(
            "reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support UserDisksToWipe parameter",
        ));
    }
    let down = if request.reboot { Down::Reboot } else { Down::Off };
    let wipes = request.mode() != wire::reset_request::WipeMode::UserDisks;
    call.host.shared.change(|world| {
        if request.graceful
            && let Some((cluster, id)) = world.local_etcd(&call.node)
        {
            let up = world.up(cluster);
            let _ = world.clusters[cluster].remove(id, &up);
        }
        if let Some(machine) = world.booted(&call.node, call.boot).filter(|_| wipes) {
            machine.disk.config = None;
            machine.disk.etcd = None;
        }
        world.stage(&call.node, Stage::Resetting);
    });
    let (host, node, node_boot) = (Arc::clone(&call.host), call.node.clone(), call.boot);
    call.host.spawn_lasting(&call.node, boot::go_down(host, node, node_boot, down));
    let message = wire::Reset { metadata: None, actor_id: uuid() };
    Ok(Reply::message(&wire::ResetResponse { messages: vec![message] }))
}

fn logs(call: &Call) -> Result<Reply, Status> {
    let request: wire::LogsRequest = decode(call)?;
    let end = |status: Status| Ok(Reply::all::<Data>(&[], Some(status)));
    if request.namespace == "k8s.io" {
        return end(Status::unknown(format!("container {:?} not found", request.id)));
    }
    let lines = call.see(|machine| {
        machine
            .service(&request.id)
            .map(|service| service.events.iter().map(|event| format!("{}\n", event.1)).collect::<Vec<_>>())
    })?;
    match lines {
        Some(lines) => Ok(Reply::all(&[Data { metadata: None, bytes: lines.concat().into_bytes() }], None)),
        None => end(Status::unknown(format!("log {:?} was not registered", request.id))),
    }
}

fn image_pull(request: &wire::ImagePullRequest) -> Result<Reply, Status> {
    let name = &request.reference;
    if name.contains(' ') {
        return Err(Status::unknown(format!("failed to parse image reference {name:?}: invalid reference format")));
    }
    if name.contains("nonsense") {
        return Err(Status::not_found(format!(
            "error pulling image: 1 error(s) occurred:\n\tfailed to pull image {name:?}: failed to resolve reference {name:?}: {name}: \
             not found"
        )));
    }
    Ok(Reply::message(&wire::ImagePullResponse { messages: vec![wire::ImagePull::default()] }))
}

fn image_list(request: wire::ImageListRequest) -> Reply {
    let end = (request.namespace == 0).then(|| Status::new(Code::InvalidArgument, "invalid namespace NS_UNKNOWN"));
    Reply::all::<wire::ImageListResponse>(&[], end)
}
