//! One node's client: who is let in, what errors mean, and connections that die.

use std::{sync::Arc, time::Duration};

use proto::talos::{common::Metadata, google::rpc, machine as wire};
use talos::client::{Client, Clients, ErrorKind};
use tonic::Code;

use crate::{
    authority::Authority,
    node::{Answer, FakeNode},
};

fn version() -> Answer {
    let version = wire::VersionInfo { tag: "v1.13.9".to_owned(), arch: "amd64".to_owned(), ..Default::default() };
    Answer::one(&wire::VersionResponse { messages: vec![wire::Version { version: Some(version), ..Default::default() }] })
}

#[tokio::test]
async fn a_node_without_alpn_is_talked_to() {
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| version()).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    assert_eq!(client.version().await.expect("an answer").tag, "v1.13.9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_client_certificate_is_told_from_an_unreachable_node() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let node = FakeNode::start(&theirs, |_, _| version()).await;
    let client = Client::new(&node.address, &ours.identity_that_trusts(&theirs)).expect("a client");
    // The alert comes after the handshake, at whatever moment of the call: it must be seen at each.
    for _ in 0..100 {
        let error = client.version().await.expect_err("a refusal");
        assert!(matches!(&error.kind, ErrorKind::TlsRefused(alert) if alert == "UnknownCA"), "{error}");
    }
    assert_eq!(node.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_node_of_another_cluster_is_not_trusted() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let node = FakeNode::start(&theirs, |_, _| version()).await;
    let client = Client::new(&node.address, &theirs.identity_that_trusts(&ours)).expect("a client");
    let error = client.version().await.expect_err("a refusal");
    assert!(matches!(error.kind, ErrorKind::Untrusted(_)), "{error}");
}

#[tokio::test]
async fn a_node_that_is_down_is_unreachable() {
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| version()).await;
    let address = node.address.clone();
    drop(node);
    let client = Client::new(&address, &authority.identity()).expect("a client");
    let error = client.version().await.expect_err("nothing listens");
    assert!(matches!(error.kind, ErrorKind::Unreachable(_)), "{error}");
    assert!(error.is_transient());
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn each_code_becomes_its_kind() {
    let authority = Authority::new();
    let said = || "said".to_owned();
    for (code, kind) in [
        (Code::Unauthenticated, ErrorKind::Unauthenticated(said())),
        (Code::PermissionDenied, ErrorKind::PermissionDenied(said())),
        (Code::Unimplemented, ErrorKind::Unimplemented(said())),
        (Code::InvalidArgument, ErrorKind::InvalidArgument(said())),
        (Code::FailedPrecondition, ErrorKind::FailedPrecondition(said())),
        (Code::AlreadyExists, ErrorKind::AlreadyExists(said())),
        (Code::NotFound, ErrorKind::NotFound(said())),
        (Code::Unavailable, ErrorKind::Unavailable(said())),
        (Code::DeadlineExceeded, ErrorKind::DeadlineExceeded(Duration::from_secs(10))),
        (Code::Unknown, ErrorKind::Other { code: Code::Unknown, message: said() }),
    ] {
        let node = FakeNode::start(&authority, move |_, _| Answer::failure(code, "said")).await;
        let client = Client::new(&node.address, &authority.identity()).expect("a client");
        assert_eq!(client.version().await.expect_err("a failure").kind, kind);
        assert_eq!(client.bootstrap().await.expect_err("a failure").kind, kind);
    }
}

#[tokio::test]
async fn a_failure_inside_an_ok_answer_is_a_failure() {
    let authority = Authority::new();
    let metadata = |status, error: &str| Some(Metadata { hostname: String::new(), error: error.to_owned(), status });
    let status = rpc::Status { code: Code::PermissionDenied as i32, message: "not authorized".to_owned(), details: Vec::new() };
    let answer = |metadata| Answer::one(&wire::BootstrapResponse { messages: vec![wire::Bootstrap { metadata }] });
    let answers = vec![
        answer(metadata(Some(status), "rpc error")),
        answer(metadata(None, "old style")),
        Answer::one(&wire::BootstrapResponse::default()),
    ];
    let node = FakeNode::scripted(&authority, answers).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let kinds = [
        client.bootstrap().await.expect_err("a status").kind,
        client.bootstrap().await.expect_err("a text").kind,
        client.bootstrap().await.expect_err("no message").kind,
    ];
    assert_eq!(kinds[0], ErrorKind::PermissionDenied("not authorized".to_owned()));
    assert_eq!(kinds[1], ErrorKind::Other { code: Code::Unknown, message: "old style".to_owned() });
    assert!(matches!(kinds[2], ErrorKind::Malformed(_)));
}

#[tokio::test]
async fn calls_share_one_connection() {
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| version()).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let (one, two, three) = tokio::join!(client.version(), client.version(), client.version());
    assert!(one.and(two).and(three).is_ok());
    client.version().await.expect("an answer");
    assert_eq!((node.calls().len(), node.connections()), (4, 1));
}

#[tokio::test]
async fn a_half_open_connection_costs_one_deadline_and_is_replaced() {
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| version()).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    client.version().await.expect("an answer");
    node.freeze();
    let hasty = client.with_deadline(Duration::from_millis(300));
    let error = hasty.version().await.expect_err("the connection is dead");
    assert_eq!(error.kind, ErrorKind::DeadlineExceeded(Duration::from_millis(300)));
    client.version().await.expect("a new connection");
    assert_eq!(node.connections(), 2);
}

#[tokio::test]
async fn a_read_survives_a_connection_that_was_cut() {
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| version()).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    for connections in 1..10 {
        client.version().await.expect("an answer");
        assert_eq!(node.connections(), connections);
        node.cut();
    }
}

#[tokio::test]
async fn a_deadline_also_ends_calls_that_the_node_holds() {
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| Answer::Silence).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let error = client.with_deadline(Duration::from_millis(200)).etcd_members().await.expect_err("silence");
    assert!(matches!(error.kind, ErrorKind::DeadlineExceeded(_)), "{error}");
}

#[tokio::test]
async fn many_nodes_take_no_longer_than_the_slowest_deadline() {
    let authority = Authority::new();
    let mut nodes = Vec::new();
    for at in 0..12 {
        nodes.push(FakeNode::start(&authority, move |_, _| if at % 4 == 0 { Answer::Silence } else { version() }).await);
    }
    let clients = Clients::new(&authority.identity()).expect("clients");
    let addresses: Vec<&str> = nodes.iter().map(|node| node.address.as_str()).collect();
    let began = std::time::Instant::now();
    let ask = |node: Client| async move { node.version().await };
    let answers = clients.each(&addresses, Duration::from_secs(1), ask).await;
    // One after another it would be three seconds.
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    assert_eq!(answers.len(), 12);
    assert_eq!(answers.values().filter(|answer| answer.is_err()).count(), 3);
}

#[tokio::test]
async fn connections_are_kept_between_rounds() {
    let authority = Authority::new();
    let node = FakeNode::start(&authority, |_, _| version()).await;
    let clients = Arc::new(Clients::new(&authority.identity()).expect("clients"));
    for _ in 0..3 {
        let answers = clients.each([&node.address], Duration::from_secs(5), |node| async move { node.version().await }).await;
        assert!(answers[&node.address].is_ok());
    }
    assert_eq!(node.connections(), 1);
}
