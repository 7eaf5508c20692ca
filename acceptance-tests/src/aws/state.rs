//! What the rules know beyond moto.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Instant;

use bytes::Bytes;

use super::config::Config;
use super::ec2::firewall::Firewall;
use super::ec2::instances::Instance;
use super::elbv2::balancer::{Leftover, LoadBalancer};
use super::elbv2::group::TargetGroup;
use super::request::Request;

/// Where a client token is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) text: String,
}

/// What was done with a client token, once.
#[derive(Clone, Debug)]
pub(crate) struct TokenUse {
    pub(crate) fingerprint: String,
    pub(crate) instance_ids: Vec<String>,
    pub(crate) at: Instant,
}

/// A health check that a caller reference made.
#[derive(Clone, Debug)]
pub(crate) struct ReferenceUse {
    pub(crate) fingerprint: String,
    pub(crate) id: String,
}

/// Where a bucket is, and whose.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) account: String,
    pub(crate) region: String,
}

/// All of it.
#[derive(Default)]
pub(crate) struct State {
    /// When a new object begins to show.
    pub(crate) visible_from: HashMap<String, Instant>,
    /// Ids by the action that made them.
    pub(crate) created: BTreeMap<String, Vec<String>>,
    pub(crate) unreviewed: BTreeSet<String>,
    /// Accounts and regions that were ever asked.
    pub(crate) places: BTreeSet<(String, String)>,
    pub(crate) tokens: HashMap<Token, TokenUse>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) instance_quota: Option<usize>,
    /// By ARN.
    pub(crate) load_balancers: BTreeMap<String, LoadBalancer>,
    /// By ARN.
    pub(crate) target_groups: BTreeMap<String, TargetGroup>,
    pub(crate) leftovers: Vec<Leftover>,
    pub(crate) firewall: Firewall,
    /// Tag changes that are accepted and do not show yet, in order, with their account.
    pub(crate) tag_changes: VecDeque<(Request, String)>,
    /// When a role, by account and name, can be used by other services.
    pub(crate) roles_usable_from: HashMap<(String, String), Instant>,
    /// When it is known everywhere that a role, by account and name, has lost a policy.
    pub(crate) role_policies_known_from: HashMap<(String, String), Instant>,
    /// By account and caller reference; a deleted one stays.
    pub(crate) health_checks: HashMap<(String, String), ReferenceUse>,
    /// When a DNS change is in sync.
    pub(crate) changes_in_sync_from: HashMap<String, Instant>,
    /// When replication takes notice that a bucket is versioned.
    pub(crate) versioned_from: HashMap<String, Instant>,
    /// By name.
    pub(crate) buckets: BTreeMap<String, Bucket>,
    /// Bucket policies as they were put, by bucket.
    pub(crate) bucket_policies: HashMap<String, Bytes>,
    last_load_balancer: u32,
}

impl State {
    pub(crate) fn new(config: &Config) -> Self {
        Self { last_load_balancer: config.load_balancers_from.into(), ..Self::default() }
    }

    /// A loopback address for a new load balancer.
    pub(crate) fn next_load_balancer_address(&mut self) -> Ipv4Addr {
        self.last_load_balancer += 1;
        self.last_load_balancer.into()
    }

    /// Enters a new object.
    pub(crate) fn born(&mut self, action: &str, id: &str, visible_from: Instant) {
        self.visible_from.insert(id.to_owned(), visible_from);
        self.created.entry(action.to_owned()).or_default().push(id.to_owned());
    }

    /// Whether answers must not show the object yet.
    pub(crate) fn hides(&self, id: &str) -> bool {
        self.visible_from.get(id).is_some_and(|from| *from > Instant::now())
    }
}
