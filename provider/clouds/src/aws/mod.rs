//! Amazon Web Services.
//!
//! A region is a VPC with a subnet per zone, an ingress network load balancer and a Route 53 record; a cluster is a
//! security group, an API network load balancer and EC2 instances; a backup store is an S3 bucket and its replica.
//!
//! What keeps a second try from making a second thing, by kind: a name that is unique in its scope and made of the
//! root's id (load balancers, target groups, roles), in the VPC (security groups) or in the world (buckets); an address
//! range (subnets); a client token (instances, route tables); a caller reference (health checks). VPCs and internet
//! gateways have none of these: they are looked for again after they were made.

mod backup;
mod balancer;
mod bucket;
mod call;
mod clients;
mod cluster;
mod dns;
mod failure;
mod firewall;
mod health_check;
mod images;
mod interfaces;
mod inventory;
mod lifecycle;
mod machines;
mod naming;
mod network;
mod origin;
mod region;
mod replication;
mod roots;
mod routes;
mod settings;
mod subnets;
mod tags;
mod user_data;
mod vpc;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, OnceCell};
use zeroize::Zeroizing;

pub use self::settings::{AssumeRole, AwsSettings};

use self::call::{Api, Limits};
use self::clients::Clients;
use self::inventory::{FRESH, Inventory, SHARED};
use crate::{
    BackupSpec, BackupState, Claim, Cloud, ClusterOrigin, ClusterSpec, ClusterState, Error, Image, Kind, Machine, MachineSpec,
    MachineType, Mark, Observer, Place, ProviderType, RegionSpec, RegionState, Result, Root, Scope, UserDataTooLarge,
};

/// Connects to AWS in one of its regions. Credentials are looked for when the first call needs them.
///
/// # Errors
///
/// [`Error::Settings`] where a setting cannot be used.
pub async fn connect(provider_region: &str, settings: AwsSettings) -> Result<Arc<dyn Cloud>> {
    let place = Place { provider_type: ProviderType::Aws, provider_region: provider_region.to_owned() };
    Ok(Arc::new(Aws::connect(place, settings).await?))
}

/// AWS in one of its regions. Clones share everything.
#[derive(Clone)]
pub struct Aws {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    settings: AwsSettings,
    clients: Clients,
    limits: Limits,
    inventory: Inventory,
    identity: OnceCell<Identity>,
    zones: OnceCell<Vec<String>>,
    machine_types: Mutex<HashMap<String, Option<MachineType>>>,
    /// Root device name by image id.
    root_devices: Mutex<HashMap<String, String>>,
}

/// Between the two looks that are needed to believe that a root is gone.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Whose credentials they are.
#[derive(Clone, Debug)]
struct Identity {
    account: String,
    /// `aws`, `aws-cn`, `aws-us-gov`, …: the second part of an ARN.
    partition: String,
}

impl Aws {
    /// See [`connect`].
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] where a setting cannot be used.
    pub async fn connect(place: Place, settings: AwsSettings) -> Result<Self> {
        let clients = Clients::build(&place.provider_region, &settings).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                place,
                settings,
                clients,
                limits: Limits::new(),
                inventory: Inventory::new(),
                identity: OnceCell::new(),
                zones: OnceCell::new(),
                machine_types: Mutex::default(),
                root_devices: Mutex::default(),
            }),
        })
    }

    fn settings(&self) -> &AwsSettings {
        &self.inner.settings
    }

    fn clients(&self) -> &Clients {
        &self.inner.clients
    }

    fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    fn inventory(&self) -> &Inventory {
        &self.inner.inventory
    }

    fn region(&self) -> &str {
        &self.inner.place.provider_region
    }

    async fn identity(&self) -> Result<&Identity> {
        self.inner
            .identity
            .get_or_try_init(|| async {
                if self.settings().skip_credentials_validation
                    && let Some(account) = self.clients().account_of_credentials().await
                {
                    return Ok(Identity { account, partition: partition(self.region()).to_owned() });
                }
                let client = &self.clients().sts;
                let answer = self
                    .call(Api::Sts, "sts:GetCallerIdentity", "the credentials")
                    .send(|| client.get_caller_identity().send())
                    .await?;
                let account = answer.account().unwrap_or_default().to_owned();
                let partition = answer.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
                Ok(Identity { account, partition })
            })
            .await
    }
}

/// The partition by a region's name, for credentials that were not shown to STS.
fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("eusc") => "aws-eusc",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[async_trait]
impl Cloud for Aws {
    fn place(&self) -> &Place {
        &self.inner.place
    }

