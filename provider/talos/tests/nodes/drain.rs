//! A node that is emptied, and forgotten.

use std::sync::Mutex;

use serde_json::json;
use talos::lifecycle::{Drained, NodesAre, drain, forget_node, wait_kubernetes, wait_nodes};

use crate::{
    api::{FakeApi, FakePod},
    deadline, silent,
};

#[tokio::test]
async fn pods_go_as_their_budgets_allow_and_daemons_stay() {
    let daemon = json!({ "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "1", "controller": true }] });
    let mirror = json!({ "annotations": { "kubernetes.io/config.mirror": "hash" } });
    let api = FakeApi::start(vec![
        FakePod { refusals: 2, ..FakePod::new("database") },
        FakePod::new("web"),
        FakePod { metadata: daemon, ..FakePod::new("daemon") },
        FakePod { metadata: mirror, ..FakePod::new("static") },
    ])
    .await;
    let seen = Mutex::new(Vec::new());
    let progress = |line: &str| seen.lock().expect("a lock").push(line.to_owned());
    let drained = drain(&api.cluster, "worker", deadline(), &progress).await.expect("an end");
    assert_eq!(drained, Drained::Empty("node-uid".to_owned()));
    let state = api.state.lock().expect("a lock");
    assert_eq!(state.changes, ["cordoned true", "evict database", "evict web", "evict database", "evict database"]);
    assert_eq!(state.pods.iter().map(|pod| pod.name).collect::<Vec<_>>(), ["daemon", "static"]);
    let seen = seen.lock().expect("a lock");
    assert!(seen[0].contains("`default/database`: Cannot evict pod as it would violate"), "{seen:?}");
}

#[tokio::test]
async fn a_drain_outlives_an_api_that_stumbles() {
    let api = FakeApi::start(vec![FakePod::new("web")]).await;
    api.state.lock().expect("a lock").broken = vec![503, 500, 429];
    let drained = drain(&api.cluster, "worker", deadline(), &silent).await.expect("an end");
    assert_eq!(drained, Drained::Empty("node-uid".to_owned()));
}

#[tokio::test]
async fn a_refused_administrator_is_told_at_once() {
    let api = FakeApi::start(Vec::new()).await;
    api.state.lock().expect("a lock").broken = vec![401];
    let error = drain(&api.cluster, "worker", deadline(), &silent).await.expect_err("a refusal").to_string();
    assert!(error.contains("answered 401") && error.contains(api.cluster.server()), "{error}");
}

#[tokio::test]
async fn only_the_node_that_was_meant_is_forgotten() {
    let api = FakeApi::start(Vec::new()).await;
    forget_node(&api.cluster, "worker", Some("another-uid"), deadline(), &silent).await.expect("an end");
    assert!(!api.state.lock().expect("a lock").deleted);
    for _ in 0..2 {
        forget_node(&api.cluster, "worker", Some("node-uid"), deadline(), &silent).await.expect("an end");
    }
    assert_eq!(api.state.lock().expect("a lock").changes, ["deleted"]);
    let drained = drain(&api.cluster, "worker", deadline(), &silent).await.expect("an end");
    assert_eq!(drained, Drained::NotRegistered);
}

#[tokio::test]
async fn the_api_and_its_nodes_are_awaited() {
    let api = FakeApi::start(Vec::new()).await;
    api.state.lock().expect("a lock").broken = vec![500, 503];
    let version = wait_kubernetes(&api.cluster, deadline(), &silent).await.expect("an end");
    assert_eq!(version, "v1.35.4");
    let nodes = wait_nodes(&api.cluster, &["worker".to_owned()], NodesAre::Ready, deadline(), &silent).await.expect("an end");
    assert_eq!(nodes["worker"].uid, "node-uid");
    let soon = tokio::time::Instant::now() + std::time::Duration::from_millis(500);
    let names = ["worker".to_owned(), "other".to_owned()];
    let error = wait_nodes(&api.cluster, &names, NodesAre::Registered, soon, &silent).await.expect_err("a deadline");
    assert!(error.to_string().contains("1 of 2 nodes; `other` is not registered"), "{error}");
}
