//! Calls that are dropped on their way, later each time, by clients that remember nothing: in the end there is exactly one
//! of everything, and then nothing. Needs `AWS_ENDPOINT_URL`, as `whole_life.rs` does.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clouds::aws::AwsSettings;
use clouds::{
    BackupSpec, BackupState, Claim, Cloud, ClusterSpec, ClusterState, Kind, MachineRole, MachineSpec, RegionSpec, RegionState,
    ReplicaSpec, Result, RootDisk, Scope,
};
use zeroize::Zeroizing;

/// How much longer each try may last, and how many tries there are at most.
const STEP: Duration = Duration::from_millis(25);
const TRIES: u32 = 400;

async fn cloud() -> Arc<dyn Cloud> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    // Without, it would be whatever account the credentials of this machine lead to.
    assert!(std::env::var_os("AWS_ENDPOINT_URL").is_some(), "AWS_ENDPOINT_URL is not set: run it by scripts/with-sandbox.sh");
    clouds::aws::connect("us-east-1", AwsSettings::default()).await.expect("settings")
}

fn scope() -> Scope {
    Scope { environment: "abandoned".to_owned(), region: "nyc1".to_owned() }
}

fn cidr() -> ipnet::Ipv4Net {
    let all = std::env::var("SANDBOX_NETWORK").unwrap_or_else(|_| "127.79.0.0/16".to_owned());
    let all: ipnet::Ipv4Net = all.parse().expect("SANDBOX_NETWORK");
    all.subnets(all.prefix_len() + 2).expect("room").nth(2).expect("four quarters")
}

/// Tries until one try ends by itself; each is dropped after a while, and each has a client and a claim of its own.
async fn until_done<T, F>(what: &str, attempt: impl Fn(Arc<dyn Cloud>, Claim) -> F) -> (T, Claim)
where
    F: Future<Output = Result<T>> + Send,
{
    for number in 1..=TRIES {
        let (cloud, claim) = (cloud().await, Claim::random());
        if let Ok(done) = tokio::time::timeout(STEP * number, attempt(cloud, claim.clone())).await {
            eprintln!("{what}: done at try {number}");
            return (done.expect("a try that was not dropped"), claim);
        }
    }
    panic!("{what}: not done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_is_gone_on_from() {
    let spec = RegionSpec {
        scope: scope(),
        cidr: cidr(),
        zones: Vec::new(),
        ingress_allowed_cidrs: vec!["0.0.0.0/0".parse().unwrap()],
        dns: None,
        ports: BTreeMap::new(),
        tags: BTreeMap::new(),
    };
    let (region, region_claim) = until_done("region", |cloud, claim| {
        let spec = spec.clone();
        async move { cloud.apply_region(&spec, &claim, None, &|_: &RegionState| ()).await }
    })
    .await;
    assert_eq!(region.drift, Vec::<String>::new());
    let seen = cloud().await;
    let roots = seen.roots(Kind::Region).await.unwrap();
    assert_eq!(roots.iter().filter(|root| root.scope == scope()).count(), 1);

    let spec = ClusterSpec {
        scope: scope(),
        name: "prod".to_owned(),
        region: region.clone(),
        kubernetes_api_allowed_cidrs: vec!["0.0.0.0/0".parse().unwrap()],
        talos_api_allowed_cidrs: vec!["0.0.0.0/0".parse().unwrap()],
        tags: BTreeMap::new(),
    };
    let (cluster, claim) = until_done("cluster", |cloud, claim| {
        let (spec, region) = (spec.clone(), region.clone());
        async move {
            let cluster = cloud.apply_cluster(&spec, &claim, None, &|_: &ClusterState| ()).await?;
            cloud.allow_ingress(&cluster, &region, true).await?;
            let image = cloud.image("v1.13.9", "amd64", None).await?;
            for index in 0..3u32 {
                // Another config at each try, as certificates make it: EC2 then refuses the token, and the machine is found.
                let spec = MachineSpec {
                    role: MachineRole::Worker,
                    pool: "general".to_owned(),
                    index,
                    replaces: None,
                    machine_type: "t3.medium".to_owned(),
                    subnet_id: region.subnets[index as usize].id.clone(),
                    image_id: image.id.clone(),
                    root_disk: RootDisk { size_gib: 20, volume_type: "gp3".to_owned() },
                    user_data: Zeroizing::new(format!("# {claim}\n").into_bytes()),
                    bundle_fingerprint: "0123456789abcdef".to_owned(),
                    metadata_hop_limit: 1,
                    tags: BTreeMap::new(),
                };
                cloud.create_machine(&scope(), "prod", &cluster, &spec).await?;
            }
            Ok(cluster)
        }
    })
    .await;
    let seen = cloud().await;
    let machines = seen.machines(&cluster.security_group_id).await.unwrap();
    let indexes: Vec<u32> = machines.iter().map(|machine| machine.index).collect();
    assert_eq!(indexes, [0, 1, 2], "one of each");

    let (id, claim) = (cluster.security_group_id, claim);
    until_done("cluster's end", |cloud, _| {
        let (id, claim) = (id.clone(), claim.clone());
        async move { cloud.delete_cluster(&id, &claim).await }
    })
    .await;
    let (id, claim) = (region.network_id, region_claim);
    until_done("region's end", |cloud, _| {
        let (id, claim) = (id.clone(), claim.clone());
        async move { cloud.delete_region(&id, &claim).await }
    })
    .await;
    let seen = cloud().await;
    assert!(!seen.roots(Kind::Region).await.unwrap().iter().any(|root| root.scope == scope()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_store_that_was_dropped_is_gone_on_from() {
    let spec = BackupSpec {
        scope: scope(),
        name: "inferadb-test-abandoned".to_owned(),
        noncurrent_days: 7,
        abort_incomplete_days: 1,
        archive_after_days: None,
        retention_days: None,
        replica: Some(ReplicaSpec { provider_region: "us-west-1".to_owned(), name: "inferadb-test-abandoned-copy".to_owned() }),
        tags: BTreeMap::new(),
    };
    let (state, claim) = until_done("backup", |cloud, claim| {
        let spec = spec.clone();
        async move { cloud.apply_backup(&spec, &claim, None, &|_: &BackupState| ()).await }
    })
    .await;
    assert!(state.versioning && state.encrypted && state.public_access_blocked && state.tls_only, "{state:?}");
    assert!(state.replica.is_some());
    until_done("backup's end", |cloud, _| {
        let (name, claim) = (spec.name.clone(), claim.clone());
        async move { cloud.delete_backup(&name, &claim, true).await }
    })
    .await;
    assert_eq!(cloud().await.root(Kind::Backup, &spec.name).await.unwrap(), None);
}
