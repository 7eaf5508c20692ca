//! The formats of texts that an API server knows, as it reads them. It lets others be.

use std::net::Ipv6Addr;

use super::re2;
use super::uri;

/// Whether a text has a format: nothing where that is not known here. Dashes in a format's name do not count.
pub(super) fn fits(format: &str, text: &str) -> Option<bool> {
    let is = |pattern: &str| re2::matches(pattern, text);
    match format.replace('-', "").as_str() {
        "bsonobjectid" => is("^[0-9a-fA-F]{24}$"),
        "byte" => is("^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"),
        "cidr" => Some(cidr(text)),
        "creditcard" => Some(credit_card(text)),
        "date" => Some(date(text)),
        "datetime" => date_time(text),
        "duration" => Some(duration(text)),
        "email" => email(text),
        "hexcolor" => is("^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
        "hostname" => hostname(text),
        "ipv4" => Some(text.contains('.') && is_address(text)),
        "ipv6" => Some(text.parse::<Ipv6Addr>().is_ok()),
        "isbn" => Some(isbn_10(text) || isbn_13(text)),
        "isbn10" => Some(isbn_10(text)),
        "isbn13" => Some(isbn_13(text)),
        "k8slongname" => {
            is(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$").map(|fits| fits && text.len() <= 253)
        }
        "k8sshortname" => is("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$").map(|fits| fits && text.len() <= 63),
        "mac" => Some(mac(text)),
        "rgbcolor" => {
            let part = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*";
            is(&format!(r"^rgb\({part},{part},{part}\)$"))
        }
        "ssn" => is(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$").map(|fits| fits && text.len() == 11),
        "uri" => uri::is_request(text),
        "uuid" => is("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
        "uuid3" => is("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
        "uuid4" => is("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
        "uuid5" => is("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
        _ => Some(true),
    }
}

fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| {
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<u32>().ok()).flatten()
    };
    let [year, month, day] = parts[..] else { return false };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn date_time(text: &str) -> Option<bool> {
    let text = text.to_lowercase();
    // What follows a second `t` is not looked at.
    let mut parts = text.split('t');
    let (Some(day), Some(time)) = (parts.next(), parts.next()) else { return Some(false) };
    let clock = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
    // Any character may stand before the fraction.
    let time = re2::matches(&format!("^{clock}(.[0-9]+)?(z|([+-][0-9]{{2}}:[0-9]{{2}}))$"), time)?;
    Some(date(day) && time)
}

/// Go's durations, and what has one in words (`3 days`) in it.
fn duration(text: &str) -> bool {
    go_duration(text).unwrap_or(false) || duration_in_words(text)
}

fn go_duration(text: &str) -> Option<bool> {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Some(true);
    }
    let mut total = 0_u128;
    let mut parts = 0;
    while !rest.is_empty() {
        let whole = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = rest.get(..rest.len() - whole.len())?;
        let after = whole.strip_prefix('.').unwrap_or(whole);
        let unit =
            if after.len() < whole.len() { after.trim_start_matches(|letter: char| letter.is_ascii_digit()) } else { after };
        if digits.is_empty() && unit.len() == after.len() {
            return None;
        }
        let end = unit.find(|letter: char| letter == '.' || letter.is_ascii_digit()).unwrap_or(unit.len());
        let nanoseconds: u128 = match unit.get(..end)? {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let digits = if digits.is_empty() { "0" } else { digits };
        total += u128::from(digits.parse::<u64>().ok()?) * nanoseconds;
        if total >= 1 << 63 {
            return None;
        }
        rest = unit.get(end..)?;
        parts += 1;
    }
    Some(parts > 0)
}

fn duration_in_words(text: &str) -> bool {
    const UNITS: [&[&str]; 8] = [
        &["ns", "nano"],
        &["us", "\u{b5}s", "micro"],
        &["ms", "milli"],
        &["s", "sec"],
        &["m", "min"],
        &["h", "hr", "hour"],
        &["d", "day"],
        &["w", "wk", "week"],
    ];
    let mut rest = text;
    let mut found = false;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let from = rest.get(start..).unwrap_or_default();
        let after = from.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let word = after.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']);
        let end = word.find(|letter: char| !letter.is_ascii_alphabetic() && letter != '\u{b5}').unwrap_or(word.len());
        rest = word.get(end..).unwrap_or_default();
        if end == 0 {
            continue;
        }
        if from.get(..from.len() - after.len()).is_none_or(|digits| digits.parse::<i64>().is_err()) {
            return false;
        }
        let unit = word.get(..end).unwrap_or_default().to_lowercase();
        found |=
            UNITS.iter().any(|names| names.contains(&unit.as_str()) || names.last().is_some_and(|last| unit.starts_with(last)));
    }
    found
}

/// Zeros may stand before numbers, as they once could.
fn four(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| {
        let number = part.trim_start_matches('0');
        let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        plain && (number.is_empty() || number.parse::<u8>().is_ok())
    };
    parts.len() == 4 && parts.iter().all(is_number)
}

fn six(text: &str) -> bool {
    // The last part may be an address of the other kind.
    match text.rsplit_once(':') {
        Some((start, last)) if last.contains('.') => four(last) && format!("{start}:1.2.3.4").parse::<Ipv6Addr>().is_ok(),
        _ => text.parse::<Ipv6Addr>().is_ok(),
    }
}

fn is_address(text: &str) -> bool {
    four(text) || six(text)
}

fn cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let most = if four(address) {
        32
    } else if six(address) {
        128
    } else {
        return false;
    };
    let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    plain && prefix.parse::<u32>().is_ok_and(|prefix| prefix <= most)
}

/// Bytes in hexadecimal with `:` or `-`, or pairs of them with `.`: 6, 8 or 20.
fn mac(text: &str) -> bool {
    let separator = text.chars().find(|letter| matches!(letter, ':' | '-' | '.'));
    let Some(separator) = separator else { return false };
    let (digits, counts): (usize, [usize; 3]) = if separator == '.' { (4, [3, 4, 10]) } else { (2, [6, 8, 20]) };
    let parts: Vec<&str> = text.split(separator).collect();
    let is_part = |part: &&str| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    counts.contains(&parts.len()) && parts.iter().all(is_part)
}

fn hostname(text: &str) -> Option<bool> {
    const PATTERN: &str = r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$";
    let fits = re2::matches(PATTERN, text)?;
    Some(fits && text.len() <= 255 && text.split('.').all(|part| part.len() <= 63))
}

/// Plain addresses are decided, and what has no `@` at all; names, comments and quotes are beyond this.
fn email(text: &str) -> Option<bool> {
    let word = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    if re2::matches(&format!(r"^{word}(\.{word})*@{word}(\.{word})*$"), text)? {
        return Some(true);
    }
    let plain = re2::matches(r"^[A-Za-z0-9.@_-]*$", text)?;
    plain.then_some(false)
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.chars().filter_map(|letter| letter.to_digit(10))
}

fn credit_card(text: &str) -> bool {
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    let pattern = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$";
    let weighed = digits(&number).rev().enumerate().map(|(position, digit)| match (position % 2, digit * 2) {
        (0, _) => digit,
        (_, double) if double >= 10 => double % 10 + 1,
        (_, double) => double,
    });
    re2::matches(pattern, &number) == Some(true) && weighed.sum::<u32>().is_multiple_of(10)
}

fn without_spaces(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, '\t' | '\n' | '\u{c}' | '\r' | ' ' | '-')).collect()
}

fn isbn_10(text: &str) -> bool {
    let number = without_spaces(text);
    let sum: u32 = (1..).zip(number.chars()).map(|(factor, letter)| factor * letter.to_digit(10).unwrap_or(10)).sum();
    re2::matches("^(?:[0-9]{9}X|[0-9]{10})$", &number) == Some(true) && sum.is_multiple_of(11)
}

fn isbn_13(text: &str) -> bool {
    let number = without_spaces(text);
    let sum: u32 = digits(&number).enumerate().map(|(position, digit)| if position % 2 == 0 { digit } else { digit * 3 }).sum();
    re2::matches("^[0-9]{13}$", &number) == Some(true) && sum.is_multiple_of(10)
}
