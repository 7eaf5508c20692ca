//! Where in the repository something stands. Kustomize forgets it, so the files that went into a build are searched for the
//! object again: by kind and name, as far as a prefix, a suffix or a variable leaves the name readable.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::envsubst::EnvsubstError;
use crate::error::Error;
use crate::fleet::{Cluster, Kustomization};
use crate::object::{Id, KUSTOMIZE, Object};
use crate::place::{Place, Step, steps};
use crate::tree::Tree;
use crate::yaml::{self, Node};

/// Finds places in the files of a repository.
pub(crate) struct Places<'t> {
    tree: &'t Tree,
    read: RefCell<HashMap<String, Rc<Vec<Node>>>>,
}

impl<'t> Places<'t> {
    pub(crate) fn new(tree: &'t Tree) -> Self {
        Places { tree, read: RefCell::default() }
    }

    /// Where a Kustomization itself stands, and a field of it.
    pub(crate) fn of_kustomization(&self, cluster: &Cluster, kustomization: &Kustomization, path: &[Step]) -> Place {
        let parent = kustomization.parent.as_ref().and_then(|id| cluster.kustomizations.iter().find(|one| one.id() == *id));
        match parent {
            Some(parent) => self.of(cluster, parent, &kustomization.object, path),
            None => cluster.place.clone(),
        }
    }

    /// Where an object stands that a Kustomization renders, and a field of it.
    pub(crate) fn of(&self, cluster: &Cluster, by: &Kustomization, object: &Object, path: &[Step]) -> Place {
        let id = object.id();
        let mut best: Option<(usize, Place)> = None;
        for file in &by.files {
            for document in self.documents(file).iter() {
                let (score, line) = match fit(document, &id) {
                    0 => (generated(document, &id), document.line),
                    score => (score, line_of(document, path)),
                };
                if score > best.as_ref().map_or(0, |(best, _)| *best) {
                    best = Some((score, Place { file: file.clone(), line }));
                }
            }
        }
        match best {
            Some((_, place)) => place,
            None if by.parent.is_some() => self.of_kustomization(cluster, by, &[]),
            None => cluster.place.clone(),
        }
    }

    /// What is to blame where a Kustomization does not build: a file's line, the object, or a field of the Kustomization.
    pub(crate) fn of_failure(&self, cluster: &Cluster, kustomization: &Kustomization, error: &Error) -> Place {
        if let Some((file, line)) = error.place() {
            return Place { file: file.to_owned(), line };
        }
        let own = |path: &str| self.of_kustomization(cluster, kustomization, &steps(path));
        let written = |object: &Id, part: &str| self.text_of(kustomization, object, part).unwrap_or_else(|| own(""));
        match error {
            Error::Envsubst { object, source } => match source {
                EnvsubstError::Syntax { near, .. } => written(object, near),
                EnvsubstError::Missing(name) | EnvsubstError::Range(name) | EnvsubstError::Cut(name) => {
                    written(object, &format!("${{{name}"))
                }
            },
            Error::Substituted { object, .. } | Error::Twice { object } | Error::VariableName { object, .. } => {
                written(object, "")
            }
            Error::Encrypted(object) => written(object, ""),
            Error::NoPath { .. } => own("spec.path"),
            Error::NoSource(_) => own("spec.sourceRef.name"),
            Error::NoVariables { kind, name, .. } => {
                let items = kustomization.spec()["postBuild"]["substituteFrom"].as_array();
                let position =
                    items.and_then(|items| items.iter().position(|one| one["kind"] == **kind && one["name"] == **name));
                own(&position.map_or_else(String::new, |position| format!("spec.postBuild.substituteFrom.{position}.name")))
            }
            _ => own(""),
        }
    }

