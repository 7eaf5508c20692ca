//! Other values in the place of secrets, which show where secrets go: where an object would be another with them, it tells of
//! a secret. They hold nothing of the values that they stand for, so that a part of one is no part of a secret, either.

use serde_json::Value;

/// In the place of a text: as long as few secrets are, and without what a text is cut at.
const TEXT: &str = "zqzqzqzqzqzqzqzqzqzqzqzqzqzqzqzqzqzqzqz";
const NUMBERS: [i64; 2] = [1_000_003, 1_000_033];

/// Another text, of what YAML would read this one as.
pub(crate) fn text(text: &str) -> String {
    match (text, text.parse::<i64>()) {
        ("true", _) => "false".to_owned(),
        ("false", _) => "true".to_owned(),
        (_, Ok(value)) => number(value).to_string(),
        _ => TEXT.to_owned(),
    }
}

fn number(value: i64) -> i64 {
    NUMBERS[usize::from(value == NUMBERS[0])]
}

/// Puts other values of the same types in the place of all.
pub(crate) fn replace(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Bool(value) => *value = !*value,
        Value::Number(value) => *value = number(value.as_i64().unwrap_or_default()).into(),
        Value::String(text) => TEXT.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(replace),
        Value::Object(map) => map.values_mut().for_each(replace),
    }
}

/// A shadow that differs from its object where another one does, too, and takes nothing from that.
pub(crate) fn joined(object: &Value, mut shadow: Value, other: &Value) -> Value {
    join(object, &mut shadow, other);
    shadow
}

fn join(object: &Value, shadow: &mut Value, other: &Value) {
    match (object, &mut *shadow, other) {
        (Value::Object(object), Value::Object(shadow), Value::Object(other))
            if object.len() == other.len() && object.keys().all(|key| shadow.contains_key(key) && other.contains_key(key)) =>
        {
            for (key, item) in object {
                if let Some(shadow) = shadow.get_mut(key) {
                    join(item, shadow, &other[key]);
                }
            }
        }
        (Value::Array(object), Value::Array(shadow), Value::Array(other))
            if object.len() == other.len() && object.len() == shadow.len() =>
        {
            for ((item, shadow), other) in object.iter().zip(shadow).zip(other) {
                join(item, shadow, other);
            }
        }
        (object, shadow, other) if object != other && object == shadow => {
            let before = shadow.clone();
            replace(shadow);
            // What holds nothing that could be another is marked as a whole.
            if *shadow == before {
                *shadow = TEXT.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_value_is_another_one_and_of_the_same_type() {
        for before in ["a", "true", "false", "5", "1000003", TEXT] {
            let other = text(before);
            assert!(other != before || before == TEXT, "{before}");
            assert_eq!(other.parse::<i64>().is_ok(), before.parse::<i64>().is_ok());
        }
        let mut value = json!({"a": ["b", 5, true, null], "n": 1_000_003});
        replace(&mut value);
        assert_eq!(value, json!({"a": [TEXT, 1_000_003, false, null], "n": 1_000_033}));
    }

    #[test]
    fn a_joined_shadow_differs_where_either_does() {
        let object = json!({"a": "own", "b": "5", "c": ["x", "y"], "d": {}, "e": "same"});
        let shadow = json!({"a": "other", "b": "5", "c": ["x", "y"], "d": {}, "e": "same"});
        let wrapped = json!({"a": "<own>", "b": "13", "c": ["x", "<y>"], "d": {"z": 1}, "e": "same"});
        let made = joined(&object, shadow, &wrapped);
        assert_eq!(made, json!({"a": "other", "b": TEXT, "c": ["x", TEXT], "d": TEXT, "e": "same"}));
    }
}
