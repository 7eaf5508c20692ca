//! How the cloud hands its instances to the program that plays them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// What an instance boots from: the bytes that the user gave, base64 taken off, still gzipped if they were.
/// It holds the cluster's keys, so it shows its size only.
#[derive(Clone, PartialEq, Eq)]
pub struct UserData(Arc<[u8]>);

impl UserData {
    /// Wraps the bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UserData({} bytes)", self.0.len())
    }
}

/// An instance that is powered on for the first time.
#[derive(Clone, Debug)]
pub struct InstanceStarted {
    /// `i-0123456789abcdef0`.
    pub instance_id: String,
    /// Address in its subnet, which the node itself knows.
    pub private_ip: Ipv4Addr,
    /// Address that the cloud translates to the private one; the node learns of it only from instance metadata.
    pub public_ip: Option<Ipv4Addr>,
    /// `ip-127-10-0-4.ec2.internal`: the host name that instance metadata gives.
    pub private_dns_name: String,
    /// What it boots from; empty if it was given none.
    pub user_data: UserData,
    /// `ami-…`.
    pub image_id: String,
    /// The image's name.
    pub image_name: String,
    /// `v1.13.9`, if the image is an official Talos image.
    pub talos_version: Option<String>,
    /// `us-east-1`.
    pub region: String,
    /// `us-east-1a`.
    pub zone: String,
    /// `m6i.large`.
    pub instance_type: String,
    /// Bought on the spot market.
    pub spot: bool,
    /// Hops that an answer of the metadata service may take: 1 keeps pods from it.
    pub metadata_hop_limit: u8,
    /// The instance's tags at launch.
    pub tags: BTreeMap<String, String>,
}

/// Plays instances. The cloud calls it in the order of events per instance.
pub trait InstanceHost: Send + Sync {
    /// The instance is powered on (it is about to turn from `pending` to `running`). Must neither block nor call the cloud.
    fn started(&self, instance: InstanceStarted);

    /// The instance is stopped: its power goes, its disks stay.
    fn stopped(&self, instance_id: &str);

    /// A stopped instance is powered on again and boots from its disk.
    fn restarted(&self, instance_id: &str);

    /// The instance is terminated. The future ends once its addresses are free: nothing listens there any more.
    /// The cloud awaits it before it reports the instance as `terminated`.
    fn terminated(&self, instance_id: &str) -> BoxFuture<'static, ()>;
}

/// Plays nothing: instances exist in the cloud's books only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl InstanceHost for NoHost {
    fn started(&self, _instance: InstanceStarted) {}

    fn stopped(&self, _instance_id: &str) {}

    fn restarted(&self, _instance_id: &str) {}

    fn terminated(&self, _instance_id: &str) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
