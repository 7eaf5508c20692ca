//! Clusters differ where they say that they do, and nowhere else.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::tree::{NEEDED, clusters, files, made, read, yaml};

fn settings(cluster: &str) -> serde_json::Map<String, Json> {
    yaml(&format!("flux/clusters/{cluster}/cluster-settings.yaml"))["data"].as_object().unwrap().clone()
}

#[test]
fn the_clusters_of_all_environments_are_there() {
    for cluster in NEEDED {
        assert!(clusters().any(|name| name == cluster), "{cluster}");
    }
}

#[test]
fn cluster_folders_differ_in_their_settings_and_in_what_they_sync_from() {
    let without_sync = |text: &str| text.split("  sync:\n").next().unwrap().to_owned();
    let first = files("flux/clusters/dev-local");
    for cluster in clusters() {
        let folder = files(&format!("flux/clusters/{cluster}"));
        assert_eq!(first.keys().collect::<Vec<_>>(), folder.keys().collect::<Vec<_>>(), "{cluster}");
        for (name, text) in folder {
            match name.as_str() {
                "cluster-settings.yaml" => {}
                "flux-system/flux-instance.yaml" => {
                    assert_eq!(without_sync(&first[&name]), without_sync(&text), "{cluster}/{name}");
                }
                _ => assert_eq!(first[&name], text, "{cluster}/{name}"),
            }
        }
    }
}

#[test]
fn clusters_have_the_same_settings() {
    let keys: Vec<_> = settings("dev-local").keys().cloned().collect();
    for cluster in clusters() {
        let settings = settings(cluster);
        assert_eq!(keys, settings.keys().cloned().collect::<Vec<_>>(), "{cluster}");
        assert!(settings.values().all(Json::is_string), "{cluster}: a ConfigMap holds texts");
        assert_eq!(settings["CLUSTER_NAME"], cluster);
    }
}

/// The page's table is held to Terraform's outputs by a test of its own.
#[test]
fn the_settings_are_those_that_terraform_tells() {
    let page = read("docs/environment-parity.md");
    let told = page.split("## What each cluster is told").nth(1).unwrap();
    let mut rows = told
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let rows: Vec<_> = rows.skip(1).collect();
    let mut named: Vec<_> = head[1..].to_vec();
    named.sort_unstable();
    assert_eq!(named, clusters().collect::<Vec<_>>());
    for (column, cluster) in head.iter().enumerate().skip(1) {
        let told: serde_json::Map<String, Json> = rows
            .iter()
            .map(|row| (row[0].to_owned(), Json::from(if row[column] == "(empty)" { "" } else { row[column] })))
            .collect();
        assert_eq!(settings(cluster), told, "{cluster}");
    }
}

#[test]
fn the_readme_names_the_settings_that_something_reads() {
    let page = read("flux/README.md");
    let told = page.split("## What reads the settings\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let named: BTreeSet<_> =
        told.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect();
    let files = files("flux");
    let tree: Vec<_> = files.iter().filter(|(name, _)| *name != "README.md" && !name.starts_with("plugins/")).collect();
    let read: BTreeSet<_> = settings("dev-local")
        .keys()
        .filter(|key| {
            let ways = [format!("${{{key}}}"), format!("${{{key}:"), format!("fieldPath: data.{key}\n")];
            tree.iter().any(|(_, text)| ways.iter().any(|way| text.contains(way)))
        })
        .cloned()
        .collect();
    assert_eq!(named, read);
}

#[test]
fn a_cluster_syncs_its_own_folder() {
    for cluster in clusters() {
        let instance = yaml(&format!("flux/clusters/{cluster}/flux-system/flux-instance.yaml"));
        assert_eq!(instance["spec"]["sync"]["path"], format!("flux/clusters/{cluster}"));
    }
}

#[test]
fn flux_builds_every_cluster() {
    let Some(made) = made("flux_builds_every_cluster") else { return };
    for cluster in clusters() {
        let builds: BTreeSet<_> = made.iter().filter(|it| it.cluster == cluster).map(|it| it.kustomization.as_str()).collect();
        assert_eq!(builds, BTreeSet::from(["apps", "configs", "controllers", "flux-system", "sources"]), "{cluster}");
    }
}

#[test]
fn a_cluster_takes_its_environments_folders_and_its_own_source() {
    let Some(made) = made("a_cluster_takes_its_environments_folders_and_its_own_source") else { return };
    for it in made.iter().filter(|it| it.kind() == "Kustomization" && it.name() != "sources") {
        let environment = settings(&it.cluster)["ENVIRONMENT"].as_str().unwrap().to_owned();
        let path = it.object["spec"]["path"].as_str().unwrap();
        assert!(path.split('/').any(|part| part == environment), "{}: {} takes {path}", it.cluster, it.name());
        let source = if it.cluster == "dev-local" { "OCIRepository" } else { "GitRepository" };
        assert_eq!(it.object["spec"]["sourceRef"]["kind"], source, "{}: {}", it.cluster, it.name());
    }
}

#[test]
fn flux_takes_cilium_over_with_the_values_that_clusters_boot_with() {
    let release = yaml("flux/infrastructure/base/controllers/cilium/helmrelease.yaml");
    assert_eq!(release["spec"]["values"], yaml("talos/cilium-values.yaml"));
    let namespace_and_name = (&release["metadata"]["namespace"], &release["spec"]["releaseName"]);
    assert_eq!(namespace_and_name, (&Json::from("kube-system"), &Json::from("cilium")));
    assert!(read("talos/patches/common/cilium.yaml").contains("namespace: kube-system\n"));
}
