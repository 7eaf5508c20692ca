//! What a plan of `inferadb_fdb_backup` checks and foresees.
//!
//! Every check passes while a value that it needs is unknown, and is made again when it is known.

use clouds::{Kind, ProviderType, Root};
use tf_provider::{Diagnostic, Diagnostics, PlanContext, Value, path};

use super::checks;
use super::model::{BackupModel, Replica};
use super::state::{member_id, remake, replica_name};
use crate::abilities;
use crate::claims::{self, Decision, READY, Remake, UNFINISHED};
use crate::configured::{Configured, Connection};
use crate::diagnostics;
use crate::ids::{MemberId, RegionId};
use crate::names;

/// Days that AWS charges for at least once an object is in `GLACIER_IR` (S3 pricing).
const ARCHIVE_MINIMUM_DAYS: i64 = 90;

/// Checks of attributes against each other.
pub(super) fn validate(config: &BackupModel, diagnostics: &mut Diagnostics) {
    if let (Some(archive), Some(retention)) = (config.archive_after_days.known(), config.retention_days.known())
        && archive >= retention
    {
        diagnostics.push(
            Diagnostic::error("Objects would be deleted before they are archived")
                .detail(format!(
                    "`archive_after_days` is {archive} and `retention_days` is {retention}: expected fewer days until the archive, or \
                     no archive."
                ))
                .at(path!("archive_after_days")),
        );
    }
    let region = config.region_id.as_str().and_then(|id| id.parse::<RegionId>().ok());
    if let Some(region) = &region
        && !abilities::of(region.place.provider_type).durable_stores
    {
        lacking(region.place.provider_type, config, diagnostics);
        return;
    }
    if let (Some(region), Some(replica)) = (region, config.replica.known())
        && let Some(word) = replica.provider_region.as_str()
    {
        let at = || path!("replica", "provider_region");
        match names::provider_region(region.place.provider_type, word) {
            Err(problem) => {
                diagnostics.push(Diagnostic::error("Invalid `replica.provider_region`").detail(problem).at(at()));
            }
            Ok(own) if own == region.place.provider_region => diagnostics.push(
                Diagnostic::error("The replica is in the same region")
                    .detail(format!("The bucket stands in `{own}` too: choose another region of the cloud."))
                    .at(at()),
            ),
            Ok(_) => {}
        }
    }
}

/// What a store without rules and copies cannot be asked for.
fn lacking(cloud: ProviderType, config: &BackupModel, diagnostics: &mut Diagnostics) {
    let why = "Its backup stores keep one version of each object until it is deleted, in one place.";
    for (asked, attribute) in [
        (!config.noncurrent_days.is_null(), path!("noncurrent_days")),
        (!config.abort_incomplete_days.is_null(), path!("abort_incomplete_days")),
        (!config.archive_after_days.is_null(), path!("archive_after_days")),
        (!config.retention_days.is_null(), path!("retention_days")),
        (!config.replica.is_null(), path!("replica")),
    ] {
        if asked {
            diagnostics.push(abilities::lacking(cloud, attribute, why));
        }
    }
}

pub(super) async fn create(
    cx: &PlanContext<Configured>,
    config: &BackupModel,
    plan: &mut BackupModel,
) -> Result<Remake, Diagnostics> {
    foresee(&cx.provider, config, plan)?;
    for warning in age_warnings(None, plan) {
        cx.warn(warning);
    }
    plan.environment = cx.provider.environment().clone();
    if plan.region_id.as_str().is_none() || plan.name.as_str().is_none() {
        return Ok(Remake::default());
    }
    let id = member_id(plan)?;
    plan.environment = id.region.environment.as_str().into();
    plan.id = id.to_string().into();
    cx.provider
        .check_environment(&id.to_string(), &id.region.environment, "`region_id` names")
        .map_err(|error| error.at(path!("region_id")))?;
    cx.provider.plans(Kind::Backup, &id.long())?;

    let Some(connection) = cx.provider.cloud_if_known(&id.region.place).await? else { return Ok(Remake::default()) };
    plan.account_id = connection.account_id.as_str().into();
    announce(cx, &connection, &id).await?;
    if !abilities::of(id.region.place.provider_type).durable_stores {
        cx.warn(Diagnostic::warning("This backup store is for trying the backup out").detail(
            "It is a container with a volume: no TLS, no encryption at rest, no versions of objects, and no second place. Whoever \
             can use the Docker engine can read its keys.",
        ));
    }
    Ok(remake(&id))
}

