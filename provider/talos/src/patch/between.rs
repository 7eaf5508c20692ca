//! The patch that leads from one config to another: what an import writes for a cluster whose patches nobody has any more.
//!
//! Where merging alone leads there, the patch looks as a person would have written it. What merging cannot do (a list
//! that lost an item, a value that became empty) is deleted first and then set anew; that takes two patches, since Talos
//! does a patch's deletions before its merging, and a key stands in a patch once. Configs of one document have JSON
//! patches besides. Each result was tried: a patch that does not lead there is not given.

use zeroize::Zeroizing;

use crate::config::{Documents, MachineConfig};
use crate::schema::{Shape, View};
use crate::tree::{Map, Tree, tree};
use crate::version::TalosVersion;
use crate::yaml;

use super::{Identity, Patch, merge};

/// No patch leads from the one config to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no patch of this version of Talos leads from the generated machine config to the one that was found")]
pub struct Inexpressible;

/// The patches that turn `from` into `to`, to be applied in this order; none where both say the same. Mostly it is one.
///
/// What both configs share does not come up in them, so neither do a cluster's secrets.
///
/// # Errors
/// Where no patch that this version of Talos takes leads there.
pub fn between(
    from: &MachineConfig,
    to: &MachineConfig,
    version: &TalosVersion,
) -> Result<Vec<Zeroizing<String>>, Inexpressible> {
    let read = |config: &MachineConfig| MachineConfig::parse(config.to_yaml(), version).map_err(|_| Inexpressible);
    let (start, end) = (read(from)?, read(to)?);
    let found = Between { view: View::new(version.minor()) }.documents(start.documents(), end.documents());
    let merging = found.as_deref().map(merging);
    let written = [merging, in_json(start.documents(), end.documents())];
    written
        .into_iter()
        .flatten()
        .find(|patches| apply_all(from, patches, version).is_some_and(|result| result.same_as(&end, version)))
        .ok_or(Inexpressible)
}

/// The config after these patches; `None` where Talos refuses one.
pub fn apply_all(config: &MachineConfig, patches: &[impl AsRef<str>], version: &TalosVersion) -> Option<MachineConfig> {
    let mut config = config.clone();
    for text in patches {
        config = Patch::parse(text.as_ref(), version).ok()?.apply_to(&config).ok()?;
    }
    Some(config)
}

/// What a patch does at one place.
#[derive(Clone)]
enum Edit {
    /// Merges this.
    Set(Tree),
    /// Takes away what is there, and puts this in its place.
    Anew(Option<Tree>),
    /// Goes on at these keys.
    Inside(Vec<(String, Edit)>),
}

/// What a patch does with one document.
struct DocumentEdit {
    /// What says which document is meant.
    head: Map,
    edit: Edit,
}

struct Between {
    view: View,
}

impl Between {
    /// `None` where the document without a kind cannot be changed so.
    fn documents(&self, from: &Documents, to: &Documents) -> Option<Vec<DocumentEdit>> {
        let identity = |document: &Tree| Identity::of_tree(document, self.view);
        let mut edits = Vec::new();
        for document in from.iter() {
            let target = to.iter().find(|other| identity(other) == identity(document));
            let edit = match target {
                None => Edit::Anew(None),
                Some(target) => match self.document(document, target)? {
                    Some(edit) => edit,
                    None => continue,
                },
            };
            edits.push(DocumentEdit { head: head(document), edit });
        }
        for document in to.iter().filter(|document| !from.iter().any(|other| identity(other) == identity(document))) {
            edits.push(DocumentEdit { head: head(document), edit: Edit::Set(document.clone()) });
        }
        Some(edits)
    }

    #[allow(clippy::option_option, reason = "nothing to do and nothing that can be done differ")]
    fn document(&self, from: &Tree, to: &Tree) -> Option<Option<Edit>> {
        let kind = from.text_at(&["kind"]).unwrap_or_default();
        let expression = format!("@{}", self.view.kind(kind)?.type_name);
        match self.edit(from, to, &expression) {
            // Only what is in it can be taken out of this document.
            Some(Edit::Anew(_)) if kind.is_empty() => None,
            edit => Some(edit),
        }
    }

