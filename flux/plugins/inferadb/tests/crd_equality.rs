//! What `validate` says of custom resources is what an API server says. The other side is `crd-oracle`, which drives
//! `k8s.io/apiextensions-apiserver`: over objects made from a seed for each CustomResourceDefinition with rules, both refuse the
//! same objects, and where they keep to the schema, the same rules do not hold at the same fields.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod samples;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use samples::Dice;
use serde_json::{Value, json};
use support::Repo;

/// Objects that are compared of each version of a definition, and those that are made for that.
const COMPARED: usize = 16;
const MADE: usize = 120;

/// A version with rules, in a group of its own, so that nothing else in the plugin takes its objects for what they are named.
struct Case {
    name: String,
    definition: Value,
    objects: Vec<Value>,
}

fn manifests() -> Option<PathBuf> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/schemas");
    let folder = std::env::var_os("INFERADB_SCHEMA_DIR").map_or_else(own, PathBuf::from).join("crd-manifests");
    folder.is_dir().then_some(folder)
}

fn oracle(program: &Path, input: String) -> Vec<Value> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the oracle failed");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn definitions(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            found.extend(definitions(&path));
        } else if path.extension().is_some_and(|end| end == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.contains("x-kubernetes-validations") {
                found.push(serde_saphyr::from_str(&text).unwrap());
            }
        }
    }
    found
}

fn cases(folder: &Path, seed: u64) -> Vec<Case> {
    let mut all = Vec::new();
    for mut definition in definitions(folder) {
        let group = format!("copy.{}", definition["spec"]["group"].as_str().unwrap());
        definition["spec"]["group"] = json!(group);
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        for version in definition["spec"]["versions"].as_array().unwrap() {
            let schema = &version["schema"]["openAPIV3Schema"];
            if version["served"] == false || !schema.to_string().contains("x-kubernetes-validations") {
                continue;
            }
            let version = version["name"].as_str().unwrap();
            let name = format!("case-{}", all.len());
            let mut dice = Dice::new(seed * 1_000_003 + all.len() as u64);
            let words = samples::words(schema);
            let objects = (0..MADE).map(|number| {
                let mut object = samples::object(schema, &words, &mut dice);
                object["apiVersion"] = json!(format!("{group}/{version}"));
                object["kind"] = json!(kind);
                object["metadata"] = json!({"name": format!("{name}-{number}"), "namespace": "default"});
                if number % 40 == 0 {
                    object["spec"]["notAField"] = json!(1);
                }
                object
            });
            let objects = objects.collect();
            all.push(Case { name, definition: definition.clone(), objects });
        }
    }
    all
}

