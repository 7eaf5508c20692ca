//! Reads a parsed document by the types that Talos gives to its fields.

use std::fmt::Write;

use zeroize::Zeroizing;

use crate::tree::{Map, Tree};
use crate::version::TalosVersion;
use crate::yaml::{Entry, Node, Scalar, Value, is_integer, is_number, typed_bool, untyped};

use super::suggest::nearest;
use super::syntax;
use super::table::{Shape, View};

/// Something in a document that Talos does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// Keys and list positions from the top of the document: `machine.network.interfaces[0].mtu`.
    pub path: String,
    /// What is wrong. Quotes names and short public values, never a text of the config.
    pub message: String,
}

/// Which document of which kind.
#[derive(Clone, Copy)]
pub(crate) struct Header<'n> {
    pub(crate) api_version: &'n str,
    /// Empty for the document without a kind.
    pub(crate) kind: &'n str,
}

/// The keys of the document without a kind.
const PLAIN_KEYS: [&str; 4] = ["machine", "cluster", "debug", "persist"];

/// Reads a whole document. Problems are collected; the tree holds what could be read.
pub(crate) fn read_document(node: &Node, version: &TalosVersion, problems: &mut Vec<Problem>) -> Tree {
    let mut reader = Reader::new(version, problems);
    let Value::Map(entries) = &node.value else {
        reader.problem(node.line, "", format!("a mapping is wanted here, not {}", node.kind()));
        return Tree::Null;
    };
    match reader.kind(node) {
        Some(type_name) => reader.structure(entries, type_name, "", true),
        None => Tree::Null,
    }
}

/// Checks a value of a type, without keeping what it reads to.
pub(crate) fn check_value(node: &Node, expression: &str, path: &str, version: &TalosVersion, problems: &mut Vec<Problem>) {
    if !node.is_null() {
        Reader::new(version, problems).value(node, expression, path);
    }
}

/// What to say of a field that a struct does not have.
pub(crate) fn unknown_field(version: &TalosVersion, type_name: &str, name: &str) -> String {
    let top = type_name == "v1alpha1.Config";
    Reader::new(version, &mut Vec::new()).unknown_field(type_name, name, "", top)
}

/// Reads a whole document again that was changed without regard to types.
pub(crate) fn retype(tree: &Tree, version: &TalosVersion) -> Result<Tree, Problem> {
    let mut problems = Vec::new();
    let tree = read_document(&node_of(tree), version, &mut problems);
    match problems.into_iter().next() {
        None => Ok(tree),
        Some(problem) => Err(problem),
    }
}

fn node_of(tree: &Tree) -> Node {
    let scalar = |text: &str, plain| Value::Scalar(Scalar { text: Zeroizing::new(text.to_owned()), plain });
    let value = match tree {
        Tree::Null => scalar("null", true),
        Tree::Bool(value) => scalar(if *value { "true" } else { "false" }, true),
        Tree::Number(number) => scalar(number, true),
        Tree::Text(text) => scalar(text, false),
        Tree::List(list) => Value::List(list.iter().map(node_of).collect()),
        Tree::Map(map) => {
            Value::Map(map.iter().map(|(key, value)| Entry { key: key.to_owned(), line: 0, value: node_of(value) }).collect())
        }
    };
    Node { line: 0, value }
}

/// Reads a node whose type is not fixed.
pub(crate) fn read_any(node: &Node) -> Tree {
    match &node.value {
        Value::Scalar(scalar) => untyped(scalar),
        Value::List(items) => Tree::List(items.iter().map(read_any).collect()),
        Value::Map(entries) => Tree::Map(entries.iter().map(|entry| (entry.key.clone(), read_any(&entry.value))).collect()),
    }
}

