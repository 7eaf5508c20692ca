//! The clusters with all that Flux would build for them. The graph is found from what each Kustomization renders, from the
//! root on, so that a parent may patch, substitute or make its children.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::object::{FLUX_KUSTOMIZE, Id, Object};
use crate::parallel::{in_parallel, in_parallel_where_many, on_each};
use crate::place::Place;
use crate::post_build;
use crate::progress::Progress;
use crate::render::{Rendered, Renderer, Started};
use crate::root::{self, Root};
use crate::sources::{Artifact, Artifacts, Folders, Sources};
use crate::tree::{Tree, join_secure};
use crate::variables::{self, Given, Missing, Pool};

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

enum Step {
    Found,
    Rendered(Result<Rendered>),
    Done(Result<Built>),
}

struct Node {
    object: Object,
    parent: Option<String>,
    step: Step,
    files: Vec<String>,
}

/// A Kustomization on its way through kustomize.
struct Render {
    artifact: Arc<Artifact>,
    /// Under which its artifact keeps it.
    key: String,
    begun: Begun,
}

enum Begun {
    /// Another cluster's is the same.
    Before(Rendered),
    Now(Started),
}

impl Render {
    /// Whether kustomize must run for it.
    fn waits(&self) -> bool {
        matches!(&self.begun, Begun::Now(started) if !started.is_kept())
    }

    fn end(self, with: &Renderer) -> Result<Rendered> {
        let started = match self.begun {
            Begun::Before(rendered) => return Ok(rendered),
            Begun::Now(started) => started,
        };
        let rendered = with.finish(&self.artifact.tree, started)?;
        self.artifact.keep(self.key, &rendered);
        Ok(rendered)
    }
}

struct State {
    name: String,
    root: Root,
    nodes: Vec<Node>,
    /// Those that are rendered next.
    begun: Vec<(usize, Result<Render>)>,
    pool: Pool,
    sources: Sources,
}

impl State {
    /// Finds the root, and begins with it.
    fn start(name: String, folder: &str, input: &Input<'_>, artifacts: &Artifacts) -> Self {
        let root = root::find(input.tree, folder);
        let patched = root.error(folder).map_or_else(|| patched_root(&root, input), Err);
        let (object, step) = match patched {
            Ok(object) => (object, Step::Found),
            // The other clusters are built all the same.
            Err(error) => (root.kustomization.clone(), Step::Done(Err(error))),
        };
        let sources = Sources::new(&root, source_of(&object));
        let mut pool = Pool::default();
        for object in &input.given.objects {
            pool.add(object, None);
        }
        let nodes = vec![Node { object, parent: None, step, files: Vec::new() }];
        let mut state = State { name, root, nodes, begun: Vec::new(), pool, sources };
        state.begin_all(input, artifacts);
        state
    }

    /// Whether kustomize must run for what is begun.
    fn waits(&self) -> bool {
        self.begun.iter().any(|(_, render)| render.as_ref().is_ok_and(Render::waits))
    }

    /// Renders and finishes what is found, until nothing more comes of it.
    fn build(&mut self, input: &Input<'_>, artifacts: &Artifacts, progress: &Progress) {
        while !self.begun.is_empty() {
            let begun = std::mem::take(&mut self.begun);
            progress.expect(begun.len());
            let end = |(position, render): (usize, Result<Render>)| {
                let rendered = render.and_then(|render| render.end(input.renderer));
                progress.step();
                (position, rendered)
            };
            // What is kept is there at once; what waits for a program does so in a thread of its own.
            let (waiting, kept): (Vec<_>, Vec<_>) =
                begun.into_iter().partition(|(_, render)| render.as_ref().is_ok_and(Render::waits));
            let rendered = on_each(waiting, 1, end).into_iter().chain(kept.into_iter().map(end));
            for (position, rendered) in rendered {
                let rendered = self.placed(position, input, rendered);
                self.nodes[position].step = Step::Rendered(rendered);
            }
            input.renderer.beside(|| self.finish_what_can_be(input.given));
            input.renderer.beside(|| self.begin_all(input, artifacts));
        }
    }

    fn begin_all(&mut self, input: &Input<'_>, artifacts: &Artifacts) {
        let found: Vec<usize> = self.unrendered().collect();
        self.begun = in_parallel_where_many(&found, 8, |position| (*position, self.begin(*position, input, artifacts)));
    }

    fn unrendered(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(|(_, node)| matches!(node.step, Step::Found)).map(|(position, _)| position)
    }

    fn begin(&self, position: usize, input: &Input<'_>, artifacts: &Artifacts) -> Result<Render> {
        let object = &self.nodes[position].object;
        let source = source_of(object);
        let artifact = self.sources.artifact(&source, input.tree, input.sources, artifacts)?;
        let spec = &object.0["spec"];
        let key = spec.to_string();
        let begun = match artifact.rendered(&key) {
            Some(rendered) => Begun::Before(rendered),
            None => Begun::Now(input.renderer.start(&artifact.tree, &source, spec)?),
        };
        Ok(Render { artifact, key, begun })
    }

    /// Says of files where they are in the repository. Those of other folders are not the repository's.
    fn placed(&self, position: usize, input: &Input<'_>, rendered: Result<Rendered>) -> Result<Rendered> {
        let elsewhere =
            input.sources.get(&source_of(&self.nodes[position].object)).map(|folder| folder.path.display().to_string());
        let above = elsewhere.as_deref().unwrap_or(&self.root.artifact);
        let mut rendered = rendered.map_err(|error| error.below(above))?;
        if elsewhere.is_some() {
            rendered.files.clear();
        } else if !above.is_empty() {
            rendered.files.iter_mut().for_each(|file| *file = format!("{above}/{file}"));
        }
        Ok(rendered)
    }

