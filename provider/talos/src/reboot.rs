//! Whether a changed config takes effect on a running node, or only when it boots.
//!
//! Source: `CanApplyImmediate` of Talos' runtime, v1.8 to v1.13. From v1.14 on Talos applies every change at once and
//! has no mode that reboots any more; what is listed here still takes effect at boot only, so that a reboot has to be
//! ordered by whoever wants the change.

use crate::config::MachineConfig;
use crate::tree::{Map, Tree};
use crate::version::TalosVersion;

/// The parts of `machine` that Talos changes while it runs.
const LIVE: [&str; 18] = [
    "ca",
    "acceptedCAs",
    "time",
    "certSANs",
    "install",
    "network",
    "sysfs",
    "sysctls",
    "logging",
    "controlPlane",
    "kubelet",
    "kernel",
    "registries",
    "pods",
    "seccompProfiles",
    "nodeAnnotations",
    "nodeLabels",
    "nodeTaints",
];

/// The parts of `machine.features` that it changes while it runs, each with the minor from which on it does.
const LIVE_FEATURES: [(&str, u16); 5] =
    [("kubernetesTalosAPIAccess", 8), ("kubePrism", 8), ("hostDNS", 8), ("imageCache", 9), ("nodeAddressSortAlgorithm", 9)];

/// The first minor whose ApplyConfiguration knows no mode REBOOT (it answers Unimplemented on a running node).
const NO_REBOOT_MODE_SINCE: u16 = 14;

/// Whether a node of that version has to boot for the change from `old` to `new` to take effect.
///
/// Up to v1.13, ApplyConfiguration refuses such a change in mode NO_REBOOT and reboots in mode AUTO.
pub fn requires_reboot(old: &MachineConfig, new: &MachineConfig, version: &TalosVersion) -> bool {
    let (Some(old), Some(new)) = (old.documents().plain(), new.documents().plain()) else {
        return true;
    };
    !fixed(old, version, both_have_features(old, new)).same_as(&fixed(new, version, both_have_features(old, new)))
}

/// Whether that version's ApplyConfiguration can reboot the node itself, by the modes AUTO and REBOOT. Where it cannot,
/// a change that requires a reboot is applied first, and then the node is told to reboot.
pub fn apply_can_reboot(version: &TalosVersion) -> bool {
    version.minor() < NO_REBOOT_MODE_SINCE
}

fn both_have_features(old: &Tree, new: &Tree) -> bool {
    [old, new].iter().all(|document| document.at(&["machine", "features"]).is_some())
}

/// The part of the document that a running node cannot change.
fn fixed(document: &Tree, version: &TalosVersion, features_compared: bool) -> Tree {
    let mut fixed = document.clone();
    let Some(top) = fixed.as_map_mut() else { return fixed };
    top.remove("debug");
    top.remove("cluster");
    if let Some(machine) = top.get_mut("machine").and_then(Tree::as_map_mut) {
        for key in LIVE {
            machine.remove(key);
        }
        if let (true, Some(features)) = (features_compared, machine.get_mut("features").and_then(Tree::as_map_mut)) {
            remove_live_features(features, version);
        }
    }
    fixed
}

fn remove_live_features(features: &mut Map, version: &TalosVersion) {
    for (key, since) in LIVE_FEATURES {
        if version.minor() >= since {
            features.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(version: &str, old: &str, new: &str) -> bool {
        let version = TalosVersion::parse(version).unwrap();
        let read = |text: &str| MachineConfig::parse(text, &version).unwrap();
        requires_reboot(&read(old), &read(new), &version)
    }

    const BASE: &str = "machine: {type: worker, features: {rbac: true}}\ncluster: {clusterName: a}\n";

    #[test]
    fn what_talos_changes_while_it_runs_needs_no_reboot() {
        for new in [
            BASE,
            "machine: {type: worker, features: {rbac: true}}\ncluster: {clusterName: b}\ndebug: true\n",
            "machine: {type: worker, features: {rbac: true, kubePrism: {enabled: true}}, sysctls: {a: b}, install: {disk: x}}\ncluster: {clusterName: a}\n",
            "machine: {type: worker, features: {rbac: true}}\ncluster: {clusterName: a}\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: x\nurl: udp://10.0.0.1:1\n",
        ] {
            assert!(!decide("v1.13.9", BASE, new), "{new}");
        }
    }

    #[test]
    fn the_rest_needs_a_reboot() {
        for new in [
            "machine: {type: controlplane, features: {rbac: true}}\n",
            "machine: {type: worker, features: {rbac: false}}\n",
            "machine: {type: worker, features: {rbac: true}, env: {HTTP_PROXY: x}}\n",
            "machine: {type: worker, features: {rbac: true}, files: [{path: /var/x, op: create, content: x, permissions: 0o644}]}\n",
            "machine: {type: worker}\n",
        ] {
            assert!(decide("v1.13.9", BASE, new), "{new}");
        }
    }

    #[test]
    fn newer_versions_change_more_while_they_run() {
        let new = "machine: {type: worker, features: {rbac: true, nodeAddressSortAlgorithm: v2}}\n";
        assert!(decide("v1.9.5", BASE, new.replace("rbac: true", "rbac: false").as_str()));
        assert!(!decide("v1.9.5", BASE, new));
        assert!(apply_can_reboot(&TalosVersion::parse("v1.13.9").unwrap()));
        assert!(!apply_can_reboot(&TalosVersion::parse("v1.14.1").unwrap()));
    }
}
