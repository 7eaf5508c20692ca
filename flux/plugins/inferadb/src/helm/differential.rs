//! Values are composed as Flux's own code composes them: `flux-oracle` drives `github.com/fluxcd/pkg/chartutil`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::values::{Composed, Secrets, compose};
use crate::object::Object;
use crate::place::Step;
use crate::variables::Pool;
use crate::yaml;

const CASES: usize = 1500;
const KEYS: [&str; 6] = ["a", "b", "c", "list", "x.y", "n"];
const PATHS: [&str; 28] = [
    "a",
    "b",
    "a.b",
    "a.b.c",
    "a.c",
    "b.a.n",
    "n",
    "list",
    "list[0]",
    "list[1]",
    "list[3]",
    "list[0].a",
    "list[1].a.b",
    "list[0][1]",
    "list[1][0].c",
    "a.list[2]",
    "a.list[0].n",
    r"x\.y",
    r"a.x\.y",
    r"x\.y.a",
    "b[70000]",
    "a.",
    ".a",
    "a..b",
    "list[",
    "list[-1]",
    "list[x]",
    "a[0]b",
];
const SINGLES: [&str; 40] = [
    "5",
    "0",
    "007",
    "-0",
    "+5",
    "-3",
    "1.5",
    "1e3",
    "9223372036854775807",
    "9223372036854775808",
    "1000000",
    "true",
    "False",
    "FALſE",
    "null",
    "Null",
    "",
    " ",
    "text",
    "a b",
    "a,b",
    "a,c=5",
    r"a\,b",
    r"end\",
    "'quoted'",
    "'5'",
    "\"true\"",
    "'",
    "\"x'",
    "'a,b'",
    "{a,b}",
    "{1,true,null}",
    "{a",
    "{}",
    "{a}b=c",
    "{a},c=d",
    "x,list[0]",
    "x,list[",
    "x,a.b=",
    "line\nbreak",
];
const TEXTS: [&str; 8] = ["", "null", "[1]", "just text", "a: [", "a: 1\na: 2\n", "a: 0x1F\nb: 1_000\n1: yes\n", "# nothing\n"];

/// Numbers from a seed: the same ones each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth > 2 { 8 } else { 12 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(9)),
            3 => json!(1_000_000 * (1 + self.below(5))),
            4 => json!(9_007_199_254_740_993_u64),
            5 => json!([0.25, 1.5, 1e21][self.below(3)]),
            6 | 7 => json!(self.one(&SINGLES)),
            8 | 9 => (0..self.below(4)).map(|_| self.value(depth + 1)).collect(),
            _ => self.map(depth + 1),
        }
    }

    fn map(&mut self, depth: usize) -> Value {
        let keys = (0..=self.below(3)).map(|_| self.one(&KEYS)).collect::<Vec<_>>();
        keys.into_iter().map(|key| (key.to_owned(), self.value(depth))).collect::<serde_json::Map<_, _>>().into()
    }

    fn objects(&mut self) -> Vec<Value> {
        let mut objects = Vec::new();
        for kind in ["ConfigMap", "Secret"] {
            for name in ["one", "two", "three"] {
                let whole = if self.below(6) == 0 { self.one(&TEXTS).to_owned() } else { yaml::emit(&self.map(0)) };
                let mut data = json!({"values.yaml": whole, "other.yaml": yaml::emit(&self.map(0))});
                for key in ["v", "w", "x"] {
                    data[key] = json!(self.one(&SINGLES));
                }
                // The later of two of one name is the cluster's.
                let field = if kind == "Secret" { "stringData" } else { "data" };
                objects.push(
                    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "apps"}, field: data}),
                );
            }
        }
        objects
    }

    fn reference(&mut self) -> Value {
        let kind = if self.below(40) == 0 { "Other" } else { self.one(&["ConfigMap", "Secret"]) };
        let name = if self.below(15) == 0 { "missing" } else { self.one(&["one", "two", "three"]) };
        let mut reference = json!({"kind": kind, "name": name});
        if self.below(5) < 3 {
            let single = self.below(20) != 0;
            reference["valuesKey"] = json!(if single { self.one(&["v", "w", "x"]) } else { "values.yaml" });
            reference["targetPath"] =
                json!(if self.below(30) == 0 { "a.".repeat(31) + "b" } else { self.one(&PATHS).to_owned() });
            if self.below(4) == 0 {
                reference["literal"] = json!(true);
            }
        } else if self.below(3) == 0 {
            reference["valuesKey"] = json!(if self.below(6) == 0 { "none.yaml" } else { "other.yaml" });
        }
        if self.below(3) == 0 {
            reference["optional"] = json!(true);
        }
        reference
    }
}

