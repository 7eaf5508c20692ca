//! Address ranges: reading them, and finding those that meet.

use ipnet::Ipv4Net;

/// Reads an IPv4 range and refuses one with host bits.
pub(crate) fn parse(text: &str) -> Result<Ipv4Net, String> {
    let range: Ipv4Net =
        text.parse().map_err(|_| format!("`{text}` is not an IPv4 address range: expected a form such as `10.10.0.0/16`"))?;
    if range.network() != range.addr() {
        return Err(format!("`{text}` has host bits set: did you mean `{}`?", range.trunc()));
    }
    Ok(range)
}

/// Whether two ranges have an address in common.
pub(crate) fn meet(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Ipv4Net {
        parse(text).unwrap()
    }

    #[test]
    fn host_bits_are_refused_with_the_likely_meaning() {
        assert_eq!(parse("10.10.0.1/16").unwrap_err(), "`10.10.0.1/16` has host bits set: did you mean `10.10.0.0/16`?");
        for wrong in ["10.10.0.0", "10.10.0.0/33", "ten/8", "fd00::/8"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_meet_when_one_holds_the_other() {
        assert!(meet(range("10.0.0.0/8"), range("10.10.0.0/16")));
        assert!(meet(range("10.10.0.0/16"), range("10.10.0.0/16")));
        assert!(!meet(range("10.10.0.0/16"), range("10.11.0.0/16")));
    }
}
