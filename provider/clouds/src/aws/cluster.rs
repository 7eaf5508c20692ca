//! A cluster's own objects: the nodes' security group, which is its root, and the API load balancer.
//!
//! Who reaches a node: its own cluster, everything; the API load balancer, 6443 and 50000 (client addresses are not
//! preserved, so its members come from its security group); those who may use the Talos API, 50000 directly too, since
//! an upgrade or a reset must name the very node; the region's ingress load balancer, the two node ports.
//!
//! Who reaches the API load balancer: those who may use either API, and each node's public address.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use aws_sdk_ec2::types::SecurityGroup;
use futures_util::future::try_join_all;
use ipnet::Ipv4Net;

use super::balancer::{self, Port, Wanted};
use super::call::Pace;
use super::firewall::{self, Rule, Source, Standing};
use super::inventory::FRESH;
use super::region::{Progress, REMOVAL};
use super::{Aws, claimed, machines, naming, roots, tags};
use crate::{Claim, ClusterSpec, ClusterState, Error, Kind, Observer, RegionState, Result, Root, Scope};

const KUBERNETES: u16 = 6443;
const TALOS: u16 = 50000;
const PORTS: [Port; 2] = [Port { listens: KUBERNETES, leads_to: KUBERNETES }, Port { listens: TALOS, leads_to: TALOS }];
/// Node ports that the ingress load balancer leads to.
const INGRESS: [u16; 2] = [30080, 30443];

fn display(scope: &Scope, cluster: &str) -> String {
    format!("{}-{}-{cluster}", scope.environment, scope.region)
}

fn balancer_name(root: &Root) -> String {
    naming::balancer(&root.name, "api", &root.id)
}

fn target_group_names(root: &Root) -> Vec<String> {
    PORTS.iter().map(|port| balancer::target_group_name(&root.name, *port, root)).collect()
}

/// Makes or changes a cluster's own objects.
pub(super) async fn apply(
    aws: &Aws,
    spec: &ClusterSpec,
    claim: &Claim,
    given: Option<&Root>,
    observer: &dyn Observer<ClusterState>,
) -> Result<ClusterState> {
    let vpc = spec.region.network_id.as_str();
    let display = display(&spec.scope, &spec.name);
    let all = tags::of_cluster(&spec.scope, &spec.name, &display, &spec.tags);
    let (root, nodes) = root(aws, spec, claim, given, &all).await?;
    let progress = Progress::new(ClusterState::default(), observer);
    progress.update(|state| {
        state.security_group_id.clone_from(&root.id);
        state.tags = tags::users(&root.tags, &display);
    });

    let groups = target_group_names(&root);
    let firewalls = async {
        let mut named = all.clone();
        named.insert(tags::DISPLAY.to_owned(), format!("{display}-api"));
        let name = naming::api_group(&spec.scope, &spec.name);
        let api = firewall::ensure(aws, vpc, &name, "API load balancer", &named).await?;
        let id = api.group_id().unwrap_or_default().to_owned();
        progress.update(|state| state.api_security_group_id.clone_from(&id));
        let open_api = api_rules(spec);
        let open_nodes = node_rules(spec, &root.id, &id);
        let ingress = spec.region.ingress.as_ref().map(|ingress| ingress.security_group_id.clone());
        tokio::try_join!(
            open_api_to(aws, &root, &api, &open_api, &spec.kubernetes_api_allowed_cidrs),
            firewall::sync(aws, &nodes, &open_nodes, about, |have| is_ingress(&have.rule, ingress.as_deref())),
        )?;
        Ok::<_, Error>(id)
    };
    let (api_group, first, second) = tokio::try_join!(
        firewalls,
        balancer::ensure_target_group(aws, &groups[0], PORTS[0], vpc, &all),
        balancer::ensure_target_group(aws, &groups[1], PORTS[1], vpc, &all),
    )?;
    let target_groups = vec![first.clone(), second.clone()];
    progress.update(|state| state.api_target_group_ids.clone_from(&target_groups));
    let name = balancer_name(&root);
    let wanted = Wanted { name: name.clone(), security_group: &api_group, subnets: &spec.region.subnets, tags: &all };
    let ports = [(PORTS[0], first), (PORTS[1], second)];
    balancer::ensure_all(aws, &wanted, &ports, |made| {
        progress.update(|state| {
            balancer::arn_of(made).clone_into(&mut state.api_load_balancer_id);
            made.dns_name().unwrap_or_default().clone_into(&mut state.api_address);
        });
    })
    .await?;
    balancer::wait_active(aws, &name).await?;
    retag(aws, spec, &root, &display).await?;
    let Some(root) = claimed(aws, Kind::Cluster, &root.id, claim).await? else {
        return Err(Error::NotFound {
            object: format!("security group `{}` of cluster `{}`", root.id, spec.name),
            message: "it was removed while the cluster was made".to_owned(),
        });
    };
    let state = read_root(aws, &root, FRESH).await?;
    observer.observe(&state);
    Ok(state)
}

