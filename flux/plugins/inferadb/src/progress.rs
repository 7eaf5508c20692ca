//! How far the rendering is, for who watches a terminal and waits longer than a second.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Shorter waits need no word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts what is done. Nothing is written to a pipe.
pub(crate) struct Progress {
    /// What is counted.
    what: &'static str,
    started: Instant,
    is_watched: bool,
    total: AtomicUsize,
    done: AtomicUsize,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        let is_watched = std::io::stderr().is_terminal();
        Progress { what, started: Instant::now(), is_watched, total: AtomicUsize::new(0), done: AtomicUsize::new(0) }
    }

    /// There is more to do.
    pub(crate) fn expect(&self, more: usize) {
        self.total.fetch_add(more, Ordering::Relaxed);
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_watched && self.started.elapsed() > PATIENCE {
            let total = self.total.load(Ordering::Relaxed);
            let _ = write!(std::io::stderr().lock(), "\rrendered {done} of {total} {}\x1b[K", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_watched && self.started.elapsed() > PATIENCE {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
