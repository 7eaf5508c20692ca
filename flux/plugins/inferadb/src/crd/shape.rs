//! A structural schema as a JSON schema: what is not said is not allowed, as strict validation of fields has it.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value, json};

use super::formats;

/// Words that mean the same in both.
const SAME: [&str; 12] = [
    "required",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "multipleOf",
    "minimum",
    "maximum",
];

/// The validator of a version's `openAPIV3Schema`, or why there is none.
pub(super) fn validator(raw: &Value, has_status: bool) -> Result<Validator, String> {
    let schema = root(raw, has_status);
    let mut options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    for (name, check) in formats::KNOWN {
        options = options.with_format(name, check);
    }
    options.with_pattern_options(PatternOptions::regex()).build(&schema).map_err(|error| error.to_string())
}

/// The schema of a whole object. A status that the schema leaves out is dropped by an API server, not refused.
fn root(raw: &Value, has_status: bool) -> Value {
    let mut schema = node(raw, true);
    let metadata = match &raw["properties"]["metadata"] {
        Value::Null => metadata(),
        given => json!({"allOf": [metadata(), node(given, false)]}),
    };
    let properties = schema["properties"].take();
    let mut properties = properties.as_object().cloned().unwrap_or_default();
    let own = [("apiVersion", json!({"type": "string"})), ("kind", json!({"type": "string"})), ("metadata", metadata)];
    properties.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    if has_status {
        properties.entry("status").or_insert(Value::Bool(true));
    }
    schema["properties"] = Value::Object(properties);
    schema
}

fn metadata() -> Value {
    let text = json!({"type": "string"});
    let time = json!({"type": ["string", "null"]});
    let texts = json!({"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}});
    let objects = json!({"type": ["array", "null"], "items": {"type": "object"}});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": text, "generateName": text, "namespace": text, "uid": text, "resourceVersion": text, "selfLink": text,
            "generation": {"type": "integer"}, "deletionGracePeriodSeconds": {"type": ["integer", "null"]},
            "creationTimestamp": time, "deletionTimestamp": time, "labels": texts, "annotations": texts,
            "finalizers": {"type": ["array", "null"], "items": text}, "ownerReferences": objects, "managedFields": objects,
        },
    })
}

/// A node of the structure where `strict`; otherwise a part of `allOf`, `anyOf`, `oneOf` or `not`, which says nothing of
/// fields that it leaves out.
fn node(raw: &Value, strict: bool) -> Value {
    let is = |key: &str| raw[key].as_bool() == Some(true);
    let mut out = Map::new();
    for key in SAME {
        if let Some(value) = raw.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if is(exclusive)
            && let Some(value) = out.remove(bound)
        {
            out.insert(exclusive.to_owned(), value);
        }
    }
    kind(raw, &mut out);
    if let Some(properties) = raw["properties"].as_object() {
        let converted = properties.iter().map(|(name, property)| (name.clone(), node(property, strict)));
        out.insert("properties".to_owned(), Value::Object(converted.collect()));
    }
    for key in ["items", "not"] {
        if raw[key].is_object() {
            out.insert(key.to_owned(), node(&raw[key], strict && key == "items"));
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        if let Some(parts) = raw[key].as_array() {
            out.insert(key.to_owned(), parts.iter().map(|part| node(part, false)).collect());
        }
    }
    match &raw["additionalProperties"] {
        given @ Value::Object(_) => {
            out.insert("additionalProperties".to_owned(), node(given, strict));
        }
        Value::Bool(true) => {}
        _ if strict && raw["type"] == "object" && !is("x-kubernetes-preserve-unknown-fields") => {
            out.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        _ => {}
    }
    if is("x-kubernetes-embedded-resource") {
        embedded(&mut out);
    }
    Value::Object(out)
}

/// Type and format, and what follows from them.
fn kind(raw: &Value, out: &mut Map<String, Value>) {
    let nullable = raw["nullable"].as_bool() == Some(true);
    let mut types: Vec<&str> = if raw["x-kubernetes-int-or-string"].as_bool() == Some(true) {
        vec!["integer", "string"]
    } else {
        raw["type"].as_str().into_iter().collect()
    };
    if nullable && !types.is_empty() {
        types.push("null");
    }
    if nullable && let Some(Value::Array(values)) = out.get_mut("enum") {
        values.push(Value::Null);
    }
    if !types.is_empty() {
        out.insert("type".to_owned(), json!(types));
    }
    if raw["x-kubernetes-list-type"] == "set" {
        out.insert("uniqueItems".to_owned(), Value::Bool(true));
    }
    match raw["format"].as_str() {
        Some("int32") => {
            let mut bound = |key: &str, value: i32| {
                out.entry(key).or_insert_with(|| json!(value));
            };
            bound("minimum", i32::MIN);
            bound("maximum", i32::MAX);
        }
        Some(format) if formats::KNOWN.iter().any(|(name, _)| *name == format) => {
            out.insert("format".to_owned(), json!(format));
        }
        _ => {}
    }
}

fn embedded(out: &mut Map<String, Value>) {
    let mut properties = out.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    for name in ["apiVersion", "kind"] {
        properties.entry(name).or_insert_with(|| json!({"type": "string"}));
    }
    properties.insert("metadata".to_owned(), metadata());
    out.insert("properties".to_owned(), Value::Object(properties));
    let mut required = out.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    required.extend(["apiVersion", "kind"].map(Value::from));
    required.dedup();
    out.insert("required".to_owned(), Value::Array(required));
}
