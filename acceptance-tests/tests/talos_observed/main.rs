//! The node simulator answers as real Talos v1.8.0 nodes did: every recorded scenario is replayed on it, call by call, and
//! status code and message are compared (and of the main methods what the answer says).
//!
//! The recordings lie in `../shared/talos-observed` beside the repository, or where `TALOS_OBSERVED_DIR` says; without
//! them the test says that it is skipped. What a node in a container does otherwise than a machine stands in
//! [`differences`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on must fail"
)]

mod authority;
mod client;
mod compare;
mod differences;
mod nodes;
mod recording;
mod request;

use std::io::Write as _;
use std::time::Duration;

use client::Credentials;
use nodes::Nodes;
use recording::Recordings;

/// Replays topics on nodes that are as the topics' setups say; prints what was compared.
struct Replay {
    recordings: Recordings,
    scenarios: usize,
    calls: usize,
    wrong: Vec<String>,
}

impl Replay {
    async fn topic(&mut self, nodes: &Nodes, topic: &str, only: impl Fn(&str) -> bool) {
        for scenario in self.recordings.topic(topic) {
            if !only(&scenario.name) {
                continue;
            }
            self.scenario(nodes, &scenario).await;
        }
    }

    async fn scenario(&mut self, nodes: &Nodes, scenario: &recording::Scenario) {
        if let Some(why) = differences::not_replayed(&scenario.path()) {
            println!("not replayed: {}: {why}", scenario.path());
            return;
        }
        if scenario.topic == "config-apply" {
            // Every one was recorded on the config that the first one leaves.
            let first = self.recordings.topic("config-apply").into_iter().find(|other| other.name == "nothing-no-reboot");
            let step = first.and_then(|scenario| scenario.calls.into_iter().find(|step| step.method == "ApplyConfiguration"));
            let wrong = compare::step(nodes, scenario, &step.expect("the scenario")).await;
            assert_eq!(wrong, None, "the config is not put back before {}", scenario.path());
        }
        let mut compared = 0;
        for (index, step) in scenario.calls.iter().enumerate() {
            if differences::is_container_only(&scenario.path(), step) {
                continue;
            }
            let wrong = compare::step(nodes, scenario, step).await;
            compared += 1;
            if let Some(wrong) = wrong {
                self.wrong.push(format!("{} [{index}] {}.{}: {wrong}", scenario.path(), step.service, step.method));
            }
        }
        if compared > 0 {
            self.scenarios += 1;
            self.calls += compared;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulator_answers_as_recorded() {
    let Some(recordings) = Recordings::find() else {
        // Past the capture of output: it is counted at the end.
        let why =
            "no recordings of real nodes: `TALOS_OBSERVED_DIR` names no folder, and `../shared/talos-observed` is not there";
        let _ = writeln!(std::io::stderr(), "skipped: the_simulator_answers_as_recorded: {why}");
        return;
    };
    let mut replay = Replay { recordings, scenarios: 0, calls: 0, wrong: Vec::new() };

    let empty = Nodes::start(70, &replay.recordings, &[("g1", 21, "")]).await;
    empty.reachable("g1").await;
    replay.topic(&empty, "maintenance", |name| name != "apply-good").await;
    replay.topic(&empty, "maintenance", |name| name == "apply-good").await;

    let waiting = Nodes::start_slowly(71, &replay.recordings, &[("g1", 21, "controlplane"), ("gw1", 31, "worker")]).await;
    waiting.reachable("gw1").await;
    waiting.status_of("g1", "stage: running").await;
    replay.topic(&waiting, "before-bootstrap", |_| true).await;
    replay.topic(&waiting, "tls", |_| true).await;

    replay.topic(&waiting, "bootstrap", |name| name == "answers").await;
    waiting.status_of("g1", "ready: true").await;
    waiting.status_of("gw1", "ready: true").await;
    for topic in ["cosi", "roles"] {
        replay.topic(&waiting, topic, |_| true).await;
    }
    replay.topic(&waiting, "bootstrap", |name| name == "etcd-calls-with-one-member").await;

    let three = three(72, &replay.recordings).await;
    replay.topic(&three, "join", |_| true).await;
    for topic in ["routing", "services", "machine", "storage", "health", "events", "lifecycle", "config-dry-run", "config-apply"]
    {
        replay.topic(&three, topic, |_| true).await;
    }
    replay.topic(&three, "etcd", |name| !["leave-of-a-member", "one-of-three-crashes"].contains(&name)).await;
    three.crash("g3");
    replay.topic(&three, "etcd", |name| name == "one-of-three-crashes").await;
    assert_eq!(three.violations(), Vec::<String>::new());

    let leaving = nodes_for_leave(&replay.recordings).await;
    replay.topic(&leaving, "etcd", |name| name == "leave-of-a-member").await;
    // The recorded scenario ends with a Bootstrap on the node that left.
    leaving.until_violation().await;

    userdata(&mut replay).await;

    println!("compared {} scenarios, {} calls", replay.scenarios, replay.calls);
    assert!(replay.wrong.is_empty(), "{} answers differ:\n{}", replay.wrong.len(), replay.wrong.join("\n"));
    assert!(replay.scenarios > 100 && replay.calls > 500, "far fewer than are recorded were compared");
}

async fn three(octet: u8, recordings: &Recordings) -> Nodes {
    let all = [("g1", 21, "controlplane"), ("g2", 22, "controlplane"), ("g3", 23, "controlplane"), ("gw1", 31, "worker")];
    let nodes = Nodes::start(octet, recordings, &all).await;
    nodes.reachable("g1").await;
    nodes.bootstrap("g1").await;
    for (name, _, _) in all {
        nodes.status_of(name, "ready: true").await;
    }
    nodes
}

async fn nodes_for_leave(recordings: &Recordings) -> Nodes {
    three(73, recordings).await
}

/// User data, right and wrong: which port answers how.
async fn userdata(replay: &mut Replay) {
    let good = replay.recordings.base_config("controlplane");
    let cases: &[(&str, Option<String>, bool)] = &[
        ("good", Some(good.clone()), true),
        ("empty-string", Some(String::new()), true),
        ("base64-of-nothing-but-a-newline", Some("\n".to_owned()), false),
        ("plain-text", Some("hello".to_owned()), false),
        ("yaml-garbage", Some("{{{ not: [".to_owned()), false),
        ("unknown-field", Some(good.replacen("    token:", "    nonsense: true\n    token:", 1)), false),
        ("unknown-document-kind", Some(format!("{good}\n---\napiVersion: v1alpha1\nkind: NonsenseConfig\n")), false),
        ("invalid-machine-type", Some(good.replace("type: controlplane", "type: banana")), false),
        ("missing-cluster-secret", Some(good.replace("    secret:", "    # secret:")), true),
    ];
    for (name, text, opens) in cases {
        let scenario =
            replay.recordings.topic("userdata").into_iter().find(|scenario| scenario.name == *name).expect("the scenario");
        assert_eq!(scenario.ends_reachable(), *opens, "the recording of `{name}` says otherwise");
        let nodes = Nodes::start_with(74, &replay.recordings, "g1", 32, text.clone().unwrap_or_default()).await;
        if *opens {
            nodes.reachable("g1").await;
            let maintenance = text.as_ref().is_some_and(String::is_empty);
            let credentials = if maintenance { Credentials::insecure() } else { Credentials::admin() };
            let answer = nodes
                .call("g1", &credentials, "cosi.resource.State", "Get", &[], request::machine_status(), Duration::from_secs(5))
                .await;
            if answer.code != "OK" {
                replay.wrong.push(format!("userdata/{name}: {} {}", answer.code, answer.message));
            }
        } else {
            let failure = nodes.boot_failure("g1").await;
            let logged = scenario.logged_error();
            if !compare::same_meaning(&logged, &failure) {
                replay.wrong.push(format!("userdata/{name}: `{failure}` instead of `{logged}`"));
            }
            assert!(!nodes.is_open("g1").await, "`{name}` has an API");
        }
        replay.scenarios += 1;
        nodes.end().await;
    }
}
