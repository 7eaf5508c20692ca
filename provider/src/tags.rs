//! Tags: what users may set, and what is found later.

use std::collections::BTreeMap;

use tf_provider::Value;

/// Tag keys that the provider keeps for itself begin like this.
const OWN_PREFIX: &str = "inferadb.com/";

/// A `tags` attribute.
pub(crate) type Tags = BTreeMap<String, Value<String>>;

/// Tags that a user may set on a resource, those of `default_tags` included. AWS takes 50 on an object, and up to 12 of them
/// are the provider's own; the rest is room for more of those.
const MOST: usize = 35;

/// Signs that tags may have besides letters, digits and spaces.
const SIGNS: &str = "_.:/=+-@";

/// Whether all of AWS' services take the text in a tag: `[\p{L}\p{Z}\p{N}_.:/=+\-@]*` in the API references of Elastic Load
/// Balancing and IAM. EC2 takes more.
fn stranger(text: &str) -> Option<char> {
    let taken = |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || SIGNS.contains(c);
    text.chars().find(|c| !taken(*c))
}

/// How many tags there are, those of `default_tags` included.
pub(crate) fn check_count(all: &Value<Tags>) -> Result<(), String> {
    match all.known().map_or(0, BTreeMap::len) {
        count if count > MOST => Err(format!(
            "{count} tags are given, `default_tags` included: expected at most {MOST}, since an object has 50 at most"
        )),
        _ => Ok(()),
    }
}

/// Checks keys and values against what is taken by all clouds, and keys against the provider's own.
pub(crate) fn check(tags: &Tags) -> Result<(), String> {
    if tags.len() > MOST {
        return Err(format!("{} tags are given: expected at most {MOST}, since an object has 50 at most", tags.len()));
    }
    for (key, value) in tags {
        if key.starts_with(OWN_PREFIX) || key == "Name" {
            return Err(format!("tag `{key}` is the provider's own: choose another key"));
        }
        if key.starts_with("aws:") {
            return Err(format!("tag `{key}` begins with `aws:`, which AWS keeps for itself: choose another key"));
        }
        if key.is_empty() || key.chars().count() > 127 {
            return Err(format!("tag `{key}` has {} characters: expected 1 to 127", key.chars().count()));
        }
        let length = value.as_str().map_or(0, |value| value.chars().count());
        if length > 256 {
            return Err(format!("the value of tag `{key}` has {length} characters: expected at most 256"));
        }
        for (what, text) in [("key", Some(key.as_str())), ("value", value.as_str())] {
            if let Some(stranger) = text.and_then(stranger) {
                return Err(format!(
                    "the {what} of tag `{key}` has the character {stranger:?}, which load balancers and roles do not take: expected \
                     letters, digits, spaces and `{SIGNS}`"
                ));
            }
        }
    }
    Ok(())
}

/// The tags as clouds take them; null is none, and `None` where any is unknown.
pub(crate) fn plain(tags: &Value<Tags>) -> Option<BTreeMap<String, String>> {
    let Value::Known(tags) = tags else { return tags.is_null().then(BTreeMap::new) };
    tags.iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| value.as_str().map(|value| (key.clone(), value.to_owned())))
        .collect()
}

/// The tags of a row as they are found now: those that the row knows, since others' tags on an object are not ours to judge.
/// All of them where the row knows none yet, as in an import.
pub(crate) fn as_found(row: &Value<Tags>, found: &BTreeMap<String, String>) -> Value<Tags> {
    let is_ours = |key: &String| row.known().is_none_or(|row| row.contains_key(key));
    let still = found.iter().filter(|(key, _)| is_ours(key)).map(|(key, value)| (key.clone(), value.as_str().into()));
    Value::Known(still.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(entries: &[(&str, &str)]) -> Tags {
        entries.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
    }

    #[test]
    fn the_providers_own_tags_cannot_be_set() {
        assert_eq!(check(&tags(&[("team", "platform")])), Ok(()));
        for wrong in ["inferadb.com/claim", "Name", "aws:created", ""] {
            assert!(check(&tags(&[(wrong, "x")])).is_err(), "{wrong}");
        }
        assert!(check(&tags(&[("long", &"x".repeat(257))])).is_err());
    }

    #[test]
    fn tags_have_characters_that_every_service_takes() {
        for right in ["a:b/c=d+e-f@g_h.i", "Zürich 2", "東京", ""] {
            assert_eq!(check(&tags(&[("k", right)])), Ok(()), "{right}");
        }
        for wrong in ["a,b", "a#b", "a\tb", "(x)", "😀", "a*"] {
            assert!(check(&tags(&[("k", wrong)])).is_err(), "{wrong:?}");
            assert!(check(&tags(&[(wrong, "v")])).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn there_is_room_for_the_providers_own_tags() {
        let many = |count: usize| -> Tags { (0..count).map(|n| (format!("key-{n}"), Value::from("x"))).collect() };
        assert_eq!(check(&many(MOST)), Ok(()));
        assert!(check(&many(MOST + 1)).is_err());
        assert_eq!(check_count(&Value::Known(many(MOST))), Ok(()));
        assert!(check_count(&Value::Known(many(MOST + 1))).unwrap_err().starts_with("36 tags"));
        assert_eq!(check_count(&Value::unknown()), Ok(()));
    }

    #[test]
    fn changed_and_lost_tags_show_and_others_do_not() {
        let row = Value::Known(tags(&[("team", "platform"), ("cost", "7")]));
        let found = [("team", "data"), ("somebody", "else")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(as_found(&row, &found), Value::Known(tags(&[("team", "data")])));
        assert_eq!(as_found(&Value::Null, &found), Value::Known(tags(&[("team", "data"), ("somebody", "else")])));
    }

    #[test]
    fn an_unknown_tag_leaves_all_unknown() {
        let some = Value::Known([("a".to_owned(), Value::unknown())].into());
        assert_eq!(plain(&some), None);
        assert_eq!(plain(&Value::unknown()), None);
        assert_eq!(plain(&Value::Null), Some(BTreeMap::new()));
    }
}
