//! Checks of single attributes, made in every plan as soon as their value is known.

use std::collections::BTreeMap;

use clouds::ProviderType;
use tf_provider::Value;

use crate::ids::LONGEST_SCOPE_NAME;
use crate::names::check_label;
use crate::networks;

type Checked = Result<(), String>;

/// Where `inferadb_cluster` puts pods and services unless told.
const DEFAULT_PODS: &str = "10.244.0.0/16";
const DEFAULT_SERVICES: &str = "10.96.0.0/12";

pub(super) fn name(name: &str) -> Checked {
    check_label(name, LONGEST_SCOPE_NAME)
}

pub(super) fn provider_type(name: &str) -> Checked {
    name.parse::<ProviderType>().map(drop)
}

pub(super) fn cidr_block(text: &str) -> Checked {
    let range = networks::parse(text)?;
    if range.prefix_len() > 23 {
        return Err(format!("`{text}` is too small: a /23 is the least, which leaves each of up to eight zones a /26"));
    }
    if range.prefix_len() < 16 {
        return Err(format!("`{text}` is too large: a /16 is the largest network that clouds take"));
    }
    for (what, default) in [("pods", DEFAULT_PODS), ("services", DEFAULT_SERVICES)] {
        if networks::parse(default).is_ok_and(|default| networks::meet(range, default)) {
            return Err(format!("`{text}` meets `{default}`, where clusters have their {what}: choose another range"));
        }
    }
    Ok(())
}

pub(super) fn zones(zones: &[Value<String>]) -> Checked {
    let known: Vec<&String> = zones.iter().filter_map(Value::known).collect();
    if zones.is_empty() {
        return Err("no zone is given: expected at least one, or no list at all".to_owned());
    }
    if zones.len() > 8 {
        return Err(format!("{} zones are given: expected at most 8", zones.len()));
    }
    for (place, zone) in known.iter().enumerate() {
        if zone.is_empty() {
            return Err("the name of a zone is empty".to_owned());
        }
        if known[..place].contains(zone) {
            return Err(format!("zone `{zone}` is given twice"));
        }
    }
    Ok(())
}

pub(super) fn ports(ports: &BTreeMap<String, Value<i64>>) -> Checked {
    for (inside, outside) in ports {
        if !["80", "443"].contains(&inside.as_str()) {
            return Err(format!("the ingress load balancer has no port `{inside}`: expected `80` or `443`"));
        }
        if let Some(outside) = outside.known()
            && !(1..=65_535).contains(outside)
        {
            return Err(format!("{outside} is no port: expected 1 to 65535"));
        }
    }
    let mut taken: Vec<&i64> = ports.values().filter_map(Value::known).collect();
    taken.sort_unstable();
    if let Some((twice, _)) = taken.iter().zip(taken.iter().skip(1)).find(|(one, next)| one == next) {
        return Err(format!("port {twice} of the host is given twice"));
    }
    Ok(())
}

pub(super) fn allowed_cidrs(cidrs: &[Value<String>]) -> Checked {
    cidrs.iter().filter_map(Value::known).try_for_each(|text| networks::parse(text).map(drop))
}

pub(super) fn dns_zone(zone: &str) -> Checked {
    if zone.ends_with('.') {
        return Err(format!("`{zone}` ends with a dot: write `{}`", zone.trim_end_matches('.')));
    }
    if !zone.contains('.') {
        return Err(format!("`{zone}` is not a domain: expected a form such as `inferadb.com`"));
    }
    domain(zone)
}

pub(super) fn dns_record(record: &str) -> Checked {
    if record.is_empty() {
        return Ok(());
    }
    if record.ends_with('.') {
        return Err(format!("`{record}` ends with a dot: give the name inside the zone, such as `api`"));
    }
    domain(record.strip_prefix("*.").unwrap_or(record))
}

