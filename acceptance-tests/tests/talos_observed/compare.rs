//! One recorded call, made and compared.

use std::time::Duration;

use prost::Message;
use proto::cosi::resource as cosi;
use proto::talos::machine;
use serde_json::Value;

use crate::client::{Answer, Credentials};
use crate::differences;
use crate::nodes::Nodes;
use crate::recording::{Scenario, Step};
use crate::request;

/// How long a call waits that the real node left without an answer.
const HANGS: Duration = Duration::from_millis(300);
/// How long any other may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the call; `Some` says what is different.
pub(crate) async fn step(nodes: &Nodes, scenario: &Scenario, step: &Step) -> Option<String> {
    let Some(credentials) = Credentials::read(&step.credentials) else {
        return Some("credentials that are not known".to_owned());
    };
    let members = recorded_members(scenario);
    let message = request::encode(nodes, step, &members).await;
    let metadata: Vec<(String, String)> = step.metadata.iter().map(|(name, value)| (name.clone(), nodes.ours(value))).collect();
    // A stream that the recorder cut goes on for ever.
    let cut = step.answer["stream_end"].as_str().is_some_and(|end| end.starts_with("cut by the recorder"));
    let hangs = step.code() == "DeadlineExceeded" || cut;
    let limit = if hangs { HANGS } else { PATIENCE };
    let path = format!("/{}/{}", step.service, step.method);
    if scenario.path() == "maintenance/apply-good" && step.method != "ApplyConfiguration" {
        nodes.reachable("g1").await;
        nodes.status_of("g1", "stage").await;
    }
    if scenario.path() == "bootstrap/answers" && step.code() == "AlreadyExists" {
        // Recorded two seconds after the first call.
        nodes.has_member("g1").await;
    }
    let answer = nodes.call_at(&step.endpoint, &credentials, &path, &metadata, message, limit).await;
    let code = if cut && answer.code == "DeadlineExceeded" && !answer.messages.is_empty() { "OK" } else { answer.code.as_str() };
    if code != step.code() {
        return Some(format!("{code} `{}` instead of {} `{}`", answer.message, step.code(), step.message()));
    }
    let said = if cut { String::new() } else { nodes.theirs(&answer.message) };
    if !same_meaning(step.message(), &said) {
        return Some(format!("{code} `{said}` instead of `{}`", step.message()));
    }
    // Long answers were left out of the recordings.
    let recorded = step.answer["response"].is_object() || step.answer["stream"].is_array();
    if code == "OK" && recorded && !differences::is_in_between(&scenario.path()) { contents(nodes, step, &answer) } else { None }
}

