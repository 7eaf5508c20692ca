//! Where in the repository something stands. Kustomize forgets it, so the files that went into a build are searched for the
//! object again: by kind and name, as far as a prefix, a suffix or a variable leaves the name readable.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use crate::fleet::{Cluster, Kustomization};
use crate::object::{KUSTOMIZE, Object};
use crate::tree::Tree;
use crate::yaml::{self, Node};

/// A file and a line in it, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// A step into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Item(usize),
}

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
        let files: &[String] = by.outcome.as_ref().map_or(&[], |built| &built.files);
        let mut best: Option<(usize, Place)> = None;
        for file in files {
            for document in self.documents(file).iter() {
                let (score, line) = match fit(document, object) {
                    0 => (generated(document, object), document.line),
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
fn fit(document: &Node, object: &Object) -> usize {
    let text = |path: &[&str]| document.at(path).and_then(Node::text).unwrap_or_default();
    let group = text(&["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
    if text(&["kind"]) != object.kind() || group != object.group() {
        return 0;
    }
    let name = text(&["metadata", "name"]);
    let namespace = text(&["metadata", "namespace"]);
    let bonus = usize::from(namespace == object.namespace());
    if name == object.name() {
        return 8 + bonus;
    }
    if !name.is_empty() && object.name().contains(name) {
        return 6 + bonus;
    }
    if name.contains("${") { 4 + bonus } else { 0 }
}

/// Whether a kustomization.yaml generates the object.
fn generated(document: &Node, object: &Object) -> usize {
    let field = match object.kind() {
        "ConfigMap" => "configMapGenerator",
        "Secret" => "secretGenerator",
        _ => return 0,
    };
    let kind = document.at(&["apiVersion"]).and_then(Node::text).unwrap_or(KUSTOMIZE);
    if !kind.starts_with(KUSTOMIZE) {
        return 0;
    }
    let names = document.at(&[field]).map_or(&[] as &[Node], Node::items);
    let fits = |item: &Node| item.at(&["name"]).and_then(Node::text).is_some_and(|name| object.name().contains(name));
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

/// `a.b` and numbers, as steps.
pub(crate) fn steps(path: &str) -> Vec<Step> {
    path.split('.')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_or_else(|_| Step::Key(part.to_owned()), Step::Item))
        .collect()
}

/// Calls for each value in an object, with its path.
pub(crate) fn each_value<'v>(value: &'v Value, path: &mut Vec<Step>, call: &mut impl FnMut(&[Step], &'v Value)) {
    call(path, value);
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                path.push(Step::Key(key.clone()));
                each_value(item, path, call);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                path.push(Step::Item(position));
                each_value(item, path, call);
                path.pop();
            }
        }
        _ => {}
    }
}
