//! Rust types for schemas: what the derive macros implement, and the implementations for standard types.

use std::collections::BTreeMap;

use crate::cty::{Cty, Type};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::number::Number;
use crate::path::Path;
use crate::schema::{Block, NestedBlock, Nesting};
use crate::set::Set;
use crate::value::Value;

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

/// What a block's [`Value`] may hold: a model (one block), `Vec` (list), `BTreeMap` (labelled blocks), [`Set`] of models, or a
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

impl AttributeValue for String {
    fn ty() -> Type {
        Type::String
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        match value {
            Cty::String(text) => Ok(text),
            _ => Err(wrong_type(path, Type::String.noun())),
        }
    }

    fn to_cty(&self) -> Cty {
        Cty::String(self.clone())
    }
}

impl AttributeValue for bool {
    fn ty() -> Type {
        Type::Bool
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        match value {
            Cty::Bool(truth) => Ok(truth),
            _ => Err(wrong_type(path, Type::Bool.noun())),
        }
    }

    fn to_cty(&self) -> Cty {
        Cty::Bool(*self)
    }
}

impl AttributeValue for i64 {
    fn ty() -> Type {
        Type::Number
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        match value {
            Cty::Number(number) => number.as_i64().ok_or_else(|| {
                Diagnostic::error(format!("`{path}` is not a whole number"))
                    .detail(format!("It has to be a whole number of at most 64 bits, and is {number}."))
                    .at(path.clone())
            }),
            _ => Err(wrong_type(path, Type::Number.noun())),
        }
    }

    fn to_cty(&self) -> Cty {
        Cty::Number(Number::Integer(*self))
    }
}

impl AttributeValue for f64 {
    fn ty() -> Type {
        Type::Number
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        let Cty::Number(number) = value else {
            return Err(wrong_type(path, Type::Number.noun()));
        };
        let float = number.as_f64();
        // A plan must repeat the configured number to the last digit.
        let back = Number::from_shortest(float);
        if back.as_ref() == Some(&number) || Number::from_exact(float).as_ref() == Some(&number) {
            return Ok(float);
        }
        Err(Diagnostic::error(format!("`{path}` has too many digits"))
            .detail(format!("It has to fit a 64-bit floating point number, and is {number}."))
            .at(path.clone()))
    }

    fn to_cty(&self) -> Cty {
        // Not-a-number stands for nothing in Terraform's language.
        Number::from_shortest(*self).map_or(Cty::Null, Cty::Number)
    }
}

impl<T: AttributeValue> AttributeValue for Vec<Value<T>> {
    fn ty() -> Type {
        Type::List(Box::new(T::ty()))
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        let Cty::List(elements) = value else {
            return Err(wrong_type(path, "a list"));
        };
        elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| AttributeField::read(element, &path.clone().element(index)))
            .collect()
    }

    fn to_cty(&self) -> Cty {
        Cty::List(self.iter().map(AttributeField::write).collect())
    }
}

impl<T: AttributeValue + PartialEq> AttributeValue for Set<T> {
    fn ty() -> Type {
        Type::Set(Box::new(T::ty()))
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        let Cty::List(elements) = value else {
            return Err(wrong_type(path, "a set"));
        };
        elements.into_iter().map(|element| <Value<T> as AttributeField>::read(element, path)).collect()
    }

    fn to_cty(&self) -> Cty {
        sorted(self.iter().map(AttributeField::write).collect())
    }
}

impl<T: AttributeValue> AttributeValue for BTreeMap<String, Value<T>> {
    fn ty() -> Type {
        Type::Map(Box::new(T::ty()))
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        let Cty::Map(entries) = value else {
            return Err(wrong_type(path, "a map"));
        };
        entries
            .into_iter()
            .map(|(key, entry)| {
                let entry = AttributeField::read(entry, &path.clone().element(&key))?;
                Ok((key, entry))
            })
            .collect()
    }

    fn to_cty(&self) -> Cty {
        Cty::Map(self.iter().map(|(key, entry)| (key.clone(), entry.write())).collect())
    }
}

impl<M: Model> BlockValue for Vec<M> {
    const NESTING: Nesting = Nesting::List;

    fn block() -> Block {
        M::block()
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        let Cty::List(blocks) = value else {
            return Err(wrong_type(path, "a list"));
        };
        blocks.into_iter().enumerate().map(|(index, block)| M::from_cty(block, &path.clone().element(index))).collect()
    }

    fn to_cty(&self) -> Cty {
        Cty::List(self.iter().map(BlockValue::to_cty).collect())
    }

    fn absent() -> Value<Self> {
        Value::Known(Self::new())
    }

    fn check(&self, path: &Path, diagnostics: &mut Diagnostics) {
        for (index, block) in self.iter().enumerate() {
            block.check(&path.clone().element(index), diagnostics);
        }
    }
}

impl<M: Model> BlockValue for BTreeMap<String, M> {
    const NESTING: Nesting = Nesting::Map;

    fn block() -> Block {
        M::block()
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        let Cty::Map(blocks) = value else {
            return Err(wrong_type(path, "a map"));
        };
        blocks
            .into_iter()
            .map(|(label, block)| {
                let block = M::from_cty(block, &path.clone().element(&label))?;
                Ok((label, block))
            })
            .collect()
    }

    fn to_cty(&self) -> Cty {
        Cty::Map(self.iter().map(|(label, block)| (label.clone(), block.to_cty())).collect())
    }

    fn absent() -> Value<Self> {
        Value::Known(Self::new())
    }

    fn check(&self, path: &Path, diagnostics: &mut Diagnostics) {
        for (label, block) in self {
            block.check(&path.clone().element(label), diagnostics);
        }
    }
}

impl<M: Model> BlockValue for Set<M> {
    const NESTING: Nesting = Nesting::Set;

    fn block() -> Block {
        M::block()
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        let Cty::List(blocks) = value else {
            return Err(wrong_type(path, "a set"));
        };
        blocks.into_iter().map(|block| M::from_cty(block, path)).collect()
    }

    fn to_cty(&self) -> Cty {
        sorted(self.iter().filter_map(Value::known).map(BlockValue::to_cty).collect())
    }

    fn absent() -> Value<Self> {
        Value::Known(Self::default())
    }

    fn check(&self, path: &Path, diagnostics: &mut Diagnostics) {
        // A set's elements have no address of their own.
        for block in self.iter().filter_map(Value::known) {
            block.check(path, diagnostics);
        }
    }
}

/// A block that is always there: where the user writes none, its attributes are null.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group<M>(pub M);

impl<M: Model> BlockValue for Group<M> {
    const NESTING: Nesting = Nesting::Group;

    fn block() -> Block {
        M::block()
    }

    fn from_cty(value: Cty, path: &Path) -> Result<Self, Diagnostic> {
        M::from_cty(value, path).map(Self)
    }

    fn to_cty(&self) -> Cty {
        self.0.to_cty()
    }

    fn absent() -> Value<Self> {
        // Reading an object without entries cannot fail: every field is then null or absent.
        M::from_cty(Cty::Map(BTreeMap::new()), &Path::root()).ok().map(Self).into()
    }

    fn check(&self, path: &Path, diagnostics: &mut Diagnostics) {
        self.0.check(path, diagnostics);
    }
}

/// A set's elements in the one order that makes equal sets equal.
fn sorted(mut elements: Vec<Cty>) -> Cty {
    elements.sort();
    Cty::List(elements)
}
