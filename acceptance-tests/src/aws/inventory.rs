//! What exists in the cloud.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde::{Deserialize, Serialize};

use super::answer::Refusal;
use super::ec2::instances::Phase;
use super::elbv2::shown;
use super::moto::{Caller, ELBV2_VERSION, IAM_VERSION};
use super::parameters::Parameters;
use super::xml::Element;
use super::{Cloud, Error, s3};

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// `vpc`, `subnet`, `internet-gateway`, `route-table`, `security-group`, `instance`, `volume`, `network-interface`,
    /// `nat-gateway`, `elastic-ip`, `load-balancer`, `listener`, `target-group`, `record`, `hosted-zone`,
    /// `health-check`, `bucket`, `role`.
    pub kind: String,
    /// The cloud's id: `vpc-…`, an ARN, a bucket's name.
    pub id: String,
    /// Its name, or the tag `Name`; empty if it has none.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Region; empty for what is global.
    pub region: String,
    /// The owning account.
    pub account: String,
}

/// How EC2 lists a kind.
struct Listing {
    kind: &'static str,
    action: &'static str,
    set: &'static str,
    id: &'static str,
    /// Whether an item is one that comes by itself.
    is_default: fn(&Element) -> bool,
}

fn flagged(item: &Element, name: &str) -> bool {
    item.text_of(name).eq_ignore_ascii_case("true")
}

const LISTINGS: &[Listing] = &[
    Listing { kind: "vpc", action: "DescribeVpcs", set: "vpcSet", id: "vpcId", is_default: |item| flagged(item, "isDefault") },
    Listing {
        kind: "subnet",
        action: "DescribeSubnets",
        set: "subnetSet",
        id: "subnetId",
        is_default: |item| flagged(item, "defaultForAz"),
    },
    Listing {
        kind: "internet-gateway",
        action: "DescribeInternetGateways",
        set: "internetGatewaySet",
        id: "internetGatewayId",
        is_default: |_| false,
    },
    Listing {
        kind: "route-table",
        action: "DescribeRouteTables",
        set: "routeTableSet",
        id: "routeTableId",
        is_default: |item| item.all("main").iter().any(|main| main.text().eq_ignore_ascii_case("true")),
    },
    Listing {
        kind: "security-group",
        action: "DescribeSecurityGroups",
        set: "securityGroupInfo",
        id: "groupId",
        is_default: |item| item.text_of("groupName") == "default",
    },
    Listing { kind: "volume", action: "DescribeVolumes", set: "volumeSet", id: "volumeId", is_default: |_| false },
    Listing {
        kind: "network-interface",
        action: "DescribeNetworkInterfaces",
        set: "networkInterfaceSet",
        id: "networkInterfaceId",
        is_default: |_| false,
    },
    Listing {
        kind: "nat-gateway",
        action: "DescribeNatGateways",
        set: "natGatewaySet",
        id: "natGatewayId",
        is_default: |item| item.text_of("state") == "deleted",
    },
    Listing { kind: "elastic-ip", action: "DescribeAddresses", set: "addressesSet", id: "allocationId", is_default: |_| false },
];

/// Asks moto for everything; ordered by kind and id.
pub(crate) async fn take(cloud: &Cloud) -> Result<Vec<Object>, Error> {
    let places: Vec<(String, String)> = cloud.state().places.iter().cloned().collect();
    let mut objects = Vec::new();
    for (account, region) in &places {
        let caller = Caller { account, region };
        take_network(cloud, caller, &mut objects).await?;
        take_instances(cloud, caller, &mut objects).await?;
        take_load_balancing(cloud, caller, &mut objects).await?;
    }
    let accounts: BTreeSet<&str> = cloud.config.credentials.iter().map(|known| known.account.as_str()).collect();
    for account in accounts {
        let caller = Caller { account, region: "us-east-1" };
        take_roles(cloud, caller, &mut objects).await?;
        take_dns(cloud, caller, &mut objects).await?;
        take_buckets(cloud, caller, &mut objects).await?;
    }
    objects.sort();
    Ok(objects)
}

fn refused(call: &str) -> impl FnOnce(Refusal) -> Error {
    let call = call.to_owned();
    move |refusal| Error::Refused { call, code: refusal.code, message: refusal.message }
}

fn pairs<'a>(items: impl IntoIterator<Item = &'a Element>, key: &str, value: &str) -> BTreeMap<String, String> {
    items.into_iter().map(|tag| (tag.text_of(key).to_owned(), tag.text_of(value).to_owned())).collect()
}

fn object(kind: &str, caller: Caller<'_>, id: &str, name: &str, tags: BTreeMap<String, String>) -> Object {
    let name = if name.is_empty() { tags.get("Name").cloned().unwrap_or_default() } else { name.to_owned() };
    Object {
        kind: kind.to_owned(),
        id: id.to_owned(),
        name,
        tags,
        region: caller.region.to_owned(),
        account: caller.account.to_owned(),
    }
}

fn ec2_tags(item: &Element) -> BTreeMap<String, String> {
    item.child("tagSet").map(|set| pairs(set.elements(), "key", "value")).unwrap_or_default()
}

async fn take_network(cloud: &Cloud, caller: Caller<'_>, objects: &mut Vec<Object>) -> Result<(), Error> {
    for listing in LISTINGS {
        let tree = cloud.moto.ec2(caller, listing.action, &[]).await.map_err(refused(listing.action))?;
        let Some(set) = tree.child(listing.set) else { continue };
        for item in set.elements().filter(|item| !(listing.is_default)(item)) {
            objects.push(object(listing.kind, caller, item.text_of(listing.id), item.text_of("groupName"), ec2_tags(item)));
        }
    }
    Ok(())
}

