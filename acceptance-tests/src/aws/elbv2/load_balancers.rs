//! Load balancers: CreateLoadBalancer and what changes, shows and deletes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use ipnet::Ipv4Net;

use super::super::answer::{Answer, Refusal};
use super::super::ec2::zones::takes_load_balancers;
use super::super::moto::ELBV2_VERSION;
use super::super::parameters::Parameters;
use super::super::request::Request;
use super::super::xml::Element;
use super::super::{Cloud, caller};
use super::balancer::{Leftover, LoadBalancer};
use super::{attributes, check_name, flag, no_load_balancer, not_permitted, shown, validation};
use crate::ledger::Ticket;

const ATTRIBUTES: &[&str] = &[
    "access_logs.s3.bucket",
    "access_logs.s3.enabled",
    "access_logs.s3.prefix",
    "deletion_protection.enabled",
    "dns_record.client_routing_policy",
    "ipv6.deny_all_igw_traffic",
    "load_balancing.cross_zone.enabled",
    "secondary_ips.auto_assigned.per_subnet",
    "zonal_shift.config.enabled",
];

/// The hosted zone that network load balancers of a region are in, for alias records.
pub(crate) fn canonical_zone(region: &str) -> &'static str {
    match region {
        "us-east-2" => "ZLMOA37VPKANP",
        "us-west-1" => "Z24FKFUX50B4VW",
        "us-west-2" => "Z18D5FSROUN65G",
        "eu-west-2" => "ZD4D7Y8KGAS4G",
        "eu-west-1" => "Z2IFOLAFXWLO4F",
        _ => "Z26RNL4JYFTOTI",
    }
}

