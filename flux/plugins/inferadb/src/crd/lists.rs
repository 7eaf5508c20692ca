//! Lists that are maps: no two items have the same keys.

use std::collections::HashSet;

use serde_json::Value;

use super::schema::{List, Schema};
use crate::place::Step;

/// The items that have the keys of one before them, with the names of the keys.
pub(crate) fn repeated(schema: &Schema, object: &Value) -> Vec<(Vec<Step>, String)> {
    let mut found = Vec::new();
    node(schema, object, &mut Vec::new(), &mut found);
    found
}

fn node(schema: &Schema, value: &Value, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, String)>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if let Some(below) = schema.field(name) {
                    path.push(Step::Key(name.clone()));
                    node(below, value, path, found);
                    path.pop();
                }
            }
        }
        Value::Array(items) => {
            let mut seen = HashSet::new();
            for (position, item) in items.iter().enumerate() {
                path.push(Step::Item(position));
                if let List::Map(keys) = &schema.list
                    && !seen.insert(keys.iter().map(|key| item[key.as_str()].to_string()).collect::<Vec<_>>())
                {
                    found.push((path.clone(), keys.join("`, `")));
                }
                if let Some(below) = &schema.items {
                    node(below, item, path, found);
                }
                path.pop();
            }
        }
        _ => {}
    }
}
