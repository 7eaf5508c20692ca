//! The one door through which the quickstart speaks.

#![allow(clippy::print_stdout, reason = "the one place that prints")]

use std::fmt::Display;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

/// Prints headings and lines with the time since the start, in colour where a person looks on.
pub(crate) struct Screen {
    started: Instant,
    colour: bool,
}

impl Screen {
    /// The clock starts here.
    pub(crate) fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { started: Instant::now(), colour }
    }

    /// A new part.
    pub(crate) fn heading(&self, text: impl Display) {
        self.print(&format!("\n{}\n", self.paint("1", text)));
    }

    /// What a person would type.
    pub(crate) fn command(&self, text: impl Display) {
        self.print(&format!("{}\n", self.paint("36", format!("$ {text}"))));
    }

    /// Something happened.
    pub(crate) fn event(&self, subject: impl Display, text: impl Display) {
        self.print(&format!("{} {:<24} {text}\n", self.clock(), subject.to_string()));
    }

    /// A step ended well.
    pub(crate) fn done(&self, text: impl Display) {
        self.print(&format!("{} {} {text}\n", self.clock(), self.paint("32", "✓")));
    }

    /// Plain text.
    pub(crate) fn text(&self, text: impl Display) {
        self.print(&format!("{text}\n"));
    }

    /// Why it ends early.
    pub(crate) fn failure(&self, text: impl Display) {
        self.print(&format!("{} {text}\n", self.paint("31", "✗")));
    }

    fn clock(&self) -> String {
        let elapsed: Duration = self.started.elapsed();
        self.paint("2", format!("{:>6.1} s", elapsed.as_secs_f64()))
    }

    fn paint(&self, code: &str, text: impl Display) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }

    #[allow(clippy::unused_self, reason = "all output goes through a screen")]
    fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // Whoever closed the pipe does not want to read on.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
