//! How the process is started, whom it admits, and when it ends.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy knows tests by their attribute only

mod client;

use std::process::Stdio;

use client::{COOKIE, Client, Handshake, Identity, PATIENCE, apply_request, command, connect, note, program};
use proto::health::HealthCheckRequest;
use proto::health::health_check_response::ServingStatus;
use proto::health::health_client::HealthClient;
use proto::plugin::grpc_broker_client::GrpcBrokerClient;
use proto::plugin::grpc_controller_client::GrpcControllerClient;
use proto::plugin::grpc_stdio_client::GrpcStdioClient;
use proto::plugin::{ConnInfo, Empty};
use proto::tfplugin5 as wire;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

async fn is_healthy(client: &Client) -> bool {
    let request = HealthCheckRequest { service: "plugin".into() };
    let answer = HealthClient::new(client.channel.clone()).check(request).await;
    answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
}

async fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().await.unwrap().success());
}

/// Waits until the process is no more, though it is not our child.
async fn gone(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    let until_gone = async {
        // A process that nobody has waited for yet is a zombie, state `Z`.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, until_gone).await.expect("the provider goes on");
}

#[tokio::test]
async fn the_handshake_is_what_go_plugin_reads() {
    let client = Client::start().await;
    let parts: Vec<&str> = client.handshake.line.split('|').collect();
    assert_eq!(parts[..3], ["1", "5", "unix"]);
    assert_eq!(parts[4], "grpc");
    assert_eq!(client.handshake.socket.parent(), Some(client.sockets.path()));
    // go-plugin takes what is shorter than this for no certificate.
    assert!(parts[5].len() > 50 && !parts[5].contains('='));
    assert!(is_healthy(&client).await);
}

#[tokio::test]
async fn started_by_hand_it_says_what_it_is() {
    let output = Command::new(program()).env_remove(COOKIE.0).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("This program is the `notes` provider, which Terraform or OpenTofu starts"), "{text}");
}

#[tokio::test]
async fn a_stranger_is_refused_and_changes_nothing() {
    let client = Client::start().await;
    let stranger = Identity::new();
    let admitted = match connect(&client.handshake, Some(&stranger)).await {
        // TLS 1.3 tells a client of its refusal with the first answer.
        Ok(channel) => HealthClient::new(channel).check(HealthCheckRequest::default()).await.is_ok(),
        Err(_) => false,
    };
    assert!(!admitted);
    assert!(is_healthy(&client).await);
}

#[tokio::test]
async fn a_connection_without_a_handshake_ends_nothing() {
    let client = Client::start().await;
    for _ in 0..3 {
        drop(UnixStream::connect(&client.handshake.socket).await.unwrap());
    }
    assert!(is_healthy(&client).await);
}

#[tokio::test]
async fn a_second_connection_may_come_and_go() {
    let client = Client::start().await;
    let second = connect(&client.handshake, Some(&client.identity)).await.unwrap();
    HealthClient::new(second).check(HealthCheckRequest::default()).await.unwrap();
    assert!(is_healthy(&client).await);
}

#[tokio::test]
async fn stdio_and_broker_stay_open_until_a_shutdown_which_ends_the_process() {
    let mut client = Client::start().await;
    let mut stdio = GrpcStdioClient::new(client.channel.clone()).stream_stdio(()).await.unwrap().into_inner();
    let offers = tokio_stream::pending::<ConnInfo>();
    let mut broker = GrpcBrokerClient::new(client.channel.clone()).start_stream(offers).await.unwrap().into_inner();
    assert!(is_healthy(&client).await);

    GrpcControllerClient::new(client.channel.clone()).shutdown(Empty {}).await.unwrap();
    assert!(!matches!(tokio::time::timeout(PATIENCE, stdio.message()).await.unwrap(), Ok(Some(_))));
    assert!(!matches!(tokio::time::timeout(PATIENCE, broker.message()).await.unwrap(), Ok(Some(_))));
    assert_eq!(client.ended().await.code(), Some(0));
    assert!(!client.handshake.socket.exists());
}