fn oracle(jobs: &str) -> Vec<Value> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../.build/bin/flux-oracle");
    let program = std::env::var_os("FLUX_ORACLE_CLI").map_or_else(own, PathBuf::from);
    assert!(program.is_file(), "{} is missing: run `make .build/bin/flux-oracle`", program.display());
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, jobs) = (child.stdin.take().unwrap(), jobs.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(jobs.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the oracle failed");
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// Numbers as one and the same, however they are written.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => yaml::from_float(number.as_f64().unwrap()).map_or(Value::Null, Value::Number),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(key, item)| (key.clone(), plain(item))).collect();
            sorted.into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn integers(composed: &Composed) -> Vec<String> {
    let written = |path: &[Step]| -> String {
        let part = |step: &Step| match step {
            Step::Key(key) => format!("/{key}"),
            Step::Item(position) => format!("/{position}"),
        };
        path.iter().map(part).collect::<Vec<_>>().concat()
    };
    let mut found: Vec<String> = composed.integers.iter().map(|(path, _)| written(path)).collect();
    found.sort();
    found
}

/// Releases made from a seed (`SEED=n` for another).
#[test]
fn values_are_composed_as_flux_composes_them() {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15 ^ seed);
    let cases: Vec<(Value, Vec<Value>)> = (0..CASES)
        .map(|_| {
            let references: Vec<Value> = (0..chance.below(5)).map(|_| chance.reference()).collect();
            let mut spec = json!({"valuesFrom": references});
            if chance.below(4) > 0 {
                spec["values"] = chance.map(0);
            }
            let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
                "metadata": {"name": "r", "namespace": "apps"}, "spec": spec});
            (release, chance.objects())
        })
        .collect();
    let jobs: Vec<String> =
        cases.iter().map(|(release, objects)| json!({"release": release, "objects": objects}).to_string()).collect();
    let answers = oracle(&format!("{}\n", jobs.join("\n")));
    assert_eq!(answers.len(), CASES);
    let (mut equal, mut refused, mut wrong) = (0, 0, Vec::new());
    for ((release, objects), theirs) in cases.iter().zip(&answers) {
        let mut pool = Pool::default();
        for object in objects {
            pool.add(&Object(object.clone()), None);
        }
        match (compose(&release["spec"], "apps", &pool, Secrets::Own), theirs["error"].as_str()) {
            (Ok(ours), None) => {
                let same = plain(&ours.values) == plain(&theirs["values"]);
                let mut numbers: Vec<String> =
                    theirs["integers"].as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect();
                numbers.sort();
                if same && integers(&ours) == numbers {
                    equal += 1;
                } else {
                    wrong.push(format!(
                        "{release}\n{objects:?}\nis {} {:?}\nand Flux makes {theirs}",
                        ours.values,
                        integers(&ours)
                    ));
                }
            }
            (Err(_), Some(_)) => refused += 1,
            (ours, theirs) => wrong.push(format!("{release}\n{objects:?}\nis {ours:?}\nand Flux says {theirs:?}")),
        }
    }
    println!("{equal} equal and {refused} refused by both (seed {seed})");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.into_iter().take(3).collect::<Vec<_>>().join("\n\n"));
    assert!(equal > CASES / 3 && refused > CASES / 10, "{equal} equal, {refused} refused: too few of one to say much");
}
