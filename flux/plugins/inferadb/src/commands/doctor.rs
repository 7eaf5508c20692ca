//! `doctor`: what is missing on this machine or in this repository.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::checks::Schemas;
use crate::cli::{FOUND, Shared, print};
use crate::error::Result;
use crate::helm::{self, Helm};
use crate::render::{Cache, Kustomize, VERSION, on_path};
use crate::root;
use crate::tree::Tree;

/// Says what is missing on this machine or in this repository, and the command that mends it.
///
/// The exit code is 1 where something is missing without which the other commands cannot work.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    shared: Shared,
}

/// How a thing is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    /// It works without.
    Could,
    Missing,
}

/// A thing that was looked at.
struct Look {
    state: State,
    what: String,
    /// The command, or what else there is to do.
    mend: String,
}

fn well(what: impl Into<String>) -> Look {
    Look { state: State::Well, what: what.into(), mend: String::new() }
}

fn could(what: impl Into<String>, mend: impl Into<String>) -> Look {
    Look { state: State::Could, what: what.into(), mend: mend.into() }
}

fn missing(what: impl Into<String>, mend: impl Into<String>) -> Look {
    Look { state: State::Missing, what: what.into(), mend: mend.into() }
}

/// Looks and tells.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let repository = options.shared.repository()?;
    let mut looks = vec![git(), kustomize(options, &repository), helm(&repository), flux(), plugin()];
    looks.extend(clusters(options, &repository));
    looks.push(schemas(&repository));
    let mut out = String::new();
    for look in &looks {
        let state = match look.state {
            State::Well => "ok",
            State::Could => "could be",
            State::Missing => "missing",
        };
        let _ = writeln!(out, "{state:<9} {}", look.what);
        if !look.mend.is_empty() {
            let _ = writeln!(out, "          {}", look.mend);
        }
    }
    print(&out);
    Ok(if looks.iter().any(|look| look.state == State::Missing) { FOUND } else { 0 })
}

fn git() -> Look {
    match on_path("git") {
        Some(path) => well(format!("git ({})", path.display())),
        None => missing(
            "git, which `diff` reads commits with, and which knows the files of a source",
            "apt-get install git, or brew install git",
        ),
    }
}

fn kustomize(options: &Options, repository: &Path) -> Look {
    // This repository builds its own.
    let own = repository.join("acceptance-tests/tools/kustomize/go.mod").is_file();
    let mend = if own {
        "make .build/bin/kustomize".to_owned()
    } else {
        format!("go install sigs.k8s.io/kustomize/kustomize/v5@{VERSION}")
    };
    match Kustomize::find(options.shared.kustomize_told(), repository, &Cache::none()) {
        Ok(kustomize) => match kustomize.warning() {
            None => well(format!("kustomize {} ({})", kustomize.version, kustomize.program.display())),
            Some(warning) => could(warning, mend),
        },
        // One that was named goes first, whatever else is there.
        Err(error) => match std::env::var("KUSTOMIZE").ok().filter(|named| !named.is_empty()) {
            Some(named) if options.shared.kustomize_told().is_none() => missing(
                format!("kustomize at `{named}`, which KUSTOMIZE names: {error}"),
                "unset KUSTOMIZE, or name one that works",
            ),
            _ => missing(format!("kustomize, which renders: {error}"), mend),
        },
    }
}

fn helm(repository: &Path) -> Look {
    // This repository builds its own.
    let own = repository.join("acceptance-tests/tools/helm/go.mod").is_file();
    let mend =
        if own { "make .build/bin/helm".to_owned() } else { format!("go install helm.sh/helm/v4/cmd/helm@{}", helm::VERSION) };
    match Helm::find(None, repository, &Cache::none()) {
        Ok(Some(helm)) => match helm.warning() {
            None => well(format!("helm {} ({})", helm.version, helm.program.display())),
            Some(warning) => could(warning, mend),
        },
        _ => could("helm, which renders the charts of releases", mend),
    }
}

fn flux() -> Look {
    match on_path("flux") {
        Some(path) => well(format!("flux ({})", path.display())),
        None => could(
            "the Flux CLI, which finds this as `flux inferadb`; it runs on its own, too",
            "https://fluxcd.io/flux/installation/#install-the-flux-cli",
        ),
    }
}

fn plugin() -> Look {
    let told = std::env::var_os("FLUXCD_PLUGINS").map(PathBuf::from);
    let Some(folder) = told.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".fluxcd/plugins"))) else {
        return could("a folder for Flux' plugins", "set FLUXCD_PLUGINS to one");
    };
    if folder.join("flux-inferadb").is_file() {
        return well(format!("the plugin is where Flux looks for it ({})", folder.display()));
    }
    let program = std::env::current_exe().map_or_else(|_| "flux-inferadb".to_owned(), |program| program.display().to_string());
    let folder = folder.display();
    could("the plugin where Flux looks for it", format!("mkdir -p {folder} && cp {program} {folder}/flux-inferadb"))
}

fn clusters(options: &Options, repository: &Path) -> Vec<Look> {
    let tree = match Tree::from_folder(repository) {
        Ok(tree) => tree,
        Err(error) => return vec![missing(error.to_string(), "give the repository with `--repo`")],
    };
    let clusters = match root::clusters(&tree, options.shared.clusters_told()) {
        Ok(clusters) => clusters,
        Err(error) => return vec![missing("clusters", error.to_string())],
    };
    let look = |(name, folder): (String, String)| {
        let root = root::find(&tree, &folder);
        match root.error(&folder) {
            Some(error) => missing(format!("the start of cluster {name}"), error.to_string()),
            None if root.is_assumed => could(
                format!("a start of cluster {name}: it is built as if Flux synced `{folder}`"),
                "add a FluxInstance with `spec.sync`, or the Kustomization that syncs the folder",
            ),
            None => well(format!("cluster {name} starts at {}:{}", root.place.file, root.place.line)),
        }
    };
    clusters.into_iter().map(look).collect()
}

fn schemas(repository: &Path) -> Look {
    match Schemas::beside(repository) {
        Some(schemas) => well(format!("schemas ({})", schemas.locations().join(", "))),
        None => could(
            "JSON schemas, which `validate` holds objects to",
            "set INFERADB_SCHEMA_DIR to a folder with `k8s` and `crds`, or give `--schema-location`",
        ),
    }
}
