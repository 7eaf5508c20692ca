//! Strategic merge: how Talos puts one document into another of the same kind.
//!
//! Source of the rules: `pkg/machinery/config/merge` of Talos and the `Merge` methods of its config types. In short:
//! structs and maps merge key by key, lists are appended, the rest is replaced. A value that Go cannot tell from a
//! missing one (an empty text, zero) changes nothing, except behind a pointer.

use crate::schema::{PEM_TYPES, Shape, View};
use crate::tree::{Map, Tree};

use super::ApplyError;

/// From this minor on, a zero behind a pointer replaces what is there.
const ZERO_BEHIND_POINTER: u16 = 12;

pub(super) fn document(left: &mut Tree, right: &Tree, type_name: &str, view: View) -> Result<(), ApplyError> {
    let merge = Merge { view };
    match (left.as_map_mut(), right.as_map()) {
        (Some(left), Some(right)) => merge.structure(left, right, type_name, ""),
        _ => Ok(()),
    }
}

/// Merges one value of a type into another, as [`document`] does it for all fields.
pub(super) fn value(left: &mut Tree, right: &Tree, expression: &str, view: View) -> Result<(), ApplyError> {
    Merge { view }.value(left, right, expression, false, "")
}

/// What a missing value of that type is before anything is merged into it.
pub(super) fn missing(expression: &str) -> Tree {
    empty_for(expression)
}

struct Merge {
    view: View,
}

