//! `inferadb_region`, from nothing to nothing.

use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Workspace};
use acceptance_tests::world::SandboxConfig;

use crate::configuration::Configuration;
use crate::world::{self, World};

async fn lives_and_goes(kind: Kind) {
    let world = World::start().await;
    let configuration = Configuration::region(world.cidr()).with(|it| {
        it.region_extra = r#"
  dns {
    zone     = "inferadb.com"
    record   = "api"
    failover = "PRIMARY"
    health_check {
      path              = "/healthz"
      failure_threshold = 3
      request_interval  = 10
    }
  }
"#
        .to_owned();
    });
    // Here `init` is a real one; the other tests take the provider as built.
    let workspace = Workspace::new(world::tool(kind), Install::Mirror, world.aws().env()).unwrap();
    workspace.write("main.tf", &configuration.hcl()).unwrap();
    let init = workspace.init().await.unwrap();
    assert_eq!(init.code, Some(0), "{}", init.report());

    workspace.apply().await.unwrap().succeeds();
    let region = workspace.attributes("inferadb_region.nyc1").await.unwrap();
    assert_eq!(region["id"], "test/aws/us-east-1/nyc1");
    workspace.plan().await.unwrap().is_empty_plan();
    let world_now = world.inventory().await;
    assert_eq!(world_now.of("vpc").len(), 1, "{world_now:#?}");

    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_made_replanned_empty_and_destroyed_by_terraform() {
    lives_and_goes(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_made_replanned_empty_and_destroyed_by_opentofu() {
    lives_and_goes(Kind::OpenTofu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_not_replaced_under_what_stands_in_it() {
    let world = World::start().await;
    let configuration = Configuration::backup(world.cidr());
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let before = world.ledger().newest();
    let smaller = configuration.with(|it| it.cidr_block = it.cidr_block.replace("/16", "/17"));
    workspace.write("main.tf", &smaller.hcl()).unwrap();
    workspace.plan().await.unwrap().fails().says(&[
        "in use and cannot be replaced",
        "`cidr_block`",
        "`inferadb_fdb_backup` `inferadb-test-fdb-backup`",
    ]);
    let changes: Vec<_> = world.ledger().calls_after(before).into_iter().filter(world::is_change).collect();
    // The first refresh marks what it finds as held by a state; nothing else.
    assert!(changes.iter().all(|call| call.action.ends_with("Tags") || call.action.ends_with("Tagging")), "{changes:#?}");

    workspace.write("main.tf", &smaller.with(|it| it.backup = None).hcl()).unwrap();
    workspace.run(&["destroy", "-auto-approve", "-target=inferadb_fdb_backup.demo"]).await.unwrap();
    workspace.plan().await.unwrap().has_changes();
    workspace.apply_plan().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_without_a_refresh_replaces_its_own_region() {
    let world = World::start().await;
    let configuration = Configuration::region(world.cidr());
    let workspace = world.workspace(Kind::OpenTofu, &configuration);
    workspace.apply().await.unwrap().succeeds();
    // This refresh marks the network as held by a state.
    workspace.plan().await.unwrap().is_empty_plan();
    let smaller = configuration.with(|it| it.cidr_block = it.cidr_block.replace("/16", "/17"));
    workspace.write("main.tf", &smaller.hcl()).unwrap();
    workspace.run(&["apply", "-json", "-auto-approve", "-refresh=false"]).await.unwrap().succeeds();
    assert_eq!(world.inventory().await.of("vpc").len(), 1);
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_lacks_our_machine_types_is_passed_over() {
    let mut config = SandboxConfig::default();
    // The old zone of `us-east-1` has another letter in each account.
    config.aws.swapped_zones = Some(("us-east-1b".to_owned(), "us-east-1e".to_owned()));
    let world = World::start_with(config).await;
    let workspace = world.workspace(Kind::Terraform, &Configuration::region(world.cidr()));
    workspace.apply().await.unwrap().succeeds();
    let region = workspace.attributes("inferadb_region.nyc1").await.unwrap();
    assert_eq!(region["zones"], serde_json::json!(["us-east-1a", "us-east-1c", "us-east-1d"]));
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
