//! The embedded table and how types are written in it.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The key of the name that tells two documents of one kind apart.
const NAMED: char = '&';

/// How the names of the types of certificates and keys start: to Talos these are single values.
pub(crate) const PEM_TYPES: &str = "x509.";

/// A key of a struct, or a kind of document.
#[derive(Deserialize)]
struct Field(String, String, u16, u16);

#[derive(Deserialize, Default)]
struct Table {
    documents: Vec<Field>,
    types: HashMap<String, Vec<Field>>,
    values: HashMap<String, Vec<String>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    // The file is part of the program and a test reads it, so an empty table never comes to be.
    serde_json::from_str(include_str!("../../schema/fields.json")).unwrap_or_default()
});

/// The table as one minor of Talos sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View {
    minor: u16,
}

/// What a type is. The names are those of Talos' library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape<'t> {
    Text,
    Bool,
    Integer,
    Unsigned,
    Float,
    Any,
    Pointer(&'t str),
    List(&'t str),
    Map(&'t str),
    Struct(&'t str),
    /// A text with a syntax of its own.
    Syntax(&'t str),
    /// A list or map that is merged by a rule of its own: the rule's name and what it is.
    Ruled(&'t str, &'t str),
    /// Merged by replacement.
    Replaced(&'t str),
    /// Taken from a patch even where the patch does not have it.
    Always(&'t str),
}

/// A kind of document.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// The type of its struct.
    pub(crate) type_name: &'static str,
    /// Whether several may stand in one config, told apart by `name`.
    pub(crate) named: bool,
}

impl View {
    pub(crate) fn new(minor: u16) -> Self {
        Self { minor }
    }

    /// Whether this minor is that one or a later.
    pub(crate) fn at_least(self, minor: u16) -> bool {
        self.minor >= minor
    }

    fn has(self, field: &Field) -> bool {
        (field.2..=field.3).contains(&self.minor)
    }

    /// The kind of that name; the document without a kind has the empty one.
    pub(crate) fn kind(self, kind: &str) -> Option<Kind> {
        let field = TABLE.documents.iter().find(|field| field.0 == kind && self.has(field))?;
        Some(Kind { type_name: field.1.trim_start_matches([NAMED, '@']), named: field.1.starts_with(NAMED) })
    }

    /// All kinds of this minor.
    pub(crate) fn kinds(self) -> impl Iterator<Item = &'static str> {
        TABLE.documents.iter().filter(move |field| self.has(field) && !field.0.is_empty()).map(|field| field.0.as_str())
    }

    /// The minors that know a kind, or the field of a struct, when this one does not.
    pub(crate) fn elsewhere(type_name: Option<&str>, name: &str) -> Option<(u16, u16)> {
        let fields = match type_name {
            Some(type_name) => TABLE.types.get(type_name)?,
            None => &TABLE.documents,
        };
        let known: Vec<_> = fields.iter().filter(|field| field.0 == name).collect();
        let since = known.iter().map(|field| field.2).min()?;
        let until = known.iter().map(|field| field.3).max()?;
        Some((since, until))
    }

    /// The fields of a struct with their types.
    pub(crate) fn fields(self, type_name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
        TABLE
            .types
            .get(type_name)
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .filter(move |field| self.has(field))
            .map(|field| (field.0.as_str(), field.1.as_str()))
    }

    /// The type of a field.
    pub(crate) fn field(self, type_name: &str, name: &str) -> Option<&'static str> {
        self.fields(type_name).find(|(field, _)| *field == name).map(|(_, expression)| expression)
    }

    /// The texts of an enumeration.
    pub(crate) fn values(type_name: &str) -> Option<&'static [String]> {
        TABLE.values.get(type_name).map(Vec::as_slice)
    }
}

impl<'t> Shape<'t> {
    /// Reads a type as the table writes it.
    pub(crate) fn of(expression: &'t str) -> Self {
        if let Some(rest) = expression.strip_prefix("[]") {
            return Self::List(rest);
        }
        if let Some(rest) = expression.strip_prefix("{}") {
            return Self::Map(rest);
        }
        let rest = expression.get(1..).unwrap_or_default();
        match expression.chars().next() {
            Some('*') => return Self::Pointer(rest),
            Some('@') => return Self::Struct(rest),
            Some('#') => return Self::Syntax(rest),
            Some('=') => return Self::Replaced(rest),
            Some('!') => return Self::Always(rest),
            _ => {}
        }
        if let Some((rule, rest)) = expression.strip_prefix('%').and_then(|rest| rest.split_once(':')) {
            return Self::Ruled(rule, rest);
        }
        match expression {
            "s" => Self::Text,
            "b" => Self::Bool,
            "i" => Self::Integer,
            "u" => Self::Unsigned,
            "f" => Self::Float,
            _ => Self::Any,
        }
    }

    /// The type without pointers and merge rules.
    pub(crate) fn bare(expression: &'t str) -> Self {
        match Self::of(expression) {
            Self::Pointer(rest) | Self::Ruled(_, rest) | Self::Replaced(rest) | Self::Always(rest) => Self::bare(rest),
            shape => shape,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_the_table_names_is_in_it() {
        let expressions = TABLE.types.values().flatten().chain(&TABLE.documents).map(|field| field.1.trim_start_matches(NAMED));
        let mut structs = 0;
        for expression in expressions {
            let mut rest = expression;
            loop {
                match Shape::bare(rest) {
                    Shape::List(inner) | Shape::Map(inner) => rest = inner,
                    Shape::Struct(name) => {
                        assert!(TABLE.types.contains_key(name), "{expression}");
                        structs += 1;
                        break;
                    }
                    Shape::Any => {
                        assert_eq!(rest.trim_start_matches(['*', '=', '!']), "any", "{expression}");
                        break;
                    }
                    _ => break,
                }
            }
        }
        assert!(structs > 100);
    }

    #[test]
    fn a_field_is_known_from_its_minor_on() {
        assert!(View::new(8).kind("HostnameConfig").is_none());
        assert!(View::new(12).kind("HostnameConfig").is_some());
        assert_eq!(View::new(8).field("v1alpha1.KubeletConfig", "extraArgs"), Some("{}s"));
        assert_eq!(View::new(13).field("v1alpha1.KubeletConfig", "extraArgs").map(Shape::bare), Some(Shape::Map("#arg")));
        assert_eq!(View::elsewhere(None, "HostnameConfig"), Some((12, 14)));
    }
}