#[tokio::test]
async fn it_ends_when_its_client_is_gone_whatever_it_is_doing() {
    let mut client = Client::configured().await;
    let planned = client.plan(&Json::Null, &note(&json!({ "text": "hang" })), &[]).await;
    let mut other = client.provider.clone();
    let apply = tokio::spawn(async move { other.apply_resource_change(apply_request(&Json::Null, &planned)).await.is_ok() });
    while !client.folder.path().join("alpha").exists() {
        tokio::task::yield_now().await;
    }
    apply.abort();
    assert!(apply.await.is_err());
    let Client { channel, provider, mut child, .. } = client;
    drop((channel, provider));
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("the provider goes on").unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn it_ends_when_its_parent_is_gone_though_a_connection_is_open() {
    let (identity, sockets) = (Identity::new(), TempDir::new().unwrap());
    let mut plain = command(&identity, sockets.path());
    // The shell starts it and waits; the first line is the provider's process id.
    let mut parent = Command::new("sh");
    parent.args(["-c", "\"$0\" & echo $!; wait"]).arg(program());
    for (name, value) in plain.as_std_mut().get_envs() {
        match value {
            Some(value) => parent.env(name, value),
            None => parent.env_remove(name),
        };
    }
    let mut parent = parent.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let second = lines.next_line().await.unwrap().unwrap();
    let (pid, line) = if first.contains('|') { (second, first) } else { (first, second) };
    let parts: Vec<&str> = line.split('|').collect();
    let handshake = Handshake { socket: parts[3].into(), certificate: parts[5].to_owned(), line: line.clone() };
    let channel = connect(&handshake, Some(&identity)).await.unwrap();
    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();

    parent.kill().await.unwrap();
    gone(&pid).await;
    drop(channel);
}

#[tokio::test]
async fn interrupts_are_left_to_the_client() {
    let client = Client::start().await;
    for _ in 0..3 {
        signal("-INT", client.child.id().unwrap()).await;
    }
    assert!(is_healthy(&client).await);
}

#[tokio::test]
async fn a_termination_ends_it_and_removes_the_socket() {
    let mut client = Client::start().await;
    signal("-TERM", client.child.id().unwrap()).await;
    assert_eq!(client.ended().await.code(), Some(0));
    assert!(!client.handshake.socket.exists());
}

#[tokio::test]
async fn for_a_debugger_it_needs_no_tls_and_outlives_its_clients() {
    let mut child = Command::new(program())
        .arg("--debug=example.com/test/notes")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let attach = line.strip_prefix("TF_REATTACH_PROVIDERS='").and_then(|rest| rest.strip_suffix('\'')).unwrap();
    let attach: Json = serde_json::from_str(attach).unwrap();
    let attach = &attach["example.com/test/notes"];
    assert_eq!((&attach["Protocol"], &attach["ProtocolVersion"], &attach["Test"]), (&json!("grpc"), &json!(5), &json!(true)));
    assert_eq!(attach["Pid"], child.id().unwrap());

    let handshake = Handshake { socket: attach["Addr"]["String"].as_str().unwrap().into(), certificate: String::new(), line };
    for _ in 0..2 {
        let channel = connect(&handshake, None).await.unwrap();
        let mut provider = wire::provider_client::ProviderClient::new(channel);
        provider.get_schema(wire::get_provider_schema::Request {}).await.unwrap();
    }
    signal("-INT", child.id().unwrap()).await;
    assert!(tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn log_lines_are_json_that_hclog_reads() {
    let mut client = Client::start_as(|command| {
        command.env("TF_LOG_PROVIDER", "INFO").stderr(Stdio::piped());
    })
    .await;
    client.configure().await;
    let planned = client.plan(&Json::Null, &note(&json!({ "text": "panic" })), &[]).await;
    client.apply(&Json::Null, &planned).await;
    GrpcControllerClient::new(client.channel.clone()).shutdown(Empty {}).await.unwrap();
    let mut text = String::new();
    client.child.stderr.take().unwrap().read_to_string(&mut text).await.unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let configured = lines.iter().find(|line| line["@message"] == "configured").unwrap();
    assert_eq!((&configured["@level"], &configured["@module"]), (&json!("info"), &json!("notes")));
    assert_eq!(configured["folder"], json!(client.folder.path()));
    assert!(lines.iter().any(|line| line["@level"] == "error" && line["@message"] == "the provider panicked: asked to"));
}
