//! `inferadb_fdb_backup`, from nothing to nothing.

use acceptance_tests::ledger::{Fault, Injection, Matcher};
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

fn with_replica(world: &World, replica: &str) -> Configuration {
    Configuration::backup(world.cidr()).with(|it| it.backup = Some(replica.to_owned()))
}

const NEAR: &str = "replica {\n    provider_region = \"us-west-1\"\n  }";
const FAR: &str = "replica {\n    provider_region = \"eu-west-2\"\n  }";
const FAR_BY_NAME: &str = "replica {\n    provider_region = \"eu-west-2\"\n    name            = \"inferadb-far\"\n  }";

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_taken_away_is_named_kept_taken_up_again_and_destroyed_at_last() {
    let world = World::start().await;
    let workspace = world.workspace(Kind::Terraform, &with_replica(&world, NEAR));
    workspace.apply().await.unwrap().succeeds();
    let former = async || workspace.attributes("inferadb_fdb_backup.demo").await.unwrap()["former_replicas"].clone();
    assert_eq!(former().await, serde_json::json!([]));

    workspace.write("main.tf", &with_replica(&world, "").hcl()).unwrap();
    workspace.plan().await.unwrap().has_changes().warns(&[
        "inferadb-test-fdb-backup-replica",
        "us-west-1",
        "is kept",
        "replication rule",
        "role/inferadb-replication-",
        "force_destroy",
    ]);
    workspace.apply_plan().await.unwrap().succeeds();
    assert_eq!(former().await, serde_json::json!(["us-west-1/inferadb-test-fdb-backup-replica"]));
    let left = world.inventory().await.counts();
    assert_eq!((left["bucket"], left.get("role")), (2, None), "{left:?}");
    workspace.plan().await.unwrap().is_empty_plan();

    let before = world.ledger().newest();
    workspace.write("main.tf", &with_replica(&world, FAR).hcl()).unwrap();
    workspace.plan().await.unwrap().fails().says(&["inferadb-test-fdb-backup-replica", "stands in `us-west-1` already", "name"]);
    world.unchanged_since(before);

    workspace.write("main.tf", &with_replica(&world, FAR_BY_NAME).hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    workspace.write("main.tf", &with_replica(&world, NEAR).hcl()).unwrap();
    workspace.plan().await.unwrap().has_changes().warns(&["Bucket `inferadb-far` in `eu-west-2` is kept"]);
    workspace.apply_plan().await.unwrap().succeeds();
    assert_eq!(world.inventory().await.of("bucket").len(), 3, "the first replica serves again");
    assert_eq!(former().await, serde_json::json!(["eu-west-2/inferadb-far"]));
    workspace.plan().await.unwrap().is_empty_plan();

    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

/// Refuses a call in the middle of a change of the replica, which then is as after a kill there, and applies again.
async fn goes_on_after_each_refusal(to: &str, calls: &[(&str, &str)]) {
    let world = World::start().await;
    for (service, action) in calls {
        let workspace = world.workspace(Kind::OpenTofu, &with_replica(&world, NEAR));
        workspace.apply().await.unwrap().succeeds();
        workspace.write("main.tf", &with_replica(&world, to).hcl()).unwrap();
        let fault = Fault::Refuse { code: "NotToday".to_owned(), message: "the test has it so".to_owned() };
        let denied = world.ledger().inject(Matcher::cloud(*service, *action), Injection::Fault(fault), None);
        workspace.apply().await.unwrap().fails().says(&["NotToday"]);
        world.ledger().withdraw(denied);
        workspace.plan().await.unwrap().has_changes();
        workspace.apply_plan().await.unwrap().succeeds();
        workspace.plan().await.unwrap().is_empty_plan();
        let backup = workspace.attributes("inferadb_fdb_backup.demo").await.unwrap();
        assert_eq!(backup["former_replicas"][0], "us-west-1/inferadb-test-fdb-backup-replica", "{action}: {backup}");
        assert_eq!(backup["replica_bucket"].is_null(), to.is_empty(), "{action}: {backup}");
        let roles = world.inventory().await.counts().get("role").copied().unwrap_or_default();
        assert_eq!(roles, usize::from(!to.is_empty()), "{action}");
        workspace.destroy().await.unwrap().succeeds();
        world.is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_half_removed_is_removed_by_the_next_apply() {
    let calls =
        [("s3", "DeleteBucketReplication"), ("iam", "DeleteRolePolicy"), ("iam", "DeleteRole"), ("s3", "PutBucketTagging")];
    goes_on_after_each_refusal("", &calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_half_moved_is_moved_by_the_next_apply() {
    let calls = [("s3", "PutBucketTagging"), ("s3", "CreateBucket"), ("iam", "PutRolePolicy"), ("s3", "PutBucketReplication")];
    goes_on_after_each_refusal(FAR_BY_NAME, &calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archiving_for_less_than_the_class_bills_is_warned_about() {
    let world = World::start().await;
    let configuration = Configuration::backup(world.cidr())
        .with(|it| it.backup = Some("archive_after_days = 7\n  retention_days = 30".to_owned()));
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.plan().await.unwrap().has_changes().warns(&["archive_after_days"]).warns(&["fdbbackup expire"]);
}

/// As FoundationDB does: through S3's own API.
async fn put_an_object(world: &World, bucket: &str) {
    let python = acceptance_tests::python::interpreter().await.unwrap();
    let script = "import boto3, sys\nboto3.client('s3').put_object(Bucket=sys.argv[1], Key='backup', Body=b'x')";
    let mut put = tokio::process::Command::new(python);
    let output = put.args(["-c", script, bucket]).envs(world.aws().env()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_a_backup_in_it_goes_only_where_force_destroy_was_applied_before() {
    let world = World::start().await;
    let configuration = Configuration::backup(world.cidr());
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.apply().await.unwrap().succeeds();
    let bucket = world.inventory().await.of("bucket")[0].id.clone();
    put_an_object(&world, &bucket).await;
    workspace.destroy().await.unwrap().fails().says(&[&bucket, "force_destroy"]);
    assert_eq!(world.inventory().await.of("bucket").len(), 1);

    let forced = configuration.with(|it| it.backup = Some("force_destroy = true".to_owned()));
    workspace.write("main.tf", &forced.hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
