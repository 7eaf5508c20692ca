//! EC2 tags: their limits, and changes that show only after a while.

use std::sync::Arc;

use super::answer::{Answer, Refusal};
use super::request::{Request, Service};
use super::xml::Element;
use super::{Cloud, caller, visibility};

/// Which kinds of resource a `TagSpecification` may name, by action.
const TAGGABLE: &[(&str, &[&str])] = &[
    ("AllocateAddress", &["elastic-ip"]),
    ("CreateInternetGateway", &["internet-gateway"]),
    ("CreateNatGateway", &["natgateway"]),
    ("CreateRouteTable", &["route-table"]),
    ("CreateSecurityGroup", &["security-group"]),
    ("CreateSubnet", &["subnet"]),
    ("CreateVpc", &["vpc"]),
    ("AuthorizeSecurityGroupIngress", &["security-group-rule"]),
    ("AuthorizeSecurityGroupEgress", &["security-group-rule"]),
    ("RunInstances", &["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"]),
];

/// Refuses tags that EC2 refuses.
pub(crate) fn check(request: &Request) -> Result<(), Refusal> {
    for specification in request.parameters.structures("TagSpecification") {
        let kind = specification.get("ResourceType").unwrap_or_default();
        if let Some((_, kinds)) = TAGGABLE.iter().find(|(action, _)| *action == request.action)
            && !kinds.contains(&kind)
        {
            return Err(Refusal::new(
                "InvalidParameterValue",
                format!("'{kind}' is not a valid taggable resource type for this operation."),
            ));
        }
        check_tags(specification.tags("Tag").iter())?;
    }
    if request.action == "CreateTags" {
        check_tags(request.parameters.tags("Tag").iter())?;
    }
    Ok(())
}

fn check_tags<'a>(tags: impl ExactSizeIterator<Item = (&'a String, &'a String)>) -> Result<(), Refusal> {
    if tags.len() > 50 {
        return Err(Refusal::new("TagLimitExceeded", "More than 50 tags specified"));
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 127 {
            return Err(Refusal::new("InvalidParameterValue", "Tag key exceeds the maximum length of 127 characters"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Refusal::new("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"));
        }
        if value.chars().count() > 256 {
            return Err(Refusal::new("InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters"));
        }
    }
    Ok(())
}

/// What Elastic Load Balancing and IAM take in tags, by the pattern `[\p{L}\p{Z}\p{N}_.:/=+\-@]*` of their API references; EC2
/// takes any character.
pub(crate) fn check_characters(request: &Request) -> Result<(), Refusal> {
    let tags = request.parameters.tags("Tags");
    if tags.len() > 50 {
        let code = if request.service == Service::Iam { "LimitExceeded" } else { "TooManyTags" };
        return Err(Refusal::new(code, "You've reached the limit on the number of tags per resource"));
    }
    let taken = |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
    for text in tags.iter().flat_map(|(key, value)| [key, value]) {
        if !text.chars().all(taken) {
            return Err(Refusal::new(
                "ValidationError",
                format!(
                    "Value '{text}' at 'tags' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{{L}}\\p{{Z}}\\p{{N}}_.:/=+\\-@]*"
                ),
            ));
        }
    }
    Ok(())
}

/// CreateTags and DeleteTags: accepted at once, shown later, in order.
pub(crate) async fn change(cloud: &Arc<Cloud>, request: &Request, account: &str) -> Result<Answer, Refusal> {
    for id in request.parameters.list("ResourceId") {
        check_exists(cloud, request, account, id).await?;
    }
    cloud.state().tag_changes.push_back((request.clone(), account.to_owned()));
    let lag = cloud.config.timing.tags_after;
    if lag.is_zero() {
        apply_next(cloud).await;
    } else {
        cloud.later(lag, |cloud| async move {
            let _writing = cloud.writing.lock().await;
            apply_next(&cloud).await;
        });
    }
    let name = format!("{}Response", request.action);
    Ok(Answer::xml(&Element::new(&name).leaf("requestId", "sandbox").leaf("return", "true")))
}

async fn check_exists(cloud: &Cloud, request: &Request, account: &str, id: &str) -> Result<(), Refusal> {
    let (action, parameter) = match id.split('-').next().unwrap_or_default() {
        "i" => {
            let known = cloud.state().instances.contains_key(id);
            return if known { Ok(()) } else { Err(visibility::not_found(id)) };
        }
        "vpc" => ("DescribeVpcs", "VpcId.1"),
        "subnet" => ("DescribeSubnets", "SubnetId.1"),
        "sg" => ("DescribeSecurityGroups", "GroupId.1"),
        "igw" => ("DescribeInternetGateways", "InternetGatewayId.1"),
        "rtb" => ("DescribeRouteTables", "RouteTableId.1"),
        "vol" => ("DescribeVolumes", "VolumeId.1"),
        "eni" => ("DescribeNetworkInterfaces", "NetworkInterfaceId.1"),
        _ => return Ok(()),
    };
    let found = cloud.moto.ec2(caller(request, account), action, &[(parameter, id)]).await;
    found.map(|_| ()).map_err(|_| visibility::not_found(id))
}

/// Applies the oldest change that does not show yet. What it was for may be gone by now.
async fn apply_next(cloud: &Cloud) {
    let next = cloud.state().tag_changes.pop_front();
    if let Some((request, account)) = next
        && let Err(refusal) = cloud.moto.forward(&request, &account).await
    {
        tracing::debug!("a tag change came to nothing: {}", refusal.message);
    }
}

/// Lets all tag changes show now.
pub(crate) async fn settle(cloud: &Cloud) {
    let _writing = cloud.writing.lock().await;
    while !cloud.state().tag_changes.is_empty() {
        apply_next(cloud).await;
    }
}
