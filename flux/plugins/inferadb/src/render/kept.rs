//! Renders as the cache keeps them: with their values, which are read faster than the YAML that they came from.

use serde_json::{Value, json};

use super::{Document, documents};
use crate::object::Object;

/// What is kept. Numbers with a fraction, which JSON might round, are read from YAML again.
pub(super) fn write(documents: &[Document], printed: String) -> String {
    if documents.iter().any(|document| has_float(&document.object.0)) {
        return printed;
    }
    Value::Array(documents.iter().map(|document| json!([document.text, document.object.0])).collect()).to_string()
}

/// What was kept; nothing where it is damaged.
pub(super) fn read(kept: &str) -> Option<Vec<Document>> {
    if !kept.starts_with('[') {
        return documents(kept).ok();
    }
    let pairs: Vec<(String, Value)> = serde_json::from_str(kept).ok()?;
    Some(pairs.into_iter().map(|(text, value)| Document { text, object: Object(value) }).collect())
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(map) => map.values().any(has_float),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what went wrong")]

    use super::*;

    #[test]
    fn what_is_kept_is_what_was_rendered() {
        for printed in
            ["", "a: 1\nb: [x, 'y: z', null, true]\nc: 18446744073709551615\n---\nd: |\n  two\n  lines\n", "a: 0.1\nb: 1e100\n"]
        {
            let rendered = documents(printed).unwrap();
            let kept = read(&write(&rendered, printed.to_owned())).unwrap();
            let pairs = |all: &[Document]| all.iter().map(|one| (one.text.clone(), one.object.0.to_string())).collect::<Vec<_>>();
            assert_eq!(pairs(&kept), pairs(&rendered), "{printed}");
        }
        assert!(read("[[\"a: 1\\n\", {\"a\": 1}").is_none(), "damaged");
    }
}
