//! Listeners: one per port, each forwarding to one target group.

use std::sync::Arc;

use super::super::answer::{Answer, Refusal};
use super::super::moto::ELBV2_VERSION;
use super::super::parameters::Parameters;
use super::super::request::Request;
use super::super::{Cloud, caller};
use super::balancer::{self, ListenerRecord};
use super::{no_load_balancer, no_target_group, shown, validation};
use crate::ledger::Ticket;

/// The target group that the default action forwards to.
fn target_group(request: &Request) -> Option<String> {
    let action = request.parameters.structures("DefaultActions").into_iter().next()?;
    let direct = action.get("TargetGroupArn").map(str::to_owned);
    direct.or_else(|| action.structures("ForwardConfig.TargetGroups").first()?.get("TargetGroupArn").map(str::to_owned))
}

pub(crate) async fn create(cloud: &Arc<Cloud>, request: &Request, account: &str, ticket: &Ticket) -> Result<Answer, Refusal> {
    let balancer_arn = request.parameters.get("LoadBalancerArn").unwrap_or_default().to_owned();
    let port = request.parameters.get("Port").and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
    let port = port.ok_or_else(|| validation("A listener port must be specified"))?;
    if request.parameters.get("Protocol") != Some("TCP") {
        return Err(Refusal::new("UnsupportedInSandbox", "The sandbox has TCP listeners only"));
    }
    let target_group = target_group(request).ok_or_else(|| validation("A default action must be specified"))?;
    let fingerprint = request.fingerprint(&[]);
    let again = check(cloud, &balancer_arn, port, &target_group, &fingerprint)?;
    if let Some(arn) = again {
        return existing(cloud, request, account, &arn).await;
    }
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let arn = answer.tree().all("ListenerArn").first().map(|arn| arn.text().to_owned()).unwrap_or_default();
    {
        let mut state = cloud.state();
        state.born("CreateListener", &arn, std::time::Instant::now());
        if let Some(balancer) = state.load_balancers.get_mut(&balancer_arn) {
            balancer.listeners.insert(arn.clone(), ListenerRecord { fingerprint, port, target_group, open: None });
        }
    }
    balancer::open(cloud, &balancer_arn, &arn).await;
    ticket.note("Made", shown(&arn));
    Ok(answer)
}

/// `Some`: the same listener stands already.
fn check(cloud: &Cloud, balancer_arn: &str, port: u16, target_group: &str, fingerprint: &str) -> Result<Option<String>, Refusal> {
    let state = cloud.state();
    let balancer = state.load_balancers.get(balancer_arn).ok_or_else(|| no_load_balancer(balancer_arn))?;
    let group = state.target_groups.get(target_group).ok_or_else(|| no_target_group(target_group))?;
    if group.vpc != balancer.vpc {
        return Err(validation(format!(
            "The target group '{target_group}' is not in the load balancer's VPC '{}'",
            balancer.vpc
        )));
    }
    if let Some((arn, listener)) = balancer.listeners.iter().find(|(_, listener)| listener.port == port) {
        if listener.fingerprint == fingerprint {
            return Ok(Some(arn.clone()));
        }
        return Err(Refusal::new("DuplicateListener", "A listener already exists on this port for this load balancer"));
    }
    let elsewhere = state.load_balancers.iter().any(|(arn, other)| {
        arn != balancer_arn && other.listeners.values().any(|listener| listener.target_group == target_group)
    });
    if elsewhere {
        return Err(Refusal::new(
            "TargetGroupAssociationLimit",
            format!("The following target groups cannot be associated with more than one load balancer: {target_group}"),
        ));
    }
    Ok(None)
}

async fn existing(cloud: &Cloud, request: &Request, account: &str, arn: &str) -> Result<Answer, Refusal> {
    let query = Parameters::of("DescribeListeners", ELBV2_VERSION, &[("ListenerArns.member.1", arn)]);
    let mut tree = cloud.moto.query("elasticloadbalancing", caller(request, account), &query).await?;
    "CreateListenerResponse".clone_into(&mut tree.name);
    if let Some(result) = tree.child_mut("DescribeListenersResult") {
        "CreateListenerResult".clone_into(&mut result.name);
    }
    Ok(Answer::xml(&tree))
}

pub(crate) async fn modify(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok()
        && let Some(target_group) = target_group(request)
    {
        let arn = request.parameters.get("ListenerArn").unwrap_or_default();
        let mut state = cloud.state();
        if let Some(listener) = state.load_balancers.values_mut().find_map(|balancer| balancer.listeners.get_mut(arn)) {
            listener.target_group = target_group;
        }
    }
    Ok(answer)
}

pub(crate) async fn delete(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok() {
        let arn = request.parameters.get("ListenerArn").unwrap_or_default();
        for balancer in cloud.state().load_balancers.values_mut() {
            balancer.listeners.remove(arn);
        }
    }
    Ok(answer)
}
