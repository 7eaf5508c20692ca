//! A region's network: VPC, subnets, internet gateway, routes.

use std::time::Duration;

use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, InternetGateway, ResourceType, RouteTable, Subnet as Ec2Subnet, VpcAttributeName,
};
use futures_util::future::{try_join, try_join_all};
use ipnet::Ipv4Net;

use super::call::{Api, Pace, SETTLE};
use super::failure::{Class, Failure};
use super::inventory::FRESH;
use super::{Aws, mismatch, naming, roots, subnets, tags};
use crate::{Claim, Error, Kind, Mark, RegionSpec, Result, Root, Subnet};

/// Where everything else goes.
const ANYWHERE: &str = "0.0.0.0/0";
/// How long a VPC is looked for whose making was not answered, and how often one may be.
const LOST: Duration = Duration::from_secs(10);
const LOST_ANSWERS: u32 = 5;
/// Zones with a subnet where the user names none.
const ZONES: usize = 3;

/// Zones that need no opt-in, sorted.
pub(super) async fn zones(aws: &Aws) -> Result<Vec<String>> {
    let client = &aws.clients().ec2;
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let answer = aws
        .call(Api::Ec2, "ec2:DescribeAvailabilityZones", "the zones")
        .send(|| client.describe_availability_zones().filters(filter("state", "available")).send())
        .await?;
    let mut zones: Vec<String> = answer
        .availability_zones()
        .iter()
        .filter(|zone| zone.zone_type().is_none_or(|kind| kind == "availability-zone"))
        .filter_map(|zone| zone.zone_name().map(str::to_owned))
        .collect();
    zones.sort();
    Ok(zones)
}

/// Id and range of every VPC; one with secondary ranges comes once for each.
pub(super) async fn ranges(aws: &Aws) -> Result<Vec<(String, Ipv4Net)>> {
    let vpcs = aws.vpcs(super::inventory::SHARED).await?;
    let mut ranges = Vec::new();
    for vpc in vpcs.iter() {
        let id = vpc.vpc_id().unwrap_or_default();
        let secondary = vpc.cidr_block_association_set().iter().filter_map(|part| part.cidr_block());
        let mut blocks: Vec<Ipv4Net> =
            vpc.cidr_block().into_iter().chain(secondary).filter_map(|block| block.parse().ok()).collect();
        blocks.sort();
        blocks.dedup();
        ranges.extend(blocks.into_iter().map(|block| (id.to_owned(), block)));
    }
    Ok(ranges)
}

/// The VPC to work on, under `claim`: the given one, one that turned up since, or a new one.
pub(super) async fn root(aws: &Aws, spec: &RegionSpec, claim: &Claim, given: Option<&Root>) -> Result<Root> {
    if let Some(given) = given {
        let gone = || Error::NotFound {
            object: format!("network `{}` of region `{}`", given.id, spec.scope.region),
            message: "it was there a moment ago: plan again".to_owned(),
        };
        let found = roots::one(aws, Kind::Region, &given.id, FRESH).await?.ok_or_else(gone)?;
        return take_up(aws, found, claim).await;
    }
    if let Some(found) = ours(aws, spec).await?.into_iter().next() {
        return take_up(aws, found, claim).await;
    }
    create(aws, spec, claim).await
}

/// The root under `claim`; one that a state holds is only for its own claim.
pub(super) async fn take_up(aws: &Aws, root: Root, claim: &Claim) -> Result<Root> {
    if root.claim.as_ref() == Some(claim) {
        return Ok(root);
    }
    if root.in_state {
        return Err(mismatch(&root));
    }
    roots::mark(aws, &root, &Mark::Claim(claim.clone())).await?;
    roots::one(aws, root.kind, &root.id, FRESH).await?.ok_or_else(|| mismatch(&root))
}

