//! Values as JSON: in stored state, and where a client sends no MessagePack.

use serde_json::Value as Json;

use crate::cty::{Cty, Type};
use crate::number::Number;

/// JSON that is no value of the type.
#[derive(Debug, thiserror::Error)]
#[error("`{place}` is {found} where the schema has {wanted}")]
pub(crate) struct Error {
    place: String,
    wanted: &'static str,
    found: &'static str,
}

/// Reads a value of type `ty`. Attributes that an object's type has not are dropped, and missing ones are null: a state
/// may be older than the schema.
pub(crate) fn decode(json: Json, ty: &Type) -> Result<Cty, Error> {
    from_json(json, ty, "the state")
}

fn from_json(json: Json, ty: &Type, place: &str) -> Result<Cty, Error> {
    let found = noun(&json);
    let wrong = || Error { place: place.to_owned(), wanted: ty.noun(), found };
    let each = |elements: Vec<Json>, element: &Type| {
        elements.into_iter().map(|json| from_json(json, element, place)).collect::<Result<Vec<_>, _>>()
    };
    match (ty, json) {
        (_, Json::Null) => Ok(Cty::Null),
        (Type::Bool, Json::Bool(truth)) => Ok(Cty::Bool(truth)),
        // Terraform's own JSON is as lenient between primitives.
        (Type::Bool, Json::String(text)) => text.parse().map(Cty::Bool).map_err(|_| wrong()),
        (Type::Number, Json::Number(number)) => Number::parse(&number.to_string()).map(Cty::Number).ok_or_else(wrong),
        (Type::Number, Json::String(text)) => Number::parse(&text).map(Cty::Number).ok_or_else(wrong),
        (Type::String, Json::String(text)) => Ok(Cty::String(text)),
        (Type::String, Json::Number(number)) => Ok(Cty::String(number.to_string())),
        (Type::String, Json::Bool(truth)) => Ok(Cty::String(truth.to_string())),
        (Type::Dynamic, Json::Object(mut entries)) => {
            let ty = entries.get("type").and_then(Type::from_json).ok_or_else(wrong)?;
            let value = from_json(entries.remove("value").unwrap_or_default(), &ty, place)?;
            Ok(Cty::Dynamic(Box::new(ty), Box::new(value)))
        }
        (Type::List(element), Json::Array(elements)) => each(elements, element).map(Cty::List),
        (Type::Set(element), Json::Array(elements)) => {
            let mut elements = each(elements, element)?;
            elements.sort();
            Ok(Cty::List(elements))
        }
        (Type::Tuple(types), Json::Array(elements)) if types.len() == elements.len() => {
            elements.into_iter().zip(types).map(|(json, ty)| from_json(json, ty, place)).collect::<Result<_, _>>().map(Cty::List)
        }
        (Type::Map(element), Json::Object(entries)) => entries
            .into_iter()
            .map(|(key, json)| {
                let value = from_json(json, element, &key)?;
                Ok((key, value))
            })
            .collect::<Result<_, _>>()
            .map(Cty::Map),
        (Type::Object(attributes), Json::Object(mut entries)) => attributes
            .iter()
            .map(|(name, ty)| Ok((name.clone(), from_json(entries.remove(name).unwrap_or_default(), ty, name)?)))
            .collect::<Result<_, _>>()
            .map(Cty::Map),
        _ => Err(wrong()),
    }
}

fn noun(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
