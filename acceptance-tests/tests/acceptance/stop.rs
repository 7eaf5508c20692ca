//! Ctrl-C in the middle of an apply.

use std::time::{Duration, Instant};

use acceptance_tests::docker_engine;
use acceptance_tests::ledger::Matcher;
use acceptance_tests::terraform::{Kind, process};
use tokio::sync::watch;

use crate::checks;
use crate::world::{Cloud, World};

/// An interrupted apply has ended within this.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// A terminal sends the signal to the whole group: to Terraform and to its provider.
async fn ends_soon_and_goes_on_later((kind, cloud): (Kind, Cloud), at: Matcher) {
    let Some(world) = World::on(cloud).await else { return };
    let workspace = world.workspace(kind, &world.cluster());
    let (terraform, mut started) = watch::channel(None);
    let (interrupted, mut interruption) = watch::channel(None);
    world.ledger().on_answer(at, false, move |_| async move {
        let terraform: u32 = started.wait_for(Option::is_some).await.unwrap().unwrap();
        process::interrupt_group(terraform).unwrap();
        interrupted.send(Some(Instant::now())).unwrap();
    });
    let run = workspace.start(&["apply", "-json", "-auto-approve"]).unwrap();
    terraform.send(Some(run.process())).unwrap();
    let outcome = run.finish(workspace.limit()).await.unwrap();
    let ended = Instant::now();
    // An apply that ended before that call leaves the hook, which nobody would hear of.
    world.ledger().clear();
    let at = interruption.wait_for(Option::is_some).await.unwrap().unwrap();
    assert_ne!(outcome.code, Some(0), "{}", outcome.report());
    assert!(ended - at < ENDS_WITHIN, "it ended after {:?}: {}", ended - at, outcome.report());

    let up = world.inventory().await.machines();
    workspace.apply().await.unwrap().succeeds();
    let now = world.inventory().await.machines();
    assert_eq!(now.len(), 5);
    assert!(now.is_superset(&up), "machines that were up were made again: {up:?} became {now:?}");
    checks::one_etcd_cluster(&world).await;
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_machines_are_bought_ends_in_two_seconds_and_the_next_apply_goes_on() {
    ends_soon_and_goes_on_later((Kind::Terraform, Cloud::Aws), Matcher::cloud("ec2", "RunInstances").after(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_after_bootstrap_ends_in_two_seconds_and_the_next_apply_goes_on() {
    ends_soon_and_goes_on_later((Kind::OpenTofu, Cloud::Aws), Matcher::talos("Bootstrap")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_containers_are_made_ends_in_two_seconds_and_the_next_apply_goes_on() {
    // The region's and the cluster's load balancer, and two nodes.
    let at = Matcher::cloud(docker_engine::SERVICE, "POST /containers/create").after(3);
    ends_soon_and_goes_on_later((Kind::OpenTofu, Cloud::Docker), at).await;
}
