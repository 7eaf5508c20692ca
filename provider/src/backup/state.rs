//! Between the model and what the cloud takes and gives: wanted backup stores, and backup stores as they stand.

use clouds::{BackupSpec, BackupState, Claim, ReplicaSpec, ReplicaState};
use tf_provider::{Diagnostic, Value, path};

use super::model::{BackupModel, Replica};
use crate::abilities;
use crate::claims::{READY, Remake};
use crate::ids::{MemberId, RegionId};
use crate::names;
use crate::tags;

/// Which backup store a row or plan means.
pub(super) fn member_id(model: &BackupModel) -> Result<MemberId, Diagnostic> {
    let region = model.region_id.as_str().unwrap_or_default();
    let region: RegionId = region.parse().map_err(|error: crate::ids::IdError| {
        Diagnostic::error("Invalid `region_id`").detail(error.to_string()).at(path!("region_id"))
    })?;
    Ok(MemberId { region, name: model.name.as_str().unwrap_or_default().to_owned() })
}

/// The backup store as the plan wants it. An unknown value where none may be is a mistake of core or of the plan.
pub(super) fn spec(id: &MemberId, plan: &BackupModel) -> Result<BackupSpec, Diagnostic> {
    let required = |value: &Value<i64>, name: &str| days(value).ok_or_else(|| unknown(name));
    let optional = |value: &Value<i64>, name: &str| match value {
        Value::Null => Ok(None),
        value => days(value).map(Some).ok_or_else(|| unknown(name)),
    };
    Ok(BackupSpec {
        scope: id.region.scope(),
        name: id.name.clone(),
        noncurrent_days: required(&plan.noncurrent_days, "noncurrent_days")?,
        abort_incomplete_days: required(&plan.abort_incomplete_days, "abort_incomplete_days")?,
        archive_after_days: optional(&plan.archive_after_days, "archive_after_days")?,
        retention_days: optional(&plan.retention_days, "retention_days")?,
        replica: replica_spec(id, &plan.replica)?,
        tags: tags::plain(&plan.tags_all).ok_or_else(|| unknown("tags_all"))?,
    })
}

fn replica_spec(id: &MemberId, block: &Value<Replica>) -> Result<Option<ReplicaSpec>, Diagnostic> {
    let replica = match block {
        Value::Null => return Ok(None),
        Value::Unknown(_) => return Err(unknown("replica")),
        Value::Known(replica) => replica,
    };
    let region = replica.provider_region.as_str().ok_or_else(|| unknown("replica"))?;
    let provider_region = names::provider_region(id.region.place.provider_type, region)
        .map_err(|problem| Diagnostic::error(problem).at(path!("replica", "provider_region")))?;
    let name = replica.name.as_str().ok_or_else(|| unknown("replica"))?;
    Ok(Some(ReplicaSpec { provider_region: provider_region.to_owned(), name: name.to_owned() }))
}

fn days(value: &Value<i64>) -> Option<u32> {
    value.known().and_then(|days| u32::try_from(*days).ok())
}

fn unknown(attribute: &str) -> Diagnostic {
    Diagnostic::error(format!("`{attribute}` is not known at apply"))
        .detail("Terraform asked for an apply with a value that it has not yet computed. Please report this.")
        .at(path!(attribute))
}

/// Name of the second bucket unless told.
pub(super) fn replica_name(bucket: &str) -> String {
    format!("{bucket}-replica")
}

/// FoundationDB's name of a backup in the bucket. Key and secret are left out: FoundationDB then reads them from its blob
/// credentials file (documentation, "Backup URLs").
pub(super) fn url(id: &MemberId, host: &str) -> Value<String> {
    if host.is_empty() {
        return Value::Null;
    }
    let RegionId { environment, place, name } = &id.region;
    let secure = u8::from(abilities::of(place.provider_type).durable_stores);
    let (bucket, region) = (&id.name, &place.provider_region);
    format!("blobstore://@{host}/{environment}-{name}?bucket={bucket}&region={region}&secure_connection={secure}").into()
}

/// The model of a backup store under way or just made: the plan, with what only the cloud knows.
pub(super) fn filled(id: &MemberId, plan: &BackupModel, found: &BackupState, claim: &Claim, status: &str) -> BackupModel {
    BackupModel {
        claim: claim.0.as_str().into(),
        status: status.into(),
        drift: Value::Known(Vec::new()),
        bucket: found.bucket.as_str().into(),
        host: text(&found.host),
        url: url(id, &found.host),
        replica_bucket: found.replica.as_ref().map(|replica| replica.bucket.clone()).into(),
        replication_role: found.replica.as_ref().map_or(Value::Null, |replica| text(&replica.role)),
        former_replicas: if plan.former_replicas.is_unknown() { former(found) } else { plan.former_replicas.clone() },
        ..plan.clone()
    }
}

