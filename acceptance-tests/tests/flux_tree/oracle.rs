//! The program that builds with Flux' own code answers for one Flux Kustomization as the controller would.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

const CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {region: '${REGION}', path: '$PATH', kept: '$${KEPT}'}\n";
const IGNORED: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: draft}\n";
const SETTINGS: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\ndata: {REGION: nyc1}\n";

fn kustomization() -> Json {
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "shop", "namespace": "flux-system"},
        "spec": {
            "interval": "1h",
            "path": "./shop",
            "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
            "targetNamespace": "shop",
            "commonMetadata": {"labels": {"team": "sales"}},
            "postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "settings"}]},
        },
    })
}

/// The answers to jobs on one source, or `None` where the program is not there, which is said.
fn answers(test: &str, jobs: &[Json]) -> Option<Vec<Json>> {
    let Some(program) = std::env::var_os("FLUX_ORACLE_CLI") else {
        let _ = writeln!(std::io::stderr(), "skipped: {test}: FLUX_ORACLE_CLI is not set, which `make unit` does");
        return None;
    };
    let source = TempDir::new().unwrap();
    fs::create_dir(source.path().join("shop")).unwrap();
    fs::write(source.path().join("shop/config-map.yaml"), CONFIG_MAP).unwrap();
    fs::write(source.path().join("shop/draft.yaml"), IGNORED).unwrap();
    let mut running = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut asked = running.stdin.take().unwrap();
    for job in jobs {
        let mut job = job.clone();
        job["source"] = json!(source.path());
        writeln!(asked, "{job}").unwrap();
    }
    drop(asked);
    let said = String::from_utf8(running.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(fs::read_dir(source.path().join("shop")).unwrap().count(), 2, "the source was written to");
    Some(said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn what_the_controller_applies_is_answered_job_by_job() {
    let jobs = [
        json!({"id": 1, "kustomization": kustomization(), "objects": SETTINGS, "ignore": "draft.yaml"}),
        json!({"id": 2, "kustomization": kustomization(), "objects": SETTINGS}),
    ];
    let Some(answers) = answers("what_the_controller_applies_is_answered_job_by_job", &jobs) else { return };
    let shop = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "shop", "namespace": "shop", "labels": {"team": "sales"}},
        "data": {"region": "nyc1", "path": "$PATH", "kept": "${KEPT}"},
    });
    assert_eq!(answers[0], json!({"id": 1, "objects": [shop]}));
    assert_eq!(answers[1]["objects"].as_array().unwrap().len(), 2);
}

#[test]
fn what_the_controller_refuses_is_an_error() {
    let mut elsewhere = kustomization();
    elsewhere["spec"]["path"] = json!("./nowhere");
    let jobs = [
        json!({"kustomization": kustomization(), "objects": SETTINGS.replace("REGION", "ZONE")}),
        json!({"kustomization": kustomization()}),
        json!({"kustomization": elsewhere, "objects": SETTINGS}),
        json!({"kustomization": kustomization(), "objects": SETTINGS.replace("REGION", "ZONE"), "strict": false}),
    ];
    let Some(answers) = answers("what_the_controller_refuses_is_an_error", &jobs) else { return };
    let errors: Vec<_> = answers.iter().map(|answer| answer["error"].as_str().unwrap_or_default()).collect();
    assert!(errors[0].contains("variable not set (strict mode): \"REGION\""), "{errors:?}");
    assert!(errors[1].contains("configmaps \"settings\" not found"), "{errors:?}");
    assert!(errors[2].contains("kustomization path not found"), "{errors:?}");
    assert!(errors[3].is_empty(), "{errors:?}");
}
