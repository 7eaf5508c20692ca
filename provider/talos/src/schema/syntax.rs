//! Texts with a syntax of their own: what Talos refuses while it decodes a config.
//!
//! Each check passes what Talos passes. Where Talos' own reading is lenient (URLs, disk selectors), so is the check.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::table::View;

/// Why the text does not do for a type, as the end of a sentence that starts with the value.
pub(crate) fn check(type_name: &str, text: &str) -> Result<(), String> {
    if let Some(values) = View::values(type_name) {
        if values.iter().any(|value| value.eq_ignore_ascii_case(text)) {
            return Ok(());
        }
        let values: Vec<_> = values.iter().filter(|value| !value.is_empty()).map(String::as_str).collect();
        return Err(format!("is not one of `{}`", values.join("`, `")));
    }
    let (accepted, wanted) = match type_name {
        "address" => (address(text), "an IP address such as `10.0.0.1`"),
        "prefix" => (prefix(text), "an address range such as `10.0.0.0/16`"),
        "endpoint" => (endpoint(text), "an address with a port such as `10.0.0.1:51820`"),
        "duration" => (duration(text), "a duration such as `30s` or `1h30m`"),
        "url" => (url(text), "a URL such as `https://example.com`"),
        "base64" => (STANDARD.decode(without_line_feeds(text)).is_ok(), "base64"),
        "block.ByteSize" => (size(text.trim_start_matches('-')), "a size such as `10GiB`"),
        "v1alpha1.DiskSize" => (size(text), "a size such as `10GB`"),
        "block.Size" => (size(text.trim_start_matches('-')) || percentage(text), "a size such as `10GiB` or `80%`"),
        "network.PortRange" => (port_range(text), "a port or a range of ports such as `80` or `30000-32767`"),
        "nethelpers.HardwareAddr" => (hardware_address(text), "a hardware address such as `00:1a:2b:3c:4d:5e`"),
        _ => (true, ""),
    };
    if accepted { Ok(()) } else { Err(format!("is not {wanted}")) }
}

/// Go's base64 decoder ignores line breaks.
fn without_line_feeds(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect()
}

fn address(text: &str) -> bool {
    // A zone is part of an address in Go.
    let bare = text.split_once('%').map_or(text, |(bare, _)| bare);
    text.is_empty() || bare.parse::<IpAddr>().is_ok()
}

fn prefix(text: &str) -> bool {
    text.is_empty() || text.parse::<ipnet::IpNet>().is_ok()
}

fn endpoint(text: &str) -> bool {
    text.is_empty() || text.parse::<std::net::SocketAddr>().is_ok()
}

/// Go's durations: signed decimal numbers, each with a unit. A bare number counts nanoseconds.
fn duration(text: &str) -> bool {
    if text.parse::<i64>().is_ok() {
        return true;
    }
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, after) = rest.split_at(number);
        if !digits.contains(|c: char| c.is_ascii_digit()) || digits.matches('.').count() > 1 {
            return false;
        }
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        // The longest unit that fits: `ms` before `m`.
        match units.iter().filter_map(|unit| after.strip_prefix(unit)).min_by_key(|rest| rest.len()) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// Go refuses little in a URL: control characters, a bad escape, a colon in the first segment, a bad port.
fn url(text: &str) -> bool {
    if text.chars().any(char::is_control) || text.starts_with(':') {
        return false;
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return true;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = match host.rsplit_once(']') {
        Some((_, after)) => after.strip_prefix(':'),
        None => host.rsplit_once(':').map(|(_, port)| port),
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        && !host.contains(' ')
        && port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

/// A number with an optional unit of bytes.
fn size(text: &str) -> bool {
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    number.replace(',', "").parse::<f64>().is_ok()
        && matches!(
            unit.trim().to_ascii_lowercase().as_str(),
            "" | "b"
                | "k"
                | "kb"
                | "ki"
                | "kib"
                | "m"
                | "mb"
                | "mi"
                | "mib"
                | "g"
                | "gb"
                | "gi"
                | "gib"
                | "t"
                | "tb"
                | "ti"
                | "tib"
                | "p"
                | "pb"
                | "pi"
                | "pib"
                | "e"
                | "eb"
                | "ei"
                | "eib"
        )
}

fn percentage(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|number| number.trim_start_matches('-').parse::<u64>().is_ok())
}

fn port_range(text: &str) -> bool {
    match text.split_once('-') {
        Some((low, high)) => low.parse::<u16>().is_ok() && high.parse::<u16>().is_ok(),
        None => text.parse::<u16>().is_ok(),
    }
}

fn hardware_address(text: &str) -> bool {
    let separator = if text.contains('-') { '-' } else { ':' };
    let parts: Vec<_> = text.split(separator).collect();
    text.is_empty()
        || (matches!(parts.len(), 6 | 8 | 20)
            && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_syntax_takes_its_own_and_refuses_others() {
        for (type_name, good, bad) in [
            ("address", "fe80::1%eth0", "10.0.0"),
            ("prefix", "10.0.0.1/8", "10.0.0.0/33"),
            ("endpoint", "[::1]:80", "10.0.0.1"),
            ("duration", "1h30m0.5s", "1 hour"),
            ("url", "https://[::1]:6443/x?y", "https://host:port"),
            ("base64", "aGk=", "aGk"),
            ("block.ByteSize", "1.5 GiB", "10 apples"),
            ("block.Size", "80%", "80 %%"),
            ("network.PortRange", "30000-32767", "70000"),
            ("nethelpers.HardwareAddr", "00:1a:2b:3c:4d:5e", "00:1a:2b"),
            ("nethelpers.BondMode", "802.3ad", "fast"),
        ] {
            assert_eq!(check(type_name, good), Ok(()), "{type_name}");
            assert!(check(type_name, bad).is_err(), "{type_name}");
        }
    }
}
