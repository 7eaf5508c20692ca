//! Labels of containers, volumes and networks: the index. They cannot be changed once the object stands; what changes in an
//! object's life is a mark (see [`super::marks`]).

use crate::tags::{self, Tags};
use crate::{Claim, Kind, Scope};

/// On marks: what they say (`claim`, `finished`, `in-state`, `tags`, `tag`).
pub(super) const MARK: &str = "inferadb.com/mark";
/// On marks: id of the object that they are on.
pub(super) const MARKED: &str = "inferadb.com/marked";
/// On marks of roots: the claim that the root was made with, which no later root of its name bears.
pub(super) const INCARNATION: &str = "inferadb.com/incarnation";
/// On marks that replace each other: the highest counts.
pub(super) const NUMBER: &str = "inferadb.com/number";
/// On marks: the key that they set.
pub(super) const KEY: &str = "inferadb.com/key";
/// On marks: what they set it to.
pub(super) const VALUE: &str = "inferadb.com/value";
/// On containers: the address in the region's network.
pub(super) const ADDRESS: &str = "inferadb.com/address";
/// On containers: `PORT=HOST_PORT` of each published port, parted by commas.
pub(super) const PUBLISHED: &str = "inferadb.com/published";
/// On load balancers: what they are for (`api`, `ingress`).
pub(super) const BALANCER: &str = "inferadb.com/load-balancer";
/// On volumes of machines: the machine's name.
pub(super) const MACHINE: &str = "inferadb.com/machine";
/// On machines: the machine type.
pub(super) const MACHINE_TYPE: &str = "inferadb.com/machine-type";
/// On backup stores: the bucket.
pub(super) const BUCKET: &str = "inferadb.com/bucket";

/// What everything in a region bears: the user's tags, then ours.
pub(super) fn common(scope: &Scope, user: &Tags) -> Tags {
    let mut labels = user.clone();
    labels.insert(tags::ENVIRONMENT.to_owned(), scope.environment.clone());
    labels.insert(tags::REGION.to_owned(), scope.region.clone());
    labels
}

/// What everything of a cluster bears.
pub(super) fn of_cluster(scope: &Scope, cluster: &str, user: &Tags) -> Tags {
    let mut labels = common(scope, user);
    labels.insert(tags::CLUSTER.to_owned(), cluster.to_owned());
    labels
}

/// What a root bears besides.
pub(super) fn of_root(mut labels: Tags, kind: Kind, name: &str, claim: &Claim) -> Tags {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    labels.insert(tags::KIND.to_owned(), tags::kind_name(kind).to_owned());
    labels.insert(tags::NAME.to_owned(), name.to_owned());
    labels.insert(tags::CLAIM.to_owned(), claim.0.clone());
    labels.insert(tags::CREATED.to_owned(), format!("{:013}", now.as_millis()));
    labels
}

/// The user's part of an object's labels: neither ours nor those that Docker's own tools set.
pub(super) fn users(labels: &Tags) -> Tags {
    let is_users =
        |key: &str| !key.starts_with(tags::PREFIX) && !key.starts_with("com.docker.") && !key.starts_with("desktop.docker.");
    labels.iter().filter(|(key, _)| is_users(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether the labels say that an object belongs to a scope.
pub(super) fn belongs(labels: &Tags, scope: &Scope) -> bool {
    let is = |key: &str, value: &str| labels.get(key).map(String::as_str) == Some(value);
    is(tags::ENVIRONMENT, &scope.environment) && is(tags::REGION, &scope.region)
}

/// Whether the labels say that an object belongs to a cluster.
pub(super) fn belongs_to_cluster(labels: &Tags, scope: &Scope, cluster: &str) -> bool {
    belongs(labels, scope) && labels.get(tags::CLUSTER).map(String::as_str) == Some(cluster)
}
