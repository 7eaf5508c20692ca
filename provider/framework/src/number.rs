//! Numbers as cty has them: arbitrary decimals, of which the wire has three forms.

use std::fmt;

/// A number in the one form that core would choose for it: an integer where it fits, a float where that is exact, and
/// else decimal digits. So equal numbers compare equal, and a number that is passed on is not rounded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Number {
    /// A whole number that fits 64 bits.
    Integer(i64),
    /// A number that a 64-bit float holds exactly, as its bits.
    Float(u64),
    /// Any other, in decimal digits without an exponent.
    Decimal(String),
}

impl Number {
    /// The number that `float` stands for when it is written in the fewest digits (0.1 is a tenth, not the float that
    /// is nearest to it). Infinities stay; not-a-number, which cty does not know, is `None`.
    pub fn from_shortest(float: f64) -> Option<Self> {
        if float.is_nan() {
            return None;
        }
        if float.is_infinite() {
            return Some(Self::Float(float.to_bits()));
        }
        Self::parse(&format!("{float}"))
    }

    /// The number that `float` is, to the last digit.
    pub(crate) fn from_exact(float: f64) -> Option<Self> {
        if float.is_nan() {
            return None;
        }
        if float.is_infinite() || float.fract() != 0.0 {
            return Some(Self::Float(float.to_bits()));
        }
        Self::parse(&format!("{float:.0}"))
    }

    /// Reads decimal digits, with sign, fraction and exponent as in JSON.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = plain_digits(text)?;
        if let Ok(integer) = digits.parse() {
            return Some(Self::Integer(integer));
        }
        if let Ok(float) = digits.parse::<f64>()
            && float.is_finite()
            && exact_digits(float) == digits
        {
            return Some(Self::Float(float.to_bits()));
        }
        Some(Self::Decimal(digits))
    }

    /// As a whole number of 64 bits, where it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Float(_) | Self::Decimal(_) => None,
        }
    }

    /// As the nearest 64-bit float.
    #[allow(clippy::cast_precision_loss)] // nearest is what is asked for
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Integer(integer) => *integer as f64,
            Self::Float(bits) => f64::from_bits(*bits),
            Self::Decimal(digits) => digits.parse().unwrap_or(f64::INFINITY),
        }
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Float(bits) => write!(f, "{}", f64::from_bits(*bits)),
            Self::Decimal(digits) => f.write_str(digits),
        }
    }
}

/// All digits of `float`, which has finitely many.
fn exact_digits(float: f64) -> String {
    // The smallest float has 1074 digits after the point.
    let text = format!("{float:.1074}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The longest exponent that is written out; nothing that a provider handles comes near.
const LONGEST_EXPONENT: i64 = 4096;

/// `text` without exponent, plus sign, leading or trailing zeros; `None` where it is no number.
fn plain_digits(text: &str) -> Option<String> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    if exponent.abs() > LONGEST_EXPONENT {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).ok()? + exponent;
    let (whole, fraction) = if point <= 0 {
        let zeros = usize::try_from(-point).ok()?;
        (String::new(), format!("{}{digits}", "0".repeat(zeros)))
    } else {
        let point = usize::try_from(point).ok()?;
        if point >= digits.len() {
            (format!("{digits}{}", "0".repeat(point - digits.len())), String::new())
        } else {
            (digits[..point].to_owned(), digits[point..].to_owned())
        }
    };
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let mut plain = String::new();
    if negative && !(whole.is_empty() && fraction.is_empty()) {
        plain.push('-');
    }
    plain.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        plain.push('.');
        plain.push_str(fraction);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_form() {
        for (texts, number) in [
            (&["3", "3.0", "+3", "30e-1", "0.3e1", "03"][..], Number::Integer(3)),
            (&["0.5", "5e-1", ".5", "0.50"][..], Number::Float(0.5f64.to_bits())),
            (&["0.1", "1e-1", "00.10"][..], Number::Decimal("0.1".into())),
            (&["-0.1"][..], Number::Decimal("-0.1".into())),
            (&["0", "-0", "0.000"][..], Number::Integer(0)),
        ] {
            for text in texts {
                assert_eq!(Number::parse(text).as_ref(), Some(&number), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "e5", "1e", "1e99999", "0x10", "1 ", "NaN", "inf", "1.2.3"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_float_means_its_shortest_digits() {
        assert_eq!(Number::from_shortest(0.1), Some(Number::Decimal("0.1".into())));
        assert_eq!(Number::from_exact(0.5), Some(Number::Float(0.5f64.to_bits())));
        assert_eq!(Number::from_exact(1e18), Some(Number::Integer(1_000_000_000_000_000_000)));
        assert_eq!(Number::from_shortest(f64::NAN), None);
    }
}
