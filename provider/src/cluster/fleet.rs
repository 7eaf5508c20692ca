//! A cluster's machines, and the ways to its nodes and its API.

use std::collections::BTreeMap;
use std::future::Future;

use clouds::{ClusterState, Machine, MachineRole};
use talos::client::{Clients, Identity};
use talos::config::MachineConfig;
use talos::kubernetes::Cluster;
use talos::lifecycle;
use tf_provider::{Diagnostic, Diagnostics};

use super::credentials::{self, RUN_LIFETIME, unusable};
use super::desired::{DesiredNode, desired_nodes};
use super::machines::address;
use super::model::ClusterModel;
use super::record::Record;
use super::render::{Blueprint, endpoint};
use super::site::Site;
use crate::diagnostics;

/// Machines by node name.
pub(super) type Machines = BTreeMap<String, Machine>;

/// Desired nodes of a plan that is carried out. A value that is still not known would ask for no node at all, and what is not asked
/// for is taken away: that ends here.
pub(super) fn wanted(plan: &ClusterModel) -> Result<BTreeMap<String, DesiredNode>, Diagnostics> {
    desired_nodes(plan).filter(|nodes| nodes.values().any(DesiredNode::is_control_plane)).ok_or_else(|| {
        Diagnostic::error("The plan does not say which nodes the cluster has")
            .detail(
                "A value that shapes its nodes is not known when the plan is carried out. Nothing was changed. This is a mistake of \
                 the provider: please report it, with the configuration of `control_plane` and `worker_pool`.",
            )
            .into()
    })
}

/// A cluster's machines and all that is needed to work on them.
pub(super) struct Fleet<'a> {
    pub(super) site: &'a Site,
    pub(super) cluster: &'a ClusterState,
    pub(super) blueprint: &'a Blueprint<'a>,
    pub(super) record: &'a Record<'a>,
    /// The nodes that the plan asks for.
    pub(super) nodes: &'a BTreeMap<String, DesiredNode>,
}

impl Fleet<'_> {
    pub(super) fn name(&self) -> String {
        self.record.current().0.name.as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn talos(&self) -> Result<Clients, Diagnostics> {
        Clients::new(&credentials::identity(self.blueprint.bundle())?).map_err(|error| unusable(&error.to_string()))
    }

    /// The Kubernetes API, through the cluster's endpoint.
    pub(super) fn kubernetes(&self) -> Result<Cluster, Diagnostics> {
        let identity =
            Identity::kubernetes_admin(self.blueprint.bundle(), RUN_LIFETIME).map_err(|error| unusable(&error.to_string()))?;
        Cluster::new(&endpoint(&self.cluster.api_address), &identity).map_err(|error| unusable(&error.to_string()))
    }

    /// Carries out a wait for nodes, and ends it early where the cloud sees one of their machines end again and again.
    pub(super) async fn watched<T>(
        &self,
        machines: &Machines,
        wait: impl Future<Output = Result<T, Diagnostics>>,
    ) -> Result<T, Diagnostics> {
        let ids: Vec<String> = machines.values().map(|machine| machine.id.clone()).collect();
        tokio::select! {
            done = wait => done,
            failed = self.site.cloud.watch_machines(&ids) => {
                Err(diagnostics::cloud(&format!("A machine of cluster `{}` does not stay up", self.name()), &failed).into())
            }
        }
    }

    pub(super) fn config_of(&self, node: &DesiredNode, machine: &Machine) -> Result<MachineConfig, Diagnostics> {
        self.blueprint.node_config(node, &machine.zone, &machine.machine_type)
    }
}

pub(super) fn note_config(fleet: &Fleet<'_>, name: &str, config: &MachineConfig, reboots: i64) {
    let (model, _) = fleet.record.current();
    if let Some(mut node) = model.nodes.known().and_then(|nodes| nodes.get(name)).and_then(|node| node.known().cloned()) {
        node.config = config.fingerprint().into();
        node.reboots = (node.reboots.known().copied().unwrap_or(0) + reboots).into();
        fleet.record.node(name, node);
    }
}

pub(super) fn ids_of(machines: &Machines, role: MachineRole) -> Vec<String> {
    machines.values().filter(|machine| machine.role == role).map(|machine| machine.id.clone()).collect()
}

pub(super) fn addresses<'m>(machines: impl IntoIterator<Item = &'m Machine>) -> Vec<String> {
    machines.into_iter().filter_map(address).collect()
}

pub(super) fn control_plane(machines: &Machines) -> Vec<String> {
    addresses(machines.values().filter(|machine| machine.role == MachineRole::ControlPlane))
}

pub(super) fn reach(machine: &Machine) -> Result<String, Diagnostics> {
    address(machine).ok_or_else(|| {
        Diagnostic::error(format!("Machine `{}` has no address", machine.id))
            .detail("It was stopped, or lost its network interface.")
            .into()
    })
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn step(error: lifecycle::Error) -> Diagnostics {
    Diagnostic::error("The cluster did not become healthy")
        .detail(format!("{error}\n\nAll that exists is kept, and the next apply goes on from it."))
        .into()
}

pub(super) fn progress(line: &str) {
    tracing::info!("{line}");
}
