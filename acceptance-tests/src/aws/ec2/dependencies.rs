//! What stands in the way of deleting network objects. moto lets most of it go.

use super::super::answer::Refusal;
use super::super::moto::Caller;
use super::super::request::Request;
use super::super::xml::Element;
use super::super::{Cloud, caller, visibility};

fn violation(message: impl Into<String>) -> Refusal {
    Refusal::new("DependencyViolation", message)
}

fn named<'a>(request: &'a Request, key: &str) -> &'a str {
    request.parameters.get(key).unwrap_or_default()
}

/// How many objects a Describe call with one filter finds.
async fn count(cloud: &Cloud, caller: Caller<'_>, action: &str, set: &str, filter: (&str, &str)) -> Result<usize, Refusal> {
    let pairs = [("Filter.1.Name", filter.0), ("Filter.1.Value.1", filter.1)];
    let found = cloud.moto.ec2(caller, action, &pairs).await?;
    Ok(found.child(set).map_or(0, |set| set.elements().count()))
}

/// NAT gateways that are not deleted, with their VPC and subnet.
async fn nat_gateways(cloud: &Cloud, caller: Caller<'_>) -> Result<Vec<(String, String)>, Refusal> {
    let found = cloud.moto.ec2(caller, "DescribeNatGateways", &[]).await?;
    let items = found.child("natGatewaySet").map(|set| set.elements().cloned().collect::<Vec<_>>()).unwrap_or_default();
    Ok(items
        .iter()
        .filter(|item| item.text_of("state") != "deleted")
        .map(|item| (item.text_of("vpcId").to_owned(), item.text_of("subnetId").to_owned()))
        .collect())
}

/// DeleteSubnet: no interface, load balancer or NAT gateway in it.
pub(crate) async fn check_subnet(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    let subnet = named(request, "SubnetId");
    let caller = caller(request, account);
    let interfaces = count(cloud, caller, "DescribeNetworkInterfaces", "networkInterfaceSet", ("subnet-id", subnet)).await?;
    let nat = nat_gateways(cloud, caller).await?.iter().any(|(_, place)| place == subnet);
    let state = cloud.state();
    let balanced =
        state.footprints(account, &request.region).any(|footprint| footprint.subnets.iter().any(|place| place == subnet));
    let lived_in = state.instances.values().any(|instance| instance.subnet == subnet && instance.phase.holds_network());
    if interfaces > 0 || nat || balanced || lived_in {
        return Err(violation(format!("The subnet '{subnet}' has dependencies and cannot be deleted.")));
    }
    Ok(())
}

/// DeleteSecurityGroup: no interface or load balancer bears it, no other group's rule names it.
pub(crate) async fn check_security_group(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    let group = named(request, "GroupId");
    let caller = caller(request, account);
    let found = cloud.moto.ec2(caller, "DescribeSecurityGroups", &[]).await?;
    let groups: Vec<&Element> = found.child("securityGroupInfo").map(|set| set.elements().collect()).unwrap_or_default();
    let Some(own) = groups.iter().find(|item| item.text_of("groupId") == group) else {
        return Err(visibility::not_found(group));
    };
    if own.text_of("groupName") == "default" {
        return Err(Refusal::new(
            "CannotDelete",
            format!("the specified group: \"{group}\" name: \"default\" cannot be deleted by a user"),
        ));
    }
    let referenced = groups.iter().any(|item| {
        item.text_of("groupId") != group
            && item.all("groups").iter().any(|pairs| pairs.all("groupId").iter().any(|id| id.text() == group))
    });
    let interfaces = count(cloud, caller, "DescribeNetworkInterfaces", "networkInterfaceSet", ("group-id", group)).await?;
    let state = cloud.state();
    let balanced = state.footprints(account, &request.region).any(|footprint| footprint.groups.iter().any(|own| own == group));
    let borne =
        state.instances.values().any(|instance| instance.phase.holds_network() && instance.groups.iter().any(|own| own == group));
    if referenced || interfaces > 0 || balanced || borne {
        return Err(violation(format!("resource {group} has a dependent object")));
    }
    Ok(())
}

/// DeleteVpc: no subnet, gateway, group, interface or load balancer left in it.
pub(crate) async fn check_vpc(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    let vpc = named(request, "VpcId");
    let caller = caller(request, account);
    let groups =
        cloud.moto.ec2(caller, "DescribeSecurityGroups", &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)]).await?;
    let own_groups = groups
        .child("securityGroupInfo")
        .map_or(0, |set| set.elements().filter(|item| item.text_of("groupName") != "default").count());
    let gateways = count(cloud, caller, "DescribeInternetGateways", "internetGatewaySet", ("attachment.vpc-id", vpc)).await?;
    let subnets = count(cloud, caller, "DescribeSubnets", "subnetSet", ("vpc-id", vpc)).await?;
    let interfaces = count(cloud, caller, "DescribeNetworkInterfaces", "networkInterfaceSet", ("vpc-id", vpc)).await?;
    let balanced = cloud.state().footprints(account, &request.region).any(|footprint| footprint.vpc == vpc);
    if own_groups + gateways + subnets + interfaces > 0 || balanced {
        return Err(violation(format!("The vpc '{vpc}' has dependencies and cannot be deleted.")));
    }
    Ok(())
}

/// DetachInternetGateway: nothing in the network has a public address.
pub(crate) async fn check_detach(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    let vpc = named(request, "VpcId");
    let nat = nat_gateways(cloud, caller(request, account)).await?.iter().any(|(place, _)| place == vpc);
    let state = cloud.state();
    let public = state
        .instances
        .values()
        .any(|instance| instance.vpc == vpc && instance.public_ip.is_some() && instance.phase.holds_network());
    let balanced = state.footprints(account, &request.region).any(|footprint| footprint.vpc == vpc && footprint.public);
    if nat || public || balanced {
        return Err(violation(format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        )));
    }
    Ok(())
}

/// CreateRoute: an internet gateway must be attached to the route table's own network.
pub(crate) async fn check_route(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    let gateway = named(request, "GatewayId");
    if !gateway.starts_with("igw-") {
        return Ok(());
    }
    let table = named(request, "RouteTableId");
    let caller = caller(request, account);
    let found = cloud.moto.ec2(caller, "DescribeInternetGateways", &[("InternetGatewayId.1", gateway)]).await;
    let found =
        found.map_err(|_| Refusal::new("InvalidGatewayID.NotFound", format!("The gateway ID '{gateway}' does not exist")))?;
    let attached: Vec<&str> = found
        .all("attachmentSet")
        .iter()
        .flat_map(|set| set.all("vpcId").into_iter().map(Element::text).collect::<Vec<_>>())
        .collect();
    let tables = cloud.moto.ec2(caller, "DescribeRouteTables", &[("RouteTableId.1", table)]).await;
    let tables = tables.map_err(|_| visibility::not_found(table))?;
    let vpc = tables.at(&["routeTableSet", "item", "vpcId"]).map(Element::text).unwrap_or_default();
    if attached.contains(&vpc) {
        return Ok(());
    }
    Err(Refusal::new(
        "InvalidParameterValue",
        format!("route table {table} and network gateway {gateway} belong to different networks"),
    ))
}