/// Of what was made, what says most: objects that break rules which others did not, those that keep all, and some that do not
/// fit the schema.
fn chosen(objects: Vec<Value>, verdicts: &[Value]) -> Vec<(Value, Value)> {
    let mut seen = BTreeSet::new();
    let (mut telling, mut kept, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
    for pair in objects.into_iter().zip(verdicts.iter().cloned()) {
        let rules: Vec<String> = pair.1["rules"].as_array().into_iter().flatten().map(Value::to_string).collect();
        if !fits(&pair.1) {
            unfit.push(pair);
        } else if rules.is_empty() || !rules.iter().any(|rule| seen.insert(rule.clone())) {
            kept.push(pair);
        } else {
            telling.push(pair);
        }
    }
    unfit.truncate(4);
    telling.into_iter().chain(kept).take(COMPARED - unfit.len()).chain(unfit).collect()
}

fn fits(verdict: &Value) -> bool {
    let none = |key: &str| verdict[key].as_array().is_none_or(Vec::is_empty);
    none("schema") && none("unknown")
}

/// `spec.a[0].b` as the plugin writes it, and what is said there.
fn written(fault: &Value) -> String {
    let path = fault["path"].as_str().unwrap().replace("<nil>", "").replace('[', ".").replace(']', "");
    let message = fault["message"].as_str().unwrap();
    let message = undecided(message);
    let path = path.trim_start_matches('.');
    let place = if path.is_empty() { "the object".to_owned() } else { format!("`{path}`") };
    format!("{place}: {message}")
}

/// Of a rule that cannot be decided for two reasons, each side names one.
fn undecided(message: &str) -> &str {
    message.find("evaluating rule: ").map_or(message, |position| &message[position..])
}

#[test]
fn generated_objects_are_judged_as_an_api_server_judges_them() {
    let Some(program) = std::env::var_os("CRD_ORACLE_CLI").map(PathBuf::from) else {
        println!("skipped: comparison with an API server: CRD_ORACLE_CLI is not set, which `make unit` does");
        return;
    };
    let Some(folder) = manifests() else {
        println!("skipped: comparison with an API server: no CustomResourceDefinitions in ../shared/schemas/crd-manifests");
        return;
    };
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let cases = cases(&folder, seed);
    let jobs = cases.iter().map(|case| json!({"crd": case.definition, "objects": case.objects}).to_string() + "\n").collect();
    let answers = oracle(&program, jobs);
    let repo = Repo::new(&[]);
    let mut all = String::new();
    let mut theirs: BTreeMap<String, Value> = BTreeMap::new();
    for (case, answer) in cases.into_iter().zip(&answers) {
        assert_eq!(answer["error"], Value::Null, "{}", case.definition["metadata"]["name"]);
        let chosen = chosen(case.objects, answer["objects"].as_array().unwrap());
        let objects: Vec<String> = chosen.iter().map(|(object, _)| object.to_string()).collect();
        repo.write(&format!("{}/all.yaml", case.name), &objects.join("\n---\n"));
        repo.write(&format!("crds/{}.json", case.name), &case.definition.to_string());
        let kustomization = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": case.name, "namespace": "flux-system"},
            "spec": {"path": format!("./{}", case.name), "prune": true, "sourceRef": {"kind": "GitRepository", "name": "flux-system"}},
        });
        let _ = write!(all, "{kustomization}\n---\n");
        theirs.extend(
            chosen.into_iter().map(|(object, verdict)| (object["metadata"]["name"].as_str().unwrap().to_owned(), verdict)),
        );
    }
    repo.write("clusters/one/all.yaml", &all);
    let ran = repo.run(&["validate", "--clusters=clusters", "--crd-location=crds", "--output=json"]);
    let ours: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    let mut found: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for finding in ours["findings"].as_array().unwrap() {
        let name = finding["object"].as_str().unwrap().rsplit('/').next().unwrap();
        let one = found.entry(name).or_default();
        match finding["rule"].as_str().unwrap() {
            "schema" => one.0 += 1,
            "crd-rule" => {
                let (place, says) = finding["message"].as_str().unwrap().split_once(": ").unwrap();
                one.1.push(format!("{place}: {}", undecided(says)));
            }
            "build" => panic!("{finding}"),
            _ => {}
        }
    }
    let unknown: BTreeSet<&str> = ours["notEvaluated"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|rules| rules.as_array().unwrap())
        .map(|rule| rule.as_str().unwrap())
        .collect();
    let (mut refused, mut kept, mut broken, mut wrong) = (0, 0, 0, Vec::new());
    let mut rules = BTreeSet::new();
    for (name, verdict) in &theirs {
        let (unfit, ours) = found.remove(name.as_str()).unwrap_or_default();
        if (unfit == 0) != fits(verdict) {
            wrong.push(format!("{name}: unfit here: {unfit}, there {} {}", verdict["schema"], verdict["unknown"]));
            continue;
        }
        if unfit > 0 {
            refused += 1;
            continue;
        }
        let mut ours = ours;
        let mut their: Vec<String> = verdict["rules"].as_array().unwrap().iter().map(written).collect();
        ours.sort();
        their.sort();
        rules.extend(their.iter().map(|one| one.split_once(": ").unwrap().1.to_owned()));
        if their.is_empty() {
            kept += 1;
        } else {
            broken += 1;
        }
        if ours != their {
            wrong.push(format!("{name}: here {ours:#?}, there {their:#?}, of {}", verdict["defaulted"]));
        }
    }
    println!(
        "{kept} objects keep all rules, {broken} break one of {} by both, {refused} do not fit their schema (seed {seed}); rules not evaluated: {unknown:?}",
        rules.len()
    );
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n"));
    assert!(kept > 100 && broken > 100 && refused > 20, "too few of one to say much");
    assert!(rules.len() > 60, "only {} rules were broken", rules.len());
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Values by format. What is near them is made from these.
const FORMATS: [(&str, &[&str]); 24] = [
    ("bsonobjectid", &["507f1f77bcf86cd799439011"]),
    ("byte", &["YQ==", "YWI=", "YWJj", "YQ", "YR==", "YQ=\n=", "-_-_", ""]),
    (
        "cidr",
        &[
            "10.0.0.0/8",
            "010.0.0.0/08",
            "::/0",
            "::1/129",
            "10.0.0.0/+8",
            "::ffff:1.2.3.4/96",
            "::ffff:01.2.3.4/96",
            "1.2.3.4/33",
        ],
    ),
    ("creditcard", &["4111-1111-1111-1111", "378282246310005", "5555555555554444"]),
    ("date", &["2024-02-29", "2024-02-30", "2024-2-3", "0000-01-01", "1900-02-29"]),
    (
        "date-time",
        &[
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.5+25:99",
            "2024-01-01t23:59:60z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00ZZZ",
            "2024-01-01T00:00:00-----",
            "2024-01-01T00:00:00x5Z",
            "2024-01-01T00:00:00ZT",
        ],
    ),
    ("datetime", &["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"]),
    (
        "duration",
        &[
            "1h",
            "-1h",
            "3 days",
            "1.5h",
            "1h 30m",
            "0",
            "1w",
            "1y",
            "",
            "++1h",
            "1h30",
            "1.h",
            ".5h",
            "1\u{b5}s",
            "1\u{3bc}s",
            "1 fortnight",
            "1us3",
            "..h",
            "9999999999999h",
            "99999999999999999999h",
            "99999999999999999999.h",
            "1e3s",
            "2562047h",
            "9223372036.9s",
            "2 WEEKS",
            "x 5 minutes y",
        ],
    ),
    ("email", &["a@example.com", "a.b+c@x", "a..b@c", "a@b@c", "@b", "a@", "A <a@b.c>", "a@b."]),
    ("hexcolor", &["#fff", "a0B1c2"]),
    ("hostname", &["example.com", "a", "a-b.example.com", "1a.org", "-a.com", "a_b.com", "\u{e9}.com", "a.b.c.d.ef", "x.1"]),
    ("ipv4", &["1.2.3.4", "01.2.3.4", "::ffff:1.2.3.4", "1.2.3", "0000001.2.3.4", "256.1.1.1"]),
    ("ipv6", &["::1", "::ffff:1.2.3.4", "::ffff:01.2.3.4", "fe80::1%eth0", "1.2.3.4", "1::2::3", "1:2:3:4:5:6:7:8"]),
    ("isbn", &["0-321-75104-3", "978-0321751041", "080442957X"]),
    ("isbn10", &["0321751043", "080442957X"]),
    ("isbn13", &["978-0321751041"]),
    (
        "mac",
        &[
            "01:23:45:67:89:ab",
            "01-23-45-67-89-ab-cd-ef",
            "0123.4567.89ab",
            "01:23:45:67:89:ab:cd:ef:00:01:23:45:67:89:ab:cd:ef:00:01:23",
        ],
    ),
    ("password", &["anything"]),
    ("rgbcolor", &["rgb(0,100,255)", "rgb( 1 , 2 , 256 )"]),
    ("ssn", &["078-05-1120", "078 05 1120", "078051120"]),
    (
        "uri",
        &[
            "https://example.com/x?y#z",
            "/abs/path",
            "./rel",
            "mailto:a@b",
            "http://user:pass@host:80/%20",
            "http://a b/",
            "http://h:8x/",
            "1http://x",
            "http://[::1]:80/",
            "*",
            "a:b",
            "//x/y",
            "http://h%41/",
            "/%zz",
            "http://u^@h/",
            ":x",
            "foo",
        ],
    ),
    ("uuid", &["123e4567-e89b-12d3-a456-426614174000", "123E4567e89b12d3a456426614174000"]),
    ("uuid4", &["f47ac10b-58cc-4372-a567-0e02b2c3d479"]),
    ("k8s-short-name", &["A_b"]),
];

