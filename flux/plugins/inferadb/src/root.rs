//! Where a cluster's graph starts: the Kustomization that syncs its folder, as a FluxInstance or a plain sync file names it.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::object::{FLUX_KUSTOMIZE, Object};
use crate::place::Place;
use crate::tree::{Tree, join_secure};
use crate::yaml;

/// A cluster's start.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// The Kustomization that Flux starts from.
    pub(crate) kustomization: Object,
    /// The folder of the repository that its source's artifact holds; empty for all.
    pub(crate) artifact: String,
    /// Patches of the FluxInstance on what flux-operator makes.
    pub(crate) patches: Value,
    /// Where it stands.
    pub(crate) place: Place,
    /// `spec.ignore` of the source, where the sync file has one.
    pub(crate) ignore: Option<String>,
    /// The folder that is synced instead of this one, where it is another.
    pub(crate) elsewhere: Option<String>,
    /// Whether nothing in the folder says so: it is built as `flux bootstrap` would have it synced.
    pub(crate) is_assumed: bool,
}

impl Root {
    /// Why nothing can be built from here.
    pub(crate) fn error(&self, folder: &str) -> Option<Error> {
        let synced = self.elsewhere.clone()?;
        let Place { file, line } = &self.place;
        Some(Error::OtherFolder { path: file.clone(), line: *line, synced, folder: folder.to_owned() })
    }
}

/// The folders that clusters' folders may be in.
pub(crate) fn parents(told: Option<&str>) -> Vec<String> {
    told.map_or_else(|| vec!["flux/clusters".to_owned(), "clusters".to_owned()], |told| vec![join_secure(told)])
}

/// The folders of clusters, by name.
pub(crate) fn clusters(tree: &Tree, told: Option<&str>) -> Result<Vec<(String, String)>> {
    let candidates = parents(told);
    let Some(parent) = candidates.iter().find(|folder| tree.has_folder(folder)) else {
        return Err(Error::Usage(format!(
            "no folder with clusters here: looked for {}; give it with `--clusters`",
            candidates.iter().map(|folder| format!("`{folder}`")).collect::<Vec<_>>().join(" and ")
        )));
    };
    let mut names: Vec<String> = tree
        .below(parent)
        .iter()
        .filter_map(|path| path[parent.len()..].trim_start_matches('/').split_once('/'))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.dedup();
    Ok(names.into_iter().map(|name| (name.clone(), join_secure(&format!("{parent}/{name}")))).collect())
}

/// Finds the start of a cluster's folder.
pub(crate) fn find(tree: &Tree, folder: &str) -> Root {
    let mut sync: Option<Root> = None;
    let mut ignores: Vec<(String, String, String)> = Vec::new();
    for path in tree.below(folder) {
        if !Path::new(path).extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            continue;
        }
        // What cannot be read fails the build that takes it in, and no other cluster's.
        let Ok(text) = tree.text(path) else { continue };
        if !text.contains("FluxInstance") && !text.contains("toolkit.fluxcd.io") {
            continue;
        }
        for node in yaml::parse(&text).unwrap_or_default() {
            let object = Object(node.to_json());
            let line = |path: &[&str]| {
                let parent = path.split_last().and_then(|(last, parents)| Some((node.at(parents)?, *last)));
                parent.and_then(|(parent, last)| parent.entry(last)).map_or(node.line, |entry| entry.line)
            };
            let place = Place { file: path.to_owned(), line: node.line };
            if object.is("fluxcd.controlplane.io", "FluxInstance") && object.0["spec"]["sync"].is_object() {
                return of_instance(&object, folder, Place { line: line(&["spec", "sync", "path"]), ..place.clone() }, place);
            }
            if object.group() == "source.toolkit.fluxcd.io"
                && let Some(ignore) = object.0["spec"]["ignore"].as_str()
            {
                ignores.push((object.kind().to_owned(), object.name().to_owned(), ignore.to_owned()));
            }
            if sync.is_none()
                && object.is_flux_kustomization()
                && object.0["spec"]["path"].as_str().is_some_and(|path| !join_secure(path).is_empty())
                && let Some(artifact) = artifact(&object, folder)
            {
                sync = Some(Root {
                    kustomization: object,
                    artifact,
                    patches: Value::Null,
                    place,
                    ignore: None,
                    elsewhere: None,
                    is_assumed: false,
                });
            } else if sync.is_none() && is_bootstrap(&object, path, folder) {
                let place = Place { line: line(&["spec", "path"]), ..place };
                let synced = object.0["spec"]["path"].as_str().unwrap_or_default().to_owned();
                let patches = Value::Null;
                let (artifact, elsewhere) = (String::new(), Some(synced));
                sync = Some(Root { kustomization: object, artifact, patches, place, ignore: None, elsewhere, is_assumed: false });
            }
        }
    }
    let mut root = sync.unwrap_or_else(|| implicit(tree, folder));
    let source = &root.kustomization.0["spec"]["sourceRef"];
    let named = ignores.into_iter().find(|(kind, name, _)| source["kind"] == kind.as_str() && source["name"] == name.as_str());
    root.ignore = named.map(|(_, _, ignore)| ignore);
    root
}

