//! apid: takes a call, sees whom it is for, and has that node answer it.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use proto::talos::common::Metadata;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::access::{self, Roles};
use super::grpc::{self, Body, Reply};
use super::host::Host;
use super::{cosi_state, machine_service, maintenance, other_services};
use crate::ledger::{Answer, Fault, Plane};

/// Who calls, on which connection.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) maintenance: bool,
    /// Organisations of the certificate.
    pub(super) organizations: Arc<Vec<String>>,
    /// Cuts the connection.
    pub(super) cut: CancellationToken,
}

/// A call as a node gets it.
pub(super) struct Call {
    pub(super) host: Arc<Host>,
    /// The node that answers.
    pub(super) node: String,
    pub(super) boot: u64,
    pub(super) path: String,
    pub(super) message: Bytes,
    pub(super) roles: Roles,
}

impl Call {
    /// Version of the node that answers.
    pub(super) fn talos(&self) -> String {
        let world = self.host.shared.look();
        world.machines.get(&self.node).map(|machine| machine.disk.talos.clone()).unwrap_or_default()
    }
}

/// Serves one call.
pub(super) async fn serve(host: Arc<Host>, endpoint: String, caller: Caller, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = match Limited::new(body, grpc::MESSAGE_LIMIT + 5).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return grpc::response(Err(Status::resource_exhausted(error.to_string()))),
    };
    let message = match grpc::message(&body) {
        Ok(message) => message,
        Err(status) => return grpc::response(Err(status)),
    };
    let plan = route(&host, &endpoint, &caller, &path, &parts.headers);
    let answering = match &plan {
        Ok(Route::One(Target { node: Some((node, _)), .. })) => node.clone(),
        _ => endpoint.clone(),
    };
    let method = path.rsplit('/').next().unwrap_or_default().to_owned();
    let ticket = host.shared.ledger.begin(Plane::Talos, answering, method, detail(&path, &message, &plan));
    let outcome = match ticket.fault().await {
        Some(fault) => Err(status_of(&fault)),
        None => match plan {
            Ok(plan) => carry_out(&host, &caller, &path, &message, plan).await,
            Err(status) => Err(status),
        },
    };
    match &outcome {
        Ok(_) => ticket.ok(),
        Err(status) => ticket.failed(grpc::code_name(status.code())),
    }
    if ticket.answer().await == Answer::Lose {
        caller.cut.cancel();
        std::future::pending::<()>().await;
    }
    grpc::response(outcome)
}

fn status_of(fault: &Fault) -> Status {
    match fault {
        Fault::Throttle => Status::resource_exhausted("too many requests"),
        Fault::ServerError => Status::unavailable("the node does not answer now"),
        Fault::Refuse { code, message } => {
            let named = (0..=16).map(Code::from).find(|known| grpc::code_name(*known) == *code);
            Status::new(named.unwrap_or(Code::Unknown), message.clone())
        }
    }
}

/// A node that was asked for.
struct Target {
    /// As the caller wrote it.
    name: String,
    /// Who it is, in which boot; `None` if nobody listens there.
    node: Option<(String, u64)>,
    /// Why not, if so.
    unreachable: Option<Status>,
}

enum Route {
    One(Target),
    /// Answers come in one message, or mixed in one stream.
    Many(Vec<Target>),
}