/// Values by pattern.
const PATTERNS: [(&str, &[&str]); 25] = [
    ("^[[:alpha:]]+$", &["abc", "a1", "[:a"]),
    ("^[[:^space:]x]+$", &["abc", "a b"]),
    (r"^\pL+$", &["\u{e9}", "1"]),
    (r"^[\p{Greek}\P{L}]+$", &["\u{3b1}1", "a"]),
    (r"^[\w-]+$", &["\u{e9}", "a-b"]),
    (r"^\S+$", &["a\u{a0}b", "a b", "a\u{b}b"]),
    (r"^[^\s]+$", &["a\u{a0}b", "a b", "a\u{b}b"]),
    ("^a.b$", &["a\nb", "a\u{e9}b"]),
    ("^(?i)abc$", &["ABC", "abd"]),
    (r"^(?i)\w$", &["\u{212a}", "k"]),
    ("^a$", &["a\n", "a"]),
    ("^(?P<n>a)(?<m>b)$", &["ab", "a"]),
    ("^[^/]+$", &["a\nb", "a/b"]),
    ("^[a-z&&b]$", &["b", "c", "&"]),
    ("^[a--b]$", &["-", "a"]),
    (r"\bé\b", &["\u{e9}", "a\u{e9}a"]),
    (r"^\x{41}\x42\103$", &["ABC"]),
    ("^a{1,100}$", &["a", "b"]),
    ("^a{,2}$", &["a", "a{,2}"]),
    (r"^[\d--5]$", &["5", "-"]),
    (r"^\d{4}$", &["\u{663}\u{663}\u{663}\u{663}", "1234"]),
    ("^[[a]b]$", &["[b]", "a"]),
    ("^[]a]+$", &["]a", "b"]),
    (r"^\Qa.b\E+$", &["a.b", "axb", "a.bb"]),
    (r"^(\D|\W)\B?$", &["1", "a", "\u{e9}"]),
];

