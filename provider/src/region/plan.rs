//! What a plan of `inferadb_region` checks and foresees.
//!
//! Every check passes while a value that it needs is unknown, and is made again when it is known.

use clouds::{Kind, MachineType, Place, ProviderType, RegionState, Root};
use futures_util::future::try_join_all;
use ipnet::Ipv4Net;
use tf_provider::{Diagnostic, Diagnostics, PlanContext, Value, path};

use super::apply::{finished, members};
use super::model::RegionModel;
use super::state::{EVERYBODY, fqdn, obstacle, remake, row_id, same_members, strings};
use crate::abilities;
use crate::claims::{self, Decision, READY, Remake};
use crate::configured::{Configured, Connection};
use crate::diagnostics;
use crate::ids::RegionId;
use crate::names;
use crate::networks;

/// Where the host publishes the ingress load balancer's ports unless told.
const DEFAULT_PORTS: [(&str, i64); 2] = [("443", 8443), ("80", 8080)];

/// What the cloud does not have.
pub(super) fn lacking(config: &RegionModel, diagnostics: &mut Diagnostics) {
    let Some(cloud) = config.provider_type.as_str().and_then(|name| name.parse::<ProviderType>().ok()) else { return };
    let has = abilities::of(cloud);
    if !has.dns && !config.dns.is_null() {
        diagnostics.push(abilities::lacking(cloud, path!("dns"), "It has no public DNS, and so no records and no failover."));
    }
    if !has.firewall && !config.ingress_allowed_cidrs.is_null() {
        let why = "It publishes ports on the host's loopback address, where whoever uses the host reaches them.";
        diagnostics.push(abilities::lacking(cloud, path!("ingress_allowed_cidrs"), why));
    }
    if !has.published_ports && !config.ports.is_null() {
        let why = "Its load balancers have addresses of their own, and listen on 80 and 443.";
        diagnostics.push(abilities::lacking(cloud, path!("ports"), why));
    }
}
/// Tags of the user's that a Route 53 health check has room for.
const HEALTH_CHECK_TAGS: usize = 6;

/// How many zones a region has unless told.
const DEFAULT_ZONES: usize = 3;

pub(super) async fn create(
    cx: &PlanContext<Configured>,
    config: &RegionModel,
    plan: &mut RegionModel,
) -> Result<Remake, Diagnostics> {
    foresee(&cx.provider, config, plan);
    check_tags(plan)?;
    for warning in health_check_warnings(plan) {
        cx.warn(warning);
    }
    plan.environment = cx.provider.environment().clone();
    let Some(place) = place(config)? else { return Ok(Remake::default()) };
    if config.provider_region.is_null() {
        plan.provider_region = place.provider_region.as_str().into();
    }
    let (Some(environment), Some(name)) = (plan.environment.as_str(), plan.name.as_str()) else {
        return Ok(Remake::default());
    };
    let id = RegionId { environment: environment.to_owned(), place, name: name.to_owned() };
    plan.id = id.to_string().into();
    cx.provider.plans(Kind::Region, &id.to_string())?;
    let range = plan.cidr_block.as_str().and_then(|text| networks::parse(text).ok());
    if let Some(range) = range
        && let Some((other, taken)) = cx.provider.plans_network(&id, range)
    {
        return Err(Diagnostic::error(format!("`{range}` meets the network of another region"))
            .detail(format!(
                "Region `{}` is planned in `{}` too, on `{taken}`. Choose ranges that do not meet.",
                other.name, id.place
            ))
            .at(path!("cidr_block"))
            .into());
    }

    let Some(connection) = cx.provider.cloud_if_known(&id.place).await? else { return Ok(Remake::default()) };
    plan.account_id = connection.account_id.as_str().into();
    zones(&connection, config, plan).await?;
    let roots = roots(&connection).await?;
    if let Some(range) = range {
        check_overlap(&connection, &id, range, &roots).await?;
    }
    announce(cx, &connection, &id, plan, &roots).await?;
    dns_zone(cx, &connection, plan).await;
    Ok(remake(&id, plan))
}

