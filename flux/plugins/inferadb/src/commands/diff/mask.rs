//! What nobody may read in a diff: the values of Secrets, wherever substitution put them.

use serde_json::{Value, json};

use crate::object::Object;

const MASK: &str = "***";

/// The two sides of an object with masks, that differ where the values do. A missing side is null.
pub(super) fn pair(old: Option<(&Object, Option<&Value>)>, new: Option<(&Object, Option<&Value>)>) -> (Value, Value) {
    let masked = |side: Option<(&Object, Option<&Value>)>, word: &str, other: Option<&Object>| {
        let Some((object, shadow)) = side else { return Value::Null };
        let mut value = object.0.clone();
        if let Some(shadow) = shadow {
            hide_differing(&mut value, shadow, other.map(|other| &other.0), word);
        }
        if object.is("", "Secret") {
            for field in ["data", "stringData"] {
                if let Some(data) = value.get_mut(field) {
                    hide_all(data, other.map(|other| &other.0[field]), word);
                }
            }
        }
        value
    };
    (masked(old, "before", new.map(|(object, _)| object)), masked(new, "after", old.map(|(object, _)| object)))
}

/// Hides what a Secret's other values would change.
fn hide_differing(value: &mut Value, shadow: &Value, other: Option<&Value>, word: &str) {
    match (&mut *value, shadow) {
        (Value::Object(map), Value::Object(shadow))
            if map.len() == shadow.len() && map.keys().all(|key| shadow.contains_key(key)) =>
        {
            for (key, item) in map {
                hide_differing(item, &shadow[key], other.map(|other| &other[key.as_str()]), word);
            }
        }
        (Value::Array(items), Value::Array(shadow)) if items.len() == shadow.len() => {
            for (position, item) in items.iter_mut().enumerate() {
                hide_differing(item, &shadow[position], other.map(|other| &other[position]), word);
            }
        }
        (item, shadow) if *item != *shadow => hide_all(item, other, word),
        _ => {}
    }
}

/// Hides every value below, and keeps the keys of mappings where they are the other side's too.
fn hide_all(value: &mut Value, other: Option<&Value>, word: &str) {
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                hide_all(item, other.map(|other| &other[key.as_str()]), word);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter_mut().enumerate() {
                hide_all(item, other.map(|other| &other[position]), word);
            }
        }
        Value::Null => {}
        item => {
            let changed = other.is_some_and(|other| !other.is_null() && other != item);
            *item = if changed { json!(format!("{MASK} ({word})")) } else { json!(MASK) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_and_their_change_is_not() {
        let secret = |value: &str| Object(json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": value, "b": "same"}}));
        let (old, new) = (secret("one"), secret("two"));
        let (old, new) = pair(Some((&old, None)), Some((&new, None)));
        assert_eq!(old["data"], json!({"a": "*** (before)", "b": "***"}));
        assert_eq!(new["data"], json!({"a": "*** (after)", "b": "***"}));
    }

    #[test]
    fn what_a_secret_decides_is_hidden_in_other_objects() {
        let object = Object(json!({"kind": "Thing", "spec": {"url": "db://root@x", "port": 5, "n": [1, "s3cret"]}}));
        let shadow = json!({"kind": "Thing", "spec": {"url": "db://zqrootqz@x", "port": 5, "n": [1, "zqs3cretqz"]}});
        let (_, new) = pair(None, Some((&object, Some(&shadow))));
        assert_eq!(new["spec"], json!({"url": "***", "port": 5, "n": [1, "***"]}));
    }

    #[test]
    fn an_object_that_other_values_would_break_is_hidden_whole() {
        let object = Object(json!({"kind": "Thing", "spec": {"a": "b"}}));
        let (_, new) = pair(None, Some((&object, Some(&Value::Null))));
        assert_eq!(new["spec"], json!({"a": "***"}));
    }
}
