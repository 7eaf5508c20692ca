//! Network load balancers, their target groups, listeners and targets.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, LoadBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerStateEnum,
    LoadBalancerTypeEnum, ProtocolEnum, TargetDescription, TargetGroup, TargetGroupAttribute, TargetHealthDescription,
    TargetHealthStateEnum, TargetTypeEnum,
};
use futures_util::future::{try_join, try_join_all};

use super::Aws;
use super::call::{Api, Pace};
use super::inventory::FRESH;
use super::tags::{self, Tags};
use crate::{Error, Result, Root, Subnet};

/// A load balancer takes two to three minutes to become active; after this something is wrong.
const ACTIVE: Duration = Duration::from_mins(15);
/// Seconds between health checks, until one fails, and how many make a difference.
const CHECK_INTERVAL: i32 = 10;
const CHECK_TIMEOUT: i32 = 5;
const CHECK_THRESHOLD: i32 = 2;
/// Seconds that connections to a leaving target may last; 300 by default, which would hold up every replacement.
const DEREGISTRATION: &str = "30";
/// That, the time until AWS notices, and something for luck.
const DRAINED: Duration = Duration::from_mins(2);
const CREATE_BALANCER: &str = "elasticloadbalancing:CreateLoadBalancer";

/// A port of the load balancer and the port of the targets that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) listens: u16,
    pub(super) leads_to: u16,
}

/// A load balancer as it is wanted.
pub(super) struct Wanted<'a> {
    pub(super) name: String,
    pub(super) security_group: &'a str,
    pub(super) subnets: &'a [Subnet],
    pub(super) tags: &'a Tags,
}

/// Name of the target group for a port.
pub(super) fn target_group_name(readable: &str, port: Port, root: &Root) -> String {
    super::naming::balancer(readable, &port.leads_to.to_string(), &root.id)
}

pub(super) async fn by_name(aws: &Aws, name: &str, age: Duration) -> Result<Option<LoadBalancer>> {
    Ok(aws.balancers(age).await?.iter().find(|balancer| balancer.load_balancer_name() == Some(name)).cloned())
}

pub(super) async fn target_group_by_name(aws: &Aws, name: &str, age: Duration) -> Result<Option<TargetGroup>> {
    Ok(aws.target_groups(age).await?.iter().find(|group| group.target_group_name() == Some(name)).cloned())
}

/// The load balancer, made where there is none. With the same name and settings, a second call answers with the first
/// one's (ELBv2 API reference, `CreateLoadBalancer`).
pub(super) async fn ensure(aws: &Aws, wanted: &Wanted<'_>) -> Result<LoadBalancer> {
    let mut found = by_name(aws, &wanted.name, FRESH).await?;
    let failed =
        |balancer: &LoadBalancer| balancer.state().and_then(|state| state.code()) == Some(&LoadBalancerStateEnum::Failed);
    if let Some(arn) = found.as_ref().filter(|found| failed(found)).and_then(|found| found.load_balancer_arn()) {
        delete(aws, arn).await?;
        found = None;
    }
    let balancer = match found {
        Some(balancer) => {
            correct(aws, wanted, &balancer).await?;
            balancer
        }
        None => create(aws, wanted).await?,
    };
    attributes(aws, arn_of(&balancer), &[("load_balancing.cross_zone.enabled", "true")]).await?;
    Ok(balancer)
}

pub(super) fn arn_of(balancer: &LoadBalancer) -> &str {
    balancer.load_balancer_arn().unwrap_or_default()
}

