//! Who has etcd data, whose machine is gone, and taking out the members of those.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Error, Progress,
    etcd::{lists, majority, others},
    wait::{ASK_WITHIN, Look, some_of, until},
};
use crate::client::{Clients, ErrorKind, EtcdMember};

/// Whether etcd has never started on any of these nodes: all wait to be bootstrapped or to join.
///
/// For the one case in which another node may be bootstrapped than the one that was chosen first: that one is gone.
/// Every node must answer, and say so in two looks: a node that starts with data of an earlier boot waits for a moment too.
pub async fn etcd_is_unborn(
    clients: &Clients,
    control_plane: &[String],
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<bool, Error> {
    const STEP: &str = "etcd data";
    const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
    for look in 0..2 {
        if look > 0 {
            sleep(BETWEEN_LOOKS).await;
        }
        let unborn = until(STEP, deadline, progress, || async move {
            let states =
                clients
                    .each(control_plane, ASK_WITHIN, |node| async move {
                        Ok((node.etcd_member_id().await?, node.service_list().await?))
                    })
                    .await;
            let mut undecided = Vec::new();
            for (address, state) in states {
                match state {
                    Err(error) => undecided.push(error.to_string()),
                    Ok((Some(_), _)) => return Ok(Look::Done(false)),
                    Ok((None, services)) => match services.into_iter().find(|service| service.id == "etcd") {
                        // What Talos shows while it waits to be told.
                        Some(etcd) if etcd.state == "Preparing" && etcd.message == "Running pre state" => {}
                        Some(etcd) if ["Running", "Stopping", "Finished"].contains(&etcd.state.as_str()) => {
                            return Ok(Look::Done(false));
                        }
                        Some(etcd) => undecided.push(format!("`{address}`: etcd is {}: {}", etcd.state, etcd.message)),
                        None => undecided.push(format!("`{address}`: it has no etcd service yet")),
                    },
                }
            }
            Ok(if undecided.is_empty() { Look::Done(true) } else { Look::NotYet(some_of(&undecided)) })
        })
        .await?;
        if !unborn {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Members that belong to none of the nodes: those of machines that are gone. Every node must answer, since a member
/// that is taken for stale will be removed.
pub async fn stale_members(
    clients: &Clients,
    control_plane: &[String],
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<Vec<EtcdMember>, Error> {
    const STEP: &str = "etcd members";
    until(STEP, deadline, progress, || async move {
        let own = clients.each(control_plane, ASK_WITHIN, |node| async move { node.etcd_member_id().await }).await;
        let mut ids = BTreeSet::new();
        for answer in own.into_values() {
            match answer {
                Ok(id) => ids.extend(id),
                Err(error) => return Ok(Look::NotYet(error.to_string())),
            }
        }
        let lists = lists(clients, control_plane).await;
        let listed: Vec<Vec<EtcdMember>> = lists.into_values().filter_map(Result::ok).collect();
        let Some(list) = listed.first() else {
            return Ok(Look::NotYet("no node lists members".to_owned()));
        };
        if listed.iter().any(|other| other != list) {
            return Ok(Look::NotYet("the nodes list different members".to_owned()));
        }
        // A member that is starting stands on the list before its node knows its id.
        if list.iter().any(|member| member.name.is_empty()) && ids.len() < control_plane.len() {
            return Ok(Look::NotYet("a member has not started".to_owned()));
        }
        Ok(Look::Done(list.iter().filter(|member| !ids.contains(&member.id)).cloned().collect()))
    })
    .await
}

/// Removes the member of a machine that is gone, and waits until no node lists it. `control_plane` are the nodes that live.
pub async fn remove_member(
    clients: &Clients,
    control_plane: &[String],
    id: u64,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    const STEP: &str = "etcd removal";
    const REMOVE_WITHIN: Duration = Duration::from_secs(15);
    until(STEP, deadline, progress, || async move {
        let others = match others(clients, control_plane, "").await {
            Ok(others) => others,
            Err(why) => return Ok(Look::NotYet(why)),
        };
        let Some(member) = others.members.iter().find(|member| member.id == id) else {
            return Ok(Look::Done(()));
        };
        let left = others.voters() - usize::from(!member.learner);
        let needed = majority(left);
        if others.healthy < needed {
            return Ok(Look::NotYet(format!("{} of {left} voters are healthy, and {needed} are needed", others.healthy)));
        }
        let mut refusals = Vec::new();
        for address in control_plane {
            match clients.node(address).with_deadline(REMOVE_WITHIN).etcd_remove_member(id).await {
                Ok(()) => {
                    return Ok(Look::NotYet(format!("member {id:016x} is removed, and still on a list")));
                }
                Err(error) if matches!(error.kind, ErrorKind::NotFound(_)) => {
                    return Ok(Look::NotYet(format!("member {id:016x} is gone, and still on a list")));
                }
                Err(error) if error.is_transient() => refusals.push(error.to_string()),
                Err(source) => return Err(Error::Node { step: STEP, source }),
            }
        }
        Ok(Look::NotYet(some_of(&refusals)))
    })
    .await
}