/// Reads the metadata `node` and `nodes` (`apid/pkg/director` of Talos).
fn route(host: &Host, endpoint: &str, caller: &Caller, path: &str, headers: &HeaderMap) -> Result<Route, Status> {
    let world = host.shared.look();
    let Some(machine) = world.machines.get(endpoint) else { return Err(Status::unavailable("the node is gone")) };
    let local = |name: &str| Target { name: name.to_owned(), node: Some((endpoint.to_owned(), machine.boot)), unreachable: None };
    if caller.maintenance || headers.contains_key("proxyfrom") {
        return Ok(Route::One(local("")));
    }
    let values = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let (mut node, mut nodes) = (values("node"), values("nodes"));
    if node.len() > 1 {
        return Err(Status::invalid_argument("node metadata must be single-valued"));
    }
    let forwards = machine.is_control_plane();
    let is_local = |name: &String| {
        name.parse::<IpAddr>()
            .is_ok_and(|address| world.machine_at(address).is_some_and(|at| at.instance.instance_id == endpoint))
            || *name == machine.hostname()
    };
    if !forwards {
        if node.first().is_some_and(is_local) {
            node.clear();
        }
        if nodes.len() == 1 && nodes.first().is_some_and(is_local) {
            nodes.clear();
        }
    }
    if node.is_empty() && nodes.is_empty() {
        return Ok(Route::One(local("")));
    }
    if !nodes.is_empty() && path.starts_with("/cosi.") {
        return Err(Status::invalid_argument("one-2-many proxying is not supported for COSI methods"));
    }
    if !forwards {
        return Err(Status::permission_denied("no request forwarding"));
    }
    let key = machine.config.as_ref().map(super::MachineConfig::cluster_key).unwrap_or_default();
    let find = |name: &String| -> Target {
        let refused =
            |message: String| Target { name: name.clone(), node: None, unreachable: Some(Status::unavailable(message)) };
        let found = if let Ok(address) = name.parse::<IpAddr>() {
            world.machine_at(address)
        } else {
            let by_name = world.peers(&key).find(|peer| peer.hostname() == *name || peer.instance.private_dns_name == *name);
            if by_name.is_none() {
                return refused("name resolver error: produced zero addresses".to_owned());
            }
            by_name
        };
        let dial = |why: &str| {
            refused(format!("connection error: desc = \"transport: Error while dialing: dial tcp {name}:50000: {why}\""))
        };
        match found {
            None => dial("connect: connection refused"),
            Some(machine) if machine.off => dial("i/o timeout"),
            Some(machine) if machine.api.as_ref().is_none_or(|api| api.maintenance) => dial("connect: connection refused"),
            Some(machine) if machine.config.as_ref().map(super::MachineConfig::cluster_key).as_deref() != Some(key.as_str()) => refused(
                "connection error: desc = \"transport: authentication handshake failed: tls: failed to verify certificate: x509: \
                 certificate signed by unknown authority\""
                    .to_owned(),
            ),
            Some(machine) => Target {
                name: name.clone(),
                node: Some((machine.instance.instance_id.clone(), machine.boot)),
                unreachable: None,
            },
        }
    };
    if nodes.is_empty() {
        let name = node.swap_remove(0);
        if name.is_empty() {
            return Err(Status::internal("invalid target \"\""));
        }
        return Ok(Route::One(find(&name)));
    }
    Ok(Route::Many(nodes.iter().map(find).collect()))
}

async fn carry_out(host: &Arc<Host>, caller: &Caller, path: &str, message: &Bytes, route: Route) -> Result<Reply, Status> {
    let ask = |target: &Target| {
        let node = target.node.clone();
        let unreachable = target.unreachable.clone();
        let (host, path, message) = (Arc::clone(host), path.to_owned(), message.clone());
        let maintenance = caller.maintenance;
        let organizations = Arc::clone(&caller.organizations);
        async move {
            let Some((node, boot)) = node else {
                return Err(unreachable.unwrap_or_else(|| Status::unavailable("the node does not answer")));
            };
            let roles = if maintenance { Roles::maintenance() } else { Roles::of(&organizations) };
            let call = Call { host, node, boot, path, message, roles };
            if maintenance { maintenance::answer(call).await } else { answer(call).await }
        }
    };
    match route {
        Route::One(target) => ask(&target).await,
        Route::Many(targets) => {
            let streams = is_stream(path);
            let answers = futures_util::future::join_all(targets.iter().map(ask)).await;
            let mut unary = Vec::new();
            let mut mixed = Vec::new();
            for (target, outcome) in targets.into_iter().zip(answers) {
                let metadata = Metadata { hostname: target.name.clone(), error: String::new(), status: None };
                match outcome {
                    Err(status) if streams => {
                        mixed.push(stream::iter([Ok(grpc::failure_inside(&target.name, &status, false))]).boxed());
                    }
                    Err(status) => unary.extend_from_slice(&grpc::failure_inside(&target.name, &status, true)),
                    Ok(Reply::One(message)) => unary.extend_from_slice(&grpc::with_metadata(&message, true, &metadata)),
                    Ok(Reply::Many(messages)) => mixed.push(
                        messages
                            .map(move |message| match message {
                                Ok(message) => Ok(grpc::with_metadata(&message, false, &metadata)),
                                Err(status) => Ok(grpc::failure_inside(&metadata.hostname, &status, false)),
                            })
                            .boxed(),
                    ),
                }
            }
            Ok(if streams { Reply::Many(stream::select_all(mixed).boxed()) } else { Reply::One(unary.into()) })
        }
    }
}

