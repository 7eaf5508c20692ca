//! What a region's network consists of besides its VPC: subnets, and with [`super::routes`] the way out.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, InternetGateway, ResourceType, RouteTable, Subnet as Ec2Subnet};
use futures_util::future::{try_join, try_join_all};
use ipnet::Ipv4Net;

use super::call::{Api, Pace, SETTLE};
use super::failure::Failure;
use super::inventory::FRESH;
use super::{Aws, routes, subnets, tags, vpc};
use crate::{Error, RegionSpec, Result, Root, Subnet};

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
            [] => tags::from_ec2(gateway.tags()).get(routes::NETWORK) == Some(&root.id),
            attached => attached.iter().any(|attachment| here(attachment.vpc_id())),
        })
        .cloned()
        .collect();
    gateways.sort_by_key(|gateway| (gateway.attachments().is_empty(), gateway.internet_gateway_id().map(str::to_owned)));
    Ok(Parts { subnets: subnets.iter().filter(|subnet| here(subnet.vpc_id())).cloned().collect(), gateways, route_tables })
}

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

/// Makes what is missing of the network. The answer is its subnets.
pub(super) async fn lay_out(aws: &Aws, spec: &RegionSpec, root: &Root) -> Result<Vec<Subnet>> {
    let parts = parts(aws, root, FRESH).await?;
    let ((), subnets, gateway, table) = tokio::try_join!(
        vpc::resolve_names(aws, &root.id),
        make_subnets(aws, spec, root, &parts),
        routes::make_gateway(aws, spec, root, &parts),
        routes::make_route_table(aws, spec, root, &parts),
    )?;
    try_join(routes::route(aws, &table, &gateway), routes::associate(aws, &table, &subnets)).await?;
    routes::remove_spares(aws, &parts, &gateway, &table).await?;
    Ok(subnets)
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
        routes::delete_gateway(aws, id).await?;
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
    let tables = try_join_all(parts.route_tables.iter().map(|table| routes::remove_table(aws, table))).await?;
    Ok(!tables.into_iter().any(|left| left))
}

/// Ids of the parts, for tags.
pub(super) fn ids(parts: &Parts) -> Vec<String> {
    let subnets = parts.subnets.iter().filter_map(|subnet| subnet.subnet_id());
    let gateways = parts.gateways.iter().filter_map(|gateway| gateway.internet_gateway_id());
    let tables = parts.route_tables.iter().filter_map(|table| table.route_table_id());
    subnets.chain(gateways).chain(tables).map(str::to_owned).collect()
}