pub(super) fn update(
    cx: &PlanContext<Configured>,
    prior: &BackupModel,
    config: &BackupModel,
    plan: &mut BackupModel,
) -> Result<(), Diagnostics> {
    let id = prior.id.as_str().unwrap_or_default();
    cx.provider.check_row(id, &prior.environment, &prior.account_id, None)?;
    // A plan without a refresh replaces its own object too.
    cx.provider.saw(prior.claim.as_str().unwrap_or_default());
    let replaced = config.name != prior.name || config.region_id != prior.region_id;
    if replaced {
        check_protection(prior, "replaced")?;
    }
    foresee(&cx.provider, config, plan)?;
    keep_word(prior, plan);
    if prior.host.is_null() {
        plan.host = Value::unknown();
        plan.url = Value::unknown();
    }
    let replicated =
        |model: &BackupModel| model.replica.known().map(|replica| (replica.provider_region.clone(), replica.name.clone()));
    match &plan.replica {
        Value::Null => plan.replication_role = Value::Null,
        _ if replicated(plan) != replicated(prior) || prior.replication_role.is_null() => {
            plan.replication_role = Value::unknown();
        }
        _ => {}
    }
    if !replaced {
        replica_moves(cx, prior, plan)?;
    }
    for warning in age_warnings(Some(prior), plan) {
        cx.warn(warning);
    }
    Ok(())
}

/// What becomes of the bucket of a replica that is changed or removed, and that the next one can have its name.
fn replica_moves(cx: &PlanContext<Configured>, prior: &BackupModel, plan: &mut BackupModel) -> Result<(), Diagnostic> {
    let (before, after) = (placed(prior), placed(plan));
    if let Some((region, name)) = &after {
        name_stands_elsewhere(prior, region, name)?;
    }
    if before == after && plan.replica.is_unknown() == prior.replica.is_unknown() {
        return Ok(());
    }
    plan.former_replicas = Value::unknown();
    if let Some(warning) = kept_replica(prior, plan) {
        cx.warn(warning);
    }
    Ok(())
}

/// The cloud's own region and the bucket of the replica, where both are known.
fn placed(model: &BackupModel) -> Option<(String, String)> {
    let cloud = model.region_id.as_str()?.parse::<RegionId>().ok()?.place.provider_type;
    let replica = model.replica.known()?;
    let region = names::provider_region(cloud, replica.provider_region.as_str()?).ok()?;
    Some((region.to_owned(), replica.name.as_str()?.to_owned()))
}

/// A bucket cannot move, and a second one cannot have its name.
fn name_stands_elsewhere(prior: &BackupModel, region: &str, name: &str) -> Result<(), Diagnostic> {
    let former = prior.former_replicas.known().into_iter().flatten().filter_map(Value::as_str);
    let former = former.filter_map(|bucket| bucket.split_once('/')).map(|(region, name)| (region.to_owned(), name.to_owned()));
    let Some((there, _)) = former.chain(placed(prior)).find(|(there, standing)| standing == name && there != region) else {
        return Ok(());
    };
    Err(Diagnostic::error(format!("Bucket `{name}` stands in `{there}` already"))
        .detail(format!(
            "It is, or was, the replica of this backup store and keeps what is in it; a bucket cannot move, and names of buckets are \
             unique in the whole cloud. Give the replica in `{region}` a `name` of its own in the `replica` block. To take `{name}` \
             up again, set `provider_region = \"{there}\"`."
        ))
        .at(path!("replica", "name")))
}

/// Says that the bucket of a replica stays when the replica is changed or removed, and what to do with it.
fn kept_replica(prior: &BackupModel, plan: &BackupModel) -> Option<Diagnostic> {
    let (region, bucket) = placed(prior)?;
    let name = prior.name.as_str().unwrap_or_default();
    let ends = match (&plan.replica, placed(plan)) {
        (Value::Null, _) => {
            let role = prior.replication_role.as_str().map_or_else(String::new, |role| format!(" and the role `{role}`"));
            format!("The apply removes the replication rule of bucket `{name}`{role}: nothing is copied from then on.")
        }
        (_, Some((region, next))) => {
            format!("The apply points the replication rule of bucket `{name}` to `{next}` in `{region}`.")
        }
        (_, None) => format!("The apply points the replication rule of bucket `{name}` to another bucket."),
    };
    Some(
        Diagnostic::warning(format!("Bucket `{bucket}` in `{region}` is kept"))
            .detail(format!(
                "{ends} `{bucket}` stays with what is in it, since that may be the only second copy of the backups, and \
                 `former_replicas` names it.\n\n\
                 To take it up again, set `provider_region = \"{region}\"` and `name = \"{bucket}\"` in the `replica` block. To be rid of \
                 it, empty and delete it by hand. A destroy of the backup store removes it too, and what is in it only if \
                 `force_destroy = true` was applied before."
            ))
            .at(path!("replica")),
    )
}

