//! apid and machined: who may call, where a call goes, what it does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use proto::talos::common::Data;
use proto::talos::machine as wire;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::config::Role;
use super::grpc::{self, Answered, Call};
use super::life::{Node, detail};
use super::{apply, cosi, etcd, roles, tls};
use crate::ledger::{Answer, Fault, Plane};

/// What calls that wait for etcd wait at most; callers give up before.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes connections until the boot ends.
pub(super) async fn accept(
    node: Arc<Node>,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    boot: CancellationToken,
    power: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let stream = tokio::select! {
            () = boot.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = stream else { continue };
        let connection = connection(Arc::clone(&node), stream, acceptor.clone());
        let (boot, power) = (boot.clone(), power.clone());
        tokio::spawn(async move {
            let mut connection = Box::pin(connection);
            tokio::select! {
                () = &mut connection => return,
                () = boot.cancelled() => {}
            }
            // A machine that went down says nothing any more, and nothing closes its connections either.
            tokio::select! {
                () = power.cancelled() => {}
                () = tokio::time::sleep(PATIENCE) => {}
            }
            drop(connection);
        });
    }
}

async fn connection(node: Arc<Node>, stream: TcpStream, acceptor: TlsAcceptor) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first().cloned());
    let caller = Arc::new(tls::roles(certificate.as_ref()));
    let service = service_fn(move |request| {
        let (node, caller) = (Arc::clone(&node), Arc::clone(&caller));
        async move { answer(&node, &caller, grpc::receive(request).await?).await }
    });
    // How a connection ends is the caller's business.
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// One call, through the ledger. `Err` cuts the stream instead of answering.
async fn answer(
    node: &Arc<Node>,
    caller: &[String],
    call: Call,
) -> io::Result<http::Response<impl hyper::body::Body<Data = bytes::Bytes, Error = std::convert::Infallible> + use<>>> {
    let ticket = node.world.ledger.begin(Plane::Talos, call.service.clone(), call.method.clone(), detail(node));
    let answered = match ticket.fault().await {
        Some(Fault::Throttle) => Err(Status::resource_exhausted("too many requests")),
        Some(Fault::ServerError) => Err(Status::unavailable("injected")),
        Some(Fault::Refuse { message, .. }) => Err(Status::failed_precondition(message)),
        None => route(node, caller, &call).await,
    };
    match &answered {
        Ok(_) => ticket.ok(),
        Err(status) => ticket.failed(format!("{:?}", status.code())),
    }
    match ticket.answer().await {
        Answer::Send => Ok(grpc::respond(answered)),
        Answer::Lose => Err(io::Error::other("the answer is lost")),
    }
}

/// apid's part: the metadata `node` and `nodes`.
async fn route(node: &Arc<Node>, caller: &[String], call: &Call) -> Answered {
    let values = |name: &str| -> Vec<String> {
        call.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    };
    let (one, many) = (values("node"), values("nodes"));
    if !many.is_empty() {
        if call.service == "cosi.resource.State" {
            return Err(Status::invalid_argument("one-2-many proxying is not supported for COSI methods"));
        }
        return Err(Status::unimplemented("the sandbox's nodes do not forward to several nodes"));
    }
    match one.as_slice() {
        [] => local(node, caller, call).await,
        [target] => {
            let own = tls::address(target).is_some_and(|address| node.addresses().contains(&address));
            if own {
                return local(node, caller, call).await;
            }
            if node.config().is_none_or(|config| config.role == Role::Worker) {
                return Err(Status::permission_denied("no request forwarding"));
            }
            let other = node.world.shared().nodes.values().find(|other| {
                tls::address(target).is_some_and(|address| other.addresses().contains(&address))
            }).cloned();
            match other.filter(|other| other.state().stage == "running") {
                Some(other) => Box::pin(local(&other, caller, call)).await,
                None => Err(Status::unavailable(format!("connection error: desc = \"transport: Error while dialing: dial tcp {target}:50000\""))),
            }
        }
        _ => Err(Status::invalid_argument("node metadata must be single-valued")),
    }
}

fn one<M: prost::Message>(message: &M) -> Answered {
    Ok(vec![message.encode_to_vec()])
}

/// machined's part.
async fn local(node: &Arc<Node>, caller: &[String], call: &Call) -> Answered {
    if !roles::grant(caller, roles::of(&call.service, &call.method)) {
        return Err(Status::permission_denied("not authorized"));
    }
    match (call.service.as_str(), call.method.as_str()) {
        ("cosi.resource.State", "Get") => one(&cosi::get(node, &call.message, caller)?),
        ("cosi.resource.State", "List") => {
            Ok(cosi::list(node, &call.message, caller)?.iter().map(prost::Message::encode_to_vec).collect())
        }
        ("machine.MachineService", method) => machine(node, method, &call.message).await,
        (service, method) => Err(not_played(service, method)),
    }
}

