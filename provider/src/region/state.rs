//! Between the model and what the cloud takes and gives: wanted regions, and regions as they stand.

use std::collections::BTreeMap;

use clouds::{Claim, DnsSpec, DnsState, Failover, HealthCheckSpec, RegionSpec, RegionState};
use ipnet::Ipv4Net;
use tf_provider::{Diagnostic, Value, path};

use super::model::{Dns, HealthCheck, RegionModel};
use crate::claims::Remake;
use crate::ids::RegionId;
use crate::networks;
use crate::tags;

/// Ranges that may reach the ingress load balancer unless told.
pub(super) const EVERYBODY: &str = "0.0.0.0/0";

/// The region as the plan wants it. An unknown value where none may be is a mistake of core or of the plan.
pub(super) fn spec(id: &RegionId, plan: &RegionModel) -> Result<RegionSpec, Diagnostic> {
    let cidr = plan.cidr_block.as_str().ok_or_else(|| unknown("cidr_block"))?;
    Ok(RegionSpec {
        scope: id.scope(),
        cidr: networks::parse(cidr).map_err(|problem| Diagnostic::error(problem).at(path!("cidr_block")))?,
        zones: strings(&plan.zones).ok_or_else(|| unknown("zones"))?,
        ingress_allowed_cidrs: allowed_cidrs(plan)?,
        dns: dns_spec(&plan.dns)?,
        ports: ports(plan)?,
        tags: tags::plain(&plan.tags_all).ok_or_else(|| unknown("tags_all"))?,
    })
}

fn allowed_cidrs(plan: &RegionModel) -> Result<Vec<Ipv4Net>, Diagnostic> {
    let given = strings(&plan.ingress_allowed_cidrs).ok_or_else(|| unknown("ingress_allowed_cidrs"))?;
    given
        .iter()
        .map(|text| networks::parse(text).map_err(|problem| Diagnostic::error(problem).at(path!("ingress_allowed_cidrs"))))
        .collect()
}

/// Ports of the host by those of the ingress load balancer.
fn ports(plan: &RegionModel) -> Result<BTreeMap<u16, u16>, Diagnostic> {
    if plan.ports.is_null() {
        return Ok(BTreeMap::new());
    }
    let given = plan.ports.known().ok_or_else(|| unknown("ports"))?;
    let port = |inside: &String, outside: &Value<i64>| Some((inside.parse().ok()?, u16::try_from(*outside.known()?).ok()?));
    given.iter().map(|(inside, outside)| port(inside, outside).ok_or_else(|| unknown("ports"))).collect()
}

fn dns_spec(block: &Value<Dns>) -> Result<Option<DnsSpec>, Diagnostic> {
    let dns = match block {
        Value::Null => return Ok(None),
        Value::Unknown(_) => return Err(unknown("dns")),
        Value::Known(dns) => dns,
    };
    let health_check = match &dns.health_check {
        Value::Null => None,
        Value::Unknown(_) => return Err(unknown("dns")),
        Value::Known(check) => Some(HealthCheckSpec {
            path: check.path.as_str().ok_or_else(|| unknown("dns"))?.to_owned(),
            failure_threshold: small(&check.failure_threshold).ok_or_else(|| unknown("dns"))?,
            request_interval: small(&check.request_interval).ok_or_else(|| unknown("dns"))?,
        }),
    };
    if dns.zone.is_unknown() || dns.record.is_unknown() || dns.failover.is_unknown() {
        return Err(unknown("dns"));
    }
    Ok(Some(DnsSpec {
        zone: dns.zone.as_str().unwrap_or_default().to_owned(),
        record: dns.record.as_str().unwrap_or_default().to_owned(),
        failover: dns.failover.as_str().and_then(failover),
        health_check,
    }))
}

fn small(value: &Value<i64>) -> Option<u8> {
    value.known().and_then(|value| u8::try_from(*value).ok())
}

fn failover(text: &str) -> Option<Failover> {
    [Failover::Primary, Failover::Secondary].into_iter().find(|half| half.as_str() == text)
}

fn unknown(attribute: &str) -> Diagnostic {
    Diagnostic::error(format!("`{attribute}` is not known at apply"))
        .detail("Terraform asked for an apply with a value that it has not yet computed. Please report this.")
        .at(path!(attribute))
}

