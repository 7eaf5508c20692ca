//! A Docker engine as a cloud: clusters on a laptop, from real Talos nodes in containers.
//!
//! A region is a bridge network and an ingress load balancer; a cluster is an API load balancer and a container per node; a
//! backup store is an S3 gateway over a volume. What is reached from outside is published on the host's loopback address, so
//! that it is reached on every system; the containers know each other by fixed addresses in the network.
//!
//! What keeps a second try from making a second thing: names of containers and volumes, and the range of a network, can be
//! had once in an engine. Labels are the index; what changes in an object's life stands in marks, as labels cannot be changed
//! ([`marks`]).

mod archive;
mod backup;
mod cluster;
mod containers;
mod endpoint;
mod engine;
mod failure;
mod images;
mod inventory;
mod labels;
mod machines;
mod marks;
mod naming;
mod network;
mod places;
mod proxy;
mod region;
mod roots;
mod settings;

use std::collections::HashMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::errors::Error as Bollard;
use ipnet::Ipv4Net;
use tokio::sync::{Mutex, OnceCell};
use zeroize::Zeroizing;

pub use self::settings::DockerSettings;

use self::endpoint::Published;
use self::engine::Engine;
use self::failure::Failure;
use self::inventory::{FRESH, Inventory, SHARED};
use crate::{
    BackupSpec, BackupState, Claim, Cloud, ClusterOrigin, ClusterSpec, ClusterState, Error, Image, Kind, Machine, MachineSpec,
    MachineType, Mark, Observer, Place, ProviderType, RegionSpec, RegionState, Result, Root, Scope, UserDataTooLarge, tags,
};

/// An engine has no regions: this stands for the whole of it.
pub const REGION: &str = "local";
/// The one zone.
const ZONE: &str = "local";
/// Docker has no firewall between published ports and the host's users.
const EVERYBODY: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);

/// Connects to a Docker engine. Nothing is asked of it before the first call.
///
/// # Errors
///
/// [`Error::Settings`] where a setting cannot be used.
pub async fn connect(settings: DockerSettings) -> Result<Arc<dyn Cloud>> {
    let engine = Engine::connect(&settings).await?;
    let place = Place { provider_type: ProviderType::Docker, provider_region: REGION.to_owned() };
    let inner = Inner {
        place,
        settings,
        engine,
        inventory: Inventory::new(),
        pulls: Mutex::default(),
        places: Mutex::default(),
        ends: Mutex::default(),
    };
    Ok(Arc::new(Docker { inner: Arc::new(inner) }))
}

/// A Docker engine. Clones share everything.
#[derive(Clone)]
struct Docker {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    settings: DockerSettings,
    engine: Engine,
    inventory: Inventory,
    pulls: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
    places: Mutex<()>,
    /// Held while a container ends. Docker 20.10 locks itself up now and then when two containers of a network end at once (its
    /// libnetwork takes the locks of network and controller in either order), and then answers for neither ever again.
    ends: Mutex<()>,
}

impl Docker {
    fn settings(&self) -> &DockerSettings {
        &self.inner.settings
    }

    fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    fn inventory(&self) -> &Inventory {
        &self.inner.inventory
    }

    /// Held from the choice of addresses and ports until they are seen to be taken.
    fn places(&self) -> &Mutex<()> {
        &self.inner.places
    }

    /// Where ports are published.
    fn published(&self) -> Published {
        self.engine().published()
    }

    async fn pull_of(&self, image: &str) -> Arc<OnceCell<()>> {
        Arc::clone(self.inner.pulls.lock().await.entry(image.to_owned()).or_default())
    }

    /// A call that changes something; after it, also after a failure, what was read before is out of date.
    async fn write<T, F, Fut>(&self, operation: &'static str, object: &str, send: F) -> std::result::Result<T, Failure>
    where
        F: Fn(bollard::Docker) -> Fut + Send,
        Fut: Future<Output = std::result::Result<T, Bollard>> + Send,
    {
        let answer = self.engine().call(operation, object, send).await;
        self.inventory().forget();
        answer
    }
}

#[async_trait]
impl Cloud for Docker {
    fn place(&self) -> &Place {
        &self.inner.place
    }

    /// The engine's own id.
    async fn account(&self) -> Result<String> {
        Ok(self.engine().facts().await?.id.clone())
    }

    async fn zones(&self) -> Result<Vec<String>> {
        Ok(vec![ZONE.to_owned()])
    }

    async fn machine_type(&self, name: &str) -> Result<Option<MachineType>> {
        images::machine_type(self, name).await
    }

    async fn image(&self, talos_version: &str, architecture: &str, image_id: Option<&str>) -> Result<Image> {
        images::talos(self, talos_version, architecture, image_id).await
    }

    fn check_user_data(&self, user_data: &[u8]) -> std::result::Result<(), UserDataTooLarge> {
        machines::check_user_data(user_data)
    }

    async fn roots(&self, kind: Kind) -> Result<Vec<Root>> {
        roots::list(self, kind, SHARED).await
    }