impl Merge {
    fn structure(&self, left: &mut Map, right: &Map, type_name: &str, path: &str) -> Result<(), ApplyError> {
        for (key, expression) in self.view.fields(type_name) {
            let here = join(path, key);
            match (right.get(key), left.get_mut(key)) {
                (Some(value), Some(present)) => self.value(present, value, expression, false, &here)?,
                (Some(value), None) => {
                    let mut fresh = empty_for(expression);
                    self.value(&mut fresh, value, expression, false, &here)?;
                    left.insert(key, fresh);
                }
                (None, Some(present)) => match Shape::of(expression) {
                    Shape::Always(_) => {
                        left.remove(key);
                    }
                    // Without a pointer, a missing boolean is a false one.
                    Shape::Bool => *present = Tree::Bool(false),
                    Shape::Struct(name) => {
                        if let Some(present) = present.as_map_mut() {
                            self.structure(present, &Map::new(), name, &here)?;
                        }
                    }
                    _ => {}
                },
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Merges `right`, which is there, into `left`, which may be what [`empty_for`] gives.
    fn value(&self, left: &mut Tree, right: &Tree, expression: &str, behind_pointer: bool, path: &str) -> Result<(), ApplyError> {
        match Shape::of(expression) {
            Shape::Pointer(inner) => {
                if *left == Tree::Null {
                    *left = empty_for(inner);
                    if *left == Tree::Null {
                        *left = right.clone();
                        return Ok(());
                    }
                }
                self.value(left, right, inner, self.view.at_least(ZERO_BEHIND_POINTER), path)
            }
            Shape::Replaced(inner) => {
                let empty_structure = matches!(right, Tree::Map(map) if map.is_empty()) && !is_pem(inner);
                if !empty_structure || *left == Tree::Null {
                    *left = whole(right, inner, self.view);
                }
                Ok(())
            }
            Shape::Always(_) => {
                *left = right.clone();
                Ok(())
            }
            Shape::Ruled(rule, inner) => self.ruled(left, right, rule, inner, path),
            Shape::Struct(name) => match (left, right) {
                (Tree::Map(left), Tree::Map(right)) => self.structure(left, right, name, path),
                (left, right) => {
                    *left = right.clone();
                    Ok(())
                }
            },
            Shape::Map(inner) => self.map(left, right, inner, path),
            Shape::List(_) => {
                append(left, right);
                Ok(())
            }
            Shape::Any => self.any(left, right, path),
            Shape::Syntax("url") => {
                if let (Some(old), Some(new)) = (left.as_text(), right.as_text()) {
                    *left = Tree::text(url(old, new));
                } else {
                    *left = right.clone();
                }
                Ok(())
            }
            shape => {
                if behind_pointer || *left == Tree::Null || !is_zero(right, shape) {
                    *left = right.clone();
                }
                Ok(())
            }
        }
    }

    fn map(&self, left: &mut Tree, right: &Tree, inner: &str, path: &str) -> Result<(), ApplyError> {
        let (Tree::Map(left), Tree::Map(right)) = (&mut *left, right) else {
            *left = right.clone();
            return Ok(());
        };
        for (key, value) in right.iter() {
            match left.get_mut(key) {
                Some(present) if *present != Tree::Null => {
                    self.value(present, value, inner, false, &join(path, key))?;
                }
                _ => left.insert(key, value.clone()),
            }
        }
        Ok(())
    }

    /// Free-form values merge only into their like.
    fn any(&self, left: &mut Tree, right: &Tree, path: &str) -> Result<(), ApplyError> {
        let alike = kind(left) == kind(right);
        match (&*left, right) {
            (Tree::Null, _) | (_, Tree::Null) | (Tree::Bool(_), Tree::Bool(_)) => {
                *left = right.clone();
                Ok(())
            }
            (Tree::Map(_), Tree::Map(_)) => self.map(left, right, "any", path),
            (Tree::List(_), Tree::List(_)) => {
                append(left, right);
                Ok(())
            }
            (Tree::Text(_), Tree::Text(_)) | (Tree::Number(_), Tree::Number(_)) if alike => {
                let shape = if matches!(right, Tree::Text(_)) { Shape::Text } else { Shape::Float };
                if !is_zero(right, shape) {
                    *left = right.clone();
                }
                Ok(())
            }
            (left, right) => Err(ApplyError::Mismatch { path: path.to_owned(), patch: kind(right), config: kind(left) }),
        }
    }

    fn ruled(&self, left: &mut Tree, right: &Tree, rule: &str, inner: &str, path: &str) -> Result<(), ApplyError> {
        // Arguments are replaced one by one, not merged.
        if rule == "Args" {
            if let (Tree::Map(left), Tree::Map(right)) = (left, right) {
                for (key, value) in right.iter() {
                    left.insert(key, value.clone());
                }
            }
            return Ok(());
        }
        let (Tree::List(left), Tree::List(right)) = (left, right) else {
            return Ok(());
        };
        let Shape::List(item) = Shape::of(inner) else {
            return Ok(());
        };
        for value in right {
            match left.iter_mut().find(|present| same_item(rule, present, value)) {
                Some(present) if rule == "ImageVerificationRules" => *present = value.clone(),
                Some(present) => self.value(present, value, item.trim_start_matches('*'), false, path)?,
                None => left.push(value.clone()),
            }
        }
        Ok(())
    }
}

/// Whether two items of a list with its own rule are the same thing.
fn same_item(rule: &str, present: &Tree, value: &Tree) -> bool {
    let same = |key: &str| {
        let of = |tree: &Tree| tree.at(&[key]).cloned().unwrap_or_default();
        of(present) == of(value)
    };
    let named = |key: &str| value.text_at(&[key]).is_some_and(|text| !text.is_empty());
    match rule {
        "NetworkDeviceList" if named("interface") => same("interface"),
        "NetworkDeviceList" => match (present.at(&["deviceSelector"]), value.at(&["deviceSelector"])) {
            // Go compares structs, and two pointers to equal booleans are not the same.
            (Some(a), Some(b)) => a.same_as(b) && a.at(&["physical"]).is_none(),
            _ => false,
        },
        "VlanList" => same("vlanId"),
        "AdmissionPluginConfigList" => same("name"),
        "ConfigFileList" => same("mountPath"),
        "ImageVerificationRules" => same("image"),
        _ => false,
    }
}

fn append(left: &mut Tree, right: &Tree) {
    match (&mut *left, right) {
        (Tree::List(left), Tree::List(right)) => left.extend(right.iter().cloned()),
        _ => *left = right.clone(),
    }
}

/// Certificates and keys, which Talos reads by a rule of its own: also an empty one takes the place of what was there.
fn is_pem(expression: &str) -> bool {
    matches!(Shape::bare(expression), Shape::Struct(name) if name.starts_with(PEM_TYPES))
}

/// What is replaced as a whole has all of its parts, be they empty.
fn whole(right: &Tree, expression: &str, view: View) -> Tree {
    let mut tree = right.clone();
    if let (Shape::Struct(name), Tree::Map(map), true) = (Shape::bare(expression), &mut tree, is_pem(expression)) {
        for (key, _) in view.fields(name) {
            if map.get(key).is_none() {
                map.insert(key, Tree::text(""));
            }
        }
    }
    tree
}

/// What a missing value of that type is before anything is merged into it.
fn empty_for(expression: &str) -> Tree {
    match Shape::of(expression) {
        Shape::Struct(_) | Shape::Map(_) => Tree::Map(Map::new()),
        Shape::Ruled(_, inner) => empty_for(inner),
        Shape::List(_) => Tree::List(Vec::new()),
        _ => Tree::Null,
    }
}

/// What Go cannot tell from a missing value.
fn is_zero(tree: &Tree, shape: Shape<'_>) -> bool {
    match (tree, shape) {
        (Tree::Text(text), Shape::Syntax("duration")) => text.chars().all(|c| !c.is_ascii_digit() || c == '0'),
        (Tree::Text(text), Shape::Syntax(name)) => {
            let zero = View::values(name).and_then(<[String]>::first);
            text.is_empty() || zero.is_some_and(|zero| zero.eq_ignore_ascii_case(text))
        }
        (Tree::Text(text), _) => text.is_empty(),
        (Tree::Number(number), _) => !number.contains(|c: char| matches!(c, '1'..='9' | 'a'..='f' | 'A'..='F')),
        _ => false,
    }
}

fn kind(tree: &Tree) -> &'static str {
    match tree {
        Tree::Null => "nothing",
        Tree::Bool(_) => "a boolean",
        Tree::Number(number) if crate::yaml::is_integer(number) => "a whole number",
        Tree::Number(_) => "a number with a fraction",
        Tree::Text(_) => "a text",
        Tree::List(_) => "a list",
        Tree::Map(_) => "a mapping",
    }
}

/// Go holds a URL as a struct, so what the patch's URL does not have stays: the path, say.
fn url(old: &str, new: &str) -> String {
    let (old, new) = (Url::parse(old), Url::parse(new));
    let pick = |new: &str, old: &str| if new.is_empty() { old.to_owned() } else { new.to_owned() };
    let scheme = pick(new.scheme, old.scheme);
    let authority = pick(new.authority, old.authority);
    let mut text = if scheme.is_empty() && authority.is_empty() {
        String::new()
    } else if scheme.is_empty() {
        format!("//{authority}")
    } else {
        format!("{scheme}://{authority}")
    };
    text.push_str(&pick(new.path, old.path));
    for (mark, part) in [('?', pick(new.query, old.query)), ('#', pick(new.fragment, old.fragment))] {
        if !part.is_empty() {
            text.push(mark);
            text.push_str(&part);
        }
    }
    text
}

struct Url<'t> {
    scheme: &'t str,
    authority: &'t str,
    path: &'t str,
    query: &'t str,
    fragment: &'t str,
}

impl<'t> Url<'t> {
    fn parse(text: &'t str) -> Self {
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (scheme, rest) = rest.split_once("://").unwrap_or(("", rest));
        let (authority, path) = if scheme.is_empty() { ("", rest) } else { rest.split_at(rest.find('/').unwrap_or(rest.len())) };
        Self { scheme, authority, path, query, fragment }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