    /// How one value becomes the other; `None` where both are the same.
    fn edit(&self, from: &Tree, to: &Tree, expression: &str) -> Option<Edit> {
        if from.same_as(to) {
            return None;
        }
        let edit = match (Shape::bare(expression), from, to) {
            (Shape::Struct(_) | Shape::Map(_) | Shape::Any, Tree::Map(from), Tree::Map(to)) if !replaced(expression) => {
                self.inside(from, to, expression)
            }
            (_, Tree::List(from), Tree::List(to)) if !replaced(expression) => {
                // Merged by key or appended: what is there already does not come again.
                let news = to.iter().filter(|item| !from.iter().any(|present| present.same_as(item)));
                let tail = if to.len() >= from.len() && from.iter().zip(to).all(|(a, b)| a.same_as(b)) {
                    to[from.len()..].to_vec()
                } else {
                    news.cloned().collect()
                };
                Edit::Set(tail.into())
            }
            _ => Edit::Set(to.clone()),
        };
        if self.leads(from, to, &edit, expression) { Some(edit) } else { Some(Edit::Anew(Some(to.clone()))) }
    }

    /// The edits of the keys, and of those that must be named so that they stay as they are.
    fn inside(&self, from: &Map, to: &Map, expression: &str) -> Edit {
        let mut edits: Vec<(String, Edit)> = Vec::new();
        for (key, value) in from.iter() {
            let edit = match to.get(key) {
                Some(target) => self.edit(value, target, self.below(expression, key)),
                None => Some(Edit::Anew(None)),
            };
            edits.extend(edit.map(|edit| (key.to_owned(), edit)));
        }
        for (key, target) in to.iter().filter(|(key, _)| from.get(key).is_none()) {
            edits.push((key.to_owned(), Edit::Set(target.clone())));
        }
        // Some fields change by not being in a patch: name them, or else set them anew.
        let whole = Tree::Map(from.clone());
        for _ in 0..2 {
            let Some(Tree::Map(result)) = self.apply(&whole, &Edit::Inside(edits.clone()), expression) else { break };
            let stray: Vec<&str> = to
                .iter()
                .filter(|(key, target)| !result.get(key).is_some_and(|found| found.same_as(target)))
                .map(|(key, _)| key)
                .collect();
            for key in stray {
                let Some(target) = to.get(key).cloned() else { continue };
                match edits.iter_mut().find(|(name, _)| name == key) {
                    None => edits.push((key.to_owned(), Edit::Set(target))),
                    Some((_, edit)) if from.get(key).is_some() => *edit = Edit::Anew(Some(target)),
                    Some((_, edit)) => *edit = Edit::Set(target),
                }
            }
        }
        Edit::Inside(edits)
    }

    /// The type of a key.
    fn below<'t>(&self, expression: &'t str, key: &str) -> &'t str {
        match Shape::bare(expression) {
            Shape::Struct(name) => self.view.field(name, key).unwrap_or("any"),
            Shape::Map(inner) => inner,
            _ => "any",
        }
    }

    fn leads(&self, from: &Tree, to: &Tree, edit: &Edit, expression: &str) -> bool {
        self.apply(from, edit, expression).is_some_and(|result| result.same_as(to))
    }

    /// What Talos makes of it; `None` where it refuses.
    fn apply(&self, from: &Tree, edit: &Edit, expression: &str) -> Option<Tree> {
        let mut result = from.clone();
        if matches!(edit, Edit::Anew(_)) {
            result = merge::missing(expression);
        }
        strip(&mut result, edit);
        if let Some(merged) = edit.merged() {
            merge::value(&mut result, &merged, expression, self.view).ok()?;
        }
        Some(result)
    }
}

/// Whether values of that type are replaced as a whole.
fn replaced(expression: &str) -> bool {
    match Shape::of(expression) {
        Shape::Replaced(_) | Shape::Always(_) => true,
        Shape::Pointer(inner) => replaced(inner),
        _ => false,
    }
}

/// Takes away what an edit takes away.
fn strip(tree: &mut Tree, edit: &Edit) {
    let (Edit::Inside(edits), Tree::Map(map)) = (edit, tree) else { return };
    for (key, edit) in edits {
        match edit {
            Edit::Anew(_) => {
                map.remove(key);
            }
            Edit::Inside(_) => {
                if let Some(inner) = map.get_mut(key) {
                    strip(inner, edit);
                }
            }
            Edit::Set(_) => {}
        }
    }
}

