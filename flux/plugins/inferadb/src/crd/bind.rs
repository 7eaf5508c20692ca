//! Values of an object as rules see them: the fields that the schema declares, in the types that it gives them.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value;
use cel::objects::{Key, Map};
use serde_json::Value as Json;

use super::engine::Engine;
use super::schema::{Kind, Schema};

/// A value that cannot be bound: it does not fit its schema, or its format is beyond the engine.
pub(super) struct Unbindable;

type Bound = Result<Value, Unbindable>;

/// The value of a node. `root` is the root of an object, whose type and name are always there.
pub(super) fn bind(engine: &Engine, schema: &Schema, value: &Json, root: bool) -> Bound {
    if value.is_null() {
        return if schema.nullable { Ok(Value::Null) } else { Err(Unbindable) };
    }
    match (schema.kind, value) {
        (Kind::Any, value) => Ok(plain(value)),
        (Kind::Object, Json::Object(map)) => {
            let mut fields = HashMap::new();
            for (name, value) in map {
                let root = root || schema.embedded;
                if let Some((key, value)) = field(engine, schema, name, value, root)? {
                    fields.insert(Key::from(key), value);
                }
            }
            Ok(Value::Map(Map { map: Arc::new(fields) }))
        }
        (Kind::Array, Json::Array(items)) => {
            let schema = schema.items.as_ref().ok_or(Unbindable)?;
            let items: Result<Vec<Value>, Unbindable> = items.iter().map(|item| bind(engine, schema, item, false)).collect();
            Ok(Value::List(Arc::new(items?)))
        }
        (Kind::Text, Json::String(value)) => text(engine, &schema.format, value),
        (Kind::IntOrString, Json::String(_)) | (Kind::Boolean, Json::Bool(_)) => Ok(plain(value)),
        (Kind::Integer | Kind::IntOrString, Json::Number(value)) => whole(value).map(Value::Int),
        (Kind::Number, Json::Number(value)) => value.as_f64().map(Value::Float).ok_or(Unbindable),
        _ => Err(Unbindable),
    }
}

/// A field by the name that rules call it; nothing where they do not see it.
fn field(engine: &Engine, schema: &Schema, name: &str, value: &Json, root: bool) -> Result<Option<(String, Value)>, Unbindable> {
    if root && name == "metadata" {
        let names = ["name", "generateName"].into_iter().filter_map(|name| Some((name, value.get(name)?.as_str()?)));
        let names = names.map(|(name, value)| (Key::from(name.to_owned()), Value::from(value.to_owned())));
        return Ok(Some((name.to_owned(), Value::Map(Map { map: Arc::new(names.collect()) }))));
    }
    if root && (name == "apiVersion" || name == "kind") {
        return Ok(Some((name.to_owned(), plain(value))));
    }
    if let Some(property) = schema.properties.get(name) {
        let name = escaped(name).unwrap_or_else(|| name.to_owned());
        return Ok(Some((name, bind(engine, property, value, false)?)));
    }
    match &schema.values {
        Some(values) if schema.properties.is_empty() => Ok(Some((name.to_owned(), bind(engine, values, value, false)?))),
        _ => Ok(None),
    }
}

fn text(engine: &Engine, format: &str, value: &str) -> Bound {
    match format {
        "duration" => engine.duration(value).ok_or(Unbindable),
        "date" => engine.timestamp(&format!("{value}T00:00:00Z")).ok_or(Unbindable),
        "date-time" => engine.timestamp(value).ok_or(Unbindable),
        "byte" => {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(value).map_err(|_| Unbindable)?;
            Ok(Value::Bytes(Arc::new(bytes)))
        }
        _ => Ok(Value::from(value.to_owned())),
    }
}

/// `1.0` is a whole number too.
fn whole(value: &serde_json::Number) -> Result<i64, Unbindable> {
    let whole = value
        .as_i64()
        .or_else(|| value.as_f64().filter(|value| value.fract() == 0.0).and_then(|value| format!("{value}").parse().ok()));
    whole.ok_or(Unbindable)
}

/// Data without a schema.
fn plain(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => value.as_i64().map_or_else(|| Value::Float(value.as_f64().unwrap_or_default()), Value::Int),
        Json::String(value) => Value::from(value.clone()),
        Json::Array(items) => Value::List(Arc::new(items.iter().map(plain).collect())),
        Json::Object(map) => {
            let map = map.iter().map(|(key, value)| (Key::from(key.clone()), plain(value)));
            Value::Map(Map { map: Arc::new(map.collect()) })
        }
    }
}

/// Words that CEL keeps for itself.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// A field's name as rules write it; nothing where they cannot.
fn escaped(name: &str) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        let (taken, written) = match letter {
            '_' if rest.starts_with("__") => (2, "__underscores__"),
            '.' => (1, "__dot__"),
            '-' => (1, "__dash__"),
            '/' => (1, "__slash__"),
            _ if letter == '_' || letter.is_ascii_alphanumeric() => (1, rest.get(..1)?),
            _ => return None,
        };
        out.push_str(written);
        rest = rest.get(taken..)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn names_are_escaped_as_kubernetes_escapes_them() {
        let cases = [
            ("name", Some("name")),
            ("namespace", Some("__namespace__")),
            ("a.b/c-d", Some("a__dot__b__slash__c__dash__d")),
            ("a__b", Some("a__underscores__b")),
            ("a___b", Some("a__underscores___b")),
            ("_a", Some("_a")),
            ("$ref", None),
            ("é", None),
        ];
        for (name, written) in cases {
            assert_eq!(escaped(name).as_deref(), written, "{name}");
        }
    }
}