    /// Finishes what has its variables. Where only optional objects are missing, they count as missing once nothing else
    /// can come that would bring them.
    fn finish_what_can_be(&mut self, given: &Given) {
        loop {
            let waiting: Vec<(Missing, usize)> = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| matches!(node.step, Step::Rendered(_)))
                .map(|(position, node)| {
                    (variables::all_there(&node.object.0["spec"], node.object.namespace(), &self.pool), position)
                })
                .collect();
            let ready: Vec<usize> =
                waiting.iter().filter(|(missing, _)| *missing == Missing::Nothing).map(|(_, position)| *position).collect();
            if !ready.is_empty() {
                for position in ready {
                    self.finish(position, given);
                }
                continue;
            }
            // What was found just now may still bring what is missing.
            let next = waiting.iter().min().filter(|_| self.unrendered().next().is_none());
            match next {
                Some((_, position)) => self.finish(*position, given),
                None => return,
            }
        }
    }

    fn finish(&mut self, position: usize, given: &Given) {
        let node = &mut self.nodes[position];
        let step = std::mem::replace(&mut node.step, Step::Found);
        let Step::Rendered(rendered) = step else {
            node.step = step;
            return;
        };
        let spec = &node.object.0["spec"];
        let built = rendered.and_then(|mut rendered| {
            node.files = std::mem::take(&mut rendered.files);
            let gather = || variables::gather(spec, node.object.namespace(), &self.pool, given);
            let made = post_build::objects(&rendered, spec, gather)?;
            Ok(Built { objects: made.objects, shadows: made.shadows, reads: made.reads, kept: BTreeSet::new() })
        });
        let parent = id(&node.object);
        // Those of another cluster find their children there.
        let elsewhere = spec["kubeConfig"].is_object();
        let mut children = Vec::new();
        if let Ok(built) = &built
            && !elsewhere
        {
            for (object, shadow) in built.objects.iter().zip(&built.shadows) {
                if object.is_flux_kustomization() {
                    children.push(object.clone());
                } else {
                    self.sources.add(object);
                    self.pool.add(object, shadow.as_ref());
                }
            }
        }
        node.step = Step::Done(built);
        for child in children {
            self.add(child, &parent);
        }
    }

    fn add(&mut self, object: Object, parent: &str) {
        let child = id(&object);
        match self.nodes.iter_mut().find(|node| id(&node.object) == child) {
            None => self.nodes.push(Node { object, parent: Some(parent.to_owned()), step: Step::Found, files: Vec::new() }),
            // The root's own sync file renders the root.
            Some(node) if node.parent.is_none() => {}
            Some(node) => {
                let first = node.parent.clone().unwrap_or_default();
                if first != parent {
                    node.step = Step::Done(Err(Error::TwoParents { id: child, first, second: parent.to_owned() }));
                }
            }
        }
    }

    fn done(self) -> Cluster {
        let finished = self.nodes.into_iter().map(|node| Kustomization {
            object: node.object,
            parent: node.parent,
            files: node.files,
            place: None,
            outcome: match node.step {
                Step::Done(outcome) => outcome,
                Step::Found | Step::Rendered(_) => Err(Error::Usage("it was not built".to_owned())),
            },
        });
        Cluster {
            name: self.name,
            place: self.root.place,
            kustomizations: in_order(finished.collect()),
            releases: Vec::new(),
            pool: self.pool,
            sources: self.sources,
        }
    }
}

/// The root with the FluxInstance's patches on it: kustomize applies them, as flux-operator has it do.
fn patched_root(start: &Root, input: &Input<'_>) -> Result<Object> {
    let root = &start.kustomization;
    let patches: Vec<&Value> = start
        .patches
        .as_array()
        .into_iter()
        .flatten()
        .filter(|patch| patch["target"].is_object() || patch["patch"].as_str().is_some_and(|text| names(text, root)))
        .collect();
    if patches.is_empty() {
        return Ok(root.clone());
    }
    let sync = Tree::from_memory([("sync.yaml".to_owned(), crate::yaml::emit(&root.0).into_bytes())]);
    let rendered = input.renderer.render(&sync, "the FluxInstance", &json!({"patches": patches}))?;
    let root_after = rendered.documents.iter().map(|document| &document.object).find(|object| object.is_flux_kustomization());
    Ok(root_after.unwrap_or(root).clone())
}

/// Whether a patch without a target is for this object.
fn names(patch: &str, object: &Object) -> bool {
    crate::yaml::parse_one(patch).is_ok_and(|node| {
        let patch = Object(node.to_json());
        patch.kind() == object.kind() && patch.name() == object.name()
    })
}

/// Parents first, then what is depended on, then by name. What waits for itself comes last, by name.
fn in_order(mut left: Vec<Kustomization>) -> Vec<Kustomization> {
    left.sort_by_key(Kustomization::id);
    let all: BTreeSet<String> = left.iter().map(Kustomization::id).collect();
    let (mut placed, mut ordered) = (BTreeSet::new(), Vec::with_capacity(left.len()));
    while !left.is_empty() {
        let is_free = |one: &Kustomization| {
            one.parent.iter().chain(&one.depends_on()).all(|before| placed.contains(before) || !all.contains(before))
        };
        let next = left.iter().position(is_free).unwrap_or(0);
        let one = left.remove(next);
        placed.insert(one.id());
        ordered.push(one);
    }
    ordered
}
