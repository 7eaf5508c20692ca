//! Target groups: making, changing, showing and deleting them.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::answer::{Answer, Refusal};
use super::super::moto::ELBV2_VERSION;
use super::super::parameters::Parameters;
use super::super::request::Request;
use super::super::xml::Element;
use super::super::{Cloud, caller};
use super::group::TargetGroup;
use super::{attributes, check_name, done, flag, no_target_group, shown, validation};
use crate::ledger::Ticket;

const ATTRIBUTES: &[&str] = &[
    "deregistration_delay.connection_termination.enabled",
    "deregistration_delay.timeout_seconds",
    "load_balancing.cross_zone.enabled",
    "preserve_client_ip.enabled",
    "proxy_protocol_v2.enabled",
    "stickiness.enabled",
    "stickiness.type",
    "target_group_health.dns_failover.minimum_healthy_targets.count",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
    "target_health_state.unhealthy.connection_termination.enabled",
    "target_health_state.unhealthy.draining_interval_seconds",
];

/// A parameter that must lie in a range.
fn number(request: &Request, key: &str, least: u32, most: u32) -> Result<Option<u32>, Refusal> {
    let Some(value) = request.parameters.get(key) else { return Ok(None) };
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(validation(format!("'{value}' at '{key}' must be between '{least}' and '{most}'"))),
    }
}

/// What a request says about health checks.
struct Health {
    healthy: Option<u32>,
    unhealthy: Option<u32>,
    port: Option<u16>,
}

/// Checks what health checks may be.
fn check_health(request: &Request) -> Result<Health, Refusal> {
    number(request, "HealthCheckIntervalSeconds", 5, 300)?;
    number(request, "HealthCheckTimeoutSeconds", 2, 120)?;
    let healthy = number(request, "HealthyThresholdCount", 2, 10)?;
    let unhealthy = number(request, "UnhealthyThresholdCount", 2, 10)?;
    if request.parameters.get("HealthCheckProtocol").unwrap_or("TCP") == "TCP" {
        if request.parameters.get("HealthCheckPath").is_some() {
            return Err(validation("Health check path cannot be set for health check protocol TCP"));
        }
        if request.parameters.get("Matcher.HttpCode").is_some() {
            return Err(validation("Health check matcher HTTP code cannot be set for health check protocol TCP"));
        }
    }
    let port = match request.parameters.get("HealthCheckPort") {
        None | Some("traffic-port") => None,
        Some(port) => {
            let invalid = || validation(format!("Health check port '{port}' must be between '1' and '65535' or 'traffic-port'"));
            Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(invalid)?)
        }
    };
    Ok(Health { healthy, unhealthy, port })
}

pub(crate) async fn create(cloud: &Cloud, request: &Request, account: &str, ticket: &Ticket) -> Result<Answer, Refusal> {
    let name = request.parameters.get("Name").unwrap_or_default().to_owned();
    check_name("Target group", &name)?;
    if request.parameters.get("TargetType").unwrap_or("instance") != "instance"
        || request.parameters.get("Protocol") != Some("TCP")
    {
        return Err(Refusal::new("UnsupportedInSandbox", "The sandbox has target groups of instances over TCP only"));
    }
    let port = number(request, "Port", 1, 65535)?.and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or_else(|| validation("A port must be specified"))?;
    let health = check_health(request)?;
    let fingerprint = request.fingerprint(&[]);
    let found = {
        let state = cloud.state();
        state
            .target_groups
            .iter()
            .find(|(_, other)| other.name == name && other.account == account && other.region == request.region)
            .map(|(arn, other)| (arn.clone(), other.fingerprint == fingerprint))
    };
    match found {
        Some((arn, true)) => return existing(cloud, request, account, &arn).await,
        Some((_, false)) => {
            return Err(Refusal::new(
                "DuplicateTargetGroupName",
                format!("A target group with the same name '{name}' exists, but with different settings"),
            ));
        }
        None => {}
    }
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let arn = answer.tree().all("TargetGroupArn").first().map(|arn| arn.text().to_owned()).unwrap_or_default();
    let mut state = cloud.state();
    state.target_groups.insert(
        arn.clone(),
        TargetGroup {
            name,
            account: account.to_owned(),
            region: request.region.clone(),
            fingerprint,
            port,
            vpc: request.parameters.get("VpcId").unwrap_or_default().to_owned(),
            healthy_threshold: health.healthy.unwrap_or(5),
            unhealthy_threshold: health.unhealthy.unwrap_or(2),
            health_port: health.port,
            // The default for instance targets over TCP.
            preserves_client_address: true,
            deregistration_seconds: 300,
            targets: BTreeMap::new(),
        },
    );
    state.born("CreateTargetGroup", &arn, Instant::now() + cloud.config.timing.visible_after);
    ticket.note("Made", shown(&arn));
    Ok(answer)
}