/// The root under `claim`. Its group name can be had once in the VPC, so there never are two.
async fn root(
    aws: &Aws,
    spec: &ClusterSpec,
    claim: &Claim,
    given: Option<&Root>,
    all: &tags::Tags,
) -> Result<(Root, SecurityGroup)> {
    let group = if let Some(given) = given {
        firewall::by_id(aws, &given.id, FRESH).await?.ok_or_else(|| Error::NotFound {
            object: format!("security group `{}` of cluster `{}`", given.id, spec.name),
            message: "it was there a moment ago: plan again".to_owned(),
        })?
    } else {
        let all = tags::of_root(all.clone(), Kind::Cluster, &spec.name, claim);
        let name = naming::nodes_group(&spec.scope, &spec.name);
        firewall::ensure(aws, &spec.region.network_id, &name, "Nodes of the cluster", &all).await?
    };
    let Some(found) = roots::of_group(&group) else {
        return Err(Error::Foreign {
            object: format!("security group `{}`", group.group_id().unwrap_or_default()),
            message: format!("it bears the name of cluster `{}`'s and not its tags: remove it", spec.name),
        });
    };
    Ok((roots::take_up(aws, found, claim).await?, group))
}

fn api_rules(spec: &ClusterSpec) -> BTreeSet<Rule> {
    Rule::ranges(KUBERNETES, &spec.kubernetes_api_allowed_cidrs)
        .chain(Rule::ranges(TALOS, &spec.talos_api_allowed_cidrs))
        .collect()
}

fn node_rules(spec: &ClusterSpec, nodes: &str, api: &str) -> BTreeSet<Rule> {
    let mut rules: BTreeSet<Rule> = Rule::ranges(TALOS, &spec.talos_api_allowed_cidrs).collect();
    rules.insert(Rule::all_of(nodes));
    rules.extend(PORTS.iter().map(|port| Rule::group(port.leads_to, api)));
    rules
}

/// Who may use the API load balancer. Nodes that stand are let in before any range is shut, and left in.
async fn open_api_to(aws: &Aws, root: &Root, api: &SecurityGroup, open: &BTreeSet<Rule>, ranges: &[Ipv4Net]) -> Result<()> {
    let addresses: Vec<Ipv4Addr> =
        machines::list(aws, &root.id, FRESH).await?.into_iter().filter_map(|machine| machine.public_ip).collect();
    let nodes = node_ways(ranges, &addresses);
    // EC2 takes a range once, and one that the user names is the user's from now on.
    let standing = firewall::rules(api);
    let named: Vec<&Standing> = standing.iter().filter(|have| have.is_of_node() && open.contains(&have.rule)).collect();
    let id = api.group_id().unwrap_or_default();
    firewall::close(aws, id, &named).await?;
    let api = if named.is_empty() { None } else { firewall::by_id(aws, id, FRESH).await? }.unwrap_or_else(|| api.clone());
    let all = open.union(&nodes).cloned().collect();
    let about = |rule: &Rule| if open.contains(rule) { about(rule) } else { firewall::NODE };
    firewall::sync(aws, &api, &all, about, Standing::is_of_node).await
}

