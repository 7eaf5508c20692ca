//! What somebody did to a cluster behind Terraform's back is seen by the plan and mended by the apply.

use acceptance_tests::terraform::{Kind, Workspace};

use crate::checks;
use crate::configuration::Configuration;
use crate::world::World;

/// A finished cluster, and the instance that is its node `general-0`.
async fn with_a_cluster(world: &World) -> (Workspace, String) {
    let workspace = world.workspace(Kind::Terraform, &Configuration::cluster(world.cidr()));
    workspace.apply().await.unwrap().succeeds();
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    let instance = cluster["nodes"]["general-0"]["instance_id"].as_str().unwrap().to_owned();
    (workspace, instance)
}

async fn is_mended(world: &World, workspace: &Workspace) {
    let planned = workspace.plan().await.unwrap().has_changes().planned();
    assert_eq!(planned.into_iter().collect::<Vec<_>>(), [("inferadb_cluster.demo".to_owned(), "update".to_owned())]);
    workspace.apply_plan().await.unwrap().succeeds();
    assert_eq!(world.inventory().await.machines().len(), 5);
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    assert_eq!(checks::node_objects(&cluster).await.len(), 5, "no Node object of a machine that is gone is left");
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_somebody_terminated_is_made_again() {
    let world = World::start().await;
    let (workspace, instance) = with_a_cluster(&world).await;
    checks::ec2(&world, &format!("terminate_instances(InstanceIds=['{instance}'])")).await;
    is_mended(&world, &workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_somebody_stopped_is_turned_on() {
    let world = World::start().await;
    let (workspace, instance) = with_a_cluster(&world).await;
    checks::ec2(&world, &format!("stop_instances(InstanceIds=['{instance}'])")).await;
    let machines = world.inventory().await.machines();
    assert!(machines.contains(&instance));
    is_mended(&world, &workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_node_that_somebody_terminated_is_made_again_and_joins() {
    let world = World::start().await;
    let (workspace, _) = with_a_cluster(&world).await;
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    let instance = cluster["nodes"]["control-plane-1"]["instance_id"].as_str().unwrap();
    checks::ec2(&world, &format!("terminate_instances(InstanceIds=['{instance}'])")).await;
    is_mended(&world, &workspace).await;
}
