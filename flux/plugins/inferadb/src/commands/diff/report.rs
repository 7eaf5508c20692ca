//! What is told of a change.

use crate::object::Id;

/// What happens to one object.
pub(super) struct Change {
    pub(super) id: Id,
    pub(super) kind: Kind,
    /// The Kustomization that produces it, or did.
    pub(super) by: String,
    /// Lines of a unified diff, or of the whole object.
    pub(super) lines: String,
}

/// Kinds of changes, in the order in which they are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Deleted by Flux, with what it holds.
    PrunedWithData,
    /// Produced by another Kustomization now, which waits for the one before, and that prunes it first, with what it holds.
    MovedEmptied(String),
    /// The same, where the one before may be first.
    MovedAtRisk(String),
    Pruned,
    /// Produced by another Kustomization now, and still by the one before, which is gone from the tree and not from the cluster.
    Contested(String),
    /// Not produced any more, and left in the cluster.
    Left,
    /// The same, with the Kustomization that produces it.
    LeftWithOwner,
    /// Produced by another Kustomization now: which one before.
    Moved(String),
    Created,
    Changed,
}

/// A Kustomization or Helm release whose objects cannot be compared, and why.
pub(super) struct Withheld {
    /// `KIND NAMESPACE/NAME`.
    pub(super) producer: String,
    pub(super) is_release: bool,
    pub(super) side: &'static str,
    pub(super) error: String,
    pub(super) objects: usize,
}

/// An image that other pods run with now.
pub(super) struct Image {
    pub(super) name: String,
    pub(super) old: String,
    pub(super) new: String,
}

/// All that happens to a cluster.
pub(super) struct Report {
    pub(super) cluster: String,
    pub(super) changes: Vec<Change>,
    pub(super) withheld: Vec<Withheld>,
    pub(super) images: Vec<Image>,
    pub(super) notes: Vec<String>,
}

impl Withheld {
    /// What it does not do.
    pub(super) fn verb(&self) -> &'static str {
        if self.is_release { "is not rendered" } else { "does not build" }
    }

    /// How many objects that leaves out, where the other side has any.
    pub(super) fn count(&self, before: &str) -> String {
        match self.objects {
            0 => String::new(),
            objects => format!("{before}{objects} of its objects are not compared"),
        }
    }
}

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.withheld.is_empty() && self.notes.is_empty()
    }
}
