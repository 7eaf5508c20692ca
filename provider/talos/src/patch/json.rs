//! RFC 6902: operations on the one document of a config.

use crate::config::Documents;
use crate::schema::{self, Problem, Shape, View};
use crate::tree::Tree;
use crate::version::TalosVersion;
use crate::yaml::{Node, Value};

use super::{ApplyError, PatchError, error};

/// The type of the only document that these patches reach.
const DOCUMENT: &str = "@v1alpha1.Config";

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Operation {
    op: Op,
    path: Pointer,
}

#[derive(Clone, PartialEq, Eq)]
enum Op {
    Add(Tree),
    Remove,
    Replace(Tree),
    Move(Pointer),
    Copy(Pointer),
    Test(Tree),
}

/// A JSON pointer: its text and its unescaped parts.
#[derive(Clone, PartialEq, Eq)]
struct Pointer {
    text: String,
    parts: Vec<String>,
}

impl Op {
    fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Remove => "remove",
            Self::Replace(_) => "replace",
            Self::Move(_) => "move",
            Self::Copy(_) => "copy",
            Self::Test(_) => "test",
        }
    }
}

pub(super) fn read(node: &Node, version: &TalosVersion, problems: &mut Vec<Problem>) -> Result<Vec<Operation>, PatchError> {
    let Value::List(items) = &node.value else {
        return Ok(Vec::new());
    };
    items.iter().map(|item| operation(item, version, problems)).collect()
}

fn operation(item: &Node, version: &TalosVersion, problems: &mut Vec<Problem>) -> Result<Operation, PatchError> {
    let Value::Map(entries) = &item.value else {
        return Err(error(item.line, "a JSON patch is a list of operations, each a mapping with `op` and `path`"));
    };
    for entry in entries {
        if !matches!(entry.key.as_str(), "op" | "path" | "from" | "value") {
            let message = format!("an operation has no field `{}`: it has `op`, `path`, `from` and `value`", entry.key);
            return Err(error(entry.line, message));
        }
    }
    let wanted = |key: &str| item.get(key).ok_or_else(|| error(item.line, format!("the operation has no `{key}`")));
    let pointer = |key: &str| -> Result<Pointer, PatchError> {
        let node = wanted(key)?;
        node.scalar().and_then(Pointer::parse).ok_or_else(|| {
            error(node.line, format!("the operation's `{key}` is no JSON pointer: it is written like `/machine/certSANs`"))
        })
    };
    let path = pointer("path")?;
    let op = wanted("op")?;
    let value = || wanted("value").map(schema::read_any);
    let op = match op.scalar().unwrap_or_default() {
        "add" => Op::Add(value()?),
        "remove" => Op::Remove,
        "replace" => Op::Replace(value()?),
        "move" => Op::Move(pointer("from")?),
        "copy" => Op::Copy(pointer("from")?),
        "test" => Op::Test(value()?),
        _ => {
            let message = "the operation's `op` is none of `add`, `remove`, `replace`, `move`, `copy` and `test`";
            return Err(error(op.line, message));
        }
    };
    if matches!(op, Op::Add(_) | Op::Replace(_) | Op::Move(_) | Op::Copy(_)) {
        check(item, &path, matches!(op, Op::Add(_) | Op::Replace(_)), version, problems);
    }
    Ok(Operation { op, path })
}

/// Follows the path through the types, and the value below it.
fn check(item: &Node, path: &Pointer, with_value: bool, version: &TalosVersion, problems: &mut Vec<Problem>) {
    let view = View::new(version.minor());
    let mut expression = DOCUMENT;
    let mut shown = String::new();
    let line = item.get("path").map_or(item.line, |node| node.line);
    for part in &path.parts {
        let separator = if shown.is_empty() { "" } else { "." };
        match Shape::bare(expression) {
            Shape::Struct(name) => {
                shown = format!("{shown}{separator}{part}");
                let Some(field) = view.field(name, part) else {
                    let message = schema::unknown_field(version, name, part);
                    problems.push(Problem { line, path: shown, message });
                    return;
                };
                expression = field;
            }
            Shape::Map(inner) => {
                shown = format!("{shown}{separator}{part}");
                expression = inner;
            }
            Shape::List(inner) => {
                if part != "-" && part.parse::<usize>().is_err() {
                    let message = format!("a list is addressed by a number or `-`, not by `{part}`");
                    problems.push(Problem { line, path: shown, message });
                    return;
                }
                shown = format!("{shown}[{part}]");
                expression = inner;
            }
            Shape::Any | Shape::Syntax("arg") => return,
            _ => {
                let message = format!("this is a single value, so there is no `{part}` in it");
                problems.push(Problem { line, path: shown, message });
                return;
            }
        }
    }
    if let (true, Some(value)) = (with_value, item.get("value")) {
        schema::check_value(value, expression, &shown, version, problems);
    }
}

