//! Panics become diagnostics: no user sees a raw one.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};

use futures_util::FutureExt;

use crate::diagnostics::Diagnostic;

thread_local! {
    /// Where the last panic on this thread happened. A future is polled, and its panic caught, on one thread.
    static LAST_PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics log lines instead of text on stderr, and keeps their place for the diagnostic.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place = place.as_deref().unwrap_or("unknown"), "the provider panicked: {}", text(info.payload()));
        LAST_PLACE.with(|last| *last.borrow_mut() = place);
    }));
}

/// Runs `future`; a panic in it becomes an error that asks for a report. `what` is what was going on, for the user:
/// "Creating `inferadb_region`".
pub(crate) async fn caught<T>(what: &str, future: impl Future<Output = T>) -> Result<T, Diagnostic> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|payload| diagnostic(what, &*payload))
}

/// The same for what does not wait.
pub(crate) fn caught_now<T>(what: &str, f: impl FnOnce() -> T) -> Result<T, Diagnostic> {
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| diagnostic(what, &*payload))
}

fn diagnostic(what: &str, payload: &(dyn Any + Send)) -> Diagnostic {
    let place = LAST_PLACE.with(|last| last.borrow_mut().take());
    let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
    Diagnostic::error("The provider crashed").detail(format!(
        "{what} ran into a mistake of the provider{place}: {}. Please report this message to the provider's authors, \
         with the version that you use.",
        text(payload)
    ))
}

fn text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