/// Full name of the record.
pub(super) fn fqdn(block: &Value<Dns>) -> Value<String> {
    let dns = match block {
        Value::Null => return Value::Null,
        Value::Unknown(_) => return Value::unknown(),
        Value::Known(dns) => dns,
    };
    if dns.zone.is_unknown() || dns.record.is_unknown() {
        return Value::unknown();
    }
    let zone = dns.zone.as_str().unwrap_or_default();
    match dns.record.as_str() {
        None | Some("") => zone.into(),
        Some(record) => format!("{record}.{zone}").into(),
    }
}

/// The model of a region under way or just made: the plan, with what only the cloud knows.
pub(super) fn filled(plan: &RegionModel, found: &RegionState, claim: &Claim, status: &str) -> RegionModel {
    RegionModel {
        claim: claim.0.as_str().into(),
        status: status.into(),
        drift: Value::Known(Vec::new()),
        network_id: text(&found.network_id),
        subnet_ids: subnet_ids(found),
        ingress_address: ingress_address(found),
        ..plan.clone()
    }
}

/// The model of a region that was read: the row, with what the cloud shows.
pub(super) fn refreshed(row: &RegionModel, found: &RegionState, status: &str) -> RegionModel {
    let mut drift = found.drift.clone();
    if status == crate::claims::READY && found.ingress.is_none() {
        drift.push("the ingress load balancer is gone".to_owned());
    }
    RegionModel {
        status: status.into(),
        drift: Value::Known(drift.into_iter().map(Value::Known).collect()),
        network_id: text(&found.network_id),
        cidr_block: found.cidr.map(|cidr| cidr.to_string()).map_or_else(|| row.cidr_block.clone(), Value::Known),
        subnet_ids: subnet_ids(found),
        ingress_address: ingress_address(found),
        ingress_allowed_cidrs: found_cidrs(row, found),
        ports: found_ports(row, found),
        dns: found_dns(&row.dns, found.dns.as_ref()),
        fqdn: found.dns.as_ref().map(|dns| dns.fqdn.clone()).into(),
        tags_all: tags::as_found(&row.tags_all, &found.tags),
        ..row.clone()
    }
}

/// Keeps the row's own order where the same ranges are found.
fn found_cidrs(row: &RegionModel, found: &RegionState) -> Value<Vec<Value<String>>> {
    let Some(ingress) = &found.ingress else { return row.ingress_allowed_cidrs.clone() };
    let there: Vec<String> = ingress.allowed_cidrs.iter().map(ToString::to_string).collect();
    if strings(&row.ingress_allowed_cidrs).is_some_and(|known| same_members(&known, &there)) {
        return row.ingress_allowed_cidrs.clone();
    }
    Value::Known(there.into_iter().map(Value::Known).collect())
}

fn found_ports(row: &RegionModel, found: &RegionState) -> Value<BTreeMap<String, Value<i64>>> {
    match &found.ingress {
        Some(ingress) if !ingress.ports.is_empty() => {
            Value::Known(ingress.ports.iter().map(|(inside, outside)| (inside.to_string(), i64::from(*outside).into())).collect())
        }
        _ => row.ports.clone(),
    }
}

fn found_dns(row: &Value<Dns>, found: Option<&DnsState>) -> Value<Dns> {
    let Some(found) = found else { return Value::Null };
    let record = found.fqdn.strip_suffix(&found.zone).unwrap_or(&found.fqdn).trim_end_matches('.').to_owned();
    // Where the health check has been asked for in words that mean the same, the words stay.
    let health_check = found.health_check.as_ref().map(|check| HealthCheck {
        path: check.path.as_str().into(),
        failure_threshold: i64::from(check.failure_threshold).into(),
        request_interval: i64::from(check.request_interval).into(),
    });
    let found = Dns {
        zone: found.zone.as_str().into(),
        record: record.into(),
        failover: found.failover.map(|half| half.as_str().to_owned()).into(),
        health_check: health_check.into(),
    };
    match row.known() {
        Some(row) if *row == found => Value::Known(row.clone()),
        _ => Value::Known(found),
    }
}

/// What cannot be changed once the network stands, and so decides whether an unfinished one serves.
pub(super) fn remake(id: &RegionId, model: &RegionModel) -> Remake {
    let zones = strings(&model.zones).map(|mut zones| {
        zones.sort();
        zones.join(",")
    });
    match (model.cidr_block.as_str(), zones) {
        (Some(cidr), Some(zones)) => Remake::of(&id.to_string(), [("cidr_block", cidr.to_owned()), ("zones", zones)]),
        // A plan that does not know what it will make keeps nothing.
        _ => Remake::default(),
    }
}

