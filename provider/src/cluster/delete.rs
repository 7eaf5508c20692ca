//! Removing a cluster.

use clouds::{Claim, Kind};
use tf_provider::{ApplyContext, Diagnostic, Diagnostics, path};

use super::ClusterResource;
use super::model::ClusterModel;
use super::site::parse_region_id;
use crate::claims::{self, Remake};
use crate::diagnostics;

/// Refuses while `deletion_protection` is on in the row.
pub(super) fn check_protection(prior: &ClusterModel) -> Result<(), Diagnostics> {
    if prior.deletion_protection.known() != Some(&true) {
        return Ok(());
    }
    let name = prior.name.as_str().unwrap_or_default();
    Err(Diagnostic::error(format!("Cluster `{name}` is protected from deletion"))
        .detail("It stands as it is. To destroy or replace it, set `deletion_protection = false` and apply that first.")
        .at(path!("deletion_protection"))
        .into())
}

/// Terminates the machines at once and removes the cluster's own objects: the last etcd members of a cluster cannot leave it.
pub(super) async fn delete(
    cx: &ApplyContext<ClusterResource>,
    planned: &Remake,
    prior: &ClusterModel,
) -> Result<(), Diagnostics> {
    check_protection(prior)?;
    let id = prior.id.as_str().unwrap_or_default();
    if planned.keeps(&super::plan::remake(prior), prior.status.as_str()) {
        tracing::info!(cluster = id, "the unfinished cluster is kept for the create that follows");
        return Ok(());
    }
    let region_id = parse_region_id(&prior.region_id)?;
    let connection = cx.provider.cloud(&region_id.place).await?;
    cx.provider.check_row(id, &prior.environment, &prior.account_id, Some(&connection))?;
    let Some(claim) = prior.claim.as_str() else { return Ok(()) };
    let cloud = connection.cloud.as_ref();
    let doing = format!("Cannot delete cluster `{id}`");
    let roots = cloud.roots(Kind::Cluster).await.map_err(|error| diagnostics::removing(&doing, &error))?;
    let Some(root) = claims::owned(&roots, claim) else {
        tracing::info!(cluster = id, "no object bears the claim of this row; nothing is left to delete");
        return Ok(());
    };
    cloud.delete_cluster(&root.id, &Claim(claim.to_owned())).await.map_err(|error| diagnostics::removing(&doing, &error))?;
    Ok(())
}
