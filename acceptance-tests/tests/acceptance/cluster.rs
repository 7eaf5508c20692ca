//! `inferadb_cluster`, from nothing to nothing.

use std::collections::BTreeSet;

use acceptance_tests::ledger::Matcher;
use acceptance_tests::terraform::Kind;

use crate::checks;
use crate::configuration::Configuration;
use crate::world::{World, took_effect};

async fn lives_and_goes(kind: Kind) {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr());
    let workspace = world.workspace(kind, &configuration);

    workspace.apply().await.unwrap().succeeds();
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    assert_eq!(cluster["id"], "test/nyc1/demo");
    assert_eq!(cluster["status"], "ready");
    let nodes = cluster["nodes"].as_object().unwrap();
    let names: Vec<&str> = nodes.keys().map(String::as_str).collect();
    assert_eq!(names, ["control-plane-0", "control-plane-1", "control-plane-2", "general-0", "general-1"]);
    let zones: BTreeSet<&str> =
        nodes.iter().filter(|(_, node)| node["role"] == "control-plane").filter_map(|(_, node)| node["zone"].as_str()).collect();
    assert_eq!(zones.len(), 3, "the control plane is spread over three zones");
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
    lives_and_goes(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_scaled_in_place_and_destroyed_by_opentofu() {
    lives_and_goes(Kind::OpenTofu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_patch_is_applied_in_place_to_every_node() {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr());
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let machines = world.inventory().await.machines();

    let patched = configuration.with_cluster(|it| {
        it.extra = "config_patches = [yamlencode({ machine = { sysctls = { \"vm.max_map_count\" = \"262144\" } } })]".to_owned();
    });
    workspace.write("main.tf", &patched.hcl()).unwrap();
    let planned = workspace.plan().await.unwrap().has_changes().planned();
    assert_eq!(planned.into_iter().collect::<Vec<_>>(), [("inferadb_cluster.demo".to_owned(), "update".to_owned())]);
    let before = world.sandbox.ledger().newest();
    workspace.apply_plan().await.unwrap().succeeds();
    let applied: BTreeSet<String> = world
        .sandbox
        .ledger()
        .calls_after(before)
        .into_iter()
        .filter(|call| Matcher::talos("ApplyConfiguration").fits(call) && took_effect(call))
        .map(|call| call.service)
        .collect();
    assert_eq!(applied, machines, "every node was given the patched config");
    assert_eq!(world.inventory().await.machines(), machines, "no machine was made or lost");
    workspace.plan().await.unwrap().is_empty_plan();
    checks::talos_takes_all_configs(&world);
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
