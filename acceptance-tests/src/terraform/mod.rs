//! Drives real Terraform and OpenTofu: a [`Workspace`] is a directory with a configuration, a [`Run`] is one command in
//! it, an [`Outcome`] is what it said.

pub mod install;
pub mod outcome;
pub mod process;
pub mod run;
pub mod tool;
pub mod workspace;

pub use outcome::{Diagnostic, Outcome};
pub use run::Run;
pub use tool::{Kind, Tool};
pub use workspace::Workspace;

/// What keeps a program from being driven.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither the environment, `PATH` nor the build folder has it.
    #[error("`{program}` was not found: {hint}")]
    NoTool {
        /// What was looked for.
        program: String,
        /// Where to get it.
        hint: &'static str,
    },
    /// The provider was not built.
    #[error("the provider was not found beside `{0}`: run `cargo build --package terraform-provider-inferadb`")]
    NoProvider(std::path::PathBuf),
    /// A file or process could not be had.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A command did not end within its limit; it was killed.
    #[error("`{command}` did not end within {limit:?}; it said last: {last}")]
    TimedOut {
        /// The command's arguments.
        command: String,
        /// How long was waited.
        limit: std::time::Duration,
        /// Its last lines.
        last: String,
    },
    /// A command printed what is not the JSON that it should be.
    #[error("`{command}` printed no JSON: {text}")]
    NoJson {
        /// The command's arguments.
        command: String,
        /// What it printed.
        text: String,
    },
}

impl Error {
    /// Says what was tried.
    pub fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

/// Result of driving a program.
pub type Result<T> = std::result::Result<T, Error>;
