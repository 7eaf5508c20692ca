//! EC2's rules.

pub(crate) mod dependencies;
pub(crate) mod firewall;
pub(crate) mod instances;
pub(crate) mod interfaces;
pub(crate) mod networks;
pub(crate) mod power;
pub(crate) mod run_instances;
pub(crate) mod security_groups;
pub(crate) mod zones;

use std::sync::Arc;

use http::StatusCode;

use super::answer::{Answer, Refusal};
use super::request::Request;
use super::{Cloud, caller, images, tags, visibility};
use crate::ledger::Ticket;

/// Actions whose answers were compared with what AWS does.
pub(crate) const REVIEWED: &[&str] = &[
    "AssociateRouteTable",
    "AttachInternetGateway",
    "AuthorizeSecurityGroupEgress",
    "AuthorizeSecurityGroupIngress",
    "CreateInternetGateway",
    "CreateRoute",
    "CreateRouteTable",
    "CreateSecurityGroup",
    "CreateSubnet",
    "CreateTags",
    "CreateVpc",
    "DeleteInternetGateway",
    "DeleteRoute",
    "DeleteRouteTable",
    "DeleteSecurityGroup",
    "DeleteSubnet",
    "DeleteTags",
    "DeleteVpc",
    "DescribeAvailabilityZones",
    "DescribeImages",
    "DescribeInstanceAttribute",
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeInstances",
    "DescribeInternetGateways",
    "DescribeNetworkInterfaces",
    "DescribeRouteTables",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVolumes",
    "DescribeVpcAttribute",
    "DescribeVpcs",
    "DetachInternetGateway",
    "DisassociateRouteTable",
    "ModifyInstanceAttribute",
    "ModifySubnetAttribute",
    "ModifyVpcAttribute",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
];

pub(crate) async fn carry_out(
    cloud: &Arc<Cloud>,
    request: &mut Request,
    account: &str,
    ticket: &Ticket,
) -> Result<Answer, Refusal> {
    cloud.state().places.insert((account.to_owned(), request.region.clone()));
    tags::check(request)?;
    visibility::check(cloud, request)?;
    if request.parameters.get("DryRun").is_some_and(|dry| dry.eq_ignore_ascii_case("true")) {
        return Err(Refusal::new("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
            .with_status(StatusCode::PRECONDITION_FAILED));
    }
    match request.action.as_str() {
        "RunInstances" => return run_instances::run(cloud, request, account, ticket).await,
        "StartInstances" => return power::start(cloud, request, account),
        "StopInstances" => return power::stop(cloud, request, account),
        "DescribeInstances" => return instances::describe(cloud, request, account).await,
        "TerminateInstances" => return instances::terminate(cloud, request, account),
        "DescribeInstanceTypeOfferings" => return zones::describe_offerings(cloud, request, account).await,
        "DescribeImages" => return images::describe(cloud, request),
        "CreateTags" | "DeleteTags" => return tags::change(cloud, request, account).await,
        "DescribeNetworkInterfaces" => return interfaces::describe(cloud, request, account).await,
        "CreateVpc" => networks::check(cloud, request)?,
        "CreateSecurityGroup" | "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            security_groups::check(cloud, request, account).await?;
        }
        "RevokeSecurityGroupIngress" => security_groups::describe_revoked(cloud, request, account).await?,
        "CreateRoute" => dependencies::check_route(cloud, request, account).await?,
        "DeleteSubnet" => dependencies::check_subnet(cloud, request, account).await?,
        "DeleteSecurityGroup" => dependencies::check_security_group(cloud, request, account).await?,
        "DeleteVpc" => dependencies::check_vpc(cloud, request, account).await?,
        "DetachInternetGateway" => dependencies::check_detach(cloud, request, account).await?,
        "ModifyInstanceAttribute" => instances::note_modified(cloud, request),
        _ => {}
    }
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    if !request.is_read() && request.action.contains("SecurityGroup") {
        firewall::refresh(cloud, caller(request, account)).await?;
    }
    if let Some(id) = visibility::note(cloud, request, &answer.tree()) {
        ticket.note("Made", id);
    }
    Ok(visibility::hide(cloud, request, answer))
}
