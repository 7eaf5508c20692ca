//! Create, update and delete of `inferadb_region`.

use clouds::{Claim, Cloud, Kind, Mark, RegionSpec, RegionState, Root};
use tf_provider::{ApplyContext, Diagnostic, Diagnostics, path};

use super::RegionResource;
use super::model::RegionModel;
use super::state::{filled, obstacle, remake, row_id, spec};
use crate::claims::{self, Decision, READY, Remake, UNFINISHED};
use crate::configured::Connection;
use crate::diagnostics;
use crate::ids::RegionId;

type Context = ApplyContext<RegionResource>;

pub(super) async fn create(cx: &Context, plan: RegionModel) -> Result<RegionModel, Diagnostics> {
    let id = row_id(&plan)?;
    let connection = connect(cx, &id, &plan).await?;
    let cloud = &*connection.cloud;
    let spec = spec(&id, &plan)?;
    let claim = Claim::random();
    let root = match standing(cloud, &id, &spec).await? {
        None => {
            check_dns_zone(cloud, &spec).await?;
            None
        }
        Some(standing) => go_on_from(cx, cloud, &id, &spec, &plan, &claim, standing).await?,
    };
    let observer = |found: &RegionState| cx.checkpoint(&filled(&plan, found, &claim, UNFINISHED), &());
    let doing = format!("Cannot make region `{id}`");
    let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
    let found = cloud.apply_region(&spec, &claim, root.as_ref(), &observer).await.map_err(failed)?;
    finish(cloud, &id, &claim, &found).await.map_err(failed)?;
    Ok(filled(&plan, &found, &claim, READY))
}

pub(super) async fn update(cx: &Context, prior: &RegionModel, plan: RegionModel) -> Result<RegionModel, Diagnostics> {
    let id = row_id(prior)?;
    let connection = connect(cx, &id, prior).await?;
    let cloud = &*connection.cloud;
    let spec = spec(&id, &plan)?;
    if plan.dns != prior.dns {
        check_dns_zone(cloud, &spec).await?;
    }

    let doing = format!("Cannot change region `{id}`");
    let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
    let claim = Claim(prior.claim.as_str().unwrap_or_default().to_owned());
    let roots = cloud.roots(Kind::Region).await.map_err(failed)?;
    let root = claims::owned(&roots, &claim.0).ok_or_else(|| {
        Diagnostic::error(format!("Region `{id}` is gone")).detail(
            "No network bears the claim of this row of state any more, so nothing was changed. Run `terraform plan` to see what \
             is to be made again.",
        )
    })?;
    // What a change that ends early has made true shows in the next refresh; until then the row stays as it was.
    let found = cloud.apply_region(&spec, &claim, Some(root), &|_: &RegionState| ()).await.map_err(failed)?;
    if !root.finished {
        finish(cloud, &id, &claim, &found).await.map_err(failed)?;
    }
    Ok(filled(&plan, &found, &claim, READY))
}

pub(super) async fn delete(cx: &Context, planned: &Remake, prior: &RegionModel) -> Result<(), Diagnostics> {
    let id = row_id(prior)?;
    if planned.keeps(&remake(&id, prior), prior.status.as_str()) {
        tracing::info!(region = %id, "kept for the create of the same plan");
        return Ok(());
    }
    let connection = connect(cx, &id, prior).await?;
    let cloud = &*connection.cloud;
    let doing = format!("Cannot remove region `{id}`");
    let failed = |error: clouds::Error| diagnostics::removing(&doing, &error);

    let claim = Claim(prior.claim.as_str().unwrap_or_default().to_owned());
    let roots = cloud.roots(Kind::Region).await.map_err(failed)?;
    // Another row's network, or none at all: for this row it is done.
    let Some(root) = claims::owned(&roots, &claim.0) else { return Ok(()) };
    clear(cloud, &id).await?;
    cloud.delete_region(&root.id, &claim).await.map_err(failed)?;
    Ok(())
}

async fn connect(cx: &Context, id: &RegionId, row: &RegionModel) -> Result<Connection, Diagnostic> {
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, None)?;
    let connection = cx.provider.cloud(&id.place).await?;
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, Some(&connection))?;
    Ok(connection)
}

/// Before anything is made.
async fn check_dns_zone(cloud: &dyn Cloud, spec: &RegionSpec) -> Result<(), Diagnostic> {
    let Some(dns) = &spec.dns else { return Ok(()) };
    cloud
        .check_dns_zone(&dns.zone)
        .await
        .map_err(|error| diagnostics::cloud(&format!("Cannot use the DNS zone `{}`", dns.zone), &error).at(path!("dns", "zone")))
}

/// A root that a create meets and may take up.
struct Standing {
    root: Root,
    surplus: Vec<Root>,
    found: RegionState,
    /// Why it cannot become what is wanted.
    obstacle: Option<String>,
}