/// Whether it is the Kustomization that `flux bootstrap` writes, which syncs the folder around its own.
fn is_bootstrap(object: &Object, path: &str, folder: &str) -> bool {
    object.is_flux_kustomization()
        && object.name() == "flux-system"
        && object.namespace() == "flux-system"
        && path.strip_prefix(folder).is_some_and(|below| below.starts_with("/flux-system/"))
        && object.0["spec"]["path"].as_str().is_some_and(|path| !join_secure(path).is_empty())
}

/// What lies above the sync's path in the cluster's folder.
fn artifact(kustomization: &Object, folder: &str) -> Option<String> {
    let path = join_secure(kustomization.0["spec"]["path"].as_str()?);
    if path.is_empty() {
        return Some(folder.to_owned());
    }
    let above = folder.strip_suffix(path.as_str())?;
    (above.is_empty() || above.ends_with('/')).then(|| above.trim_end_matches('/').to_owned())
}

/// What flux-operator makes of `spec.sync`.
fn of_instance(instance: &Object, folder: &str, path: Place, place: Place) -> Root {
    let sync = &instance.0["spec"]["sync"];
    let namespace = if instance.namespace().is_empty() { "flux-system" } else { instance.namespace() };
    let name = sync["name"].as_str().filter(|name| !name.is_empty()).unwrap_or(namespace);
    let kustomization = Object(json!({
        "apiVersion": format!("{FLUX_KUSTOMIZE}/v1"),
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "interval": "10m0s",
            "path": sync["path"].as_str().unwrap_or_default(),
            "prune": true,
            "sourceRef": {"kind": sync["kind"].as_str().unwrap_or("GitRepository"), "name": name},
        },
    }));
    let patches = instance.0["spec"]["kustomize"]["patches"].clone();
    if let Some(artifact) = artifact(&kustomization, folder) {
        return Root { kustomization, artifact, patches, place, ignore: None, elsewhere: None, is_assumed: false };
    }
    let elsewhere = Some(sync["path"].as_str().unwrap_or_default().to_owned());
    Root { kustomization, artifact: String::new(), patches, place: path, ignore: None, elsewhere, is_assumed: false }
}

/// A folder that nothing syncs yet: as `flux bootstrap` would.
fn implicit(tree: &Tree, folder: &str) -> Root {
    let kustomization = Object(json!({
        "apiVersion": format!("{FLUX_KUSTOMIZE}/v1"),
        "kind": "Kustomization",
        "metadata": {"name": "flux-system", "namespace": "flux-system"},
        "spec": {"path": format!("./{folder}"), "prune": true, "sourceRef": {"kind": "GitRepository", "name": "flux-system"}},
    }));
    Root {
        kustomization,
        artifact: String::new(),
        patches: Value::Null,
        place: Place { file: file_of(tree, folder), line: 1 },
        ignore: None,
        elsewhere: None,
        is_assumed: true,
    }
}

/// A file of a folder to point at.
fn file_of(tree: &Tree, folder: &str) -> String {
    let own = format!("{folder}/kustomization.yaml");
    if tree.has_file(&own) { own } else { tree.below(folder).first().map_or(folder, |first| *first).to_owned() }
}
