//! What commands share on the command line, and the one door for what is printed.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::fleet::{self, Cluster, Input};
use crate::helm::Releaser;
use crate::places::blame;
use crate::render::{Cache, Kustomize, Renderer};
use crate::root;
use crate::shown::shown_lines;
use crate::sources::{Folder, Folders};
use crate::tree::{self, Tree};
use crate::variables::Given;

/// Exit codes: nothing to report; something was found; the command could not do what it was asked.
pub(crate) const FOUND: u8 = 1;
pub(crate) const FAILED: u8 = 2;

/// Where the clusters are.
#[derive(Args, Clone, Debug)]
pub(crate) struct At {
    /// The repository; by default the one around the current folder
    #[arg(long, value_name = "DIR")]
    repo: Option<PathBuf>,
    /// The folder whose folders are the clusters, from the repository's root [default: flux/clusters or clusters]
    #[arg(long, value_name = "DIR")]
    clusters: Option<String>,
}

/// What all commands that build take.
#[derive(Args, Clone, Debug)]
pub(crate) struct Shared {
    #[command(flatten)]
    at: At,
    /// Values that live only in a cluster: ConfigMaps and Secrets, or a plain mapping of variables
    #[arg(long, value_name = "FILE")]
    vars: Vec<PathBuf>,
    /// One such value
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// A folder that stands for a source elsewhere
    #[arg(long, value_name = "KIND/NAMESPACE/NAME=DIR")]
    source: Vec<String>,
    /// The kustomize to render with [default: $KUSTOMIZE, .build/bin/kustomize, or the one on PATH]
    #[arg(long, value_name = "FILE")]
    kustomize: Option<PathBuf>,
    /// Renders everything anew, and keeps nothing
    #[arg(long)]
    no_cache: bool,
    /// What `vars` and `set` say
    #[arg(skip)]
    given: OnceLock<Arc<Given>>,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Data {
    Yaml,
    Json,
}

impl At {
    /// The repository's root.
    pub(crate) fn repository(&self) -> Result<PathBuf> {
        let here = self.repo.clone().unwrap_or_else(|| PathBuf::from("."));
        let failed = |source| Error::Read { path: here.clone(), source };
        let here = here.canonicalize().map_err(failed)?;
        let around = tree::repository_of(&here).filter(|top| self.repo.is_none() || *top == here);
        let top = around.unwrap_or(&here).to_owned();
        // Before anything below it is read: it may be a whole disk.
        if around.is_none() && !root::parents(self.clusters_told()).iter().any(|folder| top.join(folder).is_dir()) {
            return Err(Error::Usage(format!(
                "`{}` is no repository, and has no folder with clusters: go into one, or name it with `--repo`",
                top.display()
            )));
        }
        Ok(top)
    }

    /// The folder of clusters named on the command line.
    pub(crate) fn clusters_told(&self) -> Option<&str> {
        self.clusters.as_deref()
    }
}

impl Shared {
    /// The repository's root.
    pub(crate) fn repository(&self) -> Result<PathBuf> {
        self.at.repository()
    }

    /// The kustomize named on the command line.
    pub(crate) fn kustomize_told(&self) -> Option<&Path> {
        self.kustomize.as_deref()
    }

    /// The folder of clusters named on the command line.
    pub(crate) fn clusters_told(&self) -> Option<&str> {
        self.at.clusters_told()
    }

    pub(crate) fn cache(&self) -> Cache {
        if self.no_cache { Cache::none() } else { Cache::of_user() }
    }

    pub(crate) fn renderer(&self, repository: &Path) -> Result<Renderer> {
        let cache = self.cache();
        let kustomize = Kustomize::find(self.kustomize.as_deref(), repository, &cache)?;
        if let Some(warning) = kustomize.warning() {
            tell(&format!("warning: {warning}"));
        }
        Ok(Renderer::new(kustomize, cache))
    }

    /// What lives only in clusters. Read once, as a pipe can be.
    pub(crate) fn given(&self) -> Result<Arc<Given>> {
        if let Some(given) = self.given.get() {
            return Ok(Arc::clone(given));
        }
        let given = Arc::new(Given::read(&self.vars, &self.set)?);
        Ok(Arc::clone(self.given.get_or_init(|| given)))
    }

    /// The names of the clusters of a tree.
    pub(crate) fn clusters(&self, tree: &Tree) -> Result<Vec<String>> {
        Ok(root::clusters(tree, self.clusters_told())?.into_iter().map(|(name, _)| name).collect())
    }

