//! `$patch: delete`: what it takes out of a config.

use crate::schema::{PEM_TYPES, Problem, Shape, View};
use crate::tree::{Map, Tree};
use crate::yaml::{Entry, Node, Value};

use super::{ApplyError, Identity, PatchError, error};

/// Something to delete: the document, a key, or an item of a list of mappings.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Delete {
    line: usize,
    /// The keys from the top of the document; empty for the document itself.
    path: Vec<String>,
    /// The key and value by which an item of the list at `path` is found.
    item: Option<(String, String)>,
}

/// Takes the deletions out of a document of a patch. Says whether nothing but deletions was in it.
pub(super) fn take(node: &mut Node, deletes: &mut Vec<Delete>) -> Result<bool, PatchError> {
    if walk(node, &mut Vec::new(), false, deletes)? {
        return Ok(true);
    }
    // What only says which document is meant asks for nothing.
    Ok(!deletes.is_empty()
        && matches!(&node.value, Value::Map(entries)
            if entries.iter().all(|entry| matches!(entry.key.as_str(), "apiVersion" | "version" | "kind" | "name"))))
}

/// Says whether the node shall go, since it or all that was in it is deleted.
fn walk(node: &mut Node, path: &mut Vec<String>, in_list: bool, deletes: &mut Vec<Delete>) -> Result<bool, PatchError> {
    let line = node.line;
    match &mut node.value {
        Value::Scalar(_) => Ok(false),
        Value::List(items) => {
            // Positions of a patch's list mean nothing in the config's, so the path gets no index.
            let before = items.len();
            let mut kept = Vec::with_capacity(before);
            for mut item in items.drain(..) {
                if !walk(&mut item, path, true, deletes)? {
                    kept.push(item);
                }
            }
            let emptied = before > 0 && kept.is_empty();
            *items = kept;
            Ok(emptied)
        }
        Value::Map(entries) => {
            if entries.iter().any(is_mark) {
                let item = if in_list {
                    Some(selector(entries).ok_or_else(|| {
                        error(line, "an item to delete needs a key by which it is found, beside `$patch: delete`")
                    })?)
                } else {
                    None
                };
                deletes.push(Delete { line, path: path.clone(), item });
                return Ok(true);
            }
            let before = deletes.len();
            let had_entries = !entries.is_empty();
            let mut kept = Vec::with_capacity(entries.len());
            for mut entry in entries.drain(..) {
                path.push(entry.key.clone());
                let gone = walk(&mut entry.value, path, false, deletes)?;
                path.pop();
                if !gone {
                    kept.push(entry);
                }
            }
            let emptied = had_entries && kept.is_empty();
            *entries = kept;
            if in_list && deletes.len() > before {
                return Err(error(line, "nothing inside an item of a list can be deleted: delete the item and add it anew"));
            }
            Ok(emptied)
        }
    }
}

fn is_mark(entry: &Entry) -> bool {
    entry.key == "$patch" && entry.value.scalar() == Some("delete")
}

/// The first key beside the mark.
fn selector(entries: &[Entry]) -> Option<(String, String)> {
    let entry = entries.iter().find(|entry| !is_mark(entry))?;
    Some((entry.key.clone(), entry.value.scalar()?.to_owned()))
}

impl Delete {
    /// Whether the whole document is meant.
    pub(super) fn is_whole(&self) -> bool {
        self.path.is_empty() && self.item.is_none()
    }

    fn shown(&self) -> String {
        let path = self.path.join(".");
        match &self.item {
            Some((key, value)) => format!("{path}[{key}={value}]"),
            None => path,
        }
    }

    /// What is wrong with the path for the document's type.
    pub(super) fn check(&self, type_name: &str, view: View) -> Option<Problem> {
        let mut shape = Shape::Struct(type_name);
        for (index, key) in self.path.iter().enumerate() {
            shape = match shape {
                Shape::Struct(name) => match view.field(name, key) {
                    Some(expression) if !name.starts_with(PEM_TYPES) => Shape::bare(expression),
                    _ => {
                        let path = self.path[..=index].join(".");
                        let message = format!("there is no field `{key}` to delete");
                        return Some(self.problem(path, message));
                    }
                },
                Shape::Map(inner) => Shape::bare(inner),
                Shape::Any => return None,
                _ => {
                    let path = self.path[..=index].join(".");
                    return Some(self.problem(path, format!("there is no field `{key}` to delete")));
                }
            };
        }
        let fits = match (&self.item, shape) {
            (None, _) | (Some(_), Shape::Any) => true,
            (Some((key, _)), Shape::List(inner)) => match Shape::bare(inner) {
                Shape::Struct(name) => view.field(name, key).is_some(),
                _ => false,
            },
            (Some(_), _) => false,
        };
        (!fits).then(|| {
            let message = "items can only be deleted from lists of mappings, by a field that these have";
            self.problem(self.path.join("."), message.to_owned())
        })
    }

    fn problem(&self, path: String, message: String) -> Problem {
        Problem { line: self.line, path, message }
    }

    pub(super) fn apply(&self, document: &mut Tree, type_name: &str, view: View, identity: &Identity) -> Result<(), ApplyError> {
        let found = document.as_map_mut().is_some_and(|map| self.remove(map, Shape::Struct(type_name), &self.path, view));
        if found {
            return Ok(());
        }
        Err(ApplyError::NothingToDelete { path: self.shown(), document: identity.to_string() })
    }

    fn remove(&self, map: &mut Map, shape: Shape<'_>, path: &[String], view: View) -> bool {
        let Some((key, rest)) = path.split_first() else {
            return false;
        };
        let (expression, is_field) = match shape {
            Shape::Struct(name) => match view.field(name, key) {
                Some(expression) => (expression, true),
                None => return false,
            },
            Shape::Map(inner) => (inner, false),
            _ => ("any", false),
        };
        if rest.is_empty() {
            return match &self.item {
                // To clear a field that is clear already is no mistake, but a key of a map has to be there.
                None => map.remove(key).is_some() || is_field,
                Some(item) => map.get_mut(key).is_some_and(|list| remove_item(list, item)),
            };
        }
        match map.get_mut(key) {
            Some(Tree::Map(next)) => self.remove(next, Shape::bare(expression), rest, view),
            // A struct without a pointer is always there.
            None if is_field && matches!(Shape::of(expression), Shape::Struct(_)) => {
                self.remove(&mut Map::new(), Shape::of(expression), rest, view)
            }
            _ => false,
        }
    }
}

fn remove_item(list: &mut Tree, (key, value): &(String, String)) -> bool {
    let Tree::List(items) = list else {
        return false;
    };
    let position = items.iter().position(|item| item.text_at(&[key]) == Some(value.as_str()));
    match position {
        Some(position) => {
            items.remove(position);
            true
        }
        None => false,
    }
}