/// Nodes reach the API load balancer by its public name, so from their public addresses, which a rule with their group for its
/// source does not hold (EC2 user guide, "Security group rules": it stands for private addresses).
pub(super) async fn allow_nodes(aws: &Aws, cluster: &ClusterState, addresses: &[Ipv4Addr]) -> Result<()> {
    let id = cluster.api_security_group_id.as_str();
    let Some(api) = firewall::by_id(aws, id, FRESH).await? else {
        return Err(Error::NotFound {
            object: format!("security group `{id}` of the API load balancer"),
            message: "it was there a moment ago: plan again".to_owned(),
        });
    };
    let wanted = node_ways(&firewall::ranges_of(&api, KUBERNETES), addresses);
    firewall::sync(aws, &api, &wanted, |_| firewall::NODE, |have| !have.is_of_node()).await
}

/// Ways in for nodes that no range of the user's lets in.
fn node_ways(open: &[Ipv4Net], addresses: &[Ipv4Addr]) -> BTreeSet<Rule> {
    let shut: Vec<Ipv4Net> = addresses
        .iter()
        .filter(|address| !open.iter().any(|range| range.contains(*address)))
        .map(|a| Ipv4Net::from(*a))
        .collect();
    Rule::ranges(KUBERNETES, &shut).collect()
}

fn about(rule: &Rule) -> &'static str {
    match (rule.port, &rule.source) {
        (None, _) => "within the cluster",
        (Some(KUBERNETES), Source::Group(_)) => "Kubernetes API by the load balancer",
        (Some(KUBERNETES), Source::Range(_)) => "Kubernetes API",
        (Some(TALOS), Source::Group(_)) => "Talos API by the load balancer",
        (Some(TALOS), Source::Range(_)) => "Talos API",
        _ => "ingress",
    }
}

fn is_ingress(rule: &Rule, group: Option<&str>) -> bool {
    rule.port.is_some_and(|port| INGRESS.contains(&port))
        && matches!(&rule.source, Source::Group(source) if group.is_none_or(|group| group == source))
}

/// Opens or closes the node ports to the region's ingress load balancer.
pub(super) async fn allow_ingress(aws: &Aws, cluster: &ClusterState, region: &RegionState, allow: bool) -> Result<()> {
    let Some(ingress) = region.ingress.as_ref().filter(|ingress| !ingress.security_group_id.is_empty()) else {
        return Ok(());
    };
    let Some(nodes) = firewall::by_id(aws, &cluster.security_group_id, FRESH).await? else {
        if !allow {
            return Ok(());
        }
        return Err(Error::NotFound {
            object: format!("security group `{}`", cluster.security_group_id),
            message: "the cluster's root is gone: plan again".to_owned(),
        });
    };
    let rules: BTreeSet<Rule> = INGRESS.iter().map(|port| Rule::group(*port, &ingress.security_group_id)).collect();
    if allow {
        firewall::sync(aws, &nodes, &rules, about, |_: &Standing| true).await
    } else {
        let standing = firewall::rules(&nodes);
        let open: Vec<&Standing> = standing.iter().filter(|have| rules.contains(&have.rule)).collect();
        firewall::close(aws, &cluster.security_group_id, &open).await
    }
}

/// Whether the node ports are open to the region's ingress load balancer, as they are where the workers serve it.
pub(super) async fn serves_ingress(aws: &Aws, id: &str, region: &RegionState, age: Duration) -> Result<bool> {
    let Some(ingress) = &region.ingress else { return Ok(false) };
    let nodes = firewall::by_id(aws, id, age).await?;
    let open = |group| firewall::rules(&group).iter().any(|have| is_ingress(&have.rule, Some(&ingress.security_group_id)));
    Ok(nodes.is_some_and(open))
}