fn recorded_members(scenario: &Scenario) -> Vec<(u64, String)> {
    let mut members = Vec::new();
    for step in &scenario.calls {
        for message in step.answer["response"]["messages"].as_array().into_iter().flatten() {
            for member in message["members"].as_array().into_iter().flatten() {
                let id = member["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
                members.push((id, member["hostname"].as_str().unwrap_or_default().to_owned()));
            }
        }
    }
    members
}

/// Whether two messages say the same, where their words are of different libraries or random.
pub(crate) fn same_meaning(recorded: &str, said: &str) -> bool {
    normal(recorded) == normal(said)
}

fn normal(message: &str) -> String {
    for alert in ["certificate required", "unknown certificate authority", "bad certificate", "failed to verify certificate"] {
        if message.contains(alert) {
            return alert.to_owned();
        }
    }
    // The same refusal, seen when writing instead of reading.
    if message.contains("write: broken pipe") {
        return "certificate required".to_owned();
    }
    // Go's YAML and ours say differently what is wrong, and where.
    if let Some((before, _)) = message.split_once("decode error: yaml:") {
        return format!("{before}decode error: yaml");
    }
    // How an address does not answer is the network's.
    if message.contains("Error while dialing") || message.starts_with("dial: ") {
        return "connection error: dial".to_owned();
    }
    // A certificate in an answer is another cluster's.
    let mut words: Vec<String> = message.split_whitespace().map(str::to_owned).collect();
    for word in &mut words {
        if word.len() > 60 || word.parse::<u64>().is_ok_and(|number| number > 1_000_000) || word == "REDACTED" {
            "…".clone_into(word);
        }
    }
    words.join(" ")
}

/// What the answer says, of the methods where that matters most.
fn contents(nodes: &Nodes, step: &Step, answer: &Answer) -> Option<String> {
    let recorded = &step.answer["response"];
    let first = answer.messages.first().cloned().unwrap_or_default();
    let messages = || recorded["messages"].as_array().cloned().unwrap_or_default();
    match (step.service.as_str(), step.method.as_str()) {
        ("machine.MachineService", "ApplyConfiguration") => {
            let ours = machine::ApplyConfigurationResponse::decode(first).ok()?;
            let recorded: Vec<(i32, String)> =
                messages().iter().map(|message| (mode(&message["mode"]), details(&message["mode_details"]))).collect();
            let ours: Vec<(i32, String)> =
                ours.messages.iter().map(|message| (message.mode, details(&message.mode_details.as_str().into()))).collect();
            different(&recorded, &ours)
        }
        ("machine.MachineService", "Hostname") => {
            let ours = machine::HostnameResponse::decode(first).ok()?;
            let mut recorded: Vec<(String, String, i64)> = messages()
                .iter()
                .map(|message| {
                    let metadata = &message["metadata"];
                    (
                        text(&message["hostname"]),
                        text(&metadata["hostname"]),
                        metadata["status"]["code"].as_i64().unwrap_or_default(),
                    )
                })
                .collect();
            let mut ours: Vec<(String, String, i64)> = ours
                .messages
                .into_iter()
                .map(|message| {
                    let metadata = message.metadata.unwrap_or_default();
                    (
                        message.hostname,
                        nodes.theirs(&metadata.hostname),
                        metadata.status.map_or(0, |status| i64::from(status.code)),
                    )
                })
                .collect();
            recorded.sort();
            ours.sort();
            different(&recorded, &ours)
        }
        ("machine.MachineService", "EtcdMemberList") => {
            let ours = machine::EtcdMemberListResponse::decode(first).ok()?;
            let mut recorded: Vec<(String, bool)> = messages()
                .iter()
                .flat_map(|message| message["members"].as_array().cloned().unwrap_or_default())
                .map(|member| (text(&member["hostname"]), member["is_learner"] == true))
                .collect();
            let mut ours: Vec<(String, bool)> = ours
                .messages
                .into_iter()
                .flat_map(|message| message.members)
                .map(|member| (member.hostname, member.is_learner))
                .collect();
            recorded.sort();
            ours.sort();
            different(&recorded, &ours)
        }
        ("machine.MachineService", "ServiceRestart" | "ServiceStart") => {
            let ours = machine::ServiceRestartResponse::decode(first).ok()?;
            let recorded: Vec<String> = messages().iter().map(|message| text(&message["resp"])).collect();
            let ours: Vec<String> = ours.messages.into_iter().map(|message| message.resp).collect();
            different(&recorded, &ours)
        }
        ("cosi.resource.State", "Get") => resource(nodes, recorded, &cosi::GetResponse::decode(first).ok()?.resource?),
        ("cosi.resource.State", "List") if step.code() == "OK" => {
            // Long lists were left out of some recordings.
            let recorded = step.answer["stream"].as_array().filter(|stream| !stream.is_empty())?;
            let kind = step.request["type"].as_str().unwrap_or_default();
            COMPLETE.contains(&kind).then(|| different(&recorded.len(), &answer.messages.len()))?
        }
        _ => None,
    }
}

/// Types of which a simulated node has as many as the recorded one.
const COMPLETE: &[&str] = &[
    "Members.cluster.talos.dev",
    "Nodenames.kubernetes.talos.dev",
    "EtcdMembers.etcd.talos.dev",
    "MachineTypes.config.talos.dev",
];

/// Types whose text is compared: nothing in it is random, timed or the container's.
const COMPARED: &[&str] = &[
    "MachineTypes.config.talos.dev",
    "Nodenames.kubernetes.talos.dev",
    "HostnameStatuses.net.talos.dev",
    "MachineStatuses.runtime.talos.dev",
    "Services.v1alpha1.talos.dev",
    "SecurityStates.talos.dev",
    "NodeIPs.kubernetes.talos.dev",
];

fn resource(nodes: &Nodes, recorded: &Value, ours: &cosi::Resource) -> Option<String> {
    let metadata = ours.metadata.clone().unwrap_or_default();
    let recorded = &recorded["resource"];
    if recorded.is_null() {
        return None;
    }
    let identity = |id: &str, namespace: &str, owner: &str, phase: &str| format!("{namespace}/{id} of {owner:?} {phase}");
    let wanted = &recorded["metadata"];
    let wanted = identity(&text(&wanted["id"]), &text(&wanted["namespace"]), &text(&wanted["owner"]), &text(&wanted["phase"]));
    let found = identity(&metadata.id, &metadata.namespace, &metadata.owner, &metadata.phase);
    if let Some(wrong) = different(&wanted, &found) {
        return Some(wrong);
    }
    if !COMPARED.contains(&metadata.r#type.as_str()) {
        return None;
    }
    let yaml = nodes.theirs(&ours.spec.clone().unwrap_or_default().yaml_spec);
    different(&text(&recorded["spec"]["yaml_spec"]), &yaml)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn mode(value: &Value) -> i32 {
    match value {
        Value::String(name) => machine::apply_configuration_request::Mode::from_str_name(name).map_or(-1, |mode| mode as i32),
        other => i32::try_from(other.as_i64().unwrap_or_default()).unwrap_or(-1),
    }
}

/// What a person reads first, and whether there is a difference. Which lines differ depends on the comments in the config that
/// runs.
fn details(value: &Value) -> String {
    let all = text(value);
    match all.split_once("Config diff:\n\n") {
        Some((before, "No changes.")) => format!("{before}the same"),
        Some((before, _)) => format!("{before}another"),
        None => all,
    }
}

fn different<T: PartialEq + std::fmt::Debug>(recorded: &T, ours: &T) -> Option<String> {
    (recorded != ours).then(|| format!("{ours:?} instead of {recorded:?}"))
}