/// Keeps the row's word for the second region where the configuration's means the same, as after an import.
fn keep_word(prior: &BackupModel, plan: &mut BackupModel) {
    let cloud = prior.region_id.as_str().and_then(|id| id.parse::<RegionId>().ok()).map(|id| id.place.provider_type);
    let (Some(cloud), Some(there), Some(wanted)) = (cloud, prior.replica.known(), plan.replica.known_mut()) else { return };
    let means = |word: &Value<String>| word.as_str().and_then(|word| names::provider_region(cloud, word).ok());
    if means(&there.provider_region).is_some_and(|own| means(&wanted.provider_region) == Some(own)) {
        wanted.provider_region = there.provider_region.clone();
    }
}

/// A destroy that the configuration forbids fails in its plan.
pub(super) fn destroy(prior: &BackupModel) -> Result<(), Diagnostics> {
    check_protection(prior, "destroyed").map_err(Into::into)
}

/// An unfinished one holds nothing to protect.
pub(super) fn check_protection(prior: &BackupModel, what: &str) -> Result<(), Diagnostic> {
    if prior.deletion_protection.known() != Some(&true) || prior.status.as_str() == Some(UNFINISHED) {
        return Ok(());
    }
    let name = prior.name.as_str().unwrap_or_default();
    Err(Diagnostic::error(format!("Backup store `{name}` is protected"))
        .detail(format!(
            "It cannot be {what} while `deletion_protection = true` stands in the state. Set it to `false`, apply that, and then \
             try again."
        ))
        .at(path!("deletion_protection")))
}

/// What an apply of this plan will have made true.
fn foresee(provider: &Configured, config: &BackupModel, plan: &mut BackupModel) -> Result<(), Diagnostic> {
    plan.status = READY.into();
    plan.drift = Value::Known(Vec::new());
    plan.bucket = plan.name.clone();
    plan.tags_all = provider.tags_all(&plan.tags);
    let asked = config.replica.known().map(|replica| replica.name.clone());
    plan.replica_bucket = match (&mut plan.replica, asked) {
        (Value::Null, _) => {
            plan.replication_role = Value::Null;
            Value::Null
        }
        (Value::Known(replica), Some(Value::Null)) => {
            replica.name = name_replica(&plan.name)?;
            replica.name.clone()
        }
        (Value::Known(Replica { name, .. }), _) => name.clone(),
        (Value::Unknown(_), _) => Value::unknown(),
    };
    Ok(())
}

fn name_replica(bucket: &Value<String>) -> Result<Value<String>, Diagnostic> {
    let Some(bucket) = bucket.as_str() else { return Ok(Value::unknown()) };
    let name = replica_name(bucket);
    checks::bucket(&name).map_err(|problem| {
        Diagnostic::error("The replica needs a name of its own")
            .detail(format!("The name that it has unless told cannot be used: {problem}. Set `name` in the `replica` block."))
            .at(path!("replica", "name"))
    })?;
    Ok(name.into())
}

/// What expiry by age does to a backup, said when it is asked for or changed.
fn age_warnings(prior: Option<&BackupModel>, plan: &BackupModel) -> Vec<Diagnostic> {
    let Some(retention) = plan.retention_days.known() else { return Vec::new() };
    let unchanged =
        |prior: &BackupModel| prior.retention_days == plan.retention_days && prior.archive_after_days == plan.archive_after_days;
    if prior.is_some_and(unchanged) {
        return Vec::new();
    }
    let mut warnings = vec![
        Diagnostic::warning("Expiry by age deletes files that a continuous backup still needs")
            .detail(format!(
                "A continuous FoundationDB backup restores from its last whole snapshot and every mutation log since. With \
                 `retention_days = {retention}` the cloud deletes objects by their age alone, so a backup can become \
                 unrestorable without an error. `fdbbackup expire` deletes only what no restore needs: prefer it, and leave \
                 `retention_days` out."
            ))
            .at(path!("retention_days")),
    ];
    if let Some(archive) = plan.archive_after_days.known()
        && retention - archive < ARCHIVE_MINIMUM_DAYS
    {
        warnings.push(
            Diagnostic::warning("Objects leave the archive before its minimum storage time")
                .detail(format!(
                    "The archive class (`GLACIER_IR` on AWS) is charged for {ARCHIVE_MINIMUM_DAYS} days at least. With \
                     `archive_after_days = {archive}` and `retention_days = {retention}` an object stays there for {} days and \
                     is charged for {ARCHIVE_MINIMUM_DAYS}.",
                    retention - archive
                ))
                .at(path!("archive_after_days")),
        );
    }
    warnings
}

