//! What the plugin gives is what Flux's own code gives: the same objects in the same order, or both refuse. The other side
//! is `flux-oracle`, which drives `github.com/fluxcd/pkg/kustomize`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod generated;
mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Repo, built};

fn oracle(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(built("FLUX_ORACLE_CLI", "flux-oracle"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the oracle failed");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_kustomization_of_the_tree_gives_what_flux_makes_of_it() {
    let tree = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    let cache = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_flux-inferadb"))
        .args(["build", "--output", "json", "--repo", tree])
        .env("KUSTOMIZE", built("KUSTOMIZE_CLI", "kustomize"))
        .env("FLUX_INFERADB_CACHE", cache.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ours: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut compared = 0;
    let walked = oracle(&["walk", "-objects", tree], "");
    for cluster in ours["clusters"].as_array().unwrap() {
        for kustomization in cluster["kustomizations"].as_array().unwrap() {
            let name = format!("{}/{}", kustomization["namespace"].as_str().unwrap(), kustomization["name"].as_str().unwrap());
            let theirs: Vec<Value> = walked
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap())
                .filter(|line| line["cluster"] == cluster["name"])
                .filter(|line| line["kustomization"] == name.as_str() || line["kustomization"] == kustomization["name"])
                .map(|line| line["object"].clone())
                .collect();
            compared += theirs.len();
            assert_eq!(difference(&kustomization["objects"], &json!(theirs)), None, "{} {name}", cluster["name"]);
        }
    }
    assert_eq!(compared, walked.lines().count());
    assert!(compared > 100, "only {compared} objects");
}

/// 300 Kustomizations of one cluster, made from a seed (`SEED=n` for another), that use each feature in each other's company.
#[test]
fn generated_kustomizations_give_what_flux_makes_of_them() {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let repo = Repo::new(&[]);
    let cases = generated::cases(seed, 300, &repo);
    let ours = repo.build(&[]);
    // The oracle copies a source for each job: one that holds the case alone.
    let sources = tempfile::tempdir().unwrap();
    let jobs: Vec<String> = cases
        .iter()
        .map(|case| {
            let source = sources.path().join(format!("only-{}", case.name));
            copy(&repo.path().join(&case.name), &source.join(&case.name));
            json!({"id": case.name, "source": source, "ignore": generated::IGNORE, "kustomization": case.kustomization,
                "objects": generated::VARIABLES, "strict": true})
            .to_string()
        })
        .collect();
    // It has one core's work for each job, and answers in order.
    let share = jobs.len().div_ceil(std::thread::available_parallelism().map_or(1, usize::from));
    let answers: Vec<String> = std::thread::scope(|scope| {
        let asked: Vec<_> =
            jobs.chunks(share).map(|jobs| scope.spawn(move || oracle(&[], &format!("{}\n", jobs.join("\n"))))).collect();
        asked.into_iter().map(|answers| answers.join().unwrap()).collect()
    });
    let answers = answers.concat();
    let (mut built, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for (case, answer) in cases.iter().zip(answers.lines()) {
        let theirs: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(theirs["id"], case.name.as_str());
        let ours = support::kustomization(&ours, "one", &case.name);
        let difference = match (&ours["error"], &theirs["error"]) {
            (Value::Null, Value::Null) => {
                built += 1;
                difference(&ours["objects"], &theirs["objects"])
            }
            (Value::String(our), Value::String(_)) => {
                refused += 1;
                *reasons.entry(our.replace(&case.name, "…").chars().take(150).collect::<String>()).or_insert(0) += 1;
                None
            }
            (ours, theirs) => Some(format!("we say {ours}, and Flux {theirs}")),
        };
        wrong.extend(difference.map(|difference| format!("{}: {difference}\n{}", case.name, case.kustomization)));
    }
    println!("{built} built and {refused} refused by both (seed {seed}), of these:");
    for (reason, count) in reasons {
        println!("{count} {reason}");
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n\n"));
    assert_eq!(built + refused, 300);
    assert!(built > 150 && refused > 20, "{built} built, {refused} refused: too few of one to say much");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// The first thing in which two lists of objects differ.
fn difference(ours: &Value, theirs: &Value) -> Option<String> {
    let (ours, theirs) = (ours.as_array().unwrap(), theirs.as_array().map_or(&[] as &[Value], Vec::as_slice));
    for (position, (our, their)) in ours.iter().zip(theirs).enumerate() {
        if our != their {
            return Some(format!("object {position} is\n{our}\nand Flux makes\n{their}"));
        }
    }
    (ours.len() != theirs.len()).then(|| format!("{} objects, and Flux makes {}", ours.len(), theirs.len()))
}
