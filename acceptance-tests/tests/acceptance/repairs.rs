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

#[tokio::test(flavor = "multi_thread")]
async fn an_api_load_balancer_that_somebody_deleted_is_made_again_and_every_node_is_told() {
    let world = World::start().await;
    let (workspace, _) = with_a_cluster(&world).await;
    let machines = world.inventory().await.machines();
    let before = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    checks::balancers(&world, "[elb.delete_load_balancer(LoadBalancerArn=b['LoadBalancerArn']) for b in elb.describe_load_balancers()['LoadBalancers'] if 'demo-api' in b['LoadBalancerName']]").await;

    let plan = workspace.plan().await.unwrap().has_changes();
    assert_eq!(plan.planned().into_iter().collect::<Vec<_>>(), [("inferadb_cluster.demo".to_owned(), "update".to_owned())]);
    workspace.apply_plan().await.unwrap().succeeds();
    let after = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    assert_ne!(before["endpoint"], after["endpoint"]);
    assert_ne!(before["kubeconfig"], after["kubeconfig"]);
    assert_eq!(world.inventory().await.machines(), machines, "no machine was made again");
    assert_eq!(checks::node_objects(&after).await.len(), 5, "the new kubeconfig leads to the cluster");
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_quorum_is_said_in_the_plan_and_the_cluster_can_still_be_let_go() {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr());
    let protected = configuration.clone().with_cluster(|it| it.extra = "deletion_protection = true".to_owned());
    let workspace = world.workspace(Kind::OpenTofu, &protected);
    workspace.apply().await.unwrap().succeeds();
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    for name in ["control-plane-0", "control-plane-2"] {
        let instance = cluster["nodes"][name]["instance_id"].as_str().unwrap();
        checks::ec2(&world, &format!("terminate_instances(InstanceIds=['{instance}'])")).await;
    }
    workspace.apply().await.unwrap().fails().says(&["has lost its quorum", "1 of its 3 control-plane machines"]);

    workspace.write("main.tf", &configuration.hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
