//! Recorded requests, from JSON to the wire.

use bytes::Bytes;
use prost::Message;
use proto::cosi::resource as cosi;
use proto::talos::{cluster, machine, time};
use serde_json::Value;

use crate::nodes::Nodes;
use crate::recording::Step;

/// Asks for the machine's status.
pub(crate) fn machine_status() -> Bytes {
    let request = cosi::GetRequest {
        namespace: "runtime".to_owned(),
        r#type: "MachineStatuses.runtime.talos.dev".to_owned(),
        id: "machine".to_owned(),
        options: None,
    };
    request.encode_to_vec().into()
}

fn duration(value: &Value) -> Option<prost_types::Duration> {
    let seconds: f64 = value.as_str()?.trim_end_matches('s').parse().ok()?;
    #[allow(clippy::cast_possible_truncation, reason = "whole seconds were recorded")]
    Some(prost_types::Duration { seconds: seconds as i64, nanos: 0 })
}

/// The message of a recorded call; `member_ids` come from the nodes that are asked.
pub(crate) async fn encode(nodes: &Nodes, step: &Step, members: &[(u64, String)]) -> Bytes {
    let request = &step.request;
    let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
    let flag = |key: &str| request[key].as_bool().unwrap_or_default();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(|text| nodes.ours(text))).collect()
    };
    let number = |key: &str| i32::try_from(request[key].as_i64().unwrap_or_default()).unwrap_or_default();
    let message = match step.method.as_str() {
        "ApplyConfiguration" => {
            let mode = match &request["mode"] {
                Value::String(name) => {
                    machine::apply_configuration_request::Mode::from_str_name(name).map_or(0, |mode| mode as i32)
                }
                other => i32::try_from(other.as_i64().unwrap_or_default()).unwrap_or_default(),
            };
            machine::ApplyConfigurationRequest {
                data: nodes.config_of(&request["data"]).into_bytes(),
                mode,
                dry_run: flag("dry_run"),
                try_mode_timeout: duration(&request["try_mode_timeout"]),
            }
            .encode_to_vec()
        }
        "Bootstrap" => {
            machine::BootstrapRequest { recover_etcd: flag("recover_etcd"), recover_skip_hash_check: false }.encode_to_vec()
        }
        "EtcdMemberList" => machine::EtcdMemberListRequest { query_local: flag("query_local") }.encode_to_vec(),
        "EtcdRemoveMemberByID" => {
            let recorded: u64 = text("member_id").parse().unwrap_or_default();
            let name = members.iter().find(|(id, _)| *id == recorded).map(|(_, name)| name.clone());
            let member_id = match name {
                Some(name) => nodes.member_id(&name).await.unwrap_or(recorded),
                None => recorded,
            };
            machine::EtcdRemoveMemberByIdRequest { member_id }.encode_to_vec()
        }
        "ServiceRestart" | "ServiceStart" | "ServiceStop" => machine::ServiceRestartRequest { id: text("id") }.encode_to_vec(),
        // Its one field is like a service's.
        "PacketCapture" => machine::ServiceRestartRequest { id: text("interface") }.encode_to_vec(),
        "Read" => machine::ReadRequest { path: text("path") }.encode_to_vec(),
        "Logs" => machine::LogsRequest { namespace: text("namespace"), id: text("id"), ..Default::default() }.encode_to_vec(),
        "Events" => machine::EventsRequest { tail_events: number("tail_events"), tail_id: text("tail_id"), ..Default::default() }
            .encode_to_vec(),
        "GenerateClientConfiguration" => machine::GenerateClientConfigurationRequest {
            roles: texts(&request["roles"]),
            crt_ttl: duration(&request["crt_ttl"]),
        }
        .encode_to_vec(),
        "ImageList" | "ImagePull" => {
            let namespace = match request["namespace"].as_str() {
                Some("NS_SYSTEM") => 1,
                Some("NS_CRI") => 2,
                _ => 0,
            };
            machine::ImagePullRequest { namespace, reference: text("reference") }.encode_to_vec()
        }
        "Reset" => machine::ResetRequest {
            graceful: flag("graceful"),
            reboot: flag("reboot"),
            user_disks_to_wipe: texts(&request["user_disks_to_wipe"]),
            mode: machine::reset_request::WipeMode::from_str_name(&text("mode")).map_or(0, |mode| mode as i32),
            ..Default::default()
        }
        .encode_to_vec(),
        "HealthCheck" => {
            let info = &request["cluster_info"];
            cluster::HealthCheckRequest {
                wait_timeout: duration(&request["wait_timeout"]),
                cluster_info: Some(cluster::ClusterInfo {
                    control_plane_nodes: texts(&info["control_plane_nodes"]),
                    worker_nodes: texts(&info["worker_nodes"]),
                    force_endpoint: String::new(),
                }),
            }
            .encode_to_vec()
        }
        "TimeCheck" => time::TimeRequest { server: text("server") }.encode_to_vec(),
        "Get" | "Destroy" => {
            cosi::GetRequest { namespace: text("namespace"), r#type: text("type"), id: text("id"), options: None }.encode_to_vec()
        }
        "List" if step.service == "cosi.resource.State" => {
            cosi::ListRequest { namespace: text("namespace"), r#type: text("type"), options: None }.encode_to_vec()
        }
        "Watch" => {
            let options = &request["options"];
            cosi::WatchRequest {
                namespace: text("namespace"),
                r#type: text("type"),
                id: request["id"].as_str().map(str::to_owned),
                options: Some(cosi::WatchOptions {
                    bootstrap_contents: options["bootstrap_contents"] == true,
                    tail_events: i32::try_from(options["tail_events"].as_i64().unwrap_or_default()).unwrap_or_default(),
                    aggregated: options["aggregated"] == true,
                    ..Default::default()
                }),
                api_version: number("api_version"),
            }
            .encode_to_vec()
        }
        _ => Vec::new(),
    };
    message.into()
}
