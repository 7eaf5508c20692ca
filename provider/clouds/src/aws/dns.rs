//! The Route 53 record that follows a region's ingress load balancer.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::LoadBalancer;
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecordSet, ResourceRecordSetFailover, RrType,
};

use super::Aws;
use super::call::{Api, Pace};
use super::failure::Failure;
use super::{health_check, roots, tags};
use crate::{DnsSpec, DnsState, Error, Failover, HealthCheckSpec, Kind, RegionSpec, Result, Root, Scope};

/// Changes reach all name servers within 60 s as a rule.
const IN_SYNC: Duration = Duration::from_mins(10);

/// A name as it is compared: no dot at its end, lower case.
pub(super) fn bare(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*").to_ascii_lowercase()
}

/// The full name of a record.
pub(super) fn fqdn(dns: &DnsSpec) -> String {
    if dns.record.is_empty() { bare(&dns.zone) } else { bare(&format!("{}.{}", dns.record, dns.zone)) }
}

/// Id of the public zone of exactly that name.
pub(super) async fn hosted_zone(aws: &Aws, zone: &str) -> Result<String> {
    let client = &aws.clients().route53;
    let zone = bare(zone);
    let answer = aws
        .call(Api::Route53, "route53:ListHostedZonesByName", format!("zone `{zone}`"))
        .send(|| client.list_hosted_zones_by_name().dns_name(&zone).max_items(100).send())
        .await?;
    let public: Vec<&str> = answer
        .hosted_zones()
        .iter()
        .filter(|found| {
            bare(found.name()) == zone && !found.config().is_some_and(aws_sdk_route53::types::HostedZoneConfig::private_zone)
        })
        .map(|found| short(found.id()))
        .collect();
    match public.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => Err(Error::NotFound {
            object: format!("DNS zone `{zone}`"),
            message: "this account has no public Route 53 zone of that name: create it, or choose another zone".to_owned(),
        }),
        several => Err(Error::Foreign {
            object: format!("DNS zone `{zone}`"),
            message: format!("this account has {} public zones of that name: `{}`", several.len(), several.join("`, `")),
        }),
    }
}

/// `/hostedzone/Z123` without its path.
fn short(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// Tells the two halves of a failover pair apart.
fn set_identifier(scope: &Scope) -> String {
    format!("inferadb {}-{}", scope.environment, scope.region)
}

/// A records of that name.
async fn records(aws: &Aws, zone: &str, fqdn: &str) -> Result<Vec<ResourceRecordSet>> {
    let client = &aws.clients().route53;
    let answer = aws
        .call(Api::Route53, "route53:ListResourceRecordSets", format!("record `{fqdn}`"))
        .send(|| {
            let request = client.list_resource_record_sets().hosted_zone_id(zone).max_items(100);
            request.start_record_name(fqdn).start_record_type(RrType::A).send()
        })
        .await;
    let answer = match answer {
        Err(failure) if failure.is(&["NoSuchHostedZone"]) => return Ok(Vec::new()),
        other => other?,
    };
    let same = |set: &&ResourceRecordSet| set.r#type() == &RrType::A && bare(set.name()) == fqdn;
    Ok(answer.resource_record_sets().iter().filter(same).cloned().collect())
}

/// What the root's tags say of its record: zone id, full name.
fn noted(root: &Root) -> Option<(String, String)> {
    Some((root.tags.get(tags::DNS_ZONE)?.clone(), root.tags.get(tags::DNS_RECORD)?.clone()))
}

/// Ours among the records of the name: by its set identifier, or the one simple record where the root says that we made it.
fn ours<'a>(found: &'a [ResourceRecordSet], scope: &Scope) -> Option<&'a ResourceRecordSet> {
    let identifier = set_identifier(scope);
    found
        .iter()
        .find(|set| set.set_identifier() == Some(identifier.as_str()))
        .or_else(|| found.iter().find(|set| set.set_identifier().is_none() && set.alias_target().is_some()))
}

/// Makes or changes record and health check; removes those of an earlier name. The note on the root comes first, so that
/// whoever goes on from here knows what is ours.
pub(super) async fn ensure(
    aws: &Aws,
    spec: &RegionSpec,
    root: &Root,
    zone_id: Option<&str>,
    balancer: &LoadBalancer,
) -> Result<Option<DnsState>> {
    let before = noted(root);
    let (Some(dns), Some(zone)) = (&spec.dns, zone_id) else {
        remove(aws, root).await?;
        if before.is_some() {
            roots::retag(aws, Kind::Region, &root.id, &tags::Tags::new(), &[tags::DNS_ZONE, tags::DNS_RECORD]).await?;
        }
        return Ok(None);
    };
    let fqdn = fqdn(dns);
    let here = (zone.to_owned(), fqdn.clone());
    if before.as_ref().is_some_and(|before| *before != here) {
        remove_record(aws, root).await?;
    }
    let found = records(aws, zone, &fqdn).await?;
    if before.as_ref() != Some(&here) {
        refuse_foreign(&found, spec, &fqdn, dns)?;
        let note = tags::Tags::from([(tags::DNS_ZONE.to_owned(), here.0.clone()), (tags::DNS_RECORD.to_owned(), here.1.clone())]);
        roots::retag(aws, Kind::Region, &root.id, &note, &[]).await?;
    }
    let check = match &dns.health_check {
        Some(check) => Some(health_check::ensure(aws, spec, root, check, balancer.dns_name().unwrap_or_default()).await?),
        None => None,
    };
    let wanted = wanted_record(spec, dns, &fqdn, balancer, check.as_deref())?;
    write(aws, zone, &fqdn, ours(&found, &spec.scope), wanted).await?;
    let keep = check.as_deref();
    for surplus in health_check::all(aws, root).await?.iter().filter(|check| Some(check.id()) != keep) {
        health_check::delete(aws, surplus.id()).await?;
    }
    Ok(Some(DnsState {
        zone_id: zone.to_owned(),
        fqdn,
        zone: bare(&dns.zone),
        failover: dns.failover,
        health_check: dns.health_check.clone(),
        health_check_id: check,
    }))
}