async fn take_instances(cloud: &Cloud, caller: Caller<'_>, objects: &mut Vec<Object>) -> Result<(), Error> {
    let tree = cloud.moto.ec2(caller, "DescribeInstances", &[]).await.map_err(refused("DescribeInstances"))?;
    let state = cloud.state();
    for item in tree.all("instancesSet").iter().flat_map(|set| set.elements()) {
        let id = item.text_of("instanceId");
        if state.instances.get(id).is_none_or(|instance| instance.phase != Phase::Terminated) {
            objects.push(object("instance", caller, id, "", ec2_tags(item)));
        }
    }
    Ok(())
}

async fn take_load_balancing(cloud: &Cloud, caller: Caller<'_>, objects: &mut Vec<Object>) -> Result<(), Error> {
    let mut found: Vec<(&str, String, String)> = Vec::new();
    {
        let state = cloud.state();
        let own = |account: &str, region: &str| account == caller.account && region == caller.region;
        for (arn, balancer) in state.load_balancers.iter().filter(|(_, balancer)| own(&balancer.account, &balancer.region)) {
            found.push(("load-balancer", arn.clone(), balancer.name.clone()));
            found.extend(balancer.listeners.keys().map(|listener| ("listener", listener.clone(), String::new())));
        }
        for (arn, group) in state.target_groups.iter().filter(|(_, group)| own(&group.account, &group.region)) {
            found.push(("target-group", arn.clone(), group.name.clone()));
        }
    }
    for (kind, arn, name) in found {
        let query = Parameters::of("DescribeTags", ELBV2_VERSION, &[("ResourceArns.member.1", &arn)]);
        let tree = cloud.moto.query("elasticloadbalancing", caller, &query).await.map_err(refused("DescribeTags"))?;
        let tags = tree.all("Tags").first().map(|list| pairs(list.elements(), "Key", "Value")).unwrap_or_default();
        objects.push(object(kind, caller, &shown(&arn), &name, tags));
    }
    Ok(())
}

async fn take_roles(cloud: &Cloud, caller: Caller<'_>, objects: &mut Vec<Object>) -> Result<(), Error> {
    let global = Caller { region: "", ..caller };
    let query = Parameters::of("ListRoles", IAM_VERSION, &[]);
    let tree = cloud.moto.query("iam", caller, &query).await.map_err(refused("ListRoles"))?;
    for role in tree.all("Roles").iter().flat_map(|list| list.elements()) {
        let name = role.text_of("RoleName");
        let query = Parameters::of("ListRoleTags", IAM_VERSION, &[("RoleName", name)]);
        let tags = cloud.moto.query("iam", caller, &query).await.map_err(refused("ListRoleTags"))?;
        let tags = tags.all("Tags").first().map(|list| pairs(list.elements(), "Key", "Value")).unwrap_or_default();
        objects.push(object("role", global, role.text_of("Arn"), name, tags));
    }
    Ok(())
}

async fn take_dns(cloud: &Cloud, caller: Caller<'_>, objects: &mut Vec<Object>) -> Result<(), Error> {
    let global = Caller { region: "", ..caller };
    let get = async |target: String, call: &str| {
        cloud.moto.rest("route53", caller, Method::GET, &target, String::new()).await.map_err(refused(call))
    };
    let tags = async |kind: &str, id: &str| -> Result<BTreeMap<String, String>, Error> {
        let tree = get(format!("/2013-04-01/tags/{kind}/{id}"), "ListTagsForResource").await?;
        Ok(pairs(tree.all("Tag"), "Key", "Value"))
    };
    let zones = get("/2013-04-01/hostedzone".to_owned(), "ListHostedZones").await?;
    for zone in zones.all("HostedZone") {
        let id = zone.text_of("Id").rsplit('/').next().unwrap_or_default();
        objects.push(object("hosted-zone", global, id, zone.text_of("Name"), tags("hostedzone", id).await?));
        let records = get(format!("/2013-04-01/hostedzone/{id}/rrset?maxitems=300"), "ListResourceRecordSets").await?;
        for record in records.all("ResourceRecordSet") {
            let (name, kind) = (record.text_of("Name"), record.text_of("Type"));
            if !["SOA", "NS"].contains(&kind) {
                let key = format!("{id}/{name}/{kind}/{}", record.text_of("SetIdentifier"));
                objects.push(object("record", global, &key, name, BTreeMap::new()));
            }
        }
    }
    let checks = get("/2013-04-01/healthcheck".to_owned(), "ListHealthChecks").await?;
    for check in checks.all("HealthCheck") {
        let id = check.text_of("Id");
        objects.push(object("health-check", global, id, "", tags("healthcheck", id).await?));
    }
    Ok(())
}

async fn take_buckets(cloud: &Cloud, caller: Caller<'_>, objects: &mut Vec<Object>) -> Result<(), Error> {
    let tree = cloud.moto.rest("s3", caller, Method::GET, "/", String::new()).await.map_err(refused("ListBuckets"))?;
    for bucket in tree.all("Bucket") {
        let name = bucket.text_of("Name");
        let region = cloud.state().buckets.get(name).map(|bucket| bucket.region.clone()).unwrap_or_default();
        let tags = s3::tags(cloud, caller, name).await.into_iter().collect();
        objects.push(object("bucket", Caller { region: &region, ..caller }, name, name, tags));
    }
    Ok(())
}