/// Roots of this region as they are now, the one to keep first.
async fn ours(aws: &Aws, spec: &RegionSpec) -> Result<Vec<Root>> {
    let all = roots::networks(aws, FRESH).await?;
    Ok(all.into_iter().filter(|root| root.scope == spec.scope).collect())
}

/// `CreateVpc` has no client token: what it made is looked for by its claim, also where the answer was lost. Where an
/// older one of the same region turns up meanwhile, that one is kept.
async fn create(aws: &Aws, spec: &RegionSpec, claim: &Claim) -> Result<Root> {
    let display = super::region::display(&spec.scope);
    let all = tags::of_root(tags::common(&spec.scope, &display, &spec.tags), Kind::Region, &spec.scope.region, claim);
    let mut lost = 0;
    let found = loop {
        match create_vpc(aws, spec, &all).await {
            Ok(()) => break await_claim(aws, spec, claim, SETTLE).await?,
            Err(failure) if failure.class == Class::Ambiguous && lost < LOST_ANSWERS => {
                lost += 1;
                // Made or not made: if nothing is seen soon, it is made (again). A twin that is seen later goes in the end.
                if let Ok(found) = await_claim(aws, spec, claim, LOST).await {
                    break found;
                }
            }
            Err(failure) => return Err(failure.into()),
        }
    };
    let (keep, surplus) = found;
    for extra in surplus.iter().filter(|root| root.claim.as_ref() == Some(claim)) {
        remove_empty(aws, &extra.id).await?;
    }
    take_up(aws, keep, claim).await
}

async fn create_vpc(aws: &Aws, spec: &RegionSpec, all: &tags::Tags) -> std::result::Result<(), Failure> {
    let client = &aws.clients().ec2;
    aws.call(Api::Ec2, "ec2:CreateVpc", format!("the network of region `{}`", spec.scope.region))
        .once()
        .send(|| {
            let request = client.create_vpc().cidr_block(spec.cidr.trunc().to_string());
            request.tag_specifications(tags::ec2_specification(ResourceType::Vpc, all)).send()
        })
        .await
        .map(drop)
}

/// The region's roots once one with the claim is among them: the one to keep, the others.
async fn await_claim(aws: &Aws, spec: &RegionSpec, claim: &Claim, limit: Duration) -> Result<(Root, Vec<Root>)> {
    let mut pace = Pace::new(limit, Duration::from_secs(2));
    loop {
        let mut found = ours(aws, spec).await?;
        if found.iter().any(|root| root.claim.as_ref() == Some(claim)) {
            let surplus = found.split_off(1);
            if let Some(keep) = found.pop() {
                return Ok((keep, surplus));
            }
        }
        if !pace.wait().await {
            let object = format!("the network of region `{}`", spec.scope.region);
            return Err(Error::NotInTime { object, awaited: "seen after it was made", seconds: limit.as_secs() });
        }
    }
}

/// Removes unfinished twins of a region's VPC that turned up late. EC2 refuses to delete one with anything in it.
pub(super) async fn remove_twins(aws: &Aws, spec: &RegionSpec, keep: &str) -> Result<()> {
    for twin in ours(aws, spec).await?.iter().filter(|root| root.id != keep && !root.finished && !root.in_state) {
        remove_empty(aws, &twin.id).await?;
    }
    Ok(())
}

async fn remove_empty(aws: &Aws, id: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let object = format!("network `{id}`");
    let gone = aws.call(Api::Ec2, "ec2:DeleteVpc", object.as_str()).send(|| client.delete_vpc().vpc_id(id).send()).await;
    match gone {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) if failure.is_in_use() => Err(Error::Foreign {
            object: format!("a second {object} of this region"),
            message: "something stands in it, so another apply seems to be at work on this region: let it end, then apply \
                      again"
                .to_owned(),
        }),
        Err(failure) => Err(failure.into()),
    }
}

/// What a network consists of besides the VPC.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) subnets: Vec<Ec2Subnet>,
    pub(super) gateways: Vec<InternetGateway>,
    pub(super) route_tables: Vec<RouteTable>,
}

