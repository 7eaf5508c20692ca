//! Which machines stay, which are made, which go: desired nodes against what the cloud shows.

use std::collections::BTreeMap;

use clouds::{Machine, MachineStatus};

use super::desired::{DesiredNode, node_name};

/// What has to happen to the machines of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reconciliation {
    /// Machines that stay, by node name.
    pub(super) keep: BTreeMap<String, Machine>,
    /// Nodes to make: name, and the machine whose place the new one takes.
    pub(super) create: Vec<(String, Option<String>)>,
    /// Machines to take away, surplus and unusable ones.
    pub(super) remove: Vec<Machine>,
}

/// Compares. A machine stays if its name is asked for and `usable` says so; of two machines of one name the first stays.
pub(super) fn reconcile(
    desired: &BTreeMap<String, DesiredNode>,
    existing: &[Machine],
    usable: impl Fn(&str, &Machine) -> bool,
) -> Reconciliation {
    let mut result = Reconciliation::default();
    let mut unusable: BTreeMap<String, String> = BTreeMap::new();
    for machine in existing.iter().filter(|machine| machine.status != MachineStatus::Terminated) {
        let name = node_name(machine.role, &machine.pool, machine.index);
        if desired.contains_key(&name) && !result.keep.contains_key(&name) && usable(&name, machine) {
            result.keep.insert(name, machine.clone());
        } else {
            unusable.entry(name).or_insert_with(|| machine.id.clone());
            result.remove.push(machine.clone());
        }
    }
    for name in desired.keys().filter(|name| !result.keep.contains_key(*name)) {
        result.create.push((name.clone(), unusable.get(name).cloned()));
    }
    // The node that remembers the secrets comes first.
    result.create.sort_by_key(|(name, _)| (!desired[name].is_control_plane(), desired[name].pool.clone(), desired[name].index));
    result
}

/// Where a node's Talos API is reached: where the cloud publishes it, else at its public address, else at its private one.
pub(super) fn address(machine: &Machine) -> Option<String> {
    let own = || machine.public_ip.or(machine.private_ip).map(|address| address.to_string());
    machine.talos_address.clone().or_else(own)
}

#[cfg(test)]
mod tests {
    use clouds::MachineRole;

    use super::*;

    fn node(role: MachineRole, pool: &str, index: u32) -> (String, DesiredNode) {
        let node = DesiredNode {
            role,
            pool: pool.to_owned(),
            block: 0,
            index,
            machine_type: "large".to_owned(),
            disk_size: 50,
            disk_type: "gp3".to_owned(),
            zones: Vec::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            taints: Vec::new(),
            patches: Vec::new(),
        };
        (node_name(role, pool, index), node)
    }

    fn machine(id: &str, role: MachineRole, pool: &str, index: u32, bundle: &str) -> Machine {
        Machine {
            id: id.to_owned(),
            role,
            pool: pool.to_owned(),
            index,
            machine_type: "t3.2xlarge".to_owned(),
            zone: "us-east-1a".to_owned(),
            status: MachineStatus::Running,
            private_ip: None,
            public_ip: None,
            talos_address: None,
            image_id: "ami-1".to_owned(),
            bundle_fingerprint: bundle.to_owned(),
            tags: BTreeMap::new(),
        }
    }

    fn three_and_two() -> BTreeMap<String, DesiredNode> {
        (0..3)
            .map(|index| node(MachineRole::ControlPlane, "", index))
            .chain((0..2).map(|index| node(MachineRole::Worker, "general", index)))
            .collect()
    }

    fn booted_with(bundle: &str) -> impl Fn(&str, &Machine) -> bool {
        move |_, machine| machine.bundle_fingerprint == bundle
    }

    #[test]
    fn from_nothing_the_first_control_plane_node_comes_first() {
        let desired = three_and_two();
        let plan = reconcile(&desired, &[], booted_with("b1"));
        let names: Vec<&str> = plan.create.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["control-plane-0", "control-plane-1", "control-plane-2", "general-0", "general-1"]);
    }

    #[test]
    fn what_stands_is_kept_and_the_rest_is_made() {
        let desired = three_and_two();
        let existing =
            [machine("i-1", MachineRole::ControlPlane, "", 0, "b1"), machine("i-2", MachineRole::Worker, "general", 1, "b1")];
        let plan = reconcile(&desired, &existing, booted_with("b1"));
        assert_eq!(plan.keep.keys().collect::<Vec<_>>(), ["control-plane-0", "general-1"]);
        assert_eq!(plan.create.len(), 3);
        assert!(plan.remove.is_empty());
    }

    #[test]
    fn a_machine_with_another_bundle_is_replaced_and_named_as_replaced() {
        let desired = three_and_two();
        let existing = [machine("i-9", MachineRole::Worker, "general", 0, "other")];
        let plan = reconcile(&desired, &existing, booted_with("b1"));
        assert_eq!(plan.remove[0].id, "i-9");
        assert!(plan.create.contains(&("general-0".to_owned(), Some("i-9".to_owned()))));
    }

    #[test]
    fn a_second_machine_of_one_name_and_a_surplus_one_go() {
        let desired = three_and_two();
        let existing = [
            machine("i-1", MachineRole::Worker, "general", 0, "b1"),
            machine("i-2", MachineRole::Worker, "general", 0, "b1"),
            machine("i-3", MachineRole::Worker, "general", 7, "b1"),
        ];
        let plan = reconcile(&desired, &existing, booted_with("b1"));
        let gone: Vec<&str> = plan.remove.iter().map(|machine| machine.id.as_str()).collect();
        assert_eq!(gone, ["i-2", "i-3"]);
        assert_eq!(plan.keep["general-0"].id, "i-1");
    }
}