    async fn mark(&self, root: &Root, mark: &Mark) -> Result<()> {
        roots::mark(self, root, mark).await
    }

    async fn networks(&self) -> Result<Vec<(String, Ipv4Net)>> {
        let networks = Docker::networks(self, SHARED).await?;
        let ranges = networks.iter().flat_map(|network| network.ranges.iter().map(|range| (network.id.clone(), *range)));
        Ok(ranges.collect())
    }

    async fn check_dns_zone(&self, zone: &str) -> Result<()> {
        Err(region::no_dns(zone))
    }

    async fn apply_region(
        &self,
        spec: &RegionSpec,
        claim: &Claim,
        root: Option<&Root>,
        observer: &dyn Observer<RegionState>,
    ) -> Result<RegionState> {
        region::apply(self, spec, claim, root, observer).await
    }

    async fn read_region(&self, root_id: &str) -> Result<Option<RegionState>> {
        region::read(self, root_id, SHARED).await
    }

    async fn delete_region(&self, root_id: &str, claim: &Claim) -> Result<()> {
        region::delete(self, root_id, claim).await
    }

    async fn apply_cluster(
        &self,
        spec: &ClusterSpec,
        claim: &Claim,
        root: Option<&Root>,
        observer: &dyn Observer<ClusterState>,
    ) -> Result<ClusterState> {
        cluster::apply(self, spec, claim, root, observer).await
    }

    async fn read_cluster(&self, root_id: &str) -> Result<Option<ClusterState>> {
        cluster::read(self, root_id, SHARED).await
    }

    async fn cluster_origin(&self, cluster: &ClusterState, region: &RegionState) -> Result<ClusterOrigin> {
        cluster::origin(self, cluster, region).await
    }

    async fn delete_cluster(&self, root_id: &str, claim: &Claim) -> Result<()> {
        cluster::delete(self, root_id, claim).await
    }

    async fn machines(&self, cluster_root_id: &str) -> Result<Vec<Machine>> {
        machines::list(self, cluster_root_id, SHARED).await
    }

    async fn create_machine(&self, scope: &Scope, cluster_name: &str, _: &ClusterState, spec: &MachineSpec) -> Result<Machine> {
        Box::pin(machines::create(self, scope, cluster_name, spec)).await
    }

    async fn fetch_image(&self, image_id: &str) -> Result<()> {
        images::ensure(self, image_id).await
    }

    async fn restart_machine(&self, machine_id: &str) -> Result<()> {
        containers::restart(self, machine_id).await
    }

    async fn watch_machines(&self, machine_ids: &[String]) -> Error {
        machines::watch(self, machine_ids).await
    }

    async fn shared_memory_mib(&self) -> Result<Option<u64>> {
        Ok(Some(self.engine().facts().await?.memory_mib))
    }

    async fn rebuild_machine(&self, scope: &Scope, cluster_name: &str, machine_id: &str, spec: &MachineSpec) -> Result<Machine> {
        Box::pin(machines::rebuild(self, scope, cluster_name, machine_id, spec)).await
    }

    async fn user_data(&self, machine_id: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        machines::user_data(self, machine_id).await
    }

    async fn tag_machine(&self, machine_id: &str, key: &str, value: &str) -> Result<()> {
        machines::tag(self, machine_id, key, value).await
    }

    async fn terminate_machines(&self, machine_ids: &[String]) -> Result<()> {
        machines::terminate(self, machine_ids).await
    }

    async fn set_targets(&self, target_group_ids: &[String], machine_ids: &[String]) -> Result<()> {
        let containers = Docker::containers(self, FRESH).await?;
        let mut targets: Vec<(String, Ipv4Addr)> = containers
            .iter()
            .filter(|container| machine_ids.contains(&container.id))
            .filter_map(|container| {
                let name = container.name.rsplit('.').next().unwrap_or(&container.name);
                Some((name.to_owned(), places::address(container)?))
            })
            .collect();
        targets.sort();
        for group in target_group_ids {
            proxy::set_targets(self, group, &targets).await?;
        }
        Ok(())
    }

    /// All containers of a network reach each other.
    async fn allow_ingress(&self, _: &ClusterState, _: &RegionState, _: bool) -> Result<()> {
        Ok(())
    }

    async fn apply_backup(
        &self,
        spec: &BackupSpec,
        claim: &Claim,
        root: Option<&Root>,
        observer: &dyn Observer<BackupState>,
    ) -> Result<BackupState> {
        backup::apply(self, spec, claim, root, observer).await
    }

    async fn read_backup(&self, root_id: &str) -> Result<Option<BackupState>> {
        backup::read(self, root_id, SHARED).await
    }

    async fn delete_backup(&self, root_id: &str, claim: &Claim, force: bool) -> Result<()> {
        backup::delete(self, root_id, claim, force).await
    }
}

fn mismatch(root: &Root) -> Error {
    let kind = tags::kind_name(root.kind);
    Error::ClaimMismatch {
        object: format!("{kind} `{}` (`{}`)", root.name, root.id),
        found: root.claim.as_ref().map(|claim| claim.0.clone()),
    }
}
