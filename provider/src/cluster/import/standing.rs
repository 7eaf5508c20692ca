//! The nodes of a cluster that stands, and what each of them runs with.

use std::collections::BTreeMap;
use std::time::Duration;

use clouds::{Cloud, Machine, MachineRole, MachineStatus};
use futures_util::future::join_all;
use talos::client::Clients;
use talos::config::MachineConfig;
use talos::secrets::Bundle;
use talos::version::TalosVersion;
use tf_provider::{Diagnostic, Diagnostics, ReadContext};
use zeroize::Zeroizing;

use super::super::credentials;
use super::super::machines::address;
use super::super::secrets::CONTRACT_TAG;
use crate::configured::Configured;
use crate::ids::MemberId;

/// A node has so long for each question.
const ASK_WITHIN: Duration = Duration::from_secs(10);

/// A node.
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) machine: Machine,
    /// What it runs with or, where it does not answer, what it booted from; `None` where neither can be read.
    pub(super) config: Option<MachineConfig>,
    /// Whether the node itself has told its config: what it booted from lacks what was changed since, and inline manifests that
    /// were too large.
    pub(super) live: bool,
    /// The Talos that it runs, where it answers.
    pub(super) version: Option<String>,
}

/// All nodes, ordered by role, pool and index.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Standing>,
    /// The Talos that the control plane runs.
    pub(super) version: TalosVersion,
    pub(super) version_text: String,
    /// The config contract.
    pub(super) contract: String,
}

impl Cluster {
    /// For the control plane and each pool the node that says most of its config.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Standing> {
        let mut samples: BTreeMap<(MachineRole, &str), &Standing> = BTreeMap::new();
        for node in &self.nodes {
            let worth = |node: &Standing| (node.config.is_some(), node.live);
            let best = samples.entry((node.machine.role, node.machine.pool.as_str())).or_insert(node);
            if worth(node) > worth(best) {
                *best = node;
            }
        }
        samples.into_values()
    }

    /// The node that stands for the control plane.
    pub(super) fn control_plane(&self) -> Option<&Standing> {
        self.samples().find(|node| node.machine.role == MachineRole::ControlPlane)
    }
}

/// Asks all nodes at once; for those that are silent, reads what they booted from.
pub(super) async fn ask(
    cx: &ReadContext<Configured>,
    cloud: &dyn Cloud,
    bundle: &Bundle,
    id: &MemberId,
    machines: Vec<Machine>,
) -> Result<Cluster, Diagnostics> {
    let clients = Clients::new(&credentials::identity(bundle)?).map_err(|error| credentials::unusable(&error.to_string()))?;
    let addresses = machines.iter().filter(|machine| machine.status == MachineStatus::Running).filter_map(address);
    let mut answers =
        clients
            .each(addresses, ASK_WITHIN, |client| async move {
                Ok((client.version().await?.tag, client.machine_config().await?.yaml))
            })
            .await;
    let mut silent = Vec::new();
    let mut told = Vec::new();
    for machine in machines {
        let answer = address(&machine).and_then(|address| answers.remove(&address));
        let answer = match answer {
            Some(Ok(answer)) => Some(answer),
            Some(Err(error)) => {
                silent.push(format!("- `{}`: {error}", Standing::name_of(&machine)));
                None
            }
            None => {
                silent.push(format!("- `{}`: its machine does not run, or has no address", Standing::name_of(&machine)));
                None
            }
        };
        told.push((machine, answer));
    }
    if !silent.is_empty() {
        cx.warn(
            Diagnostic::warning(format!("{} of {} nodes of cluster `{id}` do not answer", silent.len(), told.len()))
                .detail(format!("What they booted from stands for what they run with.\n{}", silent.join("\n"))),
        );
    }
    let booted = join_all(told.iter().map(|(machine, answer)| booted_from(cloud, machine, answer.is_some()))).await;
    let (version, version_text, contract) = versions(id, &told)?;
    let mut nodes = Vec::new();
    for ((machine, answer), booted) in told.into_iter().zip(booted) {
        let name = Standing::name_of(&machine);
        let live = answer.is_some();
        let (node_version, text) = match answer {
            Some((version, yaml)) => (Some(version), Some(yaml)),
            None => (None, booted),
        };
        let config = match text.map(|text| MachineConfig::parse(&text, &version)) {
            Some(Ok(config)) => Some(config),
            Some(Err(error)) if live => return Err(unreadable(&name, &version, &error.to_string())),
            _ => None,
        };
        nodes.push(Standing { name, machine, config, live, version: node_version });
    }
    Ok(Cluster { nodes, version, version_text, contract })
}

/// A refusal is as good as nothing: whatever the node's own answer does not say is then not known.
async fn booted_from(cloud: &dyn Cloud, machine: &Machine, answers: bool) -> Option<Zeroizing<String>> {
    if answers {
        return None;
    }
    match cloud.user_data(&machine.id).await {
        Ok(data) => data.and_then(|data| std::str::from_utf8(&data).ok().map(|text| Zeroizing::new(text.to_owned()))),
        Err(error) => {
            tracing::warn!(machine = machine.id, %error, "the user data cannot be read");
            None
        }
    }
}

type Told = (Machine, Option<(String, Zeroizing<String>)>);

/// The Talos of the control plane, as it says itself, else as it was made; and the contract, which is the Talos that it was made with.
fn versions(id: &MemberId, told: &[Told]) -> Result<(TalosVersion, String, String), Diagnostics> {
    let control_plane = || told.iter().filter(|(machine, _)| machine.role == MachineRole::ControlPlane);
    let running = control_plane().find_map(|(_, answer)| answer.as_ref().map(|(version, _)| version.clone()));
    let made_with = control_plane().find_map(|(machine, _)| machine.tags.get(CONTRACT_TAG).cloned());
    let Some(text) = running.or_else(|| made_with.clone()) else {
        return Err(Diagnostic::error(format!("The Talos version of cluster `{id}` cannot be read back"))
            .detail(format!(
                "No control-plane node answers, and no control-plane machine bears the tag `{CONTRACT_TAG}`. Let this machine reach the \
                 nodes' port 50000, and import again. Nothing was changed."
            ))
            .into());
    };
    let version = TalosVersion::parse(&text)
        .map_err(|error| Diagnostic::error(format!("Cluster `{id}` cannot be imported")).detail(error.to_string()))?;
    let contract = made_with.unwrap_or_else(|| text.clone());
    Ok((version, text, contract))
}

fn unreadable(node: &str, version: &TalosVersion, why: &str) -> Diagnostics {
    Diagnostic::error(format!("The machine config of node `{node}` cannot be read"))
        .detail(format!("It runs with what Talos {version} does not know: {why}. Nothing was changed."))
        .into()
}
