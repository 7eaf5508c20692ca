//! A cloud that refuses: its own message, what exists in state, and an apply that goes on from there.

use acceptance_tests::terraform::Kind;

use crate::checks;
use crate::configuration::Configuration;
use crate::world::World;

async fn goes_on_after_a_raised_quota(kind: Kind, lifecycle: &str) {
    let world = World::start().await;
    let configuration = Configuration::cluster(world.cidr()).with_cluster(|cluster| cluster.extra = lifecycle.to_owned());
    let workspace = world.workspace(kind, &configuration);

    world.aws().set_instance_quota(Some(3));
    workspace.apply().await.unwrap().fails().says(&["VcpuLimitExceeded", "current vCPU limit of 6"]);
    let kept = world.inventory().await.machines();
    assert_eq!(kept.len(), 3, "three machines were made before the refusal");
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    assert_eq!(cluster["status"], "unfinished", "what exists stands in the state: {cluster}");

    world.aws().set_instance_quota(None);
    workspace.plan().await.unwrap().has_changes().warns(&["3 of 5 nodes exist and are kept"]);
    workspace.apply_plan().await.unwrap().succeeds();
    let now = world.inventory().await;
    assert_eq!(now.machines().len(), 5);
    assert!(now.machines().is_superset(&kept), "kept: {kept:?}, now: {:?}", now.machines());
    checks::one_etcd_cluster(&world).await;
    workspace.plan().await.unwrap().is_empty_plan();

    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_refusal_keeps_what_exists_and_the_next_apply_finishes() {
    goes_on_after_a_raised_quota(Kind::Terraform, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_refusal_keeps_what_exists_under_create_before_destroy() {
    goes_on_after_a_raised_quota(Kind::OpenTofu, "lifecycle {\n    create_before_destroy = true\n  }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_after_a_quota_refusal_leaves_nothing() {
    let world = World::start().await;
    let workspace = world.workspace(Kind::OpenTofu, &Configuration::cluster(world.cidr()));
    world.aws().set_instance_quota(Some(3));
    workspace.apply().await.unwrap().fails();
    assert_eq!(world.inventory().await.machines().len(), 3);
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_yields_the_clouds_own_message() {
    let world = World::start().await;
    let workspace = world.workspace(Kind::Terraform, &Configuration::region(world.cidr()));
    let denied = world.aws().deny("elasticloadbalancing", "CreateLoadBalancer");
    workspace
        .apply()
        .await
        .unwrap()
        .fails()
        .says(&["AccessDenied", "is not authorized to perform: elasticloadbalancing:CreateLoadBalancer"]);
    world.ledger().withdraw(denied);
    let vpc = world.inventory().await.of("vpc")[0].id.clone();
    workspace.apply().await.unwrap().succeeds();
    assert_eq!(world.inventory().await.of("vpc")[0].id, vpc, "the network that stood is kept");
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tainted_finished_cluster_is_really_replaced() {
    let world = World::start().await;
    let workspace = world.workspace(Kind::Terraform, &Configuration::cluster(world.cidr()));
    workspace.apply().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();
    let before = world.inventory().await;

    let taint = workspace.run(&["taint", "inferadb_cluster.demo"]).await.unwrap();
    assert_eq!(taint.code, Some(0), "{}", taint.report());
    workspace.apply().await.unwrap().succeeds();
    let after = world.inventory().await;
    assert!(after.machines().is_disjoint(&before.machines()), "no machine of the old cluster is in the new one");
    assert_eq!(after.counts(), before.counts());
    assert_eq!(after.of("vpc")[0].id, before.of("vpc")[0].id, "the region is not touched");
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