/// Why a standing network cannot become the wanted one, in a sentence. What is not known yet is no obstacle.
pub(super) fn obstacle(cidr: Option<Ipv4Net>, zones: Option<&[String]>, standing: &RegionState) -> Option<String> {
    if let (Some(wanted), Some(there)) = (cidr, standing.cidr)
        && wanted != there
    {
        return Some(format!("Its range is `{there}`, and `cidr_block` asks for `{wanted}`."));
    }
    let zones = zones?;
    let stray = standing.subnets.iter().find(|subnet| !zones.contains(&subnet.zone))?;
    Some(format!("It has a subnet in zone `{}`, which is not among `zones`.", stray.zone))
}

/// The id of a row.
pub(super) fn row_id(row: &RegionModel) -> Result<RegionId, Diagnostic> {
    let id = row.id.as_str().unwrap_or_default();
    id.parse().map_err(|error: crate::ids::IdError| {
        Diagnostic::error("The row of state has no usable id").detail(format!("{error}. Remove the row and import the region."))
    })
}

/// The members of a list; null is empty, `None` where any is unknown.
pub(super) fn strings(list: &Value<Vec<Value<String>>>) -> Option<Vec<String>> {
    match list {
        Value::Null => Some(Vec::new()),
        Value::Unknown(_) => None,
        Value::Known(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
    }
}

/// Whether two lists have the same members, in any order.
pub(super) fn same_members(one: &[String], other: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list.dedup();
        list
    };
    sorted(one) == sorted(other)
}

fn text(text: &str) -> Value<String> {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn ingress_address(found: &RegionState) -> Value<String> {
    found.ingress.as_ref().map_or(Value::Null, |ingress| text(&ingress.address))
}

fn subnet_ids(found: &RegionState) -> Value<BTreeMap<String, Value<String>>> {
    Value::Known(found.subnets.iter().map(|subnet| (subnet.zone.clone(), subnet.id.as_str().into())).collect())
}

#[cfg(test)]
mod tests {
    use clouds::Subnet;

    use super::*;

    fn standing(cidr: &str, zones: &[&str]) -> RegionState {
        let subnet =
            |zone: &&str| Subnet { id: format!("subnet-{zone}"), zone: (*zone).into(), cidr: "10.10.0.0/20".parse().unwrap() };
        RegionState {
            network_id: "vpc-1".into(),
            cidr: Some(cidr.parse().unwrap()),
            subnets: zones.iter().map(subnet).collect(),
            ..RegionState::default()
        }
    }

    #[test]
    fn a_half_made_network_serves_if_it_is_part_of_what_is_wanted() {
        let wanted = |standing: &RegionState| {
            obstacle("10.10.0.0/16".parse().ok(), Some(&["us-east-1a".to_owned(), "us-east-1b".to_owned()]), standing)
        };
        assert_eq!(wanted(&standing("10.10.0.0/16", &[])), None);
        assert_eq!(wanted(&standing("10.10.0.0/16", &["us-east-1b"])), None);
        insta::assert_snapshot!(
            wanted(&standing("10.20.0.0/16", &[])).unwrap(),
            @"Its range is `10.20.0.0/16`, and `cidr_block` asks for `10.10.0.0/16`."
        );
        insta::assert_snapshot!(
            wanted(&standing("10.10.0.0/16", &["us-east-1c"])).unwrap(),
            @"It has a subnet in zone `us-east-1c`, which is not among `zones`."
        );
        assert_eq!(obstacle(None, None, &standing("10.20.0.0/16", &["us-east-1c"])), None);
    }

    #[test]
    fn a_record_is_named_with_its_zone() {
        let dns = |record: Value<String>| {
            let dns = Dns { zone: "inferadb.com".into(), record, failover: Value::Null, health_check: Value::Null };
            fqdn(&Value::Known(dns))
        };
        assert_eq!(dns("api".into()), "api.inferadb.com".into());
        assert_eq!(dns("".into()), "inferadb.com".into());
        assert!(dns(Value::unknown()).is_unknown());
        assert_eq!(fqdn(&Value::Null), Value::Null);
    }
}
