//! Elastic Load Balancing's rules, for network load balancers with instance targets.

pub(crate) mod balancer;
pub(crate) mod group;
mod listeners;
mod load_balancers;
mod target_groups;
mod targets;

use std::sync::Arc;

pub(crate) use self::load_balancers::canonical_zone;
use super::answer::{Answer, Refusal};
use super::request::Request;
use super::xml::Element;
use super::{Cloud, tags};
use crate::ledger::Ticket;

/// Actions whose answers were compared with what AWS does.
pub(crate) const REVIEWED: &[&str] = &[
    "AddTags",
    "CreateListener",
    "CreateLoadBalancer",
    "CreateTargetGroup",
    "DeleteListener",
    "DeleteLoadBalancer",
    "DeleteTargetGroup",
    "DeregisterTargets",
    "DescribeListeners",
    "DescribeLoadBalancerAttributes",
    "DescribeLoadBalancers",
    "DescribeTags",
    "DescribeTargetGroupAttributes",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "ModifyListener",
    "ModifyLoadBalancerAttributes",
    "ModifyTargetGroup",
    "ModifyTargetGroupAttributes",
    "RegisterTargets",
    "RemoveTags",
    "SetSecurityGroups",
    "SetSubnets",
];

pub(crate) async fn carry_out(
    cloud: &Arc<Cloud>,
    request: &mut Request,
    account: &str,
    ticket: &Ticket,
) -> Result<Answer, Refusal> {
    cloud.state().places.insert((account.to_owned(), request.region.clone()));
    for (key, value) in request.parameters.clone().iter() {
        request.parameters.set(key, &stored(value));
    }
    check_visible(cloud, request)?;
    tags::check_characters(request)?;
    let mut answer = dispatch(cloud, request, account, ticket).await?;
    answer.body = shown(&String::from_utf8_lossy(&answer.body)).into();
    Ok(answer)
}

/// moto names every load balancer as if it were an application load balancer. The books keep its names; clients see AWS's.
pub(crate) fn shown(text: &str) -> String {
    text.replace(":loadbalancer/app/", ":loadbalancer/net/").replace(":listener/app/", ":listener/net/")
}

fn stored(text: &str) -> String {
    text.replace(":loadbalancer/net/", ":loadbalancer/app/").replace(":listener/net/", ":listener/app/")
}

async fn dispatch(cloud: &Arc<Cloud>, request: &Request, account: &str, ticket: &Ticket) -> Result<Answer, Refusal> {
    match request.action.as_str() {
        "CreateLoadBalancer" => load_balancers::create(cloud, request, account, ticket).await,
        "DescribeLoadBalancers" => load_balancers::describe(cloud, request, account).await,
        "DeleteLoadBalancer" => load_balancers::delete(cloud, request, account).await,
        "ModifyLoadBalancerAttributes" => load_balancers::modify_attributes(cloud, request, account).await,
        "SetSecurityGroups" => load_balancers::set_security_groups(cloud, request, account).await,
        "SetSubnets" => load_balancers::set_subnets(cloud, request, account).await,
        "CreateTargetGroup" => target_groups::create(cloud, request, account, ticket).await,
        "DescribeTargetGroups" => target_groups::describe(cloud, request, account).await,
        "DeleteTargetGroup" => target_groups::delete(cloud, request, account).await,
        "ModifyTargetGroup" => target_groups::modify(cloud, request, account).await,
        "ModifyTargetGroupAttributes" => target_groups::modify_attributes(cloud, request, account).await,
        "DescribeTargetGroupAttributes" => target_groups::describe_attributes(cloud, request, account).await,
        "CreateListener" => listeners::create(cloud, request, account, ticket).await,
        "ModifyListener" => listeners::modify(cloud, request, account).await,
        "DeleteListener" => listeners::delete(cloud, request, account).await,
        "RegisterTargets" => targets::register(cloud, request),
        "DeregisterTargets" => targets::deregister(cloud, request),
        "DescribeTargetHealth" => targets::describe_health(cloud, request),
        "DescribeTags" if request.parameters.list("ResourceArns").len() > 20 => {
            Err(validation("The number of resource ARNs cannot exceed '20'"))
        }
        _ => cloud.moto.forward(request, account).await,
    }
}

pub(crate) fn validation(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

pub(crate) fn no_load_balancer(name: &str) -> Refusal {
    Refusal::new("LoadBalancerNotFound", format!("Load balancers '[{name}]' not found"))
}

pub(crate) fn no_target_group(name: &str) -> Refusal {
    Refusal::new("TargetGroupNotFound", format!("Target groups '[{name}]' not found"))
}

fn not_found(arn: &str) -> Refusal {
    if arn.contains(":targetgroup/") { no_target_group(arn) } else { no_load_balancer(arn) }
}

/// A request that names an object which does not show yet is refused: reads always, writes if the cloud is set up so.
fn check_visible(cloud: &Cloud, request: &Request) -> Result<(), Refusal> {
    if !request.is_read() && !cloud.config.timing.lag_holds_for_writes {
        return Ok(());
    }
    let state = cloud.state();
    let hidden = request.parameters.iter().map(|(_, value)| value).find(|value| state.hides(value));
    hidden.map_or(Ok(()), |arn| Err(not_found(&shown(arn))))
}

/// An answer that holds nothing but its result.
pub(crate) fn answer(action: &str, result: Element) -> Answer {
    let mut response = Element::new(&format!("{action}Response"));
    response.attributes.push(("xmlns".to_owned(), "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/".to_owned()));
    let metadata = Element::new("ResponseMetadata").leaf("RequestId", "sandbox");
    Answer::xml(&response.node(result).node(metadata))
}

/// An answer with an empty result.
pub(crate) fn done(action: &str) -> Answer {
    answer(action, Element::new(&format!("{action}Result")))
}

/// Names of load balancers and target groups: 32 letters, digits and hyphens, no hyphen at either end.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.chars().count() > 32 {
        return Err(validation(format!("{what} name '{name}' cannot be longer than '32' characters")));
    }
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        return Err(validation(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(validation(format!("{what} name '{name}' cannot begin or end with '-'")));
    }
    Ok(())
}

/// `true` or `false` as the attributes spell it.
pub(crate) fn flag(key: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(validation(format!("'{other}' is not a valid value for attribute '{key}'"))),
    }
}

/// `Attributes.member.N` as pairs; refuses keys that are not in `known`.
pub(crate) fn attributes(request: &Request, known: &[&str], what: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs = Vec::new();
    for attribute in request.parameters.structures("Attributes") {
        let key = attribute.get("Key").unwrap_or_default();
        if !known.contains(&key) {
            return Err(validation(format!("{what} attribute key '{key}' is not recognized")));
        }
        pairs.push((key.to_owned(), attribute.get("Value").unwrap_or_default().to_owned()));
    }
    Ok(pairs)
}

/// The refusal of something that is only allowed otherwise.
pub(crate) fn not_permitted(message: impl Into<String>) -> Refusal {
    Refusal::new("OperationNotPermitted", message)
}
