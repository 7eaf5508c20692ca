//! What exists by now, as the row of state that is kept when an operation ends early.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clouds::{ClusterState, Machine, MachineRole};
use serde::{Deserialize, Serialize};
use talos::secrets::Bundle;
use tf_provider::{ApplyContext, Value};

use super::ClusterResource;
use super::model::{ClusterModel, Node};

/// What the state file keeps beside the row, hidden from plans and outputs.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct ClusterPrivate {
    /// The secrets; absent until they exist.
    pub(super) bundle: Option<Bundle>,
}

/// The row as it grows, checkpointed after each change.
pub(super) struct Record<'a> {
    context: &'a ApplyContext<ClusterResource>,
    row: Mutex<(ClusterModel, ClusterPrivate)>,
}

impl<'a> Record<'a> {
    pub(super) fn new(context: &'a ApplyContext<ClusterResource>, model: ClusterModel, private: ClusterPrivate) -> Self {
        Self { context, row: Mutex::new((model, private)) }
    }

    fn lock(&self) -> MutexGuard<'_, (ClusterModel, ClusterPrivate)> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the row and hands it to the framework.
    pub(super) fn change(&self, change: impl FnOnce(&mut ClusterModel, &mut ClusterPrivate)) {
        let mut row = self.lock();
        let (model, private) = &mut *row;
        change(model, private);
        self.context.checkpoint(model, private);
    }

    /// The cluster's own objects, as far as they stand.
    pub(super) fn cluster(&self, state: &ClusterState) {
        self.change(|model, _| {
            model.security_group_id = state.security_group_id.clone().into();
            super::render::note_endpoints(model, state);
        });
    }

    pub(super) fn node(&self, name: &str, node: Node) {
        self.change(|model, _| {
            nodes_mut(model).insert(name.to_owned(), node.into());
        });
    }

    pub(super) fn forget_node(&self, name: &str) {
        self.change(|model, _| {
            nodes_mut(model).remove(name);
        });
    }

    pub(super) fn current(&self) -> (ClusterModel, ClusterPrivate) {
        self.lock().clone()
    }
}

fn nodes_mut(model: &mut ClusterModel) -> &mut BTreeMap<String, Value<Node>> {
    if model.nodes.known().is_none() {
        model.nodes = BTreeMap::new().into();
    }
    match &mut model.nodes {
        Value::Known(nodes) => nodes,
        // Just made known.
        Value::Null | Value::Unknown(_) => unreachable!(),
    }
}

/// A node's entry, from its machine.
pub(super) fn node_of(machine: &Machine, talos_version: &str, config: &str, reboots: i64) -> Node {
    Node {
        role: role_name(machine.role).to_owned().into(),
        pool: pool_value(machine.role, &machine.pool),
        machine_type: machine.machine_type.clone().into(),
        zone: machine.zone.clone().into(),
        instance_id: machine.id.clone().into(),
        private_ip: address(machine.private_ip),
        public_ip: address(machine.public_ip),
        talos_version: talos_version.to_owned().into(),
        config: config.to_owned().into(),
        reboots: reboots.into(),
    }
}

fn address(ip: Option<std::net::Ipv4Addr>) -> Value<String> {
    ip.map_or(Value::Null, |ip| ip.to_string().into())
}

pub(super) fn role_name(role: MachineRole) -> &'static str {
    match role {
        MachineRole::ControlPlane => "control-plane",
        MachineRole::Worker => "worker",
    }
}

pub(super) fn pool_value(role: MachineRole, pool: &str) -> Value<String> {
    match role {
        MachineRole::ControlPlane => Value::Null,
        MachineRole::Worker => pool.to_owned().into(),
    }
}
