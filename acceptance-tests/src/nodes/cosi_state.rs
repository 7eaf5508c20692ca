//! COSI's state service: reading a node's resources.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use prost::Message;
use proto::cosi::resource::{
    Event, EventType, GetRequest, GetResponse, ListRequest, ListResponse, Metadata, Resource, Spec, WatchRequest, WatchResponse,
};
use tonic::Status;

use super::api::Call;
use super::grpc::Reply;
use super::resource_types::{NAMESPACES, is_sensitive, known_name};

/// Methods of the service.
pub(super) const METHODS: &[&str] = &["Get", "List", "Create", "Update", "Destroy", "Watch"];

/// Namespace, type and id of a request.
pub(super) fn asked_for(message: &Bytes) -> Option<(String, String, String)> {
    // The first three fields of all that reads are the same.
    let request = GetRequest::decode(message.clone()).ok()?;
    Some((request.namespace, request.r#type, request.id))
}

fn decode<M: Message + Default>(message: &Bytes) -> Result<M, Status> {
    M::decode(message.clone()).map_err(|error| Status::internal(format!("grpc: error unmarshalling request: {error}")))
}

/// Whether the caller may read this.
fn check(call: &Call, namespace: &str, kind: &str) -> Result<(), Status> {
    match is_sensitive(kind) {
        None => return Err(Status::permission_denied(format!("resource type {kind:?} is not supported"))),
        Some(true) if !call.roles.admin => return Err(Status::permission_denied("not authorized")),
        Some(_) => {}
    }
    if !NAMESPACES.contains(&namespace) {
        return Err(Status::permission_denied(format!("namespace {namespace:?} is not supported")));
    }
    Ok(())
}

/// Answers a call of this service.
pub(super) fn answer(call: &Call, method: &str) -> Result<Reply, Status> {
    match method {
        "Get" => get(call),
        "List" => list(call),
        "Watch" => watch(call),
        "Update" => Err(Status::internal("runtime error: invalid memory address or nil pointer dereference")),
        _ => Err(Status::permission_denied("write access is not allowed")),
    }
}

fn get(call: &Call) -> Result<Reply, Status> {
    let request: GetRequest = decode(&call.message)?;
    check(call, &request.namespace, &request.r#type)?;
    if request.namespace == "meta"
        && let Some(definition) = definition(&request)
    {
        return Ok(Reply::message(&GetResponse { resource: Some(definition) }));
    }
    let world = call.host.shared.look();
    let found = world
        .machines
        .get(&call.node)
        .and_then(|machine| machine.resources.read(&request.namespace, &request.r#type, &request.id));
    match found {
        Some(resource) => Ok(Reply::message(&GetResponse { resource: Some(resource) })),
        None => Err(Status::not_found(format!(
            "resource {}({}/{}@undefined) doesn't exist",
            request.r#type, request.namespace, request.id
        ))),
    }
}

/// What a node says of a type.
fn definition(request: &GetRequest) -> Option<Resource> {
    let name = known_name(&request.id).filter(|_| request.r#type == "ResourceDefinitions.meta.cosi.dev")?;
    let sensitive = is_sensitive(name).unwrap_or_default();
    let mut yaml = format!("type: {name}\n");
    if sensitive {
        yaml.push_str("sensitivity: sensitive\n");
    }
    let mut resource = nothing("meta", &request.r#type, &request.id);
    if let Some(metadata) = &mut resource.metadata {
        "1".clone_into(&mut metadata.version);
        "meta".clone_into(&mut metadata.owner);
    }
    resource.spec = Some(Spec { proto_spec: Vec::new(), yaml_spec: yaml });
    Some(resource)
}

fn list(call: &Call) -> Result<Reply, Status> {
    let request: ListRequest = decode(&call.message)?;
    check(call, &request.namespace, &request.r#type)?;
    let world = call.host.shared.look();
    let found = world.machines.get(&call.node).map(|machine| machine.resources.list(&request.namespace, &request.r#type));
    let messages: Vec<ListResponse> =
        found.unwrap_or_default().into_iter().map(|resource| ListResponse { resource: Some(resource) }).collect();
    Ok(Reply::all(&messages, None))
}

fn is_of(event: &Event, namespace: &str, kind: &str, id: Option<&str>) -> bool {
    let metadata = event.resource.as_ref().and_then(|resource| resource.metadata.as_ref());
    metadata.is_some_and(|metadata| {
        metadata.namespace == namespace && metadata.r#type == kind && id.is_none_or(|id| metadata.id == id)
    })
}

fn event(kind: EventType, resource: Resource) -> Event {
    Event { resource: Some(resource), event_type: kind.into(), old: None, error: None, bookmark: None }
}

/// A resource that only says which type it would be.
fn nothing(namespace: &str, kind: &str, id: &str) -> Resource {
    Resource {
        metadata: Some(Metadata {
            namespace: namespace.to_owned(),
            r#type: kind.to_owned(),
            id: id.to_owned(),
            version: "undefined".to_owned(),
            phase: "running".to_owned(),
            ..Metadata::default()
        }),
        spec: Some(Spec::default()),
    }
}

fn watch(call: &Call) -> Result<Reply, Status> {
    let request: WatchRequest = decode(&call.message)?;
    check(call, &request.namespace, &request.r#type)?;
    let options = request.options.clone().unwrap_or_default();
    let shared = Arc::clone(&call.host.shared);
    // The first answer is empty: it says that the watch is on.
    let mut first = vec![WatchResponse::default()];
    let changes = shared.changes.subscribe();
    let seen = {
        let world = shared.look();
        let Some(machine) = world.machines.get(&call.node) else { return Err(Status::unavailable("the node is gone")) };
        let resources = &machine.resources;
        let (namespace, kind) = (request.namespace.as_str(), request.r#type.as_str());
        let mut events = Vec::new();
        if options.tail_events > 0 {
            let past: Vec<&Event> =
                resources.events.iter().filter(|event| is_of(event, namespace, kind, request.id.as_deref())).collect();
            let from = past.len().saturating_sub(usize::try_from(options.tail_events).unwrap_or(0));
            events.extend(past[from..].iter().map(|event| (*event).clone()));
        } else if let Some(id) = &request.id {
            events.push(match resources.read(namespace, kind, id) {
                Some(resource) => event(EventType::Created, resource),
                None => event(EventType::Destroyed, nothing(namespace, kind, id)),
            });
        } else if options.bootstrap_contents {
            events.extend(resources.list(namespace, kind).into_iter().map(|resource| event(EventType::Created, resource)));
            if request.api_version >= 1 {
                events.push(event(EventType::Bootstrapped, nothing(namespace, kind, "")));
            }
        }
        if options.aggregated && !events.is_empty() {
            first.push(WatchResponse { event: events });
        } else {
            first.extend(events.into_iter().map(|event| WatchResponse { event: vec![event] }));
        }
        resources.events.len()
    };
    let begun: Vec<Result<Bytes, Status>> = first.iter().map(|message| Ok(message.encode_to_vec().into())).collect();
    let node = call.node.clone();
    let boot = call.boot;
    let later = stream::unfold((changes, seen), move |(mut changes, mut seen)| {
        let (shared, node, request) = (Arc::clone(&shared), node.clone(), request.clone());
        async move {
            loop {
                let fresh: Vec<Event> = {
                    let world = shared.look();
                    let machine = world.machines.get(&node).filter(|machine| machine.boot == boot)?;
                    let events = &machine.resources.events;
                    let fresh = events[seen.min(events.len())..]
                        .iter()
                        .filter(|event| is_of(event, &request.namespace, &request.r#type, request.id.as_deref()))
                        .cloned()
                        .collect();
                    seen = events.len();
                    fresh
                };
                if !fresh.is_empty() {
                    let messages: Vec<Result<Bytes, Status>> =
                        fresh.into_iter().map(|event| Ok(WatchResponse { event: vec![event] }.encode_to_vec().into())).collect();
                    return Some((stream::iter(messages), (changes, seen)));
                }
                changes.changed().await.ok()?;
            }
        }
    })
    .flatten();
    Ok(Reply::Many(stream::iter(begun).chain(later).boxed()))
}
