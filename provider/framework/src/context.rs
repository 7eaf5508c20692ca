//! What an operation is given beside its values.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::cty::Cty;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::BlockValue;
use crate::path::Path;
use crate::private;
use crate::resource::Resource;

/// Where operations leave warnings.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<Diagnostics>);

impl Warnings {
    pub(crate) fn push(&self, diagnostic: Diagnostic) {
        locked(&self.0).push(diagnostic);
    }

    pub(crate) fn take(&self) -> Diagnostics {
        std::mem::take(&mut *locked(&self.0))
    }
}

/// The lock, though a holder panicked: what is inside is replaced as a whole and is never half-written.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Given to the provider when it is configured.
#[derive(Debug)]
pub struct ConfigureContext {
    /// The version of Terraform or OpenTofu that runs the provider.
    pub terraform_version: String,
    /// Is cancelled when the user stops the run.
    pub stop: CancellationToken,
    pub(crate) warnings: Warnings,
}

impl ConfigureContext {
    /// Shows a warning; configuring goes on.
    pub fn warn(&self, diagnostic: Diagnostic) {
        self.warnings.push(diagnostic);
    }
}

/// Given to plans.
pub struct PlanContext<P> {
    /// What configuring the provider made.
    pub provider: Arc<P>,
    /// Is cancelled when the user stops the run. The operation is abandoned then, whatever it does.
    pub stop: CancellationToken,
    /// When the operation will be abandoned.
    pub deadline: Instant,
    pub(crate) warnings: Warnings,
    pub(crate) replacements: Mutex<Vec<Path>>,
}

impl<P> PlanContext<P> {
    /// Shows a warning; the plan goes on. Warnings are not kept in a saved plan.
    pub fn warn(&self, diagnostic: Diagnostic) {
        self.warnings.push(diagnostic);
    }

    /// The planned change at `path` makes the resource anew. Core heeds it only where the value at `path` does change.
    pub fn require_replace(&self, path: Path) {
        locked(&self.replacements).push(path);
    }
}

/// Given to reads and imports, of resources and data sources.
pub struct ReadContext<P> {
    /// What configuring the provider made.
    pub provider: Arc<P>,
    /// Is cancelled when the user stops the run. The operation is abandoned then, whatever it does.
    pub stop: CancellationToken,
    /// When the operation will be abandoned.
    pub deadline: Instant,
    pub(crate) warnings: Warnings,
}

impl<P> ReadContext<P> {
    /// Shows a warning; the operation goes on.
    pub fn warn(&self, diagnostic: Diagnostic) {
        self.warnings.push(diagnostic);
    }
}

/// Given to create, update and delete.
pub struct ApplyContext<R: Resource + ?Sized> {
    /// What configuring the provider made.
    pub provider: Arc<R::Provider>,
    /// Is cancelled when the user stops the run. The operation is abandoned then, whatever it does.
    pub stop: CancellationToken,
    /// When the operation will be abandoned.
    pub deadline: Instant,
    pub(crate) warnings: Warnings,
    pub(crate) checkpoint: Mutex<Option<Checkpoint>>,
}

/// What existed when an operation last said so: state and private state, ready for the wire.
#[derive(Clone)]
pub(crate) struct Checkpoint {
    pub(crate) state: Cty,
    pub(crate) private: Vec<u8>,
}

impl<R: Resource> ApplyContext<R> {
    /// Notes what exists by now. It becomes the state (unknown values as null) if the operation does not end well: by an
    /// error, a stop, its timeout or a panic. Call it after each object that was made or removed.
    pub fn checkpoint(&self, model: &R::Model, private: &R::Private) {
        match private::encode_state(Some(private)) {
            Ok(private) => {
                let state = model.to_cty().unknown_as_null();
                *locked(&self.checkpoint) = Some(Checkpoint { state, private });
            }
            Err(error) => self.warn(
                Diagnostic::warning("Progress could not be noted")
                    .detail(format!("The private state cannot be written as JSON: {error}. This is a mistake of the provider.")),
            ),
        }
    }

    /// Shows a warning; the operation goes on.
    pub fn warn(&self, diagnostic: Diagnostic) {
        self.warnings.push(diagnostic);
    }
}

impl<P> fmt::Debug for PlanContext<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanContext").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for ReadContext<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadContext").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl<R: Resource> fmt::Debug for ApplyContext<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplyContext").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
