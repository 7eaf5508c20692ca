//! Parameters of the query protocols: a flat map whose keys spell out lists and structures (`Filter.1.Value.2`).

use std::collections::BTreeMap;
use std::fmt::Write;

/// Parameters by flat key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` text.
    pub(crate) fn parse(text: &str) -> Self {
        Self(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key), decode(value))
                })
                .collect(),
        )
    }

    /// A call of our own.
    pub(crate) fn of(action: &str, version: &str, pairs: &[(&str, &str)]) -> Self {
        let mut map: BTreeMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        map.insert("Action".to_owned(), action.to_owned());
        map.insert("Version".to_owned(), version.to_owned());
        Self(map)
    }

    pub(crate) fn encode(&self) -> String {
        let mut out = String::new();
        for (key, value) in &self.0 {
            if !out.is_empty() {
                out.push('&');
            }
            encode(key, &mut out);
            out.push('=');
            encode(value, &mut out);
        }
        out
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.to_owned());
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Takes a key away and all that stands below it.
    pub(crate) fn remove_below(&mut self, key: &str) {
        let below = format!("{key}.");
        self.0.retain(|name, _| name != key && !name.starts_with(&below));
    }

    /// The values of a list, in its order: `KEY.1` or `KEY.member.1`.
    pub(crate) fn list(&self, key: &str) -> Vec<&str> {
        self.entries(key).into_iter().filter_map(|(_, prefix)| self.get(&prefix)).collect()
    }

    /// The structures of a list, in its order, each with its own flat keys.
    pub(crate) fn structures(&self, key: &str) -> Vec<Self> {
        self.entries(key).into_iter().map(|(_, prefix)| self.below(&prefix)).collect()
    }

    /// What stands below a key.
    pub(crate) fn below(&self, key: &str) -> Self {
        let below = format!("{key}.");
        Self(self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(&below)?.to_owned(), value.clone()))).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number and full key of each entry of a list.
    pub(crate) fn entries(&self, key: &str) -> Vec<(u32, String)> {
        let mut found = BTreeMap::new();
        for prefix in [format!("{key}.member."), format!("{key}.")] {
            for name in self.0.keys() {
                let Some(rest) = name.strip_prefix(&prefix) else { continue };
                let number = rest.split('.').next().unwrap_or_default();
                if let Ok(index) = number.parse::<u32>() {
                    found.insert(index, format!("{prefix}{number}"));
                }
            }
        }
        found.into_iter().collect()
    }

    /// Tags by key, from `KEY.N.Key` and `KEY.N.Value`.
    pub(crate) fn tags(&self, key: &str) -> BTreeMap<String, String> {
        self.structures(key)
            .iter()
            .filter_map(|tag| Some((tag.get("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned())))
            .collect()
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let value = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(value.unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Decodes percent signs only, for paths.
pub(crate) fn decode_path(text: &str) -> String {
    decode(&text.replace('+', "%2B"))
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order_beyond_nine() {
        let text: Vec<String> = (1..=11).map(|index| format!("InstanceId.{index}=i-{index}")).collect();
        let parameters = Parameters::parse(&text.join("&"));
        assert_eq!(parameters.list("InstanceId").last(), Some(&"i-11"));
        assert_eq!(parameters.list("InstanceId").get(1), Some(&"i-2"));
    }

    #[test]
    fn both_spellings_of_a_list_are_read() {
        let parameters = Parameters::parse("Tags.member.1.Key=a%2Fb&Tags.member.1.Value=c+d");
        assert_eq!(parameters.tags("Tags").get("a/b").map(String::as_str), Some("c d"));
    }

    #[test]
    fn encoding_survives_decoding() {
        let mut parameters = Parameters::default();
        parameters.set("K", "a b&c=d%\u{e9}");
        assert_eq!(Parameters::parse(&parameters.encode()), parameters);
    }
}
