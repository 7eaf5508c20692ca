//! Values as MessagePack, in the form that cty gives them.

use std::collections::BTreeMap;

use rmpv::Value as Raw;

use crate::cty::{Cty, Type};
use crate::number::Number;
use crate::refinement::{Bound, Refinement};

/// Deeper than any schema that core would accept; keeps hostile bytes from the stack.
const MAX_DEPTH: usize = 256;
/// An unknown value about which nothing is known.
const EXT_UNKNOWN: i8 = 0;
/// An unknown value with a map of what is known about it.
const EXT_REFINED: i8 = 12;
/// cty refuses longer refinements.
const MAX_REFINEMENT: usize = 1024;
/// So much of a prefix is sent; cty cuts there too.
const MAX_PREFIX: usize = 256;

// The keys of a refinement.
const NOT_NULL: i64 = 1;
const PREFIX: i64 = 2;
const MINIMUM: i64 = 3;
const MAXIMUM: i64 = 4;
const MINIMUM_LENGTH: i64 = 5;
const MAXIMUM_LENGTH: i64 = 6;

/// Bytes that are no value of the type, or a value that is not of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The bytes are not MessagePack, end early, or nest too deeply.
    #[error("not MessagePack: {0}")]
    Malformed(#[from] rmpv::decode::Error),
    /// Bytes are left after the value.
    #[error("{0} bytes after the value")]
    Trailing(usize),
    /// The value is of another type.
    #[error("{found} where the schema has {wanted}")]
    Type { wanted: &'static str, found: &'static str },
    /// An object without one of its attributes.
    #[error("no attribute `{0}`")]
    Missing(String),
    /// An extension, a refinement or a type that is not of cty's form.
    #[error("a malformed {0}")]
    Form(&'static str),
    /// The bytes cannot be written.
    #[error("cannot be written: {0}")]
    Write(#[from] rmpv::encode::Error),
}

/// Reads a value of type `ty`.
pub(crate) fn decode(mut bytes: &[u8], ty: &Type) -> Result<Cty, Error> {
    let raw = rmpv::decode::read_value_with_max_depth(&mut bytes, MAX_DEPTH)?;
    if !bytes.is_empty() {
        return Err(Error::Trailing(bytes.len()));
    }
    from_raw(raw, ty)
}

/// Writes a value of type `ty`.
pub(crate) fn encode(value: &Cty, ty: &Type) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &to_raw(value, ty)?)?;
    Ok(bytes)
}

fn from_raw(raw: Raw, ty: &Type) -> Result<Cty, Error> {
    let found = noun(&raw);
    let wrong = || Error::Type { wanted: ty.noun(), found };
    match (ty, raw) {
        (_, Raw::Nil) => Ok(Cty::Null),
        (_, Raw::Ext(kind, body)) => unknown(kind, &body, ty),
        (Type::Dynamic, Raw::Array(parts)) => dynamic(parts),
        (Type::Bool, Raw::Boolean(truth)) => Ok(Cty::Bool(truth)),
        (Type::String, Raw::String(text)) => text.into_str().map(Cty::String).ok_or_else(wrong),
        (Type::Number, raw) => number(&raw).map(Cty::Number).ok_or_else(wrong),
        (Type::List(element), Raw::Array(elements)) => {
            elements.into_iter().map(|raw| from_raw(raw, element)).collect::<Result<_, _>>().map(Cty::List)
        }
        (Type::Set(element), Raw::Array(elements)) => {
            let mut elements: Vec<Cty> = elements.into_iter().map(|raw| from_raw(raw, element)).collect::<Result<_, _>>()?;
            elements.sort();
            Ok(Cty::List(elements))
        }
        (Type::Tuple(types), Raw::Array(elements)) if types.len() == elements.len() => {
            elements.into_iter().zip(types).map(|(raw, ty)| from_raw(raw, ty)).collect::<Result<_, _>>().map(Cty::List)
        }
        (Type::Map(element), Raw::Map(entries)) => entries
            .into_iter()
            .map(|(key, raw)| Ok((text(key)?, from_raw(raw, element)?)))
            .collect::<Result<_, Error>>()
            .map(Cty::Map),
        (Type::Object(attributes), Raw::Map(entries)) => {
            let mut entries =
                entries.into_iter().map(|(key, raw)| Ok((text(key)?, raw))).collect::<Result<BTreeMap<_, _>, Error>>()?;
            let object = attributes
                .iter()
                .map(|(name, ty)| {
                    let raw = entries.remove(name).ok_or_else(|| Error::Missing(name.clone()))?;
                    Ok((name.clone(), from_raw(raw, ty)?))
                })
                .collect::<Result<_, Error>>()?;
            if !entries.is_empty() {
                return Err(Error::Form("object: it has attributes that the schema has not"));
            }
            Ok(Cty::Map(object))
        }
        _ => Err(wrong()),
    }
}