fn not_played(service: &str, method: &str) -> Status {
    Status::unimplemented(format!("the sandbox's nodes do not play {service}/{method}"))
}

async fn machine(node: &Arc<Node>, method: &str, message: &[u8]) -> Answered {
    match method {
        "Version" => one(&version(node)),
        "Hostname" => one(&wire::HostnameResponse {
            messages: vec![wire::Hostname { metadata: None, hostname: node.name().to_owned() }],
        }),
        "ServiceList" => one(&services(node)),
        "ApplyConfiguration" => one(&apply::apply(node, message)?),
        "Reboot" => {
            node.state().reboot_ordered = true;
            node.ask();
            one(&wire::RebootResponse { messages: vec![wire::Reboot::default()] })
        }
        "Read" => {
            let request = wire::ReadRequest::decode(message).map_err(|error| Status::internal(error.to_string()))?;
            if request.path != "/proc/sys/kernel/random/boot_id" {
                return Err(Status::not_found(format!("stat {}: no such file or directory", request.path)));
            }
            let bytes = format!("{}\n", node.state().boot_id).into_bytes();
            one(&Data { metadata: None, bytes })
        }
        "Bootstrap" => bootstrap(node),
        "EtcdMemberList" | "EtcdStatus" | "EtcdForfeitLeadership" | "EtcdLeaveCluster" | "EtcdRemoveMemberByID" => {
            etcd_call(node, method, message).await
        }
        known if KNOWN.contains(&known) => Err(not_played("machine.MachineService", known)),
        unknown => Err(Status::unimplemented(format!("unknown method {unknown} for service machine.MachineService"))),
    }
}

/// Methods that Talos has and that are not played.
const KNOWN: &[&str] = &[
    "Containers", "Copy", "CPUInfo", "DiskStats", "Dmesg", "Events", "EtcdRecover", "EtcdSnapshot", "EtcdAlarmList", "EtcdAlarmDisarm",
    "EtcdDefragment", "GenerateConfiguration", "Kubeconfig", "List", "DiskUsage", "LoadAvg", "Logs", "LogsContainers", "Memory",
    "Mounts", "NetworkDeviceStats", "Processes", "Restart", "Rollback", "Reset", "ServiceRestart", "ServiceStart", "ServiceStop",
    "Shutdown", "Stats", "SystemStat", "Upgrade", "GenerateClientConfiguration", "PacketCapture", "Netstat", "MetaWrite", "MetaDelete",
    "ImageList", "ImagePull",
];

fn version(node: &Node) -> wire::VersionResponse {
    let tag = node.instance().talos_version.clone().unwrap_or_else(|| "v1.13.9".to_owned());
    let arch = if node.instance().image_name.ends_with("arm64") { "arm64" } else { "amd64" };
    wire::VersionResponse {
        messages: vec![wire::Version {
            version: Some(wire::VersionInfo { tag, arch: arch.to_owned(), os: "linux".to_owned(), ..Default::default() }),
            platform: Some(wire::PlatformInfo { name: "aws".to_owned(), mode: "cloud".to_owned(), ..Default::default() }),
            ..Default::default()
        }],
    }
}

fn services(node: &Node) -> wire::ServiceListResponse {
    let (etcd_up, kubelet_up) = {
        let state = node.state();
        (state.etcd_up, state.kubelet_up)
    };
    let control_plane = node.config().is_some_and(|config| config.role == Role::ControlPlane);
    let service = |id: &str, up: bool| wire::ServiceInfo {
        id: id.to_owned(),
        state: if up { "Running" } else { "Waiting" }.to_owned(),
        health: Some(wire::ServiceHealth { unknown: !up, healthy: up, ..Default::default() }),
        ..Default::default()
    };
    let mut services: Vec<wire::ServiceInfo> =
        ["apid", "containerd", "cri"].into_iter().map(|id| service(id, true)).collect();
    if control_plane {
        services.push(service("etcd", etcd_up));
    }
    services.push(service("kubelet", kubelet_up));
    services.push(service("machined", true));
    if control_plane {
        services.push(service("trustd", true));
    }
    services.push(service("udevd", true));
    wire::ServiceListResponse { messages: vec![wire::ServiceList { metadata: None, services }] }
}

fn bootstrap(node: &Arc<Node>) -> Answered {
    if node.config().is_none_or(|config| config.role != Role::ControlPlane) {
        return Err(Status::failed_precondition("bootstrap can only be performed on a control plane node"));
    }
    {
        let mut state = node.state();
        if state.member.is_some() {
            return Err(Status::already_exists("etcd data directory is not empty"));
        }
        if state.stage != "running" {
            return Err(Status::failed_precondition("bootstrap is not available yet"));
        }
        state.bootstrap_asked = true;
        state.left = false;
    }
    node.ask();
    one(&wire::BootstrapResponse { messages: vec![wire::Bootstrap::default()] })
}

