//! The trait that every cloud implements.

use async_trait::async_trait;

use crate::{
    BackupSpec, BackupState, Claim, ClusterOrigin, ClusterSpec, ClusterState, Error, Image, Kind, Machine, MachineSpec,
    MachineType, Mark, Place, RegionSpec, RegionState, Result, Root, Scope, UserDataTooLarge,
};

/// Is told what exists, after each object that was made, so that an abandoned call leaves a true record.
pub trait Observer<T>: Send + Sync {
    /// `state` is all that exists by now.
    fn observe(&self, state: &T);
}

impl<T, F: Fn(&T) + Send + Sync> Observer<T> for F {
    fn observe(&self, state: &T) {
        self(state);
    }
}

/// A client of one cloud account, bound to one [`Place`].
///
/// - Every `apply_*` and `create_*` looks before it acts (tags are the index), does independent steps at once, rides out
///   throttling and transient failures with bounded, jittered back-off, and may be dropped at any await.
/// - Reads come from a coalescing snapshot per place that own writes drop; a read costs calls by pages, not by objects.
/// - `delete_*` acts only on a root that bears `claim`, waits out dependencies, and is `Ok` when nothing is left.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Where this client acts.
    fn place(&self) -> &Place;

    /// The account that the credentials belong to. The first call that looks for credentials.
    async fn account(&self) -> Result<String>;

    /// Zones that machines can be made in, sorted.
    async fn zones(&self) -> Result<Vec<String>>;

    /// The machine type of that name in this place, or `None` if there is none.
    async fn machine_type(&self, name: &str) -> Result<Option<MachineType>>;

    /// The official Talos image of a version (`v1.13.9`) and architecture (`amd64`), or the given one.
    async fn image(&self, talos_version: &str, architecture: &str, image_id: Option<&str>) -> Result<Image>;

    /// Size and limit check of user data in this cloud's encoding.
    fn check_user_data(&self, user_data: &[u8]) -> std::result::Result<(), UserDataTooLarge>;

    /// All roots of a kind in this place that bear our tags, from the snapshot.
    async fn roots(&self, kind: Kind) -> Result<Vec<Root>>;

    /// The root of that id in this place, or `None`. For a backup store the id is the bucket's name, so this is also how
    /// to find one by name: listing all buckets' tags costs a call a bucket.
    async fn root(&self, kind: Kind, id: &str) -> Result<Option<Root>> {
        Ok(self.roots(kind).await?.into_iter().find(|root| root.id == id))
    }

    /// Changes a root's marks. Returns once reads show it.
    async fn mark(&self, root: &Root, mark: &Mark) -> Result<()>;

    /// All networks of this place, ours and others', for overlap checks: id and address range.
    async fn networks(&self) -> Result<Vec<(String, ipnet::Ipv4Net)>>;

    /// Fails with [`crate::Error::NotFound`] if the DNS zone is not in the account.
    async fn check_dns_zone(&self, zone: &str) -> Result<()>;

    /// Makes or changes a region, under `claim`. `root` is the one to go on from.
    async fn apply_region(
        &self,
        spec: &RegionSpec,
        claim: &Claim,
        root: Option<&Root>,
        observer: &dyn Observer<RegionState>,
    ) -> Result<RegionState>;

    /// The region of that root, or `None` if the root is gone.
    async fn read_region(&self, root_id: &str) -> Result<Option<RegionState>>;

    /// Removes a region. Clusters and backups in it must be gone.
    async fn delete_region(&self, root_id: &str, claim: &Claim) -> Result<()>;

    /// Makes or changes a cluster's own objects, machines excepted, under `claim`.
    async fn apply_cluster(
        &self,
        spec: &ClusterSpec,
        claim: &Claim,
        root: Option<&Root>,
        observer: &dyn Observer<ClusterState>,
    ) -> Result<ClusterState>;

    /// The cluster of that root, or `None` if the root is gone.
    async fn read_cluster(&self, root_id: &str) -> Result<Option<ClusterState>>;

    /// What a cluster was made with and [`Cloud::read_cluster`] and [`Cloud::machines`] leave out: for imports, at the price of
    /// calls of its own. An error where this cloud does not tell.
    async fn cluster_origin(&self, cluster: &ClusterState, region: &RegionState) -> Result<ClusterOrigin> {
        let _ = region;
        Err(Error::NotFound {
            object: format!("a record of what `{}` was made with", cluster.security_group_id),
            message: format!("clusters of `{}` cannot be imported", self.place().provider_type),
        })
    }

    /// Removes a cluster: machines (all at once), load balancer, firewall.
    async fn delete_cluster(&self, root_id: &str, claim: &Claim) -> Result<()>;

    /// The machines of that cluster that are not [`crate::MachineStatus::Terminated`], ordered by role, pool, index.
    async fn machines(&self, cluster_root_id: &str) -> Result<Vec<Machine>>;

    /// Makes one machine and waits until it runs. Where one stands in that place already, it is returned.
    async fn create_machine(
        &self,
        scope: &Scope,
        cluster_name: &str,
        cluster: &ClusterState,
        spec: &MachineSpec,
    ) -> Result<Machine>;

    /// Brings an image to where machines are made, so that making one takes no longer than it must. Nothing to do in clouds that
    /// hold their images.
    async fn fetch_image(&self, image_id: &str) -> Result<()> {
        let _ = image_id;
        Ok(())
    }

    /// Turns a machine off and on. For clouds whose machines cannot reboot themselves.
    async fn restart_machine(&self, machine_id: &str) -> Result<()> {
        Err(Error::NotFound {
            object: format!("a way to restart machine `{machine_id}`"),
            message: format!("machines of `{}` reboot themselves", self.place().provider_type),
        })
    }

    /// Ends with an error once one of the machines ends again and again, where the cloud can tell; else never.
    async fn watch_machines(&self, machine_ids: &[String]) -> Error {
        let _ = machine_ids;
        std::future::pending().await
    }

    /// Memory that all machines of the place share, in MiB, where they share any.
    async fn shared_memory_mib(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Makes a machine again from another image. What it has on its disks, its address and its place in the cluster stay; its id
    /// need not. For clouds whose machines cannot upgrade themselves.
    async fn rebuild_machine(&self, scope: &Scope, cluster_name: &str, machine_id: &str, spec: &MachineSpec) -> Result<Machine> {
        let _ = (scope, cluster_name, spec);
        Err(Error::NotFound {
            object: format!("a way to make machine `{machine_id}` again on its disks"),
            message: format!("machines of `{}` upgrade themselves", self.place().provider_type),
        })
    }

    /// What the machine booted from, decoded; `None` where the cloud does not give it back.
    async fn user_data(&self, machine_id: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>>;

    /// Sets a tag on a machine. Returns once reads show it.
    async fn tag_machine(&self, machine_id: &str, key: &str, value: &str) -> Result<()>;

    /// Terminates machines and waits until they are gone.
    async fn terminate_machines(&self, machine_ids: &[String]) -> Result<()>;

    /// Makes exactly these machines the targets of the target groups (registers the missing, deregisters the others).
    async fn set_targets(&self, target_group_ids: &[String], machine_ids: &[String]) -> Result<()>;

    /// Lets exactly these machines use the Kubernetes API by its load balancer from their public addresses, where not everybody
    /// may. They are no part of [`ClusterState::kubernetes_api_allowed_cidrs`]. Nothing to do in clouds where a load balancer
    /// knows its own nodes.
    async fn allow_nodes(&self, cluster: &ClusterState, addresses: &[std::net::Ipv4Addr]) -> Result<()> {
        let _ = (cluster, addresses);
        Ok(())
    }

    /// Opens the nodes of a cluster to the region's ingress load balancer (or closes them).
    async fn allow_ingress(&self, cluster: &ClusterState, region: &RegionState, allow: bool) -> Result<()>;

    /// Makes or changes a backup store, under `claim`.
    async fn apply_backup(
        &self,
        spec: &BackupSpec,
        claim: &Claim,
        root: Option<&Root>,
        observer: &dyn Observer<BackupState>,
    ) -> Result<BackupState>;

    /// The backup store of that root, or `None` if the root is gone.
    async fn read_backup(&self, root_id: &str) -> Result<Option<BackupState>>;

    /// Removes a backup store. With objects in it, only if `force`.
    async fn delete_backup(&self, root_id: &str, claim: &Claim, force: bool) -> Result<()>;
}