    /// Builds the clusters of a tree, with their Helm releases where something renders them. Says what was told in vain.
    pub(crate) fn build(
        &self,
        tree: &Tree,
        names: &[String],
        renderer: &Renderer,
        releaser: Option<&Releaser>,
    ) -> Result<Vec<Cluster>> {
        let built = self.build_then(tree, names, renderer, releaser, |_| ())?;
        built.in_vain.values().for_each(|warning| tell(warning));
        Ok(built.clusters)
    }

    /// The same, with what is made of each cluster while others are still built, before its releases are rendered.
    pub(crate) fn build_then<R: Send>(
        &self,
        tree: &Tree,
        names: &[String],
        renderer: &Renderer,
        releaser: Option<&Releaser>,
        then: impl Fn(&Cluster) -> R + Sync,
    ) -> Result<Built<R>> {
        let given = self.given()?;
        given.is_taken.store(false, Ordering::Relaxed);
        let sources = self.folders()?;
        let clusters = self.clusters_told();
        let input = Input { tree, clusters, names, given: &given, sources: &sources, renderer };
        let (mut clusters, made): (Vec<_>, Vec<_>) = fleet::build(&input, then)?.into_iter().unzip();
        if let Some(releaser) = releaser {
            releaser.render(&mut clusters, &input);
        }
        blame(tree, &mut clusters);
        let in_vain = self.in_vain(&clusters, &given, &sources);
        Ok(Built { clusters, made, in_vain })
    }

    /// The folders that stand for sources.
    fn folders(&self) -> Result<Folders> {
        let mut folders = Folders::new();
        for told in &self.source {
            let wrong = |why: &str| Error::Usage(format!("`--source {told}`: {why}"));
            let (key, path) = told.split_once('=').ok_or_else(|| wrong("write it as KIND/NAMESPACE/NAME=DIR"))?;
            if key.split('/').filter(|part| !part.is_empty()).count() != 3 || key.matches('/').count() != 2 {
                return Err(wrong("write it as KIND/NAMESPACE/NAME=DIR"));
            }
            let path = PathBuf::from(path);
            if !path.is_dir() {
                return Err(wrong(&format!("there is no folder `{}`", path.display())));
            }
            folders.insert(key.to_owned(), Folder { path, is_used: AtomicBool::new(false) });
        }
        Ok(folders)
    }

    /// What was told and changes nothing, which may be a typing error, with the words to say so.
    fn in_vain(&self, clusters: &[Cluster], given: &Given, folders: &Folders) -> BTreeMap<String, String> {
        let reads = |name: &str| {
            let built = clusters.iter().flat_map(Cluster::producers).filter_map(|producer| producer.outcome.as_ref().ok());
            built.into_iter().any(|built| built.reads.contains(name))
        };
        // What does not build may have asked for any of it.
        if !clusters.iter().all(Cluster::is_whole) {
            return BTreeMap::new();
        }
        let why = |name: &str| match given.is_taken.load(Ordering::Relaxed) {
            false => Some("nothing that was built lacks an object of `substituteFrom`, for which it would stand"),
            true if !reads(name) => Some("nothing that was built reads it"),
            true => None,
        };
        let names = self.set.iter().filter_map(|set| set.split_once('=')).map(|(name, _)| name);
        let sets = names.filter_map(|name| Some((format!("--set {name}"), why(name)?)));
        let sets = sets.map(|(told, why)| (told.clone(), format!("warning: the variable of `{told}` goes nowhere: {why}")));
        let unused = folders.iter().filter(|(_, folder)| !folder.is_used.load(Ordering::Relaxed));
        let sources = unused.map(|(key, _)| format!("--source {key}"));
        let sources = sources
            .map(|told| (told.clone(), format!("warning: `{told}` is not used: nothing that was built comes from this source")));
        sets.chain(sources).collect()
    }
}

/// What is built.
pub(crate) struct Built<R> {
    pub(crate) clusters: Vec<Cluster>,
    /// What was made of each.
    pub(crate) made: Vec<R>,
    /// Warnings of what was told and changes nothing, by what was told.
    pub(crate) in_vain: BTreeMap<String, String>,
}

/// Writes a result. A reader that went away wants no more.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        tell(&format!("error: the result cannot be written: {error}"));
        UNWRITTEN.store(true, Ordering::Relaxed);
    }
}

/// Whether a result was lost on the way.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// The exit code, with what became of the results.
pub(crate) fn exit_code(code: u8) -> ExitCode {
    ExitCode::from(if UNWRITTEN.load(Ordering::Relaxed) { FAILED } else { code })
}

/// Whether results are for a terminal that shows colours.
pub(crate) fn colours() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !is_dumb && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a line that is no result.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown_lines(line));
}