/// Rules that hold or not for a text, in an object of its own each.
const RULES: [(&str, &[&str]); 24] = [
    (r"self.matches(r'^\w+$')", &["a", "\u{e9}"]),
    (r"self.matches(r'^\S+$')", &["a", "a\u{a0}b"]),
    (r"self.matches(r'\b\d')", &["\u{663}", "1", "\u{e9}1"]),
    ("self.matches('^[[:alpha:]]+$')", &["abc", "1"]),
    (r"self.matches(r'\Q.\E')", &[".", "a"]),
    ("string(double(self)) == self", &["1e+21", "1", "0.1", "1e+06", "1234567", "100000", "0.0001", "1e-05", "-0", "NaN", "1.5"]),
    (
        "timestamp(self) != timestamp('2000-01-01T00:00:00Z')",
        &[
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00Z",
            "2024-01-01t00:00:00z",
            "2024-01-01T00:00:00.5+01:00",
            "2024-01-01T00:00:00,5Z",
            "2024-01-01T00:00:00+24:00",
        ],
    ),
    ("uint(self) == 1u", &["1", "+1", "01", "-1", "2"]),
    ("int(self) == 1", &["1", "+1", "01", " 1", "2"]),
    ("duration(self) == duration('1h')", &["1h", "+1h", "60m", "1.0h", "1d", ".5h"]),
    ("double(self) > 1.0", &["2", "inf", "Infinity", "1_0", "0x10", "1e999", "nan", "+2", ".5"]),
    ("bool(self)", &["true", "T", "yes", "False"]),
    ("self.split('') == ['a']", &["a", "", "ab"]),
    ("self.split(',', 1) == ['a,b']", &["a,b"]),
    ("self.substring(1).size() > 0", &["ab", "a", ""]),
    ("self.lowerAscii() == 'k'", &["K", "\u{212a}", "k"]),
    ("self.trim() == 'a'", &[" a", "\u{a0}a", "a\u{200b}", "\u{85}a"]),
    ("self.replace('a', 'b', -1) == 'b'", &["a", "aa"]),
    ("self.indexOf('') == 0 && self.lastIndexOf('a') == 0", &["a", "ba", ""]),
    ("isIP(self)", &["1.2.3.4", "01.2.3.4", "::1", "::ffff:1.2.3.4", "127.1"]),
    ("self.charAt(1) == ''", &["a", "ab", ""]),
    ("string(bytes(self)) == self", &["a", "\u{e9}"]),
    ("string(duration(self)) == '3600s'", &["1h", "2h"]),
    (
        "string(timestamp(self)) == '2024-01-01T00:00:00Z'",
        &["2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00.50Z"],
    ),
];

/// A value, and values near it.
fn near(value: &str, dice: &mut Dice) -> BTreeSet<String> {
    const ODD: [char; 22] = [
        'a', 'Z', '0', '9', '.', ':', '-', '_', '+', '/', '%', '=', ' ', '@', '[', '(', ',', 'T', '\n', '\u{e9}', '\u{a0}',
        '\u{663}',
    ];
    let mut all = BTreeSet::from([value.to_owned()]);
    for _ in 0..NEAR {
        let mut letters: Vec<char> = value.chars().collect();
        for _ in 0..=dice.below(2) {
            let at = dice.below(letters.len() + 1);
            match dice.below(3) {
                0 if at < letters.len() => _ = letters.remove(at),
                1 if at < letters.len() => letters[at] = ODD[dice.below(ODD.len())],
                _ => letters.insert(at, ODD[dice.below(ODD.len())]),
            }
        }
        all.insert(letters.into_iter().collect());
    }
    all
}