/// What stands under the name and was not made by us.
fn refuse_foreign(found: &[ResourceRecordSet], spec: &RegionSpec, fqdn: &str, dns: &DnsSpec) -> Result<()> {
    let identifier = set_identifier(&spec.scope);
    let foreign = |what: String| Error::Foreign {
        object: format!("DNS record `{fqdn}`"),
        message: format!("{what}: remove it, or choose another `record`"),
    };
    for set in found.iter().filter(|set| set.set_identifier() != Some(identifier.as_str())) {
        match (set.set_identifier(), set.failover(), dns.failover) {
            (None, _, _) => return Err(foreign("an A record of that name stands in the zone".to_owned())),
            (Some(other), Some(role), Some(mine)) if role.as_str() == mine.as_str() => {
                return Err(foreign(format!("`{other}` is its {} already", mine.as_str())));
            }
            (Some(_), Some(_), Some(_)) => {}
            (Some(other), _, _) => return Err(foreign(format!("`{other}` holds that name with another routing policy"))),
        }
    }
    Ok(())
}

fn wanted_record(
    spec: &RegionSpec,
    dns: &DnsSpec,
    fqdn: &str,
    balancer: &LoadBalancer,
    health_check: Option<&str>,
) -> Result<ResourceRecordSet> {
    let built = || -> std::result::Result<ResourceRecordSet, aws_sdk_route53::error::BuildError> {
        let target = AliasTarget::builder()
            .dns_name(balancer.dns_name().unwrap_or_default())
            .hosted_zone_id(balancer.canonical_hosted_zone_id().unwrap_or_default())
            .evaluate_target_health(true)
            .build()?;
        let mut record = ResourceRecordSet::builder().name(fqdn).r#type(RrType::A).alias_target(target);
        if let Some(failover) = dns.failover {
            let role = ResourceRecordSetFailover::from(failover.as_str());
            record = record.failover(role).set_identifier(set_identifier(&spec.scope));
            // A simple alias record takes none.
            record = record.set_health_check_id(health_check.map(str::to_owned));
        }
        record.build()
    };
    built().map_err(|error| Error::Api {
        operation: "route53:ChangeResourceRecordSets",
        object: format!("record `{fqdn}`"),
        code: String::new(),
        message: error.to_string(),
    })
}

/// Whether the record says what is wanted.
fn same(have: &ResourceRecordSet, want: &ResourceRecordSet) -> bool {
    let target = |set: &ResourceRecordSet| {
        set.alias_target().map(|alias| {
            let name = bare(alias.dns_name());
            (name.strip_prefix("dualstack.").unwrap_or(&name).to_owned(), alias.hosted_zone_id().to_owned())
        })
    };
    target(have) == target(want)
        && have.failover() == want.failover()
        && have.set_identifier() == want.set_identifier()
        && have.health_check_id() == want.health_check_id()
}

/// One batch: Route 53 makes all of it or nothing.
async fn write(aws: &Aws, zone: &str, fqdn: &str, have: Option<&ResourceRecordSet>, want: ResourceRecordSet) -> Result<()> {
    let mut changes = Vec::new();
    match have {
        Some(have) if same(have, &want) => return Ok(()),
        // Another set identifier is another record, and the two cannot stand side by side.
        Some(have) if have.set_identifier() != want.set_identifier() => {
            changes.push((ChangeAction::Delete, have.clone()));
            changes.push((ChangeAction::Create, want));
        }
        Some(_) => changes.push((ChangeAction::Upsert, want)),
        None => changes.push((ChangeAction::Create, want)),
    }
    match change(aws, zone, fqdn, changes.clone()).await {
        // An answer that was lost: what is there now is ours, the name was free and the note on the root is ours.
        Err(failure) if failure.is(&["InvalidChangeBatch"]) && failure.message.contains("already exists") => {
            let again = changes.into_iter().filter(|(action, _)| *action != ChangeAction::Delete);
            let again = again.map(|(_, set)| (ChangeAction::Upsert, set)).collect();
            change(aws, zone, fqdn, again).await.map_err(Into::into)
        }
        other => other.map_err(Into::into),
    }
}

