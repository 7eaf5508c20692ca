//! The block `timeouts`, which every resource has, and durations as users write them.

use std::time::Duration;

use crate::cty::Cty;
use crate::schema::{Block, description};
use crate::{Model, Value};

/// How long each operation may take, written as `30m`, `1h30m` or `90s`.
#[derive(Model, Clone, Debug, Default, PartialEq)]
pub struct Timeouts {
    /// How long creating may take.
    #[attr(optional, validate = duration)]
    pub create: Value<String>,
    /// How long reading may take, in a refresh or a plan.
    #[attr(optional, validate = duration)]
    pub read: Value<String>,
    /// How long changing in place may take.
    #[attr(optional, validate = duration)]
    pub update: Value<String>,
    /// How long deleting may take.
    #[attr(optional, validate = duration)]
    pub delete: Value<String>,
}

/// How long each operation of a resource may take where the user says nothing.
#[derive(Clone, Copy, Debug)]
pub struct DefaultTimeouts {
    /// For create.
    pub create: Duration,
    /// For read, import and plans.
    pub read: Duration,
    /// For update.
    pub update: Duration,
    /// For delete.
    pub delete: Duration,
}

impl DefaultTimeouts {
    /// Names the defaults in the descriptions of a resource's block `timeouts`, where it has one.
    pub(crate) fn describe(&self, resource: &mut Block) {
        let Some(timeouts) = resource.blocks.get_mut("timeouts") else { return };
        for operation in [Operation::Create, Operation::Read, Operation::Update, Operation::Delete] {
            if let Some(attribute) = timeouts.block.attributes.get_mut(operation.attribute()) {
                let default = format_duration(operation.timeout(&Value::Null, self));
                attribute.description = description(&attribute.description, Some(&Cty::String(default)), false);
            }
        }
    }
}

/// The operations that have a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Read,
    Update,
    Delete,
}

impl Operation {
    /// The attribute of the block `timeouts`.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// How long it may take.
    pub(crate) fn timeout(self, configured: &Value<Timeouts>, defaults: &DefaultTimeouts) -> Duration {
        let (default, configured) = match (self, configured.known()) {
            (Self::Create, block) => (defaults.create, block.map(|b| &b.create)),
            (Self::Read, block) => (defaults.read, block.map(|b| &b.read)),
            (Self::Update, block) => (defaults.update, block.map(|b| &b.update)),
            (Self::Delete, block) => (defaults.delete, block.map(|b| &b.delete)),
        };
        configured.and_then(Value::as_str).and_then(parse_duration).unwrap_or(default)
    }
}

fn duration(text: &str) -> Result<(), String> {
    match parse_duration(text) {
        Some(_) => Ok(()),
        None => Err(format!(
            "`{text}` is not a duration. Write it as numbers with units (`h`, `m`, `s`), the largest first: `30m`, `1h30m`, `90s`."
        )),
    }
}

/// Reads `1h30m`: whole numbers with the units h, m and s, each at most once and in that order.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0u64;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if unit >= smallest {
            return None;
        }
        smallest = unit;
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    // A century is for ever, and beyond it clocks overflow.
    (seconds > 0 && seconds <= 100 * 366 * 24 * 3600).then(|| Duration::from_secs(seconds))
}

/// A duration as the user would write it.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "m"), (rest, "s")];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let text = parts.fold(String::new(), |text, (number, unit)| format!("{text}{number}{unit}"));
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        for (text, seconds) in [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("1h0m1s", 3601)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(format_duration(Duration::from_secs(5401)), "1h30m1s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "0s", "5", "m", "1m1h", "1h1h", "1.5h", "-1m", "1 h", "1d", "99999999999999999999h", "1ü"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
