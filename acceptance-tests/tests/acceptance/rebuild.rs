//! Another Talos on a cloud whose nodes cannot upgrade themselves: other containers on the same volumes, one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use acceptance_tests::docker_engine;
use acceptance_tests::ledger::{Call, Matcher};
use acceptance_tests::terraform::{Kind, Workspace, process};
use serde_json::Value as Json;
use tokio::sync::watch;

use crate::checks;
use crate::configuration::Configuration;
use crate::world::{Cloud, World};

/// The version that the first image holds, and the one that the second does.
const BEFORE: &str = "v1.12.0";

/// A cluster of the older version; `None` where there is no engine, or only the image of one version.
async fn older() -> Option<(World, Configuration, Configuration)> {
    let world = World::on(Cloud::Docker).await?;
    let after = world.cluster();
    let Ok(image) = std::env::var("INFERADB_TEST_OLDER_TALOS_IMAGE") else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: another Talos on Docker: INFERADB_TEST_OLDER_TALOS_IMAGE names no image of {BEFORE}"
        );
        return None;
    };
    let before = after.clone().with_cluster(|it| {
        BEFORE.clone_into(&mut it.talos_version);
        it.image = Some(image);
    });
    Some((world, before, after))
}

fn versions(cluster: &Json) -> BTreeSet<String> {
    let nodes = cluster["nodes"].as_object().unwrap();
    nodes.values().map(|node| node["talos_version"].as_str().unwrap().to_owned()).collect()
}

fn addresses(cluster: &Json) -> BTreeMap<String, String> {
    let nodes = cluster["nodes"].as_object().unwrap();
    nodes.iter().map(|(name, node)| (name.clone(), node["private_ip"].as_str().unwrap().to_owned())).collect()
}

async fn cluster(workspace: &Workspace) -> Json {
    workspace.attributes("inferadb_cluster.demo").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_talos_on_docker_is_other_containers_on_the_same_volumes_one_at_a_time() {
    let Some((world, before, after)) = older().await else { return };
    let workspace = world.workspace(Kind::Terraform, &before);
    workspace.apply().await.unwrap().succeeds();
    let old = cluster(&workspace).await;
    assert_eq!(versions(&old), [BEFORE.to_owned()].into());
    let (machines, nodes) = (world.inventory().await.machines(), world.node_ids().await);

    workspace.write("main.tf", &after.hcl()).unwrap();
    let plan = workspace.plan().await.unwrap().has_changes();
    plan.warns(&[
        "5 nodes to be made again from the image of v1.13.9, one at a time",
        "on the disks and addresses that they have",
    ]);
    let begun = world.ledger().newest();
    workspace.apply_plan().await.unwrap().succeeds();
    let new = cluster(&workspace).await;
    assert_eq!(versions(&new), ["v1.13.9".to_owned()].into());
    assert_eq!(addresses(&new), addresses(&old), "addresses stay");
    assert_eq!(new["config_contract"], BEFORE, "the contract stays for life");
    assert!(world.inventory().await.machines().is_disjoint(&machines), "every container is another one");
    assert_eq!(world.node_ids().await, nodes, "every node is the same one: its volumes are");
    one_at_a_time(&world.ledger().calls_after(begun));
    checks::one_etcd_cluster(&world).await;
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

/// Claims that no container was stopped before the one that was stopped before it had another in its place.
#[track_caller]
fn one_at_a_time(calls: &[Call]) {
    let steps: Vec<&str> = calls
        .iter()
        .filter(|call| call.service == docker_engine::SERVICE)
        .map(|call| call.action.as_str())
        .filter(|action| ["POST /containers/stop", "POST /containers/start"].contains(action))
        .collect();
    assert_eq!(steps.len(), 10, "{steps:?}");
    assert!(steps.chunks(2).all(|pair| pair == ["POST /containers/stop", "POST /containers/start"]), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_talos_that_was_killed_is_finished_by_the_next_apply() {
    let Some((world, before, after)) = older().await else { return };
    let before = before.with_cluster(|it| it.workers = 1);
    let after = after.with_cluster(|it| it.workers = 1);
    // A container set aside and still on, one that is off, and one whose successor runs beside it.
    for at in ["POST /containers/rename", "POST /containers/stop", "POST /containers/start"] {
        eprintln!("killed at {at}");
        let workspace = world.workspace(Kind::OpenTofu, &before);
        workspace.apply().await.unwrap().succeeds();
        let nodes = world.node_ids().await;
        workspace.write("main.tf", &after.hcl()).unwrap();
        let (terraform, mut started) = watch::channel(None);
        world.ledger().on_answer(Matcher::cloud(docker_engine::SERVICE, at), true, move |_| async move {
            let terraform: u32 = started.wait_for(Option::is_some).await.unwrap().unwrap();
            process::kill(process::provider_of(terraform).unwrap()).unwrap();
        });
        let run = workspace.start(&["apply", "-json", "-auto-approve"]).unwrap();
        terraform.send(Some(run.process())).unwrap();
        assert_ne!(run.finish(workspace.limit()).await.unwrap().code, Some(0));
        world.ledger().clear();

        workspace.apply().await.unwrap().succeeds();
        assert_eq!(world.node_ids().await, nodes, "every node is the same one");
        assert_eq!(versions(&cluster(&workspace).await), ["v1.13.9".to_owned()].into());
        assert_eq!(world.inventory().await.machines().len(), 4, "no container is left aside");
        checks::one_etcd_cluster(&world).await;
        workspace.plan().await.unwrap().is_empty_plan();
        workspace.destroy().await.unwrap().succeeds();
        world.is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talos_that_does_not_follow_is_an_error_of_the_plan() {
    let Some((world, before, after)) = older().await else { return };
    let one = |configuration: Configuration| configuration.with_cluster(|it| (it.control_plane, it.workers) = (1, 0));
    let (before, after) = (one(before), one(after));
    let workspace = world.workspace(Kind::Terraform, &before);
    workspace.apply().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();
    let begun = world.ledger().newest();
    let same_image =
        before.clone().with_cluster(|it| it.talos_version.clone_from(&after.cluster.as_ref().unwrap().talos_version));
    workspace.write("main.tf", &same_image.hcl()).unwrap();
    workspace.plan().await.unwrap().fails().says(&["`image` is not one of Talos v1.13.9"]);
    let too_far = after.clone().with_cluster(|it| "v1.14.1".clone_into(&mut it.talos_version));
    workspace.write("main.tf", &too_far.hcl()).unwrap();
    workspace.plan().await.unwrap().fails().says(&["Talos cannot go from v1.12.0 to v1.14.1 in one step"]);
    workspace.write("main.tf", &after.hcl()).unwrap();
    workspace.plan().await.unwrap().has_changes().warns(&["the Kubernetes API is down while its only control-plane node is"]);
    world.unchanged_since(begun);
    workspace.write("main.tf", &before.hcl()).unwrap();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
