//! What real Talos v1.8.0 nodes said to configs is what this crate says to them.
//!
//! The recordings are no part of the repository: where they are not there, the test says that it was skipped.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what went wrong")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use talos::config::MachineConfig;
use talos::validate::validate;
use talos::version::TalosVersion;

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/talos-observed");

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The codes that each config was answered with, by the first digits of its hash.
fn answers() -> BTreeMap<String, Vec<String>> {
    let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files(Path::new(RECORDINGS)).iter().flat_map(|topic| files(topic)) {
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let scenario: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let alone = vec![scenario.clone()];
        for step in scenario["steps"].as_array().unwrap_or(&alone) {
            let hash = step["call"]["request"]["data"]["sha256"].as_str().unwrap_or_default();
            if step["call"]["method"] == "ApplyConfiguration" && hash.len() > 16 {
                let code = step["answer"]["code"].as_str().unwrap_or_default().to_owned();
                answers.entry(hash[..16].to_owned()).or_default().push(code);
            }
        }
    }
    answers
}

#[test]
fn configs_are_taken_and_refused_as_by_real_nodes() {
    let version = TalosVersion::parse("v1.8.0").unwrap();
    let answers = answers();
    let mut compared = 0;
    for file in files(&Path::new(RECORDINGS).join("configs")) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let Some(codes) = answers.get(&name) else { continue };
        // Other codes were about the caller or the mode.
        let taken = codes.iter().any(|code| code == "OK");
        let config = MachineConfig::parse(&std::fs::read_to_string(&file).unwrap(), &version);
        let ours = config.is_ok_and(|config| validate(&config, &version).is_empty());
        assert_eq!(ours, taken, "{name}: {codes:?}");
        compared += 1;
    }
    if compared == 0 {
        // Past the capture of output: it is counted at the end.
        let what = "configs_are_taken_and_refused_as_by_real_nodes";
        let _ = writeln!(std::io::stderr(), "skipped: {what}: there are no recordings of real nodes at {RECORDINGS}");
    } else {
        println!("compared {compared} configs with the answers of real nodes");
    }
}