/// Says what the create will meet.
async fn announce(cx: &PlanContext<Configured>, connection: &Connection, id: &MemberId) -> Result<(), Diagnostics> {
    let root = connection
        .cloud
        .root(Kind::Backup, &id.name)
        .await
        .map_err(|error| diagnostics::asking("Cannot tell which backup stores exist", &error))?;
    elsewhere(id, root.as_slice())?;
    let decision = claims::decide(root.as_slice(), &id.region.scope(), &id.name);
    let seen = match &decision {
        Decision::InState(root) => root.claim.as_ref().is_some_and(|claim| cx.provider.has_seen(&claim.0)),
        _ => false,
    };
    if let Some(warning) = claims::announce(&decision, &id.long(), None, seen)? {
        cx.warn(warning);
    }
    Ok(())
}

/// A bucket's name is unique in the whole cloud, so one of another environment or region of ours is in the way.
pub(super) fn elsewhere(id: &MemberId, roots: &[Root]) -> Result<(), Diagnostic> {
    let Some(other) = roots.iter().find(|root| root.name == id.name && root.scope != id.region.scope()) else { return Ok(()) };
    Err(Diagnostic::error(format!("Bucket `{}` exists already", id.name))
        .detail(format!(
            "It belongs to environment `{}`, region `{}`, and names of buckets are unique. Choose another name.",
            other.scope.environment, other.scope.region
        ))
        .at(path!("name")))
}

#[cfg(test)]
mod tests {
    use super::super::read::blank;
    use super::*;

    fn model(archive: Option<i64>, retention: Option<i64>) -> BackupModel {
        let id = MemberId::from_import("production/nyc1/inferadb-prod-fdb-backup").unwrap();
        BackupModel { archive_after_days: archive.into(), retention_days: retention.into(), ..blank(&id) }
    }

    fn said(warnings: &[Diagnostic]) -> String {
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
    }