impl Pointer {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('/')?;
        Some(Self {
            text: text.to_owned(),
            parts: rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
        })
    }

    /// The part under which the target stands, and those before it.
    fn split(&self) -> (&str, &[String]) {
        match self.parts.split_last() {
            Some((last, parents)) => (last, parents),
            None => ("", &[]),
        }
    }
}

pub(super) fn apply(operations: &[Operation], documents: &mut Documents, version: &TalosVersion) -> Result<(), ApplyError> {
    let count = documents.len();
    let [document] = documents.all_mut().as_mut_slice() else {
        return Err(ApplyError::SeveralDocuments(count));
    };
    for (index, operation) in operations.iter().enumerate() {
        operation.apply(document).map_err(|reason| ApplyError::Operation {
            index,
            op: operation.op.name(),
            path: operation.path.text.clone(),
            reason: reason.to_owned(),
        })?;
    }
    match schema::retype(document, version) {
        Ok(tree) => {
            *document = tree;
            Ok(())
        }
        Err(Problem { path, message, .. }) => Err(ApplyError::Result { path, message }),
    }
}

const MISSING: &str = "there is nothing at that path";

impl Operation {
    fn apply(&self, document: &mut Tree) -> Result<(), &'static str> {
        match &self.op {
            Op::Add(value) => add(document, &self.path, value.clone()),
            Op::Remove => remove(document, &self.path).map(|_| ()),
            Op::Replace(value) => replace(document, &self.path, value.clone()),
            Op::Move(from) => {
                let value = remove(document, from)?;
                add(document, &self.path, value)
            }
            Op::Copy(from) => {
                let value = find_mut(document, &from.parts).ok_or("there is nothing at `from`")?.clone();
                add(document, &self.path, value)
            }
            Op::Test(value) => match find_mut(document, &self.path.parts) {
                Some(found) if found.same_as(value) => Ok(()),
                None if *value == Tree::Null => Ok(()),
                _ => Err("the value there is another"),
            },
        }
    }
}

fn find_mut<'d>(document: &'d mut Tree, parts: &[String]) -> Option<&'d mut Tree> {
    parts.iter().try_fold(document, |node, part| match node {
        Tree::Map(map) => map.get_mut(part),
        Tree::List(list) => list.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn add(document: &mut Tree, path: &Pointer, value: Tree) -> Result<(), &'static str> {
    let (key, parents) = path.split();
    match find_mut(document, parents) {
        Some(Tree::Map(map)) => map.insert(key, value),
        Some(Tree::List(list)) if key == "-" => list.push(value),
        Some(Tree::List(list)) => match key.parse::<usize>() {
            Ok(index) if index <= list.len() => list.insert(index, value),
            _ => return Err("the list has no such position"),
        },
        _ => return Err("there is nothing at the path that leads there: add that first"),
    }
    Ok(())
}

/// Talos' library sets a key that is not there, unlike the RFC.
fn replace(document: &mut Tree, path: &Pointer, value: Tree) -> Result<(), &'static str> {
    let (key, parents) = path.split();
    match find_mut(document, parents) {
        Some(Tree::Map(map)) => map.insert(key, value),
        Some(Tree::List(list)) => {
            let index = key.parse::<usize>().map_err(|_| MISSING)?;
            *list.get_mut(index).ok_or(MISSING)? = value;
        }
        _ => return Err(MISSING),
    }
    Ok(())
}

fn remove(document: &mut Tree, path: &Pointer) -> Result<Tree, &'static str> {
    let (key, parents) = path.split();
    match find_mut(document, parents) {
        Some(Tree::Map(map)) => map.remove(key).ok_or(MISSING),
        Some(Tree::List(list)) => match key.parse::<usize>() {
            Ok(index) if index < list.len() => Ok(list.remove(index)),
            _ => Err(MISSING),
        },
        _ => Err(MISSING),
    }
}