async fn retag(aws: &Aws, spec: &ClusterSpec, root: &Root, display: &str) -> Result<()> {
    let (set, gone) = tags::difference(&root.tags, display, &spec.tags);
    let users: tags::Tags = set.into_iter().filter(|(key, _)| key != tags::DISPLAY || spec.tags.contains_key(key)).collect();
    if users.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let mut ids = Vec::new();
    let name = naming::api_group(&spec.scope, &spec.name);
    let api = firewall::by_name(aws, &spec.region.network_id, &name, FRESH).await?;
    ids.extend(api.and_then(|group| group.group_id().map(str::to_owned)));
    // Machines too: their tags are the user's as well.
    for machine in machines::list(aws, &root.id, FRESH).await? {
        ids.push(machine.id);
    }
    let mut arns = Vec::new();
    arns.extend(balancer::by_name(aws, &balancer_name(root), FRESH).await?.and_then(|b| b.load_balancer_arn));
    for name in target_group_names(root) {
        arns.extend(balancer::target_group_by_name(aws, &name, FRESH).await?.and_then(|g| g.target_group_arn));
    }
    if !ids.is_empty() {
        roots::remove_ec2_tags(aws, &ids, &gone).await?;
        roots::set_ec2_tags(aws, &ids, &users).await?;
    }
    balancer::retag(aws, &arns, &users, &gone).await?;
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    roots::retag(aws, Kind::Cluster, &root.id, &users, &gone).await
}

/// The cluster of that root.
pub(super) async fn read(aws: &Aws, id: &str, age: Duration) -> Result<Option<ClusterState>> {
    match roots::one(aws, Kind::Cluster, id, age).await? {
        Some(root) => read_root(aws, &root, age).await.map(Some),
        None => Ok(None),
    }
}

async fn read_root(aws: &Aws, root: &Root, age: Duration) -> Result<ClusterState> {
    let name = balancer_name(root);
    let (groups, balancer, target_groups) =
        tokio::try_join!(aws.groups(age), balancer::by_name(aws, &name, age), aws.target_groups(age))?;
    let nodes = groups.iter().find(|group| group.group_id() == Some(root.id.as_str()));
    let vpc = nodes.and_then(|group| group.vpc_id());
    let api_name = naming::api_group(&root.scope, &root.name);
    let api = groups.iter().find(|group| group.vpc_id() == vpc && group.group_name() == Some(api_name.as_str()));
    let found: Vec<_> = target_group_names(root)
        .into_iter()
        .filter_map(|name| target_groups.iter().find(|group| group.target_group_name() == Some(name.as_str())))
        .collect();
    let api_id = api.and_then(|group| group.group_id()).unwrap_or_default();

    let mut drift = Vec::new();
    if api.is_none() {
        drift.push("the API load balancer's security group is gone".to_owned());
    }
    if balancer.is_none() {
        drift.push("the API load balancer is gone".to_owned());
    }
    if found.iter().filter(|group| !group.load_balancer_arns().is_empty()).count() < PORTS.len() {
        drift.push("the API load balancer lacks a listener or a target group".to_owned());
    }
    if let Some(nodes) = nodes {
        drift.extend(nodes_drift(nodes, &root.id, api_id));
    }
    let talos = api.map(|group| firewall::ranges_of(group, TALOS)).unwrap_or_default();
    if let Some(nodes) = nodes
        && firewall::ranges_of(nodes, TALOS) != talos
    {
        drift.push("the Talos API is open to other ranges at the nodes than at the load balancer".to_owned());
    }
    Ok(ClusterState {
        security_group_id: root.id.clone(),
        api_security_group_id: api_id.to_owned(),
        api_load_balancer_id: balancer.as_ref().map(balancer::arn_of).unwrap_or_default().to_owned(),
        api_address: balancer.as_ref().and_then(|b| b.dns_name()).unwrap_or_default().to_owned(),
        internal_api_address: None,
        talos_api_address: None,
        api_target_group_ids: found.iter().filter_map(|group| group.target_group_arn()).map(str::to_owned).collect(),
        kubernetes_api_allowed_cidrs: api.map(|group| firewall::ranges_of(group, KUBERNETES)).unwrap_or_default(),
        talos_api_allowed_cidrs: talos,
        tags: tags::users(&root.tags, &display(&root.scope, &root.name)),
        drift,
    })
}

