//! The schema of `inferadb_region`.

use std::collections::BTreeMap;

use tf_provider::{Model, Timeouts, Value};

use super::checks;

/// All that outlives a cluster: a network with a subnet in each zone, firewall, ingress load balancer and DNS.
///
/// Clusters and backup stores name the region that they stand in by `region_id`. A cluster can be replaced behind the region's
/// ingress address and DNS name. The ingress load balancer passes ports 80 and 443 on to node ports 30080 and 30443 of the
/// workers of the one cluster that has `ingress = true`.
///
/// A create that was interrupted is gone on from by the next apply. A destroy is refused while a finished cluster or backup
/// store stands in the region, and takes unfinished ones along.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct RegionModel {
    /// Name of the region: lower-case letters, digits and hyphens, at most 24 characters. Names of ours choose the cloud's region
    /// too, unless `provider_region` does: `nyc1` (us-east-1), `sfo1` (us-west-1) and `lon1` (eu-west-2).
    #[attr(required, requires_replace, validate = checks::name)]
    pub(crate) name: Value<String>,
    /// The cloud: `aws` or `docker`.
    #[attr(required, requires_replace, validate = checks::provider_type)]
    pub(crate) provider_type: Value<String>,
    /// The cloud's own name of its region, such as `us-east-1`, or one of ours (`nyc1`, `sfo1`, `lon1`). The one that `name`
    /// stands for unless given. A change replaces the region.
    #[attr(optional, computed)]
    pub(crate) provider_region: Value<String>,
    /// IPv4 address range of the network, from a /16 to a /23, such as `10.10.0.0/16`. It may meet no other network of the
    /// account in that cloud region, nor where clusters have their pods (`10.244.0.0/16`) and services (`10.96.0.0/12`).
    #[attr(required, requires_replace, validate = checks::cidr_block)]
    pub(crate) cidr_block: Value<String>,
    /// Zones to have a subnet in, by the cloud's names, at most 8. The first three that the cloud offers unless given. A change
    /// replaces the region.
    #[attr(optional, computed, validate = checks::zones)]
    pub(crate) zones: Value<Vec<Value<String>>>,
    /// IPv4 address ranges that may reach ports 80 and 443 of the ingress load balancer. Everybody unless given.
    #[attr(optional, computed, validate = checks::allowed_cidrs)]
    pub(crate) ingress_allowed_cidrs: Value<Vec<Value<String>>>,
    /// Ports of the host by the ingress load balancer's own, `80` and `443`, where the cloud publishes them on a host (Docker).
    /// `{ "80" = 8080, "443" = 8443 }` there unless given.
    #[attr(optional, computed, validate = checks::ports)]
    pub(crate) ports: Value<BTreeMap<String, Value<i64>>>,
    /// Tags on everything that belongs to the region, besides the provider's `default_tags`. Of two with one key, these win.
    #[attr(optional, validate = crate::tags::check)]
    pub(crate) tags: Value<BTreeMap<String, Value<String>>>,

    /// `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME`, such as `production/aws/us-east-1/nyc1`. It is known when a plan is
    /// made.
    #[attr(computed)]
    pub(crate) id: Value<String>,
    /// Ties the region's cloud objects to this row of state. An object that bears another claim is left alone.
    #[attr(computed)]
    pub(crate) claim: Value<String>,
    /// `unfinished` while a create was interrupted, `ready` after it.
    #[attr(computed)]
    pub(crate) status: Value<String>,
    /// What somebody else has changed in the cloud, a sentence each. Empty in every plan: an apply mends it.
    #[attr(computed)]
    pub(crate) drift: Value<Vec<Value<String>>>,
    /// Environment that the region belongs to: the provider's `environment`.
    #[attr(computed)]
    pub(crate) environment: Value<String>,
    /// Cloud account that the region stands in.
    #[attr(computed)]
    pub(crate) account_id: Value<String>,
    /// Id of the network (on AWS the VPC).
    #[attr(computed)]
    pub(crate) network_id: Value<String>,
    /// Ids of the subnets, by zone.
    #[attr(computed)]
    pub(crate) subnet_ids: Value<BTreeMap<String, Value<String>>>,
    /// DNS name or address of the ingress load balancer.
    #[attr(computed)]
    pub(crate) ingress_address: Value<String>,
    /// Full name of the DNS record; null without a `dns` block.
    #[attr(computed)]
    pub(crate) fqdn: Value<String>,
    /// Tags on the network as they are, those of the provider's `default_tags` included.
    #[attr(computed)]
    pub(crate) tags_all: Value<BTreeMap<String, Value<String>>>,

    /// A DNS record that follows the ingress load balancer.
    #[block]
    pub(crate) dns: Value<Dns>,
    #[block]
    pub(crate) timeouts: Value<Timeouts>,
}

/// A DNS record that follows the ingress load balancer.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct Dns {
    /// Domain of a public zone of the account, such as `inferadb.com`. It has to exist: nothing is made before it is found.
    #[attr(required, validate = checks::dns_zone)]
    pub(crate) zone: Value<String>,
    /// Name in the zone, such as `api`. The zone itself unless given.
    #[attr(optional, default = "", validate = checks::dns_record)]
    pub(crate) record: Value<String>,
    /// `PRIMARY` or `SECONDARY`, for a pair of regions that share a record: the secondary is answered while the primary is not
    /// healthy. A record of its own unless given.
    #[attr(optional, validate = checks::failover)]
    pub(crate) failover: Value<String>,
    /// HTTPS check of the ingress load balancer, made by the cloud's DNS service, that decides whether the record is answered.
    #[block]
    pub(crate) health_check: Value<HealthCheck>,
}

/// HTTPS check of the ingress load balancer, made by the cloud's DNS service.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct HealthCheck {
    /// Path that is asked for.
    #[attr(optional, default = "/healthz", validate = checks::health_check_path)]
    pub(crate) path: Value<String>,
    /// Failures in a row that make it unhealthy, 1 to 10.
    #[attr(optional, default = 3, validate = checks::failure_threshold)]
    pub(crate) failure_threshold: Value<i64>,
    /// Seconds between checks: 10 or 30.
    #[attr(optional, default = 10, validate = checks::request_interval)]
    pub(crate) request_interval: Value<i64>,
}
