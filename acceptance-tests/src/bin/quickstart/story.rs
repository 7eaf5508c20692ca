//! Tells a person what the calls in the ledger mean.

use std::collections::BTreeSet;
use std::time::Duration;

use acceptance_tests::ledger::{Call, Ledger, Outcome, Plane};
use acceptance_tests::terraform::Run;
use serde_json::Value as Json;

use crate::screen::Screen;

/// How often the ledger is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Tells what happens, each thing once.
pub(crate) struct Story<'a> {
    screen: &'a Screen,
    ledger: &'a Ledger,
    /// Calls that have been looked at since they ended.
    past: BTreeSet<u64>,
    told: BTreeSet<String>,
}

impl<'a> Story<'a> {
    /// A story of this ledger.
    pub(crate) fn new(screen: &'a Screen, ledger: &'a Ledger) -> Self {
        Self { screen, ledger, past: BTreeSet::new(), told: BTreeSet::new() }
    }

    /// Shows what a running command does until it has printed its last line: the cloud's and the nodes' side from the
    /// ledger, Terraform's from its own output.
    pub(crate) async fn tell(&mut self, run: &mut Run) {
        let Some(mut messages) = run.messages() else { return };
        let before = self.ledger.newest();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => {
                        self.calls(before);
                        self.message(&message);
                    }
                    None => break,
                },
                _ = tick.tick() => self.calls(before),
            }
        }
    }

    /// Tells the calls after this one that have ended meanwhile.
    fn calls(&mut self, before: u64) {
        for call in self.ledger.calls_after(before) {
            // A call whose client went away stays open for ever.
            if call.outcome == Outcome::Open || !self.past.insert(call.number) || call.outcome != Outcome::Ok {
                continue;
            }
            if let Some((subject, text)) = phase(&call) {
                // Later, a node that answers is no news.
                let bootstrapped = self.told.iter().any(|told| told.starts_with("etcd"));
                if subject == "talos" && call.action == "Version" && bootstrapped {
                    continue;
                }
                self.once(&subject, &text);
            }
        }
    }

    /// Polls and repeated warnings say the same again and again.
    fn once(&mut self, subject: &str, text: &str) {
        if self.told.insert(format!("{subject} {text}")) {
            self.screen.event(subject, text);
        }
    }

    fn message(&mut self, message: &Json) {
        let address = || message["hook"]["resource"]["addr"].as_str().unwrap_or_default();
        let seconds = || message["hook"]["elapsed_seconds"].as_f64().unwrap_or_default();
        match message["type"].as_str() {
            Some("planned_change") => {
                let action = message["change"]["action"].as_str().unwrap_or_default();
                let address = message["change"]["resource"]["addr"].as_str().unwrap_or_default();
                self.screen.event("plan", format!("{action} {address}"));
            }
            Some("apply_start") => {
                self.screen.event(address(), format!("{} …", verb(message, "creating", "changing in place", "destroying")));
            }
            Some("apply_complete") => {
                let done = verb(message, "created", "changed in place", "destroyed");
                self.screen.done(format!("{} {done} in {:.0} s", address(), seconds()));
            }
            Some("diagnostic") => {
                let text = |name: &str| message["diagnostic"][name].as_str().unwrap_or_default();
                let detail = text("detail").replace('\n', &format!("\n{:35}", ""));
                self.once(text("severity"), format!("{}\n{:35}{detail}", text("summary"), "").trim_end());
            }
            _ => {}
        }
    }
}

fn verb<'a>(message: &Json, create: &'a str, update: &'a str, delete: &'a str) -> &'a str {
    match message["hook"]["action"].as_str() {
        Some("create") => create,
        Some("update") => update,
        _ => delete,
    }
}

/// What a call that took effect means to a person; `None` for what is only a look or a detail.
fn phase(call: &Call) -> Option<(String, String)> {
    let detail = |name: &str| call.detail[name].as_str().unwrap_or_default();
    let (subject, text) = match (call.plane, call.action.as_str()) {
        (Plane::Cloud, "CreateVpc") => ("network", format!("VPC {}", detail("CidrBlock"))),
        (Plane::Cloud, "CreateSubnet") => ("network", format!("subnet {} {}", detail("CidrBlock"), detail("AvailabilityZone"))),
        (Plane::Cloud, "CreateInternetGateway") => ("network", "internet gateway".to_owned()),
        (Plane::Cloud, "CreateSecurityGroup") => ("firewall", format!("security group {}", detail("GroupName"))),
        (Plane::Cloud, "CreateLoadBalancer") => ("load balancer", detail("Name").to_owned()),
        (Plane::Cloud, "CreateTargetGroup") => ("load balancer", format!("target group {}", detail("Name"))),
        (Plane::Cloud, "CreateListener") => ("load balancer", format!("listens on {}", detail("Port"))),
        (Plane::Cloud, "RunInstances") => ("machine", format!("{} {}", detail("InstanceType"), name_tag(&call.detail))),
        (Plane::Cloud, "TerminateInstances") => ("machines", "terminated".to_owned()),
        (Plane::Cloud, "CreateBucket") => ("bucket", bucket(&call.detail)),
        (Plane::Cloud, "PutBucketVersioning") => ("bucket", "versioning".to_owned()),
        (Plane::Cloud, "PutBucketEncryption") => ("bucket", "encryption at rest".to_owned()),
        (Plane::Cloud, "PutPublicAccessBlock") => ("bucket", "public access blocked".to_owned()),
        (Plane::Cloud, "PutBucketPolicy") => ("bucket", "TLS-only policy".to_owned()),
        (Plane::Cloud, "PutBucketLifecycleConfiguration") => ("bucket", "lifecycle".to_owned()),
        (Plane::Cloud, "DeleteBucket") => ("bucket", "deleted".to_owned()),
        (Plane::Cloud, "DeleteLoadBalancer") => ("load balancer", "deleted".to_owned()),
        (Plane::Cloud, "DeleteVpc") => ("network", "VPC deleted".to_owned()),
        (Plane::Talos, "Version") => ("talos", format!("{} answers", call.service)),
        (Plane::Talos, "Bootstrap") => ("etcd", format!("bootstrapped, once, on {}", call.service)),
        (Plane::Talos, "ApplyConfiguration") => ("talos", format!("config applied to {}", call.service)),
        (Plane::Kubernetes, action) if action.ends_with("/readyz") => {
            ("kubernetes", "the API is ready through the load balancer".to_owned())
        }
        _ => return None,
    };
    Some((subject.to_owned(), text))
}

fn bucket(detail: &Json) -> String {
    detail["Bucket"].as_str().unwrap_or_default().to_owned()
}

/// The `Name` tag among a call's parameters: `TagSpecification.1.Tag.3.Key` says which `….Value` it is.
fn name_tag(detail: &Json) -> String {
    let fields = detail.as_object().into_iter().flatten();
    fields
        .filter(|(_, value)| *value == "Name")
        .find_map(|(key, _)| detail[format!("{}.Value", key.strip_suffix(".Key")?)].as_str())
        .unwrap_or_default()
        .to_owned()
}