async fn change(
    aws: &Aws,
    zone: &str,
    fqdn: &str,
    changes: Vec<(ChangeAction, ResourceRecordSet)>,
) -> std::result::Result<(), Failure> {
    let client = &aws.clients().route53;
    let changes: Vec<Change> = changes
        .into_iter()
        .filter_map(|(action, set)| Change::builder().action(action).resource_record_set(set).build().ok())
        .collect();
    let Ok(batch) = ChangeBatch::builder().set_changes(Some(changes)).build() else { return Ok(()) };
    let made = aws
        .call(Api::Route53, "route53:ChangeResourceRecordSets", format!("record `{fqdn}`"))
        // One batch of a zone waits for the other.
        .settling(&["PriorRequestNotComplete"])
        .send(|| client.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch.clone()).send())
        .await?;
    let Some(info) = made.change_info() else { return Ok(()) };
    if info.status() == &ChangeStatus::Insync {
        return Ok(());
    }
    let id = short(info.id()).to_owned();
    let mut pace = Pace::new(IN_SYNC, Duration::from_secs(5));
    while pace.wait().await {
        let now = aws
            .call(Api::Route53, "route53:GetChange", format!("record `{fqdn}`"))
            .send(|| client.get_change().id(&id).send())
            .await?;
        if now.change_info().is_some_and(|info| info.status() == &ChangeStatus::Insync) {
            return Ok(());
        }
    }
    // It is accepted and will come; nothing depends on it here.
    tracing::warn!(record = fqdn, "Route 53 still spreads the change");
    Ok(())
}

/// A region's record as it was found.
pub(super) enum Found {
    /// The region has none.
    None,
    /// The root says that there is one, and there is not.
    Gone,
    /// There is one, and leads to that name.
    Standing(Box<DnsState>, String),
}

/// The record as it stands.
pub(super) async fn read(aws: &Aws, root: &Root) -> Result<Found> {
    let Some((zone_id, fqdn)) = noted(root) else { return Ok(Found::None) };
    let found = records(aws, &zone_id, &fqdn).await?;
    let Some(record) = ours(&found, &root.scope) else { return Ok(Found::Gone) };
    let target = bare(record.alias_target().map(AliasTarget::dns_name).unwrap_or_default());
    let target = target.strip_prefix("dualstack.").unwrap_or(&target).to_owned();
    let client = &aws.clients().route53;
    let zone = aws
        .call(Api::Route53, "route53:GetHostedZone", format!("zone `{zone_id}`"))
        .send(|| client.get_hosted_zone().id(&zone_id).send())
        .await?;
    let zone = zone.hosted_zone().map(|zone| bare(zone.name())).unwrap_or_default();
    // A simple record names no check, but there may be one.
    let checks = health_check::all(aws, root).await?;
    let check = match record.health_check_id() {
        Some(id) => checks.iter().find(|check| check.id() == id),
        None if record.failover().is_none() => checks.first(),
        None => None,
    };
    let failover = record.failover().map(|role| match role {
        ResourceRecordSetFailover::Secondary => Failover::Secondary,
        _ => Failover::Primary,
    });
    let state = DnsState {
        zone_id,
        fqdn,
        zone,
        failover,
        health_check: check.and_then(|check| check.health_check_config()).map(|config| HealthCheckSpec {
            path: config.resource_path().unwrap_or_default().to_owned(),
            failure_threshold: config.failure_threshold().and_then(|n| n.try_into().ok()).unwrap_or_default(),
            request_interval: config.request_interval().and_then(|n| n.try_into().ok()).unwrap_or_default(),
        }),
        health_check_id: check.map(|check| check.id().to_owned()),
    };
    Ok(Found::Standing(Box::new(state), target))
}

async fn remove_record(aws: &Aws, root: &Root) -> Result<()> {
    let Some((zone, fqdn)) = noted(root) else { return Ok(()) };
    let found = records(aws, &zone, &fqdn).await?;
    let Some(record) = ours(&found, &root.scope) else { return Ok(()) };
    match change(aws, &zone, &fqdn, vec![(ChangeAction::Delete, record.clone())]).await {
        Err(failure) if failure.is(&["InvalidChangeBatch"]) && failure.message.contains("not found") => Ok(()),
        other => other.map_err(Into::into),
    }
}

/// Removes record and health checks.
pub(super) async fn remove(aws: &Aws, root: &Root) -> Result<()> {
    remove_record(aws, root).await?;
    for check in health_check::all(aws, root).await? {
        health_check::delete(aws, check.id()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_bare() {
        assert_eq!(bare("API.inferadb.com."), "api.inferadb.com");
        assert_eq!(bare("\\052.inferadb.com."), "*.inferadb.com");
    }

    #[test]
    fn the_zone_itself_is_an_empty_record() {
        let dns = |record: &str| DnsSpec {
            zone: "inferadb.com".to_owned(),
            record: record.to_owned(),
            failover: None,
            health_check: None,
        };
        assert_eq!(fqdn(&dns("")), "inferadb.com");
        assert_eq!(fqdn(&dns("api")), "api.inferadb.com");
    }
}
