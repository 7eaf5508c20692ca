//! The clusters with all that Flux would build for them. The graph is found from what each Kustomization renders, from the
//! root on, so that a parent may patch, substitute or make its children.

mod render;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::object::{FLUX_KUSTOMIZE, Id, Object};
use crate::parallel::{in_parallel, on_each};
use crate::place::Place;
use crate::progress::Progress;
use crate::render::Renderer;
use crate::root;
use crate::sources::{Artifacts, Folders, Sources};
use crate::tree::{Tree, join_secure};
use crate::variables::{Given, Pool};
use state::State;

/// What a fleet is built from.
pub(crate) struct Input<'i> {
    /// The repository.
    pub(crate) tree: &'i Tree,
    /// The folder of clusters, where it is not found by its name.
    pub(crate) clusters: Option<&'i str>,
    /// The clusters asked for; all where it is empty.
    pub(crate) names: &'i [String],
    pub(crate) given: &'i Given,
    /// Folders that stand for sources elsewhere.
    pub(crate) sources: &'i Folders,
    pub(crate) renderer: &'i Renderer,
}

/// A cluster.
pub(crate) struct Cluster {
    pub(crate) name: String,
    /// Where its root stands.
    pub(crate) place: Place,
    /// Parents before their children, and what is depended on before what depends on it.
    pub(crate) kustomizations: Vec<Kustomization>,
    /// The Helm releases that were asked to be rendered, which produce objects as Kustomizations do.
    pub(crate) releases: Vec<Kustomization>,
    /// Its ConfigMaps and Secrets.
    pub(crate) pool: Pool,
    pub(crate) sources: Sources,
}

impl Cluster {
    /// All that produces objects.
    pub(crate) fn producers(&self) -> impl Iterator<Item = &Kustomization> {
        self.kustomizations.iter().chain(&self.releases)
    }

    /// Objects that more than one Kustomization applies to it. Not those that Flux leaves alone, or only makes where they are
    /// not; with `Merge`, all Kustomizations are one field manager, and each takes the other's fields out.
    pub(crate) fn produced_twice(&self) -> BTreeMap<Id, Vec<&Kustomization>> {
        let mut by: BTreeMap<Id, Vec<&Kustomization>> = BTreeMap::new();
        for one in self.kustomizations.iter().filter(|one| !one.spec()["kubeConfig"].is_object()) {
            // A Flux Kustomization that two produce does not build.
            let objects = one.objects().iter().filter(|object| is_applied(object) && !object.is_flux_kustomization());
            for object in objects {
                by.entry(object.id()).or_default().push(one);
            }
        }
        by.retain(|_, by| by.len() > 1);
        by
    }

    /// Whether all of it builds: where something does not, what it would have brought is not known.
    pub(crate) fn is_whole(&self) -> bool {
        self.producers().all(|one| one.outcome.is_ok() || one.is_left_out())
    }
}

/// What produces objects: a Flux Kustomization, or a Helm release.
pub(crate) struct Kustomization {
    pub(crate) object: Object,
    /// `NAMESPACE/NAME` of the one that renders it; none for the root.
    pub(crate) parent: Option<String>,
    pub(crate) outcome: Result<Built>,
    /// The files of the repository that were rendered.
    pub(crate) files: Vec<String>,
    /// What is to blame where it does not build.
    pub(crate) place: Option<Place>,
}

/// What a Kustomization gives.
pub(crate) struct Built {
    pub(crate) objects: Vec<Object>,
    /// The objects as other values of Secrets would make them, for those that take any.
    pub(crate) shadows: Vec<Option<Value>>,
    /// The names of variables that the objects ask for.
    pub(crate) reads: BTreeSet<String>,
    /// Those that stay in the cluster where they are produced no more: what Helm creates and never deletes.
    pub(crate) kept: BTreeSet<Id>,
}

impl Kustomization {
    /// `NAMESPACE/NAME` of a Kustomization, with the kind in front for a Helm release.
    pub(crate) fn id(&self) -> String {
        if self.is_release() { self.title() } else { id(&self.object) }
    }

    pub(crate) fn is_release(&self) -> bool {
        self.object.kind() == "HelmRelease"
    }

