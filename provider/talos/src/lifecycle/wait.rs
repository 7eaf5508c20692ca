//! Looking again until it is so: the pace, the deadline, and which answers end the waiting.

use std::{collections::BTreeMap, future::Future, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Error, Progress};
use crate::client::{self, Client, Clients, ErrorKind};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// One question to one node in a round.
pub(super) const ASK_WITHIN: Duration = Duration::from_secs(5);

/// How long a refused certificate is borne with: a node whose clock is not set yet shows one that is not valid yet, and
/// an address can still belong to a machine that is going away.
const REFUSALS_BORNE_FOR: Duration = Duration::from_secs(30);

/// What a look found.
pub(super) enum Look<T> {
    /// It is so.
    Done(T),
    /// Not yet, because of this.
    NotYet(String),
}

/// Looks again and again. Between looks it waits a little longer each time, and starts anew when something changed.
pub(super) async fn until<T, F>(
    step: &'static str,
    deadline: Instant,
    progress: &Progress<'_>,
    mut look: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<Look<T>, Error>>,
{
    let began = Instant::now();
    let mut seen = String::new();
    let mut pause = FIRST_PAUSE;
    loop {
        match timeout_at(deadline, look()).await {
            Ok(Ok(Look::Done(found))) => return Ok(found),
            Ok(Ok(Look::NotYet(now))) => {
                if now != seen {
                    progress(&format!("{step}: {now}"));
                    seen = now;
                    pause = FIRST_PAUSE;
                }
            }
            Ok(Err(error)) => return Err(error),
            Err(_) if seen.is_empty() => "no answer".clone_into(&mut seen),
            Err(_) => {}
        }
        let wake = Instant::now() + pause.mul_f64(rand::random_range(0.8..1.2));
        if wake >= deadline {
            return Err(Error::Deadline { step, waited: began.elapsed(), seen });
        }
        sleep_until(wake).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Whether a node's answer ends a wait, and since when refusals have been seen.
#[derive(Default)]
pub(super) struct Patience {
    refused_since: BTreeMap<String, Instant>,
}

impl Patience {
    /// The error back where waiting does not mend it.
    pub(super) fn bear(&mut self, error: client::Error) -> Result<client::Error, client::Error> {
        match &error.kind {
            ErrorKind::TlsRefused(_) | ErrorKind::Untrusted(_) => {
                let since = *self.refused_since.entry(error.node.clone()).or_insert_with(Instant::now);
                if since.elapsed() < REFUSALS_BORNE_FOR { Ok(error) } else { Err(error) }
            }
            ErrorKind::Unauthenticated(_)
            | ErrorKind::PermissionDenied(_)
            | ErrorKind::Unimplemented(_)
            | ErrorKind::InvalidArgument(_) => Err(error),
            _ => {
                self.refused_since.remove(&error.node);
                Ok(error)
            }
        }
    }
}

/// Whether a node that passed is asked again while others do not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// No: its answer holds.
    Stays,
    /// Yes: all must pass in one round.
    MayChange,
}

/// Asks all nodes in rounds until each passes; the answers by address.
pub(super) async fn every<T, F>(
    step: &'static str,
    clients: &Clients,
    addresses: &[String],
    passed: Passed,
    (deadline, progress): (Instant, &Progress<'_>),
    ask: impl Fn(Client) -> F,
) -> Result<BTreeMap<String, T>, Error>
where
    F: Future<Output = Result<Look<T>, client::Error>>,
{
    let state = tokio::sync::Mutex::new((BTreeMap::new(), Patience::default()));
    until(step, deadline, progress, || async {
        let (answers, patience) = &mut *state.lock().await;
        if passed == Passed::MayChange {
            answers.clear();
        }
        let asked: Vec<&String> = addresses.iter().filter(|address| !answers.contains_key(*address)).collect();
        let mut missing = Vec::new();
        for (address, answer) in clients.each(asked, ASK_WITHIN, &ask).await {
            match answer {
                Ok(Look::Done(found)) => {
                    answers.insert(address, found);
                }
                Ok(Look::NotYet(why)) => missing.push(format!("`{address}`: {why}")),
                Err(error) => {
                    let error = patience.bear(error).map_err(|source| Error::Node { step, source })?;
                    missing.push(error.to_string());
                }
            }
        }
        if missing.is_empty() {
            return Ok(Look::Done(std::mem::take(answers)));
        }
        Ok(Look::NotYet(format!("{} of {} nodes; {}", answers.len(), addresses.len(), some_of(&missing))))
    })
    .await
}

/// The first few, and how many more.
pub(super) fn some_of(items: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
