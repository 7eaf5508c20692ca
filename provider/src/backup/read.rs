//! Refresh and import of `inferadb_fdb_backup`.

use clouds::Kind;
use tf_provider::{Diagnostic, Diagnostics, ReadContext, Value};

use super::model::BackupModel;
use super::state::{member_id, refreshed};
use crate::claims;
use crate::configured::Configured;
use crate::diagnostics;
use crate::ids::MemberId;

pub(super) async fn read(cx: &ReadContext<Configured>, row: BackupModel) -> Result<Option<BackupModel>, Diagnostics> {
    let id = member_id(&row)?;
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, None)?;
    let connection = cx.provider.cloud(&id.region.place).await?;
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, Some(&connection))?;

    let failed = |error: clouds::Error| diagnostics::asking(&format!("Cannot read backup store `{id}`"), &error);
    let claim = row.claim.as_str().unwrap_or_default();
    let root = connection.cloud.root(Kind::Backup, &id.name).await.map_err(failed)?;
    let Some(root) = claims::owned(root.as_slice(), claim) else { return Ok(None) };
    let Some(found) = connection.cloud.read_backup(&root.id).await.map_err(failed)? else { return Ok(None) };
    cx.provider.saw(claim);
    claims::mark_in_state(&*connection.cloud, root).await;
    Ok(Some(refreshed(&id, &row, &found, claims::status(root))))
}

pub(super) async fn import(cx: &ReadContext<Configured>, id: &str) -> Result<BackupModel, Diagnostics> {
    let id = MemberId::from_import(id).map_err(|error| Diagnostic::error("Invalid id").detail(error.to_string()))?;
    cx.provider.check_environment(&id.to_string(), &id.region.environment, "The import id names")?;
    let connection = cx.provider.cloud(&id.region.place).await?;

    let failed = |error: clouds::Error| diagnostics::asking(&format!("Cannot import backup store `{id}`"), &error);
    let missing = || {
        Diagnostic::error(format!("No backup store `{id}`")).detail(format!(
            "Account `{}` has no bucket `{}` in `{}` that is tagged as a backup store of region `{}` in environment `{}`.",
            connection.account_id, id.name, id.region.place, id.region.name, id.region.environment,
        ))
    };
    let (root, claim) = claims::import(&*connection.cloud, Kind::Backup, &id.region.scope(), &id.name)
        .await
        .map_err(failed)?
        .ok_or_else(missing)?;
    let found = connection.cloud.read_backup(&root.id).await.map_err(failed)?.ok_or_else(missing)?;
    let row = BackupModel {
        claim: claim.0.into(),
        account_id: connection.account_id.as_str().into(),
        tags: cx.provider.tags_beyond_defaults(&found.tags),
        ..blank(&id)
    };
    Ok(refreshed(&id, &row, &found, claims::status(&root)))
}

/// A row that says which backup store it is, and for the rest what is so unless told.
pub(super) fn blank(id: &MemberId) -> BackupModel {
    BackupModel {
        name: id.name.as_str().into(),
        region_id: id.region.to_string().into(),
        noncurrent_days: Value::Null,
        abort_incomplete_days: Value::Null,
        archive_after_days: Value::Null,
        retention_days: Value::Null,
        // These stand in the state only; what is so unless told makes the plan after an import empty.
        deletion_protection: false.into(),
        force_destroy: false.into(),
        tags: Value::Null,
        id: id.to_string().into(),
        claim: Value::Null,
        status: Value::Null,
        drift: Value::Null,
        environment: id.region.environment.as_str().into(),
        account_id: Value::Null,
        bucket: Value::Null,
        host: Value::Null,
        url: Value::Null,
        replica_bucket: Value::Null,
        replication_role: Value::Null,
        former_replicas: Value::Null,
        tags_all: Value::Null,
        replica: Value::Null,
        timeouts: Value::Null,
    }
}