pub(crate) async fn create(cloud: &Arc<Cloud>, request: &Request, account: &str, ticket: &Ticket) -> Result<Answer, Refusal> {
    let parameters = &request.parameters;
    let name = parameters.get("Name").unwrap_or_default().to_owned();
    check_name("Load balancer", &name)?;
    if name.starts_with("internal-") {
        return Err(validation(format!("Load balancer name '{name}' cannot begin with 'internal-'")));
    }
    if parameters.get("Type") != Some("network") {
        return Err(Refusal::new("UnsupportedInSandbox", "The sandbox has network load balancers only"));
    }
    let fingerprint = request.fingerprint(&[]);
    if let Some(answer) = existing(cloud, request, account, &name, &fingerprint).await? {
        return Ok(answer);
    }
    let place = Place::check(cloud, request, account).await?;
    let mut forwarded = request.clone();
    if forwarded.parameters.get("Scheme").is_none() {
        forwarded.parameters.set("Scheme", "internet-facing");
    }
    let answer = cloud.moto.forward(&forwarded, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let mut tree = answer.tree();
    let arn = tree.all("LoadBalancerArn").first().map(|arn| arn.text().to_owned()).unwrap_or_default();
    let groups: Vec<String> = parameters.list("SecurityGroups").into_iter().map(str::to_owned).collect();
    {
        let mut state = cloud.state();
        let address = state.next_load_balancer_address();
        let now = Instant::now();
        state.load_balancers.insert(
            arn.clone(),
            LoadBalancer {
                name,
                account: account.to_owned(),
                region: request.region.clone(),
                fingerprint,
                address,
                vpc: place.vpc,
                subnets: place.subnets,
                zones: place.zones,
                ranges: place.ranges,
                made_with_groups: !groups.is_empty(),
                groups,
                public: parameters.get("Scheme") != Some("internal"),
                cross_zone: false,
                deletion_protection: false,
                active_from: now + cloud.config.timing.load_balancer_provisioning,
                listeners: BTreeMap::new(),
            },
        );
        state.born("CreateLoadBalancer", &arn, now + cloud.config.timing.visible_after);
    }
    ticket.note("Made", shown(&arn));
    overlay(cloud, &mut tree);
    Ok(answer.replaced(&tree))
}

/// A load balancer of that name: the same settings are no error, others are.
async fn existing(
    cloud: &Cloud,
    request: &Request,
    account: &str,
    name: &str,
    fingerprint: &str,
) -> Result<Option<Answer>, Refusal> {
    let found = {
        let state = cloud.state();
        state
            .load_balancers
            .iter()
            .find(|(_, other)| other.name == name && other.account == account && other.region == request.region)
            .map(|(arn, other)| (arn.clone(), other.fingerprint == fingerprint))
    };
    let Some((arn, same)) = found else { return Ok(None) };
    if !same {
        return Err(Refusal::new(
            "DuplicateLoadBalancerName",
            format!("A load balancer with the same name '{name}' exists, but with different settings"),
        ));
    }
    let query = Parameters::of("DescribeLoadBalancers", ELBV2_VERSION, &[("LoadBalancerArns.member.1", &arn)]);
    let mut tree = cloud.moto.query("elasticloadbalancing", caller(request, account), &query).await?;
    "CreateLoadBalancerResponse".clone_into(&mut tree.name);
    if let Some(result) = tree.child_mut("DescribeLoadBalancersResult") {
        "CreateLoadBalancerResult".clone_into(&mut result.name);
    }
    overlay(cloud, &mut tree);
    Ok(Some(Answer::xml(&tree)))
}

/// Where a load balancer goes.
struct Place {
    vpc: String,
    subnets: Vec<String>,
    zones: Vec<String>,
    ranges: Vec<Ipv4Net>,
}

impl Place {
    async fn check(cloud: &Cloud, request: &Request, account: &str) -> Result<Self, Refusal> {
        let caller = caller(request, account);
        let mut subnets: Vec<String> = request.parameters.list("Subnets").into_iter().map(str::to_owned).collect();
        for mapping in request.parameters.structures("SubnetMappings") {
            subnets.push(mapping.get("SubnetId").unwrap_or_default().to_owned());
        }
        if subnets.is_empty() {
            return Err(validation("At least one subnet must be specified"));
        }
        let mut zones = BTreeSet::new();
        let mut vpcs = BTreeSet::new();
        let mut ranges = Vec::new();
        for subnet in &subnets {
            let found = cloud.moto.ec2(caller, "DescribeSubnets", &[("SubnetId.1", subnet)]).await;
            let found = found.map_err(|_| Refusal::new("SubnetNotFound", format!("The subnet ID '{subnet}' does not exist")))?;
            let item = found.at(&["subnetSet", "item"]).cloned().unwrap_or_default();
            vpcs.insert(item.text_of("vpcId").to_owned());
            ranges.extend(item.text_of("cidrBlock").parse::<Ipv4Net>());
            let zone = item.text_of("availabilityZone");
            if !takes_load_balancers(cloud, zone) {
                return Err(Refusal::new(
                    "AvailabilityZoneNotSupported",
                    format!("Load balancers with type 'network' are not supported in {zone}"),
                ));
            }
            if !zones.insert(zone.to_owned()) {
                return Err(Refusal::new(
                    "InvalidConfigurationRequest",
                    "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
                ));
            }
        }
        let mut vpcs = vpcs.into_iter();
        let vpc = vpcs.next().unwrap_or_default();
        if vpcs.next().is_some() {
            return Err(Refusal::new("InvalidConfigurationRequest", "All subnets must belong to the same VPC"));
        }
        for group in request.parameters.list("SecurityGroups") {
            check_group(cloud, request, account, group, &vpc).await?;
        }
        if request.parameters.get("Scheme") != Some("internal") {
            let pairs = [("Filter.1.Name", "attachment.vpc-id"), ("Filter.1.Value.1", vpc.as_str())];
            let gateways = cloud.moto.ec2(caller, "DescribeInternetGateways", &pairs).await?;
            if gateways.at(&["internetGatewaySet", "item"]).is_none() {
                return Err(Refusal::new("InvalidSubnet", format!("VPC {vpc} has no internet gateway")));
            }
        }
        Ok(Self { vpc, subnets, zones: zones.into_iter().collect(), ranges })
    }
}

async fn check_group(cloud: &Cloud, request: &Request, account: &str, group: &str, vpc: &str) -> Result<(), Refusal> {
    let found = cloud.moto.ec2(caller(request, account), "DescribeSecurityGroups", &[("GroupId.1", group)]).await;
    let own = found.ok().and_then(|found| found.at(&["securityGroupInfo", "item", "vpcId"]).map(|own| own.text().to_owned()));
    if own.as_deref() == Some(vpc) {
        return Ok(());
    }
    Err(Refusal::new("InvalidSecurityGroup", format!("One or more security groups are invalid: '{group}' is not in '{vpc}'")))
}

/// Puts address, state and zone into the load balancers of an answer.
fn overlay(cloud: &Cloud, tree: &mut Element) {
    let state = cloud.state();
    let name = tree.elements().next().map(|result| result.name.clone()).unwrap_or_default();
    let Some(list) = tree.at_mut(&[&name, "LoadBalancers"]) else { return };
    for member in list.elements_mut() {
        let arn = member.text_of("LoadBalancerArn").to_owned();
        let Some(balancer) = state.load_balancers.get(&arn) else { continue };
        member.set("DNSName", &balancer.address.to_string());
        member.set("CanonicalHostedZoneId", canonical_zone(&balancer.region));
        member.remove("State");
        let code = if balancer.is_active() { "active" } else { "provisioning" };
        member.push(Element::new("State").leaf("Code", code));
        member.remove("SecurityGroups");
        if balancer.made_with_groups {
            let mut groups = Element::new("SecurityGroups");
            for group in &balancer.groups {
                groups.push(Element::with_text("member", group));
            }
            member.push(groups);
        }
    }
}

pub(crate) async fn describe(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let mut tree = answer.tree();
    if let Some(list) = tree.at_mut(&["DescribeLoadBalancersResult", "LoadBalancers"]) {
        let state = cloud.state();
        list.retain(|member| !state.hides(member.text_of("LoadBalancerArn")));
        let names = request.parameters.list("Names");
        if !names.is_empty() && list.elements().count() < names.len() {
            return Err(Refusal::new("LoadBalancerNotFound", "One or more load balancers not found"));
        }
    }
    overlay(cloud, &mut tree);
    Ok(answer.replaced(&tree))
}

/// Deleting what is not there is no error. The network interfaces stay for a while.
pub(crate) async fn delete(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let arn = request.parameters.get("LoadBalancerArn").unwrap_or_default();
    if cloud.state().load_balancers.get(arn).is_some_and(|balancer| balancer.deletion_protection) {
        return Err(not_permitted(format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled")));
    }
    let answer = cloud.moto.forward(request, account).await?;
    let mut state = cloud.state();
    if let Some(balancer) = state.load_balancers.remove(arn) {
        state.leftovers.push(Leftover {
            account: balancer.account.clone(),
            region: balancer.region.clone(),
            until: Instant::now() + cloud.config.timing.load_balancer_interfaces_stay,
            footprint: balancer.footprint(arn),
        });
    }
    Ok(answer)
}

pub(crate) async fn modify_attributes(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let pairs = attributes(request, ATTRIBUTES, "Load balancer")?;
    let arn = request.parameters.get("LoadBalancerArn").unwrap_or_default();
    {
        let mut state = cloud.state();
        let balancer = state.load_balancers.get_mut(arn).ok_or_else(|| no_load_balancer(arn))?;
        for (key, value) in &pairs {
            match key.as_str() {
                "deletion_protection.enabled" => balancer.deletion_protection = flag(key, value)?,
                "load_balancing.cross_zone.enabled" => balancer.cross_zone = flag(key, value)?,
                _ => {}
            }
        }
    }
    cloud.moto.forward(request, account).await
}

/// A network load balancer has the security groups that it was made with, or others in their place; never its first ones later.
pub(crate) async fn set_security_groups(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let arn = request.parameters.get("LoadBalancerArn").unwrap_or_default();
    let groups: Vec<String> = request.parameters.list("SecurityGroups").into_iter().map(str::to_owned).collect();
    let (vpc, made_with_groups) = {
        let state = cloud.state();
        let balancer = state.load_balancers.get(arn).ok_or_else(|| no_load_balancer(arn))?;
        (balancer.vpc.clone(), balancer.made_with_groups)
    };
    if !made_with_groups {
        return Err(Refusal::new(
            "InvalidConfigurationRequest",
            "You cannot set security groups on a Network Load Balancer which was created without any security groups.",
        ));
    }
    if groups.is_empty() {
        return Err(Refusal::new("InvalidConfigurationRequest", "All security groups cannot be removed from this load balancer"));
    }
    for group in &groups {
        check_group(cloud, request, account, group, &vpc).await?;
    }
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok()
        && let Some(balancer) = cloud.state().load_balancers.get_mut(arn)
    {
        balancer.groups = groups;
    }
    Ok(answer)
}

pub(crate) async fn set_subnets(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let arn = request.parameters.get("LoadBalancerArn").unwrap_or_default();
    if !cloud.state().load_balancers.contains_key(arn) {
        return Err(no_load_balancer(arn));
    }
    let mut checked = request.clone();
    // Whether the network has an internet gateway was asked when the load balancer was made.
    checked.parameters.set("Scheme", "internal");
    let place = Place::check(cloud, &checked, account).await?;
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok()
        && let Some(balancer) = cloud.state().load_balancers.get_mut(arn)
    {
        balancer.subnets = place.subnets;
        balancer.zones = place.zones;
        balancer.ranges = place.ranges;
    }
    Ok(answer)
}
