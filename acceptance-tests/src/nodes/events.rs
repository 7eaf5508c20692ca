//! A node's event stream.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use prost::Message;
use proto::talos::machine::machine_status_event::MachineStatus;
use proto::talos::machine::machine_status_event::machine_status::UnmetCondition;
use proto::talos::machine::{Event, EventsRequest, MachineStatusEvent, ServiceHealth, ServiceStateEvent, service_state_event};
use tonic::Status;

use super::api::Call;
use super::grpc::Reply;
use super::machine::{Health, Machine, Service};

/// As Talos makes ids of events: twenty digits of base 32.
fn id() -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let bytes: [u8; 20] = rand::random();
    bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
}

fn event(name: &str, payload: &impl Message) -> Bytes {
    let data = prost_types::Any { type_url: format!("talos/runtime/machine.{name}"), value: payload.encode_to_vec() };
    Event { metadata: None, data: Some(data), id: id(), actor_id: String::new() }.encode_to_vec().into()
}

/// Health for the wire.
pub(super) fn health(service: &Service) -> ServiceHealth {
    let since = (service.health_since != std::time::SystemTime::UNIX_EPOCH).then(|| service.health_since.into());
    // Go's zero time.
    let last_change = Some(since.unwrap_or(prost_types::Timestamp { seconds: -62_135_596_800, nanos: 0 }));
    let last_message = match &service.health {
        Health::Bad(message) => message.clone(),
        _ => String::new(),
    };
    ServiceHealth {
        unknown: service.health == Health::Unknown,
        healthy: service.health == Health::Good,
        last_message,
        last_change,
    }
}

impl Machine {
    /// Notes that a service changed.
    pub(super) fn note_service_event(&mut self, id: &str) {
        use service_state_event::Action;
        let Some(service) = self.service(id) else { return };
        let action = match service.state {
            "Preparing" => Action::Preparing,
            "Waiting" => Action::Waiting,
            "Running" => Action::Running,
            "Stopping" => Action::Stopping,
            "Finished" => Action::Finished,
            "Failed" => Action::Failed,
            "Starting" => Action::Starting,
            _ => Action::Initialized,
        };
        let payload = ServiceStateEvent {
            service: id.to_owned(),
            action: action.into(),
            message: service.events.last().map(|(_, message, _)| message.clone()).unwrap_or_default(),
            health: Some(health(service)),
        };
        self.events.push(event("ServiceStateEvent", &payload));
    }

    /// Notes that the machine's status changed.
    pub(super) fn note_status_event(&mut self) {
        let unmet = self.unmet();
        let payload = MachineStatusEvent {
            stage: self.stage.number(),
            status: Some(MachineStatus {
                ready: unmet.is_empty(),
                unmet_conditions: unmet
                    .into_iter()
                    .map(|(name, reason)| UnmetCondition { name: name.to_owned(), reason })
                    .collect(),
            }),
        };
        self.events.push(event("MachineStatusEvent", &payload));
    }
}

/// The stream: an empty event first, then past ones if asked for, then what happens.
pub(super) fn stream(call: &Call) -> Result<Reply, Status> {
    let request = EventsRequest::decode(call.message.clone()).map_err(|error| Status::internal(error.to_string()))?;
    let greeting = Event { metadata: None, data: Some(prost_types::Any::default()), id: id(), actor_id: String::new() };
    let mut first: Vec<Result<Bytes, Status>> = vec![Ok(greeting.encode_to_vec().into())];
    if !request.tail_id.is_empty() && request.tail_id.len() != 20 {
        first.push(Err(Status::unknown("error parsing tail_id: xid: invalid ID")));
        return Ok(Reply::Many(stream::iter(first).boxed()));
    }
    let shared = Arc::clone(&call.host.shared);
    let changes = shared.changes.subscribe();
    let seen = {
        let world = shared.look();
        let events = world.machines.get(&call.node).map(|machine| machine.events.as_slice()).unwrap_or_default();
        let tail = if request.tail_events < 0 { events.len() } else { usize::try_from(request.tail_events).unwrap_or(0) };
        first.extend(events[events.len().saturating_sub(tail)..].iter().cloned().map(Ok));
        events.len()
    };
    let (node, boot) = (call.node.clone(), call.boot);
    let later = stream::unfold((changes, seen), move |(mut changes, seen)| {
        let (shared, node) = (Arc::clone(&shared), node.clone());
        async move {
            loop {
                let fresh: Vec<Result<Bytes, Status>> = {
                    let world = shared.look();
                    let machine = world.machines.get(&node).filter(|machine| machine.boot == boot)?;
                    machine.events[seen.min(machine.events.len())..].iter().cloned().map(Ok).collect()
                };
                if !fresh.is_empty() {
                    let seen = seen + fresh.len();
                    return Some((stream::iter(fresh), (changes, seen)));
                }
                changes.changed().await.ok()?;
            }
        }
    })
    .flatten();
    Ok(Reply::Many(stream::iter(first).chain(later).boxed()))
}