struct Reader<'p> {
    view: View,
    minor: u16,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Reader<'p> {
    fn new(version: &TalosVersion, problems: &'p mut Vec<Problem>) -> Self {
        Self { view: View::new(version.minor()), minor: version.minor(), problems }
    }

    fn problem(&mut self, line: usize, path: &str, message: impl Into<String>) {
        self.problems.push(Problem { line, path: path.to_owned(), message: message.into() });
    }

    /// The type of the document.
    fn kind(&mut self, node: &Node) -> Option<&'static str> {
        let header = header(node);
        let line = |key| node.get(key).map_or(node.line, |value| value.line);
        if header.kind.is_empty() {
            let plain = node.get("version").is_some()
                || PLAIN_KEYS.iter().any(|key| node.get(key).is_some())
                || header.api_version.is_empty();
            if plain && header.api_version.is_empty() {
                return self.view.kind("").map(|kind| kind.type_name);
            }
            self.problem(line("apiVersion"), "kind", "the document has an `apiVersion` but no `kind`");
            return None;
        }
        let Some(kind) = self.view.kind(header.kind) else {
            let message = self.unknown_kind(header.kind);
            self.problem(line("kind"), "kind", message);
            return None;
        };
        if header.api_version != "v1alpha1" {
            let message = if header.api_version.is_empty() {
                format!("the `{}` document has no `apiVersion`: add `apiVersion: v1alpha1`", header.kind)
            } else {
                format!("Talos v1.{} has no `{}` of version `{}`: only `v1alpha1`", self.minor, header.kind, header.api_version)
            };
            self.problem(line("apiVersion"), "apiVersion", message);
            return None;
        }
        Some(kind.type_name)
    }

    fn unknown_kind(&self, kind: &str) -> String {
        let mut message = format!("Talos v1.{} knows no document of kind `{kind}`", self.minor);
        if let Some(range) = View::elsewhere(None, kind) {
            message.push_str(&in_other_minors(range, self.minor));
        } else if let Some(near) = nearest(kind, self.view.kinds()) {
            let _ = write!(message, ": did you mean `{near}`?");
        }
        message
    }

    fn unknown_field(&self, type_name: &str, name: &str, parent: &str, top: bool) -> String {
        let place = if parent.is_empty() { String::new() } else { format!(" in `{parent}`") };
        let mut message = format!("Talos v1.{} knows no field `{name}`{place}", self.minor);
        let known = || self.view.fields(type_name).map(|(name, _)| name);
        if let Some(range) = View::elsewhere(Some(type_name), name) {
            message.push_str(&in_other_minors(range, self.minor));
        } else if let Some(near) = nearest(name, known()) {
            let _ = write!(message, ": did you mean `{near}`?");
        } else if top && type_name == "v1alpha1.Config" && self.view.fields("v1alpha1.MachineConfig").any(|f| f.0 == name) {
            let _ = write!(message, ": did you mean `machine.{name}`?");
        } else if top && type_name == "v1alpha1.Config" && self.view.fields("v1alpha1.ClusterConfig").any(|f| f.0 == name) {
            let _ = write!(message, ": did you mean `cluster.{name}`?");
        } else {
            let mut names: Vec<_> = known().collect();
            names.sort_unstable();
            if names.len() <= 12 {
                let _ = write!(message, ": it knows `{}`", names.join("`, `"));
            }
        }
        message
    }

    fn structure(&mut self, entries: &[Entry], type_name: &str, path: &str, top: bool) -> Tree {
        let mut map = Map::new();
        for entry in entries {
            let here = join(path, &entry.key);
            if top && matches!(entry.key.as_str(), "apiVersion" | "kind") {
                map.insert(entry.key.as_str(), read_any(&entry.value));
                continue;
            }
            let Some(expression) = self.view.field(type_name, &entry.key) else {
                let message = self.unknown_field(type_name, &entry.key, path, top);
                self.problem(entry.line, &here, message);
                continue;
            };
            // Null is the same as nothing for a field.
            if entry.value.is_null() {
                continue;
            }
            if let Some(value) = self.value(&entry.value, expression, &here) {
                map.insert(entry.key.as_str(), value);
            }
        }
        Tree::Map(map)
    }

    fn value(&mut self, node: &Node, expression: &str, path: &str) -> Option<Tree> {
        match (Shape::bare(expression), &node.value) {
            (Shape::Any, _) => Some(read_any(node)),
            (Shape::Struct(type_name), Value::Map(entries)) => Some(self.structure(entries, type_name, path, false)),
            (Shape::Map(inner), Value::Map(entries)) => {
                let mut map = Map::new();
                for entry in entries {
                    let here = join(path, &entry.key);
                    // Unlike a field, a key of a map exists by being named.
                    let value = if entry.value.is_null() { Some(zero(inner)) } else { self.value(&entry.value, inner, &here) };
                    if let Some(value) = value {
                        map.insert(entry.key.as_str(), value);
                    }
                }
                Some(Tree::Map(map))
            }
            (Shape::List(inner), Value::List(items)) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let here = format!("{path}[{index}]");
                    if item.is_null() && !matches!(Shape::bare(inner), Shape::Any) {
                        self.problem(item.line, &here, "the item is empty");
                    } else if let Some(value) = self.value(item, inner, &here) {
                        list.push(value);
                    }
                }
                Some(Tree::List(list))
            }
            (Shape::Syntax("arg"), Value::List(_)) => self.value(node, "[]s", path),
            (shape, Value::Scalar(scalar)) => {
                let result = match shape {
                    Shape::Text => Ok(Tree::Text(scalar.text.clone())),
                    Shape::Bool => typed_bool(scalar).map(Tree::Bool).ok_or_else(String::new),
                    Shape::Integer if scalar.plain && is_whole(&scalar.text) => Ok(Tree::Number(scalar.text.to_string())),
                    Shape::Unsigned if scalar.plain && is_whole(&scalar.text) && !scalar.text.starts_with('-') => {
                        Ok(Tree::Number(scalar.text.to_string()))
                    }
                    Shape::Float if scalar.plain && is_number(&scalar.text) => Ok(Tree::Number(scalar.text.to_string())),
                    // Nanoseconds and single ports are numbers to Go, and no texts.
                    Shape::Syntax("duration" | "network.PortRange") if scalar.plain && is_integer(&scalar.text) => {
                        Ok(Tree::Number(scalar.text.to_string()))
                    }
                    Shape::Syntax(type_name) => match syntax::check(type_name, &scalar.text) {
                        Ok(()) => Ok(Tree::Text(scalar.text.clone())),
                        Err(why) => Err(why),
                    },
                    _ => Err(String::new()),
                };
                match result {
                    Ok(value) => Some(value),
                    Err(why) if why.is_empty() => {
                        self.wrong_type(node, shape, path);
                        None
                    }
                    Err(why) => {
                        self.problem(node.line, path, format!("the value {why}"));
                        None
                    }
                }
            }
            (shape, _) => {
                self.wrong_type(node, shape, path);
                None
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, shape: Shape<'_>, path: &str) {
        let wanted = match shape {
            Shape::Bool => "a boolean (`true` or `false`)",
            Shape::Integer => "a whole number",
            Shape::Unsigned => "a whole number that is not negative",
            Shape::Float => "a number",
            Shape::List(_) => "a list",
            Shape::Struct(_) | Shape::Map(_) => "a mapping",
            Shape::Syntax("arg") => "a text or a list of texts",
            _ => "a text",
        };
        self.problem(node.line, path, format!("{wanted} is wanted here, not {}", node.kind()));
    }
}

