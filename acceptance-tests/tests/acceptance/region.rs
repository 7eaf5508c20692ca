//! `inferadb_region`, from nothing to nothing.

use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Workspace};
use acceptance_tests::world::{Sandbox, SandboxConfig};

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
    let workspace = Workspace::new(world::tool(kind), Install::Mirror, world.sandbox.env()).unwrap();
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
async fn a_zone_that_lacks_our_machine_types_is_passed_over() {
    let mut config = SandboxConfig::default();
    // The old zone of `us-east-1` has another letter in each account.
    config.aws.swapped_zones = Some(("us-east-1b".to_owned(), "us-east-1e".to_owned()));
    let world = World { sandbox: Sandbox::start(config).await.unwrap() };
    let workspace = world.workspace(Kind::Terraform, &Configuration::region(world.cidr()));
    workspace.apply().await.unwrap().succeeds();
    let region = workspace.attributes("inferadb_region.nyc1").await.unwrap();
    assert_eq!(region["zones"], serde_json::json!(["us-east-1a", "us-east-1c", "us-east-1d"]));
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
