//! EC2's eventual consistency: a new object shows only after a while, and is "not found" until then.

use std::time::Instant;

use super::Cloud;
use super::answer::{Answer, Refusal};
use super::request::Request;
use super::xml::Element;

/// An action that makes objects: where their ids stand in its answer.
struct Maker {
    action: &'static str,
    id: &'static [&'static str],
}

const MAKERS: &[Maker] = &[
    Maker { action: "AllocateAddress", id: &["allocationId"] },
    Maker { action: "CreateInternetGateway", id: &["internetGateway", "internetGatewayId"] },
    Maker { action: "CreateNatGateway", id: &["natGateway", "natGatewayId"] },
    Maker { action: "CreateNetworkInterface", id: &["networkInterface", "networkInterfaceId"] },
    Maker { action: "CreateRouteTable", id: &["routeTable", "routeTableId"] },
    Maker { action: "CreateSecurityGroup", id: &["groupId"] },
    Maker { action: "CreateSubnet", id: &["subnet", "subnetId"] },
    Maker { action: "CreateVolume", id: &["volumeId"] },
    Maker { action: "CreateVpc", id: &["vpc", "vpcId"] },
];

/// An action that lists objects: the element that holds them, that of their id, and the parameter that asks for ids.
struct Lister {
    action: &'static str,
    set: &'static str,
    id: &'static str,
    parameter: &'static str,
}

const LISTERS: &[Lister] = &[
    Lister { action: "DescribeAddresses", set: "addressesSet", id: "allocationId", parameter: "AllocationId" },
    Lister {
        action: "DescribeInternetGateways",
        set: "internetGatewaySet",
        id: "internetGatewayId",
        parameter: "InternetGatewayId",
    },
    Lister { action: "DescribeNatGateways", set: "natGatewaySet", id: "natGatewayId", parameter: "NatGatewayId" },
    Lister {
        action: "DescribeNetworkInterfaces",
        set: "networkInterfaceSet",
        id: "networkInterfaceId",
        parameter: "NetworkInterfaceId",
    },
    Lister { action: "DescribeRouteTables", set: "routeTableSet", id: "routeTableId", parameter: "RouteTableId" },
    Lister { action: "DescribeSecurityGroupRules", set: "securityGroupRuleSet", id: "groupId", parameter: "" },
    Lister { action: "DescribeSecurityGroups", set: "securityGroupInfo", id: "groupId", parameter: "GroupId" },
    Lister { action: "DescribeSubnets", set: "subnetSet", id: "subnetId", parameter: "SubnetId" },
    Lister { action: "DescribeTags", set: "tagSet", id: "resourceId", parameter: "" },
    Lister { action: "DescribeVolumes", set: "volumeSet", id: "volumeId", parameter: "VolumeId" },
    Lister { action: "DescribeVpcAttribute", set: "", id: "", parameter: "VpcId" },
    Lister { action: "DescribeVpcs", set: "vpcSet", id: "vpcId", parameter: "VpcId" },
    Lister { action: "DescribeInstances", set: "", id: "", parameter: "InstanceId" },
    Lister { action: "DescribeInstanceAttribute", set: "", id: "", parameter: "InstanceId" },
];

/// What EC2 says when there is no object of that id.
pub(crate) fn not_found(id: &str) -> Refusal {
    let (code, what) = match id.split('-').next().unwrap_or_default() {
        "vpc" => ("InvalidVpcID.NotFound", "vpc ID"),
        "subnet" => ("InvalidSubnetID.NotFound", "subnet ID"),
        "sg" => ("InvalidGroup.NotFound", "security group"),
        "igw" => ("InvalidInternetGatewayID.NotFound", "internetGateway ID"),
        "rtb" => ("InvalidRouteTableID.NotFound", "routeTable ID"),
        "i" => ("InvalidInstanceID.NotFound", "instance ID"),
        "vol" => ("InvalidVolume.NotFound", "volume"),
        "eni" => ("InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
        "nat" => ("NatGatewayNotFound", "NAT gateway"),
        "eipalloc" => ("InvalidAllocationID.NotFound", "allocation ID"),
        _ => ("InvalidID", "ID"),
    };
    Refusal::new(code, format!("The {what} '{id}' does not exist"))
}

/// Refuses a request that names an object which does not show yet.
pub(crate) fn check(cloud: &Cloud, request: &Request) -> Result<(), Refusal> {
    let state = cloud.state();
    if request.is_read() {
        let Some(lister) = LISTERS.iter().find(|lister| lister.action == request.action) else { return Ok(()) };
        let single = request.parameters.get(lister.parameter);
        let named = request.parameters.list(lister.parameter).into_iter().chain(single);
        return named.into_iter().find(|id| state.hides(id)).map_or(Ok(()), |id| Err(not_found(id)));
    }
    if cloud.config.timing.lag_holds_for_writes {
        let hidden = request.parameters.iter().map(|(_, value)| value).find(|value| state.hides(value));
        return hidden.map_or(Ok(()), |id| Err(not_found(id)));
    }
    Ok(())
}

/// Enters what an answer says was made.
pub(crate) fn note(cloud: &Cloud, request: &Request, answer: &Element) -> Option<String> {
    let maker = MAKERS.iter().find(|maker| maker.action == request.action)?;
    let id = answer.at(maker.id)?.text().to_owned();
    cloud.state().born(maker.action, &id, Instant::now() + cloud.config.timing.visible_after);
    Some(id)
}

/// Takes what does not show yet out of an answer.
pub(crate) fn hide(cloud: &Cloud, request: &Request, answer: Answer) -> Answer {
    let Some(lister) = LISTERS.iter().find(|lister| lister.action == request.action && !lister.set.is_empty()) else {
        return answer;
    };
    let mut tree = answer.tree();
    let state = cloud.state();
    if let Some(set) = tree.child_mut(lister.set) {
        set.retain(|item| !state.hides(item.text_of(lister.id)));
    }
    answer.replaced(&tree)
}
