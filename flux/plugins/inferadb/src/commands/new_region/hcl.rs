//! Files of Terraform, read with the places of what is in them. They are changed as texts, so that all else stays as it was
//! written.

use std::ops::Range;
use std::path::Path;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::structure::Body;

use crate::error::{Error, Result};

use super::Refused;

/// A file and what it holds.
pub(super) struct Hcl {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) body: Body,
}

impl Hcl {
    pub(super) fn read(root: &Path, path: &str) -> Result<Self> {
        let file = root.join(path);
        let text = std::fs::read_to_string(&file).map_err(|source| Error::Read { path: file, source })?;
        Self::parse(path, text)
    }

    pub(super) fn parse(path: &str, text: String) -> Result<Self> {
        let body = hcl_edit::parser::parse_body(&text).map_err(|error| Refused::Hcl {
            path: path.to_owned(),
            line: error.location().line(),
            message: error.message().to_owned(),
        })?;
        Ok(Hcl { path: path.to_owned(), text, body })
    }

    /// The error of a file that is not as it was made.
    pub(super) fn lacks(&self, what: impl Into<String>) -> Error {
        Refused::Form { path: self.path.clone(), what: what.into() }.into()
    }

    /// Where something stands.
    pub(super) fn place(&self, of: &impl Span) -> Result<Range<usize>> {
        of.span().filter(|span| self.text.get(span.clone()).is_some()).ok_or_else(|| self.lacks("places"))
    }

    /// How something is written.
    pub(super) fn written(&self, of: &impl Span) -> Result<&str> {
        let place = self.place(of)?;
        Ok(self.text[place].trim())
    }

    /// The object of an attribute.
    pub(super) fn object(&self, attribute: &str) -> Option<&Object> {
        self.body.get_attribute(attribute)?.value.as_object()
    }
}

/// The entries of an object, by name.
pub(super) fn entries(object: &Object) -> impl Iterator<Item = (&str, &Expression)> {
    object.iter().filter_map(|(key, value)| {
        let key = match key {
            ObjectKey::Ident(ident) => ident.as_str(),
            ObjectKey::Expression(expression) => expression.as_str()?,
        };
        Some((key, value.expr()))
    })
}

/// The text of an object's entry.
pub(super) fn text_of<'o>(object: &'o Object, key: &str) -> Option<&'o str> {
    entries(object).find(|(name, _)| *name == key)?.1.as_str()
}

/// Puts texts at their places, which do not meet.
pub(super) fn replaced(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(place, _)| place.start);
    let mut out = text.to_owned();
    for (place, new) in edits.into_iter().rev() {
        out.replace_range(place, &new);
    }
    out
}
