//! A structural schema as a JSON schema: what is not said is not allowed, as strict validation of fields has it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Keyword, ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::{formats, re2};

/// Words that mean the same in both.
const SAME: [&str; 11] = [
    "required",
    "enum",
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

/// Words of texts, which mean here what they mean to Go.
const PATTERN: &str = "x-inferadb-pattern";
const FORMAT: &str = "x-inferadb-format";

/// What an object is held to.
pub(crate) struct Shape {
    pub(crate) validator: Validator,
    unknown: Unknown,
}

/// Patterns and formats that were met and are beyond this program.
type Unknown = Arc<Mutex<BTreeSet<String>>>;

impl Shape {
    /// What was met since this was last asked, and could not be told.
    pub(crate) fn take_unknown(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.unknown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A pattern or a format.
struct Text {
    word: &'static str,
    given: String,
    unknown: Unknown,
}

impl Text {
    fn fits(&self, value: &Value) -> bool {
        let Some(text) = value.as_str() else { return true };
        let fits = if self.word == PATTERN { re2::matches(&self.given, text) } else { formats::fits(&self.given, text) };
        fits.unwrap_or_else(|| {
            let what = if self.word == PATTERN { "pattern" } else { "format" };
            self.unknown.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("{what}: {}", self.given));
            true
        })
    }
}

impl<'i> Keyword<'i> for Text {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.fits(value) {
            return Ok(());
        }
        let given = json!(self.given);
        let what = if self.word == PATTERN { format!("value does not match {given}") } else { format!("value is not a {given}") };
        Err(ValidationError::custom(what))
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        self.fits(value)
    }
}

/// What a version's `openAPIV3Schema` holds objects to, or why there is nothing.
pub(super) fn shape(raw: &Value, has_status: bool) -> Result<Shape, String> {
    let schema = root(raw, has_status);
    let unknown = Unknown::default();
    let mut options = jsonschema::options().with_draft(Draft::Draft202012);
    for word in [PATTERN, FORMAT] {
        let unknown = Arc::clone(&unknown);
        options = options.with_keyword(word, move |_, given, _| {
            let given = given.as_str().unwrap_or_default().to_owned();
            Ok(Box::new(Text { word, given, unknown: Arc::clone(&unknown) }))
        });
    }
    let validator = options.build(&schema).map_err(|error| error.to_string())?;
    Ok(Shape { validator, unknown })
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
    match (raw["type"].as_str(), raw["format"].as_str()) {
        (Some("integer"), Some("int32")) => {
            let mut bound = |key: &str, value: i32| {
                out.entry(key).or_insert_with(|| json!(value));
            };
            bound("minimum", i32::MIN);
            bound("maximum", i32::MAX);
        }
        (None | Some("string"), Some(format)) => {
            out.insert(FORMAT.to_owned(), json!(format));
        }
        _ => {}
    }
    if let Some(pattern) = raw["pattern"].as_str().filter(|pattern| !pattern.is_empty()) {
        out.insert(PATTERN.to_owned(), json!(pattern));
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