    /// `KIND NAMESPACE/NAME`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.object.kind(), id(&self.object))
    }

    /// Whether it is a Helm release that could not be rendered on this machine, which is no fault of it.
    pub(crate) fn is_left_out(&self) -> bool {
        matches!(self.outcome, Err(Error::NotRendered(_)))
    }

    pub(crate) fn spec(&self) -> &Value {
        &self.object.0["spec"]
    }

    /// What to say where it does not build: where it stands, and why.
    pub(crate) fn failure(&self) -> Option<String> {
        let error = self.outcome.as_ref().err()?;
        // Some errors name their place themselves.
        let place = self.place.as_ref().filter(|_| error.place().is_none());
        let place = place.map(|place| format!(" ({}:{})", place.file, place.line)).unwrap_or_default();
        Some(format!("{}{place}: {error}", self.title()))
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.spec()["suspend"] == true
    }

    pub(crate) fn objects(&self) -> &[Object] {
        self.outcome.as_ref().map_or(&[], |built| built.objects.as_slice())
    }

    /// `NAMESPACE/NAME` of those that it waits for.
    pub(crate) fn depends_on(&self) -> Vec<String> {
        let items = self.spec()["dependsOn"].as_array().into_iter().flatten();
        items
            .map(|item| {
                let namespace = item["namespace"].as_str().unwrap_or(self.object.namespace());
                format!("{namespace}/{}", item["name"].as_str().unwrap_or_default())
            })
            .collect()
    }
}

fn is_applied(object: &Object) -> bool {
    ![("ssa", "ignore"), ("ssa", "ifnotpresent"), ("reconcile", "disabled")].into_iter().any(|(key, value)| {
        let key = format!("{FLUX_KUSTOMIZE}/{key}");
        let is = |told: Option<&str>| told.is_some_and(|told| told.eq_ignore_ascii_case(value));
        is(object.label(&key)) || is(object.annotation(&key))
    })
}

fn id(object: &Object) -> String {
    format!("{}/{}", object.namespace(), object.name())
}

/// `KIND/NAMESPACE/NAME` of the source of a Kustomization.
pub(crate) fn source_of(object: &Object) -> String {
    let reference = &object.0["spec"]["sourceRef"];
    let namespace = reference["namespace"].as_str().unwrap_or(object.namespace());
    let text = |key: &str| reference[key].as_str().unwrap_or_default().to_owned();
    format!("{}/{namespace}/{}", text("kind"), text("name"))
}

/// Builds all clusters asked for, and does something with each as soon as it is built.
pub(crate) fn build<R: Send>(input: &Input<'_>, then: impl Fn(&Cluster) -> R + Sync) -> Result<Vec<(Cluster, R)>> {
    let known = root::clusters(input.tree, input.clusters)?;
    // By name, or by folder, as a shell completes it.
    let names =
        |asked: &str, (name, folder): &(String, String)| asked.trim_end_matches('/') == name || join_secure(asked) == *folder;
    for asked in input.names {
        if !known.iter().any(|cluster| names(asked, cluster)) {
            let known: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::Usage(format!("there is no cluster `{asked}`: there are {}", known.join(", "))));
        }
    }
    let is_asked = |cluster: &(String, String)| input.names.is_empty() || input.names.iter().any(|asked| names(asked, cluster));
    let asked: Vec<_> = known.into_iter().filter(is_asked).collect();
    // Not put back piece by piece: it lasts as long as the command.
    let artifacts = ManuallyDrop::new(Artifacts::default());
    let progress = Progress::new("Kustomizations");
    let states = in_parallel(&asked, |(name, folder)| State::start(name.clone(), folder, input, &artifacts));
    // Kustomize takes the longest: the sooner it starts the better.
    let mut states: Vec<(usize, State)> = states.into_iter().enumerate().collect();
    states.sort_by_key(|(_, state)| !state.waits());
    // Each cluster on its own: while one waits for kustomize, others go on.
    let mut built = on_each(states, 4, |(position, mut state)| {
        state.build(input, &artifacts, &progress);
        let cluster = state.done();
        let result = input.renderer.beside(|| then(&cluster));
        (position, cluster, result)
    });
    built.sort_by_key(|(position, ..)| *position);
    Ok(built.into_iter().map(|(_, cluster, result)| (cluster, result)).collect())
}
