//! `flux inferadb`: builds, draws and compares a whole Flux fleet offline.

use std::process::ExitCode;

mod checks;
mod cli;
mod commands;
mod complete;
mod crd;
mod envsubst;
mod error;
mod fleet;
mod graph;
mod helm;
mod ignore;
mod object;
mod parallel;
mod place;
mod post_build;
mod progress;
mod render;
mod root;
mod sops;
mod sources;
mod tree;
mod variables;
mod yaml;

fn main() -> ExitCode {
    cli::run()
}
