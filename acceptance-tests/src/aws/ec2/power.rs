//! StopInstances and StartInstances.

use std::sync::Arc;

use super::super::Cloud;
use super::super::answer::{Answer, Refusal};
use super::super::request::Request;
use super::super::visibility;
use super::super::xml::Element;
use super::instances::Phase;

/// StopInstances: `stopping` at once, `stopped` after the time that a shutdown takes; the public address goes.
pub(crate) fn stop(cloud: &Arc<Cloud>, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let (answer, changed) = turn(cloud, request, account, "stopped", |phase| match phase {
        Phase::Running => Some(Phase::Stopping),
        Phase::Stopping | Phase::Stopped => Some(phase),
        _ => None,
    })?;
    for id in changed {
        cloud.host.stopped(&id);
        cloud.later(cloud.config.timing.instance_shutdown, |cloud| async move {
            if let Some(instance) = cloud.state().instances.get_mut(&id)
                && instance.phase == Phase::Stopping
            {
                instance.phase = Phase::Stopped;
            }
        });
    }
    Ok(answer)
}

/// StartInstances: `pending` at once, `running` after its time, with its disks as they were.
pub(crate) fn start(cloud: &Arc<Cloud>, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let (answer, changed) = turn(cloud, request, account, "started", |phase| match phase {
        Phase::Stopped => Some(Phase::Pending),
        Phase::Pending | Phase::Running => Some(phase),
        _ => None,
    })?;
    for id in changed {
        cloud.later(cloud.config.timing.instance_pending, |cloud| async move {
            let mut state = cloud.state();
            let Some(instance) = state.instances.get_mut(&id) else { return };
            if instance.phase == Phase::Pending {
                instance.phase = Phase::Running;
                cloud.host.restarted(&id);
            }
        });
    }
    Ok(answer)
}

/// Changes the phase of all instances of a request, or of none; tells which changed.
fn turn(
    cloud: &Cloud,
    request: &Request,
    account: &str,
    what: &str,
    next: impl Fn(Phase) -> Option<Phase>,
) -> Result<(Answer, Vec<String>), Refusal> {
    let ids: Vec<String> = request.parameters.list("InstanceId").into_iter().map(str::to_owned).collect();
    let mut state = cloud.state();
    for id in &ids {
        let instance = state
            .instances
            .get(id)
            .filter(|instance| instance.region == request.region && instance.account == account)
            .ok_or_else(|| visibility::not_found(id))?;
        if next(instance.phase).is_none() {
            return Err(Refusal::new(
                "IncorrectInstanceState",
                format!("The instance '{id}' is not in a state from which it can be {what}."),
            ));
        }
    }
    let mut set = Element::new("instancesSet");
    let mut changed = Vec::new();
    for id in ids {
        let Some(instance) = state.instances.get_mut(&id) else { continue };
        let before = instance.phase;
        instance.phase = next(before).unwrap_or(before);
        set.push(
            Element::new("item")
                .leaf("instanceId", &id)
                .node(instance.phase.state("currentState"))
                .node(before.state("previousState")),
        );
        if instance.phase != before {
            changed.push(id);
        }
    }
    Ok((Answer::xml(&Element::new(&format!("{}Response", request.action)).leaf("requestId", "sandbox").node(set)), changed))
}
