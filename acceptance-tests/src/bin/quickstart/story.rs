//! Tells a person what happens while a command runs.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use acceptance_tests::ledger::Outcome;
use acceptance_tests::terraform::Run;
use acceptance_tests::world::Sandbox;
use serde_json::Value as Json;

use crate::deeds::Deeds;
use crate::screen::Screen;
use crate::waits;

/// How often the ledger is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Tells what happens, each thing once.
pub(crate) struct Story<'a> {
    screen: &'a Screen,
    sandbox: &'a Sandbox,
    deeds: Deeds,
    /// Calls that have been looked at since they ended.
    past: BTreeSet<u64>,
    told: BTreeSet<String>,
    /// When work on a resource began, by its address.
    began: HashMap<String, Instant>,
}

impl<'a> Story<'a> {
    /// A story of this sandbox.
    pub(crate) fn new(screen: &'a Screen, sandbox: &'a Sandbox) -> Self {
        let (past, told, began) = (BTreeSet::new(), BTreeSet::new(), HashMap::new());
        Self { screen, sandbox, deeds: Deeds::default(), past, told, began }
    }

    /// Shows what a running command does until it has printed its last line: the cloud's and the nodes' side from the
    /// ledger, Terraform's from its own output, what is waited for from the provider's log.
    pub(crate) async fn tell(&mut self, run: &mut Run) {
        let (Some(mut messages), Some(mut log)) = (run.messages(), run.log()) else { return };
        let before = self.sandbox.ledger().newest();
        let mut tick = tokio::time::interval(TICK);
        let mut logs = true;
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => {
                        self.calls(before);
                        self.message(&message);
                    }
                    None => break,
                },
                line = log.recv(), if logs => match line {
                    Some(line) => {
                        self.calls(before);
                        self.wait(&line);
                    }
                    None => logs = false,
                },
                _ = tick.tick() => self.calls(before),
            }
        }
    }

    /// Tells the calls after this one that have ended meanwhile.
    fn calls(&mut self, before: u64) {
        for call in self.sandbox.ledger().calls_after(before) {
            // A call whose client went away stays open for ever.
            if call.outcome == Outcome::Open || !self.past.insert(call.number) || call.outcome != Outcome::Ok {
                continue;
            }
            for (subject, text) in self.deeds.of(&call) {
                self.once(subject, &text);
            }
        }
    }

    fn wait(&mut self, line: &str) {
        if let Some((step, stands)) = waits::read(line) {
            let subject = if step == "Kubernetes API" { "kubernetes" } else { step };
            // The provider calls nodes by their addresses.
            let node_at = |address| self.sandbox.nodes()?.instance_at(address);
            let stands = self.deeds.with_names(stands, node_at);
            self.once(subject, &format!("not yet: {stands}"));
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
        match message["type"].as_str() {
            Some("planned_change") => {
                let action = message["change"]["action"].as_str().unwrap_or_default();
                let address = message["change"]["resource"]["addr"].as_str().unwrap_or_default();
                // A saved plan is told again when it is applied.
                self.once("plan", &format!("{action} {address}"));
            }
            Some("apply_start") => {
                self.began.insert(address().to_owned(), Instant::now());
                self.screen.event(address(), format!("{} …", verb(message, "creating", "changing in place", "destroying")));
            }
            Some("apply_complete") => {
                let done = verb(message, "created", "changed in place", "destroyed");
                let took = self.began.remove(address()).map(|began| began.elapsed()).unwrap_or_default();
                self.screen.done(format!("{} {done} after {:.1} s", address(), took.as_secs_f64()));
            }
            Some("diagnostic") => {
                let text = |name: &str| message["diagnostic"][name].as_str().unwrap_or_default();
                let detail = text("detail").replace('\n', &format!("\n{:34}", ""));
                self.once(text("severity"), format!("{}\n{:34}{detail}", text("summary"), "").trim_end());
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
