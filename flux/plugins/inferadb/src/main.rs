//! `flux inferadb`: builds, draws and compares a whole Flux fleet offline.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

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
mod listing;
mod object;
mod parallel;
mod place;
mod places;
mod post_build;
mod program;
mod progress;
mod render;
mod root;
mod shadow;
mod shown;
mod sops;
mod sources;
mod tree;
mod variables;
mod yaml;

use cli::{FAILED, exit_code, print, tell};

/// Builds a whole Flux fleet offline, as kustomize-controller 1.9 (Flux 2.9) would.
///
/// Exit codes: 0 all well, 1 something did not build or was found, 2 the command could not run.
#[derive(Debug, Parser)]
#[command(name = "flux-inferadb", bin_name = "flux inferadb", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(commands::build::Options),
    Graph(commands::graph::Options),
    Diff(commands::diff::Options),
    Validate(commands::validate::Options),
    Doctor(commands::doctor::Options),
    NewRegion(commands::new_region::Options),
}

/// Runs the command that the arguments name.
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some((request @ ("__complete" | "__completeNoDesc"), words)) =
        words.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        print(&complete::answer(&Cli::command(), words, request == "__complete"));
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    program::heed_signals();
    let result = match cli.command {
        Command::Build(options) => commands::build::run(&options),
        Command::Graph(options) => commands::graph::run(&options),
        Command::Diff(options) => commands::diff::run(&options),
        Command::Validate(options) => commands::validate::run(&options),
        Command::Doctor(options) => commands::doctor::run(&options),
        Command::NewRegion(options) => commands::new_region::run(&options),
    };
    match result {
        Ok(code) => exit_code(code),
        Err(error) => {
            tell(&format!("error: {error}"));
            ExitCode::from(FAILED)
        }
    }
}
