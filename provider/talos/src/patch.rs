//! Patches of machine configs, applied as Talos applies them.
//!
//! A patch is YAML: documents that are merged into the config (strategic merge, with `$patch: delete`), or a list of
//! RFC 6902 operations. It is read by the types of one version of Talos, so that what that version does not know is
//! refused with its line.

mod between;
mod delete;
mod json;
mod merge;

use crate::config::{Documents, MachineConfig};
use crate::schema::{self, Problem, View};
use crate::tree::Tree;
use crate::version::TalosVersion;
use crate::yaml::{self, Node, Value, YamlError};

pub use between::{Inexpressible, apply_all, between};
use delete::Delete;
use json::Operation;

/// From this minor on, a patch may hold several documents for one of the config, which are merged one after the other.
const REPEATED_DOCUMENTS: u16 = 14;

/// Why a patch was refused before it was applied to anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {message}", if .path.is_empty() { String::new() } else { format!(", `{}`", .path) })]
pub struct PatchError {
    /// The line in the patch, from 1.
    pub line: usize,
    /// Where in the document: `machine.network.interfaces[0].mtu`; empty for the document itself.
    pub path: String,
    /// What is wrong. Quotes names, never a value of the patch, which may be secret.
    pub message: String,
}

/// Why a patch does not go onto a config.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Talos refuses JSON patches where a config has several documents, as all of contract v1.12 and later have.
    #[error(
        "JSON patches (RFC 6902) work on configs of one document only, and this config has {0}: \
         write the change as a strategic merge patch, which looks like the part of the config that it changes"
    )]
    SeveralDocuments(usize),
    /// `$patch: delete` of something that is not there.
    #[error("`$patch: delete` found nothing to delete at `{path}` in the {document}")]
    NothingToDelete {
        /// Where.
        path: String,
        /// Which document.
        document: String,
    },
    /// Two free-form values that cannot be merged.
    #[error("`{path}`: {patch} cannot be merged into {config}")]
    Mismatch {
        /// Where.
        path: String,
        /// What the patch has there.
        patch: &'static str,
        /// What the config has there.
        config: &'static str,
    },
    /// An operation of a JSON patch that fails.
    #[error("operation {} (`{op}` at `{path}`): {reason}", .index + 1)]
    Operation {
        /// Which one, from 0.
        index: usize,
        /// Its name.
        op: &'static str,
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
    /// The config that a JSON patch yields is none that Talos knows.
    #[error("`{path}`: {message}")]
    Result {
        /// Where.
        path: String,
        /// What is wrong.
        message: String,
    },
}

/// A patch that one version of Talos can read. Wiped when dropped; has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Patch {
    version: TalosVersion,
    content: Content,
}

#[derive(Clone, PartialEq, Eq)]
enum Content {
    Merge(Vec<Document>),
    Operations(Vec<Operation>),
}

/// A document of a strategic merge patch: first its deletions are done, then the rest is merged.
#[derive(Clone, PartialEq, Eq)]
struct Document {
    identity: Identity,
    deletes: Vec<Delete>,
    rest: Option<Tree>,
}

/// What tells a document from the others of a config.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Empty for the document without a kind.
    kind: String,
    /// Empty where the kind has no names.
    name: String,
}

impl Patch {
    /// Reads a patch.
    ///
    /// # Errors
    /// The first thing that this version of Talos would not take. [`problems`](Self::problems) lists all.
    pub fn parse(text: &str, version: &TalosVersion) -> Result<Self, PatchError> {
        let mut problems = Vec::new();
        match (read(text, version, &mut problems), problems.into_iter().next()) {
            (Ok(content), None) => Ok(Self { version: version.clone(), content }),
            (_, Some(problem)) => Err(problem.into()),
            (Err(error), None) => Err(error),
        }
    }

    /// All that this version of Talos would not take in a patch, in the order of its lines.
    pub fn problems(text: &str, version: &TalosVersion) -> Vec<PatchError> {
        let mut problems = Vec::new();
        let result = read(text, version, &mut problems);
        let mut errors: Vec<PatchError> = problems.into_iter().map(Into::into).collect();
        errors.extend(result.err());
        errors.sort_by_key(|error| error.line);
        errors
    }

    /// The config with the patch applied.
    pub fn apply_to(&self, config: &MachineConfig) -> Result<MachineConfig, ApplyError> {
        let mut documents = config.documents().clone();
        self.apply(&mut documents)?;
        Ok(MachineConfig::new(documents))
    }

