//! A sandbox per test, and what is claimed of it.

use std::collections::{BTreeMap, BTreeSet};

use acceptance_tests::ledger::{Call, Outcome, Plane};
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};
use acceptance_tests::world::{Object, Sandbox, SandboxConfig};

use crate::configuration::Configuration;

/// A cloud with nodes, gone with the value.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
}

/// What stands in the cloud, by kind.
#[derive(Clone, Debug)]
pub(crate) struct Inventory(pub(crate) Vec<Object>);

pub(crate) fn tool(kind: Kind) -> Tool {
    Tool::find(kind).unwrap()
}

impl World {
    pub(crate) async fn start() -> Self {
        Self { sandbox: Sandbox::start(SandboxConfig::default()).await.unwrap() }
    }

    /// An address range whose addresses this machine answers.
    pub(crate) fn cidr(&self) -> String {
        self.sandbox.vpc_cidr().to_string()
    }

    /// A directory with this configuration, ready to plan.
    pub(crate) fn workspace(&self, kind: Kind, configuration: &Configuration) -> Workspace {
        let workspace = Workspace::new(tool(kind), Install::Override, self.sandbox.env()).unwrap();
        workspace.write("main.tf", &configuration.hcl()).unwrap();
        workspace
    }

    /// Has somebody else do something in the account, in Python with boto3; what is printed.
    pub(crate) async fn person(&self, script: &str) -> String {
        let python = acceptance_tests::python::interpreter().await.unwrap();
        let mut command = tokio::process::Command::new(python);
        command.arg("-c").arg(format!("import json, time\nimport boto3\n{script}")).envs(self.sandbox.env());
        let output = command.kill_on_drop(true).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) async fn inventory(&self) -> Inventory {
        Inventory(self.sandbox.inventory().await.unwrap())
    }

    /// Claims that the nodes went through nothing that no cluster may go through, such as a second etcd, and that none of
    /// them booted from a config that Talos refuses.
    #[track_caller]
    pub(crate) fn nodes_are_sound(&self) {
        let nodes = self.sandbox.nodes().unwrap();
        assert_eq!(nodes.violations(), Vec::<String>::new());
        assert!(nodes.boot_failures().is_empty(), "{:?}", nodes.boot_failures());
    }

    /// Claims that nothing of ours is left, and that the nodes were sound to the end.
    pub(crate) async fn is_empty(&self) {
        self.nodes_are_sound();
        let inventory = self.inventory().await;
        assert!(inventory.0.is_empty(), "these are left in the cloud: {:#?}", inventory.0);
    }

    /// Claims that no call after this one changed something, or tried to.
    #[track_caller]
    pub(crate) fn unchanged_since(&self, number: u64) {
        let changes: Vec<Call> = self.sandbox.ledger().calls_after(number).into_iter().filter(is_change).collect();
        assert!(changes.is_empty(), "nothing should have been changed: {changes:#?}");
    }
}

impl Inventory {
    pub(crate) fn of(&self, kind: &str) -> Vec<&Object> {
        self.0.iter().filter(|object| object.kind == kind).collect()
    }

    /// Ids of the machines.
    pub(crate) fn machines(&self) -> BTreeSet<String> {
        self.of("instance").into_iter().map(|object| object.id.clone()).collect()
    }

    /// How many of each kind there are.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for object in &self.0 {
            *counts.entry(object.kind.clone()).or_default() += 1;
        }
        counts
    }
}

/// Whether a call changes something when it is carried out.
pub(crate) fn is_change(call: &Call) -> bool {
    match call.plane {
        Plane::Cloud => !["Describe", "Get", "List", "Head", "Assume", "Decode"].iter().any(|verb| call.action.starts_with(verb)),
        Plane::Talos => matches!(
            call.action.as_str(),
            "ApplyConfiguration"
                | "Bootstrap"
                | "Reboot"
                | "Reset"
                | "Shutdown"
                | "Upgrade"
                | "EtcdLeaveCluster"
                | "EtcdForfeitLeadership"
                | "EtcdRemoveMember"
                | "EtcdRemoveMemberByID"
                | "ServiceRestart"
                | "ServiceStop"
                | "Pull"
        ),
        Plane::Kubernetes => !["GET ", "HEAD "].iter().any(|verb| call.action.starts_with(verb)),
    }
}

/// Whether a call was carried out.
pub(crate) fn took_effect(call: &Call) -> bool {
    matches!(call.outcome, Outcome::Ok | Outcome::Lost)
}
