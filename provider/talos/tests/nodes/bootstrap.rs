//! Bootstrap: one node is asked, until it is so.

use proto::talos::machine as wire;
use talos::{
    client::Client,
    lifecycle::{self, Bootstrapped, Error},
};
use tonic::Code;

use crate::{
    authority::Authority,
    deadline,
    node::{Answer, FakeNode},
    silent,
};

fn ok() -> Answer {
    Answer::one(&wire::BootstrapResponse { messages: vec![wire::Bootstrap::default()] })
}

async fn bootstrap(answers: Vec<Answer>) -> (Result<Bootstrapped, Error>, usize) {
    let authority = Authority::new();
    let node = FakeNode::scripted(&authority, answers).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let outcome = lifecycle::bootstrap(&client, deadline(), &silent).await;
    (outcome, node.calls().len())
}

#[tokio::test]
async fn a_node_that_is_not_ready_for_it_is_asked_again() {
    let (outcome, calls) = bootstrap(vec![
        Answer::failure(Code::FailedPrecondition, "bootstrap is not available yet"),
        Answer::failure(Code::FailedPrecondition, "time is not in sync yet"),
        Answer::failure(Code::Unavailable, "connection error"),
        ok(),
    ])
    .await;
    assert_eq!((outcome.expect("an end"), calls), (Bootstrapped::Now, 4));
}

#[tokio::test]
async fn etcd_data_is_success() {
    let (outcome, calls) = bootstrap(vec![Answer::failure(Code::AlreadyExists, "etcd data directory is not empty")]).await;
    assert_eq!((outcome.expect("an end"), calls), (Bootstrapped::Before, 1));
}

#[tokio::test]
async fn a_worker_is_not_asked_twice() {
    let refusal = Answer::failure(Code::FailedPrecondition, "bootstrap can only be performed on a control plane node");
    let (outcome, calls) = bootstrap(vec![refusal]).await;
    let error = outcome.expect_err("a refusal").to_string();
    assert!(error.contains("bootstrap can only be performed on a control plane node"), "{error}");
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn the_deadline_tells_what_stood_in_the_way() {
    let authority = Authority::new();
    let answer = || Answer::failure(Code::FailedPrecondition, "time is not in sync yet");
    let node = FakeNode::start(&authority, move |_, _| answer()).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(1);
    let error = lifecycle::bootstrap(&client, soon, &silent).await.expect_err("a deadline").to_string();
    assert!(error.contains("time is not in sync yet") && error.contains(&node.address), "{error}");
}
