//! Objects made from a structural schema and a seed: most fit it, and their fields come and go.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Numbers from a seed, and what was found with them.
pub(crate) struct Dice {
    state: u64,
    /// Texts that fit a pattern, a length and a format.
    fitting: HashMap<String, Vec<String>>,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, fitting: HashMap::new() }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most.max(1) as u64).unwrap()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// Texts of many kinds, so that most patterns have one.
const TEXTS: [&str; 36] = [
    "",
    "a",
    "b",
    "web",
    "flux",
    "a.b.example.com",
    "*.example.com",
    "10.0.0.1",
    "fd00::1",
    "10.0.0.0/8",
    "https://example.com/x",
    "http://x.y",
    "oci://ghcr.io/a/b",
    "oci://a",
    "ssh://git@example.com/x",
    "/foo",
    "/foo//bar",
    "/../x",
    "/a/.",
    "/a#b",
    "/%2f",
    "5m",
    "1h30m",
    "0s",
    "10s",
    "100ms",
    "v1",
    "1.2.3",
    "50%",
    "65535",
    "A_b",
    "trust-manager.io/x",
    "key/value",
    "2024-05-06T07:08:09Z",
    "YWJj",
    "arn:aws:iam::123456789012:role/x",
];

/// The literals of a schema's rules: values that rules ask for.
pub(crate) fn words(schema: &Value) -> Vec<String> {
    let mut words: Vec<String> = TEXTS.map(str::to_owned).to_vec();
    gather(schema, &mut words);
    words.sort();
    words.dedup();
    words
}

fn gather(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(rule) = map.get("rule").and_then(Value::as_str) {
                words.extend(rule.split(['\'', '"']).skip(1).step_by(2).filter(|word| word.len() < 30).map(str::to_owned));
            }
            map.values().for_each(|value| gather(value, words));
        }
        Value::Array(items) => items.iter().for_each(|value| gather(value, words)),
        _ => {}
    }
}

/// An object of a schema.
pub(crate) fn object(schema: &Value, words: &[String], dice: &mut Dice) -> Value {
    let mut object = json!({});
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status")
            && let Some(value) = make(property, words, dice, 0)
        {
            object[name] = value;
        }
    }
    object
}

fn make(schema: &Value, words: &[String], dice: &mut Dice, depth: usize) -> Option<Value> {
    if dice.chance(1) {
        return Some(Value::Null);
    }
    if let Some(values) = schema["enum"].as_array() {
        return Some(values[dice.below(values.len())].clone());
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return if dice.chance(50) { number(schema, dice) } else { text(schema, words, dice) };
    }
    match schema["type"].as_str() {
        Some("object") => Some(fields(schema, words, dice, depth)),
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(0);
            let most = schema["maxItems"].as_u64().unwrap_or(4).min(least + 3);
            let count = least + dice.next() % (most - least + 1);
            Some((0..count).filter_map(|_| make(&schema["items"], words, dice, depth + 1)).collect())
        }
        Some("string") => text(schema, words, dice),
        Some("integer") => number(schema, dice),
        Some("number") => Some(json!([0.5, 1.5, 20.0][dice.below(3)])),
        Some("boolean") => Some(Value::Bool(dice.chance(50))),
        _ => Some(json!("anything")),
    }
}

fn fields(schema: &Value, words: &[String], dice: &mut Dice, depth: usize) -> Value {
    let mut map = Map::new();
    let required = schema["required"].as_array();
    let properties = schema["properties"].as_object();
    // A few fields of many, and at the node of a rule about half of them.
    let rate = match properties.map_or(0, Map::len) {
        0..=4 => 55,
        5..=12 => 40,
        many => 200 / many as u64,
    };
    let rate = if depth > 5 { rate / 3 } else { rate };
    let rules = schema["x-kubernetes-validations"].to_string();
    for (name, property) in properties.into_iter().flatten() {
        let needed = required.is_some_and(|names| names.iter().any(|one| one == name));
        let rate = if rules.contains(name.as_str()) || property.to_string().contains("x-kubernetes-validations") {
            rate.max(50)
        } else {
            rate
        };
        if (if needed { dice.chance(99) } else { dice.chance(rate) })
            && let Some(value) = make(property, words, dice, depth + 1)
        {
            map.insert(name.clone(), value);
        }
    }
    if schema["additionalProperties"].is_object() {
        for _ in 0..dice.below(3) {
            let key = words[dice.below(words.len())].clone();
            if let Some(value) = make(&schema["additionalProperties"], words, dice, depth + 1) {
                map.insert(key, value);
            }
        }
    }
    Value::Object(map)
}

fn number(schema: &Value, dice: &mut Dice) -> Option<Value> {
    let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
    let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
    let mut numbers = vec![-1, 0, 1, 2, 3, 5, 80, 443, 8080];
    numbers.extend(schema["minimum"].as_i64());
    numbers.retain(|number| (least..=most).contains(number) || dice.chance(1));
    (!numbers.is_empty()).then(|| json!(numbers[dice.below(numbers.len())]))
}

fn text(schema: &Value, words: &[String], dice: &mut Dice) -> Option<Value> {
    if dice.chance(1) {
        return Some(json!(words[dice.below(words.len())]));
    }
    let mut wanted = Map::new();
    for key in ["pattern", "minLength", "maxLength"] {
        if let Some(value) = schema.get(key) {
            wanted.insert(key.to_owned(), value.clone());
        }
    }
    let wanted = Value::Object(wanted);
    let key = format!("{wanted}{}", schema["format"]);
    if !dice.fitting.contains_key(&key) {
        let patterns = jsonschema::PatternOptions::regex();
        let wanted = jsonschema::options().with_pattern_options(patterns).build(&wanted).unwrap();
        let fits = |word: &&String| fits_format(&schema["format"], word) && wanted.is_valid(&json!(word));
        dice.fitting.insert(key.clone(), words.iter().filter(fits).cloned().collect());
    }
    let which = usize::try_from(dice.next() % 1_000_000).unwrap();
    let fitting = &dice.fitting[&key];
    (!fitting.is_empty()).then(|| json!(fitting[which % fitting.len()]))
}

fn fits_format(format: &Value, word: &str) -> bool {
    match format.as_str() {
        Some("date-time") => word.contains('T') && word.starts_with("20"),
        Some("byte") => word == "YWJj",
        Some("cidr") => word == "10.0.0.0/8",
        Some("ipv4") => word == "10.0.0.1",
        Some("duration") => ["5m", "1h30m", "10s"].contains(&word),
        _ => true,
    }
}
