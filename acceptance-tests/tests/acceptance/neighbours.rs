//! What others do in the same account stays theirs, and does not keep ours from being made, changed and removed.

use acceptance_tests::terraform::Kind;

use crate::configuration::Configuration;
use crate::world::World;

/// A bucket whose policy keeps everybody from reading its tags.
const CLOSED: &str = r#"
s3 = boto3.client("s3")
s3.create_bucket(Bucket="somebody-elses")
statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetBucketTagging", "Resource": "arn:aws:s3:::somebody-elses"}
s3.put_bucket_policy(Bucket="somebody-elses", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
"#;

const OPENED: &str = r#"
s3 = boto3.client("s3")
s3.delete_bucket_policy(Bucket="somebody-elses")
s3.delete_bucket(Bucket="somebody-elses")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_does_not_tell_its_tags_keeps_no_region_from_being_removed() {
    let world = World::start().await;
    world.person(CLOSED).await;
    let workspace = world.workspace(Kind::Terraform, &Configuration::region(world.cidr()));
    workspace.apply().await.unwrap().succeeds();
    workspace.destroy().await.unwrap().succeeds();
    world.person(OPENED).await;
    world.is_empty().await;
}

/// A lifecycle rule, and a replication rule to a bucket of their own by the role that the console offers: ours.
const RULES: &str = r#"
s3 = boto3.client("s3")
s3.create_bucket(Bucket="archive-of-others")
s3.put_bucket_versioning(Bucket="archive-of-others", VersioningConfiguration={"Status": "Enabled"})
time.sleep(1)
bucket = "inferadb-test-fdb-backup"
found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
logs = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}}
s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [logs] + found})
copying = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
archive = {"ID": "archive", "Status": "Enabled", "Priority": 7, "Filter": {"Prefix": ""},
           "DeleteMarkerReplication": {"Status": "Disabled"}, "Destination": {"Bucket": "arn:aws:s3:::archive-of-others"}}
copying["Rules"].insert(0, archive)
s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=copying)
"#;

const RULE_IDS: &str = r#"
s3 = boto3.client("s3")
bucket = "inferadb-test-fdb-backup"
rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
rules += s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
print(",".join(sorted(rule["ID"] for rule in rules)))
"#;

const EMPTIED: &str = r#"
boto3.client("s3").delete_bucket(Bucket="archive-of-others")
for role in boto3.client("iam").list_roles()["Roles"]:
    if role["RoleName"].startswith("inferadb-replication-"):
        iam = boto3.client("iam")
        iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="replicate")
        time.sleep(1)
        iam.delete_role(RoleName=role["RoleName"])
"#;

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_others_on_a_backup_store_stay() {
    let world = World::start().await;
    let configuration = Configuration::backup(world.cidr()).with(|it| {
        it.backup = Some("noncurrent_days = 7\n  replica {\n    provider_region = \"us-west-1\"\n  }".to_owned());
    });
    let workspace = world.workspace(Kind::Terraform, &configuration);
    workspace.apply().await.unwrap().succeeds();
    world.person(RULES).await;
    workspace.plan().await.unwrap().is_empty_plan();

    let longer = configuration.clone().with(|it| {
        it.backup = Some("noncurrent_days = 14\n  replica {\n    provider_region = \"us-west-1\"\n  }".to_owned());
    });
    workspace.write("main.tf", &longer.hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    assert_eq!(world.person(RULE_IDS).await, "archive,inferadb-noncurrent,inferadb-replica,logs");

    let alone = configuration.with(|it| it.backup = Some("noncurrent_days = 14".to_owned()));
    workspace.write("main.tf", &alone.hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    assert_eq!(world.person(RULE_IDS).await, "archive,inferadb-noncurrent,logs");
    workspace.destroy().await.unwrap().succeeds();
    world.person(EMPTIED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tags_than_a_health_check_takes_are_warned_about_and_come_to_an_end() {
    let world = World::start().await;
    let region = |count: usize| {
        let tags: Vec<String> = (0..count).map(|number| format!("    \"team:{number}\" = \"é {number}\"\n")).collect();
        let tags = tags.concat();
        Configuration::region(world.cidr()).with(|it| {
            it.region_extra = format!(
                "tags = {{\n{tags}  }}\n  ingress_allowed_cidrs = [\"203.0.113.0/24\"]\n  dns {{\n    zone   = \"inferadb.com\"\n    \
                 record = \"api\"\n    health_check {{\n    }}\n  }}\n"
            );
        })
    };
    let workspace = world.workspace(Kind::Terraform, &region(36));
    workspace.plan().await.unwrap().fails().says(&["at most 35"]);
    workspace.write("main.tf", &region(35).hcl()).unwrap();
    workspace.plan().await.unwrap().has_changes().warns(&["does not bear all tags"]).warns(&["ROUTE53_HEALTHCHECKS"]);
    workspace.apply().await.unwrap().succeeds();
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