/// Ours in that VPC, and internet gateways of this region that are not attached (yet).
pub(super) async fn parts(aws: &Aws, root: &Root, age: Duration) -> Result<Parts> {
    let (subnets, gateways, tables) = tokio::try_join!(aws.subnets(age), aws.gateways(age), aws.route_tables(age))?;
    let here = |id: Option<&str>| id == Some(root.id.as_str());
    let mut route_tables: Vec<RouteTable> = tables.iter().filter(|table| here(table.vpc_id())).cloned().collect();
    // The one in use first, should there be two.
    route_tables.sort_by_key(|table| (usize::MAX - table.associations().len(), table.route_table_id().map(str::to_owned)));
    let mut gateways: Vec<InternetGateway> = gateways
        .iter()
        .filter(|gateway| match gateway.attachments() {
            [] => tags::from_ec2(gateway.tags()).get(NETWORK) == Some(&root.id),
            attached => attached.iter().any(|attachment| here(attachment.vpc_id())),
        })
        .cloned()
        .collect();
    gateways.sort_by_key(|gateway| (gateway.attachments().is_empty(), gateway.internet_gateway_id().map(str::to_owned)));
    Ok(Parts { subnets: subnets.iter().filter(|subnet| here(subnet.vpc_id())).cloned().collect(), gateways, route_tables })
}

/// On an internet gateway: the VPC that it was made for.
const NETWORK: &str = "inferadb.com/network";

/// Subnets as the state tells them, by zone.
pub(super) fn subnet_states(parts: &Parts) -> Vec<Subnet> {
    let mut states: Vec<Subnet> = parts
        .subnets
        .iter()
        .filter_map(|subnet| {
            Some(Subnet {
                id: subnet.subnet_id()?.to_owned(),
                zone: subnet.availability_zone()?.to_owned(),
                cidr: subnet.cidr_block()?.parse().ok()?,
            })
        })
        .collect();
    states.sort_by(|a, b| (&a.zone, a.cidr).cmp(&(&b.zone, b.cidr)));
    states
}

/// Makes what is missing of the network. `seen` is told of the subnets as they come.
pub(super) async fn lay_out(aws: &Aws, spec: &RegionSpec, root: &Root) -> Result<Vec<Subnet>> {
    let parts = parts(aws, root, FRESH).await?;
    let ((), subnets, gateway, table) = tokio::try_join!(
        resolve_names(aws, &root.id),
        make_subnets(aws, spec, root, &parts),
        make_gateway(aws, spec, root, &parts),
        make_route_table(aws, spec, root, &parts),
    )?;
    try_join(route(aws, &table, &gateway), associate(aws, &table, &subnets)).await?;
    remove_spares(aws, &parts, &gateway, &table).await?;
    Ok(subnets)
}

/// DNS support and host names: without them a node gets no name of its own. Each goes by its own call.
async fn resolve_names(aws: &Aws, vpc: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let on = || AttributeBooleanValue::builder().value(true).build();
    let (support, names) = name_attributes(aws, vpc, Some(&[])).await?;
    let object = format!("network `{vpc}`");
    if !support {
        aws.call(Api::Ec2, "ec2:ModifyVpcAttribute", object.as_str())
            .settling(&[])
            .send(|| client.modify_vpc_attribute().vpc_id(vpc).enable_dns_support(on()).send())
            .await?;
    }
    if !names {
        aws.call(Api::Ec2, "ec2:ModifyVpcAttribute", object)
            .settling(&[])
            .send(|| client.modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(on()).send())
            .await?;
    }
    Ok(())
}

