//! Making a cluster, from nothing or from what an earlier create left.

use std::collections::BTreeMap;

use clouds::{Claim, ClusterSpec, ClusterState, Kind, Mark, Root};
use tf_provider::{ApplyContext, Diagnostic, Diagnostics, Value, path};

use super::bring_up::{self, Begun};
use super::desired::strings;
use super::fleet::{Fleet, wanted};
use super::make::Standing;
use super::model::ClusterModel;
use super::record::{ClusterPrivate, Record};
use super::render::Blueprint;
use super::site::Site;
use super::{ClusterResource, credentials, secrets};
use crate::claims::{self, Decision};
use crate::diagnostics;

/// Everybody; the APIs behind it admit certificates only.
pub(super) const EVERYBODY: &str = "0.0.0.0/0";

/// Makes the cluster, or goes on from an unfinished one.
pub(super) async fn create(
    cx: &ApplyContext<ClusterResource>,
    plan: ClusterModel,
) -> Result<(ClusterModel, ClusterPrivate), Diagnostics> {
    let nodes = wanted(&plan)?;
    let site = Site::open(&cx.provider, &plan.region_id).await?;
    check_ranges(&site, &plan)?;
    let name = plan.name.as_str().unwrap_or_default().to_owned();
    let cloud = site.cloud.as_ref();
    let doing = format!("Cannot make cluster `{name}`");
    let failed = |error: clouds::Error| Diagnostics::from(diagnostics::cloud(&doing, &error));

    let roots = cloud.roots(Kind::Cluster).await.map_err(failed)?;
    let claim = Claim::random();
    let root = match claims::decide(&roots, &site.scope(), &name) {
        Decision::InState(root) => return Err(claims::held_by_a_state(root, &site.cluster_id(&name).long()).into()),
        Decision::New => None,
        Decision::TakeUp { root, surplus } => {
            claims::take_up(cloud, root, &surplus, &claim).await?;
            Some(Root { claim: Some(claim.clone()), ..root.clone() })
        }
    };

    let record = Record::new(cx, begun(&site, &claim, &plan), ClusterPrivate::default());
    if let Some(root) = &root {
        record.cluster(&ClusterState { security_group_id: root.id.clone(), ..ClusterState::default() });
    }
    let standing = match &root {
        Some(root) => cloud.machines(&root.id).await.map_err(failed)?,
        None => Vec::new(),
    };
    let begun_when = if standing.is_empty() { Begun::Now } else { Begun::Before };
    let spec = cluster_spec(&site, &plan)?;
    let observe = |state: &ClusterState| record.cluster(state);
    let own_objects = async { cloud.apply_cluster(&spec, &claim, root.as_ref(), &observe).await.map_err(failed) };
    let bundle = async {
        match secrets::read_back(cloud, &standing).await? {
            Some(bundle) => Ok(bundle),
            None => secrets::generate(contract(&plan)?).await,
        }
    };
    let (cluster, bundle) = tokio::try_join!(own_objects, bundle)?;
    record.change(|_, private| private.bundle = Some(bundle.clone()));

    let blueprint = blueprint_of(&record.current().0, &bundle)?;
    let fleet = Fleet { site: &site, cluster: &cluster, blueprint: &blueprint, record: &record, nodes: &nodes };
    let machines = fleet.make_machines(&plan, standing, Standing::MustFit).await?;
    fleet.serve_control_plane(&machines).await?;
    Box::pin(fleet.watched(&machines, bring_up::start(&fleet, &machines, begun_when, cx.deadline))).await?;
    fleet.serve_ingress(&plan, &machines, false).await?;

    let finished = cloud.roots(Kind::Cluster).await.map_err(failed)?;
    let root = claims::owned(&finished, &claim.0).ok_or_else(|| taken(&name))?;
    cloud.mark(root, &Mark::Finished).await.map_err(failed)?;
    finish(&record, &plan, &bundle)
}

