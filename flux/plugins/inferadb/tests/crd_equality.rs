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