/// Whether a method answers with a stream.
fn is_stream(path: &str) -> bool {
    matches!(
        path.rsplit('/').next().unwrap_or_default(),
        "Copy"
            | "Dmesg"
            | "Events"
            | "EtcdSnapshot"
            | "Kubeconfig"
            | "List"
            | "DiskUsage"
            | "Logs"
            | "Read"
            | "PacketCapture"
            | "ImageList"
            | "HealthCheck"
            | "Watch"
    )
}

/// The services of a configured node.
async fn answer(call: Call) -> Result<Reply, Status> {
    let Some((service, method)) = call.path.trim_start_matches('/').split_once('/') else {
        return Err(Status::unimplemented(format!("malformed method name: {:?}", call.path)));
    };
    let (service, method) = (service.to_owned(), method.to_owned());
    let known = match service.as_str() {
        "machine.MachineService" => machine_service::METHODS.contains(&method.as_str()),
        "cosi.resource.State" => cosi_state::METHODS.contains(&method.as_str()),
        "storage.StorageService" => method == "Disks",
        "time.TimeService" => ["Time", "TimeCheck"].contains(&method.as_str()),
        "cluster.ClusterService" => method == "HealthCheck",
        "inspect.InspectService" => method == "ControllerRuntimeDependencies",
        _ => return Err(Status::unimplemented(format!("unknown service {service}"))),
    };
    if !known {
        return Err(Status::unimplemented(format!("unknown method {method} for service {service}")));
    }
    if !access::allows(call.roles, &call.path, &call.talos()) {
        return Err(Status::permission_denied("not authorized"));
    }
    match service.as_str() {
        "machine.MachineService" => machine_service::answer(call, &method).await,
        "cosi.resource.State" => cosi_state::answer(&call, &method),
        _ => other_services::answer(&call, &service, &method),
    }
}

/// What the ledger shows of a call: no contents of configs.
fn detail(path: &str, message: &Bytes, plan: &Result<Route, Status>) -> Value {
    let mut detail = json!({});
    let mut note = |key: &str, value: Value| {
        detail[key] = value;
    };
    match plan {
        Ok(Route::One(target)) if !target.name.is_empty() => note("node", target.name.as_str().into()),
        Ok(Route::Many(targets)) => note("nodes", targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().into()),
        _ => {}
    }
    if path.starts_with("/cosi.") {
        if let Some((namespace, kind, id)) = cosi_state::asked_for(message) {
            note("resource", format!("{namespace}/{kind}/{id}").into());
        }
    } else if path.ends_with("/ApplyConfiguration")
        && let Ok(request) = <proto::talos::machine::ApplyConfigurationRequest as prost::Message>::decode(message.clone())
    {
        note("mode", request.mode().as_str_name().into());
        note("dry_run", request.dry_run.into());
        note("bytes", request.data.len().into());
    } else if path.ends_with("/Read")
        && let Ok(request) = <proto::talos::machine::ReadRequest as prost::Message>::decode(message.clone())
    {
        note("path", request.path.into());
    }
    detail
}
