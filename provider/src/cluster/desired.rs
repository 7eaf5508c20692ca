//! Which nodes a cluster's configuration asks for.

use std::collections::{BTreeMap, BTreeSet};

use clouds::MachineRole;
use tf_provider::{Path, Value, path};

use super::model::{ClusterModel, ControlPlane, WorkerPool};
use crate::tags::plain;

/// Prefix of the control plane's node names.
pub(super) const CONTROL_PLANE: &str = "control-plane";

/// A node as the configuration asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredNode {
    pub(super) role: MachineRole,
    /// Empty for the control plane.
    pub(super) pool: String,
    /// Which of the `worker_pool` blocks asks for it.
    pub(super) block: usize,
    pub(super) index: u32,
    /// As configured: ours or the cloud's own name.
    pub(super) machine_type: String,
    pub(super) disk_size: u32,
    pub(super) disk_type: String,
    /// Empty: all zones of the region.
    pub(super) zones: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) taints: Vec<String>,
    /// The cluster's patches, then the pool's.
    pub(super) patches: Vec<String>,
}

impl DesiredNode {
    pub(super) fn is_control_plane(&self) -> bool {
        self.role == MachineRole::ControlPlane
    }

    /// `the control plane`, or which pool.
    pub(super) fn owner(&self) -> String {
        if self.is_control_plane() { "the control plane".to_owned() } else { format!("pool `{}`", self.pool) }
    }

    /// The block of the configuration that asks for it.
    pub(super) fn place(&self) -> Path {
        if self.is_control_plane() { path!("control_plane") } else { path!("worker_pool").element(self.block) }
    }
}

/// `control-plane-0`, `general-2`, …
pub(super) fn node_name(role: MachineRole, pool: &str, index: u32) -> String {
    match role {
        MachineRole::ControlPlane => format!("{CONTROL_PLANE}-{index}"),
        MachineRole::Worker => format!("{pool}-{index}"),
    }
}

/// All nodes by name, or `None` while the configuration has unknown values that shape them.
pub(super) fn desired_nodes(model: &ClusterModel) -> Option<BTreeMap<String, DesiredNode>> {
    let common = strings(&model.config_patches)?;
    let mut nodes = BTreeMap::new();
    if !model.control_plane.is_null() {
        control_plane(model.control_plane.known()?, &common, &mut nodes)?;
    }
    if !model.worker_pool.is_null() {
        for (block, pool) in model.worker_pool.known()?.iter().enumerate() {
            workers(block, pool, &common, &mut nodes)?;
        }
    }
    Some(nodes)
}

fn control_plane(block: &ControlPlane, common: &[String], nodes: &mut BTreeMap<String, DesiredNode>) -> Option<()> {
    let template = DesiredNode {
        role: MachineRole::ControlPlane,
        pool: String::new(),
        block: 0,
        index: 0,
        machine_type: block.machine_type.known()?.clone(),
        disk_size: u32::try_from(*block.disk_size.known()?).ok()?,
        disk_type: block.disk_type.known()?.clone(),
        zones: zones(&block.zones)?,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        taints: Vec::new(),
        patches: common.iter().cloned().chain(strings(&block.config_patches)?).collect(),
    };
    fill(*block.count.known()?, &template, nodes)
}

fn workers(place: usize, block: &WorkerPool, common: &[String], nodes: &mut BTreeMap<String, DesiredNode>) -> Option<()> {
    let template = DesiredNode {
        role: MachineRole::Worker,
        pool: block.name.known()?.clone(),
        block: place,
        index: 0,
        machine_type: block.machine_type.known()?.clone(),
        disk_size: u32::try_from(*block.disk_size.known()?).ok()?,
        disk_type: block.disk_type.known()?.clone(),
        zones: zones(&block.zones)?,
        labels: plain(&block.labels)?,
        annotations: plain(&block.annotations)?,
        taints: strings(&block.taints)?,
        patches: common.iter().cloned().chain(strings(&block.config_patches)?).collect(),
    };
    fill(*block.count.known()?, &template, nodes)
}

/// Each once and sorted, so that the order in which they are written moves no node.
fn zones(list: &Value<Vec<Value<String>>>) -> Option<Vec<String>> {
    Some(strings(list)?.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

fn fill(count: i64, template: &DesiredNode, nodes: &mut BTreeMap<String, DesiredNode>) -> Option<()> {
    for index in 0..u32::try_from(count).ok()? {
        let node = DesiredNode { index, ..template.clone() };
        nodes.insert(node_name(node.role, &node.pool, index), node);
    }
    Some(())
}

/// The strings of a list; null is empty, anything unknown is `None`.
pub(super) fn strings(list: &Value<Vec<Value<String>>>) -> Option<Vec<String>> {
    if list.is_null() {
        return Some(Vec::new());
    }
    list.known()?.iter().map(|item| item.known().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(count: i64) -> WorkerPool {
        WorkerPool {
            name: "general".to_owned().into(),
            count: count.into(),
            machine_type: "large".to_owned().into(),
            disk_size: 50.into(),
            disk_type: "gp3".to_owned().into(),
            zones: Value::Null,
            labels: Value::Null,
            annotations: Value::Null,
            taints: Value::Null,
            config_patches: Value::from(vec!["b".to_owned().into()]),
        }
    }

    #[test]
    fn a_pool_is_its_nodes_by_name_with_the_clusters_patches_first() {
        let mut nodes = BTreeMap::new();
        workers(0, &pool(2), &["a".to_owned()], &mut nodes).unwrap();
        assert_eq!(nodes.keys().collect::<Vec<_>>(), ["general-0", "general-1"]);
        assert_eq!(nodes["general-1"].patches, ["a", "b"]);
        assert_eq!(nodes["general-1"].index, 1);
    }

    #[test]
    fn an_unknown_count_leaves_the_nodes_unknown() {
        let mut nodes = BTreeMap::new();
        let unknown = WorkerPool { count: Value::unknown(), ..pool(1) };
        assert!(workers(0, &unknown, &[], &mut nodes).is_none());
    }
}
