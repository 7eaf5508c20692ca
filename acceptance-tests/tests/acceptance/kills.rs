//! A kill at any call of an apply: the next apply finishes with exactly one of everything.

use std::time::Duration;

use acceptance_tests::ledger::{Matcher, Outcome};
use acceptance_tests::terraform::{Kind, Workspace, process};
use tokio::sync::{oneshot, watch};

use crate::checks;
use crate::configuration::Configuration;
use crate::world::{Cloud, World};

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Provider,
    Terraform,
}

/// A provider whose Terraform is gone is gone within this.
const PROVIDER_OUTLIVES: Duration = Duration::from_secs(1);

/// Kills at ten calls of the apply, evenly spread and the first and the last among them: those of `which`, so that two tests
/// share the ten.
async fn finishes_after_kills(
    (kind, cloud): (Kind, Cloud),
    victim: Victim,
    which: impl Fn(usize) -> bool,
    configuration: impl Fn(&World) -> Configuration,
) {
    let Some(world) = World::on(cloud).await else { return };
    let configuration = configuration(&world);
    let ledger = world.ledger();

    // An undisturbed run says how many calls there are and what one of everything is.
    let workspace = world.workspace(kind, &configuration);
    workspace.plan().await.unwrap().has_changes();
    let before = ledger.newest();
    workspace.apply_plan().await.unwrap().succeeds();
    let mut calls = ledger.calls_after(before);
    let one_of_everything = world.inventory().await.counts();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;

    for point in (0..10).filter(|&point| which(point)) {
        // Polling makes the number of calls vary a little from run to run, and some are given up. A run in which the call never
        // came to its answer tells anew which calls there are.
        let mut tries = 0;
        let (place, workspace) = loop {
            tries += 1;
            assert!(tries <= 5, "in five runs in a row the call never came to its answer");
            let index = (calls.len() - 1) * point / 9;
            let call = &calls[index];
            let place = format!(
                "{victim:?} killed at call {} of {} ({:?} {} {})",
                index + 1,
                calls.len(),
                call.plane,
                call.service,
                call.action
            );
            eprintln!("{place}");
            let workspace = world.workspace(kind, &configuration);
            workspace.plan().await.unwrap().has_changes();
            let before = ledger.newest();
            let Some(provider) = kill_at(&world, &workspace, victim, before + 1 + index as u64).await else {
                calls = ledger.calls_after(before);
                // A call whose client went away before the answer was due kills nobody.
                let missed = calls.get(index).is_none_or(|call| call.outcome == Outcome::Open);
                assert!(missed, "{place}: the call was answered, and nobody was killed");
                workspace.destroy().await.unwrap().succeeds();
                continue;
            };
            if victim == Victim::Terraform {
                let took = process::gone(provider, PROVIDER_OUTLIVES).await;
                assert!(took.is_some(), "{place}: the provider outlives its Terraform by more than {PROVIDER_OUTLIVES:?}");
            }
            break (place, workspace);
        };

        let up = world.inventory().await.machines();
        let second = workspace.apply().await.unwrap();
        assert_eq!(second.code, Some(0), "{place}: {}", second.report());
        let now = world.inventory().await;
        assert_eq!(now.counts(), one_of_everything, "{place}: exactly one of everything");
        assert!(
            now.machines().is_superset(&up),
            "{place}: machines that were up were made again: {up:?} became {:?}",
            now.machines()
        );
        checks::one_etcd_cluster(&world).await;
        workspace.plan().await.unwrap().is_empty_plan();
        workspace.destroy().await.unwrap().succeeds();
        world.is_empty().await;
    }
}

fn even(point: usize) -> bool {
    point.is_multiple_of(2)
}

fn odd(point: usize) -> bool {
    !even(point)
}

/// Applies the saved plan and kills as the answer to the call with this number is due, which is lost. Gives the provider's
/// process id, or `None` if the apply ended before that call.
async fn kill_at(world: &World, workspace: &Workspace, victim: Victim, number: u64) -> Option<u32> {
    let (terraform, mut started) = watch::channel(None);
    let (killed, was_killed) = oneshot::channel();
    world.ledger().on_answer(Matcher::number(number), true, move |_| async move {
        let terraform: u32 = started.wait_for(Option::is_some).await.unwrap().unwrap();
        let provider = process::provider_of(terraform).unwrap();
        process::kill(if victim == Victim::Provider { provider } else { terraform }).unwrap();
        killed.send(provider).unwrap();
    });
    let run = workspace.start(&["apply", "-json", "plan"]).unwrap();
    terraform.send(Some(run.process())).unwrap();
    let outcome = run.finish(workspace.limit()).await.unwrap();
    // Takes the hook back, if it is still there, and with it the sender.
    world.ledger().clear();
    let provider = was_killed.await.ok();
    assert_eq!(outcome.code == Some(0), provider.is_none(), "{}", outcome.report());
    provider
}

/// Core forgets what a provider keeps beside the row when that is killed in an update, the cluster's secrets among it.
async fn changed_patches_reach_every_node_after_a_kill(kind: Kind, cloud: Cloud) {
    let Some(world) = World::on(cloud).await else { return };
    let configuration = world.cluster();
    let workspace = world.workspace(kind, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let machines = world.inventory().await.machines();
    let patched = configuration.with_cluster(|it| {
        it.extra = "config_patches = [yamlencode({ machine = { sysctls = { \"vm.max_map_count\" = \"262144\" } } })]".to_owned();
    });
    workspace.write("main.tf", &patched.hcl()).unwrap();
    let (terraform, mut started) = watch::channel(None);
    // The dry run and the change of the first node, the dry run of the second.
    world.ledger().on_answer(Matcher::talos("ApplyConfiguration").after(3), true, move |_| async move {
        let terraform: u32 = started.wait_for(Option::is_some).await.unwrap().unwrap();
        process::kill(process::provider_of(terraform).unwrap()).unwrap();
    });
    let run = workspace.start(&["apply", "-json", "-auto-approve"]).unwrap();
    terraform.send(Some(run.process())).unwrap();
    assert_ne!(run.finish(workspace.limit()).await.unwrap().code, Some(0));
    world.ledger().clear();

    workspace.apply().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();
    assert_eq!(world.inventory().await.machines(), machines, "no machine was made or lost");
    checks::one_etcd_cluster(&world).await;
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_patches_reach_every_node_after_the_provider_was_killed() {
    changed_patches_reach_every_node_after_a_kill(Kind::Terraform, Cloud::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_patches_reach_every_node_on_docker_after_the_provider_was_killed() {
    changed_patches_reach_every_node_after_a_kill(Kind::OpenTofu, Cloud::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::Terraform, Cloud::Aws), Victim::Provider, even, World::region).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_whose_terraform_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::OpenTofu, Cloud::Aws), Victim::Terraform, odd, World::region).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::OpenTofu, Cloud::Aws), Victim::Provider, even, World::cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_terraform_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::Terraform, Cloud::Aws), Victim::Terraform, odd, World::cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::Terraform, Cloud::Aws), Victim::Provider, |point| point % 3 == 0, World::backup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_on_docker_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::Terraform, Cloud::Docker), Victim::Provider, even, World::cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_on_docker_whose_terraform_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::OpenTofu, Cloud::Docker), Victim::Terraform, odd, World::cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_on_docker_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills((Kind::OpenTofu, Cloud::Docker), Victim::Provider, |point| point % 3 == 0, World::backup).await;
}