/// The same request again: what it made.
async fn existing(cloud: &Cloud, request: &Request, account: &str, arn: &str) -> Result<Answer, Refusal> {
    let query = Parameters::of("DescribeTargetGroups", ELBV2_VERSION, &[("TargetGroupArns.member.1", arn)]);
    let mut tree = cloud.moto.query("elasticloadbalancing", caller(request, account), &query).await?;
    "CreateTargetGroupResponse".clone_into(&mut tree.name);
    if let Some(result) = tree.child_mut("DescribeTargetGroupsResult") {
        "CreateTargetGroupResult".clone_into(&mut result.name);
    }
    Ok(Answer::xml(&tree))
}

pub(crate) async fn describe(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let mut tree = answer.tree();
    if let Some(list) = tree.at_mut(&["DescribeTargetGroupsResult", "TargetGroups"]) {
        let state = cloud.state();
        list.retain(|member| !state.hides(member.text_of("TargetGroupArn")));
        let names = request.parameters.list("Names");
        if !names.is_empty() && list.elements().count() < names.len() {
            return Err(Refusal::new("TargetGroupNotFound", "One or more target groups not found"));
        }
        // moto goes on naming load balancers that are gone.
        for member in list.elements_mut() {
            if let Some(arns) = member.child_mut("LoadBalancerArns") {
                arns.retain(|arn| state.load_balancers.contains_key(arn.text()));
            }
        }
    }
    Ok(answer.replaced(&tree))
}

pub(crate) async fn delete(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let arn = request.parameters.get("TargetGroupArn").unwrap_or_default();
    {
        let state = cloud.state();
        // The action has one error of its own, and that is not the absence.
        if !state.target_groups.contains_key(arn) {
            return Ok(done("DeleteTargetGroup"));
        }
        let listeners = state.load_balancers.values().flat_map(|balancer| balancer.listeners.values());
        if listeners.into_iter().any(|listener| listener.target_group == arn) {
            return Err(Refusal::new(
                "ResourceInUse",
                format!("Target group '{arn}' is currently in use by a listener or a rule"),
            ));
        }
    }
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok() {
        cloud.state().target_groups.remove(arn);
    }
    Ok(answer)
}

pub(crate) async fn modify(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let arn = request.parameters.get("TargetGroupArn").unwrap_or_default();
    let health = check_health(request)?;
    {
        let mut state = cloud.state();
        let group = state.target_groups.get_mut(arn).ok_or_else(|| no_target_group(arn))?;
        group.healthy_threshold = health.healthy.unwrap_or(group.healthy_threshold);
        group.unhealthy_threshold = health.unhealthy.unwrap_or(group.unhealthy_threshold);
        if request.parameters.get("HealthCheckPort").is_some() {
            group.health_port = health.port;
        }
    }
    cloud.moto.forward(request, account).await
}

pub(crate) async fn modify_attributes(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let pairs = attributes(request, ATTRIBUTES, "Target group")?;
    let arn = request.parameters.get("TargetGroupArn").unwrap_or_default();
    {
        let mut state = cloud.state();
        let group = state.target_groups.get_mut(arn).ok_or_else(|| no_target_group(arn))?;
        for (key, value) in &pairs {
            match key.as_str() {
                "preserve_client_ip.enabled" => group.preserves_client_address = flag(key, value)?,
                "deregistration_delay.timeout_seconds" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds <= 3600);
                    group.deregistration_seconds =
                        seconds.ok_or_else(|| validation(format!("'{value}' must be between 0 and 3600 for '{key}'")))?;
                }
                _ => {}
            }
        }
    }
    cloud.moto.forward(request, account).await
}

/// moto's answer, with the defaults that only network load balancers have.
pub(crate) async fn describe_attributes(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let arn = request.parameters.get("TargetGroupArn").unwrap_or_default();
    let mut tree = answer.tree();
    let preserves = cloud.state().target_groups.get(arn).is_none_or(|group| group.preserves_client_address);
    if let Some(list) = tree.at_mut(&["DescribeTargetGroupAttributesResult", "Attributes"]) {
        let known: Vec<String> = list.elements().map(|member| member.text_of("Key").to_owned()).collect();
        let defaults = [
            ("preserve_client_ip.enabled", preserves),
            ("proxy_protocol_v2.enabled", false),
            ("deregistration_delay.connection_termination.enabled", false),
        ];
        for (key, value) in defaults {
            if !known.iter().any(|other| other == key) {
                list.push(Element::new("member").leaf("Key", key).leaf("Value", &value.to_string()));
            }
        }
    }
    Ok(answer.replaced(&tree))
}
