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