/// What a document says of itself.
pub(crate) fn header(node: &Node) -> Header<'_> {
    let text = |key| node.get(key).and_then(Node::scalar).unwrap_or_default();
    Header { api_version: text("apiVersion"), kind: text("kind") }
}

fn in_other_minors((since, until): (u16, u16), minor: u16) -> String {
    if minor < since { format!(": it came with v1.{since}") } else { format!(": v1.{until} was the last to know it") }
}

/// A whole number: Go takes `1.0` and `1e3` for an integer too.
fn is_whole(text: &str) -> bool {
    is_integer(text) || (is_number(text) && text.parse::<f64>().is_ok_and(|number| number.fract() == 0.0 && number.abs() < 9e15))
}

/// The value that a missing one has.
fn zero(expression: &str) -> Tree {
    match Shape::bare(expression) {
        Shape::Text | Shape::Syntax(_) => Tree::text(""),
        Shape::Bool => Tree::Bool(false),
        Shape::Integer | Shape::Unsigned | Shape::Float => Tree::Number("0".to_owned()),
        Shape::List(_) => Tree::List(Vec::new()),
        Shape::Map(_) | Shape::Struct(_) => Tree::Map(Map::new()),
        _ => Tree::Null,
    }
}

fn join(path: &str, key: &str) -> String {
    let key = if key.contains(['.', '[', ']']) || key.is_empty() { format!("\"{key}\"") } else { key.to_owned() };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
