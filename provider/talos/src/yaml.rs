//! YAML as Talos reads it: parsed into nodes that know their line, and written so that Talos reads back the same.
//!
//! A scalar keeps its text until its type is known: in a machine config `1.30` is a text where a text is wanted
//! and a number elsewhere, which no general YAML value can hold.

mod emit;
mod parse;
mod scalar;

pub use emit::emit;
pub use parse::{YamlError, parse};
pub(crate) use scalar::{is_integer, is_number, typed_bool, untyped};

use zeroize::Zeroizing;

/// A node with the line that it starts on.
#[derive(Clone)]
pub struct Node {
    /// The line in the source, from 1.
    pub line: usize,
    /// What it holds.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone)]
pub enum Value {
    /// A scalar, not yet resolved.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the source.
    Map(Vec<Entry>),
}

/// A scalar as it was written.
#[derive(Clone)]
pub struct Scalar {
    /// The text after unescaping.
    pub text: Zeroizing<String>,
    /// Whether it was written without quotes, so that it may be a number, a boolean or null.
    pub plain: bool,
}

/// A key and its value.
#[derive(Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The line of the key, from 1.
    pub line: usize,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Whether this is `null`, `~` or nothing.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// The value of a key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The text of a scalar, whatever its type.
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// What it is called in a message.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) => scalar.kind(),
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Scalar {
    fn is_null(&self) -> bool {
        self.plain && scalar::is_null(&self.text)
    }

    fn kind(&self) -> &'static str {
        if !self.plain {
            "a text in quotes"
        } else if self.is_null() {
            "null"
        } else if scalar::core_bool(&self.text).is_some() {
            "a boolean"
        } else if is_number(&self.text) {
            "a number"
        } else {
            "a text"
        }
    }
}
