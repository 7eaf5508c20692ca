//! A control-plane node's way out of etcd.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Error, Progress,
    etcd::{majority, others},
    wait::{ASK_WITHIN, Look, until},
};
use crate::client::{self, Client, Clients, ErrorKind, EtcdMember};

const STEP: &str = "etcd leave";

/// Talos stops etcd and wipes its data before it answers.
const LEAVE_WITHIN: Duration = Duration::from_secs(30);

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// This call.
    Now,
    /// It was no member when the call came.
    Before,
}

/// Takes the node at `leaving` out of etcd: waits until the others keep quorum without it, moves the leadership, lets it
/// leave, and waits until no other node lists it. `control_plane` are all control-plane nodes' addresses.
///
/// The last member cannot leave. A machine that no longer answers is for [`super::remove_member`].
pub async fn leave_etcd(
    clients: &Clients,
    control_plane: &[String],
    leaving: &str,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<Left, Error> {
    if control_plane.iter().all(|address| address == leaving) {
        return Err(Error::Refused {
            step: STEP,
            node: leaving.to_owned(),
            reason: "it is the only control-plane node, and the last etcd member cannot leave: destroy the cluster instead"
                .to_owned(),
        });
    }
    let node = &clients.node(leaving);
    // Known once, it is looked for on the lists also after the node forgot it.
    let own = &tokio::sync::Mutex::new(None);
    until(STEP, deadline, progress, || async move {
        let others = match others(clients, control_plane, leaving).await {
            Ok(others) => others,
            Err(why) => return Ok(Look::NotYet(why)),
        };
        let mut own = own.lock().await;
        if own.is_none() {
            *own = match member_of(node, &others.members).await {
                Ok(Some(id)) => Some(id),
                Ok(None) => return Ok(Look::Done(Left::Before)),
                Err(error) if error.is_transient() => return Ok(Look::NotYet(error.to_string())),
                Err(source) => return Err(Error::Node { step: STEP, source }),
            };
        }
        let Some(member) = others.members.iter().find(|member| Some(member.id) == *own) else {
            return Ok(Look::Done(Left::Now));
        };
        let remaining = others.voters() - usize::from(!member.learner);
        let needed = majority(remaining);
        if others.healthy < needed {
            let healthy = others.healthy;
            return Ok(Look::NotYet(format!(
                "without `{leaving}`, {healthy} of {remaining} voters are healthy, and {needed} are needed"
            )));
        }
        match ask_to_leave(node).await {
            Ok(()) => Ok(Look::NotYet(format!("`{leaving}` has left; the others' lists follow"))),
            Err(error) if error.is_transient() => Ok(Look::NotYet(error.to_string())),
            Err(source) => Err(Error::Node { step: STEP, source }),
        }
    })
    .await
}

/// The node's member on the others' list; by its name where its own etcd is not up to say its id.
async fn member_of(node: &Client, listed: &[EtcdMember]) -> Result<Option<u64>, client::Error> {
    let node = node.with_deadline(ASK_WITHIN);
    if let Some(id) = node.etcd_member_id().await? {
        return Ok(listed.iter().any(|member| member.id == id).then_some(id));
    }
    let name = node.hostname().await?;
    Ok(listed.iter().find(|member| member.name == name).map(|member| member.id))
}

async fn ask_to_leave(node: &Client) -> Result<(), client::Error> {
    let status = node.with_deadline(ASK_WITHIN).etcd_status().await?;
    if status.leader == status.member {
        node.with_deadline(LEAVE_WITHIN).etcd_forfeit_leadership().await?;
    }
    match node.with_deadline(LEAVE_WITHIN).etcd_leave_cluster().await {
        // What it answers where it is no member any more.
        Err(error) if matches!(error.kind, ErrorKind::NotFound(_)) => Ok(()),
        other => other,
    }
}