pub(super) async fn update(
    cx: &PlanContext<Configured>,
    prior: &RegionModel,
    config: &RegionModel,
    plan: &mut RegionModel,
) -> Result<(), Diagnostics> {
    let id = prior.id.as_str().unwrap_or_default();
    cx.provider.check_row(id, &prior.environment, &prior.account_id, None)?;
    // A plan without a refresh replaces its own object too.
    cx.provider.saw(prior.claim.as_str().unwrap_or_default());
    foresee(&cx.provider, config, plan);
    check_tags(plan)?;
    if plan.dns != prior.dns || plan.tags_all != prior.tags_all || plan.ingress_allowed_cidrs != prior.ingress_allowed_cidrs {
        for warning in health_check_warnings(plan) {
            cx.warn(warning);
        }
    }
    settle_place(cx, prior, config, plan)?;
    settle_zones(cx, prior, config, plan);
    if let Some(attribute) = replaced_in_place(prior, config) {
        check_unused(cx, prior, attribute).await?;
    } else if plan.dns != prior.dns
        && let Some(id) = row_id(prior).ok()
        && let Some(connection) = cx.provider.cloud_if_known(&id.place).await?
    {
        dns_zone(cx, &connection, plan).await;
    }
    // What is missing in the cloud is made, and its name with it.
    if prior.ingress_address.is_null() {
        plan.ingress_address = Value::unknown();
    }
    let subnets = prior.subnet_ids.known().map_or(0, std::collections::BTreeMap::len);
    if plan.zones.known().is_none_or(|zones| zones.len() != subnets) {
        plan.subnet_ids = Value::unknown();
    }
    Ok(())
}

/// The attribute whose change replaces the region and leaves its `id` as it is. What stands in it is then not replaced with it.
fn replaced_in_place(prior: &RegionModel, config: &RegionModel) -> Option<&'static str> {
    let same_id = config.name == prior.name
        && config.provider_type == prior.provider_type
        && place(config).ok().flatten() == row_id(prior).ok().map(|id| id.place);
    let differs = |wanted: &Value<String>, there: &Value<String>| wanted.is_known() && wanted != there;
    if !same_id {
        None
    } else if differs(&config.cidr_block, &prior.cidr_block) {
        Some("cidr_block")
    } else {
        let wanted = strings(&config.zones)?;
        (!config.zones.is_null() && !same_members(&wanted, &strings(&prior.zones)?)).then_some("zones")
    }
}

/// That nothing finished stands in a region that is to be replaced: its destroy would be refused.
async fn check_unused(cx: &PlanContext<Configured>, prior: &RegionModel, attribute: &str) -> Result<(), Diagnostics> {
    let id = row_id(prior)?;
    let Some(connection) = cx.provider.cloud_if_known(&id.place).await? else { return Ok(()) };
    let failed = |error: clouds::Error| diagnostics::asking("Cannot tell what stands in the region", &error);
    let members = members(&*connection.cloud, &id).await.map_err(failed)?;
    in_use(&id, &members, attribute).map_or(Ok(()), |refusal| Err(refusal.into()))
}

fn in_use(id: &RegionId, members: &[Root], attribute: &str) -> Option<Diagnostic> {
    let standing = finished(members)?;
    Some(
        Diagnostic::error(format!("Region `{}` is in use and cannot be replaced", id.name))
            .detail(format!(
                "A change of `{attribute}` replaces the region, and still standing in it: {standing}.\n\n\
                 Destroy these first, in an apply of its own, or leave `{attribute}` as it is. What no state holds any more can be \
                 imported and then destroyed."
            ))
            .at(path!(attribute)),
    )
}

/// Says that the DNS zone is not there. It may be made by the same apply, so this is no error yet.
async fn dns_zone(cx: &PlanContext<Configured>, connection: &Connection, plan: &RegionModel) {
    let Some(zone) = plan.dns.known().and_then(|dns| dns.zone.as_str()) else { return };
    if let Err(clouds::Error::NotFound { object, message }) = connection.cloud.check_dns_zone(zone).await {
        cx.warn(
            Diagnostic::warning(format!("There is no DNS zone `{zone}` yet"))
                .detail(format!(
                    "{object} does not exist: {message}\n\nUnless something else makes it before the region, the apply fails, and \
                     makes nothing."
                ))
                .at(path!("dns", "zone")),
        );
    }
}

