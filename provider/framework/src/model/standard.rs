//! What attributes and blocks hold beside structs: primitives and collections.

use std::collections::BTreeMap;

use super::{AttributeField, AttributeValue, BlockValue, Model, wrong_type};
use crate::cty::{Cty, Type};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::number::Number;
use crate::path::Path;
use crate::schema::{Block, Nesting};
use crate::set::Set;
use crate::value::Value;

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
