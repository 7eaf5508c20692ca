//! `diff`: what a change does to each cluster.

mod compare;
mod fate;
mod images;
mod markdown;
mod mask;
mod noise;
mod report;
mod side;
mod terminal;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use clap::{Args, ValueEnum};

use crate::cli::{Built, FAILED, FOUND, Shared, colours, print, tell};
use crate::commands::releases::{self, When};
use crate::error::{Error, Result};
use crate::fleet::Cluster;
use crate::helm::Releaser;
use crate::program::git;
use crate::render::Renderer;
use crate::shown::shown;
use crate::tree::Tree;
use noise::Noise;
use report::Report;

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
    let (before, after) = (tree(&repository, Some(&options.old))?, tree(&repository, options.new.as_deref())?);
    let (old, new) = (options.shared.clusters(&before)?, options.shared.clusters(&after)?);
    if let Some(unknown) = options.names.iter().find(|name| !old.contains(name) && !new.contains(name)) {
        let known: BTreeSet<&str> = old.iter().chain(&new).map(String::as_str).collect();
        let known: Vec<&str> = known.into_iter().collect();
        return Err(Error::Usage(format!("there is no cluster `{unknown}`: there are {}", known.join(", "))));
    }
    let side = |tree: &Tree, there: &[String]| side(options, tree, there, &renderer, releaser.as_ref());
    let (before, after) = (side(&before, &old)?, side(&after, &new)?);
    // What one side has no use for, the other one may have.
    let sides = || [&after, &before].into_iter().flatten();
    for (told, warning) in sides().next().map(|side| &side.in_vain).into_iter().flatten() {
        if sides().all(|side| side.in_vain.contains_key(told)) {
            tell(warning);
        }
    }
    let clusters = |side: Option<Built<()>>| side.map(|side| side.clusters).unwrap_or_default();
    let (before, after) = (clusters(before), clusters(after));
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
            tell(&shown(&format!("error: {}: {} the change: {}", report.cluster, one.side, one.error)));
        }
    }
    let changed = reports.iter().any(|report| !report.is_empty());
    Ok(match (failed, changed && options.exit_code) {
        (true, _) => FAILED,
        (false, true) => FOUND,
        (false, false) => 0,
    })
}

/// The files of a commit, or as they are.
fn tree(repository: &Path, revision: Option<&str>) -> Result<Tree> {
    let Some(revision) = revision else { return Tree::from_folder(repository) };
    let top = git(repository, &["rev-parse", "--show-prefix"], Stdio::null())?;
    let prefix = String::from_utf8_lossy(&top).trim_end().trim_end_matches('/').to_owned();
    let commit = format!("{revision}^{{commit}}");
    let commit = git(repository, &["rev-parse", "--verify", "--end-of-options", &commit], Stdio::null());
    let commit = commit.map_err(|error| match error {
        Error::Command { .. } => Error::Usage(no_revision(revision)),
        other => other,
    })?;
    Tree::from_commit(repository, String::from_utf8_lossy(&commit).trim_end(), &prefix)
}

/// What to do about a revision that git does not know.
fn no_revision(revision: &str) -> String {
    let advice = match revision.split_once("..") {
        Some((old, new)) => {
            let new = new.trim_start_matches('.');
            format!("two revisions are two arguments, as in `diff {old} {new}`").trim_end().to_owned()
        }
        None => format!(
            "where it is a branch that is not in this clone, get it with `git fetch origin {revision}` and name it `FETCH_HEAD`; a cluster goes with `--cluster`"
        ),
    };
    format!("there is no revision `{revision}` in this repository: {advice}")
}

/// Builds those clusters asked for that are there; nothing where none is.
fn side(
    options: &Options,
    tree: &Tree,
    there: &[String],
    renderer: &Renderer,
    releaser: Option<&Releaser>,
) -> Result<Option<Built<()>>> {
    let names: Vec<String> = options.names.iter().filter(|name| there.contains(name)).cloned().collect();
    if names.is_empty() && !options.names.is_empty() {
        return Ok(None);
    }
    options.shared.build_then(tree, &names, renderer, releaser, |_| ()).map(Some)
}
