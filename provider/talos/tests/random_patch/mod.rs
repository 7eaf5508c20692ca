//! Patches made at random from the table of fields, so that every type and merge rule comes up.

use serde_json::{Map, Value, json};

/// A small generator whose whole state is its seed, so that a failing case can be made again.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds shall not start alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// The table as one minor sees it.
pub(crate) struct Fields {
    table: Value,
    minor: u64,
}

impl Fields {
    pub(crate) fn new(minor: u16) -> Self {
        let table = serde_json::from_str(include_str!("../../schema/fields.json")).unwrap();
        Self { table, minor: minor.into() }
    }

    fn known<'t>(&self, entries: &'t Value) -> Vec<(&'t str, &'t str)> {
        let number = |value: &Value| value.as_u64().unwrap();
        entries
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| (number(&entry[2])..=number(&entry[3])).contains(&self.minor))
            .map(|entry| (entry[0].as_str().unwrap(), entry[1].as_str().unwrap()))
            .collect()
    }

    /// A patch of one document.
    pub(crate) fn patch(&self, random: &mut Random) -> String {
        let kinds = self.known(&self.table["documents"]);
        let (kind, expression) = if random.one_in(2) { kinds[0] } else { *random.pick(&kinds) };
        let type_name = expression.trim_start_matches(['&', '@']);
        let mut document = self.structure(random, type_name, 0);
        if !kind.is_empty() {
            document.insert("apiVersion".to_owned(), json!("v1alpha1"));
            document.insert("kind".to_owned(), json!(kind));
            if expression.starts_with('&') {
                document.insert("name".to_owned(), json!(*random.pick(&["a", "b", "EPHEMERAL"])));
            }
        }
        Value::Object(document).to_string()
    }

    fn structure(&self, random: &mut Random, type_name: &str, depth: usize) -> Map<String, Value> {
        let fields = self.known(&self.table["types"][type_name]);
        let mut map = Map::new();
        if fields.is_empty() {
            return map;
        }
        for _ in 0..=random.below(3) {
            let (name, expression) = *random.pick(&fields);
            if matches!(name, "apiVersion" | "kind") {
                continue;
            }
            let value = if random.one_in(25) {
                json!({"$patch": "delete"})
            } else if random.one_in(40) {
                random.pick(&[json!(null), json!("text"), json!(7), json!([]), json!({})]).clone()
            } else {
                self.value(random, expression, depth + 1)
            };
            map.insert(name.to_owned(), value);
        }
        map
    }

    fn value(&self, random: &mut Random, expression: &str, depth: usize) -> Value {
        for prefix in ["*", "=", "!"] {
            if let Some(rest) = expression.strip_prefix(prefix) {
                return self.value(random, rest, depth);
            }
        }
        if let Some(rest) = expression.strip_prefix('%') {
            return self.value(random, rest.split_once(':').unwrap().1, depth);
        }
        if let Some(inner) = expression.strip_prefix("[]") {
            let count = random.below(3);
            return Value::Array((0..count).map(|_| self.value(random, inner, depth + 1)).collect());
        }
        if let Some(inner) = expression.strip_prefix("{}") {
            let count = random.below(3);
            let mut map = Map::new();
            for _ in 0..count {
                let key = *random.pick(&["a", "b", "c.d/e"]);
                map.insert(key.to_owned(), self.value(random, inner, depth + 1));
            }
            return Value::Object(map);
        }
        if let Some(type_name) = expression.strip_prefix('@') {
            return Value::Object(self.structure(random, type_name, depth));
        }
        if let Some(syntax) = expression.strip_prefix('#') {
            return self.syntax(random, syntax);
        }
        match expression {
            "b" => json!(random.one_in(2)),
            "i" | "u" => json!(*random.pick(&[0, 1, 5, 1400])),
            "f" => json!(*random.pick(&[0.0, 0.5])),
            "any" => any(random, depth),
            _ => random
                .pick(&[json!("x"), json!("y"), json!(""), json!("yes"), json!(1.5), json!(true), json!("multi\nline\n")])
                .clone(),
        }
    }

    fn syntax(&self, random: &mut Random, name: &str) -> Value {
        if let Some(values) = self.table["values"][name].as_array() {
            let values: Vec<_> = values.iter().filter(|value| *value != "").collect();
            return (*random.pick(&values)).clone();
        }
        let choices: &[Value] = &match name {
            "address" => [json!("10.0.0.1"), json!("fd00::1"), json!("10.0.0.2")],
            "prefix" => [json!("10.0.0.0/8"), json!("fd00::/64"), json!("10.1.0.5/16")],
            "endpoint" => [json!("10.0.0.1:80"), json!("[fd00::1]:80"), json!("10.0.0.2:1")],
            "duration" => [json!("30s"), json!("1h30m"), json!("0s")],
            "url" => [json!("https://a.example.com/path?q=1"), json!("udp://10.0.0.1:514"), json!("https://b.example.com:6443")],
            "base64" => [json!("aGk="), json!(""), json!("eA==")],
            "arg" => [json!("x"), json!(["x", "y"]), json!(5)],
            "block.ByteSize" | "v1alpha1.DiskSize" | "block.Size" => [json!("10GiB"), json!("1MB"), json!("5GB")],
            "block.PercentageSize" => [json!("10%"), json!("50%"), json!("5%")],
            "network.PortRange" => [json!(80), json!("1000-2000"), json!(22)],
            "nethelpers.HardwareAddr" => [json!("00:1a:2b:3c:4d:5e"), json!("00:1a:2b:3c:4d:5f"), json!("00:1a:2b:3c:4d:60")],
            "nethelpers.RoutingTable" => [json!("main"), json!("local"), json!("100")],
            "v1alpha1.InstallDiskSizeMatcher" => [json!(">= 10GB"), json!("<= 1TB"), json!("4GB")],
            "v1alpha1.InstallDiskType" => [json!("nvme"), json!("ssd"), json!("hdd")],
            _ => [json!("disk.size > 10u"), json!("true"), json!("!system_disk")],
        };
        random.pick(choices).clone()
    }
}

fn any(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 6 { 4 } else { 6 }) {
        0 => json!("text"),
        1 => json!(*random.pick(&[0, 3])),
        2 => json!(random.one_in(2)),
        3 => json!(""),
        4 => json!([random.below(3)]),
        _ => json!({ *random.pick(&["a", "b"]): any(random, depth + 1) }),
    }
}
