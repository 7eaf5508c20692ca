//! Each environment, with the files that it is applied from: only the address ranges are others.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use acceptance_tests::terraform::Kind;
use acceptance_tests::terraform::workspace::Install;
use serde_json::{Value as Json, json};

use crate::account::{FILE, in_an_account};
use crate::page::settings;
use crate::tree::{Tree, read};

const PRODUCTION: &str = "environments/production";
const STAGING: &str = "environments/staging";

/// How many nodes each pool of a region has.
fn pools(region: &Json) -> BTreeMap<String, usize> {
    let mut pools = BTreeMap::new();
    for node in region["nodes"].as_object().unwrap().values() {
        *pools.entry(node["pool"].as_str().unwrap_or("control-plane").to_owned()).or_default() += 1;
    }
    pools
}

fn sizes(control_plane: usize, general: usize, database: usize) -> BTreeMap<String, usize> {
    [("control-plane", control_plane), ("general", general), ("database", database)]
        .map(|(pool, nodes)| (pool.to_owned(), nodes))
        .into()
}

/// What a cluster is told, as it would be on AWS: the sandbox's store is at an address of its own, without TLS.
pub(crate) fn told_on_aws(told: &Json) -> BTreeMap<String, String> {
    let mut told: BTreeMap<String, String> = serde_json::from_value(told.clone()).unwrap();
    let url = told["FDB_BACKUP_URL"].strip_prefix("blobstore://@").unwrap();
    let what = url.split_once('/').unwrap().1.replace("secure_connection=0", "secure_connection=1");
    told.insert("FDB_BACKUP_URL".to_owned(), format!("blobstore://@s3.{}.amazonaws.com/{what}", told["PROVIDER_REGION"]));
    told
}

/// Claims that a cluster is told what the page says, but for the range that a test puts in its
/// network's place.
async fn is_told_what_the_page_says(tree: &Tree, environment: &str, region: &str, cluster: &str, network: &str) {
    let told = told_on_aws(&tree.output(environment, "cluster_settings").await[region]);
    let mut said = settings(&read("docs/environment-parity.md"), cluster);
    said.insert("NETWORK_CIDR".to_owned(), network.to_owned());
    assert_eq!(told, said, "{cluster}");
}

/// The address of a region's ingress.
fn ingress_of(region: &Json) -> Ipv4Addr {
    region["ingress_address"].as_str().unwrap().parse().unwrap()
}

