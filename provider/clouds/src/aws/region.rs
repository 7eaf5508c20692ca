//! A region as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ec2::types::SecurityGroup;
use aws_sdk_elasticloadbalancingv2::types::LoadBalancer;
use futures_util::future::try_join;
use ipnet::Ipv4Net;
use tokio::time::Instant;

use super::balancer::{self, Port, Wanted};
use super::call::Pace;
use super::firewall::{self, Rule};
use super::inventory::FRESH;
use super::network::{self, Parts};
use super::{Aws, claimed, dns, interfaces, naming, roots, routes, tags, vpc};
use crate::{Claim, Error, IngressState, Kind, Observer, RegionSpec, RegionState, Result, Root, Scope};

/// The ingress load balancer's ports and the workers' node ports behind them.
const PORTS: [Port; 2] = [Port { listens: 80, leads_to: 30080 }, Port { listens: 443, leads_to: 30443 }];
/// Load balancers leave their network interfaces for minutes; this is enough for the slowest.
pub(super) const REMOVAL: Duration = Duration::from_mins(20);
/// What is not ours and still stands in the network after this goes only if somebody removes it.
const OTHERS: Duration = Duration::from_mins(5);

/// How a region's objects are called in consoles.
pub(super) fn display(scope: &Scope) -> String {
    format!("{}-{}", scope.environment, scope.region)
}

fn balancer_name(root: &Root) -> String {
    naming::balancer(&display(&root.scope), "ingress", &root.id)
}

fn target_group_names(root: &Root) -> Vec<String> {
    PORTS.iter().map(|port| balancer::target_group_name(&display(&root.scope), *port, root)).collect()
}

/// What exists so far, told on with each object.
pub(super) struct Progress<'a, T> {
    state: Mutex<T>,
    observer: &'a dyn Observer<T>,
}

impl<'a, T: Clone> Progress<'a, T> {
    pub(super) fn new(state: T, observer: &'a dyn Observer<T>) -> Self {
        Self { state: Mutex::new(state), observer }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut T)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let now = state.clone();
        drop(state);
        self.observer.observe(&now);
    }
}

/// Makes or changes a region.
pub(super) async fn apply(
    aws: &Aws,
    spec: &RegionSpec,
    claim: &Claim,
    given: Option<&Root>,
    observer: &dyn Observer<RegionState>,
) -> Result<RegionState> {
    // What would stop us later stops us before anything is made.
    let zone = match &spec.dns {
        Some(dns) => Some(dns::hosted_zone(aws, &dns.zone).await?),
        None => None,
    };
    let root = vpc::root(aws, spec, claim, given).await?;
    let progress = Progress::new(RegionState::default(), observer);
    progress.update(|state| {
        state.network_id.clone_from(&root.id);
        state.cidr = root.cidr;
        state.tags = tags::users(&root.tags, &display(&spec.scope));
    });

    let all = tags::common(&spec.scope, &display(&spec.scope), &spec.tags);
    let groups = target_group_names(&root);
    let network = async {
        let subnets = network::lay_out(aws, spec, &root).await?;
        progress.update(|state| state.subnets.clone_from(&subnets));
        Ok::<_, Error>(subnets)
    };
    let (subnets, group, first, second) = tokio::try_join!(
        network,
        ingress_group(aws, spec, &root, &all),
        balancer::ensure_target_group(aws, &groups[0], PORTS[0], &root.id, &all),
        balancer::ensure_target_group(aws, &groups[1], PORTS[1], &root.id, &all),
    )?;
    let group = group.group_id().unwrap_or_default().to_owned();
    let target_groups = vec![first.clone(), second.clone()];
    let name = balancer_name(&root);
    let wanted = Wanted { name: name.clone(), security_group: &group, subnets: &subnets, tags: &all };
    let ports = [(PORTS[0], first), (PORTS[1], second)];
    let balancer = balancer::ensure_all(aws, &wanted, &ports, |balancer| {
        progress.update(|state| state.ingress = Some(ingress_state(balancer, &group, &target_groups)));
    })
    .await?;
    let dns = async {
        let state = dns::ensure(aws, spec, &root, zone.as_deref(), &balancer).await?;
        progress.update(|region| region.dns.clone_from(&state));
        Ok(())
    };
    let active = async { balancer::wait_active(aws, &name).await.map(drop) };
    try_join(dns, active).await?;
    retag(aws, spec, &root).await?;
    vpc::remove_twins(aws, spec, &root.id).await?;
    // Another apply may have taken it over meanwhile.
    let Some(root) = claimed(aws, Kind::Region, &root.id, claim).await? else {
        return Err(Error::NotFound {
            object: format!("network `{}`", root.id),
            message: "it was removed while the region was made".to_owned(),
        });
    };
    let state = read_root(aws, &root, FRESH).await?;
    observer.observe(&state);
    Ok(state)
}

