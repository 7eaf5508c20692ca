//! What a backup store consists of: a bucket, its rules, its replica.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Scope;

/// A backup store as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSpec {
    /// Environment and region.
    pub scope: Scope,
    /// The bucket's name.
    pub name: String,
    /// Days that a replaced or deleted object version is kept.
    pub noncurrent_days: u32,
    /// Days until an unfinished multi-part upload is dropped.
    pub abort_incomplete_days: u32,
    /// Days after which objects move to the archive class (`GLACIER_IR` on AWS).
    pub archive_after_days: Option<u32>,
    /// Days after which objects expire.
    pub retention_days: Option<u32>,
    /// Copy in a second region.
    pub replica: Option<ReplicaSpec>,
    /// Tags on everything, besides those that the crate needs itself.
    pub tags: BTreeMap<String, String>,
}

/// The second bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSpec {
    /// The cloud's own name of the region.
    pub provider_region: String,
    /// The second bucket's name.
    pub name: String,
}

/// A backup store as it stands; parts that do not exist (yet) are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupState {
    /// Bucket name: the root's id.
    pub bucket: String,
    /// Host to reach it at, for example `s3.us-east-1.amazonaws.com`.
    pub host: String,
    /// Versioning is on.
    pub versioning: bool,
    /// Encrypted at rest by default.
    pub encrypted: bool,
    /// All public access is blocked.
    pub public_access_blocked: bool,
    /// A policy refuses access without TLS.
    pub tls_only: bool,
    /// Lifecycle as found.
    pub noncurrent_days: Option<u32>,
    /// Lifecycle as found.
    pub abort_incomplete_days: Option<u32>,
    /// Lifecycle as found.
    pub archive_after_days: Option<u32>,
    /// Lifecycle as found.
    pub retention_days: Option<u32>,
    /// The copy in a second region.
    pub replica: Option<ReplicaState>,
    /// Buckets that were replicas before and still stand, as `PROVIDER_REGION/BUCKET`, sorted.
    pub former_replicas: Vec<String>,
    /// Tags of the root without the crate's own.
    pub tags: BTreeMap<String, String>,
}

/// The second bucket as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaState {
    /// Bucket name.
    pub bucket: String,
    /// The cloud's own name of its region.
    pub provider_region: String,
    /// The role that replication acts in (ARN on AWS).
    pub role: String,
}