/// What a create meets: a root that no state holds, or none. Changes nothing.
async fn standing(cloud: &dyn Cloud, id: &RegionId, spec: &RegionSpec) -> Result<Option<Standing>, Diagnostics> {
    let doing = format!("Cannot make region `{id}`");
    let failed = |error: clouds::Error| diagnostics::cloud(&doing, &error);
    let roots = cloud.roots(Kind::Region).await.map_err(failed)?;
    let (root, surplus) = match claims::decide(&roots, &id.scope(), &id.name) {
        Decision::New => return Ok(None),
        Decision::InState(root) => return Err(claims::held_by_a_state(root, &id.to_string()).into()),
        Decision::TakeUp { root, surplus } => (root, surplus),
    };
    let Some(found) = cloud.read_region(&root.id).await.map_err(failed)? else { return Ok(None) };
    let obstacle = obstacle(Some(spec.cidr), Some(&spec.zones), &found);
    if let Some(obstacle) = &obstacle
        && root.finished
    {
        return Err(Diagnostic::error(format!("Region `{id}` exists already and is not what is wanted"))
            .detail(format!(
                "Network `{}` was finished by an earlier run whose state was lost. {obstacle} Nothing was made or changed.\n\n\
                 To keep it, import it with\n\n    terraform import inferadb_region.LABEL {id}\n\nand plan again. To be rid of it, \
                 import it and destroy it.",
                root.id
            ))
            .into());
    }
    Ok(Some(Standing { root: root.clone(), surplus, found, obstacle }))
}

/// Takes up what stands under the new claim. Core may have dropped its row just before, when this create is half of a
/// replacement, so it is noted before anything can fail.
///
/// An unfinished one that cannot become what is wanted is removed, since nothing lives in it.
async fn go_on_from(
    cx: &Context,
    cloud: &dyn Cloud,
    id: &RegionId,
    spec: &RegionSpec,
    plan: &RegionModel,
    claim: &Claim,
    standing: Standing,
) -> Result<Option<Root>, Diagnostics> {
    let Standing { root, surplus, found, obstacle } = standing;
    let note = |claim: &Claim| cx.checkpoint(&filled(plan, &found, claim, UNFINISHED), &());
    if let Some(old) = root.claim.as_ref().filter(|_| !root.finished) {
        note(old);
    }
    claims::take_up(cloud, &root, &surplus, claim).await?;
    note(claim);
    check_dns_zone(cloud, spec).await?;
    if obstacle.is_some() {
        clear(cloud, id).await?;
        let failed = |error: clouds::Error| diagnostics::cloud(&format!("Cannot make region `{id}` anew"), &error);
        cloud.delete_region(&root.id, claim).await.map_err(failed)?;
        return Ok(None);
    }
    Ok(Some(Root { claim: Some(claim.clone()), finished: false, in_state: false, ..root }))
}

async fn finish(cloud: &dyn Cloud, id: &RegionId, claim: &Claim, found: &RegionState) -> clouds::Result<()> {
    let root = Root {
        kind: Kind::Region,
        id: found.network_id.clone(),
        scope: id.scope(),
        name: id.name.clone(),
        claim: Some(claim.clone()),
        finished: false,
        in_state: false,
        cidr: found.cidr,
        tags: found.tags.clone(),
    };
    cloud.mark(&root, &Mark::Finished).await
}

/// Refuses while a finished cluster or backup store stands in the region, and removes unfinished ones.
async fn clear(cloud: &dyn Cloud, id: &RegionId) -> Result<(), Diagnostics> {
    let doing = format!("Cannot remove region `{id}`");
    let failed = |error: clouds::Error| diagnostics::removing(&doing, &error);
    let members = members(cloud, id).await.map_err(failed)?;
    if let Some(refusal) = refusal(id, &members) {
        return Err(refusal.into());
    }
    for member in &members {
        claims::remove(cloud, member).await.map_err(failed)?;
    }
    Ok(())
}

/// Roots of the clusters and backup stores that stand in the region.
pub(super) async fn members(cloud: &dyn Cloud, id: &RegionId) -> clouds::Result<Vec<Root>> {
    let mut members = cloud.roots(Kind::Cluster).await?;
    members.extend(cloud.roots(Kind::Backup).await?);
    members.retain(|root| root.scope == id.scope());
    Ok(members)
}

/// Names those that keep the region from being removed, if there are any.
pub(super) fn finished(members: &[Root]) -> Option<String> {
    let finished: Vec<String> = members
        .iter()
        .filter(|root| root.finished)
        .map(|root| format!("`{}` `{}` (`{}`)", claims::resource_type(root.kind), root.name, root.id))
        .collect();
    (!finished.is_empty()).then(|| finished.join(", "))
}

fn refusal(id: &RegionId, members: &[Root]) -> Option<Diagnostic> {
    let standing = finished(members)?;
    Some(Diagnostic::error(format!("Region `{id}` is in use")).detail(format!(
        "Still standing in it: {standing}. Nothing was removed.\n\nDestroy what stands in the region first. What no state holds any more can \
         be imported and then destroyed."
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn id() -> RegionId {
        "production/aws/us-east-1/nyc1".parse().unwrap()
    }

    #[test]
    fn a_region_in_use_is_not_removed() {
        let member = |kind, name: &str, finished| Root {
            kind,
            id: format!("id-of-{name}"),
            scope: id().scope(),
            name: name.into(),
            claim: None,
            finished,
            in_state: false,
            cidr: None,
            tags: BTreeMap::new(),
        };
        assert_eq!(refusal(&id(), &[]), None);
        assert_eq!(refusal(&id(), &[member(Kind::Cluster, "half", false)]), None);
        insta::assert_snapshot!(
            refusal(&id(), &[member(Kind::Cluster, "prod", true), member(Kind::Backup, "fdb", true), member(Kind::Cluster, "half", false)]).unwrap(),
            @r"
        Region `production/aws/us-east-1/nyc1` is in use: Still standing in it: `inferadb_cluster` `prod` (`id-of-prod`), `inferadb_fdb_backup` `fdb` (`id-of-fdb`). Nothing was removed.

        Destroy what stands in the region first. What no state holds any more can be imported and then destroyed.
        "
        );
    }
}
