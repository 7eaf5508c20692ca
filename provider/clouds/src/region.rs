//! What a region consists of: network, ingress load balancer, DNS.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::Scope;

/// A region as it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionSpec {
    /// Environment and name.
    pub scope: Scope,
    /// The network's address range.
    pub cidr: Ipv4Net,
    /// Zones to have a subnet in; empty: the first three that the cloud offers.
    pub zones: Vec<String>,
    /// Who may reach the ingress load balancer's ports 80 and 443.
    pub ingress_allowed_cidrs: Vec<Ipv4Net>,
    /// DNS record of the ingress load balancer.
    pub dns: Option<DnsSpec>,
    /// Ports on the host by the ingress load balancer's own (80, 443), where the cloud publishes them on one.
    pub ports: BTreeMap<u16, u16>,
    /// Tags on everything, besides those that the crate needs itself.
    pub tags: BTreeMap<String, String>,
}

/// Which half of a failover pair a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Failover {
    /// Answered while healthy.
    Primary,
    /// Answered while the primary is not.
    Secondary,
}

impl Failover {
    /// As users and clouds write it: `PRIMARY` or `SECONDARY`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        }
    }
}

/// A DNS record that follows the ingress load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSpec {
    /// The zone's domain, without a dot at its end: `inferadb.com`.
    pub zone: String,
    /// The name in the zone: `api`; empty for the zone itself.
    pub record: String,
    /// Failover routing; `None` makes a simple record.
    pub failover: Option<Failover>,
    /// HTTPS check of the record's target.
    pub health_check: Option<HealthCheckSpec>,
}

/// HTTPS health check of a DNS record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheckSpec {
    /// Requested path, for example `/healthz`.
    pub path: String,
    /// Consecutive failures until unhealthy, 1 to 10.
    pub failure_threshold: u8,
    /// Seconds between checks: 10 or 30.
    pub request_interval: u8,
}

/// A region as it stands in the cloud; parts that do not exist (yet) are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionState {
    /// Network id: the root.
    pub network_id: String,
    /// Address range as the cloud has it.
    pub cidr: Option<Ipv4Net>,
    /// A subnet per zone, ordered by zone.
    pub subnets: Vec<Subnet>,
    /// The ingress load balancer.
    pub ingress: Option<IngressState>,
    /// The DNS record.
    pub dns: Option<DnsState>,
    /// Tags of the root without the crate's own.
    pub tags: BTreeMap<String, String>,
    /// What of the spec does not hold in the cloud now, one sentence each (empty: converged). A read fills it.
    pub drift: Vec<String>,
}

/// A subnet in one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// The cloud's id.
    pub id: String,
    /// The zone.
    pub zone: String,
    /// Its part of the network.
    pub cidr: Ipv4Net,
}

/// The ingress load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngressState {
    /// The cloud's id (ARN on AWS).
    pub id: String,
    /// DNS name or address.
    pub address: String,
    /// The security group of its own.
    pub security_group_id: String,
    /// What worker nodes are registered with: port 80 to node port 30080, and 443 to 30443.
    pub target_group_ids: Vec<String>,
    /// Who may reach ports 80 and 443, as found (those open on both), sorted.
    pub allowed_cidrs: Vec<Ipv4Net>,
    /// Ports on the host by the load balancer's own, as found.
    #[serde(default)]
    pub ports: BTreeMap<u16, u16>,
}

/// The DNS record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsState {
    /// The cloud's zone id.
    pub zone_id: String,
    /// Full name of the record, without a dot at its end.
    pub fqdn: String,
    /// The zone's domain, without a dot at its end.
    pub zone: String,
    /// Failover routing as found.
    pub failover: Option<Failover>,
    /// The health check as found.
    pub health_check: Option<HealthCheckSpec>,
    /// Health check id, where there is one.
    pub health_check_id: Option<String>,
}