async fn etcd_call(node: &Arc<Node>, method: &str, message: &[u8]) -> Answered {
    if node.config().is_none_or(|config| config.role != Role::ControlPlane) {
        let what = match method {
            "EtcdMemberList" => "member list",
            "EtcdStatus" => "etcd status",
            "EtcdForfeitLeadership" => "etcd forfeit leadership",
            "EtcdLeaveCluster" => "etcd leave",
            _ => "etcd remove member",
        };
        return Err(Status::unimplemented(format!("{what} is only available on control plane nodes")));
    }
    let id = own_member(node).await?;
    match method {
        "EtcdMemberList" => members(node, id),
        "EtcdStatus" => status(node, id),
        "EtcdForfeitLeadership" => {
            let member = node
                .world
                .shared()
                .etcds
                .forfeit(id)
                .map_err(|why| Status::unknown(format!("failed to forfeit leadership: {why}")))?
                .unwrap_or_default();
            node.world.changed();
            one(&wire::EtcdForfeitLeadershipResponse { messages: vec![wire::EtcdForfeitLeadership { metadata: None, member }] })
        }
        "EtcdLeaveCluster" => {
            let alone = node.world.shared().etcds.of(id).is_none_or(|etcd| etcd.members.len() == 1);
            if alone {
                return Err(Status::unknown("failed to leave cluster: cannot leave, only one member"));
            }
            remove(node, id, id)?;
            let mut state = node.state();
            state.member = None;
            state.etcd_up = false;
            state.left = true;
            drop(state);
            node.world.changed();
            one(&wire::EtcdLeaveClusterResponse { messages: vec![wire::EtcdLeaveCluster::default()] })
        }
        _ => {
            let request = wire::EtcdRemoveMemberByIdRequest::decode(message).map_err(|error| Status::internal(error.to_string()))?;
            remove(node, id, request.member_id)?;
            node.world.changed();
            one(&wire::EtcdRemoveMemberByIdResponse { messages: vec![wire::EtcdRemoveMemberById::default()] })
        }
    }
}

fn remove(node: &Node, through: u64, gone: u64) -> Result<(), Status> {
    node.world.shared().etcds.remove(through, gone).map_err(|why| {
        let message = format!("failed to remove member {gone}: {why}");
        if why == etcd::NOT_FOUND { Status::not_found(message) } else { Status::unavailable(message) }
    })
}

/// The node's own member once its etcd runs. Until then a call hangs, as on real nodes.
async fn own_member(node: &Node) -> Result<u64, Status> {
    let mut changes = node.world.changes.subscribe();
    let waiting = async {
        loop {
            changes.borrow_and_update();
            let member = {
                let state = node.state();
                state.member.filter(|_| state.etcd_up)
            };
            if let Some(id) = member {
                return id;
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.map_err(|_| Status::deadline_exceeded("context deadline exceeded"))
}

fn members(node: &Node, id: u64) -> Answered {
    let shared = node.world.shared();
    let etcd = shared.etcds.of(id).ok_or_else(|| Status::unavailable("etcdserver: no leader"))?;
    let members: Vec<wire::EtcdMember> = etcd
        .members
        .iter()
        .map(|member| wire::EtcdMember {
            id: member.id,
            hostname: member.name.clone(),
            peer_urls: vec![format!("https://{}:2380", member.address)],
            client_urls: if member.name.is_empty() { Vec::new() } else { vec![format!("https://{}:2379", member.address)] },
            is_learner: member.learner,
        })
        .collect();
    let legacy_members = members.iter().map(|member| member.hostname.clone()).collect();
    one(&wire::EtcdMemberListResponse { messages: vec![wire::EtcdMembers { metadata: None, legacy_members, members }] })
}

fn status(node: &Node, id: u64) -> Answered {
    let shared = node.world.shared();
    let etcd = shared.etcds.of(id).ok_or_else(|| Status::unavailable("etcdserver: no leader"))?;
    let learner = etcd.member(id).is_some_and(|member| member.learner);
    let errors = if etcd.leader.is_none() { vec!["etcdserver: no leader".to_owned()] } else { Vec::new() };
    one(&wire::EtcdStatusResponse {
        messages: vec![wire::EtcdStatus {
            metadata: None,
            member_status: Some(wire::EtcdMemberStatus {
                protocol_version: "3.6.5".to_owned(),
                leader: etcd.leader.unwrap_or_default(),
                raft_term: etcd.term,
                raft_index: 100,
                raft_applied_index: 100,
                errors,
                is_learner: learner,
                member_id: id,
                ..Default::default()
            }),
        }],
    })
}
