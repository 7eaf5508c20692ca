//! Create, update and delete of `inferadb_fdb_backup`.

use clouds::{BackupState, Claim, Cloud, Kind, Mark, Root};
use tf_provider::{ApplyContext, Diagnostic, Diagnostics, path};

use super::BackupResource;
use super::model::BackupModel;
use super::plan::{check_protection, elsewhere};
use super::state::{filled, member_id, remake, spec};
use crate::claims::{self, Decision, READY, Remake, UNFINISHED};
use crate::configured::Connection;
use crate::diagnostics;
use crate::ids::MemberId;

type Context = ApplyContext<BackupResource>;

pub(super) async fn create(cx: &Context, plan: BackupModel) -> Result<BackupModel, Diagnostics> {
    let id = member_id(&plan)?;
    let connection = connect(cx, &id, &plan).await?;
    let cloud = &*connection.cloud;
    let spec = spec(&id, &plan)?;
    let claim = Claim::random();
    let root = stand_on(cx, cloud, &id, &plan, &claim).await?;
    let observer = |found: &BackupState| cx.checkpoint(&filled(&id, &plan, found, &claim, UNFINISHED), &());
    let doing = format!("Cannot make backup store `{id}`");
    let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
    let found = cloud.apply_backup(&spec, &claim, root.as_ref(), &observer).await.map_err(failed)?;
    finish(cloud, &id, &claim, &found).await.map_err(failed)?;
    Ok(filled(&id, &plan, &found, &claim, READY))
}

pub(super) async fn update(cx: &Context, prior: &BackupModel, plan: BackupModel) -> Result<BackupModel, Diagnostics> {
    let id = member_id(prior)?;
    let connection = connect(cx, &id, prior).await?;
    let cloud = &*connection.cloud;
    let spec = spec(&id, &plan)?;

    let doing = format!("Cannot change backup store `{id}`");
    let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
    let claim = Claim(prior.claim.as_str().unwrap_or_default().to_owned());
    let root = cloud.root(Kind::Backup, &id.name).await.map_err(failed)?;
    let root = claims::owned(root.as_slice(), &claim.0).ok_or_else(|| {
        Diagnostic::error(format!("Backup store `{id}` is gone")).detail(
            "No bucket bears the claim of this row of state any more, so nothing was changed. Run `terraform plan` to see what is to \
             be made again.",
        )
    })?;
    // What a change that ends early has made true shows in the next refresh; until then the row stays as it was.
    let found = cloud.apply_backup(&spec, &claim, Some(root), &|_: &BackupState| ()).await.map_err(failed)?;
    if !root.finished {
        finish(cloud, &id, &claim, &found).await.map_err(failed)?;
    }
    Ok(filled(&id, &plan, &found, &claim, READY))
}

pub(super) async fn delete(cx: &Context, planned: &Remake, prior: &BackupModel) -> Result<(), Diagnostics> {
    let id = member_id(prior)?;
    if planned.keeps(&remake(&id), prior.status.as_str()) {
        tracing::info!(backup = %id, "kept for the create of the same plan");
        return Ok(());
    }
    check_protection(prior, "destroyed")?;
    let connection = connect(cx, &id, prior).await?;
    let cloud = &*connection.cloud;
    let doing = format!("Cannot remove backup store `{id}`");
    let failed = |error: clouds::Error| removal(&doing, &error);

    let claim = Claim(prior.claim.as_str().unwrap_or_default().to_owned());
    let root = cloud.root(Kind::Backup, &id.name).await.map_err(failed)?;
    // Another row's bucket, or none at all: for this row it is done.
    let Some(root) = claims::owned(root.as_slice(), &claim.0) else { return Ok(()) };
    let force = prior.force_destroy.known() == Some(&true);
    cloud.delete_backup(&root.id, &claim, force).await.map_err(failed)?;
    Ok(())
}

