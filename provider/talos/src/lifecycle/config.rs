//! Giving a running node another machine config.

use std::{future::Future, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::{
    Error, Progress,
    wait::{ASK_WITHIN, Look, Patience, until},
};
use crate::{
    client::{self, ApplyMode, Client, Stage},
    yaml::{self, Node, Value},
};

const STEP: &str = "machine config";
const APPLY_WITHIN: Duration = Duration::from_secs(30);

/// A reboot that was ordered and shows no sign of beginning is ordered again after so long.
const REBOOT_BEGINS_WITHIN: Duration = Duration::from_mins(1);

/// How a change takes effect. Which one a change needs depends on what changes and on the Talos version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At once.
    InPlace,
    /// By a reboot. Cordon, drain and quorum are the caller's part.
    Reboot,
}

/// What it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The node runs with that config already.
    Unchanged,
    /// Applied at once; with Talos' warnings.
    Applied(Vec<String>),
    /// Applied by a reboot, which is over; with Talos' warnings.
    Rebooted(Vec<String>),
}

/// Makes `config` (all documents, YAML) the one that the node runs with, and waits until it does. A config that the
/// node would not take is found by a dry run before anything changes.
///
/// Readiness is not waited for: see [`super::wait_machines`].
pub async fn apply_config(
    node: &Client,
    config: &str,
    change: Change,
    deadline: Instant,
    progress: &Progress<'_>,
) -> Result<Outcome, Error> {
    let time = (deadline, progress);
    if insist(time, || async move { runs_with(node, config).await.map(Look::Done) }).await? {
        return Ok(Outcome::Unchanged);
    }
    let warnings = match change {
        Change::InPlace => give(node, config, ApplyMode::NoReboot, time).await?,
        Change::Reboot => {
            let before = insist(time, || async move { node.boot_id().await.map(Look::Done) }).await?;
            let warnings = give(node, config, ApplyMode::Staged, time).await?;
            progress(&format!("{STEP}: `{}` reboots", node.address()));
            reboot(node, &before, time).await?;
            warnings
        }
    };
    wait_config(node, config, deadline, progress).await?;
    Ok(match change {
        Change::InPlace => Outcome::Applied(warnings),
        Change::Reboot => Outcome::Rebooted(warnings),
    })
}

/// Leaves `config` on the node's disk for its next boot, for nodes that are rebooted by other means than their API: Talos in a
/// container refuses to reboot. [`wait_config`] tells when it runs.
pub async fn stage_config(node: &Client, config: &str, deadline: Instant, progress: &Progress<'_>) -> Result<(), Error> {
    give(node, config, ApplyMode::Staged, (deadline, progress)).await.map(drop)
}

/// Waits until the node runs with this config.
pub async fn wait_config(node: &Client, config: &str, deadline: Instant, progress: &Progress<'_>) -> Result<(), Error> {
    insist((deadline, progress), || async move {
        if runs_with(node, config).await? {
            return Ok(Look::Done(()));
        }
        Ok(Look::NotYet(format!("`{}` does not run with the new one yet", node.address())))
    })
    .await
}

/// Hands a config over, after a dry run; Talos' warnings.
async fn give(node: &Client, config: &str, mode: ApplyMode, time: (Instant, &Progress<'_>)) -> Result<Vec<String>, Error> {
    let patient = &node.with_deadline(APPLY_WITHIN);
    insist(time, || async move { patient.try_configuration(config, mode).await.map(Look::Done) }).await?;
    // Applying the same config twice is harmless, so a lost answer is asked for again.
    let applied = insist(time, || async move { patient.apply_configuration(config, mode).await.map(Look::Done) }).await?;
    Ok(applied.warnings)
}

/// Orders a reboot and waits until the node answers from another boot than `before`.
async fn reboot(node: &Client, before: &str, time: (Instant, &Progress<'_>)) -> Result<(), Error> {
    let ordered = &Mutex::new(None::<Instant>);
    insist(time, || async move {
        let looker = node.with_deadline(ASK_WITHIN);
        if looker.boot_id().await? != before {
            return Ok(Look::Done(()));
        }
        let mut ordered = ordered.lock().await;
        let overdue = ordered.is_none_or(|at| at.elapsed() > REBOOT_BEGINS_WITHIN);
        if overdue && looker.machine_status().await?.stage != Stage::Rebooting {
            node.reboot().await?;
            *ordered = Some(Instant::now());
        }
        Ok(Look::NotYet(format!("`{}` goes down", node.address())))
    })
    .await
}

/// Asks the node until it answers with what is looked for; what passes by itself is borne with, such as a connection
/// that breaks or another application under way.
async fn insist<T, F>((deadline, progress): (Instant, &Progress<'_>), ask: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<Look<T>, client::Error>>,
{
    let patience = &Mutex::new(Patience::default());
    let ask = &ask;
    until(STEP, deadline, progress, || async move {
        match ask().await {
            Ok(look) => Ok(look),
            Err(error) => match patience.lock().await.bear(error) {
                Ok(error) => Ok(Look::NotYet(error.to_string())),
                Err(source) => Err(Error::Node { step: STEP, source }),
            },
        }
    })
    .await
}

/// Whether the node runs with this config: the same text, or the same documents written otherwise.
async fn runs_with(node: &Client, config: &str) -> Result<bool, client::Error> {
    let running = node.machine_config().await?;
    Ok(same(&running.yaml, config))
}

/// The same documents, however they are ordered within, commented and quoted. A text that is no YAML equals nothing else.
fn same(one: &str, other: &str) -> bool {
    one == other
        || matches!((yaml::parse(one), yaml::parse(other)), (Ok(one), Ok(other))
            if one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same_node(one, other)))
}

fn same_node(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        // Talos gives a scalar the type of its field, so `1` and `"1"` are one value there; null is not `"null"`.
        (Value::Scalar(a), Value::Scalar(b)) => one.is_null() == other.is_null() && (one.is_null() || a.text == b.text),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_node(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|entry| other.get(&entry.key).is_some_and(|value| same_node(&entry.value, value)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn comments_order_and_quotes_make_no_other_config() {
        assert!(same("a: 1\nb: {c: x}\n---\nkind: K\n", "# words\nb:\n    c: \"x\"\na: 1\n---\nkind: K\n"));
    }

    #[test]
    fn another_value_or_document_does() {
        assert!(!same("a: 1\n", "a: 2\n"));
        assert!(!same("a: 1\n", "a: 1\n---\nkind: K\n"));
        assert!(!same("a: null\n", "a: \"null\"\n"));
        assert!(!same("a: [x, y]\n", "a: [y, x]\n"));
        assert!(!same("a: {b: c}\n", "a: {b: c, d: e}\n"));
    }
}
