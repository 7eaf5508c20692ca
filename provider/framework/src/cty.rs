//! Values and types as Terraform's language has them, without Rust types: what is between the wire and a model.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::number::Number;
use crate::refinement::Refinement;

/// A value of any type.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cty {
    /// Not set.
    #[default]
    Null,
    /// Not known before apply.
    Unknown(Refinement),
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(String),
    /// A list, a tuple, or a set (sorted then, so that equal sets are equal).
    List(Vec<Cty>),
    /// A map or an object.
    Map(BTreeMap<String, Cty>),
    /// A value whose type goes with it, where the schema leaves the type open.
    Dynamic(Box<Type>, Box<Cty>),
}

impl Cty {
    /// Unknown, with nothing known about it.
    pub fn unknown() -> Self {
        Self::Unknown(Refinement::none())
    }

    /// Whether it is not set.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is itself unknown; elements may be so without it.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether nothing in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::List(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(_, value) => value.is_wholly_known(),
        }
    }

    /// The attribute, block or entry `name`; null where there is none.
    pub fn get(&self, name: &str) -> &Self {
        match self {
            Self::Map(entries) => entries.get(name).unwrap_or(&Self::Null),
            _ => &Self::Null,
        }
    }

    /// Without what is known about unknown values: two plans are compared so.
    #[must_use]
    pub fn without_refinements(&self) -> Self {
        self.replace_unknown(&|| Self::unknown())
    }

    /// With null for each unknown: what a state may hold.
    #[must_use]
    pub fn unknown_as_null(&self) -> Self {
        self.replace_unknown(&|| Self::Null)
    }

    fn replace_unknown(&self, replacement: &impl Fn() -> Self) -> Self {
        match self {
            Self::Unknown(_) => replacement(),
            Self::List(elements) => Self::List(elements.iter().map(|e| e.replace_unknown(replacement)).collect()),
            Self::Map(entries) => {
                Self::Map(entries.iter().map(|(key, v)| (key.clone(), v.replace_unknown(replacement))).collect())
            }
            Self::Dynamic(ty, value) => Self::Dynamic(ty.clone(), Box::new(value.replace_unknown(replacement))),
            other => other.clone(),
        }
    }
}

/// A type of Terraform's language.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// `bool`
    Bool,
    /// `number`
    Number,
    /// `string`
    String,
    /// `any`: the value brings its type along.
    Dynamic,
    /// `list(…)`
    List(Box<Type>),
    /// `set(…)`
    Set(Box<Type>),
    /// `map(…)`
    Map(Box<Type>),
    /// `tuple([…])`
    Tuple(Vec<Type>),
    /// `object({…})`
    Object(BTreeMap<String, Type>),
}

impl Type {
    /// As schemas carry it, e.g. `["map","string"]`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool => json!("bool"),
            Self::Number => json!("number"),
            Self::String => json!("string"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.to_json()]),
            Self::Set(element) => json!(["set", element.to_json()]),
            Self::Map(element) => json!(["map", element.to_json()]),
            Self::Tuple(elements) => json!(["tuple", elements.iter().map(Self::to_json).collect::<Vec<_>>()]),
            Self::Object(attributes) => {
                let attributes: serde_json::Map<String, Json> =
                    attributes.iter().map(|(name, ty)| (name.clone(), ty.to_json())).collect();
                json!(["object", attributes])
            }
        }
    }

    /// From the form of [`Type::to_json`]. An object's third part, its optional attributes, is not part of the type.
    pub fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Some(Self::Bool),
                "number" => Some(Self::Number),
                "string" => Some(Self::String),
                "dynamic" => Some(Self::Dynamic),
                _ => None,
            },
            Json::Array(parts) => {
                let of = parts.get(1)?;
                match parts.first()?.as_str()? {
                    "list" => Some(Self::List(Box::new(Self::from_json(of)?))),
                    "set" => Some(Self::Set(Box::new(Self::from_json(of)?))),
                    "map" => Some(Self::Map(Box::new(Self::from_json(of)?))),
                    "tuple" => of.as_array()?.iter().map(Self::from_json).collect::<Option<_>>().map(Self::Tuple),
                    "object" => of
                        .as_object()?
                        .iter()
                        .map(|(name, ty)| Some((name.clone(), Self::from_json(ty)?)))
                        .collect::<Option<_>>()
                        .map(Self::Object),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What a user calls it.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Dynamic => "a value",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Tuple(_) => "a tuple",
            Self::Object(_) => "an object",
        }
    }
}