fn ingress_state(balancer: &LoadBalancer, group: &str, target_groups: &[String]) -> IngressState {
    IngressState {
        id: balancer::arn_of(balancer).to_owned(),
        address: balancer.dns_name().unwrap_or_default().to_owned(),
        security_group_id: group.to_owned(),
        target_group_ids: target_groups.to_vec(),
        allowed_cidrs: Vec::new(),
        ports: BTreeMap::new(),
    }
}

async fn ingress_group(aws: &Aws, spec: &RegionSpec, root: &Root, all: &tags::Tags) -> Result<SecurityGroup> {
    let name = naming::ingress_group(&spec.scope);
    let mut all = all.clone();
    all.insert(tags::DISPLAY.to_owned(), format!("{}-ingress", display(&spec.scope)));
    let group = firewall::ensure(aws, &root.id, &name, "Ingress load balancer", &all).await?;
    let rules: BTreeSet<Rule> = PORTS.iter().flat_map(|port| Rule::ranges(port.listens, &spec.ingress_allowed_cidrs)).collect();
    firewall::sync(aws, &group, &rules, |_| "ingress", |_| false).await?;
    Ok(group)
}

/// The user's tags on everything of the region that stood before; the root last, which tells that all have them.
async fn retag(aws: &Aws, spec: &RegionSpec, root: &Root) -> Result<()> {
    let (set, gone) = tags::difference(&root.tags, &display(&spec.scope), &spec.tags);
    let users: tags::Tags = set.into_iter().filter(|(key, _)| key != tags::DISPLAY || spec.tags.contains_key(key)).collect();
    if users.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let parts = network::parts(aws, root, FRESH).await?;
    let mut ids = network::ids(&parts);
    let group = firewall::by_name(aws, &root.id, &naming::ingress_group(&spec.scope), FRESH).await?;
    ids.extend(group.and_then(|group| group.group_id().map(str::to_owned)));
    let mut arns = Vec::new();
    arns.extend(balancer::by_name(aws, &balancer_name(root), FRESH).await?.and_then(|b| b.load_balancer_arn));
    for name in target_group_names(root) {
        arns.extend(balancer::target_group_by_name(aws, &name, FRESH).await?.and_then(|g| g.target_group_arn));
    }
    roots::remove_ec2_tags(aws, &ids, &gone).await?;
    roots::set_ec2_tags(aws, &ids, &users).await?;
    balancer::retag(aws, &arns, &users, &gone).await?;
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    roots::retag(aws, Kind::Region, &root.id, &users, &gone).await
}

/// The region of that root.
pub(super) async fn read(aws: &Aws, id: &str, age: Duration) -> Result<Option<RegionState>> {
    match roots::one(aws, Kind::Region, id, age).await? {
        Some(root) => read_root(aws, &root, age).await.map(Some),
        None => Ok(None),
    }
}

async fn read_root(aws: &Aws, root: &Root, age: Duration) -> Result<RegionState> {
    let group_name = naming::ingress_group(&root.scope);
    let balancer_name = balancer_name(root);
    let (parts, group, balancer, target_groups, names, dns) = tokio::try_join!(
        network::parts(aws, root, age),
        firewall::by_name(aws, &root.id, &group_name, age),
        balancer::by_name(aws, &balancer_name, age),
        aws.target_groups(age),
        vpc::name_attributes(aws, &root.id, None),
        dns::read(aws, root),
    )?;
    let found: Vec<_> = target_group_names(root)
        .into_iter()
        .filter_map(|name| target_groups.iter().find(|group| group.target_group_name() == Some(name.as_str())))
        .collect();
    let arns: Vec<String> = found.iter().filter_map(|group| group.target_group_arn()).map(str::to_owned).collect();
    let mut drift = network_drift(root, &parts, names);
    drift.extend(firewall_drift(group.as_ref()));
    match &balancer {
        None => drift.push("the ingress load balancer is gone".to_owned()),
        Some(balancer) => {
            let listening = found.iter().filter(|group| !group.load_balancer_arns().is_empty()).count();
            if listening < PORTS.len() {
                drift.push("the ingress load balancer lacks a listener or a target group".to_owned());
            }
            let have: BTreeSet<&str> = balancer.availability_zones().iter().filter_map(|zone| zone.subnet_id()).collect();
            if network::subnet_states(&parts).iter().any(|subnet| !have.contains(subnet.id.as_str())) {
                drift.push("the ingress load balancer does not serve every subnet".to_owned());
            }
            let address = dns::bare(balancer.dns_name().unwrap_or_default());
            if matches!(&dns, dns::Found::Standing(_, target) if *target != address) {
                drift.push("the DNS record does not lead to the ingress load balancer".to_owned());
            }
        }
    }
    let dns = match dns {
        dns::Found::None => None,
        dns::Found::Gone => {
            drift.push("the DNS record is gone".to_owned());
            None
        }
        dns::Found::Standing(state, _) => Some(*state),
    };
    let group_id = group.as_ref().and_then(|group| group.group_id()).unwrap_or_default();
    let ingress = balancer.as_ref().map(|balancer| IngressState {
        allowed_cidrs: group.as_ref().map(allowed).unwrap_or_default(),
        ..ingress_state(balancer, group_id, &arns)
    });
    Ok(RegionState {
        network_id: root.id.clone(),
        cidr: root.cidr,
        subnets: network::subnet_states(&parts),
        ingress,
        dns,
        tags: tags::users(&root.tags, &display(&root.scope)),
        drift,
    })
}

