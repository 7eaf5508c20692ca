//! A cluster that is being built.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::render::Render;
use super::{Built, Cluster, Input, Kustomization, id, source_of};
use crate::error::{Error, Result};
use crate::object::Object;
use crate::parallel::{in_parallel_where_many, on_each};
use crate::post_build;
use crate::progress::Progress;
use crate::render::{Rendered, Started};
use crate::root::{self, Root};
use crate::sources::{Artifacts, Sources};
use crate::tree::Tree;
use crate::variables::{self, Given, Missing, Pool};

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

pub(super) struct State {
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
    pub(super) fn start(name: String, folder: &str, input: &Input<'_>, artifacts: &Artifacts) -> Self {
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
    pub(super) fn waits(&self) -> bool {
        self.begun.iter().any(|(_, render)| render.as_ref().is_ok_and(Render::waits))
    }

    /// Renders and finishes what is found, until nothing more comes of it.
    pub(super) fn build(&mut self, input: &Input<'_>, artifacts: &Artifacts, progress: &Progress) {
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
        let started = match artifact.rendered(&key) {
            // Another cluster's is the same.
            Some(rendered) => Started::Kept(rendered),
            None => input.renderer.start(&artifact.tree, &source, spec)?,
        };
        Ok(Render { artifact, key, started })
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

    pub(super) fn done(self) -> Cluster {
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
