//! A fault planted anywhere in the tree of this repository gives its finding at its rule, file and line, and no other; no
//! fault gives none. Where each is planted comes from a seed: `FAULTS_SEED=7 cargo test -p flux-inferadb --test faults`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod build_faults;
mod dice;
mod object_faults;
mod reference_faults;
#[path = "../support/mod.rs"]
mod support;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dice::Dice;
use serde_json::Value;
use support::built;
use tree::{Finding, Planted, Tree};

/// How often each kind is planted.
const PLACES: u64 = 2;

/// A kind of fault.
struct Kind {
    name: &'static str,
    /// What it takes to be found: a schema or a chart beside the checkout.
    needs: Needs,
    plant: fn(&mut Tree, &mut Dice) -> Planted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Schemas,
}

fn kinds() -> Vec<Kind> {
    [build_faults::kinds(), reference_faults::kinds(), object_faults::kinds()].into_iter().flatten().collect()
}

fn schemas() -> Option<PathBuf> {
    let told = std::env::var_os("INFERADB_SCHEMA_DIR").map(PathBuf::from);
    let folder = told.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/schemas"));
    folder.canonicalize().ok()
}

fn validate(tree: &Tree, cache: &Path, more: &[String]) -> (i32, Vec<Finding>, String) {
    let folder = tempfile::tempdir().unwrap();
    tree.write(folder.path());
    let output = Command::new(env!("CARGO_BIN_EXE_flux-inferadb"))
        .args(["validate", "--output", "json", "--vars", "flux/bootstrap.yaml"])
        .args(more)
        .current_dir(folder.path())
        .env("KUSTOMIZE", built("KUSTOMIZE_CLI", "kustomize"))
        .env("FLUX_INFERADB_CACHE", cache)
        // Without schemas: a folder that is not there.
        .env("INFERADB_SCHEMA_DIR", schemas().unwrap_or_else(|| folder.path().join("none")))
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {err}"));
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let findings = found["findings"].as_array().unwrap().iter().map(|one| Finding {
        rule: text(one, "rule"),
        file: text(one, "file"),
        line: usize::try_from(one["line"].as_u64().unwrap()).unwrap(),
    });
    let mut findings: Vec<Finding> = findings.collect();
    findings.sort();
    findings.dedup();
    (output.status.code().unwrap(), findings, format!("{found:#}\n{err}"))
}

#[test]
fn no_fault_gives_no_finding() {
    let cache = tempfile::tempdir().unwrap();
    let (code, findings, said) = validate(&Tree::read(), cache.path(), &[]);
    assert_eq!((code, findings.as_slice()), (0, &[] as &[Finding]), "{said}");
}

#[test]
fn each_kind_of_fault_is_found_where_it_is() {
    let seed: u64 = std::env::var("FAULTS_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (tree, kinds) = (Tree::read(), kinds());
    assert!(kinds.len() >= 40, "{} kinds", kinds.len());
    let has_schemas = schemas().is_some();
    if !has_schemas {
        println!("skipped: faults that schemas and charts show: ../shared/schemas is not beside the checkout");
    }
    let jobs: Vec<(&Kind, u64)> = kinds
        .iter()
        .filter(|kind| has_schemas || kind.needs == Needs::Nothing)
        .flat_map(|kind| (0..PLACES).map(move |place| (kind, place)))
        .collect();
    let cache = tempfile::tempdir().unwrap();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((kind, place)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut tree = tree.clone();
                    let mut dice = Dice::new(seed, kind.name, *place);
                    let mut planted = (kind.plant)(&mut tree, &mut dice);
                    planted.findings.sort();
                    let (code, findings, said) = validate(&tree, cache.path(), &planted.arguments);
                    if (code, &findings) != (1, &planted.findings) {
                        wrong.lock().unwrap().push(format!(
                            "{} (seed {seed}, place {place}):\n  expected {:?}\n  found    {findings:?}\n{}\n{said}",
                            kind.name,
                            planted.findings,
                            tree.changes()
                        ));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} were not found as planted:\n{}", wrong.len(), jobs.len(), wrong.join("\n"));
    println!("{} kinds of fault at {} places, seed {seed}", kinds.len(), jobs.len());
}
