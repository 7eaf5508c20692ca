//! Moving the pods off a node that will go down or away.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::{sync::Mutex, time::Instant};

use super::{
    Error, Progress,
    wait::{Look, some_of, until},
};
use crate::kubernetes::{self, Cluster, Eviction, Pod};

const STEP: &str = "drain";

/// So many pods are asked to leave at one time.
const AT_ONCE: usize = 8;

/// Pods that were told to go and whose node does not answer stay in the API for ever. They are waited for no longer
/// than this, counted from when nothing else is left.
const DEAD_NODE_PODS_WAIT: Duration = Duration::from_mins(1);

/// What a drain left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// The node is cordoned and empty; its object's uid, for [`forget_node`].
    Empty(String),
    /// The node does not answer, and these pods, as `namespace/name`, were told to go but still stand in the API.
    /// With its object's uid.
    Dead(String, Vec<String>),
    /// There is no such Node object.
    NotRegistered,
}

/// Cordons the node and evicts its pods as their disruption budgets allow; waits until they are gone. DaemonSets' pods
/// and static ones stay.
///
/// A node that is not to go away is let in again with [`uncordon`].
pub async fn drain(cluster: &Cluster, node: &str, deadline: Instant, progress: &Progress<'_>) -> Result<Drained, Error> {
    // Since when only pods that were told to go are left on a dead node.
    let only_leaving = &Mutex::new(None::<Instant>);
    until(STEP, deadline, progress, || async move {
        match look(cluster, node, &mut *only_leaving.lock().await).await {
            Ok(look) => Ok(look),
            Err(error) if error.is_transient() => Ok(Look::NotYet(error.to_string())),
            Err(source) => Err(Error::Kubernetes { step: STEP, source }),
        }
    })
    .await
}

async fn look(cluster: &Cluster, name: &str, only_leaving: &mut Option<Instant>) -> Result<Look<Drained>, kubernetes::Error> {
    let Some(node) = cluster.node(name).await? else {
        return Ok(Look::Done(Drained::NotRegistered));
    };
    if !node.unschedulable {
        cluster.cordon(name, true).await?;
    }
    let pods = cluster.pods_to_move(name).await?;
    if pods.is_empty() {
        return Ok(Look::Done(Drained::Empty(node.uid)));
    }
    let (leaving, staying): (Vec<Pod>, Vec<Pod>) = pods.into_iter().partition(|pod| pod.leaving);
    if staying.is_empty() && !node.ready {
        let since = *only_leaving.get_or_insert_with(Instant::now);
        if since.elapsed() >= DEAD_NODE_PODS_WAIT {
            return Ok(Look::Done(Drained::Dead(node.uid, leaving.iter().map(full_name).collect())));
        }
    } else {
        *only_leaving = None;
    }
    let evictions = staying.into_iter().map(|pod| async move {
        let outcome = cluster.evict(&pod).await;
        (pod, outcome)
    });
    let outcomes: Vec<_> = stream::iter(evictions).buffered(AT_ONCE).collect().await;
    let mut left: Vec<String> = leaving.iter().map(|pod| format!("`{}` is leaving", full_name(pod))).collect();
    for (pod, outcome) in outcomes {
        left.push(match outcome {
            Ok(Eviction::Accepted) => format!("`{}` is leaving", full_name(&pod)),
            Ok(Eviction::Blocked(why)) => format!("`{}`: {why}", full_name(&pod)),
            Err(error) if error.is_transient() => format!("`{}`: {error}", full_name(&pod)),
            Err(error) => return Err(error),
        });
    }
    Ok(Look::NotYet(format!("{} pods on `{name}`; {}", left.len(), some_of(&left))))
}

/// Lets pods on a drained node again. A node that is not registered is none to let in.
pub async fn uncordon(cluster: &Cluster, node: &str, deadline: Instant, progress: &Progress<'_>) -> Result<(), Error> {
    const STEP: &str = "uncordon";
    until(STEP, deadline, progress, || async move {
        match cluster.cordon(node, false).await {
            Ok(()) => Ok(Look::Done(())),
            Err(error) if error.code() == Some(404) => Ok(Look::Done(())),
            Err(error) if error.is_transient() => Ok(Look::NotYet(error.to_string())),
            Err(source) => Err(Error::Kubernetes { step: STEP, source }),
        }
    })
    .await
}

fn full_name(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

/// Deletes the Node object of a machine that is gone; with `uid` only that one, since a new machine can bear the same
/// name. Gone already is just as well.
pub async fn forget_node(
    cluster: &Cluster,
    node: &str,
    uid: Option<&str>,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    const STEP: &str = "node removal";
    until(STEP, deadline, progress, || async move {
        match cluster.delete_node(node, uid).await {
            Ok(_) => Ok(Look::Done(())),
            Err(error) if error.is_transient() => Ok(Look::NotYet(error.to_string())),
            Err(source) => Err(Error::Kubernetes { step: STEP, source }),
        }
    })
    .await
}