/// DNS support, DNS host names. `settling` as in [`super::call::Call::settling`], for a VPC that was made just now.
pub(super) async fn name_attributes(aws: &Aws, vpc: &str, settling: Option<&[&str]>) -> Result<(bool, bool)> {
    let client = &aws.clients().ec2;
    let ask = |attribute: VpcAttributeName| async move {
        let call = aws.call(Api::Ec2, "ec2:DescribeVpcAttribute", format!("network `{vpc}`"));
        let call = if let Some(codes) = settling { call.settling(codes) } else { call };
        call.send(|| client.describe_vpc_attribute().vpc_id(vpc).attribute(attribute.clone()).send()).await
    };
    let (support, names) = try_join(ask(VpcAttributeName::EnableDnsSupport), ask(VpcAttributeName::EnableDnsHostnames)).await?;
    let is_on =
        |value: Option<&AttributeBooleanValue>| value.and_then(aws_sdk_ec2::types::AttributeBooleanValue::value).unwrap_or(false);
    Ok((is_on(support.enable_dns_support()), is_on(names.enable_dns_hostnames())))
}

async fn make_subnets(aws: &Aws, spec: &RegionSpec, root: &Root, parts: &Parts) -> Result<Vec<Subnet>> {
    let standing: Vec<(String, Ipv4Net)> = subnet_states(parts).into_iter().map(|s| (s.zone, s.cidr)).collect();
    let zones = wanted_zones(aws, spec, &standing).await?;
    let network = root.cidr.unwrap_or(spec.cidr);
    let Some(missing) = subnets::assign(network, &standing, &zones) else {
        return Err(Error::NotFound {
            object: format!("room for a subnet in each of {} zones", zones.len()),
            message: format!("network `{network}` is too small or too full: choose a larger `cidr_block` or fewer zones"),
        });
    };
    try_join_all(missing.iter().map(|(zone, cidr)| make_subnet(aws, spec, root, zone, *cidr))).await?;
    // Seen by all, so that load balancer and route table find them.
    let mut pace = Pace::new(SETTLE, Duration::from_secs(2));
    let subnets = loop {
        let now = self::parts(aws, root, FRESH).await?;
        let states = subnet_states(&now);
        if missing.keys().all(|zone| states.iter().any(|subnet| subnet.zone == *zone)) {
            break now;
        }
        if !pace.wait().await {
            let object = format!("the subnets of network `{}`", root.id);
            return Err(Error::NotInTime { object, awaited: "seen after they were made", seconds: SETTLE.as_secs() });
        }
    };
    let client = &aws.clients().ec2;
    let private = subnets.subnets.iter().filter(|subnet| subnet.map_public_ip_on_launch() != Some(true));
    try_join_all(private.filter_map(|subnet| subnet.subnet_id()).map(|id| async move {
        let on = AttributeBooleanValue::builder().value(true).build();
        aws.call(Api::Ec2, "ec2:ModifySubnetAttribute", format!("subnet `{id}`"))
            .settling(&[])
            .send(|| client.modify_subnet_attribute().subnet_id(id).map_public_ip_on_launch(on.clone()).send())
            .await
    }))
    .await?;
    Ok(subnet_states(&subnets))
}

/// The named zones; else those that have a subnet; else the first three.
async fn wanted_zones(aws: &Aws, spec: &RegionSpec, standing: &[(String, Ipv4Net)]) -> Result<Vec<String>> {
    use crate::Cloud;

    let offered = Cloud::zones(aws).await?;
    if let Some(unknown) = spec.zones.iter().find(|zone| !offered.contains(zone)) {
        return Err(Error::NotFound {
            object: format!("zone `{unknown}`"),
            message: format!("`{}` has `{}`", aws.region(), offered.join("`, `")),
        });
    }
    let mut zones = spec.zones.clone();
    if zones.is_empty() {
        zones = standing.iter().map(|(zone, _)| zone.clone()).collect();
        let more = offered.into_iter().filter(|zone| !standing.iter().any(|(of, _)| of == zone));
        let missing = ZONES.saturating_sub(zones.len());
        zones.extend(more.take(missing));
    }
    zones.sort();
    zones.dedup();
    Ok(zones)
}