fn removal(doing: &str, error: &clouds::Error) -> Diagnostic {
    match error {
        clouds::Error::NotEmpty { object, .. } => Diagnostic::error(doing)
            .detail(format!(
                "There are objects in {object}, and `force_destroy` is `false` in the state. Nothing was deleted.\n\n\
                 Empty what is named, or set `force_destroy = true`, apply that, and destroy then: all backups in there are lost."
            ))
            .at(path!("force_destroy")),
        other => diagnostics::removing(doing, other),
    }
}

async fn connect(cx: &Context, id: &MemberId, row: &BackupModel) -> Result<Connection, Diagnostic> {
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, None)?;
    let connection = cx.provider.cloud(&id.region.place).await?;
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, Some(&connection))?;
    Ok(connection)
}

/// Before anything is made.
async fn check_region(cloud: &dyn Cloud, id: &MemberId) -> Result<(), Diagnostic> {
    let failed = |error: clouds::Error| diagnostics::asking("Cannot tell which regions exist", &error);
    let roots = cloud.roots(Kind::Region).await.map_err(failed)?;
    if roots.iter().any(|root| root.scope == id.region.scope()) {
        return Ok(());
    }
    Err(Diagnostic::error(format!("No region `{}`", id.region))
        .detail("`region_id` names a region that does not exist. Nothing was made. Give the `id` of an `inferadb_region`.")
        .at(path!("region_id")))
}

/// What a create goes on from: the bucket that stands, under the new claim, or none. Core may have dropped its row just
/// before, when this create is half of a replacement, so it is noted before anything can fail.
async fn stand_on(
    cx: &Context,
    cloud: &dyn Cloud,
    id: &MemberId,
    plan: &BackupModel,
    claim: &Claim,
) -> Result<Option<Root>, Diagnostics> {
    let doing = format!("Cannot make backup store `{id}`");
    let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
    let root = cloud.root(Kind::Backup, &id.name).await.map_err(failed)?;
    elsewhere(id, root.as_slice())?;
    let (root, surplus) = match claims::decide(root.as_slice(), &id.region.scope(), &id.name) {
        Decision::New => {
            check_region(cloud, id).await?;
            return Ok(None);
        }
        Decision::InState(root) => return Err(claims::held_by_a_state(root, &id.long()).into()),
        Decision::TakeUp { root, surplus } => (root, surplus),
    };
    let Some(found) = cloud.read_backup(&root.id).await.map_err(failed)? else { return Ok(None) };
    let note = |claim: &Claim| cx.checkpoint(&filled(id, plan, &found, claim, UNFINISHED), &());
    if let Some(old) = root.claim.as_ref().filter(|_| !root.finished) {
        note(old);
    }
    claims::take_up(cloud, root, &surplus, claim).await?;
    note(claim);
    check_region(cloud, id).await?;
    Ok(Some(Root { claim: Some(claim.clone()), finished: false, in_state: false, ..root.clone() }))
}

async fn finish(cloud: &dyn Cloud, id: &MemberId, claim: &Claim, found: &BackupState) -> clouds::Result<()> {
    let root = Root {
        kind: Kind::Backup,
        id: found.bucket.clone(),
        scope: id.region.scope(),
        name: id.name.clone(),
        claim: Some(claim.clone()),
        finished: false,
        in_state: false,
        cidr: None,
        tags: found.tags.clone(),
    };
    cloud.mark(&root, &Mark::Finished).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_with_backups_in_it_says_how_to_be_rid_of_them() {
        let error = clouds::Error::NotEmpty { object: "bucket `b`".into(), message: "409".into() };
        insta::assert_snapshot!(removal("Cannot remove backup store `b`", &error), @r"
        force_destroy: Cannot remove backup store `b`: There are objects in bucket `b`, and `force_destroy` is `false` in the state. Nothing was deleted.

        Empty what is named, or set `force_destroy = true`, apply that, and destroy then: all backups in there are lost.
        ");
    }
}
