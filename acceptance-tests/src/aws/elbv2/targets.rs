//! Targets: registering, draining, and health as the checks found it.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use super::super::Cloud;
use super::super::answer::{Answer, Refusal};
use super::super::ec2::instances::Phase;
use super::super::request::Request;
use super::super::state::State;
use super::super::xml::Element;
use super::group::{Target, TargetGroup, TargetState};
use super::{answer, done, no_target_group};

/// Ids and ports that a request names; without a port, the group's.
fn named(request: &Request, group: &TargetGroup) -> Vec<(String, u16)> {
    let targets = request.parameters.structures("Targets");
    targets
        .iter()
        .map(|target| {
            let port = target.get("Port").and_then(|port| port.parse().ok()).unwrap_or(group.port);
            (target.get("Id").unwrap_or_default().to_owned(), port)
        })
        .collect()
}

fn group<'a>(state: &'a State, request: &Request) -> Result<(&'a str, &'a TargetGroup), Refusal> {
    let arn = request.parameters.get("TargetGroupArn").unwrap_or_default();
    state.target_groups.get_key_value(arn).map(|(arn, group)| (arn.as_str(), group)).ok_or_else(|| no_target_group(arn))
}

fn quoted(ids: &[&str]) -> String {
    ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ")
}

/// RegisterTargets: running instances of the group's network only.
pub(crate) fn register(cloud: &Cloud, request: &Request) -> Result<Answer, Refusal> {
    let mut state = cloud.state();
    let (arn, group) = group(&state, request)?;
    let arn = arn.to_owned();
    let targets = named(request, group);
    let vpc = group.vpc.clone();
    let ids = |wrong: &dyn Fn(&str) -> bool| -> Vec<&str> {
        targets.iter().map(|(id, _)| id.as_str()).filter(|id| wrong(id)).collect()
    };
    let unknown = ids(&|id| !state.instances.contains_key(id));
    if !unknown.is_empty() {
        return Err(Refusal::new("InvalidTarget", format!("The instance IDs {} are not valid", quoted(&unknown))));
    }
    let idle = ids(&|id| state.instances.get(id).is_none_or(|instance| instance.phase != Phase::Running));
    if !idle.is_empty() {
        return Err(Refusal::new(
            "InvalidTarget",
            format!("The following targets are not in a running state and cannot be registered: {}", quoted(&idle)),
        ));
    }
    let foreign = ids(&|id| state.instances.get(id).is_none_or(|instance| instance.vpc != vpc));
    if !foreign.is_empty() {
        return Err(Refusal::new(
            "InvalidTarget",
            format!("The following targets are not in the target group VPC '{vpc}': {}", quoted(&foreign)),
        ));
    }
    for (id, port) in targets {
        let Some(instance) = state.instances.get(&id) else { continue };
        let fresh = Target {
            address: SocketAddrV4::new(instance.private_ip, port),
            zone: instance.zone.clone(),
            state: TargetState::Initial,
            streak: 0,
            checks: 0,
            leaves_at: None,
        };
        let Some(group) = state.target_groups.get_mut(&arn) else { continue };
        let entry = group.targets.entry((id, port)).or_insert_with(|| fresh.clone());
        if entry.is_leaving() {
            *entry = fresh;
        }
    }
    Ok(done("RegisterTargets"))
}

/// DeregisterTargets: the targets drain, then go. One that is not registered is no error.
pub(crate) fn deregister(cloud: &Cloud, request: &Request) -> Result<Answer, Refusal> {
    let mut state = cloud.state();
    let (arn, group) = group(&state, request)?;
    let arn = arn.to_owned();
    // Without a port, the instance goes with all its ports.
    let bare: Vec<String> = request
        .parameters
        .structures("Targets")
        .iter()
        .filter(|target| target.get("Port").is_none())
        .filter_map(|target| target.get("Id").map(str::to_owned))
        .collect();
    let targets = named(request, group);
    let delay = Duration::from_secs(group.deregistration_seconds).min(cloud.config.timing.deregistration);
    if let Some(group) = state.target_groups.get_mut(&arn) {
        for (key, target) in &mut group.targets {
            if targets.contains(key) || bare.contains(&key.0) {
                target.leaves_at.get_or_insert(Instant::now() + delay);
            }
        }
    }
    Ok(done("DeregisterTargets"))
}

/// DescribeTargetHealth.
pub(crate) fn describe_health(cloud: &Cloud, request: &Request) -> Result<Answer, Refusal> {
    let state = cloud.state();
    let (arn, group) = group(&state, request)?;
    let mut keys = named(request, group);
    if keys.is_empty() {
        keys = group.targets.keys().cloned().collect();
    }
    let mut list = Element::new("TargetHealthDescriptions");
    for key in keys {
        let (code, reason, description) = health(&state, arn, group, &key);
        let mut health = Element::new("TargetHealth").leaf("State", code);
        if !reason.is_empty() {
            health = health.leaf("Reason", reason).leaf("Description", description);
        }
        let port = group.health_port.unwrap_or(key.1).to_string();
        list.push(
            Element::new("member")
                .node(Element::new("Target").leaf("Id", &key.0).leaf("Port", &key.1.to_string()))
                .leaf("HealthCheckPort", &port)
                .node(health),
        );
    }
    Ok(answer("DescribeTargetHealth", Element::new("DescribeTargetHealthResult").node(list)))
}

/// State, reason and description.
fn health(state: &State, arn: &str, group: &TargetGroup, key: &(String, u16)) -> (&'static str, &'static str, &'static str) {
    let Some(target) = group.targets.get(key) else {
        return ("unused", "Target.NotRegistered", "Target is not registered to the target group");
    };
    if target.is_leaving() {
        return ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress");
    }
    let balancer =
        state.load_balancers.values().find(|balancer| balancer.listeners.values().any(|listener| listener.target_group == arn));
    let Some(balancer) = balancer else {
        return ("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer");
    };
    if !balancer.cross_zone && !balancer.zones.contains(&target.zone) {
        return ("unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer");
    }
    match target.state {
        TargetState::Initial if target.checks == 0 => {
            ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
        }
        TargetState::Initial => ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
        TargetState::Healthy => ("healthy", "", ""),
        TargetState::Unhealthy => ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
    }
}