/// The instances of a region's workers, which serve its ingress.
fn workers_of(region: &Json) -> Vec<String> {
    let nodes = region["nodes"].as_object().unwrap().values();
    nodes.filter(|node| !node["pool"].is_null()).map(|node| node["instance_id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the name stands for this address.
async fn answers_with(tree: &Tree, name: &str, address: Ipv4Addr) {
    let mut answer = Vec::new();
    let asked = tokio::time::timeout(Duration::from_mins(1), async {
        while answer != [address] {
            answer = tree.sandbox.aws().resolve(name).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let ended = asked.await;
    assert!(ended.is_ok(), "`{name}` stands for {answer:?} and not for {address}");
}

/// The primary's workers lose power, its health check fails, and clients get the secondary; and the primary again when the
/// workers are back.
async fn fails_over(tree: &Tree, regions: &Json) {
    // Load balancers listen on 443, which takes a right that not everybody has.
    if TcpListener::bind((Ipv4Addr::new(127, 255, 255, 1), 443)).is_err() {
        println!("skipped: failover between production's regions: port 443 cannot be listened on here");
        return;
    }
    let name = "api.inferadb.com";
    let (primary, secondary) = (&regions["nyc1"], &regions["sfo1"]);
    let nodes = tree.sandbox.nodes().unwrap();
    answers_with(tree, name, ingress_of(primary)).await;
    for worker in workers_of(primary) {
        nodes.crash(&worker);
    }
    answers_with(tree, name, ingress_of(secondary)).await;
    for worker in workers_of(primary) {
        nodes.revive(&worker);
    }
    answers_with(tree, name, ingress_of(primary)).await;
}

async fn production_lives_and_goes(kind: Kind) {
    let (tree, _cloud) = in_an_account(kind, Install::Override).await;
    let [first, second] = tree.ranges();
    tree.move_ranges(&format!("terraform/{PRODUCTION}/terraform.tfvars"), &[("10.10.0.0/16", &first), ("10.20.0.0/16", &second)]);
    tree.get(PRODUCTION).await;
    tree.apply(PRODUCTION, &[]).await.succeeds();

    let regions = tree.output(PRODUCTION, "regions").await;
    for (name, provider_region) in [("nyc1", "us-east-1"), ("sfo1", "us-west-2")] {
        let region = &regions[name];
        assert_eq!(region["region_id"], json!(format!("production/aws/{provider_region}/{name}")));
        assert_eq!(region["cluster_id"], json!(format!("production/{name}/prod-{name}")));
        assert_eq!(region["fqdn"], "api.inferadb.com", "one name for both");
        assert_eq!(pools(region), sizes(3, 3, 9));
        // Three halls of three machines.
        for zone in ["a", "b", "c"] {
            let zone = format!("{provider_region}{zone}");
            let nodes = region["nodes"].as_object().unwrap().values();
            assert_eq!(nodes.filter(|node| node["pool"] == "database" && node["zone"] == json!(zone)).count(), 3, "{zone}");
        }
    }
    is_told_what_the_page_says(&tree, PRODUCTION, "nyc1", "prod-nyc1", &first).await;
    is_told_what_the_page_says(&tree, PRODUCTION, "sfo1", "prod-sfo1", &second).await;
    assert_eq!(tree.output(PRODUCTION, "observability_buckets").await["sfo1"]["loki"], "inferadb-production-sfo1-loki");
    let secrets = tree.output(PRODUCTION, "secrets").await;
    assert_eq!(secrets["nyc1"]["thanos"], "inferadb/production/nyc1/thanos");
    assert_eq!(secrets["sfo1"]["fdb-backup"], "inferadb/production/sfo1/fdb-backup");
    assert_eq!(secrets["sfo1"]["cert-manager"], "inferadb/production/sfo1/cert-manager");
    assert_eq!(tree.count("record").await, 2, "a primary and a secondary");
    assert_eq!(tree.count("bucket").await, 4, "a backup store in each region, and a copy of each in the other");
    tree.plan(PRODUCTION, &[]).await.is_empty_plan();

    fails_over(&tree, &regions).await;
    tree.plan(PRODUCTION, &[]).await.is_empty_plan();

    tree.destroy(PRODUCTION, &[]).await.fails().says(&["deletion_protection"]);
    assert_eq!(tree.count("instance").await, 30, "protected");
    let unprotected = ["-var=deletion_protection=false"];
    tree.apply(PRODUCTION, &unprotected).await.succeeds();
    tree.destroy(PRODUCTION, &unprotected).await.succeeds();
    tree.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_made_replanned_empty_and_destroyed_by_terraform() {
    production_lives_and_goes(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_made_replanned_empty_and_destroyed_by_opentofu() {
    production_lives_and_goes(Kind::OpenTofu).await;
}

/// As FoundationDB does: through S3's own API.
async fn put_an_object(tree: &Tree, bucket: &str) {
    let python = acceptance_tests::python::interpreter().await.unwrap();
    let script = "import boto3, sys\nboto3.client('s3').put_object(Bucket=sys.argv[1], Key='backup', Body=b'x')";
    let mut put = tokio::process::Command::new(python);
    let output = put.args(["-c", script, bucket]).envs(tree.sandbox.env()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a cluster's resource was given, by the region of its stack.
async fn talos_api_ranges(tree: &Tree, environment: &str, region: &str) -> Json {
    let shown: Json = serde_json::from_str(&tree.run(environment, &["show", "-json"]).await.stdout).unwrap();
    let stacks = shown["values"]["root_module"]["child_modules"].as_array().unwrap();
    let modules = stacks.iter().filter_map(|stack| stack["child_modules"].as_array()).flatten();
    let address = format!("module.stack[\"{region}\"].module.cluster");
    let cluster = modules.into_iter().find(|module| module["address"] == json!(address)).unwrap();
    cluster["resources"][0]["values"]["talos_api_allowed_cidrs"].clone()
}

/// Staging, a drill with its second region, and staging again: the first region takes no notice.
async fn staging_holds_a_drill(kind: Kind) {
    let (tree, _cloud) = in_an_account(kind, Install::Override).await;
    let [first, second] = tree.ranges();
    tree.move_ranges(&format!("terraform/{STAGING}/terraform.tfvars"), &[("10.30.0.0/16", &first)]);
    tree.move_ranges(&format!("terraform/{STAGING}/drill.tfvars"), &[("10.30.0.0/16", &first), ("10.40.0.0/16", &second)]);
    tree.get(STAGING).await;
    tree.apply(STAGING, &[]).await.succeeds();
    let alone = tree.output(STAGING, "regions").await;
    assert_eq!(pools(&alone["nyc1"]), sizes(3, 2, 3));
    assert_eq!(talos_api_ranges(&tree, STAGING, "nyc1").await, json!(["127.0.0.0/8", first]), "the routers' way in, too");
    is_told_what_the_page_says(&tree, STAGING, "nyc1", "staging-nyc1", &first).await;
    tree.plan(STAGING, &[]).await.is_empty_plan();

    let drill = ["-var-file=drill.tfvars"];
    let begun = tree.apply(STAGING, &drill).await.succeeds();
    assert!(begun.planned().iter().all(|(address, action)| address.contains("sfo1") && action == "create"), "{}", begun.report());
    let both = tree.output(STAGING, "regions").await;
    assert_eq!(both["nyc1"], alone["nyc1"]);
    assert_eq!(pools(&both["sfo1"]), sizes(3, 2, 3));
    is_told_what_the_page_says(&tree, STAGING, "nyc1", "staging-nyc1", &first).await;
    is_told_what_the_page_says(&tree, STAGING, "sfo1", "staging-sfo1", &second).await;
    assert_eq!(tree.count("record").await, 2, "a primary and a secondary");
    put_an_object(&tree, "inferadb-staging-sfo1-fdb-backup").await;

    let over = tree.apply(STAGING, &[]).await.succeeds();
    assert!(over.planned().iter().all(|(address, action)| address.contains("sfo1") && action == "delete"), "{}", over.report());
    assert_eq!(tree.output(STAGING, "regions").await, alone);
    tree.plan(STAGING, &[]).await.is_empty_plan();
    tree.destroy(STAGING, &[]).await.succeeds();
    tree.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_holds_a_drill_with_terraform() {
    staging_holds_a_drill(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_holds_a_drill_with_opentofu() {
    staging_holds_a_drill(Kind::OpenTofu).await;
}

async fn regions_that_cannot_go_together_are_refused(tree: &Tree) {
    let plan = async |regions: &str| tree.plan(PRODUCTION, &[&format!("-var=regions={regions}")]).await.fails();
    let region = |number: u8, failover: &str| {
        let services = 200 + number;
        format!(
            r#"{{cidr_block="10.{number}.0.0/16",pod_cidr="10.1{number}.0.0/16",service_cidr="10.{services}.0.0/16",failover="{failover}"}}"#
        )
    };
    let (nyc1, sfo1) = (region(10, "PRIMARY"), region(20, "SECONDARY"));
    let meets = ["`regions` meet", "adding-regions"];
    plan(&format!("{{nyc1={nyc1},sfo1={}}}", region(10, "SECONDARY"))).await.says(&meets);
    // Pods of one region in the network of the other, and services in a larger range of pods.
    plan(&format!("{{nyc1={nyc1},sfo1={}}}", sfo1.replace("10.120.0.0/16", "10.10.128.0/20"))).await.says(&meets);
    plan(&format!("{{nyc1={nyc1},sfo1={}}}", sfo1.replace("10.120.0.0/16", "10.208.0.0/13"))).await.says(&meets);
    plan(&format!("{{nyc1={nyc1},sfo1={}}}", region(20, "PRIMARY"))).await.says(&["one `PRIMARY`"]);
    plan(&format!("{{nyc1={}}}", region(10, "SECONDARY"))).await.says(&["one `PRIMARY`"]);
    plan(&format!("{{fra1={nyc1}}}")).await.says(&["known are nyc1, sfo1", "adding-regions"]);
}

async fn who_may_reach_the_apis_has_to_be_said(tree: &Tree) {
    let none = tree.plan(PRODUCTION, &["-var=talos_api_allowed_cidrs=[]", "-var=kubernetes_api_allowed_cidrs=[]"]).await.fails();
    none.says(&["talos_api_allowed_cidrs", "at least one IPv4 range"]);
    let routers = tree.plan(PRODUCTION, &["-var=tailscale=null"]).await.fails();
    routers.says(&["`settings.TAILSCALE` and `tailscale`"]);
    fs::remove_file(tree.path().join("terraform").join(PRODUCTION).join(FILE)).unwrap();
    let unsaid = tree.plan(PRODUCTION, &["-input=false"]).await.fails();
    unsaid.says(&["kubernetes_api_allowed_cidrs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_at_plan() {
    let (tree, _cloud) = in_an_account(Kind::Terraform, Install::Override).await;
    tree.get(PRODUCTION).await;
    regions_that_cannot_go_together_are_refused(&tree).await;
    who_may_reach_the_apis_has_to_be_said(&tree).await;
}