const NEAR: usize = 12;

#[test]
fn formats_patterns_and_functions_are_those_of_an_api_server() {
    let Some(program) = std::env::var_os("CRD_ORACLE_CLI").map(PathBuf::from) else {
        println!("skipped: comparison with an API server: CRD_ORACLE_CLI is not set, which `make unit` does");
        return;
    };
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut dice = Dice::new(seed);
    let mut properties = serde_json::Map::new();
    let (mut objects, mut fields) = (Vec::new(), Vec::new());
    let formats = FORMATS.map(|(given, values)| (json!({"type": "string", "format": given}), format!("format: {given}"), values));
    let patterns =
        PATTERNS.map(|(given, values)| (json!({"type": "string", "pattern": given}), format!("pattern: {given}"), values));
    let words: Vec<(Value, String, BTreeSet<String>)> = formats
        .into_iter()
        .chain(patterns)
        .map(|(schema, word, values)| (schema, word, values.iter().flat_map(|value| near(value, &mut dice)).collect()))
        .collect();
    // A rule of its own for each value, so that it is known of each whether it was evaluated.
    let asked: Vec<(&str, String)> = RULES
        .iter()
        .flat_map(|(given, values)| values.iter().map(move |value| (given, value)))
        .flat_map(|(given, value)| near(value, &mut dice).into_iter().map(|value| (*given, value)).collect::<Vec<_>>())
        .collect();
    let rules = asked.into_iter().enumerate().map(|(number, (given, value))| {
        let given = format!("({given}) || self == 'w{number}'");
        let rule = json!([{"rule": given, "message": "no"}]);
        (json!({"type": "string", "x-kubernetes-validations": rule}), given, BTreeSet::from([value]))
    });
    for (schema, word, values) in words.into_iter().chain(rules) {
        let field = format!("f{}", properties.len());
        properties.insert(field.clone(), schema);
        for value in values {
            objects.push(json!({
                "apiVersion": "example.com/v1", "kind": "Widget", "spec": {&field: value},
                "metadata": {"name": format!("w{}", objects.len()), "namespace": "default"},
            }));
            fields.push((word.clone(), value));
        }
    }
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "versions": [version],
                 "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}},
    });
    let answers = oracle(&program, json!({"crd": definition, "objects": objects}).to_string() + "\n");
    assert_eq!(answers[0]["error"], Value::Null);
    let repo = Repo::new(&[]);
    let kustomization = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "all", "namespace": "flux-system"},
        "spec": {"path": "./all", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "flux-system"}},
    });
    repo.write("clusters/one/all.yaml", &kustomization.to_string());
    repo.write("crds/widgets.json", &definition.to_string());
    repo.write("all/all.yaml", &objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n"));
    let ran = repo.run(&["validate", "--clusters=clusters", "--crd-location=crds", "--output=json"]);
    let ours: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    let refused: BTreeSet<&str> = ours["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| ["schema", "crd-rule", "build"].contains(&finding["rule"].as_str().unwrap()))
        .map(|finding| finding["object"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    let unknown: BTreeSet<&str> = ours["notEvaluated"]["example.com/v1 Widget"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|word| word.as_str().unwrap())
        .collect();
    let (mut wrong, mut same) = (Vec::new(), [0, 0]);
    for (number, ((word, value), verdict)) in fields.iter().zip(answers[0]["objects"].as_array().unwrap()).enumerate() {
        let here = refused.contains(format!("w{number}").as_str());
        let there = ["schema", "rules"].iter().any(|key| verdict[key].as_array().is_some_and(|faults| !faults.is_empty()));
        if here == there {
            same[usize::from(here)] += 1;
        } else if here || !unknown.contains(word.as_str()) {
            wrong.push(format!("{word}, {value:?}: here {here}, there {there}"));
        }
    }
    println!("{} values are taken, {} refused by both (seed {seed}); not evaluated: {}", same[0], same[1], unknown.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(same[0] > 300 && same[1] > 600, "too few of one to say much");
}
