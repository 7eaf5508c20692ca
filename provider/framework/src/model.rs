//! Rust types for schemas: what the derive macros implement, and `standard` types do.

mod standard;

use std::collections::BTreeMap;

use crate::cty::{Cty, Type};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::schema::{Block, NestedBlock, Nesting};
use crate::value::Value;

pub use standard::Group;

/// A struct that is a configuration block. Written by `#[derive(Model)]`.
pub trait Model: BlockValue + PartialEq {}

/// What an attribute's [`Value`] may hold: strings, booleans, numbers, collections of values, and structs with
/// `#[derive(Object)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of an attribute",
    note = "attributes hold `String`, `bool`, `i64`, `f64`, `Vec<Value<T>>`, `Set<T>`, `BTreeMap<String, Value<T>>` or a struct with `#[derive(Object)]`"
)]
pub trait AttributeValue: Sized + Clone + Send + Sync + 'static {
    /// Its type in Terraform's language.
    fn ty() -> Type;

    /// Reads a value that is neither null nor unknown; `path` is where it stands, for the error.
    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic>;

    /// The value as it goes over the wire.
    fn to_cty(&self) -> Cty;
}

/// A field of a model or object: a [`Value`] of something.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an attribute's field",
    note = "wrap it: `Value<{Self}>`, since any attribute may be null or unknown"
)]
pub trait AttributeField: Sized {
    /// What the value is of.
    type Inner: AttributeValue;

    /// Reads it; `path` is where it stands, for the error.
    fn read(value: Cty, path: &Path) -> Result<Self, Diagnostic>;

    /// The value as it goes over the wire.
    fn write(&self) -> Cty;
}

impl<T: AttributeValue> AttributeField for Value<T> {
    type Inner = T;

    fn read(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        match value {
            Cty::Null => Ok(Self::Null),
            Cty::Unknown(refinement) => Ok(Self::Unknown(refinement)),
            value => T::from_cty(value, path).map(Self::Known),
        }
    }

    fn write(&self) -> Cty {
        match self {
            Self::Null => Cty::Null,
            Self::Unknown(refinement) => Cty::Unknown(refinement.clone()),
            Self::Known(value) => value.to_cty(),
        }
    }
}

/// What a block's [`Value`] may hold: a model (one block), `Vec` (list), `BTreeMap` (labelled blocks), [`Set`](crate::Set) of models, or a
/// [`Group`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a block",
    note = "blocks hold a struct with `#[derive(Model)]`, or a `Vec<M>`, `Set<M>`, `BTreeMap<String, M>` or `Group<M>` of one"
)]
pub trait BlockValue: Sized + Clone + Send + Sync + 'static {
    /// How often the block may stand.
    const NESTING: Nesting;

    /// What each block holds.
    fn block() -> Block;

    /// Reads a value that is neither null nor unknown; `path` is where it stands, for the error.
    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic>;

    /// The value as it goes over the wire.
    fn to_cty(&self) -> Cty;

    /// The value where there is no block: null for a single one, and else an empty collection.
    fn absent() -> Value<Self>;

    /// Runs the validators of all that is known in it.
    fn check(&self, path: &Path, diagnostics: &mut Diagnostics);
}

/// A field of a model that is a nested block: a [`Value`] of a [`BlockValue`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a block's field",
    note = "wrap it: `Value<{Self}>`, since any block may be absent or, from a `dynamic` block, unknown"
)]
pub trait BlockField: Sized {
    /// What the value is of.
    type Inner: BlockValue;

    /// Reads it; `path` is where it stands, for the error.
    fn read(value: Cty, path: &Path) -> Result<Self, Diagnostic>;

    /// The value as it goes over the wire.
    fn write(&self) -> Cty;

    /// Runs the validators of all that is known in it.
    fn check(&self, path: &Path, diagnostics: &mut Diagnostics);

    /// The schema of the block.
    fn nested() -> NestedBlock {
        NestedBlock {
            block: Self::Inner::block(),
            nesting: Self::Inner::NESTING,
            min_items: 0,
            max_items: 0,
            requires_replace: false,
        }
    }
}

impl<T: BlockValue> BlockField for Value<T> {
    type Inner = T;

    fn read(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        match value {
            Cty::Null => Ok(T::absent()),
            Cty::Unknown(refinement) => Ok(Self::Unknown(refinement)),
            value => T::from_cty(value, path).map(Self::Known),
        }
    }

    fn write(&self) -> Cty {
        match self {
            Self::Null => T::absent().into_known().map_or(Cty::Null, |value| value.to_cty()),
            Self::Unknown(refinement) => Cty::Unknown(refinement.clone()),
            Self::Known(value) => value.to_cty(),
        }
    }

    fn check(&self, path: &Path, diagnostics: &mut Diagnostics) {
        if let Self::Known(value) = self {
            value.check(path, diagnostics);
        }
    }
}

/// The entries of an object or block while it is read. Used by the derive macros.
#[derive(Debug)]
pub struct Fields<'a> {
    entries: BTreeMap<String, Cty>,
    path: &'a Path,
}

impl<'a> Fields<'a> {
    /// Opens `value`, which stands at `path`.
    pub fn open(value: Cty, path: &'a Path) -> Result<Self, Diagnostic> {
        match value {
            Cty::Map(entries) => Ok(Self { entries, path }),
            _ => Err(wrong_type(path, "an object")),
        }
    }

    /// Reads the attribute `name`; one that is not there is null.
    pub fn attribute<F: AttributeField>(&mut self, name: &str) -> Result<F, Diagnostic> {
        let value = self.entries.remove(name).unwrap_or_default();
        F::read(value, &self.path.clone().attribute(name))
    }

    /// Reads the nested block `name`.
    pub fn block<F: BlockField>(&mut self, name: &str) -> Result<F, Diagnostic> {
        let value = self.entries.remove(name).unwrap_or_default();
        F::read(value, &self.path.clone().attribute(name))
    }
}

/// Runs one validator on one known attribute. Used by the derive macros.
pub fn validated<T>(
    value: &Value<T>,
    validator: impl FnOnce(&T) -> Result<(), String>,
    path: Path,
    diagnostics: &mut Diagnostics,
) {
    if let Value::Known(known) = value
        && let Err(message) = validator(known)
    {
        diagnostics.push(Diagnostic::error(format!("Invalid `{path}`")).detail(message).at(path));
    }
}

fn wrong_type(path: &Path, wanted: &str) -> Diagnostic {
    Diagnostic::error(format!("`{path}` has the wrong type")).detail(format!("It has to be {wanted}.")).at(path.clone())
}
