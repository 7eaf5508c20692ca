//! `diff`: what a change does to each cluster.

mod compare;
mod markdown;
mod mask;
mod noise;
mod terminal;

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Args, ValueEnum};

use crate::cli::{FAILED, FOUND, Shared, colours, print, tell};
use crate::commands::releases::{self, When};
use crate::error::Result;
use crate::fleet::Cluster;
use crate::helm::Releaser;
use crate::render::Renderer;
use crate::tree::{self, Tree};
use compare::Report;
use noise::Noise;

/// Says what a change does to each cluster, object by object: from a commit to another, or to the files as they are now.
///
/// What Flux would prune comes first, and of that what holds data. Values of Secrets are hidden, wherever substitution put
/// them. Where a Kustomization does not build on one side, its objects are withheld. Exit codes: 0 compared (with
/// `--exit-code`: without a change), 1 with `--exit-code` where something changes, 2 where something did not build or the
/// command could not run.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The commit, branch or tag before the change
    #[arg(value_name = "REV")]
    old: String,
    /// The one after it [default: the files as they are]
    #[arg(value_name = "REV")]
    new: Option<String>,
    /// Only this cluster; more than one by repeating it
    #[arg(long = "cluster", value_name = "CLUSTER")]
    names: Vec<String>,
    /// For a terminal, or as a comment in Markdown
    #[arg(long, short, value_enum, default_value_t = Form::Terminal)]
    output: Form,
    /// Exits with 1 where something changes
    #[arg(long)]
    exit_code: bool,
    /// Labels and annotations that are not compared, instead of those that charts and kustomize write; `--strip ''` for none
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    strip: Vec<String>,
    #[command(flatten)]
    releases: releases::Rendering,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Terminal,
    Markdown,
}

/// Builds both sides and compares.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let repository = options.shared.repository()?;
    let renderer = options.shared.renderer(&repository)?;
    let releaser = options.releases.releaser(&options.shared, &repository, When::Never, true)?;
    let side = |revision| side(options, &repository, revision, &renderer, releaser.as_ref());
    let before = side(Some(&options.old))?;
    let after = side(options.new.as_deref())?;
    let noise = Noise::new(&options.strip);
    let names: BTreeSet<&str> = before.iter().chain(&after).map(|cluster| cluster.name.as_str()).collect();
    let find = |side: &'_ [Cluster], name: &str| side.iter().position(|cluster| cluster.name == name);
    let reports: Vec<Report> = names
        .into_iter()
        .map(|name| {
            let old = find(&before, name).map(|position| &before[position]);
            let new = find(&after, name).map(|position| &after[position]);
            compare::compare(name, old, new, &noise)
        })
        .collect();
    print(&match options.output {
        Form::Terminal => terminal::write(&reports, colours()),
        Form::Markdown => markdown::write(&reports),
    });
    // Where only one side is rendered, the report says so.
    for note in releases::left_out(&after) {
        tell(&note);
    }
    let mut failed = false;
    for report in &reports {
        for one in &report.withheld {
            failed = true;
            tell(&format!("error: {}: {} the change: {}", report.cluster, one.side, one.error));
        }
    }
    let changed = reports.iter().any(|report| !report.is_empty());
    Ok(match (failed, changed && options.exit_code) {
        (true, _) => FAILED,
        (false, true) => FOUND,
        (false, false) => 0,
    })
}

/// Builds the clusters of a commit, or of the files as they are; those asked for that are there.
fn side(
    options: &Options,
    repository: &Path,
    revision: Option<&str>,
    renderer: &Renderer,
    releaser: Option<&Releaser>,
) -> Result<Vec<Cluster>> {
    let tree = match revision {
        None => Tree::from_folder(repository)?,
        Some(revision) => {
            let top = tree::output(tree::git(repository).args(["rev-parse", "--show-prefix"]))?;
            let prefix = String::from_utf8_lossy(&top).trim_end().trim_end_matches('/').to_owned();
            let commit = format!("{revision}^{{commit}}");
            let commit = tree::output(tree::git(repository).args(["rev-parse", "--verify", "--end-of-options", &commit]))?;
            Tree::from_commit(repository, String::from_utf8_lossy(&commit).trim_end(), &prefix)?
        }
    };
    let there = options.shared.clusters(&tree)?;
    let names: Vec<String> = options.names.iter().filter(|name| there.contains(name)).cloned().collect();
    if names.is_empty() && !options.names.is_empty() {
        return Ok(Vec::new());
    }
    options.shared.build(&tree, &names, renderer, releaser)
}
