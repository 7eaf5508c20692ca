//! Who reaches a cluster, and what a node that goes takes along.

use std::collections::BTreeSet;
use std::time::Duration;

use acceptance_tests::ledger::Call;
use acceptance_tests::terraform::Kind;
use acceptance_tests::world::SandboxConfig;

use crate::configuration::Configuration;
use crate::world::World;

/// Ranges that the API load balancer's port 6443 is open to.
const OPEN: &str = r#"
groups = boto3.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["*api*"]}])["SecurityGroups"]
rules = [rule for group in groups for rule in group["IpPermissions"] if rule.get("FromPort") == 6443]
print(",".join(sorted(range["CidrIp"] for rule in rules for range in rule["IpRanges"])))
"#;

async fn open(world: &World) -> BTreeSet<String> {
    world.person(OPEN).await.split(',').map(str::to_owned).collect()
}

/// The range, and each node's public address.
async fn with_nodes(world: &World, range: &str) -> BTreeSet<String> {
    let addresses = r#"
for reservation in boto3.client("ec2").describe_instances()["Reservations"]:
    for instance in reservation["Instances"]:
        if "PublicIpAddress" in instance:
            print(instance["PublicIpAddress"] + "/32")
"#;
    let nodes = world.person(addresses).await;
    nodes.lines().map(str::to_owned).chain([range.to_owned()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_let_in_to_an_api_that_is_not_open_to_everybody() {
    let world = World::start().await;
    let cluster = |workers: u32, ranges: &str| {
        Configuration::cluster(world.cidr()).with_cluster(|it| {
            it.control_plane = 1;
            it.workers = workers;
            it.extra = format!("kubernetes_api_allowed_cidrs = [{ranges}]");
        })
    };
    // Terraform is here too.
    let workspace = world.workspace(Kind::Terraform, &cluster(2, "\"127.0.0.1/32\""));
    workspace.apply().await.unwrap().succeeds();
    assert_eq!(open(&world).await.len(), 4);
    assert_eq!(open(&world).await, with_nodes(&world, "127.0.0.1/32").await);
    workspace.plan().await.unwrap().is_empty_plan();

    workspace.write("main.tf", &cluster(1, "\"127.0.0.1/32\"").hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    assert_eq!(open(&world).await.len(), 3, "the way of the node that went is shut");
    assert_eq!(open(&world).await, with_nodes(&world, "127.0.0.1/32").await);
    workspace.plan().await.unwrap().is_empty_plan();

    workspace.write("main.tf", &cluster(1, "\"0.0.0.0/0\"").hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();
    assert_eq!(open(&world).await, BTreeSet::from(["0.0.0.0/0".to_owned()]));
    workspace.plan().await.unwrap().is_empty_plan();
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_terminated_once_the_ingress_has_let_go_of_it() {
    const DRAINING: Duration = Duration::from_secs(4);
    let mut config = SandboxConfig::default();
    config.aws.timing.deregistration = DRAINING;
    let world = World::start_with(config).await;
    let cluster = |workers: u32| {
        Configuration::cluster(world.cidr()).with_cluster(|it| {
            it.control_plane = 1;
            it.workers = workers;
            it.extra = "ingress = true".to_owned();
        })
    };
    let workspace = world.workspace(Kind::Terraform, &cluster(2));
    workspace.apply().await.unwrap().succeeds();
    let before = world.ledger().newest();
    workspace.write("main.tf", &cluster(1).hcl()).unwrap();
    workspace.apply().await.unwrap().succeeds();

    let calls = world.ledger().calls_after(before);
    let last = |action: &str| -> &Call { calls.iter().rfind(|call| call.action == action).unwrap() };
    let (out, end) = (last("DeregisterTargets"), last("TerminateInstances"));
    assert!(end.at >= out.at + DRAINING, "let go at {:?}, terminated at {:?}", out.at, end.at);
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
