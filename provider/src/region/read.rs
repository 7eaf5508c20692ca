//! Refresh and import of `inferadb_region`.

use clouds::Kind;
use tf_provider::{Diagnostic, Diagnostics, ReadContext, Value};

use super::model::RegionModel;
use super::state::{refreshed, row_id};
use crate::claims;
use crate::configured::Configured;
use crate::diagnostics;
use crate::ids::RegionId;

pub(super) async fn read(cx: &ReadContext<Configured>, row: RegionModel) -> Result<Option<RegionModel>, Diagnostics> {
    let id = row_id(&row)?;
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, None)?;
    let connection = cx.provider.cloud(&id.place).await?;
    cx.provider.check_row(&id.to_string(), &row.environment, &row.account_id, Some(&connection))?;

    let failed = |error: clouds::Error| diagnostics::asking(&format!("Cannot read region `{id}`"), &error);
    let claim = row.claim.as_str().unwrap_or_default();
    let roots = connection.cloud.roots(Kind::Region).await.map_err(failed)?;
    let Some(root) = claims::owned(&roots, claim) else { return Ok(None) };
    let Some(found) = connection.cloud.read_region(&root.id).await.map_err(failed)? else { return Ok(None) };
    cx.provider.saw(claim);
    claims::mark_in_state(&*connection.cloud, root).await;
    Ok(Some(refreshed(&row, &found, claims::status(root))))
}

pub(super) async fn import(cx: &ReadContext<Configured>, id: &str) -> Result<RegionModel, Diagnostics> {
    let id = RegionId::from_import(id).map_err(|error| Diagnostic::error("Invalid id").detail(error.to_string()))?;
    cx.provider.check_environment(&id.to_string(), &id.environment, "The import id names")?;
    let connection = cx.provider.cloud(&id.place).await?;

    let failed = |error: clouds::Error| diagnostics::asking(&format!("Cannot import region `{id}`"), &error);
    let missing = || {
        Diagnostic::error(format!("No region `{id}`")).detail(format!(
            "Account `{}` has no network in `{}` that is tagged as region `{}` of environment `{}`.",
            connection.account_id, id.place, id.name, id.environment,
        ))
    };
    let (root, claim) =
        claims::import(&*connection.cloud, Kind::Region, &id.scope(), &id.name).await.map_err(failed)?.ok_or_else(missing)?;
    let found = connection.cloud.read_region(&root.id).await.map_err(failed)?.ok_or_else(missing)?;
    let row = RegionModel {
        zones: Value::Known(found.subnets.iter().map(|subnet| subnet.zone.as_str().into()).collect()),
        claim: claim.0.into(),
        account_id: connection.account_id.as_str().into(),
        tags: cx.provider.tags_beyond_defaults(&found.tags),
        ..blank(&id, id.place.provider_region.as_str().into())
    };
    Ok(refreshed(&row, &found, claims::status(&root)))
}

/// A row that says which region it is, and nothing else.
pub(super) fn blank(id: &RegionId, provider_region: Value<String>) -> RegionModel {
    RegionModel {
        name: id.name.as_str().into(),
        provider_type: id.place.provider_type.as_str().into(),
        provider_region,
        cidr_block: Value::Null,
        zones: Value::Null,
        ingress_allowed_cidrs: Value::Null,
        ports: Value::Null,
        tags: Value::Null,
        id: id.to_string().into(),
        claim: Value::Null,
        status: Value::Null,
        drift: Value::Null,
        environment: id.environment.as_str().into(),
        account_id: Value::Null,
        network_id: Value::Null,
        subnet_ids: Value::Null,
        ingress_address: Value::Null,
        fqdn: Value::Null,
        tags_all: Value::Null,
        dns: Value::Null,
        timeouts: Value::Null,
    }
}
