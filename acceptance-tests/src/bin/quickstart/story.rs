//! Tells a person what the calls in the ledger mean.

use std::collections::BTreeSet;
use std::time::Duration;

use acceptance_tests::ledger::{Call, Ledger, Outcome, Plane};
use acceptance_tests::terraform::Run;
use serde_json::Value as Json;

use crate::screen::Screen;

/// How often the ledger is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Shows what a running command does until it has printed its last line: the cloud's and the nodes' side from the
/// ledger, Terraform's from its own output.
pub(crate) async fn tell(screen: &Screen, ledger: &Ledger, run: &mut Run) {
    let Some(mut messages) = run.messages() else { return };
    let mut seen = ledger.newest();
    let mut told = BTreeSet::new();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => tell_message(screen, &message),
                None => break,
            },
            _ = tick.tick() => seen = tell_calls(screen, ledger, seen, &mut told),
        }
    }
    tell_calls(screen, ledger, seen, &mut told);
}

/// Tells the calls after number `seen` that have ended, and returns up to where.
fn tell_calls(screen: &Screen, ledger: &Ledger, mut seen: u64, told: &mut BTreeSet<String>) -> u64 {
    for call in ledger.calls_after(seen) {
        if call.outcome == Outcome::Open {
            break;
        }
        seen = call.number;
        if call.outcome != Outcome::Ok {
            continue;
        }
        if let Some((subject, text)) = phase(&call) {
            // A poll says the same again and again.
            if told.insert(format!("{subject} {text}")) {
                screen.event(subject, text);
            }
        }
    }
    seen
}

fn tell_message(screen: &Screen, message: &Json) {
    let address = || message["hook"]["resource"]["addr"].as_str().unwrap_or_default();
    let seconds = || message["hook"]["elapsed_seconds"].as_f64().unwrap_or_default();
    match message["type"].as_str() {
        Some("planned_change") => {
            let action = message["change"]["action"].as_str().unwrap_or_default();
            screen.event("plan", format!("{action} {}", message["change"]["resource"]["addr"].as_str().unwrap_or_default()));
        }
        Some("apply_start") => {
            screen.event(address(), format!("{} …", verb(message, "creating", "changing in place", "destroying")));
        }
        Some("apply_complete") => {
            screen.done(format!(
                "{} {} in {:.0} s",
                address(),
                verb(message, "created", "changed in place", "destroyed"),
                seconds()
            ));
        }
        Some("diagnostic") => {
            let diagnostic = &message["diagnostic"];
            let text = |name: &str| diagnostic[name].as_str().unwrap_or_default();
            screen.event(text("severity"), text("summary"));
            for line in text("detail").lines() {
                screen.text(format!("{:29}{line}", ""));
            }
        }
        _ => {}
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
        (Plane::Cloud, "CreateListener") => ("load balancer", format!("listener {}", detail("Port"))),
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