/// Ways between the nodes, and from the load balancer to them, that every cluster has.
fn nodes_drift(nodes: &SecurityGroup, id: &str, api: &str) -> Vec<String> {
    let rules = firewall::rules(nodes);
    let has = |wanted: &Rule| rules.iter().any(|have| have.rule == *wanted);
    let mut drift = Vec::new();
    if !has(&Rule::all_of(id)) {
        drift.push("the nodes' security group does not let the nodes reach each other".to_owned());
    }
    for port in PORTS.iter().filter(|port| !api.is_empty() && !has(&Rule::group(port.leads_to, api))) {
        drift.push(format!("the nodes' security group does not let the API load balancer reach port {}", port.leads_to));
    }
    drift
}

/// Removes a cluster, pass by pass: machines and load balancer at once, then what they used, the root last.
pub(super) async fn delete(aws: &Aws, id: &str, claim: &Claim) -> Result<()> {
    let mut pace = Pace::new(REMOVAL, Duration::from_secs(10));
    loop {
        let Some(root) = claimed(aws, Kind::Cluster, id, claim).await? else { return Ok(()) };
        if pass(aws, &root).await? && firewall::remove(aws, &root.id).await? {
            return Ok(());
        }
        if !pace.wait().await {
            return Err(Error::NotInTime {
                object: format!("security group `{id}` of cluster `{}`", root.name),
                awaited: "unused (something that is not ours may use it)",
                seconds: REMOVAL.as_secs(),
            });
        }
    }
}

async fn pass(aws: &Aws, root: &Root) -> Result<bool> {
    let name = balancer_name(root);
    let groups = target_group_names(root);
    let machines = async {
        let standing: Vec<String> = machines::list(aws, &root.id, FRESH).await?.into_iter().map(|m| m.id).collect();
        machines::terminate(aws, &standing).await
    };
    let ((), balancer) = tokio::try_join!(machines, balancer::remove(aws, &name, &groups))?;
    if !balancer {
        return Ok(false);
    }
    let all = aws.groups(FRESH).await?;
    let Some(nodes) = all.iter().find(|group| group.group_id() == Some(root.id.as_str())) else { return Ok(true) };
    let name = naming::api_group(&root.scope, &root.name);
    let api = all.iter().filter(|group| group.vpc_id() == nodes.vpc_id() && group.group_name() == Some(name.as_str()));
    let gone = try_join_all(api.filter_map(|group| group.group_id()).map(|id| async move {
        // A group that another's rule names cannot be removed.
        let mut named: Vec<Standing> = firewall::rules(nodes);
        named.retain(|have| have.rule.source == Source::Group(id.to_owned()));
        firewall::close(aws, &root.id, &named.iter().collect::<Vec<_>>()).await?;
        firewall::remove(aws, id).await
    }))
    .await?;
    Ok(gone.into_iter().all(|gone| gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_ways_of_their_own_where_no_range_lets_them_in() {
        let ranges = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Ipv4Net>>();
        let nodes = ["203.0.113.7".parse().unwrap(), "198.51.100.9".parse().unwrap()];
        assert_eq!(node_ways(&ranges(&["0.0.0.0/0"]), &nodes), BTreeSet::new());
        let ways: Vec<Rule> = node_ways(&ranges(&["198.51.100.0/24"]), &nodes).into_iter().collect();
        assert_eq!(ways, Rule::ranges(KUBERNETES, &ranges(&["203.0.113.7/32"])).collect::<Vec<_>>());
    }
}
