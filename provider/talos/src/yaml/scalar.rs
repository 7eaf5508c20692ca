//! How plain scalars are resolved: as Go's `yaml` library does it, which Talos uses.

use crate::tree::Tree;

use super::Scalar;

pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

pub(super) fn core_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A boolean where one is wanted: there some words of YAML 1.1 count too, quoted or not.
pub(crate) fn typed_bool(scalar: &Scalar) -> Option<bool> {
    let word = match scalar.text.as_str() {
        "y" | "Y" | "yes" | "on" => Some(true),
        "n" | "N" | "no" | "off" => Some(false),
        _ => None,
    };
    word.or_else(|| core_bool(&scalar.text).filter(|_| scalar.plain))
}

/// Whether the text is an integer: decimal, `0x`, `0o`, `0b`, with underscores between digits.
pub(crate) fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        _ => (digits, 10),
    };
    digits.starts_with(|c: char| c.is_digit(radix)) && digits.chars().all(|c| c == '_' || c.is_digit(radix))
}

/// Whether the text is a number of any kind.
pub(crate) fn is_number(text: &str) -> bool {
    is_integer(text) || is_float(text)
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    // Rust's own `inf` and `nan` are words in YAML.
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.contains(|c: char| c.is_ascii_digit())
        && unsigned.parse::<f64>().is_ok()
}

/// The value of a scalar where any type is welcome.
pub(crate) fn untyped(scalar: &Scalar) -> Tree {
    if !scalar.plain {
        return Tree::Text(scalar.text.clone());
    }
    if is_null(&scalar.text) {
        Tree::Null
    } else if let Some(value) = core_bool(&scalar.text) {
        Tree::Bool(value)
    } else if is_number(&scalar.text) {
        Tree::Number(scalar.text.to_string())
    } else {
        Tree::Text(scalar.text.clone())
    }
}
