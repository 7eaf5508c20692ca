use std::collections::BTreeMap;

use super::*;
use crate::model::BlockValue;
use crate::{Group, Model, Set, Value, path, rules};

/// A block with every kind of field.
#[derive(Model, Clone, Debug, PartialEq, Default)]
struct All {
    /// Set by the user.
    #[attr(optional, requires_replace)]
    plain: Value<String>,
    /// Set by either.
    #[attr(optional, computed)]
    either: Value<String>,
    /// With a default.
    #[attr(default = 7)]
    filled: Value<i64>,
    /// Set by the provider.
    #[attr(computed)]
    made: Value<String>,
    /// Once.
    #[block(requires_replace)]
    once: Value<Part>,
    /// Always.
    #[block]
    always: Value<Group<Part>>,
    /// In order.
    #[block]
    ordered: Value<Vec<Part>>,
    /// Without order.
    #[block]
    loose: Value<Set<Part>>,
    /// With labels.
    #[block]
    labelled: Value<BTreeMap<String, Part>>,
}

/// A nested block.
#[derive(Model, Clone, Debug, PartialEq, Default)]
struct Part {
    /// Set by the user.
    #[attr(required, requires_replace)]
    key: Value<String>,
    /// Set by the provider.
    #[attr(computed)]
    made: Value<String>,
}

fn part(key: &str) -> Part {
    Part { key: key.into(), made: Value::Null }
}

fn made(key: &str, made: &str) -> Part {
    Part { key: key.into(), made: made.into() }
}

fn proposed(prior: Option<&All>, config: &All) -> All {
    let prior = prior.map_or(Cty::Null, BlockValue::to_cty);
    let block = All::block();
    let proposed = propose(&block, &prior, &config.to_cty());
    rules::plan(&block, &prior, &config.to_cty(), &proposed).expect("a proposal keeps core's rules");
    All::from_cty(proposed, &Path::root()).unwrap()
}

#[test]
fn a_new_block_has_its_defaults_and_unknown_computed_attributes() {
    let config = All { plain: "p".into(), labelled: BTreeMap::from([("l".into(), part("k"))]).into(), ..All::default() };
    let plan = proposed(None, &config);
    assert_eq!((plan.plain, plan.filled), ("p".into(), 7.into()));
    assert_eq!((plan.either, plan.made), (Value::unknown(), Value::unknown()));
    assert_eq!(plan.labelled.known().unwrap()["l"], Part { key: "k".into(), made: Value::unknown() });
    assert_eq!((plan.once, plan.ordered, plan.loose), (Value::Null, vec![].into(), Set::new().into()));
    assert_eq!(plan.always, Group(Part { key: Value::Null, made: Value::unknown() }).into());
}

#[test]
fn what_was_computed_before_stays_in_every_kind_of_block() {
    let prior = All {
        plain: "p".into(),
        either: "e".into(),
        filled: 7.into(),
        made: "m".into(),
        once: made("o", "1").into(),
        always: Group(made("a", "2")).into(),
        ordered: vec![made("x", "3"), made("y", "4")].into(),
        loose: [made("s", "5"), made("t", "6")].into_iter().collect::<Set<_>>().into(),
        labelled: BTreeMap::from([("l".into(), made("k", "7"))]).into(),
    };
    let config = All {
        plain: "p".into(),
        once: part("o").into(),
        always: Group(part("a")).into(),
        ordered: vec![part("x"), part("y")].into(),
        loose: [part("t"), part("s")].into_iter().collect::<Set<_>>().into(),
        labelled: BTreeMap::from([("l".into(), part("k"))]).into(),
        ..All::default()
    };
    assert_eq!(proposed(Some(&prior), &config), prior);
}

#[test]
fn unknown_blocks_stay_unknown() {
    let config = All { labelled: Value::unknown(), ordered: Value::unknown(), ..All::default() };
    let plan = proposed(None, &config);
    assert!(plan.labelled.is_unknown() && plan.ordered.is_unknown());
}

#[test]
fn a_block_that_comes_or_goes_forces_nothing_by_its_attributes() {
    let block = All::block();
    let two = BTreeMap::from([("a".to_owned(), part("1")), ("b".to_owned(), part("2"))]);
    let one = BTreeMap::from([("a".to_owned(), part("changed"))]);
    let prior = All { labelled: two.into(), ..All::default() }.to_cty();
    let planned = All { labelled: one.into(), ..All::default() }.to_cty();
    assert_eq!(replacements(&block, &prior, &planned), [path!("labelled", ["a"], "key")]);
}

#[test]
fn a_block_may_force_a_replacement_itself() {
    let block = All::block();
    let without = All::default().to_cty();
    let with = All { once: part("o").into(), plain: "p".into(), ..All::default() }.to_cty();
    assert_eq!(replacements(&block, &without, &with), [path!("plain"), path!("once")]);
    assert_eq!(replacements(&block, &with, &with), []);
}

