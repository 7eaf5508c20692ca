//! What a plain scalar is: YAML 1.1, as far as go-yaml v2 follows it.

use serde_json::Number;

use super::Kind;

/// The value of a plain scalar. Infinities and NaN, which JSON lacks, are refused.
pub(super) fn resolve(text: &str) -> Result<Kind, &'static str> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Kind::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" => {
            return Err("JSON has no infinite number");
        }
        _ => match number(text)? {
            Some(number) => Kind::Number(number),
            None => Kind::Text(text.to_owned()),
        },
    })
}

/// Whether a plain scalar of this text would be read as something else than text.
pub(super) fn is_special(text: &str) -> bool {
    // Most texts start as nothing else does.
    let can_be = |first: &u8| matches!(first, b'~' | b'.' | b'+' | b'-' | b'0'..=b'9') || b"nNyYtTfFoO".contains(first);
    text.as_bytes().first().is_none_or(can_be) && !matches!(resolve(text), Ok(Kind::Text(_)))
}

fn number(text: &str) -> Result<Option<Number>, &'static str> {
    let first = text.as_bytes().first().copied().unwrap_or_default();
    if first == b'.' {
        return if text.len() > 1 && is_float(text) { float(text) } else { Ok(None) };
    }
    if !first.is_ascii_digit() && first != b'+' && first != b'-' {
        return Ok(None);
    }
    let plain = text.replace('_', "");
    if let Some(integer) = integer(&plain) {
        return Ok(Some(integer));
    }
    if is_float(&plain) { float(&plain) } else { Ok(None) }
}

/// A number as Go reads it with base 0: `0x`, `0o`, `0b`, and a leading zero for octal.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = if let Some(rest) = lower.strip_prefix("0x") {
        (rest, 16)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (rest, 8)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (rest, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    // `from_str_radix` takes a sign of its own.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(Number::from(magnitude));
    }
    0i64.checked_sub_unsigned(magnitude).map(Number::from)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if exponent.is_some_and(|exponent| exponent.is_empty() || !digits(exponent)) {
        return false;
    }
    match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    }
}

fn float(text: &str) -> Result<Option<Number>, &'static str> {
    let value: f64 = match text.parse() {
        Ok(value) => value,
        Err(_) => return Ok(None),
    };
    if value.is_infinite() {
        // Go calls it out of range, and leaves the text.
        return Ok(None);
    }
    Ok(Some(from_float(value).ok_or("JSON has no infinite number")?))
}

/// A float as Go's JSON writes it: one without a fraction is an integer.
pub(crate) fn from_float(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 1e21 {
        let text = format!("{value:.0}");
        if let Ok(integer) = text.parse::<i64>() {
            return Some(Number::from(integer));
        }
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> serde_json::Value {
        crate::yaml::Node { line: 1, kind: resolve(text).unwrap() }.to_json()
    }

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        for (text, value) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("0777", json!(511)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("08", json!(8)),
            ("1_000", json!(1000)),
            ("-12", json!(-12)),
            ("1e3", json!(1000)),
            (".5", json!(0.5)),
            ("1.", json!(1)),
            ("1.50", json!(1.5)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("1:30", json!("1:30")),
            ("2026-01-01", json!("2026-01-01")),
            ("-", json!("-")),
            ("+-5", json!("+-5")),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("12abc", json!("12abc")),
            ("~", json!(null)),
        ] {
            assert_eq!(read(text), value, "{text}");
        }
    }
}
