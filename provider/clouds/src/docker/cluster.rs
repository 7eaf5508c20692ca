//! A cluster's own objects: the API load balancer, and the volume of its configuration, which is the root.

use std::time::Duration;

use super::inventory::{Container, FRESH, SHARED, State};
use super::places::{self, Port};
use super::proxy::{self, Proxy, Purpose};
use super::roots::{claimed, retag, sweep, take_up};
use super::{Docker, EVERYBODY, labels, machines, marks, naming, network, roots};
use crate::tags;
use crate::{
    Claim, ClusterOrigin, ClusterSpec, ClusterState, Error, Kind, Machine, MachineOrigin, Observer, RegionState, Result, Root,
};

const KUBERNETES: u16 = 6443;
const TALOS: u16 = 50000;

/// Makes or changes a cluster's own objects.
pub(super) async fn apply(
    docker: &Docker,
    spec: &ClusterSpec,
    claim: &Claim,
    given: Option<&Root>,
    observer: &dyn Observer<ClusterState>,
) -> Result<ClusterState> {
    let network = network::need(docker, &spec.scope).await?;
    let common = labels::of_cluster(&spec.scope, &spec.name, &spec.tags);
    let id = given.map_or_else(|| naming::cluster(&spec.scope, &spec.name), |root| root.id.clone());
    if given.is_none() {
        let bears = labels::of_root(common.clone(), Kind::Cluster, &spec.name, claim);
        let found = marks::create(docker, &id, &bears).await?;
        if found.get(tags::KIND).map(String::as_str) != Some(tags::kind_name(Kind::Cluster)) {
            return Err(Error::Foreign {
                object: format!("volume `{id}`"),
                message: format!("remove it with `docker volume rm {id}`"),
            });
        }
    }
    let gone = || Error::NotFound {
        object: format!("volume `{id}` of cluster `{}`", spec.name),
        message: "it was removed while the cluster was made".to_owned(),
    };
    let (root, marked) = take_up(docker, Kind::Cluster, &id, claim).await?.ok_or_else(gone)?;
    observer.observe(&ClusterState { security_group_id: id.clone(), tags: labels::users(&root.tags), ..ClusterState::default() });
    let proxy = Proxy {
        name: naming::api(&id),
        purpose: Purpose::Api,
        scope: &spec.scope,
        network,
        volume: id.clone(),
        ports: [KUBERNETES, TALOS].map(|inside| Port { inside, outside: None }).to_vec(),
        labels: common,
    };
    proxy::ensure(docker, proxy).await?;
    machines::sweep(docker, &root).await?;
    retag(docker, &root, &marked, &spec.tags).await?;
    let (root, _) = claimed(docker, Kind::Cluster, &id, claim).await?.ok_or_else(gone)?;
    let state = read_root(docker, &root, FRESH).await?;
    observer.observe(&state);
    Ok(state)
}

/// The cluster of that root.
pub(super) async fn read(docker: &Docker, id: &str, age: Duration) -> Result<Option<ClusterState>> {
    match roots::one(docker, Kind::Cluster, id, age).await? {
        Some((root, _)) => read_root(docker, &root, age).await.map(Some),
        None => Ok(None),
    }
}

async fn read_root(docker: &Docker, root: &Root, age: Duration) -> Result<ClusterState> {
    let containers = docker.containers(age).await?;
    let name = naming::api(&root.id);
    let api = containers.iter().find(|container| container.name == name);
    let mut drift = Vec::new();
    match api {
        None => drift.push("the API load balancer is gone".to_owned()),
        Some(container) if container.state != State::Running => drift.push("the API load balancer does not run".to_owned()),
        Some(_) => {}
    }
    let outside = |container: &Container, port| {
        places::outside(container, port).map(|outside| format!("{}:{outside}", docker.published().at))
    };
    Ok(ClusterState {
        security_group_id: root.id.clone(),
        api_security_group_id: String::new(),
        api_load_balancer_id: api.map(|container| container.name.clone()).unwrap_or_default(),
        api_address: api.and_then(|container| outside(container, KUBERNETES)).unwrap_or_default(),
        internal_api_address: api.and_then(places::address).map(|address| address.to_string()),
        talos_api_address: api.and_then(|container| outside(container, TALOS)),
        api_target_group_ids: api.map(|container| container.name.clone()).into_iter().collect(),
        kubernetes_api_allowed_cidrs: vec![EVERYBODY],
        talos_api_allowed_cidrs: vec![EVERYBODY],
        tags: labels::users(&root.tags),
        drift,
    })
}

/// What the machines were made from, and whether the region's ingress load balancer leads to any of them.
pub(super) async fn origin(docker: &Docker, cluster: &ClusterState, region: &RegionState) -> Result<ClusterOrigin> {
    let machines = machines::list(docker, &cluster.security_group_id, SHARED).await?;
    let containers = docker.containers(SHARED).await?;
    let image = |id: &str| containers.iter().find(|container| container.id == id).map(|container| container.image.clone());
    let origin = |machine: &Machine| Some((machine.id.clone(), MachineOrigin { image_id: image(&machine.id)?, root_disk: None }));
    let targets = match &region.ingress {
        Some(ingress) => proxy::targets(docker, &ingress.id).await?,
        None => Vec::new(),
    };
    Ok(ClusterOrigin {
        machines: machines.iter().filter_map(origin).collect(),
        serves_ingress: machines.iter().filter_map(|machine| machine.private_ip).any(|address| targets.contains(&address)),
    })
}

/// Removes a cluster: machines and load balancer at once, the root last.
pub(super) async fn delete(docker: &Docker, id: &str, claim: &Claim) -> Result<()> {
    let Some((root, marked)) = claimed(docker, Kind::Cluster, id, claim).await? else { return Ok(()) };
    let api = naming::api(id);
    tokio::try_join!(machines::remove_all(docker, &root), proxy::remove(docker, &api, None))?;
    marks::clear(docker, &marked).await?;
    proxy::remove_volume(docker, id).await?;
    sweep(docker, &root.scope).await
}