/// Ranges that reach both ports.
fn allowed(group: &SecurityGroup) -> Vec<Ipv4Net> {
    let second = firewall::ranges_of(group, PORTS[1].listens);
    firewall::ranges_of(group, PORTS[0].listens).into_iter().filter(|range| second.contains(range)).collect()
}

fn firewall_drift(group: Option<&SecurityGroup>) -> Vec<String> {
    match group {
        None => vec!["the ingress load balancer's security group is gone".to_owned()],
        Some(group) if firewall::ranges_of(group, PORTS[0].listens) != firewall::ranges_of(group, PORTS[1].listens) => {
            vec!["the ingress load balancer's ports 80 and 443 are open to different ranges".to_owned()]
        }
        Some(_) => Vec::new(),
    }
}

fn network_drift(root: &Root, parts: &Parts, (support, host_names): (bool, bool)) -> Vec<String> {
    let mut drift = Vec::new();
    if !support || !host_names {
        drift.push(format!("DNS names are switched off in network `{}`", root.id));
    }
    let gateway = parts.gateways.iter().find(|gateway| !gateway.attachments().is_empty());
    let gateway = gateway.and_then(|gateway| gateway.internet_gateway_id());
    if gateway.is_none() {
        drift.push(format!("network `{}` has no internet gateway", root.id));
    }
    if parts.subnets.is_empty() {
        drift.push(format!("network `{}` has no subnet", root.id));
    }
    match parts.route_tables.first() {
        None => drift.push(format!("network `{}` has no route table of ours", root.id)),
        Some(table) => {
            if gateway.is_some() && routes::default_route(table) != gateway {
                drift.push("the default route does not lead to the internet gateway".to_owned());
            }
            for subnet in parts.subnets.iter().filter_map(|subnet| subnet.subnet_id()) {
                if !table.associations().iter().any(|association| association.subnet_id() == Some(subnet)) {
                    drift.push(format!("subnet `{subnet}` does not use the route table"));
                }
            }
        }
    }
    for subnet in parts.subnets.iter().filter(|subnet| subnet.map_public_ip_on_launch() != Some(true)) {
        drift.push(format!("subnet `{}` gives no public addresses", subnet.subnet_id().unwrap_or_default()));
    }
    drift
}

/// Removes a region, pass by pass: what is still in use is tried again until nothing is left.
pub(super) async fn delete(aws: &Aws, id: &str, claim: &Claim) -> Result<()> {
    let mut pace = Pace::new(REMOVAL, Duration::from_secs(10));
    let begun = Instant::now();
    loop {
        let Some(root) = claimed(aws, Kind::Region, id, claim).await? else { return Ok(()) };
        refuse_clusters(aws, &root).await?;
        if pass(aws, &root).await? && vpc::remove(aws, &root.id).await? {
            return Ok(());
        }
        let in_time = pace.wait().await;
        if begun.elapsed() > OTHERS
            && let Some(left) = interfaces::left_by_others(aws, id).await?
        {
            return Err(Error::NotEmpty { object: format!("network `{id}`"), message: left });
        }
        if !in_time {
            return Err(Error::NotInTime {
                object: format!("network `{id}`"),
                awaited: "empty (something that is not ours may stand in it)",
                seconds: REMOVAL.as_secs(),
            });
        }
    }
}

async fn refuse_clusters(aws: &Aws, root: &Root) -> Result<()> {
    let groups = aws.groups(FRESH).await?;
    let clusters: Vec<String> = groups
        .iter()
        .filter(|group| group.vpc_id() == Some(root.id.as_str()))
        .filter_map(roots::of_group)
        .map(|cluster| format!("`{}`", cluster.name))
        .collect();
    if clusters.is_empty() {
        return Ok(());
    }
    Err(Error::NotEmpty {
        object: format!("region `{}`", root.name),
        message: format!("cluster {} stands in it: remove it first", clusters.join(", ")),
    })
}

async fn pass(aws: &Aws, root: &Root) -> Result<bool> {
    let name = balancer_name(root);
    let groups = target_group_names(root);
    let ((), balancer) = try_join(dns::remove(aws, root), balancer::remove(aws, &name, &groups)).await?;
    if !balancer {
        return Ok(false);
    }
    let group = firewall::by_name(aws, &root.id, &naming::ingress_group(&root.scope), FRESH).await?;
    let firewall = async {
        match group.as_ref().and_then(|group| group.group_id()) {
            Some(id) => firewall::remove(aws, id).await,
            None => Ok(true),
        }
    };
    let (firewall, network) = try_join(firewall, network::remove(aws, root)).await?;
    Ok(firewall && network)
}