    #[test]
    fn expiry_by_age_is_warned_about_when_it_is_asked_for() {
        assert_eq!(age_warnings(None, &model(None, None)), []);
        assert_eq!(age_warnings(None, &model(Some(7), None)), []);
        insta::assert_snapshot!(said(&age_warnings(None, &model(Some(7), Some(30)))), @r"
        retention_days: Expiry by age deletes files that a continuous backup still needs: A continuous FoundationDB backup restores from its last whole snapshot and every mutation log since. With `retention_days = 30` the cloud deletes objects by their age alone, so a backup can become unrestorable without an error. `fdbbackup expire` deletes only what no restore needs: prefer it, and leave `retention_days` out.

        archive_after_days: Objects leave the archive before its minimum storage time: The archive class (`GLACIER_IR` on AWS) is charged for 90 days at least. With `archive_after_days = 7` and `retention_days = 30` an object stays there for 23 days and is charged for 90.
        ");
        assert_eq!(age_warnings(None, &model(Some(7), Some(97))).len(), 1);
    }

    #[test]
    fn an_unchanged_plan_does_not_warn_again() {
        let warned = model(Some(7), Some(30));
        assert_eq!(age_warnings(Some(&warned), &warned), []);
        assert_eq!(age_warnings(Some(&model(None, Some(30))), &warned).len(), 2);
    }

    #[test]
    fn what_cannot_be_is_named_by_its_attribute() {
        let check = |config: &BackupModel| {
            let mut diagnostics = Diagnostics::new();
            validate(config, &mut diagnostics);
            diagnostics.to_string()
        };
        assert_eq!(check(&model(Some(7), Some(8))), "");
        insta::assert_snapshot!(check(&model(Some(30), Some(30))), @"archive_after_days: Objects would be deleted before they are archived: `archive_after_days` is 30 and `retention_days` is 30: expected fewer days until the archive, or no archive.");
        let replica = |region: &str| BackupModel {
            replica: Value::Known(Replica { provider_region: region.into(), name: Value::Null }),
            ..model(None, None)
        };
        assert_eq!(check(&replica("sfo1")), "");
        insta::assert_snapshot!(check(&replica("nyc1")), @"replica.provider_region: The replica is in the same region: The bucket stands in `us-east-1` too: choose another region of the cloud.");
        insta::assert_snapshot!(check(&replica("mars")), @"replica.provider_region: Invalid `replica.provider_region`: `mars` is no region of `aws`: expected `nyc1` (us-east-1), `sfo1` (us-west-1), `lon1` (eu-west-2), or the cloud's own name such as `af-south-1`");
    }

    #[test]
    fn a_replica_without_a_name_is_named_after_its_bucket() {
        assert_eq!(name_replica(&"bucket".into()), Ok("bucket-replica".into()));
        assert_eq!(name_replica(&Value::unknown()), Ok(Value::unknown()));
        insta::assert_snapshot!(name_replica(&"b".repeat(60).into()).unwrap_err(), @"replica.name: The replica needs a name of its own: The name that it has unless told cannot be used: `bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-replica` has 68 characters: expected 3 to 63. Set `name` in the `replica` block.");
    }

    fn replicated(region: &str, name: &str, former: &[&str]) -> BackupModel {
        BackupModel {
            replica: Value::Known(Replica { provider_region: region.into(), name: name.into() }),
            replication_role: "arn:aws:iam::123456789012:role/r".into(),
            former_replicas: Value::Known(former.iter().map(|bucket| Value::from(*bucket)).collect()),
            ..model(None, None)
        }
    }

    #[test]
    fn a_replica_that_is_taken_away_is_named_with_what_becomes_of_it() {
        let prior = replicated("sfo1", "b-replica", &[]);
        insta::assert_snapshot!(kept_replica(&prior, &model(None, None)).unwrap(), @r#"
        replica: Bucket `b-replica` in `us-west-1` is kept: The apply removes the replication rule of bucket `inferadb-prod-fdb-backup` and the role `arn:aws:iam::123456789012:role/r`: nothing is copied from then on. `b-replica` stays with what is in it, since that may be the only second copy of the backups, and `former_replicas` names it.

        To take it up again, set `provider_region = "us-west-1"` and `name = "b-replica"` in the `replica` block. To be rid of it, empty and delete it by hand. A destroy of the backup store removes it too, and what is in it only if `force_destroy = true` was applied before.
        "#);
        insta::assert_snapshot!(kept_replica(&prior, &replicated("lon1", "c", &[])).unwrap().detail_text().split("\n\n").next().unwrap(), @"The apply points the replication rule of bucket `inferadb-prod-fdb-backup` to `c` in `eu-west-2`. `b-replica` stays with what is in it, since that may be the only second copy of the backups, and `former_replicas` names it.");
        assert_eq!(kept_replica(&model(None, None), &prior), None, "there was none");
    }

    #[test]
    fn a_bucket_that_stands_elsewhere_is_an_error_in_the_plan() {
        let prior = replicated("sfo1", "b-replica", &["eu-west-2/old"]);
        assert_eq!(name_stands_elsewhere(&prior, "us-west-1", "b-replica"), Ok(()));
        assert_eq!(name_stands_elsewhere(&prior, "eu-west-2", "old"), Ok(()), "taken up again");
        assert!(name_stands_elsewhere(&prior, "us-west-1", "old").is_err());
        insta::assert_snapshot!(name_stands_elsewhere(&prior, "eu-west-2", "b-replica").unwrap_err(), @r#"replica.name: Bucket `b-replica` stands in `us-west-1` already: It is, or was, the replica of this backup store and keeps what is in it; a bucket cannot move, and names of buckets are unique in the whole cloud. Give the replica in `eu-west-2` a `name` of its own in the `replica` block. To take `b-replica` up again, set `provider_region = "us-west-1"`."#);
    }

    #[test]
    fn another_word_for_the_same_region_changes_nothing() {
        let replica = |region: &str| BackupModel {
            replica: Value::Known(Replica { provider_region: region.into(), name: "b-replica".into() }),
            ..model(None, None)
        };
        let planned = |from: &str, to: &str| {
            let mut plan = replica(to);
            keep_word(&replica(from), &mut plan);
            plan
        };
        assert_eq!(planned("us-west-1", "sfo1"), replica("us-west-1"));
        assert_eq!(planned("us-west-1", "lon1"), replica("lon1"));
    }

    #[test]
    fn protection_holds_until_it_is_turned_off_in_an_apply() {
        let protected =
            |status: &str| BackupModel { deletion_protection: true.into(), status: status.into(), ..model(None, None) };
        assert_eq!(destroy(&protected(UNFINISHED)), Ok(()));
        assert_eq!(destroy(&BackupModel { deletion_protection: false.into(), ..protected(READY) }), Ok(()));
        insta::assert_snapshot!(destroy(&protected(READY)).unwrap_err(), @"deletion_protection: Backup store `inferadb-prod-fdb-backup` is protected: It cannot be destroyed while `deletion_protection = true` stands in the state. Set it to `false`, apply that, and then try again.");
    }
}