    pub(crate) fn apply(&self, documents: &mut Documents) -> Result<(), ApplyError> {
        match &self.content {
            Content::Merge(patch) => {
                let view = View::new(self.version.minor());
                patch.iter().try_for_each(|document| document.apply(view, documents))
            }
            Content::Operations(operations) => json::apply(operations, documents, &self.version),
        }
    }
}

impl From<Problem> for PatchError {
    fn from(problem: Problem) -> Self {
        Self { line: problem.line, path: problem.path, message: problem.message }
    }
}

impl From<YamlError> for PatchError {
    fn from(error: YamlError) -> Self {
        Self { line: error.line, path: String::new(), message: format!("the patch is not valid YAML: {}", error.message) }
    }
}

fn error(line: usize, message: impl Into<String>) -> PatchError {
    PatchError { line, path: String::new(), message: message.into() }
}

fn read(text: &str, version: &TalosVersion, problems: &mut Vec<Problem>) -> Result<Content, PatchError> {
    let nodes = yaml::parse(text)?;
    match nodes.as_slice() {
        // A file whose lines are all commented out changes nothing.
        [] => Ok(Content::Merge(Vec::new())),
        [only] if matches!(only.value, Value::List(_)) => Ok(Content::Operations(json::read(only, version, problems)?)),
        _ => {
            let view = View::new(version.minor());
            let mut documents: Vec<Document> = Vec::with_capacity(nodes.len());
            for mut node in nodes {
                let line = node.line;
                if let Some(document) = Document::read(&mut node, version, view, problems)? {
                    if !view.at_least(REPEATED_DOCUMENTS) && documents.iter().any(|other| other.identity == document.identity) {
                        let message = format!("the patch has the {} twice", document.identity);
                        return Err(error(line, message));
                    }
                    documents.push(document);
                }
            }
            Ok(Content::Merge(documents))
        }
    }
}

impl Document {
    fn read(
        node: &mut Node,
        version: &TalosVersion,
        view: View,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<Self>, PatchError> {
        let identity = Identity::of_node(node, view);
        let mut deletes = Vec::new();
        let all_deleted = delete::take(node, &mut deletes)?;
        if deletes.iter().any(Delete::is_whole) && identity.kind.is_empty() {
            let message = "the document without a `kind` cannot be deleted: delete what is in it";
            return Err(error(node.line, message));
        }
        let rest = if all_deleted { None } else { Some(schema::read_document(node, version, problems)) };
        if let Some(kind) = view.kind(&identity.kind) {
            for delete in &deletes {
                problems.extend(delete.check(kind.type_name, view));
            }
        } else if all_deleted {
            // Reading it says what is wrong with the kind.
            schema::read_document(node, version, problems);
        }
        Ok(Some(Self { identity, deletes, rest }))
    }

    fn apply(&self, view: View, documents: &mut Documents) -> Result<(), ApplyError> {
        let Some(kind) = view.kind(&self.identity.kind) else {
            return Ok(());
        };
        let all = documents.all_mut();
        let mut position = all.iter().position(|document| Identity::of_tree(document, view) == self.identity);
        for delete in &self.deletes {
            // Deletions in a document that is not there are passed over.
            let Some(index) = position else { break };
            if delete.is_whole() {
                all.remove(index);
                position = None;
            } else {
                delete.apply(&mut all[index], kind.type_name, view, &self.identity)?;
            }
        }
        match (position, &self.rest) {
            (Some(index), Some(rest)) => merge::document(&mut all[index], rest, kind.type_name, view),
            (None, Some(rest)) => {
                all.push(rest.clone());
                Ok(())
            }
            (_, None) => Ok(()),
        }
    }
}

impl Identity {
    /// The identity of a document that this version of Talos read.
    pub(crate) fn of(document: &Tree, version: &TalosVersion) -> Self {
        Self::of_tree(document, View::new(version.minor()))
    }

    fn of_node(node: &Node, view: View) -> Self {
        let kind = schema::header(node).kind.to_owned();
        let name = node.get("name").and_then(Node::scalar).unwrap_or_default();
        Self::new(kind, name, view)
    }

    fn of_tree(tree: &Tree, view: View) -> Self {
        let kind = tree.text_at(&["kind"]).unwrap_or_default().to_owned();
        Self::new(kind, tree.text_at(&["name"]).unwrap_or_default(), view)
    }

    fn new(kind: String, name: &str, view: View) -> Self {
        let named = view.kind(&kind).is_some_and(|kind| kind.named);
        let name = if named { name.to_owned() } else { String::new() };
        Self { kind, name }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.kind.as_str(), self.name.as_str()) {
            ("", _) => f.write_str("document without a `kind`"),
            (kind, "") => write!(f, "document `{kind}`"),
            (kind, name) => write!(f, "document `{kind}` named `{name}`"),
        }
    }
}