    async fn account(&self) -> Result<String> {
        Ok(self.identity().await?.account.clone())
    }

    async fn zones(&self) -> Result<Vec<String>> {
        self.inner.zones.get_or_try_init(|| network::zones(self)).await.cloned()
    }

    async fn machine_type(&self, name: &str) -> Result<Option<MachineType>> {
        images::machine_type(self, name).await
    }

    async fn image(&self, talos_version: &str, architecture: &str, image_id: Option<&str>) -> Result<Image> {
        images::find(self, talos_version, architecture, image_id).await
    }

    fn check_user_data(&self, user_data: &[u8]) -> std::result::Result<(), UserDataTooLarge> {
        user_data::encode(user_data).map(drop)
    }

    async fn roots(&self, kind: Kind) -> Result<Vec<Root>> {
        match kind {
            Kind::Region => roots::networks(self, SHARED).await,
            Kind::Cluster => roots::firewalls(self, SHARED).await,
            Kind::Backup => roots::buckets(self).await,
        }
    }

    async fn root(&self, kind: Kind, id: &str) -> Result<Option<Root>> {
        roots::one(self, kind, id, SHARED).await
    }

    async fn mark(&self, root: &Root, mark: &Mark) -> Result<()> {
        roots::mark(self, root, mark).await
    }

    async fn networks(&self) -> Result<Vec<(String, ipnet::Ipv4Net)>> {
        vpc::ranges(self).await
    }

    async fn check_dns_zone(&self, zone: &str) -> Result<()> {
        dns::hosted_zone(self, zone).await.map(drop)
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
        origin::read(self, cluster, region, SHARED).await
    }

    async fn delete_cluster(&self, root_id: &str, claim: &Claim) -> Result<()> {
        cluster::delete(self, root_id, claim).await
    }

    async fn machines(&self, cluster_root_id: &str) -> Result<Vec<Machine>> {
        machines::list(self, cluster_root_id, SHARED).await
    }

    async fn create_machine(
        &self,
        scope: &Scope,
        cluster_name: &str,
        cluster: &ClusterState,
        spec: &MachineSpec,
    ) -> Result<Machine> {
        machines::create(self, scope, cluster_name, cluster, spec).await
    }

    async fn user_data(&self, machine_id: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        user_data::read(self, machine_id).await
    }

    async fn tag_machine(&self, machine_id: &str, key: &str, value: &str) -> Result<()> {
        machines::tag(self, machine_id, key, value).await
    }

    async fn terminate_machines(&self, machine_ids: &[String]) -> Result<()> {
        machines::terminate(self, machine_ids).await
    }

    async fn set_targets(&self, target_group_ids: &[String], machine_ids: &[String]) -> Result<()> {
        balancer::set_targets(self, target_group_ids, machine_ids).await
    }

    async fn allow_nodes(&self, cluster: &ClusterState, addresses: &[std::net::Ipv4Addr]) -> Result<()> {
        cluster::allow_nodes(self, cluster, addresses).await
    }

    async fn allow_ingress(&self, cluster: &ClusterState, region: &RegionState, allow: bool) -> Result<()> {
        cluster::allow_ingress(self, cluster, region, allow).await
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
        backup::read(self, root_id).await
    }

    async fn delete_backup(&self, root_id: &str, claim: &Claim, force: bool) -> Result<()> {
        backup::delete(self, root_id, claim, force).await
    }
}

/// The one root that may be acted on under `claim`, as it is now.
///
/// # Errors
///
/// [`Error::ClaimMismatch`] where another claim stands on it.
async fn claimed(aws: &Aws, kind: Kind, id: &str, claim: &Claim) -> Result<Option<Root>> {
    let mut found = roots::one(aws, kind, id, FRESH).await?;
    if found.is_none() {
        // One read may be older than the one that saw it; two in a row that show nothing are believed.
        tokio::time::sleep(SECOND_LOOK).await;
        found = roots::one(aws, kind, id, FRESH).await?;
    }
    let Some(root) = found else { return Ok(None) };
    if root.claim.as_ref() == Some(claim) { Ok(Some(root)) } else { Err(mismatch(&root)) }
}

fn mismatch(root: &Root) -> Error {
    let kind = tags::kind_name(root.kind);
    Error::ClaimMismatch {
        object: format!("{kind} `{}` (`{}`)", root.name, root.id),
        found: root.claim.as_ref().map(|claim| claim.0.clone()),
    }
}
