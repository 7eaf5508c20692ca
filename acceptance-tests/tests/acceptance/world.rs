//! A sandbox per test, and what is claimed of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acceptance_tests::ledger::{Call, Ledger, Outcome, Plane};
use acceptance_tests::nodes::NodeHost;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};
use acceptance_tests::world::{Object, Sandbox, SandboxConfig};

use crate::configuration::Configuration;
use crate::docker::Engine;

/// On containers: the address in the region's network.
const ADDRESS: &str = "inferadb.com/address";
/// What a command may take where nodes pull images and start what is in them.
const REAL_NODES: Duration = Duration::from_mins(30);

/// Which cloud a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cloud {
    Aws,
    Docker,
}

/// A cloud with nodes, gone with the value.
pub(crate) struct World {
    stage: Stage,
}

enum Stage {
    Aws(Sandbox),
    Docker(Engine),
}

/// What stands in the cloud, by kind.
#[derive(Clone, Debug)]
pub(crate) struct Inventory(pub(crate) Vec<Object>);

pub(crate) fn tool(kind: Kind) -> Tool {
    Tool::find(kind).unwrap()
}

impl World {
    /// AWS.
    pub(crate) async fn start() -> Self {
        Self::start_with(SandboxConfig::default()).await
    }

    /// AWS, set up otherwise than usual.
    pub(crate) async fn start_with(config: SandboxConfig) -> Self {
        Self { stage: Stage::Aws(Sandbox::start(config).await.unwrap()) }
    }

    /// That cloud. `None`, with a line that says so, where it cannot be had.
    pub(crate) async fn on(cloud: Cloud) -> Option<Self> {
        match cloud {
            Cloud::Aws => Some(Self::start().await),
            Cloud::Docker => Engine::open().map(|engine| Self { stage: Stage::Docker(engine) }),
        }
    }

    /// The sandbox, in tests of AWS alone.
    pub(crate) fn aws(&self) -> &Sandbox {
        match &self.stage {
            Stage::Aws(sandbox) => sandbox,
            Stage::Docker(_) => panic!("this is no test of AWS"),
        }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        match &self.stage {
            Stage::Aws(sandbox) => sandbox.ledger(),
            Stage::Docker(engine) => engine.way.ledger(),
        }
    }

    /// Who plays the nodes; `None` for real ones.
    pub(crate) fn nodes(&self) -> Option<&NodeHost> {
        match &self.stage {
            Stage::Aws(sandbox) => sandbox.nodes(),
            Stage::Docker(engine) => engine.nodes.as_ref(),
        }
    }

    /// An address range whose addresses this machine answers.
    pub(crate) fn cidr(&self) -> String {
        match &self.stage {
            Stage::Aws(sandbox) => sandbox.vpc_cidr().to_string(),
            Stage::Docker(engine) => engine.cidr(),
        }
    }

    /// A region alone.
    pub(crate) fn region(&self) -> Configuration {
        match &self.stage {
            Stage::Aws(_) => Configuration::region(self.cidr()),
            Stage::Docker(engine) => engine.region(),
        }
    }

    /// A region with a cluster of three control-plane nodes and two workers.
    pub(crate) fn cluster(&self) -> Configuration {
        match &self.stage {
            Stage::Aws(_) => Configuration::cluster(self.cidr()),
            Stage::Docker(_) => self.region().with(|it| it.cluster = Some(Engine::cluster())),
        }
    }

    /// A region with a backup.
    pub(crate) fn backup(&self) -> Configuration {
        self.region().with(|it| it.backup = Some(String::new()))
    }

    /// A directory with this configuration, ready to plan.
    pub(crate) fn workspace(&self, kind: Kind, configuration: &Configuration) -> Workspace {
        let env = match &self.stage {
            Stage::Aws(sandbox) => sandbox.env(),
            Stage::Docker(engine) => engine.env(),
        };
        let mut workspace = Workspace::new(tool(kind), Install::Override, env).unwrap();
        if self.nodes().is_none() {
            workspace.allow(REAL_NODES);
        }
        workspace.write("main.tf", &configuration.hcl()).unwrap();
        workspace
    }

    /// Has somebody else do something in the account, in Python with boto3; what is printed.
    pub(crate) async fn person(&self, script: &str) -> String {
        let python = acceptance_tests::python::interpreter().await.unwrap();
        let mut command = tokio::process::Command::new(python);
        command.arg("-c").arg(format!("import json, time\nimport boto3\n{script}")).envs(self.aws().env());
        let output = command.kill_on_drop(true).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) async fn inventory(&self) -> Inventory {
        Inventory(match &self.stage {
            Stage::Aws(sandbox) => sandbox.inventory().await.unwrap(),
            Stage::Docker(engine) => engine.way.inventory(&engine.environment()).await.unwrap(),
        })
    }

    /// The machines that stand, as the ledger calls their nodes; nothing for real nodes, which write into no ledger.
    pub(crate) async fn node_ids(&self) -> BTreeSet<String> {
        let inventory = self.inventory().await;
        match &self.stage {
            Stage::Aws(_) => inventory.machines(),
            Stage::Docker(engine) => {
                let addresses = inventory.of("machine").into_iter().filter_map(|machine| machine.tags.get(ADDRESS));
                addresses.filter_map(|address| engine.node_at(address)).collect()
            }
        }
    }

    /// Claims that the nodes went through nothing that no cluster may go through, such as a second etcd, and that none of
    /// them booted from a config that Talos refuses.
    #[track_caller]
    pub(crate) fn nodes_are_sound(&self) {
        let Some(nodes) = self.nodes() else { return };
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
        let changes: Vec<Call> = self.ledger().calls_after(number).into_iter().filter(is_change).collect();
        assert!(changes.is_empty(), "nothing should have been changed: {changes:#?}");
    }
}

impl Inventory {
    pub(crate) fn of(&self, kind: &str) -> Vec<&Object> {
        self.0.iter().filter(|object| object.kind == kind).collect()
    }

    /// Ids of the machines.
    pub(crate) fn machines(&self) -> BTreeSet<String> {
        let machines = self.0.iter().filter(|object| ["instance", "machine"].contains(&object.kind.as_str()));
        machines.map(|object| object.id.clone()).collect()
    }

    /// How many of each kind there are. A mark says something of another object, and a root that was taken up has one more.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for object in self.0.iter().filter(|object| object.kind != "mark") {
            *counts.entry(object.kind.clone()).or_default() += 1;
        }
        counts
    }
}

/// Whether a call changes something when it is carried out.
pub(crate) fn is_change(call: &Call) -> bool {
    match call.plane {
        Plane::Cloud => !["Describe", "Get", "List", "Head", "Assume", "Decode", "GET ", "HEAD "]
            .iter()
            .any(|verb| call.action.starts_with(verb)),
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
