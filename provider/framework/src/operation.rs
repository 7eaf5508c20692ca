//! How an operation ends: done, failed, stopped, out of time, or by a panic.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::panics;
use crate::timeouts::format_duration;

/// What an operation is and how long it may take.
pub(crate) struct Limits<'a> {
    /// For the user, as the beginning of a sentence: "Creating `inferadb_region`".
    pub(crate) what: &'a str,
    /// What exists now and what to do, as sentences.
    pub(crate) advice: &'a str,
    /// The attribute that sets the timeout, where there is one.
    pub(crate) setting: Option<&'a str>,
    /// How long it may take.
    pub(crate) timeout: Duration,
    /// Is cancelled when the user stops the run.
    pub(crate) stop: &'a CancellationToken,
}

impl Limits<'_> {
    /// When the operation will be abandoned, if it starts now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Runs `future` until it is done, or drops it where it stands.
    pub(crate) async fn run<T>(&self, future: impl Future<Output = Result<T, Diagnostics>>) -> Result<T, Diagnostics> {
        let Self { what, advice, timeout, stop, .. } = self;
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Diagnostic::error("Stopped")
                .detail(format!("{what} was stopped before it was done. {advice}"))
                .into()),
            result = tokio::time::timeout(*timeout, panics::caught(what, future)) => match result {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => {
                    let detail = format!("{} {advice}", panic.detail_text());
                    Err(panic.detail(detail).into())
                }
                Err(_elapsed) => {
                    let setting = self.setting.map(|name| format!(" `timeouts.{name}` says how long it may take."));
                    let (limit, setting) = (format_duration(*timeout), setting.unwrap_or_default());
                    Err(Diagnostic::error("Timeout")
                        .detail(format!("{what} was not done within {limit}. {advice}{setting}"))
                        .into())
                }
            },
        }
    }
}
