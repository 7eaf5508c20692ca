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
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::schema::{Attribute, Block};

    fn roundtrip(value: &Cty, ty: &Type) -> Cty {
        decode(&encode(value, ty).unwrap(), ty).unwrap()
    }

    fn list_of(element: Type) -> Type {
        Type::List(Box::new(element))
    }

    #[test]
    fn the_bytes_are_those_of_cty() {
        let not_null = Cty::Unknown(Refinement::not_null());
        let prefixed = Cty::Unknown(Refinement::not_null().with_prefix("i-"));
        let tenth = Cty::Number(Number::Decimal("0.1".into()));
        let half = Cty::Number(Number::Float(0.5f64.to_bits()));
        let any = Cty::Dynamic(Box::new(Type::Bool), Box::new(Cty::Bool(true)));
        // Written by go-cty 1.18's msgpack.Marshal.
        for (value, ty, bytes) in [
            (Cty::Null, Type::String, &b"\xc0"[..]),
            (Cty::unknown(), Type::String, b"\xd4\x00\x00"),
            (not_null, Type::Bool, b"\xc7\x03\x0c\x81\x01\xc2"),
            (prefixed, Type::String, b"\xc7\x07\x0c\x82\x01\xc2\x02\xa2i-"),
            (tenth, Type::Number, b"\xa30.1"),
            (half, Type::Number, b"\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"),
            (any, Type::Dynamic, b"\x92\xc4\x06\"bool\"\xc3"),
        ] {
            assert_eq!(encode(&value, &ty).unwrap(), bytes, "{value:?}");
            assert_eq!(decode(bytes, &ty).unwrap(), value);
        }
    }

    #[test]
    fn a_refined_number_keeps_its_bounds() {
        let bound = |value, inclusive| Some(Bound { value: Number::Integer(value), inclusive });
        let range = Cty::Unknown(Refinement { minimum: bound(0, true), maximum: bound(10, false), ..Refinement::none() });
        assert_eq!(roundtrip(&range, &Type::Number), range);
        let length = Refinement { minimum_length: Some(1), maximum_length: Some(3), ..Refinement::not_null() };
        let length = Cty::Unknown(length);
        assert_eq!(roundtrip(&length, &list_of(Type::String)), length);
    }

    #[test]
    fn a_refinement_that_does_not_fit_the_type_is_not_sent() {
        let prefixed = Cty::Unknown(Refinement::not_null().with_prefix("x"));
        assert_eq!(roundtrip(&prefixed, &Type::Bool), Cty::Unknown(Refinement::not_null()));
        assert_eq!(roundtrip(&prefixed, &Type::Dynamic), Cty::unknown());
    }

    #[test]
    fn an_unknown_that_is_known_to_be_null_is_null() {
        assert_eq!(decode(b"\xc7\x03\x0c\x81\x01\xc3", &Type::String).unwrap(), Cty::Null);
    }

    #[test]
    fn a_long_prefix_is_cut_between_characters() {
        let long = Cty::Unknown(Refinement::none().with_prefix("ü".repeat(300)));
        let Cty::Unknown(refinement) = roundtrip(&long, &Type::String) else { panic!() };
        assert_eq!(refinement.prefix, Some("ü".repeat(128)));
    }

    #[test]
    fn a_number_passes_in_each_of_its_forms() {
        for (bytes, number) in [
            (&b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"[..], Number::Decimal("18446744073709551615".into())),
            (b"\xca\x3f\x00\x00\x00", Number::Float(0.5f64.to_bits())),
            (b"\xcb\x40\x08\x00\x00\x00\x00\x00\x00", Number::Integer(3)),
            (b"\xa33.0", Number::Integer(3)),
        ] {
            assert_eq!(decode(bytes, &Type::Number).unwrap(), Cty::Number(number));
        }
    }

    fn types() -> impl Strategy<Value = Type> {
        let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::Dynamic)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let boxed = inner.clone().prop_map(Box::new);
            prop_oneof![
                boxed.clone().prop_map(Type::List),
                boxed.clone().prop_map(Type::Set),
                boxed.prop_map(Type::Map),
                vec(inner.clone(), 0..4).prop_map(Type::Tuple),
                btree_map("[a-z]{1,4}", inner, 0..4).prop_map(Type::Object),
            ]
        })
    }

    fn refinement() -> impl Strategy<Value = Refinement> {
        let bound = || proptest::option::of((any::<i64>().prop_map(Number::Integer), any::<bool>()));
        (any::<bool>(), proptest::option::of(".{0,20}"), bound(), bound(), any::<Option<u32>>(), any::<Option<u32>>()).prop_map(
            |(not_null, prefix, minimum, maximum, minimum_length, maximum_length)| Refinement {
                not_null,
                prefix,
                minimum: minimum.map(|(value, inclusive)| Bound { value, inclusive }),
                maximum: maximum.map(|(value, inclusive)| Bound { value, inclusive }),
                minimum_length: minimum_length.map(Into::into),
                maximum_length: maximum_length.map(Into::into),
            },
        )
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::Integer),
            any::<f64>().prop_filter_map("not a number", Number::from_exact),
            any::<f64>().prop_filter_map("not a number", Number::from_shortest),
        ]
    }

    fn values(ty: &Type) -> BoxedStrategy<Cty> {
        let fitting_to = ty.clone();
        let unknown = refinement().prop_map(move |refinement| Cty::Unknown(fitting(&refinement, &fitting_to)));
        let known = match ty {
            Type::Bool => any::<bool>().prop_map(Cty::Bool).boxed(),
            Type::Number => number().prop_map(Cty::Number).boxed(),
            Type::String => any::<String>().prop_map(Cty::String).boxed(),
            Type::Dynamic => {
                (any::<String>()).prop_map(|text| Cty::Dynamic(Box::new(Type::String), Box::new(Cty::String(text)))).boxed()
            }
            Type::List(element) => vec(values(element), 0..4).prop_map(Cty::List).boxed(),
            Type::Set(element) => vec(values(element), 0..4)
                .prop_map(|mut elements| {
                    elements.sort();
                    Cty::List(elements)
                })
                .boxed(),
            Type::Map(element) => btree_map(any::<String>(), values(element), 0..4).prop_map(Cty::Map).boxed(),
            Type::Tuple(types) => types.iter().map(values).collect::<Vec<_>>().prop_map(Cty::List).boxed(),
            Type::Object(attributes) => {
                let names: Vec<String> = attributes.keys().cloned().collect();
                let each: Vec<_> = attributes.values().map(values).collect();
                each.prop_map(move |values| Cty::Map(names.iter().cloned().zip(values).collect())).boxed()
            }
        };
        prop_oneof![1 => Just(Cty::Null), 1 => unknown, 6 => known].boxed()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            (ty, value) in types().prop_flat_map(|ty| { let value = values(&ty); (Just(ty), value) })
        ) {
            prop_assert_eq!(roundtrip(&value, &ty), value);
        }

        #[test]
        fn types_pass_as_json(ty in types()) {
            prop_assert_eq!(Type::from_json(&ty.to_json()), Some(ty));
        }

        #[test]
        fn any_bytes_are_a_value_or_an_error(ty in types(), bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(value) = decode(&bytes, &ty) {
                prop_assert_eq!(roundtrip(&value, &ty), value);
            }
        }

        #[test]
        fn a_changed_byte_is_a_value_or_an_error(
            (ty, value) in types().prop_flat_map(|ty| { let value = values(&ty); (Just(ty), value) }),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = encode(&value, &ty).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(value) = decode(&bytes, &ty) {
                prop_assert_eq!(roundtrip(&value, &ty), value);
            }
        }
    }

    #[test]
    fn an_object_has_the_attributes_of_its_schema_and_no_others() {
        let attribute = Attribute {
            ty: Type::Bool,
            description: String::new(),
            required: true,
            optional: false,
            computed: false,
            sensitive: false,
            deprecated: None,
            requires_replace: false,
            default: None,
        };
        let block = Block { attributes: [("a".to_owned(), attribute)].into(), ..Block::default() };
        assert!(matches!(decode(b"\x80", &block.ty()), Err(Error::Missing(name)) if name == "a"));
        assert!(decode(b"\x82\xa1a\xc3\xa1b\xc3", &block.ty()).is_err());
        assert!(decode(b"\x81\xa1a\xc3\xc3", &block.ty()).is_err());
    }
}
