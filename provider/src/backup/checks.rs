//! Checks of single attributes, made in every plan as soon as their value is known.

use crate::ids::RegionId;

type Checked = Result<(), String>;

/// The most days that S3 takes in a lifecycle rule is more; beyond ten years a plan takes a slip of the keyboard for an order.
const MOST_DAYS: i64 = 3650;

/// Names that S3 keeps for itself, by how they begin and end.
const RESERVED_PREFIXES: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: &[&str] = &["-s3alias", "--ol-s3", "--x-s3", "--table-s3"];

/// S3's rules for general purpose buckets. Dots are left out, since TLS certificates do not cover them.
pub(super) fn bucket(name: &str) -> Checked {
    let length = name.chars().count();
    if name.is_empty() {
        return Err("the name is empty: expected 3 to 63 characters".to_owned());
    }
    if !(3..=63).contains(&length) {
        return Err(format!("`{name}` has {length} characters: expected 3 to 63"));
    }
    if name.contains('.') {
        return Err(format!("`{name}` has a dot, which the cloud's TLS certificate would not cover: use hyphens"));
    }
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.chars().all(inner) || name.starts_with('-') || name.ends_with('-') {
        return Err(format!(
            "`{name}` may hold lower-case letters, digits and hyphens only, with a letter or digit at both ends"
        ));
    }
    if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        return Err(format!("`{name}` begins with `{prefix}`, which the cloud keeps for itself"));
    }
    if let Some(suffix) = RESERVED_SUFFIXES.iter().find(|suffix| name.ends_with(**suffix)) {
        return Err(format!("`{name}` ends with `{suffix}`, which the cloud keeps for itself"));
    }
    Ok(())
}

pub(super) fn region_id(id: &str) -> Checked {
    id.parse::<RegionId>().map(drop).map_err(|error| error.to_string())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the derive passes attributes by reference")]
pub(super) fn days(days: &i64) -> Checked {
    if (1..=MOST_DAYS).contains(days) { Ok(()) } else { Err(format!("{days} days: expected 1 to {MOST_DAYS}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_named_by_s3s_rules() {
        for right in ["inferadb-prod-fdb-backup", "abc", "1a1", &"b".repeat(63)] {
            assert_eq!(bucket(right), Ok(()), "{right}");
        }
        for wrong in ["ab", &"b".repeat(64), "Prod", "a_b", "-ab", "ab-", "xn--abc", "abc-s3alias", "abc--ol-s3", "sthree-abc"] {
            assert!(bucket(wrong).is_err(), "{wrong}");
        }
        insta::assert_snapshot!(bucket("inferadb.backup").unwrap_err(), @"`inferadb.backup` has a dot, which the cloud's TLS certificate would not cover: use hyphens");
    }

    #[test]
    fn days_are_counted_from_one() {
        assert_eq!(days(&1), Ok(()));
        assert_eq!(days(&0).unwrap_err(), "0 days: expected 1 to 3650");
        assert!(days(&3651).is_err());
    }
}
