//! What has become of a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use clouds::{Cloud, ClusterState, Kind, Machine, MachineStatus};
use talos::client::Clients;
use tf_provider::{Diagnostic, Diagnostics, ReadContext, Value};

use super::desired::node_name;
use super::machines::address;
use super::model::{ClusterModel, Node};
use super::record::{ClusterPrivate, node_of};
use super::render::note_endpoints;
use super::secrets;
use super::site::parse_region_id;
use crate::claims;
use crate::configured::Configured;
use crate::diagnostics;

/// A refresh waits so long for a node, and for all at once.
const NODE_DEADLINE: Duration = Duration::from_secs(5);

/// Reads the cluster's objects and nodes. Health is not looked at: a sick cluster is no other cluster.
pub(super) async fn read(
    cx: &ReadContext<Configured>,
    private: Option<ClusterPrivate>,
    mut state: ClusterModel,
) -> Result<Option<(ClusterModel, Option<ClusterPrivate>)>, Diagnostics> {
    let id = state.id.as_str().unwrap_or_default().to_owned();
    cx.provider.check_row(&id, &state.environment, &Value::Null, None)?;
    let region_id = parse_region_id(&state.region_id)?;
    let connection = cx.provider.cloud(&region_id.place).await?;
    cx.provider.check_row(&id, &state.environment, &state.account_id, Some(&connection))?;
    let cloud = connection.cloud.as_ref();
    let doing = format!("Cannot read cluster `{id}`");
    let failed = |error: clouds::Error| Diagnostics::from(diagnostics::asking(&doing, &error));

    let roots = cloud.roots(Kind::Cluster).await.map_err(failed)?;
    let Some(root) = state.claim.as_str().and_then(|claim| claims::owned(&roots, claim)) else {
        tracing::info!(cluster = id, "no object bears the claim of this row: it is gone");
        return Ok(None);
    };
    let (own, machines) = tokio::try_join!(cloud.read_cluster(&root.id), cloud.machines(&root.id)).map_err(failed)?;
    let Some(own) = own else { return Ok(None) };
    let private = with_secrets(cloud, private, &machines).await;
    if let Some(claim) = state.claim.as_str() {
        cx.provider.saw(claim);
    }
    claims::mark_in_state(cloud, root).await;

    state.status = claims::status(root).into();
    state.security_group_id = own.security_group_id.as_str().into();
    state.tags_all = crate::tags::as_found(&state.tags_all, &own.tags);
    note_endpoints(&mut state, &own);
    note_drift(&mut state, &own);
    state.nodes = nodes(cx, private.as_ref(), &state, &machines).await.into();
    Ok(Some((state, private)))
}

/// Core keeps no private state of an update whose provider was killed: the secrets then come back from where a create would find
/// them. Without them a plan cannot show what an apply does.
async fn with_secrets(cloud: &dyn Cloud, private: Option<ClusterPrivate>, machines: &[Machine]) -> Option<ClusterPrivate> {
    if private.as_ref().is_some_and(|private| private.bundle.is_some()) {
        return private;
    }
    match secrets::read_back(cloud, machines).await {
        Ok(Some(bundle)) => Some(ClusterPrivate { bundle: Some(bundle) }),
        Ok(None) => private,
        Err(problem) => {
            for diagnostic in problem {
                tracing::warn!(%diagnostic, "the secrets, which the state lacks, cannot be read back");
            }
            private
        }
    }
}

/// What others have changed in a finished cluster. Where its API load balancer is gone, so are the endpoints: the next one has
/// another address.
fn note_drift(state: &mut ClusterModel, own: &ClusterState) {
    if state.status.as_str() != Some(claims::READY) {
        return;
    }
    state.drift = own.drift.iter().map(|sentence| sentence.as_str().into()).collect::<Vec<_>>().into();
    if own.api_address.is_empty() {
        state.endpoint = Value::Null;
        state.internal_endpoint = Value::Null;
        state.talos_endpoint = Value::Null;
    }
}

/// The rows of the machines that stand: the cloud's facts from the cloud, Talos' version from the node, the rest as known.
async fn nodes(
    cx: &ReadContext<Configured>,
    private: Option<&ClusterPrivate>,
    state: &ClusterModel,
    machines: &[Machine],
) -> BTreeMap<String, Value<Node>> {
    let versions = versions(cx, private, state, machines).await;
    let mut nodes = BTreeMap::new();
    // A machine that somebody stopped is no node: the plan then says that one is missing, and an apply turns it on.
    for machine in machines.iter().filter(|machine| machine.status != MachineStatus::Stopped) {
        let name = node_name(machine.role, &machine.pool, machine.index);
        let known = state.nodes.known().and_then(|nodes| nodes.get(&name)).and_then(Value::known);
        let text = |value: Option<&Value<String>>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let version = versions.get(&machine.id).cloned().unwrap_or_else(|| text(known.map(|node| &node.talos_version)));
        let reboots = known.and_then(|node| node.reboots.known().copied()).unwrap_or(0);
        let mut node = node_of(machine, &version, &text(known.map(|node| &node.config)), reboots);
        // A machine that took another's place has been told nothing yet.
        if known.is_none_or(|node| node.instance_id.as_str() != Some(&machine.id)) {
            node.config = Value::Null;
        }
        nodes.insert(name, node.into());
    }
    nodes
}

/// Talos versions by machine id, of the nodes that answer in time; for the others a warning.
async fn versions(
    cx: &ReadContext<Configured>,
    private: Option<&ClusterPrivate>,
    state: &ClusterModel,
    machines: &[Machine],
) -> BTreeMap<String, String> {
    let Some(bundle) = private.and_then(|private| private.bundle.as_ref()) else { return BTreeMap::new() };
    // An unfinished cluster has nodes that cannot answer yet.
    if state.status.as_str() != Some(claims::READY) {
        return BTreeMap::new();
    }
    let clients = match super::credentials::identity(bundle)
        .and_then(|identity| Clients::new(&identity).map_err(|error| Diagnostics::from(Diagnostic::error(error.to_string()))))
    {
        Ok(clients) => clients,
        Err(problem) => {
            for diagnostic in problem {
                tracing::warn!(%diagnostic, "no node can be asked");
            }
            return BTreeMap::new();
        }
    };
    let by_address: BTreeMap<String, &str> = machines
        .iter()
        .filter(|machine| machine.status != MachineStatus::Stopped)
        .filter_map(|machine| Some((address(machine)?, machine.id.as_str())))
        .collect();
    let answers = clients.each(by_address.keys(), NODE_DEADLINE, |client| async move { client.version().await }).await;
    let mut versions = BTreeMap::new();
    let mut silent = Vec::new();
    for (address, answer) in answers {
        match answer {
            Ok(version) => {
                if let Some(id) = by_address.get(&address) {
                    versions.insert((*id).to_owned(), version.tag);
                }
            }
            Err(error) => silent.push(format!("- {address}: {error}")),
        }
    }
    if !silent.is_empty() {
        let name = state.name.as_str().unwrap_or_default();
        cx.warn(
            Diagnostic::warning(format!("{} of {} nodes of cluster `{name}` do not answer", silent.len(), machines.len()))
                .detail(format!(
                    "Their Talos API was asked for its version; what the state knows of them is kept.\n{}",
                    silent.join("\n")
                )),
        );
    }
    versions
}
