//! Values as Go holds them, mappings and lists by reference: Helm and Flux write into values that others hold too, and what
//! comes out depends on it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use crate::place::Step;
use crate::yaml;

/// A mapping that several may hold.
pub(super) type Map = Rc<RefCell<BTreeMap<String, Go>>>;
/// A list that several may hold.
pub(super) type List = Rc<RefCell<Vec<Go>>>;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Go {
    Null,
    Bool(bool),
    /// What `targetPath` makes of digits. Numbers of YAML are floats, which templates print otherwise.
    Int(i64),
    Float(f64),
    Text(String),
    List(List),
    Map(Map),
}

impl Go {
    pub(super) fn map() -> Map {
        Rc::default()
    }

    /// What Go's JSON decoder makes of it.
    pub(super) fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Go::Null,
            Value::Bool(value) => Go::Bool(*value),
            Value::Number(number) => Go::Float(number.as_f64().unwrap_or_default()),
            Value::String(text) => Go::Text(text.clone()),
            Value::Array(items) => Go::List(Rc::new(RefCell::new(items.iter().map(Go::from_json).collect()))),
            Value::Object(map) => Go::Map(map_from_json(map)),
        }
    }

    /// The value as JSON, and where integers stand that are no floats.
    pub(super) fn to_json(&self, path: &mut Vec<Step>, integers: &mut Vec<(Vec<Step>, i64)>) -> Value {
        match self {
            Go::Null => Value::Null,
            Go::Bool(value) => Value::Bool(*value),
            Go::Int(number) => {
                integers.push((path.clone(), *number));
                Value::from(*number)
            }
            Go::Float(number) => yaml::from_float(*number).map_or(Value::Null, Value::Number),
            Go::Text(text) => Value::String(text.clone()),
            Go::List(items) => {
                let mut list = Vec::new();
                for (position, item) in items.borrow().iter().enumerate() {
                    path.push(Step::Item(position));
                    list.push(item.to_json(path, integers));
                    path.pop();
                }
                Value::Array(list)
            }
            Go::Map(map) => {
                let mut object = serde_json::Map::new();
                for (key, item) in map.borrow().iter() {
                    path.push(Step::Key(key.clone()));
                    object.insert(key.clone(), item.to_json(path, integers));
                    path.pop();
                }
                Value::Object(object)
            }
        }
    }
}

/// A mapping out of JSON.
pub(super) fn map_from_json(map: &serde_json::Map<String, Value>) -> Map {
    Rc::new(RefCell::new(map.iter().map(|(key, item)| (key.clone(), Go::from_json(item))).collect()))
}

/// Flux's merge: the second over the first, mappings by key. `null` is a value here, which takes a chart's default out later.
/// Mappings that only one of the two has are shared with the result.
pub(super) fn merge(under: &Map, over: &Map) -> Map {
    let mut merged = under.borrow().clone();
    for (key, item) in over.borrow().iter() {
        let item = match (merged.get(key), item) {
            (Some(Go::Map(under)), Go::Map(over)) => Go::Map(merge(under, over)),
            _ => item.clone(),
        };
        merged.insert(key.clone(), item);
    }
    Rc::new(RefCell::new(merged))
}