fn text(raw: Raw) -> Result<String, Error> {
    match raw {
        Raw::String(text) => text.into_str().ok_or(Error::Form("text")),
        _ => Err(Error::Form("key")),
    }
}

fn number(raw: &Raw) -> Option<Number> {
    match raw {
        Raw::Integer(integer) => match integer.as_i64() {
            Some(integer) => Some(Number::Integer(integer)),
            None => Number::parse(&integer.as_u64()?.to_string()),
        },
        Raw::F32(float) => Number::from_exact(f64::from(*float)),
        Raw::F64(float) => Number::from_exact(*float),
        Raw::String(text) => Number::parse(text.as_str()?),
        _ => None,
    }
}

/// `[type as JSON, value]`
fn dynamic(parts: Vec<Raw>) -> Result<Cty, Error> {
    let malformed = || Error::Form("value of any type");
    let [ty, value]: [Raw; 2] = parts.try_into().map_err(|_| malformed())?;
    let ty = match &ty {
        Raw::Binary(json) => serde_json::from_slice(json).ok(),
        Raw::String(json) => serde_json::from_slice(json.as_bytes()).ok(),
        _ => None,
    };
    let ty = ty.as_ref().and_then(Type::from_json).ok_or_else(malformed)?;
    let value = from_raw(value, &ty)?;
    Ok(Cty::Dynamic(Box::new(ty), Box::new(value)))
}

fn unknown(kind: i8, body: &[u8], ty: &Type) -> Result<Cty, Error> {
    // cty tells the plain form by its length, whatever its kind says.
    if body.len() <= 1 {
        return Ok(Cty::unknown());
    }
    if kind != EXT_REFINED || body.len() > MAX_REFINEMENT {
        return Err(Error::Form("unknown value"));
    }
    let mut rest = body;
    let raw = rmpv::decode::read_value_with_max_depth(&mut rest, MAX_DEPTH)?;
    let Raw::Map(entries) = raw else { return Err(Error::Form("refinement")) };
    let mut refinement = Refinement::none();
    for (key, value) in entries {
        let malformed = || Error::Form("refinement");
        match key.as_i64().ok_or_else(malformed)? {
            NOT_NULL => {
                if value.as_bool().ok_or_else(malformed)? {
                    // What is known to be null is null.
                    return Ok(Cty::Null);
                }
                refinement.not_null = true;
            }
            PREFIX => refinement.prefix = Some(text(value)?),
            MINIMUM => refinement.minimum = Some(bound(value)?),
            MAXIMUM => refinement.maximum = Some(bound(value)?),
            MINIMUM_LENGTH => refinement.minimum_length = Some(value.as_u64().ok_or_else(malformed)?),
            MAXIMUM_LENGTH => refinement.maximum_length = Some(value.as_u64().ok_or_else(malformed)?),
            // A later cty may know more; knowing less is allowed.
            _ => {}
        }
    }
    Ok(Cty::Unknown(fitting(&refinement, ty)))
}

fn bound(raw: Raw) -> Result<Bound, Error> {
    let malformed = || Error::Form("bound of a number");
    let Raw::Array(parts) = raw else { return Err(malformed()) };
    let [value, inclusive]: [Raw; 2] = parts.try_into().map_err(|_| malformed())?;
    Ok(Bound { value: number(&value).ok_or_else(malformed)?, inclusive: inclusive.as_bool().ok_or_else(malformed)? })
}

/// The part of `refinement` that a value of type `ty` can have; cty fails on any other.
fn fitting(refinement: &Refinement, ty: &Type) -> Refinement {
    let not_null = refinement.not_null;
    match ty {
        Type::Dynamic => Refinement::none(),
        Type::String => Refinement { not_null, prefix: refinement.prefix.clone(), ..Refinement::none() },
        Type::Number => Refinement {
            not_null,
            minimum: refinement.minimum.clone(),
            maximum: refinement.maximum.clone(),
            ..Refinement::none()
        },
        Type::List(_) | Type::Set(_) | Type::Map(_) => Refinement {
            not_null,
            minimum_length: refinement.minimum_length,
            maximum_length: refinement.maximum_length,
            ..Refinement::none()
        },
        Type::Bool | Type::Tuple(_) | Type::Object(_) => Refinement { not_null, ..Refinement::none() },
    }
}

