//! The patches under `talos/`: the provider's parser and Talos' own library read every one of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use talos::config::MachineConfig;
use talos::patch::Patch;
use talos::version::TalosVersion;

use crate::machinery::Machinery;
use crate::page::table;
use crate::tree::{files, folders, read};

/// The newest contract that the patches fit: from v1.14 on most of these settings are documents of their own.
const NEWEST_CONTRACT: u16 = 13;

/// Every patch, as `talos/README.md` lists it: path, nodes, environments.
fn listed() -> Vec<(String, String, String)> {
    let page = read("talos/README.md");
    let rows = table(&page, &["patch", "nodes", "environments"]);
    let path = |cell: &str| cell.split_once("](patches/").unwrap().1.trim_end_matches(')').to_owned();
    rows.into_iter().map(|row| (path(&row[0]), row[1].clone(), row[2].clone())).collect()
}

fn patch(path: &str) -> String {
    read(&format!("talos/patches/{path}"))
}

/// A config to patch, as the library generates it for a contract.
fn generated(machinery: &mut Machinery, contract: u16, role: &str) -> String {
    let contract = format!("v1.{contract}");
    let secrets = machinery.ask(&json!({"op": "secrets", "contract": contract})).unwrap()["secrets"].clone();
    let question = json!({
        "op": "generate", "contract": contract, "secrets": secrets, "cluster": "c", "endpoint": "https://api.example.com:6443",
        "kubernetes": "1.35.4", "role": role, "disk": "/dev/xvda", "image": "ghcr.io/siderolabs/installer:v1",
    });
    machinery.ask(&question).unwrap()["config"].as_str().unwrap().to_owned()
}

#[test]
fn every_patch_is_listed() {
    let mut found: Vec<String> = Vec::new();
    for folder in folders("talos/patches") {
        found.extend(files(&format!("talos/patches/{folder}")).into_iter().map(|file| format!("{folder}/{file}")));
    }
    let mut listed: Vec<String> = listed().into_iter().map(|(path, ..)| path).collect();
    listed.sort();
    assert_eq!(listed, found);
}

#[test]
fn every_patch_is_read_by_the_parser_of_every_talos_that_it_fits() {
    for (path, ..) in listed() {
        for minor in TalosVersion::OLDEST_MINOR..=TalosVersion::NEWEST_MINOR {
            let version = TalosVersion::parse(&format!("v1.{minor}.0")).unwrap();
            assert_eq!(Patch::problems(&patch(&path), &version), Vec::new(), "{path} with Talos v1.{minor}");
        }
    }
}

#[test]
fn every_patch_makes_the_config_that_talos_library_makes_of_it() {
    for mut machinery in Machinery::all("every_patch_makes_the_config_that_talos_library_makes_of_it") {
        let version = TalosVersion::parse(&machinery.version).unwrap();
        for contract in TalosVersion::OLDEST_MINOR..=NEWEST_CONTRACT {
            for role in ["controlplane", "worker"] {
                let config = generated(&mut machinery, contract, role);
                for (path, nodes, _) in listed() {
                    if nodes == "control plane" && role == "worker" {
                        continue;
                    }
                    let theirs = machinery.patch(&config, &[&patch(&path)]).unwrap();
                    machinery.load(&theirs).unwrap_or_else(|error| panic!("{path} on contract v1.{contract}: {error}"));
                    let parsed = MachineConfig::parse(&config, &version).unwrap();
                    let ours = Patch::parse(&patch(&path), &version).unwrap().apply_to(&parsed).unwrap();
                    let ours = machinery.patch(ours.to_yaml(), &[]).unwrap();
                    assert!(ours == theirs, "{path} on contract v1.{contract}:\n{ours}\n{theirs}");
                }
            }
        }
    }
}

#[test]
fn the_patches_of_an_environment_go_together() {
    for mut machinery in Machinery::all("the_patches_of_an_environment_go_together") {
        for environment in ["dev", "staging", "production"] {
            for role in ["controlplane", "worker"] {
                let fits = |(_, nodes, environments): &(String, String, String)| {
                    (role == "controlplane" || nodes == "all")
                        && (environments == "all" || environments.split(", ").any(|it| it == environment))
                };
                let patches: Vec<String> = listed().iter().filter(|it| fits(it)).map(|(path, ..)| patch(path)).collect();
                let texts: Vec<&str> = patches.iter().map(String::as_str).collect();
                let config = generated(&mut machinery, NEWEST_CONTRACT, role);
                let config = machinery.patch(&config, &texts).unwrap();
                machinery.load(&config).unwrap_or_else(|error| panic!("{environment}, {role}: {error}"));
            }
        }
    }
}