    /// Where a part of an object's text stands: in the file that has it, of those that the object may be written in.
    fn text_of(&self, by: &Kustomization, object: &Id, part: &str) -> Option<Place> {
        let mut best: Option<((bool, usize), Place)> = None;
        for file in &by.files {
            let documents = self.documents(file);
            for (position, document) in documents.iter().enumerate() {
                let fits = fit(document, object);
                if fits == 0 {
                    continue;
                }
                let text = self.tree.text(file).unwrap_or_default();
                let length = documents.get(position + 1).map_or(usize::MAX, |next| next.line - document.line);
                let mut lines = text.lines().skip(document.line - 1).take(length);
                let found = if part.is_empty() { None } else { lines.position(|line| line.contains(part)) };
                let score = (found.is_some(), fits);
                if best.as_ref().is_none_or(|(best, _)| score > *best) {
                    best = Some((score, Place { file: file.clone(), line: document.line + found.unwrap_or(0) }));
                }
            }
        }
        best.map(|(_, place)| place)
    }

    fn documents(&self, file: &str) -> Rc<Vec<Node>> {
        if let Some(documents) = self.read.borrow().get(file) {
            return Rc::clone(documents);
        }
        // What is no YAML holds no object.
        let documents = self.tree.text(file).ok().and_then(|text| yaml::parse(&text).ok()).unwrap_or_default();
        let documents = Rc::new(documents);
        self.read.borrow_mut().insert(file.to_owned(), Rc::clone(&documents));
        documents
    }
}

/// How well a document fits an object: not at all, or the better the higher.
fn fit(document: &Node, object: &Id) -> usize {
    let text = |path: &[&str]| document.at(path).and_then(Node::text).unwrap_or_default();
    let group = text(&["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
    if text(&["kind"]) != object.kind || group != object.group {
        return 0;
    }
    let name = text(&["metadata", "name"]);
    let namespace = text(&["metadata", "namespace"]);
    let bonus = usize::from(namespace == object.namespace);
    if name == object.name {
        return 8 + bonus;
    }
    if !name.is_empty() && object.name.contains(name) {
        return 6 + bonus;
    }
    if name.contains("${") { 4 + bonus } else { 0 }
}

/// Whether a kustomization.yaml generates the object.
fn generated(document: &Node, object: &Id) -> usize {
    let field = match object.kind.as_str() {
        "ConfigMap" => "configMapGenerator",
        "Secret" => "secretGenerator",
        _ => return 0,
    };
    let kind = document.at(&["apiVersion"]).and_then(Node::text).unwrap_or(KUSTOMIZE);
    if !kind.starts_with(KUSTOMIZE) {
        return 0;
    }
    let names = document.at(&[field]).map_or(&[] as &[Node], Node::items);
    let fits = |item: &Node| item.at(&["name"]).and_then(Node::text).is_some_and(|name| object.name.contains(name));
    if names.iter().any(fits) { 2 } else { 0 }
}

/// The line of a path, or of the deepest part of it that is there.
fn line_of(document: &Node, path: &[Step]) -> usize {
    let mut node = document;
    let mut line = document.line;
    for step in path {
        let next = match step {
            Step::Key(key) => node.entry(key).map(|entry| (entry.line, &entry.value)),
            Step::Item(position) => node.items().get(*position).map(|item| (item.line, item)),
        };
        let Some((found, next)) = next else { break };
        (line, node) = (found, next);
    }
    line
}

/// Says of all that does not build what is to blame.
pub(crate) fn blame(tree: &Tree, clusters: &mut [Cluster]) {
    let places = Places::new(tree);
    for cluster in clusters {
        let failed = |one: &Kustomization| one.outcome.as_ref().err().map(|error| places.of_failure(cluster, one, error));
        let found: Vec<Option<Place>> = cluster.kustomizations.iter().map(failed).collect();
        let is_wrong = |one: &Kustomization| one.outcome.is_err() && !one.is_left_out();
        let of_release = |one: &Kustomization| is_wrong(one).then(|| places.of_kustomization(cluster, one, &[]));
        let of_releases: Vec<Option<Place>> = cluster.releases.iter().map(of_release).collect();
        for (one, place) in cluster.kustomizations.iter_mut().zip(found) {
            one.place = place;
        }
        for (one, place) in cluster.releases.iter_mut().zip(of_releases) {
            one.place = place;
        }
    }
}
