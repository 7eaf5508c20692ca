//! The formats of texts that an API server knows. It lets others be.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;

type Check = fn(&str) -> bool;

/// Formats by name.
pub(super) const KNOWN: [(&str, Check); 7] = [
    ("date-time", date_time),
    ("date", date),
    ("duration", duration),
    ("byte", byte),
    ("cidr", cidr),
    ("ipv4", |text| text.parse::<Ipv4Addr>().is_ok()),
    ("ipv6", |text| text.parse::<Ipv6Addr>().is_ok()),
];

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

fn date_time(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', 't']) else { return false };
    let bytes = time.as_bytes();
    let digits = |from: usize, most: u32| {
        let number = time.get(from..from + 2).and_then(|part| part.parse::<u32>().ok());
        number.is_some_and(|number| number <= most)
    };
    let clock = digits(0, 23) && digits(3, 59) && digits(6, 59) && bytes.get(2) == Some(&b':') && bytes.get(5) == Some(&b':');
    let rest = time.get(8..).unwrap_or_default();
    date(day)
        && clock
        && rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'+' | b'-' | b'Z' | b'z'))
}

/// Go's durations, and those in words (`3 days`).
fn duration(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    let mut rest = text.trim();
    if rest == "0" {
        return true;
    }
    let mut parts = 0;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.').trim_start();
        let after = unit.trim_start_matches(|letter: char| letter.is_alphabetic());
        if unit.len() == rest.len() || after.len() == unit.len() {
            return false;
        }
        rest = after.trim_start();
        parts += 1;
    }
    parts > 0
}

fn byte(text: &str) -> bool {
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

fn cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let most = if address.parse::<Ipv4Addr>().is_ok() {
        32
    } else if address.parse::<Ipv6Addr>().is_ok() {
        128
    } else {
        return false;
    };
    prefix.bytes().all(|byte| byte.is_ascii_digit()) && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= most)
}
