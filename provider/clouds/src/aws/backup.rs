//! A backup store as a whole. Its root is the bucket, whose name is unique in the world.

use super::lifecycle::{self, Ages};
use super::region::Progress;
use super::replication::Copies;
use super::{Aws, bucket, claimed, replication, roots, tags};
use crate::{BackupSpec, BackupState, Claim, Error, Kind, Observer, Result, Root};

fn ages(spec: &BackupSpec) -> Ages {
    Ages {
        noncurrent: Some(spec.noncurrent_days),
        abort_incomplete: Some(spec.abort_incomplete_days),
        archive_after: spec.archive_after_days,
        retention: spec.retention_days,
    }
}

/// Where FoundationDB reaches the bucket.
fn host(aws: &Aws) -> String {
    let endpoint = aws.settings().endpoint("s3").or_else(|| aws.clients().config.endpoint_url());
    if let Some(endpoint) = endpoint {
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
        return host.split('/').next().unwrap_or(host).to_owned();
    }
    let suffix = if aws.region().starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("s3.{}.{suffix}", aws.region())
}

/// Makes or changes a backup store.
pub(super) async fn apply(
    aws: &Aws,
    spec: &BackupSpec,
    claim: &Claim,
    given: Option<&Root>,
    observer: &dyn Observer<BackupState>,
) -> Result<BackupState> {
    let name = spec.name.as_str();
    let common = tags::common(&spec.scope, name, &spec.tags);
    let root = root(aws, spec, claim, given, &common).await?;
    let progress = Progress::new(BackupState::default(), observer);
    progress.update(|state| {
        name.clone_into(&mut state.bucket);
        state.host = host(aws);
    });
    tokio::try_join!(bucket::protect(aws, aws.region(), name), lifecycle::ensure(aws, aws.region(), name, ages(spec)),)?;
    let wanted = spec.replica.as_ref();
    let noted = Copies::noted(&root.tags);
    if wanted.is_none() && noted.is_wanted() {
        // The copy stays: it may be all that is left of the backups. Only the copying ends.
        replication::stop(aws, name).await?;
    }
    // Before the next copy is made and after the last has ended, so that what stands is noted whoever dies in between.
    let (set, gone) = noted.changes(wanted, &replication::gone(aws, name, &noted).await?);
    if !set.is_empty() || !gone.is_empty() {
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        roots::retag(aws, Kind::Backup, name, &set, &gone).await?;
    }
    if let Some(replica) = wanted {
        let state = replication::ensure(aws, name, replica, &common, ages(spec)).await?;
        progress.update(|backup| backup.replica = Some(state));
    }
    let (set, gone) = tags::difference(&root.tags, name, &spec.tags);
    if !set.is_empty() || !gone.is_empty() {
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        if let Some(replica) = wanted {
            bucket::retag(aws, &replica.provider_region, &replica.name, &set, &gone).await?;
        }
        roots::retag(aws, Kind::Backup, name, &set, &gone).await?;
    }
    let Some(root) = claimed(aws, Kind::Backup, name, claim).await? else {
        return Err(Error::NotFound {
            object: format!("bucket `{name}`"),
            message: "it was removed while the backup store was made".to_owned(),
        });
    };
    let state = read_root(aws, &root).await?;
    observer.observe(&state);
    Ok(state)
}

async fn root(aws: &Aws, spec: &BackupSpec, claim: &Claim, given: Option<&Root>, common: &tags::Tags) -> Result<Root> {
    let foreign = || Error::Foreign {
        object: format!("bucket `{}`", spec.name),
        message: "it belongs to this account and was not made for this backup store: choose another name".to_owned(),
    };
    let found = if let Some(given) = given {
        roots::one(aws, Kind::Backup, &given.id, super::inventory::FRESH).await?.ok_or_else(|| Error::NotFound {
            object: format!("bucket `{}`", given.id),
            message: "it was there a moment ago: plan again".to_owned(),
        })?
    } else {
        let mut all = tags::of_root(common.clone(), Kind::Backup, &spec.name, claim);
        if let Some(replica) = &spec.replica {
            all.insert(tags::REPLICA.to_owned(), replication::note(replica));
        }
        let found = bucket::ensure(aws, aws.region(), &spec.name, &all).await?;
        roots::from_tags(Kind::Backup, &spec.name, found).ok_or_else(foreign)?
    };
    if found.scope != spec.scope {
        return Err(Error::Foreign {
            object: format!("bucket `{}`", spec.name),
            message: format!(
                "it belongs to environment `{}`, region `{}`: choose another name",
                found.scope.environment, found.scope.region
            ),
        });
    }
    roots::take_up(aws, found, claim).await
}

/// The backup store of that root.
pub(super) async fn read(aws: &Aws, id: &str) -> Result<Option<BackupState>> {
    match roots::one(aws, Kind::Backup, id, super::inventory::SHARED).await? {
        Some(root) => read_root(aws, &root).await.map(Some),
        None => Ok(None),
    }
}

async fn read_root(aws: &Aws, root: &Root) -> Result<BackupState> {
    let name = root.id.as_str();
    let (protection, ages, (replica, former_replicas)) = tokio::try_join!(
        bucket::protection(aws, aws.region(), name),
        lifecycle::read(aws, aws.region(), name),
        replication::read(aws, name, Copies::noted(&root.tags)),
    )?;
    Ok(BackupState {
        bucket: name.to_owned(),
        host: host(aws),
        versioning: protection.versioning,
        encrypted: protection.encrypted,
        public_access_blocked: protection.public_access_blocked,
        tls_only: protection.tls_only,
        noncurrent_days: ages.noncurrent,
        abort_incomplete_days: ages.abort_incomplete,
        archive_after_days: ages.archive_after,
        retention_days: ages.retention,
        replica,
        former_replicas,
        tags: tags::users(&root.tags, name),
    })
}

/// Removes a backup store, its copy and its earlier ones. Without `force` nothing is touched unless all are empty.
pub(super) async fn delete(aws: &Aws, id: &str, claim: &Claim, force: bool) -> Result<()> {
    let Some(root) = claimed(aws, Kind::Backup, id, claim).await? else { return Ok(()) };
    let copies = Copies::noted(&root.tags).all();
    if !force {
        let mut full = Vec::new();
        if !bucket::is_empty(aws, aws.region(), id).await? {
            full.push(id);
        }
        for (name, region) in &copies {
            if !replication::is_empty(aws, id, region, name).await? {
                full.push(name);
            }
        }
        if !full.is_empty() {
            let buckets = if full.len() == 1 { "bucket" } else { "buckets" };
            return Err(Error::NotEmpty {
                object: format!("{buckets} `{}`", full.join("`, `")),
                message: "there are backups in it, or versions of deleted ones".to_owned(),
            });
        }
    }
    replication::stop(aws, id).await?;
    for (name, region) in &copies {
        replication::remove_bucket(aws, id, region, name, force).await?;
    }
    if force {
        bucket::empty(aws, aws.region(), id).await?;
    }
    // The root goes last: while it stands, the rest is found from it.
    bucket::remove(aws, aws.region(), id).await
}