impl Edit {
    /// What is merged.
    fn merged(&self) -> Option<Tree> {
        match self {
            Self::Set(tree) => Some(tree.clone()),
            Self::Anew(tree) => tree.clone(),
            Self::Inside(edits) => collect(edits, Self::merged),
        }
    }

    /// What is taken away.
    fn deleted(&self) -> Option<Tree> {
        match self {
            Self::Set(_) => None,
            Self::Anew(_) => Some(tree!({ "$patch": "delete" })),
            Self::Inside(edits) => collect(edits, Self::deleted),
        }
    }

    /// Both at once.
    fn both(&self) -> Option<Tree> {
        match self {
            Self::Inside(edits) => collect(edits, Self::both),
            edit => edit.deleted().or_else(|| edit.merged()),
        }
    }

    /// Whether something is put where something was taken away, so that one patch cannot say both.
    fn takes_two(&self) -> bool {
        match self {
            Self::Set(_) => false,
            Self::Anew(tree) => tree.is_some(),
            Self::Inside(edits) => edits.iter().any(|(_, edit)| edit.takes_two()),
        }
    }
}

fn collect(edits: &[(String, Edit)], part: impl Fn(&Edit) -> Option<Tree>) -> Option<Tree> {
    let map: Map = edits.iter().filter_map(|(key, edit)| Some((key.clone(), part(edit)?))).collect();
    (!map.is_empty()).then_some(Tree::Map(map))
}

/// The keys that say which document is meant.
fn head(document: &Tree) -> Map {
    let keys = ["apiVersion", "kind", "name"];
    let has_kind = document.at(&["kind"]).is_some();
    let entry = |key: &&str| Some(((*key).to_owned(), document.at(&[key])?.clone()));
    keys.iter().filter(|_| has_kind).filter_map(entry).collect()
}

/// As strategic merge patches: one, or one that deletes and one that merges.
fn merging(edits: &[DocumentEdit]) -> Vec<Zeroizing<String>> {
    let two = edits.iter().any(|document| document.edit.takes_two());
    let parts: &[fn(&Edit) -> Option<Tree>] = if two { &[Edit::deleted, Edit::merged] } else { &[Edit::both] };
    let mut patches = Vec::new();
    for part in parts {
        let documents: Vec<Tree> = edits.iter().filter_map(|document| headed(document, part(&document.edit)?)).collect();
        if !documents.is_empty() {
            patches.push(yaml::emit(&documents));
        }
    }
    patches
}

fn headed(document: &DocumentEdit, part: Tree) -> Option<Tree> {
    let Tree::Map(part) = part else { return None };
    let mut map = document.head.clone();
    for (key, value) in part.iter() {
        map.insert(key, value.clone());
    }
    Some(Tree::Map(map))
}

/// As a JSON patch, which Talos takes for configs of one document.
fn in_json(from: &Documents, to: &Documents) -> Option<Vec<Zeroizing<String>>> {
    let (Some(start), Some(end), 1, 1) = (from.plain(), to.plain(), from.len(), to.len()) else { return None };
    let mut operations = Vec::new();
    operate(start, end, "", &mut operations);
    Some(vec![yaml::emit([&Tree::List(operations)])])
}

fn operate(from: &Tree, to: &Tree, path: &str, operations: &mut Vec<Tree>) {
    let (Tree::Map(start), Tree::Map(end)) = (from, to) else {
        if !from.same_as(to) {
            operations.push(tree!({ "op": "replace", "path": path, "value": to.clone() }));
        }
        return;
    };
    for (key, value) in start.iter() {
        let here = format!("{path}/{}", escape(key));
        match end.get(key) {
            Some(target) => operate(value, target, &here, operations),
            None => operations.push(tree!({ "op": "remove", "path": here })),
        }
    }
    for (key, value) in end.iter().filter(|(key, _)| start.get(key).is_none()) {
        let here = format!("{path}/{}", escape(key));
        operations.push(tree!({ "op": "add", "path": here, "value": value.clone() }));
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
