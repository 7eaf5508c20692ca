//! From values to text: keys sorted, as `sigs.k8s.io/yaml` writes them, so that equal objects are equal text.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::scalar;

/// Writes a document, with a line break at its end.
pub(crate) fn emit(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => object(&mut out, map, 0, false),
        Value::Array(items) if !items.is_empty() => list(&mut out, items, 0, false),
        other => {
            leaf(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn object(out: &mut String, map: &Map<String, Value>, depth: usize, inline: bool) {
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    for (position, (key, value)) in entries.into_iter().enumerate() {
        if position > 0 || !inline {
            indent(out, depth);
        }
        text(out, key, None);
        out.push(':');
        below(out, value, depth);
    }
}

fn below(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            object(out, map, depth + 1, false);
        }
        // Lists stand at the depth of their key.
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            list(out, items, depth, false);
        }
        other => {
            out.push(' ');
            leaf(out, other, depth + 1);
            out.push('\n');
        }
    }
}

fn list(out: &mut String, items: &[Value], depth: usize, inline: bool) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 || !inline {
            indent(out, depth);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => object(out, map, depth + 1, true),
            Value::Array(items) if !items.is_empty() => list(out, items, depth + 1, true),
            other => {
                leaf(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn leaf(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::String(value) => text(out, value, Some(depth)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// A text: plain where it reads back as itself, a block where it has lines, quoted otherwise.
fn text(out: &mut String, value: &str, block: Option<usize>) {
    if let Some(depth) = block
        && is_block(value)
    {
        out.push_str(match value.len() - value.trim_end_matches('\n').len() {
            0 => "|-",
            1 => "|",
            _ => "|+",
        });
        for line in value.strip_suffix('\n').unwrap_or(value).split('\n') {
            out.push('\n');
            if !line.is_empty() {
                indent(out, depth);
                out.push_str(line);
            }
        }
    } else if is_plain(value) {
        out.push_str(value);
    } else if value.chars().all(|c| (c >= ' ' && c != '\u{7f}' && !('\u{80}'..'\u{a0}').contains(&c)) && c != '\u{feff}') {
        // Single quotes keep backslashes as they are.
        out.push('\'');
        out.push_str(&value.replace('\'', "''"));
        out.push('\'');
    } else {
        out.push_str(&Value::String(value.to_owned()).to_string());
    }
}

fn is_block(value: &str) -> bool {
    value.contains('\n')
        && !value.starts_with([' ', '\n', '\t'])
        && value.trim_end_matches('\n').chars().all(|c| {
            c == '\n' || (c >= ' ' && !('\u{7f}'..'\u{a0}').contains(&c) && !matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}'))
        })
        && !value.lines().any(|line| line.ends_with(' '))
}

fn is_plain(value: &str) -> bool {
    let bytes = value.as_bytes();
    let Some(first) = bytes.first() else { return false };
    let opens = first.is_ascii_alphanumeric() || matches!(first, b'/' | b'_' | b'.' | b'$' | b'(' | b'+' | b'^' | b';');
    let dash = *first == b'-' && bytes.len() > 1 && !value.starts_with("- ") && !value.starts_with("---");
    (opens || dash)
        && !value.ends_with([' ', ':'])
        && bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
        && !bytes.windows(2).any(|pair| pair == b": " || pair == b" #")
        && !value.starts_with("...")
        && !scalar::is_special(value)
        && value != "<<"
        && value != "="
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::yaml::parse_one;

    #[test]
    fn keys_are_sorted_and_lists_stand_under_their_key() {
        let value = json!({"b": [{"y": 1, "x": "yes"}, [1, "2"]], "a": "one\ntwo\n", "c": {}});
        assert_eq!(
            emit(&value),
            "a: |\n  one\n  two\nb:\n- x: 'yes'\n  \"y\": 1\n- - 1\n  - '2'\nc: {}\n".replace("\"y\"", "'y'")
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            "[ -~\n\té\u{2028}]{0,12}".prop_map(Value::String),
            "(yes|no|0x1|1e3|null|~|- a|a: b|a #b|\\$\\{X\\}|---|\\*a|&a|!a|%a|@a|`a|\\?|: |1:2|<<|=)".prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map("[ -~]{1,6}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_itself(value in values()) {
            let text = emit(&value);
            prop_assert_eq!(parse_one(&text).map(|node| node.to_json()), Ok(value), "{}", text);
        }
    }
}