/// The row at the beginning: the plan, unfinished, with no node yet.
fn begun(site: &Site, claim: &Claim, plan: &ClusterModel) -> ClusterModel {
    ClusterModel {
        status: claims::UNFINISHED.into(),
        claim: claim.0.as_str().into(),
        id: site.cluster_id(plan.name.as_str().unwrap_or_default()).to_string().into(),
        environment: site.region_id.environment.as_str().into(),
        account_id: site.account_id.as_str().into(),
        provider_type: site.region_id.place.provider_type.as_str().into(),
        provider_region: site.region_id.place.provider_region.as_str().into(),
        config_contract: plan.talos_version.clone(),
        drift: Value::Known(Vec::new()),
        nodes: BTreeMap::new().into(),
        ..plan.clone()
    }
}

/// The row at the end: ready, with credentials where they are wanted.
pub(super) fn finish(
    record: &Record<'_>,
    plan: &ClusterModel,
    bundle: &talos::secrets::Bundle,
) -> Result<(ClusterModel, ClusterPrivate), Diagnostics> {
    let (mut model, private) = record.current();
    model.status = claims::READY.into();
    if plan.credentials_in_state.known() == Some(&false) {
        model.kubeconfig = Value::Null;
        model.talosconfig = Value::Null;
    } else if !model.kubeconfig.is_known() || !model.talosconfig.is_known() {
        let (kubeconfig, talosconfig) = credentials::for_row(&model, bundle)?;
        model.kubeconfig = kubeconfig.into();
        model.talosconfig = talosconfig.into();
    }
    Ok((model, private))
}

/// The plan could not compare with a network that did not exist then.
fn check_ranges(site: &Site, plan: &ClusterModel) -> Result<(), Diagnostics> {
    let Some(network) = site.region.cidr.map(|cidr| cidr.to_string()) else { return Ok(()) };
    for (attribute, range) in [("pod_cidr", &plan.pod_cidr), ("service_cidr", &plan.service_cidr)] {
        let Some(range) = range.as_str() else { continue };
        super::checks::disjoint(&[(&format!("`{attribute}`"), range), ("the region's network", &network)]).map_err(
            |problem| {
                Diagnostic::error("Address ranges meet")
                    .detail(format!("{problem}. Nothing was made."))
                    .at(tf_provider::Path::root().attribute(attribute))
            },
        )?;
    }
    Ok(())
}

fn contract(plan: &ClusterModel) -> Result<talos::version::TalosVersion, Diagnostics> {
    talos::version::TalosVersion::parse(plan.talos_version.as_str().unwrap_or_default())
        .map_err(|error| Diagnostic::error(error.to_string()).at(path!("talos_version")).into())
}

pub(super) fn blueprint_of<'a>(model: &ClusterModel, bundle: &'a talos::secrets::Bundle) -> Result<Blueprint<'a>, Diagnostics> {
    Blueprint::facts(model).map(|facts| facts.with_bundle(bundle)).ok_or_else(|| {
        Diagnostic::error("The cluster's row lacks what machine configs are made of")
            .detail("This is a mistake of the provider: please report it, with the versions in use.")
            .into()
    })
}

/// The cluster's own objects as the plan wants them.
pub(super) fn cluster_spec(site: &Site, plan: &ClusterModel) -> Result<ClusterSpec, Diagnostics> {
    let cidrs = |list: &Value<Vec<Value<String>>>| -> Result<Vec<ipnet::Ipv4Net>, Diagnostics> {
        let texts = strings(list).unwrap_or_default();
        let texts = if list.is_null() { vec![EVERYBODY.to_owned()] } else { texts };
        texts.iter().map(|text| crate::networks::parse(text).map_err(|problem| Diagnostic::error(problem).into())).collect()
    };
    Ok(ClusterSpec {
        scope: site.scope(),
        name: plan.name.as_str().unwrap_or_default().to_owned(),
        region: site.region.clone(),
        kubernetes_api_allowed_cidrs: cidrs(&plan.kubernetes_api_allowed_cidrs)?,
        talos_api_allowed_cidrs: cidrs(&plan.talos_api_allowed_cidrs)?,
        tags: crate::tags::plain(&plan.tags_all).unwrap_or_default(),
    })
}

pub(super) fn taken(name: &str) -> Diagnostics {
    Diagnostic::error(format!("Cluster `{name}` was taken up by another run"))
        .detail("Its objects bear another claim now, so two runs work on one cluster. Let the other one end, then plan again.")
        .into()
}