async fn create(aws: &Aws, wanted: &Wanted<'_>) -> Result<LoadBalancer> {
    let client = &aws.clients().elb;
    let subnets: Vec<String> = wanted.subnets.iter().map(|subnet| subnet.id.clone()).collect();
    let made = aws
        .call(Api::Elb, CREATE_BALANCER, format!("load balancer `{}`", wanted.name))
        // Subnets, security group and the gateway's attachment may not have reached load balancing yet.
        .settling(&["InvalidSubnet", "InvalidSecurityGroup"])
        .send(|| {
            client
                .create_load_balancer()
                .name(&wanted.name)
                .r#type(LoadBalancerTypeEnum::Network)
                .scheme(LoadBalancerSchemeEnum::InternetFacing)
                .set_subnets(Some(subnets.clone()))
                // Later than now it cannot be given to a network load balancer.
                .security_groups(wanted.security_group)
                .set_tags(Some(tags::elb(wanted.tags)))
                .send()
        })
        .await;
    match made {
        Ok(answer) => answer.load_balancers().first().cloned().ok_or_else(|| Error::Api {
            operation: CREATE_BALANCER,
            object: format!("load balancer `{}`", wanted.name),
            code: String::new(),
            message: "the answer names none".to_owned(),
        }),
        // It stands with other settings, and reads do not show it yet.
        Err(failure) if failure.is(&["DuplicateLoadBalancerName"]) => {
            let mut pace = Pace::new(super::call::SETTLE, Duration::from_secs(2));
            loop {
                if let Some(found) = by_name(aws, &wanted.name, FRESH).await? {
                    correct(aws, wanted, &found).await?;
                    return Ok(found);
                }
                if !pace.wait().await {
                    return Err(failure.into());
                }
            }
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Subnets and security group as wanted.
async fn correct(aws: &Aws, wanted: &Wanted<'_>, balancer: &LoadBalancer) -> Result<()> {
    let client = &aws.clients().elb;
    let arn = arn_of(balancer);
    let object = format!("load balancer `{}`", wanted.name);
    let have: BTreeSet<&str> = balancer.availability_zones().iter().filter_map(|zone| zone.subnet_id()).collect();
    let want: BTreeSet<&str> = wanted.subnets.iter().map(|subnet| subnet.id.as_str()).collect();
    if have != want {
        let subnets: Vec<String> = want.iter().map(|id| (*id).to_owned()).collect();
        aws.call(Api::Elb, "elasticloadbalancing:SetSubnets", object.as_str())
            .send(|| client.set_subnets().load_balancer_arn(arn).set_subnets(Some(subnets.clone())).send())
            .await?;
    }
    if balancer.security_groups() != [wanted.security_group] {
        aws.call(Api::Elb, "elasticloadbalancing:SetSecurityGroups", object)
            .send(|| client.set_security_groups().load_balancer_arn(arn).security_groups(wanted.security_group).send())
            .await?;
    }
    Ok(())
}

async fn attributes(aws: &Aws, arn: &str, attributes: &[(&str, &str)]) -> Result<()> {
    let client = &aws.clients().elb;
    let all: Vec<LoadBalancerAttribute> =
        attributes.iter().map(|(key, value)| LoadBalancerAttribute::builder().key(*key).value(*value).build()).collect();
    aws.call(Api::Elb, "elasticloadbalancing:ModifyLoadBalancerAttributes", format!("`{arn}`"))
        .settling(&[])
        .send(|| client.modify_load_balancer_attributes().load_balancer_arn(arn).set_attributes(Some(all.clone())).send())
        .await?;
    Ok(())
}

/// Waits until it takes connections.
pub(super) async fn wait_active(aws: &Aws, name: &str) -> Result<LoadBalancer> {
    let mut pace = Pace::new(ACTIVE, Duration::from_secs(5));
    loop {
        let found = by_name(aws, name, FRESH).await?;
        let state = found.as_ref().and_then(|balancer| balancer.state());
        match (state.and_then(|state| state.code()), &found) {
            (Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired), Some(balancer)) => {
                return Ok(balancer.clone());
            }
            (Some(LoadBalancerStateEnum::Failed), _) => {
                return Err(Error::Api {
                    operation: CREATE_BALANCER,
                    object: format!("load balancer `{name}`"),
                    code: "failed".to_owned(),
                    message: state.and_then(|state| state.reason()).unwrap_or("AWS gives no reason").to_owned(),
                });
            }
            _ => {}
        }
        if !pace.wait().await {
            let object = format!("load balancer `{name}`");
            return Err(Error::NotInTime { object, awaited: "active", seconds: ACTIVE.as_secs() });
        }
    }
}

/// The target group of that name, made where there is none. Health is a TCP connection: an unauthenticated `/readyz` is
/// answered with 401 on Talos.
pub(super) async fn ensure_target_group(aws: &Aws, name: &str, port: Port, vpc: &str, tags: &Tags) -> Result<String> {
    let client = &aws.clients().elb;
    let object = format!("target group `{name}`");
    let arn = if let Some(group) = target_group_by_name(aws, name, FRESH).await? {
        group.target_group_arn().unwrap_or_default().to_owned()
    } else {
        let made = aws
            .call(Api::Elb, "elasticloadbalancing:CreateTargetGroup", object.as_str())
            .settling(&["InvalidVpc", "ValidationError"])
            .send(|| {
                client
                    .create_target_group()
                    .name(name)
                    .protocol(ProtocolEnum::Tcp)
                    .port(port.leads_to.into())
                    .vpc_id(vpc)
                    .target_type(TargetTypeEnum::Instance)
                    .health_check_protocol(ProtocolEnum::Tcp)
                    .health_check_enabled(true)
                    .health_check_interval_seconds(CHECK_INTERVAL)
                    .health_check_timeout_seconds(CHECK_TIMEOUT)
                    .healthy_threshold_count(CHECK_THRESHOLD)
                    .unhealthy_threshold_count(CHECK_THRESHOLD)
                    .set_tags(Some(tags::elb(tags)))
                    .send()
            })
            .await?;
        made.target_groups().first().and_then(|group| group.target_group_arn()).unwrap_or_default().to_owned()
    };
    // With the client's address preserved, a node could not reach itself through the load balancer.
    let wanted = [("preserve_client_ip.enabled", "false"), ("deregistration_delay.timeout_seconds", DEREGISTRATION)];
    let all: Vec<TargetGroupAttribute> =
        wanted.iter().map(|(key, value)| TargetGroupAttribute::builder().key(*key).value(*value).build()).collect();
    aws.call(Api::Elb, "elasticloadbalancing:ModifyTargetGroupAttributes", object)
        .settling(&[])
        .send(|| client.modify_target_group_attributes().target_group_arn(&arn).set_attributes(Some(all.clone())).send())
        .await?;
    Ok(arn)
}

/// The listener that leads a port to its target group. A load balancer has one listener a port, which is the claim.
pub(super) async fn ensure_listener(aws: &Aws, balancer: &str, port: Port, target_group: &str, tags: &Tags) -> Result<()> {
    let client = &aws.clients().elb;
    let forward = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(target_group).build();
    let object = format!("listener {} of `{balancer}`", port.listens);
    let made = aws
        .call(Api::Elb, "elasticloadbalancing:CreateListener", object.as_str())
        .settling(&[])
        .send(|| {
            client
                .create_listener()
                .load_balancer_arn(balancer)
                .protocol(ProtocolEnum::Tcp)
                .port(port.listens.into())
                .default_actions(forward.clone())
                .set_tags(Some(tags::elb(tags)))
                .send()
        })
        .await;
    match made {
        Ok(_) => return Ok(()),
        Err(failure) if failure.is(&["DuplicateListener"]) => {}
        Err(failure) => return Err(failure.into()),
    }
    let Some((arn, leads_to)) = listener(aws, balancer, port).await? else { return Ok(()) };
    if leads_to.as_deref() == Some(target_group) {
        return Ok(());
    }
    aws.call(Api::Elb, "elasticloadbalancing:ModifyListener", object)
        .send(|| client.modify_listener().listener_arn(&arn).default_actions(forward.clone()).send())
        .await?;
    Ok(())
}

/// The listener of a port and the target group that it leads to.
async fn listener(aws: &Aws, balancer: &str, port: Port) -> Result<Option<(String, Option<String>)>> {
    let client = &aws.clients().elb;
    let answer = aws
        .call(Api::Elb, "elasticloadbalancing:DescribeListeners", format!("`{balancer}`"))
        .send(|| client.describe_listeners().load_balancer_arn(balancer).send())
        .await?;
    Ok(answer.listeners().iter().find(|listener| listener.port() == Some(port.listens.into())).map(|listener| {
        let leads_to = listener.default_actions().first().and_then(|action| action.target_group_arn());
        (listener.listener_arn().unwrap_or_default().to_owned(), leads_to.map(str::to_owned))
    }))
}

/// Load balancer, target groups and listeners, side by side where they can be. The load balancer need not be active yet.
pub(super) async fn ensure_all(
    aws: &Aws,
    wanted: &Wanted<'_>,
    ports: &[(Port, String)],
    made: impl Fn(&LoadBalancer),
) -> Result<LoadBalancer> {
    let balancer = ensure(aws, wanted).await?;
    made(&balancer);
    let arn = arn_of(&balancer);
    try_join_all(ports.iter().map(|(port, group)| ensure_listener(aws, arn, *port, group, wanted.tags))).await?;
    Ok(balancer)
}

/// Sets and removes the user's tags on load balancers and target groups, twenty at a time.
pub(super) async fn retag(aws: &Aws, arns: &[String], set: &Tags, gone: &[String]) -> Result<()> {
    let client = &aws.clients().elb;
    for some in arns.chunks(20) {
        if !set.is_empty() {
            aws.call(Api::Elb, "elasticloadbalancing:AddTags", "the load balancer's tags")
                .send(|| client.add_tags().set_resource_arns(Some(some.to_vec())).set_tags(Some(tags::elb(set))).send())
                .await?;
        }
        if !gone.is_empty() {
            aws.call(Api::Elb, "elasticloadbalancing:RemoveTags", "the load balancer's tags")
                .send(|| client.remove_tags().set_resource_arns(Some(some.to_vec())).set_tag_keys(Some(gone.to_vec())).send())
                .await?;
        }
    }
    Ok(())
}

/// Makes exactly these machines the targets of each group.
pub(super) async fn set_targets(aws: &Aws, groups: &[String], machines: &[String]) -> Result<()> {
    try_join_all(groups.iter().map(|group| set_targets_of(aws, group, machines))).await?;
    Ok(())
}

async fn set_targets_of(aws: &Aws, group: &str, machines: &[String]) -> Result<()> {
    let client = &aws.clients().elb;
    let object = format!("the targets of `{group}`");
    let health = aws
        .call(Api::Elb, "elasticloadbalancing:DescribeTargetHealth", object.as_str())
        .settling(&[])
        .send(|| client.describe_target_health().target_group_arn(group).send())
        .await?;
    let have: BTreeSet<&str> = health
        .target_health_descriptions()
        .iter()
        .filter(|target| !is_draining(target))
        .filter_map(|target| target.target().and_then(|target| target.id()))
        .collect();
    let want: BTreeSet<&str> = machines.iter().map(String::as_str).collect();
    let targets = |ids: Vec<&str>| -> Vec<TargetDescription> {
        ids.into_iter().map(|id| TargetDescription::builder().id(id).build()).collect()
    };
    let missing = targets(want.difference(&have).copied().collect());
    let surplus = targets(have.difference(&want).copied().collect());
    let register = async {
        if !missing.is_empty() {
            aws.call(Api::Elb, "elasticloadbalancing:RegisterTargets", object.as_str())
                // A machine that has only just begun to run is not taken.
                .settling(&["InvalidTarget"])
                .send(|| client.register_targets().target_group_arn(group).set_targets(Some(missing.clone())).send())
                .await?;
        }
        Ok::<_, Error>(())
    };
    let deregister = async {
        if !surplus.is_empty() {
            let gone = aws
                .call(Api::Elb, "elasticloadbalancing:DeregisterTargets", object.as_str())
                .send(|| client.deregister_targets().target_group_arn(group).set_targets(Some(surplus.clone())).send())
                .await;
            match gone {
                Err(failure) if !failure.is(&["InvalidTarget"]) => return Err(Error::from(failure)),
                _ => {}
            }
        }
        Ok(())
    };
    try_join(register, deregister).await?;
    // Also those that an earlier try took out: whoever asks may terminate them next.
    let leaving: BTreeSet<&str> = health
        .target_health_descriptions()
        .iter()
        .filter_map(|target| target.target().and_then(|target| target.id()))
        .filter(|id| !want.contains(id))
        .collect();
    if leaving.is_empty() { Ok(()) } else { drained(aws, group, &leaving).await }
}

fn is_draining(target: &TargetHealthDescription) -> bool {
    target.target_health().and_then(|health| health.state()) == Some(&TargetHealthStateEnum::Draining)
}

/// Waits until targets that leave are out: until then the load balancer carries connections to them, and goes on sending some
/// to those that it has not yet been told of.
async fn drained(aws: &Aws, group: &str, leaving: &BTreeSet<&str>) -> Result<()> {
    let client = &aws.clients().elb;
    let mut pace = Pace::new(DRAINED, Duration::from_secs(5));
    loop {
        let health = aws
            .call(Api::Elb, "elasticloadbalancing:DescribeTargetHealth", format!("the targets of `{group}`"))
            .send(|| client.describe_target_health().target_group_arn(group).send())
            .await?;
        let is_leaving = |target: &&TargetHealthDescription| {
            target.target().and_then(|target| target.id()).is_some_and(|id| leaving.contains(id))
        };
        if !health.target_health_descriptions().iter().any(|target| is_leaving(&target)) {
            return Ok(());
        }
        if !pace.wait().await {
            tracing::warn!(group, "targets are still draining long after their time; going on");
            return Ok(());
        }
    }
}

async fn delete(aws: &Aws, arn: &str) -> Result<()> {
    let client = &aws.clients().elb;
    let gone = aws
        .call(Api::Elb, "elasticloadbalancing:DeleteLoadBalancer", format!("`{arn}`"))
        .send(|| client.delete_load_balancer().load_balancer_arn(arn).send())
        .await;
    match gone {
        Err(failure) if !failure.is_not_found() => Err(failure.into()),
        _ => Ok(()),
    }
}

/// One pass of removing a load balancer and its target groups, by their names. `true` once none of them stands.
/// Its network interfaces outlive it for a while; what they hold up is tried again by the caller.
pub(super) async fn remove(aws: &Aws, name: &str, target_groups: &[String]) -> Result<bool> {
    let client = &aws.clients().elb;
    if let Some(balancer) = by_name(aws, name, FRESH).await? {
        delete(aws, arn_of(&balancer)).await?;
    }
    let left = try_join_all(target_groups.iter().map(|name| async move {
        let Some(group) = target_group_by_name(aws, name, FRESH).await? else { return Ok(false) };
        let arn = group.target_group_arn().unwrap_or_default();
        let gone = aws
            .call(Api::Elb, "elasticloadbalancing:DeleteTargetGroup", format!("target group `{name}`"))
            .send(|| client.delete_target_group().target_group_arn(arn).send())
            .await;
        match gone {
            Ok(_) => Ok(false),
            Err(failure) if failure.is_not_found() => Ok(false),
            Err(failure) if failure.is_in_use() => Ok(true),
            Err(failure) => Err(Error::from(failure)),
        }
    }))
    .await?;
    Ok(by_name(aws, name, FRESH).await?.is_none() && !left.into_iter().any(|left| left))
}