#[test]
fn the_environments_give_the_patches_that_are_listed() {
    for environment in ["dev", "staging", "production"] {
        let main = read(&format!("terraform/environments/{environment}/main.tf"));
        let (all, control_plane) = main.split_once("control_plane_patches").unwrap();
        for (path, nodes, environments) in listed() {
            let wanted = environments == "all" || environments.split(", ").any(|it| it == environment);
            let given = |text: &str| text.contains(&format!("file(\"${{local.patches}}/{path}\")"));
            assert_eq!(given(all), wanted && nodes == "all", "{environment}: {path}");
            assert_eq!(given(control_plane), wanted && nodes == "control plane", "{environment}: {path}");
        }
    }
}

#[test]
fn talhelper_gets_productions_patches() {
    let talconfig: Json = serde_saphyr::from_str(&read("talos/talconfig.yaml")).unwrap();
    let given = |list: &Json| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().trim_start_matches("@./patches/").to_owned()).collect()
    };
    let wanted = |nodes: &str| -> Vec<String> {
        let mut paths: Vec<String> = listed()
            .into_iter()
            .filter(|(_, on, environments)| on == nodes && (environments == "all" || environments.contains("production")))
            .map(|(path, ..)| path)
            .collect();
        paths.sort();
        paths
    };
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(given(&talconfig["patches"])), wanted("all"));
    assert_eq!(sorted(given(&talconfig["controlPlane"]["patches"])), wanted("control plane"));
}

#[test]
fn talhelpers_cluster_has_productions_pools() {
    let talconfig: Json = serde_saphyr::from_str(&read("talos/talconfig.yaml")).unwrap();
    let nodes = talconfig["nodes"].as_array().unwrap();
    let of_pool = |pool: &str| nodes.iter().filter(|node| node["nodeLabels"]["inferadb.com/pool"] == pool).count();
    let rows = table(&read("docs/environment-parity.md"), &["aspect", "expression", "dev", "staging", "production"]);
    let said = |aspect: &str| rows.iter().find(|row| row[0] == aspect).unwrap()[4].parse::<usize>().unwrap();
    assert_eq!(nodes.iter().filter(|node| node["controlPlane"] == true).count(), said("control-plane nodes in each"));
    assert_eq!(of_pool("general"), said("workers in each"));
    assert_eq!(of_pool("database"), said("database nodes in each"));
    let tainted = |node: &&Json| node["patches"].to_string().contains("registerWithTaints");
    assert_eq!(nodes.iter().filter(tainted).count(), of_pool("database"));
}

#[test]
fn talhelpers_environment_sets_what_its_config_asks_for() {
    let config = read("talos/talconfig.yaml");
    let settings = config.lines().filter(|line| !line.trim_start().starts_with('#'));
    let asked: BTreeSet<String> = settings
        .flat_map(|line| line.split("${").skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect::<Vec<_>>())
        .collect();
    let values: BTreeMap<String, String> = serde_saphyr::from_str(&read("talos/talenv.yaml")).unwrap();
    assert_eq!(asked, values.into_keys().collect());
}

/// What talhelper's own schema has (`pkg/config/schemas/talconfig.json`), of what we write.
#[test]
fn talhelper_knows_every_key() {
    let talconfig: Json = serde_saphyr::from_str(&read("talos/talconfig.yaml")).unwrap();
    let keys = |value: &Json| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let all = [
        "allowSchedulingOnControlPlanes",
        "clusterName",
        "clusterPodNets",
        "clusterSvcNets",
        "controlPlane",
        "endpoint",
        "kubernetesVersion",
        "nodes",
        "patches",
        "talosVersion",
    ];
    assert!(keys(&talconfig).iter().all(|key| all.contains(&key.as_str())), "{:?}", keys(&talconfig));
    for node in talconfig["nodes"].as_array().unwrap() {
        let of_a_node = ["controlPlane", "hostname", "installDisk", "ipAddress", "nodeLabels", "patches"];
        assert!(keys(node).iter().all(|key| of_a_node.contains(&key.as_str())), "{node}");
    }
}

#[test]
fn talhelpers_own_patches_are_read_by_the_parser() {
    let version = TalosVersion::parse("v1.13.9").unwrap();
    let talconfig: Json = serde_saphyr::from_str(&read("talos/talconfig.yaml")).unwrap();
    for node in talconfig["nodes"].as_array().unwrap() {
        for patch in node["patches"].as_array().into_iter().flatten() {
            assert_eq!(Patch::problems(patch.as_str().unwrap(), &version), Vec::new(), "{node}");
        }
    }
}
