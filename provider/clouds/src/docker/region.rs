//! A region: its network, which is the root, and the ingress load balancer.
//!
//! Whoever reaches the host's loopback address reaches the ingress; there is no firewall, and no DNS.

use std::collections::BTreeMap;
use std::time::Duration;

use super::inventory::{Container, FRESH, Network, State};
use super::places::{self, Port};
use super::proxy::{self, Proxy, Purpose};
use super::roots::{claimed, retag, sweep, take_up};
use super::{Docker, EVERYBODY, ZONE, containers, labels, marks, naming, network, roots};
use crate::{Claim, Error, IngressState, Kind, Observer, RegionSpec, RegionState, Result, Root, Scope, Subnet};

/// Makes or changes a region.
pub(super) async fn apply(
    docker: &Docker,
    spec: &RegionSpec,
    claim: &Claim,
    given: Option<&Root>,
    observer: &dyn Observer<RegionState>,
) -> Result<RegionState> {
    if let Some(dns) = &spec.dns {
        return Err(no_dns(&dns.zone));
    }
    let gone = |id: &str| Error::NotFound {
        object: format!("network `{id}` of region `{}`", spec.scope.region),
        message: "it was there a moment ago: plan again".to_owned(),
    };
    let id = match given {
        Some(root) => root.id.clone(),
        None => network::ensure(docker, spec, claim).await?.id,
    };
    let (root, marked) = take_up(docker, Kind::Region, &id, claim).await?.ok_or_else(|| gone(&id))?;
    let mut state = RegionState { network_id: root.id.clone(), cidr: root.cidr, ..RegionState::default() };
    state.subnets = subnets(&root);
    state.tags = labels::users(&root.tags);
    observer.observe(&state);

    let network = network::need(docker, &spec.scope).await?;
    let ingress = ingress(docker, spec, network).await?;
    state.ingress = Some(ingress_state(docker, &ingress));
    observer.observe(&state);
    retag(docker, &root, &marked, &spec.tags).await?;
    // Another apply may have taken it over meanwhile.
    let Some((root, _)) = claimed(docker, Kind::Region, &id, claim).await? else { return Err(gone(&id)) };
    let state = read_root(docker, &root, FRESH).await?;
    observer.observe(&state);
    Ok(state)
}

/// A region's DNS record would need a zone.
pub(super) fn no_dns(zone: &str) -> Error {
    Error::NotFound {
        object: format!("DNS zone `{zone}`"),
        message: "Docker has no public DNS: leave the `dns` block out".to_owned(),
    }
}

/// The ingress load balancer; one that publishes other ports is made anew, with the targets that it has.
async fn ingress(docker: &Docker, spec: &RegionSpec, network: Network) -> Result<Container> {
    let name = naming::ingress(&spec.scope);
    if let Some(standing) = containers::find(docker, &name).await? {
        let have: BTreeMap<u16, u16> = places::published(&standing).into_iter().collect();
        if have != spec.ports && labels::belongs(&standing.labels, &spec.scope) {
            proxy::remove(docker, &name, None).await?;
        }
    }
    let ports = spec.ports.iter().map(|(inside, outside)| Port { inside: *inside, outside: Some(*outside) }).collect();
    let proxy = Proxy {
        volume: name.clone(),
        name,
        purpose: Purpose::Ingress,
        scope: &spec.scope,
        network,
        ports,
        labels: labels::common(&spec.scope, &spec.tags),
    };
    proxy::ensure(docker, proxy).await
}

fn subnets(root: &Root) -> Vec<Subnet> {
    root.cidr.map(|cidr| Subnet { id: root.id.clone(), zone: ZONE.to_owned(), cidr }).into_iter().collect()
}

fn ingress_state(docker: &Docker, container: &Container) -> IngressState {
    IngressState {
        id: container.name.clone(),
        address: docker.published().at,
        security_group_id: String::new(),
        target_group_ids: vec![container.name.clone()],
        allowed_cidrs: vec![EVERYBODY],
        ports: places::published(container).into_iter().collect(),
    }
}

/// The region of that root.
pub(super) async fn read(docker: &Docker, id: &str, age: Duration) -> Result<Option<RegionState>> {
    match roots::one(docker, Kind::Region, id, age).await? {
        Some((root, _)) => read_root(docker, &root, age).await.map(Some),
        None => Ok(None),
    }
}

async fn read_root(docker: &Docker, root: &Root, age: Duration) -> Result<RegionState> {
    let containers = docker.containers(age).await?;
    let name = naming::ingress(&root.scope);
    let ingress = containers.iter().find(|container| container.name == name && labels::belongs(&container.labels, &root.scope));
    let mut drift = Vec::new();
    match ingress {
        None => drift.push("the ingress load balancer is gone".to_owned()),
        Some(container) if container.state != State::Running => drift.push("the ingress load balancer does not run".to_owned()),
        Some(_) => {}
    }
    Ok(RegionState {
        network_id: root.id.clone(),
        cidr: root.cidr,
        subnets: subnets(root),
        ingress: ingress.map(|container| ingress_state(docker, container)),
        dns: None,
        tags: labels::users(&root.tags),
        drift,
    })
}

/// Removes a region.
pub(super) async fn delete(docker: &Docker, id: &str, claim: &Claim) -> Result<()> {
    let Some((root, marked)) = claimed(docker, Kind::Region, id, claim).await? else { return Ok(()) };
    refuse_members(docker, &root.scope).await?;
    let name = naming::ingress(&root.scope);
    // Before anything goes: a region that is refused stays whole.
    refuse_strangers(docker, &root.scope, &marked.name).await?;
    proxy::remove(docker, &name, Some(&name)).await?;
    marks::clear(docker, &marked).await?;
    if !network::remove(docker, id).await? {
        refuse_strangers(docker, &root.scope, &marked.name).await?;
        return Err(Error::NotEmpty {
            object: format!("network `{}`", marked.name),
            message: format!("the engine keeps it: `docker network inspect {}` shows what is in it", marked.name),
        });
    }
    sweep(docker, &root.scope).await
}

async fn refuse_members(docker: &Docker, scope: &Scope) -> Result<()> {
    let mut members = roots::list(docker, Kind::Cluster, FRESH).await?;
    members.extend(roots::list(docker, Kind::Backup, FRESH).await?);
    let members: Vec<String> = members
        .iter()
        .filter(|root| root.scope == *scope)
        .map(|root| format!("{} `{}`", crate::tags::kind_name(root.kind), root.name))
        .collect();
    if members.is_empty() {
        return Ok(());
    }
    Err(Error::NotEmpty {
        object: format!("region `{}`", scope.region),
        message: format!("{} stands in it: remove it first", members.join(", ")),
    })
}

async fn refuse_strangers(docker: &Docker, scope: &Scope, network: &str) -> Result<()> {
    let containers = docker.containers(FRESH).await?;
    let strangers: Vec<String> = containers
        .iter()
        .filter(|container| container.networks.iter().any(|(name, _)| name == network))
        .filter(|container| !labels::belongs(&container.labels, scope))
        .map(|container| format!("`{}`", container.name))
        .collect();
    if strangers.is_empty() {
        return Ok(());
    }
    Err(Error::NotEmpty {
        object: format!("network `{network}`"),
        message: format!("containers that are not ours are in it: {}. Remove or disconnect them first", strangers.join(", ")),
    })
}
