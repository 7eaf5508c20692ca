//! The schema of `inferadb_fdb_backup`.

use std::collections::BTreeMap;

use tf_provider::{Model, Timeouts, Value};

use super::checks;

/// Where FoundationDB backs up to: a bucket with versioning, encryption at rest, all public access blocked, and TLS required.
///
/// `url` is what `fdbbackup start -d` and `backup_agent` take. Lifecycle rules remove replaced versions and unfinished uploads.
/// A bucket that has objects in it is destroyed only if `force_destroy = true` was applied before.
///
/// Data that a continuous backup no longer needs is removed by `fdbbackup expire`, which knows what a restore takes. Expiry by
/// age (`retention_days`) does not.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct BackupModel {
    /// Name of the bucket: 3 to 63 lower-case letters, digits and hyphens. It has to be unique among all accounts of the cloud.
    #[attr(required, requires_replace, validate = checks::bucket)]
    pub(crate) name: Value<String>,
    /// `id` of the `inferadb_region` that the bucket belongs to.
    #[attr(required, requires_replace, validate = checks::region_id)]
    pub(crate) region_id: Value<String>,
    /// Days that a replaced or deleted version of an object is kept, 1 to 3650.
    #[attr(optional, default = 7, validate = checks::days)]
    pub(crate) noncurrent_days: Value<i64>,
    /// Days after which an unfinished upload is dropped, 1 to 3650.
    #[attr(optional, default = 7, validate = checks::days)]
    pub(crate) abort_incomplete_days: Value<i64>,
    /// Days after which an object moves to the archive class that still answers at once (on AWS `GLACIER_IR`), 1 to 3650.
    /// Never unless given.
    #[attr(optional, validate = checks::days)]
    pub(crate) archive_after_days: Value<i64>,
    /// Days after which an object is deleted, 1 to 3650. Never unless given. It also deletes files that a continuous FoundationDB backup
    /// still needs: prefer `fdbbackup expire`.
    #[attr(optional, validate = checks::days)]
    pub(crate) retention_days: Value<i64>,
    /// Refuses to destroy or replace the backup store while `true`. Turn it off in an apply of its own first.
    #[attr(optional, default = false)]
    pub(crate) deletion_protection: Value<bool>,
    /// Lets a destroy delete the objects in the bucket, its replica and former replicas. It has to be applied before the destroy.
    #[attr(optional, default = false)]
    pub(crate) force_destroy: Value<bool>,
    /// Tags on everything that belongs to the backup store, besides the provider's `default_tags`. Of two with one key, these
    /// win.
    #[attr(optional, validate = crate::tags::check)]
    pub(crate) tags: Value<BTreeMap<String, Value<String>>>,

    /// `ENVIRONMENT/REGION/NAME`, such as `production/nyc1/inferadb-prod-fdb-backup`.
    #[attr(computed)]
    pub(crate) id: Value<String>,
    /// Ties the bucket to this row of state. A bucket that bears another claim is left alone.
    #[attr(computed)]
    pub(crate) claim: Value<String>,
    /// `unfinished` while a create was interrupted, `ready` after it.
    #[attr(computed)]
    pub(crate) status: Value<String>,
    /// What somebody else has changed in the cloud, a sentence each. Empty in every plan: an apply mends it.
    #[attr(computed)]
    pub(crate) drift: Value<Vec<Value<String>>>,
    /// Environment that the backup store belongs to: the provider's `environment`.
    #[attr(computed)]
    pub(crate) environment: Value<String>,
    /// Cloud account that the bucket stands in.
    #[attr(computed)]
    pub(crate) account_id: Value<String>,
    /// Name of the bucket.
    #[attr(computed)]
    pub(crate) bucket: Value<String>,
    /// Host that the bucket is reached at.
    #[attr(computed)]
    pub(crate) host: Value<String>,
    /// FoundationDB's name of the bucket: `blobstore://@HOST/ENVIRONMENT-REGION?bucket=BUCKET&region=REGION&secure_connection=1`.
    /// The `@` in front of the host makes FoundationDB read key and secret from its blob credentials file
    /// (`FDB_BLOB_CREDENTIALS`), under the account `@HOST`. The part after the host names the backup inside the bucket: a bucket
    /// can hold any number.
    #[attr(computed)]
    pub(crate) url: Value<String>,
    /// Name of the second bucket; null without a `replica` block.
    #[attr(computed)]
    pub(crate) replica_bucket: Value<String>,
    /// Role that replication acts in (on AWS its ARN); null without a `replica` block.
    #[attr(computed)]
    pub(crate) replication_role: Value<String>,
    /// Buckets that were the replica before `replica` was changed or removed and still stand, as `PROVIDER_REGION/BUCKET`.
    #[attr(computed)]
    pub(crate) former_replicas: Value<Vec<Value<String>>>,
    /// Tags on the bucket as they are, those of the provider's `default_tags` included.
    #[attr(computed)]
    pub(crate) tags_all: Value<BTreeMap<String, Value<String>>>,

    /// A copy in a second region of the cloud, for the day that the first one is lost. What is written to the bucket from then
    /// on is copied. When the block is changed or removed, the bucket that was the replica is kept with what is in it and named
    /// in `former_replicas`: it can be the replica again, in its region and by its name, and a destroy of the backup store
    /// removes it too, with what is in it only under `force_destroy`. The new one needs a `name` of its own.
    #[block]
    pub(crate) replica: Value<Replica>,
    #[block]
    pub(crate) timeouts: Value<Timeouts>,
}

/// A copy in a second region of the cloud. What is written to the bucket from then on is copied.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct Replica {
    /// The cloud's own name of the second region, such as `us-west-1`, or one of ours, such as `sfo1`.
    #[attr(required)]
    pub(crate) provider_region: Value<String>,
    /// Name of the second bucket. `NAME-replica` unless given.
    #[attr(optional, computed, validate = checks::bucket)]
    pub(crate) name: Value<String>,
}
