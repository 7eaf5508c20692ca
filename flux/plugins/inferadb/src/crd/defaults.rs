//! What an API server does to an object before it looks at it: nulls go where none may be, and defaults come in.

use serde_json::Value;

use super::schema::Schema;

/// An object with what its schema fills in.
pub(super) fn filled(mut object: Value, schema: &Schema) -> Value {
    drop_nulls(&mut object, Some(schema));
    fill(&mut object, schema);
    object
}

/// Takes nulls out of fields that may not be null, unless a default takes their place.
fn drop_nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Object(map) => {
            let below = |key: &str| schema.and_then(|schema| schema.field(key));
            map.retain(|key, value| !value.is_null() || below(key).is_none_or(|one| one.nullable || one.default.is_some()));
            for (key, value) in map {
                drop_nulls(value, below(key));
            }
        }
        Value::Array(items) => {
            for item in items {
                drop_nulls(item, schema.and_then(|schema| schema.items.as_deref()));
            }
        }
        _ => {}
    }
}

fn fill(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            for (name, property) in &schema.properties {
                if let Some(default) = &property.default
                    && map.get(name).is_none_or(|value| value.is_null() && !property.nullable)
                {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in map {
                if let Some(property) = schema.properties.get(name) {
                    fill(value, property);
                } else if let Some(values) = &schema.values {
                    fill_item(value, values);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if let Some(schema) = &schema.items {
                    fill_item(item, schema);
                }
            }
        }
        _ => {}
    }
}

fn fill_item(value: &mut Value, schema: &Schema) {
    if value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default
    {
        *value = default.clone();
    }
    fill(value, schema);
}