/// The model of a backup store that was read: the row, with what the cloud shows.
pub(super) fn refreshed(id: &MemberId, row: &BackupModel, found: &BackupState, status: &str) -> BackupModel {
    let count = |days: Option<u32>| Value::from(days.map(i64::from));
    let durable = abilities::of(id.region.place.provider_type).durable_stores;
    let drift = if status == READY && durable { drift(found) } else { Vec::new() };
    // What a store has no rules for stays as it is asked for.
    let kept = |days: Option<u32>, row: &Value<i64>| if durable { count(days) } else { row.clone() };
    BackupModel {
        status: status.into(),
        drift: Value::Known(drift.into_iter().map(Value::from).collect()),
        bucket: found.bucket.as_str().into(),
        host: text(&found.host),
        url: url(id, &found.host),
        noncurrent_days: kept(found.noncurrent_days, &row.noncurrent_days),
        abort_incomplete_days: kept(found.abort_incomplete_days, &row.abort_incomplete_days),
        archive_after_days: count(found.archive_after_days),
        retention_days: count(found.retention_days),
        replica: found_replica(id, &row.replica, found.replica.as_ref()),
        replica_bucket: found.replica.as_ref().map(|replica| replica.bucket.clone()).into(),
        replication_role: found.replica.as_ref().map_or(Value::Null, |replica| text(&replica.role)),
        former_replicas: former(found),
        tags_all: tags::as_found(&row.tags_all, &found.tags),
        ..row.clone()
    }
}

fn former(found: &BackupState) -> Value<Vec<Value<String>>> {
    Value::Known(found.former_replicas.iter().map(|bucket| bucket.as_str().into()).collect())
}

fn drift(found: &BackupState) -> Vec<&'static str> {
    [
        (found.versioning, "versioning is off"),
        (found.encrypted, "encryption at rest is off"),
        (found.public_access_blocked, "public access is not blocked"),
        (found.tls_only, "access without TLS is not refused"),
    ]
    .into_iter()
    .filter_map(|(holds, problem)| (!holds).then_some(problem))
    .collect()
}

/// Keeps the row's word for the second region where it means the one that is found.
fn found_replica(id: &MemberId, row: &Value<Replica>, found: Option<&ReplicaState>) -> Value<Replica> {
    let Some(found) = found else { return Value::Null };
    let word = row.known().and_then(|row| row.provider_region.as_str());
    let means_the_same =
        |word: &&str| names::provider_region(id.region.place.provider_type, word).is_ok_and(|own| own == found.provider_region);
    Value::Known(Replica {
        provider_region: word.filter(means_the_same).unwrap_or(&found.provider_region).into(),
        name: found.bucket.as_str().into(),
    })
}

/// What decides whether an unfinished bucket serves: its id says all.
pub(super) fn remake(id: &MemberId) -> Remake {
    Remake::of(&id.long(), [])
}

fn text(text: &str) -> Value<String> {
    if text.is_empty() { Value::Null } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> MemberId {
        MemberId::from_import("production/nyc1/inferadb-prod-fdb-backup").unwrap()
    }

    #[test]
    fn the_url_is_foundationdbs_form_without_a_secret() {
        insta::assert_snapshot!(
            url(&id(), "s3.us-east-1.amazonaws.com").as_str().unwrap(),
            @"blobstore://@s3.us-east-1.amazonaws.com/production-nyc1?bucket=inferadb-prod-fdb-backup&region=us-east-1&secure_connection=1"
        );
        assert_eq!(url(&id(), ""), Value::Null);
    }

    #[test]
    fn each_protection_that_is_gone_is_named() {
        let whole = BackupState {
            versioning: true,
            encrypted: true,
            public_access_blocked: true,
            tls_only: true,
            ..BackupState::default()
        };
        assert_eq!(drift(&whole), Vec::<&str>::new());
        let open = BackupState { public_access_blocked: false, versioning: false, ..whole };
        assert_eq!(drift(&open), ["versioning is off", "public access is not blocked"]);
    }

    #[test]
    fn a_replica_keeps_the_users_word_for_its_region() {
        let found = ReplicaState { bucket: "b-replica".into(), provider_region: "us-west-1".into(), role: "r".into() };
        let row = |region: &str| Value::Known(Replica { provider_region: region.into(), name: "b-replica".into() });
        assert_eq!(found_replica(&id(), &row("sfo1"), Some(&found)), row("sfo1"));
        assert_eq!(found_replica(&id(), &row("eu-west-2"), Some(&found)), row("us-west-1"));
        assert_eq!(found_replica(&id(), &row("sfo1"), None), Value::Null);
    }
}
