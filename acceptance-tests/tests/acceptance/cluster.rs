//! `inferadb_cluster`, from nothing to nothing.

use std::collections::BTreeSet;

use acceptance_tests::ledger::{Call, Matcher};
use acceptance_tests::terraform::Kind;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::checks;
use crate::configuration::Configuration;
use crate::world::{Cloud, World, took_effect};

async fn lives_and_goes(kind: Kind, cloud: Cloud) {
    let Some(world) = World::on(cloud).await else { return };
    let configuration = world.cluster();
    let workspace = world.workspace(kind, &configuration);

    workspace.apply().await.unwrap().succeeds();
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    assert_eq!(cluster["id"], configuration.cluster_id());
    assert_eq!(cluster["status"], "ready");
    let nodes = cluster["nodes"].as_object().unwrap();
    let names: Vec<&str> = nodes.keys().map(String::as_str).collect();
    assert_eq!(names, ["control-plane-0", "control-plane-1", "control-plane-2", "general-0", "general-1"]);
    let zones: BTreeSet<&str> =
        nodes.iter().filter(|(_, node)| node["role"] == "control-plane").filter_map(|(_, node)| node["zone"].as_str()).collect();
    let wanted = if cloud == Cloud::Aws { 3 } else { 1 };
    assert_eq!(zones.len(), wanted, "the control plane is spread over the zones that there are");
    checks::one_etcd_cluster(&world).await;
    workspace.plan().await.unwrap().is_empty_plan();

    // Up in place …
    let first = world.inventory().await.machines();
    workspace.write("main.tf", &configuration.clone().with_cluster(|it| it.workers = 3).hcl()).unwrap();
    let planned = workspace.plan().await.unwrap().has_changes().planned();
    assert_eq!(planned.into_iter().collect::<Vec<_>>(), [("inferadb_cluster.demo".to_owned(), "update".to_owned())]);
    workspace.apply_plan().await.unwrap().succeeds();
    let grown = world.inventory().await.machines();
    assert!(grown.is_superset(&first) && grown.len() == 6, "{first:?} grew to {grown:?}");
    workspace.plan().await.unwrap().is_empty_plan();

    // … and down again, the newest first.
    workspace.write("main.tf", &configuration.clone().with_cluster(|it| it.workers = 1).hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    let shrunk = world.inventory().await.machines();
    assert!(shrunk.is_subset(&first) && shrunk.len() == 4, "{grown:?} shrank to {shrunk:?}");
    workspace.plan().await.unwrap().is_empty_plan();

    checks::talos_takes_all_configs(&world);
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_scaled_in_place_and_destroyed_by_terraform() {
    lives_and_goes(Kind::Terraform, Cloud::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_scaled_in_place_and_destroyed_by_opentofu() {
    lives_and_goes(Kind::OpenTofu, Cloud::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_scaled_in_place_and_destroyed_by_terraform_on_docker() {
    lives_and_goes(Kind::Terraform, Cloud::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_scaled_in_place_and_destroyed_by_opentofu_on_docker() {
    lives_and_goes(Kind::OpenTofu, Cloud::Docker).await;
}

async fn a_patch_changes_in_place(kind: Kind, cloud: Cloud) {
    let Some(world) = World::on(cloud).await else { return };
    let configuration = world.cluster();
    let workspace = world.workspace(kind, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let machines = world.inventory().await.machines();

    let patched = configuration.with_cluster(|it| {
        it.extra = "config_patches = [yamlencode({ machine = { sysctls = { \"vm.max_map_count\" = \"262144\" } } })]".to_owned();
    });
    workspace.write("main.tf", &patched.hcl()).unwrap();
    let planned = workspace.plan().await.unwrap().has_changes().planned();
    assert_eq!(planned.into_iter().collect::<Vec<_>>(), [("inferadb_cluster.demo".to_owned(), "update".to_owned())]);
    let before = world.ledger().newest();
    workspace.apply_plan().await.unwrap().succeeds();
    let applied: BTreeSet<String> = world
        .ledger()
        .calls_after(before)
        .into_iter()
        .filter(|call| Matcher::talos("ApplyConfiguration").fits(call) && took_effect(call))
        .map(|call| call.service)
        .collect();
    assert_eq!(applied, world.node_ids().await, "every node was given the patched config");
    assert_eq!(world.inventory().await.machines(), machines, "no machine was made or lost");
    workspace.plan().await.unwrap().is_empty_plan();
    checks::talos_takes_all_configs(&world);
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_patch_is_applied_in_place_to_every_node() {
    a_patch_changes_in_place(Kind::Terraform, Cloud::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_patch_is_applied_in_place_to_every_node_on_docker() {
    a_patch_changes_in_place(Kind::OpenTofu, Cloud::Docker).await;
}

async fn a_patch_reboots(kind: Kind, cloud: Cloud) {
    let Some(world) = World::on(cloud).await else { return };
    let configuration = world.cluster().with_cluster(|it| it.workers = 1);
    let workspace = world.workspace(kind, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let machines = world.inventory().await.machines();

    let file = r#"{ path = "/var/etc/note", content = "x", op = "create", permissions = 420 }"#;
    let patched = configuration
        .with_cluster(|it| it.extra = format!("config_patches = [yamlencode({{ machine = {{ files = [{file}] }} }})]"));
    workspace.write("main.tf", &patched.hcl()).unwrap();
    let plan = workspace.plan().await.unwrap().has_changes();
    plan.warns(&["4 nodes to change and reboot, one at a time: control-plane-0, control-plane-1, control-plane-2, general-0"]);
    workspace.apply_plan().await.unwrap().succeeds();
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    assert!(cluster["nodes"].as_object().unwrap().values().all(|node| node["reboots"] == 1), "{}", cluster["nodes"]);
    if let Some(nodes) = world.nodes() {
        assert!(world.node_ids().await.iter().all(|node| nodes.boots(node) == 2), "each node has booted once more");
    }
    assert_eq!(world.inventory().await.machines(), machines, "no machine was made or lost");
    checks::one_etcd_cluster(&world).await;
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_takes_a_reboot_reboots_one_node_after_the_other() {
    a_patch_reboots(Kind::OpenTofu, Cloud::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_takes_a_reboot_restarts_one_container_on_docker_after_the_other() {
    a_patch_reboots(Kind::Terraform, Cloud::Docker).await;
}

/// A patch with an inline manifest that no compression makes small.
pub(crate) fn large_manifest(bytes: usize) -> String {
    let noise: String = (0_u32..).flat_map(|block| hex(&Sha256::digest(block.to_be_bytes()))).take(bytes).collect();
    let manifest =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: noise\n  namespace: kube-system\ndata:\n  noise: {noise}\n");
    let patch = json!({ "cluster": { "inlineManifests": [{ "name": "noise", "contents": manifest }] } });
    format!("config_patches = [jsonencode({patch})]")
}

fn hex(digest: &[u8]) -> Vec<char> {
    digest.iter().flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_too_large_for_user_data_follows_before_the_bootstrap() {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr()).with_cluster(|it| it.extra = large_manifest(60_000));
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.apply().await.unwrap().succeeds();

    let calls = world.ledger().calls_after(0);
    let at = |action: &str| {
        let fits = |call: &&Call| Matcher::talos(action).fits(call) && took_effect(call);
        calls.iter().filter(fits).map(|call| call.number).collect::<Vec<_>>()
    };
    let (applied, bootstrapped) = (at("ApplyConfiguration"), at("Bootstrap"));
    assert!(applied.iter().filter(|n| **n < bootstrapped[0]).count() >= 3, "{applied:?}, bootstrapped at {bootstrapped:?}");
    let configs = world.nodes().unwrap().configs();
    assert!(configs.iter().any(|config| config.contains("inlineManifests")), "the manifest never reached a node");
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.write("main.tf", &configuration.with_cluster(|it| it.workers = 3).hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();
    checks::talos_takes_all_configs(&world);
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_of_the_oldest_and_the_newest_talos_come_up() {
    for (talos, kubernetes) in [("v1.8.0", "1.31.14"), ("v1.14.1", "1.37.0")] {
        let world = World::start().await;
        let configuration = Configuration::cluster(world.cidr()).with_cluster(|it| {
            talos.clone_into(&mut it.talos_version);
            kubernetes.clone_into(&mut it.kubernetes_version);
        });
        let workspace = world.workspace(Kind::OpenTofu, &configuration);
        workspace.apply().await.unwrap().succeeds();
        let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
        assert_eq!(cluster["config_contract"], talos);
        workspace.plan().await.unwrap().is_empty_plan();
        workspace.destroy().await.unwrap().succeeds();
        world.is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_stand_in_the_zones_that_their_blocks_name() {
    let world = World::start().await;
    let pool =
        "worker_pool {\n name = \"edge\"\n count = 2\n machine_type = \"small\"\n zones = [\"us-east-1c\", \"us-east-1b\"]\n }";
    let configuration = Configuration::cluster(world.cidr()).with_cluster(|it| it.extra = pool.to_owned());
    let workspace = world.workspace(Kind::OpenTofu, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    assert_eq!(cluster["nodes"]["edge-0"]["zone"], "us-east-1b");
    assert_eq!(cluster["nodes"]["edge-1"]["zone"], "us-east-1c");

    // The order in which zones are written moves nothing.
    let turned = pool.replace("[\"us-east-1c\", \"us-east-1b\"]", "[\"us-east-1b\", \"us-east-1c\"]");
    workspace.write("main.tf", &configuration.with_cluster(|it| it.extra = turned).hcl()).unwrap();
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
