//! Changing a cluster in place.

use clouds::{Claim, ClusterState, Kind};
use tf_provider::{ApplyContext, Diagnostic, Diagnostics};

use super::create::{blueprint_of, cluster_spec, finish, taken};
use super::fleet::{Fleet, wanted};
use super::make::Standing;
use super::model::ClusterModel;
use super::plan::lost_quorum;
use super::record::{ClusterPrivate, Record};
use super::site::{Site, parse_region_id};
use super::{ClusterResource, bring_up, change, leave, rebuild, secrets};
use crate::claims;
use crate::diagnostics;

/// Changes what the plan changes: own objects, node configs, machines that come and go.
pub(super) async fn update(
    cx: &ApplyContext<ClusterResource>,
    private: Option<ClusterPrivate>,
    prior: ClusterModel,
    plan: ClusterModel,
) -> Result<(ClusterModel, ClusterPrivate), Diagnostics> {
    let same_but_for_words =
        ClusterModel { deletion_protection: plan.deletion_protection.clone(), timeouts: plan.timeouts.clone(), ..prior.clone() };
    if same_but_for_words == plan {
        return Ok((plan, private.unwrap_or_default()));
    }
    let nodes = wanted(&plan)?;
    let region_id = parse_region_id(&plan.region_id)?;
    if let Some(lost) = lost_quorum(&cx.provider, &prior, &region_id, &nodes).await? {
        return Err(lost.error().into());
    }
    let site = Site::open(&cx.provider, &plan.region_id).await?;
    let name = plan.name.as_str().unwrap_or_default().to_owned();
    let cloud = site.cloud.as_ref();
    let doing = format!("Cannot change cluster `{name}`");
    let failed = |error: clouds::Error| Diagnostics::from(diagnostics::cloud(&doing, &error));

    let roots = cloud.roots(Kind::Cluster).await.map_err(failed)?;
    let claim = Claim(prior.claim.as_str().unwrap_or_default().to_owned());
    let root = claims::owned(&roots, &claim.0).ok_or_else(|| taken(&name))?.clone();
    let mut standing = cloud.machines(&root.id).await.map_err(failed)?;
    let bundle = match private.and_then(|private| private.bundle) {
        Some(bundle) => bundle,
        None => secrets::read_back(cloud, &standing).await?.ok_or_else(|| no_secrets(&name))?,
    };

    // The row says what is true by now: as before, and as planned where that was reached.
    let record = Record::new(cx, prior.clone(), ClusterPrivate { bundle: Some(bundle.clone()) });
    let observe = |state: &ClusterState| record.cluster(state);
    let cluster = cloud.apply_cluster(&cluster_spec(&site, &plan)?, &claim, Some(&root), &observe).await.map_err(failed)?;
    record.change(|model, _| {
        model.kubernetes_api_allowed_cidrs = plan.kubernetes_api_allowed_cidrs.clone();
        model.talos_api_allowed_cidrs = plan.talos_api_allowed_cidrs.clone();
        model.tags = plan.tags.clone();
        model.tags_all = plan.tags_all.clone();
    });

    // A load balancer that was made again has another address than the one that the state knew.
    let reached = record.current().0;
    let plan = ClusterModel {
        endpoint: reached.endpoint,
        internal_endpoint: reached.internal_endpoint,
        talos_endpoint: reached.talos_endpoint,
        ..plan
    };
    let blueprint = blueprint_of(&plan, &bundle)?;
    let fleet = Fleet { site: &site, cluster: &cluster, blueprint: &blueprint, record: &record, nodes: &nodes };
    fleet.start_stopped(&plan, &mut standing).await?;
    Box::pin(rebuild::rebuild_nodes(&fleet, &plan, &mut standing, cx.deadline)).await?;
    Box::pin(change::change_configs(&fleet, &plan, &standing, cx.deadline)).await?;
    leave::remove_surplus(&fleet, &plan, &standing, cx.deadline).await?;
    leave::forget_lost_members(&fleet, &standing, cx.deadline).await?;
    let left = cloud.machines(&root.id).await.map_err(failed)?;
    let machines = fleet.make_machines(&plan, left, Standing::Stays).await?;
    fleet.serve_control_plane(&machines).await?;
    let settled = async {
        bring_up::settle_new(&fleet, &machines, cx.deadline).await?;
        bring_up::wait_healthy(&fleet, &machines, cx.deadline).await
    };
    Box::pin(fleet.watched(&machines, settled)).await?;
    fleet.serve_ingress(&plan, &machines, prior.ingress.known() == Some(&true)).await?;
    leave::forget_lost_nodes(&fleet, &machines, cx.deadline).await?;
    let nodes = record.current().0.nodes;
    record.change(|model, _| {
        *model =
            ClusterModel { nodes, kubeconfig: plan.kubeconfig.clone(), talosconfig: plan.talosconfig.clone(), ..plan.clone() };
    });
    finish(&record, &plan, &bundle)
}

fn no_secrets(name: &str) -> Diagnostics {
    Diagnostic::error(format!("The secrets of cluster `{name}` are not in its state"))
        .detail(
            "No control-plane machine gives its user data back either, so no node can be reached or made. Nothing was changed. \
             Restore a state file that holds them.",
        )
        .into()
}
