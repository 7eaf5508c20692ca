//! Machines that are up by Talos' own measure.

use tokio::time::Instant;

use super::{
    Error, Progress,
    wait::{Look, Passed, every},
};
use crate::client::{Clients, MachineStatus, Stage};

/// How much readiness is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// All of Talos' checks pass, the Kubernetes node's readiness among them: for configs that bring a CNI.
    WithNode,
    /// The node need only be registered: without a CNI it never gets ready.
    WithoutNode,
}

/// Waits until every machine is running and ready, all in one look.
///
/// A control-plane node is not before etcd is bootstrapped and lists it as a member.
pub async fn wait_machines(
    clients: &Clients,
    nodes: &[String],
    ready: Ready,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    every("machines", clients, nodes, Passed::MayChange, (deadline, progress), |node| async move {
        let status = node.machine_status().await?;
        Ok(match in_the_way(&status, ready) {
            None => Look::Done(()),
            Some(why) => Look::NotYet(why),
        })
    })
    .await
    .map(drop)
}

/// What keeps a machine from counting as ready. Talos' `ready` alone does not tell: a rebooting machine can be ready.
fn in_the_way(status: &MachineStatus, ready: Ready) -> Option<String> {
    if status.stage != Stage::Running {
        return Some(format!("{:?}", status.stage).to_lowercase());
    }
    let unmet: Vec<String> = status
        .unmet
        .iter()
        // `is not ready`, not `status is not available yet`: that one is not registered.
        .filter(|unmet| !(ready == Ready::WithoutNode && unmet.name == "nodeReady" && unmet.reason.ends_with("is not ready")))
        .map(|unmet| format!("{}: {}", unmet.name, unmet.reason))
        .collect();
    match unmet.is_empty() {
        true if status.ready || !status.unmet.is_empty() => None,
        true => Some("not ready".to_owned()),
        false => Some(unmet.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::UnmetCondition;

    fn status(stage: Stage, ready: bool, unmet: &[(&str, &str)]) -> MachineStatus {
        let unmet = unmet.iter().map(|(name, reason)| UnmetCondition { name: (*name).to_owned(), reason: (*reason).to_owned() });
        MachineStatus { stage, ready, unmet: unmet.collect() }
    }

    #[test]
    fn running_and_ready_counts() {
        let up = status(Stage::Running, true, &[]);
        assert_eq!(in_the_way(&up, Ready::WithNode), None);
        assert_eq!(in_the_way(&up, Ready::WithoutNode), None);
    }

    #[test]
    fn a_rebooting_machine_that_says_ready_does_not() {
        assert_eq!(in_the_way(&status(Stage::Rebooting, true, &[]), Ready::WithNode), Some("rebooting".to_owned()));
    }

    #[test]
    fn a_node_that_waits_for_its_cni_counts_where_none_comes() {
        let waits = status(Stage::Running, false, &[("nodeReady", "node \"g3\" is not ready")]);
        assert!(in_the_way(&waits, Ready::WithNode).is_some());
        assert_eq!(in_the_way(&waits, Ready::WithoutNode), None);
    }

    #[test]
    fn a_node_that_is_not_registered_never_counts() {
        let unregistered = status(Stage::Running, false, &[("nodeReady", "node \"g1\" status is not available yet")]);
        assert!(in_the_way(&unregistered, Ready::WithoutNode).is_some());
    }

    #[test]
    fn a_control_plane_node_before_bootstrap_does_not_count() {
        let waiting =
            status(Stage::Running, false, &[("services", "etcd not running"), ("nodeReady", "node \"g1\" is not ready")]);
        assert_eq!(in_the_way(&waiting, Ready::WithoutNode), Some("services: etcd not running".to_owned()));
    }
}
