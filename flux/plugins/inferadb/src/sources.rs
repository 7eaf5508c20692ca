//! The sources of a cluster: which of them are this repository, or a folder that stands for one.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::Object;
use crate::render::Rendered;
use crate::root::Root;
use crate::tree::Tree;

/// A folder that stands for a source elsewhere.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Whether anything asked for it.
    pub(crate) is_used: AtomicBool,
}

/// Such folders, by `KIND/NAMESPACE/NAME` of the source.
pub(crate) type Folders = BTreeMap<String, Folder>;

/// The files of a source, and what was rendered of them so far, by spec: clusters share most of theirs.
pub(crate) struct Artifact {
    pub(crate) tree: Tree,
    rendered: Mutex<HashMap<String, Rendered>>,
}

impl Artifact {
    fn new(tree: Tree) -> Self {
        Artifact { tree, rendered: Mutex::default() }
    }

    pub(crate) fn rendered(&self, spec: &str) -> Option<Rendered> {
        self.rendered.lock().unwrap_or_else(PoisonError::into_inner).get(spec).cloned()
    }

    pub(crate) fn keep(&self, spec: String, rendered: &Rendered) {
        self.rendered.lock().unwrap_or_else(PoisonError::into_inner).insert(spec, rendered.clone());
    }
}

/// The artifacts made so far, by whether they are this repository's, folder, and `spec.ignore`.
#[derive(Default)]
pub(crate) struct Artifacts(Mutex<HashMap<ArtifactKey, Arc<Artifact>>>);

type ArtifactKey = (bool, String, Option<String>);

impl Artifacts {
    fn get(&self, key: ArtifactKey, make: impl FnOnce() -> Result<Tree>) -> Result<Arc<Artifact>> {
        let mut artifacts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(artifact) = artifacts.get(&key) {
            return Ok(Arc::clone(artifact));
        }
        let artifact = Arc::new(Artifact::new(make()?));
        artifacts.insert(key, Arc::clone(&artifact));
        Ok(artifact)
    }
}

/// A cluster's sources, by `KIND/NAMESPACE/NAME`.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The one that the root is built from.
    own: String,
    /// The folder of the repository that its artifact holds; empty for all.
    folder: String,
    /// Its `spec.ignore`, where the sync file has one.
    ignore: Option<String>,
    /// The specs of those that the cluster's Kustomizations render.
    known: HashMap<String, Value>,
}

impl Sources {
    pub(crate) fn new(root: &Root, own: String) -> Self {
        Sources { own, folder: root.artifact.clone(), ignore: root.ignore.clone(), known: HashMap::new() }
    }

    /// Takes an object in where it is a source that is not known yet.
    pub(crate) fn add(&mut self, object: &Object) {
        if object.group() == "source.toolkit.fluxcd.io" {
            let key = format!("{}/{}/{}", object.kind(), object.namespace(), object.name());
            self.known.entry(key).or_insert_with(|| object.0["spec"].clone());
        }
    }

    /// The artifact of a source: of this repository, or of the folder that stands for it.
    pub(crate) fn artifact(
        &self,
        source: &str,
        repository: &Tree,
        folders: &Folders,
        artifacts: &Artifacts,
    ) -> Result<Arc<Artifact>> {
        let ignore = self.known.get(source).and_then(|spec| spec["ignore"].as_str()).map(str::to_owned);
        if let Some(Folder { path, is_used }) = folders.get(source) {
            is_used.store(true, Ordering::Relaxed);
            let key = (false, path.display().to_string(), ignore.clone());
            return artifacts.get(key, || Tree::from_folder(path)?.artifact(ignore.as_deref()));
        }
        if source != self.own && !self.is_same(source, &self.own) {
            return Err(Error::NoSource(source.to_owned()));
        }
        let ignore = ignore.or_else(|| self.ignore.clone().filter(|_| source == self.own));
        let folder = &self.folder;
        artifacts.get((true, folder.clone(), ignore.clone()), || {
            if folder.is_empty() {
                repository.artifact(ignore.as_deref())
            } else {
                repository.sub(folder).artifact(ignore.as_deref())
            }
        })
    }

    /// Another object for the same revision of the same repository.
    fn is_same(&self, source: &str, own: &str) -> bool {
        match (self.known.get(source), self.known.get(own)) {
            (Some(one), Some(other)) => one["url"].is_string() && one["url"] == other["url"] && one["ref"] == other["ref"],
            _ => false,
        }
    }
}