fn to_raw(value: &Cty, ty: &Type) -> Result<Raw, Error> {
    let wrong = || Error::Type { wanted: ty.noun(), found: "another value" };
    match (ty, value) {
        (_, Cty::Null) => Ok(Raw::Nil),
        (_, Cty::Unknown(refinement)) => refined(&fitting(refinement, ty)),
        (Type::Dynamic, Cty::Dynamic(ty, value)) => {
            let json = ty.to_json().to_string().into_bytes();
            Ok(Raw::Array(vec![Raw::Binary(json), to_raw(value, ty)?]))
        }
        (Type::Bool, Cty::Bool(truth)) => Ok(Raw::Boolean(*truth)),
        (Type::String, Cty::String(text)) => Ok(Raw::from(text.as_str())),
        (Type::Number, Cty::Number(number)) => Ok(raw_number(number)),
        (Type::List(element) | Type::Set(element), Cty::List(elements)) => {
            elements.iter().map(|value| to_raw(value, element)).collect::<Result<_, _>>().map(Raw::Array)
        }
        (Type::Tuple(types), Cty::List(elements)) if types.len() == elements.len() => {
            elements.iter().zip(types).map(|(value, ty)| to_raw(value, ty)).collect::<Result<_, _>>().map(Raw::Array)
        }
        (Type::Map(element), Cty::Map(entries)) => entries
            .iter()
            .map(|(key, value)| Ok((Raw::from(key.as_str()), to_raw(value, element)?)))
            .collect::<Result<_, Error>>()
            .map(Raw::Map),
        (Type::Object(attributes), Cty::Map(entries)) => attributes
            .iter()
            .map(|(name, ty)| {
                let value = entries.get(name).ok_or_else(|| Error::Missing(name.clone()))?;
                Ok((Raw::from(name.as_str()), to_raw(value, ty)?))
            })
            .collect::<Result<_, Error>>()
            .map(Raw::Map),
        _ => Err(wrong()),
    }
}

fn raw_number(number: &Number) -> Raw {
    match number {
        Number::Integer(integer) => Raw::from(*integer),
        Number::Float(bits) => Raw::F64(f64::from_bits(*bits)),
        Number::Decimal(digits) => Raw::from(digits.as_str()),
    }
}

fn refined(refinement: &Refinement) -> Result<Raw, Error> {
    if refinement.is_none() {
        return Ok(Raw::Ext(EXT_UNKNOWN, vec![0]));
    }
    let mut entries = Vec::new();
    let mut add = |key: i64, value: Raw| entries.push((Raw::from(key), value));
    if refinement.not_null {
        add(NOT_NULL, Raw::from(false));
    }
    if let Some(prefix) = &refinement.prefix {
        add(PREFIX, Raw::from(&prefix[..prefix.floor_char_boundary(MAX_PREFIX)]));
    }
    for (key, bound) in [(MINIMUM, &refinement.minimum), (MAXIMUM, &refinement.maximum)] {
        if let Some(Bound { value, inclusive }) = bound {
            add(key, Raw::Array(vec![raw_number(value), Raw::from(*inclusive)]));
        }
    }
    for (key, length) in [(MINIMUM_LENGTH, refinement.minimum_length), (MAXIMUM_LENGTH, refinement.maximum_length)] {
        if let Some(length) = length {
            add(key, Raw::from(length));
        }
    }
    let mut body = Vec::new();
    rmpv::encode::write_value(&mut body, &Raw::Map(entries))?;
    if body.len() > MAX_REFINEMENT {
        // Numbers of a thousand digits: knowing less is allowed.
        return Ok(Raw::Ext(EXT_UNKNOWN, vec![0]));
    }
    Ok(Raw::Ext(EXT_REFINED, body))
}

fn noun(raw: &Raw) -> &'static str {
    match raw {
        Raw::Nil => "null",
        Raw::Boolean(_) => "true or false",
        Raw::Integer(_) | Raw::F32(_) | Raw::F64(_) => "a number",
        Raw::String(_) => "a string",
        Raw::Binary(_) => "bytes",
        Raw::Array(_) => "a list",
        Raw::Map(_) => "a map",
        Raw::Ext(..) => "an unknown value",
    }
}

#[cfg(test)]
mod tests;