fn domain(name: &str) -> Checked {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) { Ok(()) } else { Err(format!("`{name}` is not a lower-case DNS name")) }
}

pub(super) fn failover(failover: &str) -> Checked {
    match failover {
        "PRIMARY" | "SECONDARY" => Ok(()),
        other => Err(format!("`{other}` is no half of a failover pair: expected `PRIMARY` or `SECONDARY`")),
    }
}

pub(super) fn health_check_path(path: &str) -> Checked {
    if !path.starts_with('/') {
        return Err(format!("`{path}` is not a path: expected a form such as `/healthz`"));
    }
    if path.len() > 255 || path.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("`{path}` cannot be asked for: expected at most 255 characters without spaces"));
    }
    Ok(())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the derive passes attributes by reference")]
pub(super) fn failure_threshold(failures: &i64) -> Checked {
    if (1..=10).contains(failures) { Ok(()) } else { Err(format!("{failures} failures: expected 1 to 10")) }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the derive passes attributes by reference")]
pub(super) fn request_interval(seconds: &i64) -> Checked {
    if matches!(seconds, 10 | 30) { Ok(()) } else { Err(format!("{seconds} seconds: expected 10 or 30")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Vec<Value<String>> {
        items.iter().map(|item| Value::from((*item).to_owned())).collect()
    }

    #[test]
    fn a_network_is_neither_too_small_nor_too_large() {
        let said = cidr_block;
        assert_eq!(said("10.10.0.0/16"), Ok(()));
        assert_eq!(said("127.10.0.0/23"), Ok(()));
        insta::assert_snapshot!(said("10.10.0.0/24").unwrap_err(), @"`10.10.0.0/24` is too small: a /23 is the least, which leaves each of up to eight zones a /26");
        insta::assert_snapshot!(said("10.0.0.0/8").unwrap_err(), @"`10.0.0.0/8` is too large: a /16 is the largest network that clouds take");
        insta::assert_snapshot!(said("10.100.0.0/16").unwrap_err(), @"`10.100.0.0/16` meets `10.96.0.0/12`, where clusters have their services: choose another range");
        insta::assert_snapshot!(said("10.244.0.0/20").unwrap_err(), @"`10.244.0.0/20` meets `10.244.0.0/16`, where clusters have their pods: choose another range");
        insta::assert_snapshot!(said("ten").unwrap_err(), @"`ten` is not an IPv4 address range: expected a form such as `10.10.0.0/16`");
    }

    #[test]
    fn zones_are_distinct() {
        assert_eq!(zones(&list(&["us-east-1a", "us-east-1b"])), Ok(()));
        assert_eq!(zones(&[Value::unknown(), Value::unknown()]), Ok(()));
        assert_eq!(zones(&list(&["us-east-1a", "us-east-1a"])).unwrap_err(), "zone `us-east-1a` is given twice");
        assert!(zones(&[]).is_err());
    }

    #[test]
    fn dns_names_are_relative_to_their_zone() {
        for right in ["", "api", "api.eu", "*.eu", "_probe"] {
            assert_eq!(dns_record(right), Ok(()), "{right}");
        }
        for wrong in ["api.", "Api", "a..b", "-a", "a b"] {
            assert!(dns_record(wrong).is_err(), "{wrong}");
        }
        assert_eq!(dns_zone("inferadb.com.").unwrap_err(), "`inferadb.com.` ends with a dot: write `inferadb.com`");
        assert!(dns_zone("inferadb").is_err());
    }

    #[test]
    fn health_checks_take_what_route_53_takes() {
        assert_eq!(request_interval(&10), Ok(()));
        assert_eq!(request_interval(&30), Ok(()));
        assert_eq!(request_interval(&20).unwrap_err(), "20 seconds: expected 10 or 30");
        assert!(failure_threshold(&0).is_err() && failure_threshold(&11).is_err());
        assert!(health_check_path("healthz").is_err());
        assert!(failover("primary").is_err());
    }
}
