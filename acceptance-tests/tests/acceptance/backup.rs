//! `inferadb_fdb_backup`, from nothing to nothing.

use acceptance_tests::terraform::Kind;

use crate::configuration::Configuration;
use crate::world::World;

async fn lives_and_goes(kind: Kind) {
    let world = World::start().await;
    let configuration = Configuration::backup(world.cidr()).with(|it| {
        it.backup = Some("noncurrent_days = 7\n  replica {\n    provider_region = \"us-west-1\"\n  }".to_owned());
    });
    let workspace = world.workspace(kind, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let backup = workspace.attributes("inferadb_fdb_backup.demo").await.unwrap();
    assert!(backup["url"].as_str().unwrap().starts_with("blobstore://"), "{backup}");
    assert_eq!(world.inventory().await.of("bucket").len(), 2, "the bucket and its replica");
    workspace.plan().await.unwrap().is_empty_plan();

    let longer = configuration.with(|it| {
        it.backup = Some("noncurrent_days = 14\n  replica {\n    provider_region = \"us-west-1\"\n  }".to_owned());
    });
    workspace.write("main.tf", &longer.hcl()).unwrap();
    let change = workspace.plan().await.unwrap().has_changes();
    assert_eq!(change.planned().get("inferadb_fdb_backup.demo").map(String::as_str), Some("update"));
    workspace.apply_plan().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();

    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_changed_in_place_and_destroyed_by_terraform() {
    lives_and_goes(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_changed_in_place_and_destroyed_by_opentofu() {
    lives_and_goes(Kind::OpenTofu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archiving_for_less_than_the_class_bills_is_warned_about() {
    let world = World::start().await;
    let configuration = Configuration::backup(world.cidr())
        .with(|it| it.backup = Some("archive_after_days = 7\n  retention_days = 30".to_owned()));
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.plan().await.unwrap().has_changes().warns(&["archive_after_days"]).warns(&["fdbbackup expire"]);
}
