//! A kill at any call of an apply: the next apply finishes with exactly one of everything.

use std::time::Duration;

use acceptance_tests::ledger::Matcher;
use acceptance_tests::terraform::workspace::LIMIT;
use acceptance_tests::terraform::{Kind, process};
use tokio::sync::{oneshot, watch};

use crate::checks;
use crate::configuration::Configuration;
use crate::world::World;

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
    kind: Kind,
    victim: Victim,
    which: impl Fn(usize) -> bool,
    configuration: impl Fn(&World) -> Configuration,
) {
    let world = World::start().await;
    let configuration = configuration(&world);
    let ledger = world.sandbox.ledger();

    // An undisturbed run says how many calls there are and what one of everything is.
    let workspace = world.workspace(kind, &configuration);
    workspace.plan().await.unwrap().has_changes();
    let before = ledger.newest();
    workspace.apply_plan().await.unwrap().succeeds();
    let calls = ledger.calls_after(before);
    let one_of_everything = world.inventory().await.counts();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;

    let last = calls.len() - 1;
    for point in (0..10).filter(|&point| which(point)) {
        let index = last * point / 9;
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
        // Polling makes the count vary a little from run to run; the last call is found by what it is.
        let matcher = if index == last {
            let earlier = calls[..last].iter().filter(|other| other.plane == call.plane && other.action == call.action).count();
            Matcher { plane: Some(call.plane), action: Some(call.action.clone()), ..Matcher::any() }
                .after(u32::try_from(earlier).unwrap())
        } else {
            Matcher::number(ledger.newest() + 1 + index as u64)
        };
        let (terraform, mut started) = watch::channel(None);
        let (killed, was_killed) = oneshot::channel();
        ledger.on_answer(matcher, true, move |_| async move {
            let terraform: u32 = started.wait_for(Option::is_some).await.unwrap().unwrap();
            let provider = process::provider_of(terraform);
            if let Some(target) = match victim {
                Victim::Provider => provider,
                Victim::Terraform => Some(terraform),
            } {
                process::kill(target).unwrap();
                let _ = killed.send(provider);
            }
        });
        let run = workspace.start(&["apply", "-json", "plan"]).unwrap();
        terraform.send(Some(run.process())).unwrap();
        let outcome = run.finish(LIMIT).await.unwrap();
        let provider = was_killed.await.unwrap_or_else(|_| panic!("{place}: the call never came: {}", outcome.report()));
        assert_ne!(outcome.code, Some(0), "{place}: {}", outcome.report());
        if let (Victim::Terraform, Some(provider)) = (victim, provider) {
            let took = process::gone(provider, PROVIDER_OUTLIVES).await;
            assert!(took.is_some(), "{place}: the provider outlives its Terraform by more than {PROVIDER_OUTLIVES:?}");
        }

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
        ledger.clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills(Kind::Terraform, Victim::Provider, |point| point % 2 == 0, |world| Configuration::region(world.cidr()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_whose_terraform_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills(Kind::OpenTofu, Victim::Terraform, |point| point % 2 == 1, |world| Configuration::region(world.cidr()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills(Kind::OpenTofu, Victim::Provider, |point| point % 2 == 0, |world| Configuration::cluster(world.cidr()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_terraform_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills(
        Kind::Terraform,
        Victim::Terraform,
        |point| point % 2 == 1,
        |world| Configuration::cluster(world.cidr()),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_provider_was_killed_is_finished_by_the_next_apply() {
    finishes_after_kills(Kind::Terraform, Victim::Provider, |point| point % 3 == 0, |world| Configuration::backup(world.cidr()))
        .await;
}
