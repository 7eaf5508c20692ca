//! Two copies of one environment directory do not fight over one cluster.

use acceptance_tests::terraform::Kind;

use crate::configuration::Configuration;
use crate::world::World;

async fn second_directory_is_told_to_import(kind: Kind, configuration: impl Fn(&World) -> Configuration, import: &str) {
    let world = World::start().await;
    let first = world.workspace(kind, &configuration(&world));
    first.apply().await.unwrap().succeeds();
    // The refresh of this plan is what shows the cloud that the rows are in a state.
    first.plan().await.unwrap().is_empty_plan();
    let standing = world.inventory().await;

    let second = first.copy().unwrap();
    second.plan().await.unwrap().fails().says(&["import", import]).says(&["create_before_destroy"]);
    assert_eq!(world.inventory().await.counts(), standing.counts());
    assert_eq!(world.inventory().await.machines(), standing.machines());

    first.plan().await.unwrap().is_empty_plan();
    first.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_directories_is_told_to_import_the_region() {
    second_directory_is_told_to_import(Kind::Terraform, |world| Configuration::region(world.cidr()), "inferadb_region").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_directories_is_told_to_import_the_cluster() {
    // With the region imported already, only the cluster is in question.
    let world = World::start().await;
    let first = world.workspace(Kind::OpenTofu, &Configuration::cluster(world.cidr()));
    first.apply().await.unwrap().succeeds();
    first.plan().await.unwrap().is_empty_plan();
    let machines = world.inventory().await.machines();

    let second = first.copy().unwrap();
    let import = second.run(&["import", "-no-color", "inferadb_region.nyc1", "test/nyc1"]).await.unwrap();
    assert_eq!(import.code, Some(0), "{}{}", import.stdout, import.stderr);
    let id = "test/aws/us-east-1/nyc1/demo";
    second.plan().await.unwrap().fails().says(&["terraform import inferadb_cluster.", id]);
    assert_eq!(world.inventory().await.machines(), machines);
}
