//! Checks of single attributes, made in every plan as soon as their value is known.

use std::collections::BTreeMap;

use talos::validate::{label_for_worker, label_value, qualified_name};
use talos::version::{KubernetesVersion, TalosVersion};
use tf_provider::Value;

use crate::ids::RegionId;
use crate::names::check_label;
use crate::networks;

type Checked = Result<(), String>;

/// The most nodes of a pool; beyond that a plan takes a slip of the keyboard for an order.
const MOST_WORKERS: i64 = 1000;

pub(super) fn cluster_name(name: &str) -> Checked {
    check_label(name, 32)
}

pub(super) fn pool_name(name: &str) -> Checked {
    if name == super::desired::CONTROL_PLANE {
        return Err(format!("`{name}` is taken by the control plane's own nodes"));
    }
    check_label(name, 32)
}

pub(super) fn region_id(id: &str) -> Checked {
    id.parse::<RegionId>().map(drop).map_err(|error| error.to_string())
}

pub(super) fn talos_version(version: &str) -> Checked {
    TalosVersion::parse(version).map(drop).map_err(|error| error.to_string())
}

pub(super) fn kubernetes_version(version: &str) -> Checked {
    KubernetesVersion::parse(version).map(drop).map_err(|error| error.to_string())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the derive passes attributes by reference")]
pub(super) fn control_plane_count(count: &i64) -> Checked {
    match count {
        1 | 3 | 5 | 7 => Ok(()),
        even if even % 2 == 0 && *even > 0 => {
            Err(format!("{even} control-plane nodes tolerate no more failures than {}: expected 1, 3, 5 or 7", even - 1))
        }
        other => Err(format!("{other} control-plane nodes cannot be had: expected 1, 3, 5 or 7")),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the derive passes attributes by reference")]
pub(super) fn worker_count(count: &i64) -> Checked {
    if (0..=MOST_WORKERS).contains(count) {
        Ok(())
    } else {
        Err(format!("{count} nodes cannot be had: expected 0 to {MOST_WORKERS}"))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the derive passes attributes by reference")]
pub(super) fn disk_size(gib: &i64) -> Checked {
    // Talos' own minimum for its partitions is 10 GiB; clouds end at 16 TiB.
    if (10..=16_384).contains(gib) { Ok(()) } else { Err(format!("{gib} GiB cannot be had: expected 10 to 16384")) }
}

pub(super) fn cidr_list(cidrs: &[Value<String>]) -> Checked {
    for text in cidrs.iter().filter_map(Value::known) {
        networks::parse(text)?;
    }
    Ok(())
}

pub(super) fn pod_cidr(text: &str) -> Checked {
    let net = networks::parse(text)?;
    // The controller manager gives each node a /24.
    if net.prefix_len() > 22 {
        return Err(format!("`{text}` is too small: each node takes a /24 of it, so a /22 is the least, for 4 nodes"));
    }
    Ok(())
}

pub(super) fn service_cidr(text: &str) -> Checked {
    let net = networks::parse(text)?;
    if !(12..=24).contains(&net.prefix_len()) {
        return Err(format!("`{text}` cannot serve as a service range: kube-apiserver takes a /12 to a /24"));
    }
    Ok(())
}

/// Known ranges that must not meet, each with the attribute's name.
pub(super) fn disjoint(ranges: &[(&str, &str)]) -> Checked {
    for (place, (name, range)) in ranges.iter().enumerate() {
        for (other_name, other) in ranges.iter().skip(place + 1) {
            let (Ok(a), Ok(b)) = (networks::parse(range), networks::parse(other)) else { continue };
            if networks::meet(a, b) {
                return Err(format!("{name} `{range}` meets {other_name} `{other}`"));
            }
        }
    }
    Ok(())
}

pub(super) fn labels(labels: &BTreeMap<String, Value<String>>) -> Checked {
    for (key, value) in labels {
        label_for_worker(key)?;
        if let Some(value) = value.known() {
            label_value(value)?;
        }
    }
    Ok(())
}

pub(super) fn annotations(annotations: &BTreeMap<String, Value<String>>) -> Checked {
    annotations.keys().try_for_each(|key| qualified_name(key))
}

pub(super) fn taints(taints: &[Value<String>]) -> Checked {
    for taint in taints.iter().filter_map(Value::known) {
        let form = || format!("`{taint}` is not a taint: expected `KEY=VALUE:EFFECT` or `KEY:EFFECT`");
        let (name, effect) = taint.rsplit_once(':').ok_or_else(form)?;
        if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
            return Err(format!("`{taint}` has no such effect: expected `NoSchedule`, `PreferNoSchedule` or `NoExecute`"));
        }
        let (key, value) = name.split_once('=').unwrap_or((name, ""));
        qualified_name(key)?;
        label_value(value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_control_plane_is_refused_with_the_reason() {
        assert_eq!(
            control_plane_count(&4).unwrap_err(),
            "4 control-plane nodes tolerate no more failures than 3: expected 1, 3, 5 or 7"
        );
        for wrong in [-1, 0, 2, 9] {
            assert!(control_plane_count(&wrong).is_err(), "{wrong}");
        }
        for right in [1, 3, 5, 7] {
            assert_eq!(control_plane_count(&right), Ok(()));
        }
    }

    #[test]
    fn ranges_that_meet_are_named() {
        let met =
            disjoint(&[("`pod_cidr`", "10.244.0.0/16"), ("`service_cidr`", "10.96.0.0/12"), ("the network", "10.100.0.0/16")]);
        assert_eq!(met.unwrap_err(), "`service_cidr` `10.96.0.0/12` meets the network `10.100.0.0/16`");
        assert_eq!(disjoint(&[("a", "10.0.0.0/16"), ("b", "10.1.0.0/16")]), Ok(()));
    }

    #[test]
    fn a_label_that_no_worker_can_carry_is_refused() {
        let one = |key: &str| labels(&[(key.to_owned(), Value::from("x".to_owned()))].into());
        assert_eq!(one("inferadb.com/pool"), Ok(()));
        assert!(one("node-role.kubernetes.io/worker").unwrap_err().contains("kubelet"));
    }

    #[test]
    fn taints_follow_kubernetes_syntax() {
        let one = |taint: &str| taints(&[Value::from(taint.to_owned())]);
        for right in ["dedicated=database:NoSchedule", "inferadb.com/spot:PreferNoSchedule", "a=:NoExecute"] {
            assert_eq!(one(right), Ok(()), "{right}");
        }
        for wrong in ["dedicated", "dedicated=database:Never", "=x:NoSchedule", "-a:NoSchedule", "a=b c:NoSchedule"] {
            assert!(one(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_dns_labels() {
        for wrong in ["", "Prod", "prod_nyc1", "-prod", "prod-", &"p".repeat(33)] {
            assert!(cluster_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(cluster_name("prod-nyc1"), Ok(()));
        assert!(pool_name("control-plane").is_err());
    }
}
