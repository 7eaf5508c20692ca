//! Roots: the first cloud object of a resource, which carries who it belongs to.

use std::collections::BTreeMap;
use std::fmt;

/// Environment and InferaDB region that everything belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The provider's `environment`.
    pub environment: String,
    /// The InferaDB region's name, for example `nyc1`.
    pub region: String,
}

/// A random token that ties a root to the one row of state that may change or delete it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim(pub String);

impl Claim {
    /// A new claim: 128 random bits in hex.
    pub fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a root is the root of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A region; its root is the network (on AWS the VPC).
    Region,
    /// A cluster; its root is the firewall of its nodes (on AWS the security group).
    Cluster,
    /// A backup store; its root is the bucket.
    Backup,
}

/// The first object of a resource, as the cloud shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What it is the root of.
    pub kind: Kind,
    /// The cloud's id of the object, for example `vpc-…`.
    pub id: String,
    /// Where it belongs.
    pub scope: Scope,
    /// The resource's name (for a region: the region's name).
    pub name: String,
    /// Who may act on it; absent only on objects that somebody stripped of the tag.
    pub claim: Option<Claim>,
    /// Its create ran to the end.
    pub finished: bool,
    /// A refresh has seen it through a row of state.
    pub in_state: bool,
    /// A network's address range, where the root is a network.
    pub cidr: Option<ipnet::Ipv4Net>,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
}

/// A change to a root's marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Taken up under a new claim; also takes `finished` and `in-state` away.
    Claim(Claim),
    /// The create has run to the end.
    Finished,
    /// A refresh has seen it through a row of state.
    InState,
}