/// Checks of attributes against each other.
pub(super) fn validate(config: &RegionModel, diagnostics: &mut Diagnostics) {
    let Some(dns) = config.dns.known() else { return };
    if let (Some(record), Some(zone)) = (dns.record.as_str(), dns.zone.as_str())
        && (record == zone || record.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.')))
    {
        let inside = record.strip_suffix(zone).unwrap_or_default().trim_end_matches('.');
        diagnostics.push(
            Diagnostic::error("`record` holds the zone too")
                .detail(format!(
                    "`{record}` in zone `{zone}` would be `{record}.{zone}`. Give the name inside the zone: `record = \"{inside}\"`."
                ))
                .at(path!("dns", "record")),
        );
    }
}

/// What an apply of this plan will have made true.
fn foresee(provider: &Configured, config: &RegionModel, plan: &mut RegionModel) {
    plan.status = READY.into();
    plan.drift = Value::Known(Vec::new());
    plan.fqdn = fqdn(&plan.dns);
    plan.tags_all = provider.tags_all(&plan.tags);
    if config.ingress_allowed_cidrs.is_null() {
        plan.ingress_allowed_cidrs = Value::Known(vec![EVERYBODY.into()]);
    }
    if config.ports.is_null()
        && let Some(cloud) = config.provider_type.as_str().and_then(|name| name.parse::<ProviderType>().ok())
    {
        plan.ports = if abilities::of(cloud).published_ports {
            Value::Known(DEFAULT_PORTS.into_iter().map(|(inside, outside)| (inside.to_owned(), outside.into())).collect())
        } else {
            Value::Null
        };
    }
}

fn check_tags(plan: &RegionModel) -> Result<(), Diagnostic> {
    crate::tags::check_count(&plan.tags_all)
        .map_err(|problem| Diagnostic::error("Too many tags").detail(problem).at(path!("tags")))
}

/// What a DNS health check will not do, though nothing refuses it.
fn health_check_warnings(plan: &RegionModel) -> Vec<Diagnostic> {
    if !plan.dns.known().is_some_and(|dns| dns.health_check.is_known()) {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    let tags = plan.tags_all.known().map_or(0, std::collections::BTreeMap::len);
    if tags > HEALTH_CHECK_TAGS {
        warnings.push(
            Diagnostic::warning("The DNS health check does not bear all tags")
                .detail(format!(
                    "A Route 53 health check takes ten tags, four of which are the provider's. Of these {tags}, it bears the first \
                     {HEALTH_CHECK_TAGS} in the order of their keys. Everything else in the region bears all of them."
                ))
                .at(path!("tags")),
        );
    }
    let narrow = strings(&plan.ingress_allowed_cidrs).is_some_and(|ranges| !ranges.iter().any(|range| range == EVERYBODY));
    if narrow {
        warnings.push(
            Diagnostic::warning("The DNS health check may be kept out")
                .detail(
                    "Route 53 checks the ingress load balancer from addresses of its own all over the world. \
                     `ingress_allowed_cidrs` keeps out whom it does not name: let in the ranges that AWS publishes for the service \
                     `ROUTE53_HEALTHCHECKS` too, or the record is taken for unhealthy.",
                )
                .at(path!("ingress_allowed_cidrs")),
        );
    }
    warnings
}

/// Which cloud region the configuration means, or `None` while it is not known.
fn place(config: &RegionModel) -> Result<Option<Place>, Diagnostic> {
    let Some(cloud) = config.provider_type.as_str() else { return Ok(None) };
    let provider_type: ProviderType = cloud
        .parse()
        .map_err(|problem: String| Diagnostic::error("Invalid `provider_type`").detail(problem).at(path!("provider_type")))?;
    let own = match &config.provider_region {
        Value::Unknown(_) => return Ok(None),
        Value::Known(region) => names::provider_region(provider_type, region)
            .map_err(|problem| Diagnostic::error("Invalid `provider_region`").detail(problem).at(path!("provider_region")))?,
        Value::Null => {
            if let Some(only) = names::only_region(provider_type) {
                return Ok(Some(Place { provider_type, provider_region: only.to_owned() }));
            }
            let Some(name) = config.name.as_str() else { return Ok(None) };
            names::provider_region(provider_type, name).map_err(|problem| {
                Diagnostic::error("Unknown region name")
                    .detail(format!(
                        "{problem}.\n\nFor a name of your own, say which region of the cloud it is with `provider_region`."
                    ))
                    .at(path!("name"))
            })?
        }
    };
    Ok(Some(Place { provider_type, provider_region: own.to_owned() }))
}

/// Keeps the row's word for the cloud region where the configuration's means the same, and replaces the region otherwise.
fn settle_place(
    cx: &PlanContext<Configured>,
    prior: &RegionModel,
    config: &RegionModel,
    plan: &mut RegionModel,
) -> Result<(), Diagnostic> {
    if config.provider_region.is_null() {
        return Ok(());
    }
    // A changed name replaces the region anyway, and the plan of its successor checks the rest.
    if config.name != prior.name || config.provider_type != prior.provider_type {
        return Ok(());
    }
    let standing = prior.id.as_str().and_then(|id| id.parse::<RegionId>().ok()).map(|id| id.place);
    if place(config)?.is_some_and(|wanted| standing == Some(wanted)) {
        plan.provider_region = prior.provider_region.clone();
    } else {
        cx.require_replace(path!("provider_region"));
    }
    Ok(())
}

fn settle_zones(cx: &PlanContext<Configured>, prior: &RegionModel, config: &RegionModel, plan: &mut RegionModel) {
    if config.zones.is_null() {
        return;
    }
    let same = strings(&config.zones).zip(strings(&prior.zones)).is_some_and(|(wanted, there)| same_members(&wanted, &there));
    if same {
        plan.zones = prior.zones.clone();
    } else {
        cx.require_replace(path!("zones"));
    }
}

/// Chooses the zones where the configuration does not, and else checks that the cloud has them.
async fn zones(connection: &Connection, config: &RegionModel, plan: &mut RegionModel) -> Result<(), Diagnostics> {
    let offered =
        connection.cloud.zones().await.map_err(|error| diagnostics::asking("Cannot tell the zones of the region", &error))?;
    match &config.zones {
        Value::Null => {
            let types = default_types(connection).await?;
            plan.zones = Value::Known(default_zones(offered, &types).into_iter().map(Value::Known).collect());
            Ok(())
        }
        Value::Unknown(_) => Ok(()),
        Value::Known(zones) => {
            let wrong = |(index, zone): (usize, &Value<String>)| {
                let zone = zone.as_str().filter(|zone| !offered.iter().any(|offer| offer == zone))?;
                Some(
                    Diagnostic::error(format!("No zone `{zone}`"))
                        .detail(format!(
                            "`{}` offers {}.",
                            connection.cloud.place(),
                            offered.iter().map(|offer| format!("`{offer}`")).collect::<Vec<_>>().join(", ")
                        ))
                        .at(path!("zones", [index])),
                )
            };
            let wrong: Diagnostics = zones.iter().enumerate().filter_map(wrong).collect();
            wrong.into_result()
        }
    }
}

/// The machine types that bear names of ours, as far as the place has them.
async fn default_types(connection: &Connection) -> Result<Vec<MachineType>, Diagnostic> {
    let cloud = &connection.cloud;
    let names = names::own_machine_types(cloud.place().provider_type);
    let found = try_join_all(names.map(|name| cloud.machine_type(name))).await;
    let found = found.map_err(|error| diagnostics::cloud("Cannot tell which zones offer machines", &error))?;
    Ok(found.into_iter().flatten().collect())
}

/// The first zones that offer all of these types; old zones of large places lack the newer ones. A place where no zone has all
/// of them gets its first zones, and clusters in it name other types.
fn default_zones(offered: Vec<String>, types: &[MachineType]) -> Vec<String> {
    let has_all = |zone: &&String| types.iter().all(|offer| offer.zones.contains(zone));
    let fitting: Vec<String> = offered.iter().filter(has_all).take(DEFAULT_ZONES).cloned().collect();
    if fitting.is_empty() { offered.into_iter().take(DEFAULT_ZONES).collect() } else { fitting }
}

async fn roots(connection: &Connection) -> Result<Vec<Root>, Diagnostic> {
    connection.cloud.roots(Kind::Region).await.map_err(|error| diagnostics::asking("Cannot tell which regions exist", &error))
}

/// That the range meets no other network of the account in that place. A network of this region's own name is no other.
async fn check_overlap(connection: &Connection, id: &RegionId, cidr: Ipv4Net, roots: &[Root]) -> Result<(), Diagnostic> {
    let networks =
        connection.cloud.networks().await.map_err(|error| diagnostics::asking("Cannot tell which networks exist", &error))?;
    overlap(id, cidr, roots, &networks).map_or(Ok(()), Err)
}

fn overlap(id: &RegionId, cidr: Ipv4Net, roots: &[Root], networks: &[(String, Ipv4Net)]) -> Option<Diagnostic> {
    let own = |network: &str| roots.iter().any(|root| root.id == network && root.scope == id.scope());
    let (network, range) = networks.iter().find(|(network, range)| networks::meet(cidr, *range) && !own(network))?;
    let whose = roots.iter().find(|root| root.id == *network).map_or_else(
        || "It is not this provider's.".to_owned(),
        |root| format!("It is the one of region `{}` in environment `{}`.", root.name, root.scope.environment),
    );
    Some(
        Diagnostic::error(format!("`{cidr}` meets the network `{network}`"))
            .detail(format!("Network `{network}` in `{}` has the range `{range}`. {whose} Choose another range.", id.place))
            .at(path!("cidr_block")),
    )
}

/// Says what the create will meet.
async fn announce(
    cx: &PlanContext<Configured>,
    connection: &Connection,
    id: &RegionId,
    plan: &RegionModel,
    roots: &[Root],
) -> Result<(), Diagnostics> {
    let decision = claims::decide(roots, &id.scope(), &id.name);
    let mut kept = None;
    let mut seen = false;
    match &decision {
        Decision::New => {}
        Decision::InState(root) => seen = root.claim.as_ref().is_some_and(|claim| cx.provider.has_seen(&claim.0)),
        Decision::TakeUp { root, .. } => {
            let found = connection
                .cloud
                .read_region(&root.id)
                .await
                .map_err(|error| diagnostics::asking(&format!("Cannot read region `{}`", id.name), &error))?;
            kept = found.as_ref().map(|found| what_becomes(root, plan, found));
        }
    }
    if let Some(warning) = claims::announce(&decision, &id.to_string(), kept.as_deref(), seen)? {
        cx.warn(warning);
    }
    Ok(())
}

/// What an apply makes of a root that stands, in sentences.
fn what_becomes(root: &Root, plan: &RegionModel, found: &RegionState) -> String {
    let cidr = plan.cidr_block.as_str().and_then(|text| networks::parse(text).ok());
    match obstacle(cidr, strings(&plan.zones).as_deref(), found) {
        None => format!("{} The apply makes what is missing.", what_stands(found)),
        Some(why) if root.finished => format!("{why} The apply will be refused."),
        Some(why) => format!("{why} The apply removes it and makes another."),
    }
}

/// What of a region stands, in a sentence.
fn what_stands(found: &RegionState) -> String {
    let mut parts = vec!["The network".to_owned()];
    match found.subnets.len() {
        0 => {}
        1 => parts.push("1 subnet".to_owned()),
        several => parts.push(format!("{several} subnets")),
    }
    if found.ingress.is_some() {
        parts.push("the ingress load balancer".to_owned());
    }
    if found.dns.is_some() {
        parts.push("the DNS record".to_owned());
    }
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        format!("{last} exists and is kept.")
    } else {
        format!("{} and {last} exist and are kept.", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clouds::{Claim, DnsState, IngressState, Scope, Subnet};

    use super::*;

    fn id() -> RegionId {
        "production/aws/us-east-1/nyc1".parse().unwrap()
    }

    fn range(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn root(network: &str, environment: &str) -> Root {
        Root {
            kind: Kind::Region,
            id: network.into(),
            scope: Scope { environment: environment.into(), region: "nyc1".into() },
            name: "nyc1".into(),
            claim: Some(Claim("c".into())),
            finished: true,
            in_state: true,
            cidr: None,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn a_range_that_meets_another_network_is_refused_with_its_owner() {
        let networks = [("vpc-1".to_owned(), range("10.10.0.0/16")), ("vpc-2".to_owned(), range("172.31.0.0/16"))];
        let roots = [root("vpc-1", "staging")];
        insta::assert_snapshot!(
            overlap(&id(), range("10.10.128.0/20"), &roots, &networks).unwrap(),
            @"cidr_block: `10.10.128.0/20` meets the network `vpc-1`: Network `vpc-1` in `aws/us-east-1` has the range `10.10.0.0/16`. It is the one of region `nyc1` in environment `staging`. Choose another range."
        );
        insta::assert_snapshot!(
            overlap(&id(), range("172.31.0.0/16"), &roots, &networks).unwrap(),
            @"cidr_block: `172.31.0.0/16` meets the network `vpc-2`: Network `vpc-2` in `aws/us-east-1` has the range `172.31.0.0/16`. It is not this provider's. Choose another range."
        );
        assert_eq!(overlap(&id(), range("10.11.0.0/16"), &roots, &networks), None);
    }

    #[test]
    fn a_region_does_not_meet_itself() {
        let networks = [("vpc-1".to_owned(), range("10.10.0.0/16"))];
        assert_eq!(overlap(&id(), range("10.10.0.0/16"), &[root("vpc-1", "production")], &networks), None);
    }

    #[test]
    fn zones_are_those_that_offer_every_type_of_ours() {
        let zones = |letters: &str| letters.chars().map(|letter| format!("us-east-1{letter}")).collect::<Vec<_>>();
        let machine_type = |letters| MachineType {
            name: "t3.medium".into(),
            architecture: "amd64".into(),
            vcpus: 2,
            memory_mib: 4096,
            zones: zones(letters),
            boots_uefi: true,
        };
        assert_eq!(default_zones(zones("abcd"), &[machine_type("abcd"), machine_type("acd")]), zones("acd"));
        assert_eq!(default_zones(zones("abcd"), &[machine_type("a"), machine_type("b")]), zones("abc"));
        assert_eq!(default_zones(zones("abcd"), &[]), zones("abc"));
    }

    #[test]
    fn what_stands_is_counted() {
        let subnet = |zone: &str| Subnet { id: format!("subnet-{zone}"), zone: zone.into(), cidr: range("10.10.0.0/20") };
        let mut found = RegionState { network_id: "vpc-1".into(), ..RegionState::default() };
        assert_eq!(what_stands(&found), "The network exists and is kept.");
        found.subnets = vec![subnet("a"), subnet("b")];
        assert_eq!(what_stands(&found), "The network and 2 subnets exist and are kept.");
        found.ingress = Some(IngressState::default());
        found.dns = Some(DnsState::default());
        assert_eq!(
            what_stands(&found),
            "The network, 2 subnets, the ingress load balancer and the DNS record exist and are kept."
        );
    }

    fn named(name: &str, provider_region: Value<String>) -> RegionModel {
        super::super::read::blank(&RegionId { name: name.to_owned(), ..id() }, provider_region)
    }

    #[test]
    fn the_name_says_the_cloud_region_unless_told() {
        let by_name = place(&named("sfo1", Value::Null)).unwrap().unwrap();
        assert_eq!(by_name.provider_region, "us-west-1");
        let told = place(&named("blue", "lon1".into())).unwrap().unwrap();
        assert_eq!(told.provider_region, "eu-west-2");
        assert_eq!(place(&named("blue", Value::unknown())), Ok(None));
        insta::assert_snapshot!(place(&named("blue", Value::Null)).unwrap_err(), @"
        name: Unknown region name: `blue` is no region of `aws`: expected `nyc1` (us-east-1), `sfo1` (us-west-1), `lon1` (eu-west-2), or the cloud's own name such as `af-south-1`.

        For a name of your own, say which region of the cloud it is with `provider_region`.
        ");
    }
}