async fn make_subnet(aws: &Aws, spec: &RegionSpec, root: &Root, zone: &str, cidr: Ipv4Net) -> Result<()> {
    let client = &aws.clients().ec2;
    let display = format!("{}-{zone}", super::region::display(&spec.scope));
    let specification = tags::ec2_specification(ResourceType::Subnet, &tags::common(&spec.scope, &display, &spec.tags));
    let made = aws
        .call(Api::Ec2, "ec2:CreateSubnet", format!("the subnet in zone `{zone}`"))
        .settling(&[])
        .send(|| {
            let request = client.create_subnet().vpc_id(&root.id).availability_zone(zone).cidr_block(cidr.to_string());
            request.tag_specifications(specification.clone()).send()
        })
        .await;
    match made {
        Ok(_) => Ok(()),
        // An earlier try has made it and reads do not show it yet.
        Err(failure) if failure.is(&["InvalidSubnet.Conflict"]) => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

/// A gateway that is attached to the VPC; its id. `CreateInternetGateway` has no token, but only one can be attached, and
/// those that are not are removed at the end.
async fn make_gateway(aws: &Aws, spec: &RegionSpec, root: &Root, parts: &Parts) -> Result<String> {
    let client = &aws.clients().ec2;
    let standing = parts.gateways.first();
    let id = if let Some(id) = standing.and_then(|gateway| gateway.internet_gateway_id()) {
        id.to_owned()
    } else {
        let mut all = tags::common(&spec.scope, &super::region::display(&spec.scope), &spec.tags);
        all.insert(NETWORK.to_owned(), root.id.clone());
        let specification = tags::ec2_specification(ResourceType::InternetGateway, &all);
        let made = aws
            .call(Api::Ec2, "ec2:CreateInternetGateway", "the internet gateway")
            .send(|| client.create_internet_gateway().tag_specifications(specification.clone()).send())
            .await?;
        made.internet_gateway().and_then(|gateway| gateway.internet_gateway_id()).unwrap_or_default().to_owned()
    };
    if standing.is_some_and(|gateway| !gateway.attachments().is_empty()) {
        return Ok(id);
    }
    let attached = aws
        .call(Api::Ec2, "ec2:AttachInternetGateway", format!("internet gateway `{id}`"))
        .settling(&[])
        .send(|| client.attach_internet_gateway().internet_gateway_id(&id).vpc_id(&root.id).send())
        .await;
    match attached {
        Ok(_) => Ok(id),
        // To this VPC by a try whose answer was lost, or the VPC has another by an earlier one.
        Err(failure) if failure.is(&["Resource.AlreadyAssociated", "InvalidParameterValue"]) => {
            let mut pace = Pace::new(SETTLE, Duration::from_secs(2));
            loop {
                let now = self::parts(aws, root, FRESH).await?;
                let found = now.gateways.iter().find(|gateway| !gateway.attachments().is_empty());
                if let Some(found) = found.and_then(|gateway| gateway.internet_gateway_id()) {
                    return Ok(found.to_owned());
                }
                if !pace.wait().await {
                    return Err(failure.into());
                }
            }
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The route table of the public subnets; its id.
async fn make_route_table(aws: &Aws, spec: &RegionSpec, root: &Root, parts: &Parts) -> Result<RouteTable> {
    if let Some(table) = parts.route_tables.first() {
        return Ok(table.clone());
    }
    let client = &aws.clients().ec2;
    let display = format!("{}-public", super::region::display(&spec.scope));
    let specification = tags::ec2_specification(ResourceType::RouteTable, &tags::common(&spec.scope, &display, &spec.tags));
    let token = naming::digest(&["route table", &root.id], 64);
    let made = aws
        .call(Api::Ec2, "ec2:CreateRouteTable", "the route table")
        .settling(&[])
        .send(|| {
            let request = client.create_route_table().vpc_id(&root.id).client_token(&token);
            request.tag_specifications(specification.clone()).send()
        })
        .await?;
    made.route_table().cloned().ok_or_else(|| Error::Api {
        operation: "ec2:CreateRouteTable",
        object: "the route table".to_owned(),
        code: String::new(),
        message: "the answer names none".to_owned(),
    })
}

/// The default route's target, where the table has one.
pub(super) fn default_route(table: &RouteTable) -> Option<&str> {
    let route = table.routes().iter().find(|route| route.destination_cidr_block() == Some(ANYWHERE))?;
    route.gateway_id()
}

/// Sends everything else through the gateway.
async fn route(aws: &Aws, table: &RouteTable, gateway: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let id = table.route_table_id().unwrap_or_default();
    let object = format!("the default route of `{id}`");
    match default_route(table) {
        Some(target) if target == gateway => return Ok(()),
        Some(_) => {
            aws.call(Api::Ec2, "ec2:ReplaceRoute", object)
                .settling(&[])
                .send(|| {
                    let request = client.replace_route().route_table_id(id).gateway_id(gateway);
                    request.destination_cidr_block(ANYWHERE).send()
                })
                .await?;
        }
        None => {
            let made = aws
                .call(Api::Ec2, "ec2:CreateRoute", object)
                .settling(&[])
                .send(|| {
                    let request = client.create_route().route_table_id(id).gateway_id(gateway);
                    request.destination_cidr_block(ANYWHERE).send()
                })
                .await;
            match made {
                Err(failure) if !failure.is(&["RouteAlreadyExists"]) => return Err(failure.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Ties each subnet to the table.
async fn associate(aws: &Aws, table: &RouteTable, subnets: &[Subnet]) -> Result<()> {
    let client = &aws.clients().ec2;
    let id = table.route_table_id().unwrap_or_default();
    let tied = |subnet: &&Subnet| !table.associations().iter().any(|a| a.subnet_id() == Some(subnet.id.as_str()));
    try_join_all(subnets.iter().filter(tied).map(|subnet| async move {
        let made = aws
            .call(Api::Ec2, "ec2:AssociateRouteTable", format!("subnet `{}`", subnet.id))
            .settling(&[])
            .send(|| client.associate_route_table().route_table_id(id).subnet_id(&subnet.id).send())
            .await;
        match made {
            Err(failure) if !failure.is(&["Resource.AlreadyAssociated"]) => Err(failure),
            _ => Ok(()),
        }
    }))
    .await?;
    Ok(())
}

/// Gateways and tables that a try whose answer was lost has left.
async fn remove_spares(aws: &Aws, parts: &Parts, gateway: &str, table: &RouteTable) -> Result<()> {
    let client = &aws.clients().ec2;
    for spare in parts.gateways.iter().filter(|spare| spare.attachments().is_empty()) {
        if let Some(id) = spare.internet_gateway_id().filter(|id| *id != gateway) {
            delete_gateway(aws, id).await?;
        }
    }
    for spare in parts.route_tables.iter().filter(|spare| spare.associations().is_empty()) {
        if let Some(id) = spare.route_table_id().filter(|id| Some(*id) != table.route_table_id()) {
            let gone = aws
                .call(Api::Ec2, "ec2:DeleteRouteTable", format!("route table `{id}`"))
                .send(|| client.delete_route_table().route_table_id(id).send())
                .await;
            match gone {
                Err(failure) if !failure.is_not_found() => return Err(failure.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

async fn delete_gateway(aws: &Aws, id: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let gone = aws
        .call(Api::Ec2, "ec2:DeleteInternetGateway", format!("internet gateway `{id}`"))
        .send(|| client.delete_internet_gateway().internet_gateway_id(id).send())
        .await;
    match gone {
        Err(failure) if failure.is_in_use() || failure.is_not_found() => Ok(()),
        Err(failure) => Err(failure.into()),
        Ok(_) => Ok(()),
    }
}

/// One pass of removing the network's parts: what is still in use is left for the next pass. `true` once nothing of it
/// stands.
pub(super) async fn remove(aws: &Aws, root: &Root) -> Result<bool> {
    let client = &aws.clients().ec2;
    let vpc = root.id.as_str();
    let parts = parts(aws, root, FRESH).await?;
    let still = |answer: std::result::Result<(), Failure>| match answer {
        Ok(()) => Ok(false),
        Err(failure) if failure.is_not_found() => Ok(false),
        Err(failure) if failure.is_in_use() => Ok(true),
        Err(failure) => Err(Error::from(failure)),
    };
    let gateways = try_join_all(parts.gateways.iter().filter_map(|g| g.internet_gateway_id()).map(|id| async move {
        let detached = aws
            .call(Api::Ec2, "ec2:DetachInternetGateway", format!("internet gateway `{id}`"))
            .send(|| client.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc).send())
            .await;
        if still(detached.map(drop))? {
            return Ok::<bool, Error>(true);
        }
        delete_gateway(aws, id).await?;
        Ok(false)
    }));
    let subnets = try_join_all(parts.subnets.iter().filter_map(|s| s.subnet_id()).map(|id| async move {
        let gone = aws
            .call(Api::Ec2, "ec2:DeleteSubnet", format!("subnet `{id}`"))
            .send(|| client.delete_subnet().subnet_id(id).send())
            .await;
        still(gone.map(drop))
    }));
    let (gateways, subnets) = try_join(gateways, subnets).await?;
    if gateways.into_iter().chain(subnets).any(|left| left) {
        return Ok(false);
    }
    // A subnet takes its association along, so the tables come after.
    let tables = try_join_all(parts.route_tables.iter().map(|table| remove_table(aws, table))).await?;
    Ok(!tables.into_iter().any(|left| left))
}

/// `true` while something still uses the table.
async fn remove_table(aws: &Aws, table: &RouteTable) -> Result<bool> {
    let client = &aws.clients().ec2;
    let id = table.route_table_id().unwrap_or_default();
    let gone = aws
        .call(Api::Ec2, "ec2:DeleteRouteTable", format!("route table `{id}`"))
        .send(|| client.delete_route_table().route_table_id(id).send())
        .await;
    match gone {
        Ok(_) => return Ok(false),
        Err(failure) if failure.is_not_found() => return Ok(false),
        Err(failure) if failure.is_in_use() => {}
        Err(failure) => return Err(failure.into()),
    }
    // Somebody's subnet uses it; ours are gone, so it may be let go of.
    for tie in table.associations().iter().filter(|association| association.main() != Some(true)) {
        let tie = tie.route_table_association_id().unwrap_or_default();
        let loose = aws
            .call(Api::Ec2, "ec2:DisassociateRouteTable", format!("route table `{id}`"))
            .send(|| client.disassociate_route_table().association_id(tie).send())
            .await;
        match loose {
            Err(failure) if !failure.is_not_found() => return Err(failure.into()),
            _ => {}
        }
    }
    Ok(true)
}

/// Removes the VPC itself; `false` while something of it still stands.
pub(super) async fn remove_vpc(aws: &Aws, id: &str) -> Result<bool> {
    let client = &aws.clients().ec2;
    let gone =
        aws.call(Api::Ec2, "ec2:DeleteVpc", format!("network `{id}`")).send(|| client.delete_vpc().vpc_id(id).send()).await;
    match gone {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(true),
        Err(failure) if failure.is_in_use() => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// Ids of the parts, for tags.
pub(super) fn ids(parts: &Parts) -> Vec<String> {
    let subnets = parts.subnets.iter().filter_map(|subnet| subnet.subnet_id());
    let gateways = parts.gateways.iter().filter_map(|gateway| gateway.internet_gateway_id());
    let tables = parts.route_tables.iter().filter_map(|table| table.route_table_id());
    subnets.chain(gateways).chain(tables).map(str::to_owned).collect()
}