#[test]
fn a_data_source_has_null_where_it_is_to_compute() {
    let config = All { once: part("o").into(), ..All::default() };
    let filled = All::from_cty(with_defaults(&All::block(), &config.to_cty()), &Path::root()).unwrap();
    assert_eq!(filled, All { filled: 7.into(), ..All::from_cty(config.to_cty(), &Path::root()).unwrap() });
}

#[test]
fn unknown_places_are_named() {
    let value = All { made: Value::unknown(), ordered: vec![made("a", "b"), Part::default()].into(), ..All::default() };
    let mut value = value;
    value.ordered.known_mut().unwrap()[1].made = Value::unknown();
    assert_eq!(unknown_paths(&All::block(), &value.to_cty()), [path!("made"), path!("ordered", [1], "made")]);
}

fn breach(config: &All, prior: Option<&All>, planned: &All) -> Option<String> {
    let prior = prior.map_or(Cty::Null, BlockValue::to_cty);
    let result = rules::plan(&All::block(), &prior, &config.to_cty(), &planned.to_cty());
    result.err().map(|diagnostics| diagnostics.iter().map(|d| d.path().to_string()).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_plan_repeats_the_configuration_or_what_was_before() {
    let config = All { plain: "new".into(), filled: 7.into(), ..All::default() };
    let before = All { plain: "old".into(), ..config.clone() };
    assert_eq!(breach(&config, None, &config), None);
    assert_eq!(breach(&config, Some(&before), &before), None);
    let other = All { plain: "other".into(), ..config.clone() };
    assert_eq!(breach(&config, Some(&before), &other), Some("plain".into()));
    let unknown = All { plain: Value::unknown(), ..config.clone() };
    assert_eq!(breach(&config, None, &unknown), Some("plain".into()));
    let computed = All { made: Value::unknown(), either: "x".into(), ..config.clone() };
    assert_eq!(breach(&config, None, &computed), None);
}

#[test]
fn a_plan_has_the_blocks_that_are_configured() {
    let config = All { ordered: vec![part("a")].into(), ..All::default() };
    let more = All { ordered: vec![part("a"), part("b")].into(), ..All::default() };
    assert_eq!(breach(&config, None, &more), Some("ordered".into()));
    let unknown = All { ordered: Value::unknown(), ..All::default() };
    assert_eq!(breach(&config, None, &unknown), Some("ordered".into()));
    assert_eq!(breach(&unknown, None, &config), Some("ordered".into()));
    let changed = All { ordered: vec![part("z")].into(), ..All::default() };
    assert_eq!(breach(&config, None, &changed), Some("ordered[0].key".into()));
}

#[test]
fn a_result_repeats_what_was_known_in_the_plan() {
    let apply = |planned: &All, actual: &All| {
        let result = rules::apply(&All::block(), &planned.to_cty(), &actual.to_cty());
        result.err().map(|diagnostics| diagnostics.iter().map(|d| d.path().to_string()).collect::<Vec<_>>().join(" "))
    };
    let planned = All {
        made: Value::Unknown(crate::Refinement::not_null().with_prefix("i-")),
        plain: "p".into(),
        ordered: vec![Part { key: "k".into(), made: Value::unknown() }].into(),
        loose: [Part { key: "k".into(), made: Value::unknown() }].into_iter().collect::<Set<_>>().into(),
        ..All::default()
    };
    let good = All {
        made: "i-1".into(),
        plain: "p".into(),
        ordered: vec![made("k", "m")].into(),
        loose: [made("k", "m")].into_iter().collect::<Set<_>>().into(),
        ..All::default()
    };
    assert_eq!(apply(&planned, &good), None);
    assert_eq!(apply(&planned, &All { made: "x-1".into(), ..good.clone() }), Some("made".into()));
    assert_eq!(apply(&planned, &All { made: Value::Null, ..good.clone() }), Some("made".into()));
    assert_eq!(apply(&planned, &All { made: Value::unknown(), ..good.clone() }), Some("made".into()));
    assert_eq!(apply(&planned, &All { plain: "q".into(), ..good.clone() }), Some("plain".into()));
    assert_eq!(apply(&planned, &All { ordered: vec![].into(), ..good.clone() }), Some("ordered".into()));
    assert_eq!(apply(&planned, &All { ordered: vec![made("z", "m")].into(), ..good.clone() }), Some("ordered[0].key".into()));
    let loose: Set<Part> = [made("z", "m")].into_iter().collect();
    assert_eq!(apply(&planned, &All { loose: loose.into(), ..good }), Some("loose".into()));
}
