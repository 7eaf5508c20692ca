//! `scripts/flux-bootstrap.sh` looks at the cluster before it changes it. `stand-in/kubectl` plays the cluster, and writes
//! down what it was asked.

use std::fs;
use std::process::Command;

use acceptance_tests::terraform::tool::repository;
use tempfile::TempDir;

struct Ran {
    well: bool,
    said: String,
    asked: String,
}

fn bootstrap(cluster: &str, synced: &str, down: &str) -> Ran {
    let place = TempDir::new().unwrap();
    let asked = place.path().join("asked");
    let stand_in = repository().join("acceptance-tests/tests/flux_tree/stand-in");
    let path = format!("{}:{}", stand_in.display(), std::env::var("PATH").unwrap());
    let ran = Command::new(repository().join("scripts/flux-bootstrap.sh"))
        .arg(cluster)
        .envs([("PATH", path.as_str()), ("SYNCED", synced), ("DOWN", down)])
        .env("ASKED", &asked)
        .env_remove("SOPS_AGE_KEY_FILE")
        .output()
        .unwrap();
    Ran {
        well: ran.status.success(),
        said: format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)),
        asked: fs::read_to_string(asked).unwrap(),
    }
}

#[test]
fn a_new_cluster_is_named_and_gets_flux() {
    let ran = bootstrap("prod-nyc1", "", "");
    assert!(ran.well, "{}", ran.said);
    assert!(
        ran.said.starts_with("Cluster prod-nyc1 is that of the context `admin@shop`: https://shop.example:6443\n"),
        "{}",
        ran.said
    );
    assert!(ran.asked.contains("apply --server-side --force-conflicts --filename flux/clusters/prod-nyc1/cluster-settings.yaml"));
}

#[test]
fn a_cluster_that_syncs_the_same_folder_is_gone_through_again() {
    for synced in ["flux/clusters/prod-nyc1", "./flux/clusters/prod-nyc1/"] {
        let ran = bootstrap("prod-nyc1", synced, "");
        assert!(ran.well, "{synced}: {}", ran.said);
        assert!(ran.asked.contains("apply --server-side"), "{synced}: {}", ran.asked);
    }
}

#[test]
fn a_cluster_that_syncs_another_folder_is_left_alone() {
    let ran = bootstrap("prod-nyc1", "flux/clusters/staging-nyc1", "");
    assert!(!ran.well);
    assert!(
        ran.said.contains("Flux syncs flux/clusters/staging-nyc1 there, not flux/clusters/prod-nyc1: nothing was changed."),
        "{}",
        ran.said
    );
    assert!(!ran.asked.contains("apply") && !ran.asked.contains("create"), "{}", ran.asked);
}

#[test]
fn a_cluster_that_does_not_answer_is_left_alone() {
    let ran = bootstrap("prod-nyc1", "", "yes");
    assert!(!ran.well, "{}", ran.said);
    assert!(!ran.asked.contains("apply") && !ran.asked.contains("create"), "{}", ran.asked);
}
