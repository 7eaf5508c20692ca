//! A new machine config for a running node.

use std::sync::{Arc, Mutex};

use prost::Message;
use proto::{
    cosi::resource::{GetRequest, GetResponse, Resource, Spec},
    talos::{
        common::Data,
        machine::{self as wire, apply_configuration_request::Mode},
    },
};
use talos::{
    client::Client,
    lifecycle::{Change, Error, Outcome, apply_config},
};
use tokio::sync::Notify;
use tonic::Code;

use crate::{
    authority::Authority,
    deadline,
    node::{Answer, FakeNode},
    silent,
};

const OLD: &str = "machine:\n    sysctls: {}\n";
const NEW: &str = "machine:\n    sysctls:\n        vm.max_map_count: \"262144\"\n";

/// What a machine remembers.
#[derive(Default)]
struct Machine {
    running: String,
    staged: Option<String>,
    boots: usize,
    applied: usize,
    /// At which call somebody is told, and who.
    interrupt: Option<(usize, Arc<Notify>)>,
}

impl Machine {
    fn answer(&mut self, method: &str, request: &[u8]) -> Answer {
        if let Some((left, _)) = &mut self.interrupt {
            *left -= 1;
        }
        if let Some((0, notify)) = &self.interrupt {
            notify.notify_one();
            self.interrupt = None;
        }
        match method {
            "Get" => self.get(&GetRequest::decode(request).expect("a request").id),
            "Read" => Answer::one(&Data { bytes: format!("boot-{}\n", self.boots).into_bytes(), ..Default::default() }),
            "ApplyConfiguration" => self.apply(&wire::ApplyConfigurationRequest::decode(request).expect("a request")),
            "Reboot" => {
                self.boots += 1;
                self.running = self.staged.take().unwrap_or_else(|| self.running.clone());
                Answer::one(&wire::RebootResponse { messages: vec![wire::Reboot::default()] })
            }
            _ => Answer::failure(Code::Unimplemented, method),
        }
    }

    fn get(&self, id: &str) -> Answer {
        let yaml = match id {
            "v1alpha1" => self.running.clone(),
            "machine" => "stage: running\nstatus:\n    ready: true\n    unmetConditions: []\n".to_owned(),
            _ => return Answer::failure(Code::NotFound, id),
        };
        let spec = Some(Spec { yaml_spec: yaml, ..Default::default() });
        Answer::one(&GetResponse { resource: Some(Resource { spec, ..Default::default() }) })
    }

    fn apply(&mut self, request: &wire::ApplyConfigurationRequest) -> Answer {
        let config = String::from_utf8(request.data.clone()).expect("text");
        if config.contains("nonsense") {
            return Answer::failure(Code::InvalidArgument, "unknown keys found during decoding:\nmachine:\n    nonsense: true\n");
        }
        if !request.dry_run {
            self.applied += 1;
            match request.mode() {
                Mode::NoReboot => self.running = config,
                Mode::Staged => self.staged = Some(config),
                mode => panic!("mode {mode:?} is not for every version"),
            }
        }
        Answer::one(&wire::ApplyConfigurationResponse { messages: vec![wire::ApplyConfiguration::default()] })
    }
}

async fn machine(authority: &Authority) -> (FakeNode, Arc<Mutex<Machine>>) {
    let machine = Arc::new(Mutex::new(Machine { running: OLD.to_owned(), ..Default::default() }));
    let answering = Arc::clone(&machine);
    let node = FakeNode::start(authority, move |method, request| answering.lock().expect("a lock").answer(method, request)).await;
    (node, machine)
}

#[tokio::test]
async fn a_config_that_runs_already_is_not_applied() {
    let authority = Authority::new();
    let (node, machine) = machine(&authority).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let reworded = format!("# the same\n{OLD}");
    let outcome = apply_config(&client, &reworded, Change::Reboot, deadline(), &silent).await;
    assert_eq!(outcome.expect("an end"), Outcome::Unchanged);
    assert_eq!((machine.lock().expect("a lock").applied, node.calls()), (0, vec!["Get".to_owned()]));
}

#[tokio::test]
async fn in_place_means_no_reboot() {
    let authority = Authority::new();
    let (node, machine) = machine(&authority).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let outcome = apply_config(&client, NEW, Change::InPlace, deadline(), &silent).await;
    assert_eq!(outcome.expect("an end"), Outcome::Applied(Vec::new()));
    let machine = machine.lock().expect("a lock");
    assert_eq!((machine.running.as_str(), machine.boots), (NEW, 0));
}

#[tokio::test]
async fn a_config_that_is_refused_changes_nothing() {
    let authority = Authority::new();
    let (node, machine) = machine(&authority).await;
    let client = Client::new(&node.address, &authority.identity()).expect("a client");
    let error = apply_config(&client, "machine:\n    nonsense: true\n", Change::Reboot, deadline(), &silent)
        .await
        .expect_err("a refusal");
    assert!(matches!(error, Error::Node { .. }) && error.to_string().contains("unknown keys"), "{error}");
    let machine = machine.lock().expect("a lock");
    assert_eq!((machine.running.as_str(), machine.applied, machine.boots), (OLD, 0, 0));
}

#[tokio::test]
async fn a_reboot_that_was_interrupted_at_any_call_ends_in_one_reboot() {
    let authority = Authority::new();
    let mut interrupted = 0;
    for call in 1.. {
        let (node, machine) = machine(&authority).await;
        let client = Client::new(&node.address, &authority.identity()).expect("a client");
        let killed = Arc::new(Notify::new());
        machine.lock().expect("a lock").interrupt = Some((call, Arc::clone(&killed)));
        let finished = tokio::select! {
            biased;
            () = killed.notified() => false,
            outcome = apply_config(&client, NEW, Change::Reboot, deadline(), &silent) => {
                assert_eq!(outcome.expect("an end"), Outcome::Rebooted(Vec::new()));
                true
            }
        };
        if !finished {
            interrupted += 1;
            apply_config(&client, NEW, Change::Reboot, deadline(), &silent).await.expect("an end");
        }
        let machine = machine.lock().expect("a lock");
        assert_eq!((machine.running.as_str(), machine.boots), (NEW, 1), "interrupted at call {call}");
        if finished {
            break;
        }
    }
    assert!(interrupted >= 7, "{interrupted}");
}
