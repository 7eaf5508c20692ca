//! A region, a cluster with machines and a backup store, from nothing to nothing, on whatever `AWS_ENDPOINT_URL` leads to:
//! the sandbox, or moto alone. `make unit` runs it:
//!
//! ```sh
//! scripts/with-sandbox.sh cargo test --workspace --test whole_life -- --nocapture
//! ```

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clouds::aws::AwsSettings;
use clouds::{
    BackupSpec, BackupState, Claim, Cloud, ClusterSpec, ClusterState, DnsSpec, Error, Failover, HealthCheckSpec, Kind,
    MachineRole, MachineSpec, MachineStatus, Mark, RegionSpec, RegionState, ReplicaSpec, RootDisk, Scope,
};
use zeroize::Zeroizing;

/// A zone that the sandbox has.
const ZONE: &str = "inferadb.com";

/// Half of the addresses that the sandbox answers for (any will do for others).
fn network(half: usize) -> String {
    let all = std::env::var("SANDBOX_NETWORK").unwrap_or_else(|_| "127.77.0.0/16".to_owned());
    let all: ipnet::Ipv4Net = all.parse().expect("SANDBOX_NETWORK");
    all.subnets(all.prefix_len() + 1).expect("room").nth(half).expect("two halves").to_string()
}

async fn cloud() -> Arc<dyn Cloud> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    // Without, it would be whatever account the credentials of this machine lead to.
    assert!(std::env::var_os("AWS_ENDPOINT_URL").is_some(), "AWS_ENDPOINT_URL is not set: run it by scripts/with-sandbox.sh");
    clouds::aws::connect("us-east-1", AwsSettings::default()).await.expect("settings")
}

fn scope(region: &str) -> Scope {
    Scope { environment: "test".to_owned(), region: region.to_owned() }
}

fn team(value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("team".to_owned(), value.to_owned())])
}

fn region_spec(name: &str, cidr: &str) -> RegionSpec {
    RegionSpec {
        scope: scope(name),
        cidr: cidr.parse().unwrap(),
        zones: Vec::new(),
        ingress_allowed_cidrs: vec!["0.0.0.0/0".parse().unwrap()],
        dns: Some(DnsSpec {
            zone: ZONE.to_owned(),
            record: format!("api-{name}"),
            failover: Some(Failover::Primary),
            health_check: Some(HealthCheckSpec { path: "/healthz".to_owned(), failure_threshold: 3, request_interval: 10 }),
        }),
        ports: BTreeMap::new(),
        tags: team("platform"),
    }
}

fn cluster_spec(region: &RegionState, scope: Scope) -> ClusterSpec {
    ClusterSpec {
        scope,
        name: "prod".to_owned(),
        region: region.clone(),
        kubernetes_api_allowed_cidrs: vec!["0.0.0.0/0".parse().unwrap()],
        talos_api_allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap(), "192.168.0.0/16".parse().unwrap()],
        tags: team("platform"),
    }
}

fn machine_spec(subnet: &str, image: &str, index: u32, replaces: Option<String>) -> MachineSpec {
    MachineSpec {
        role: MachineRole::ControlPlane,
        pool: String::new(),
        index,
        replaces,
        machine_type: "t3.medium".to_owned(),
        subnet_id: subnet.to_owned(),
        image_id: image.to_owned(),
        root_disk: RootDisk { size_gib: 20, volume_type: "gp3".to_owned() },
        user_data: Zeroizing::new(b"version: v1alpha1\n# not a config\n".to_vec()),
        bundle_fingerprint: "0123456789abcdef".to_owned(),
        metadata_hop_limit: 1,
        tags: team("platform"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_lives_and_goes() {
    let cloud = cloud().await;
    eprintln!("account {}", cloud.account().await.expect("account"));
    let spec = region_spec("nyc1", &network(0));
    let claim = Claim::random();
    let seen = AtomicUsize::new(0);
    let observer = |_: &RegionState| {
        seen.fetch_add(1, Ordering::SeqCst);
    };
    let first = cloud.apply_region(&spec, &claim, None, &observer).await.expect("apply");
    assert!(seen.load(Ordering::SeqCst) >= 4, "told of each object");
    assert_eq!(first.subnets.len(), 3);
    assert_eq!(first.drift, Vec::<String>::new());
    assert_eq!(first.tags, team("platform"));
    let ingress = first.ingress.as_ref().expect("ingress");
    assert_eq!(ingress.target_group_ids.len(), 2);
    assert_eq!(ingress.allowed_cidrs, spec.ingress_allowed_cidrs);
    let dns = first.dns.as_ref().expect("dns");
    assert_eq!((dns.failover, dns.health_check.clone()), (Some(Failover::Primary), spec.dns.clone().unwrap().health_check));

    // Again, and by a client that remembers nothing: the same things.
    let root = cloud.root(Kind::Region, &first.network_id).await.unwrap().expect("root");
    assert!(!root.finished && !root.in_state);
    let other = self::cloud().await;
    let again = other.apply_region(&spec, &claim, None, &|_: &RegionState| ()).await.expect("second apply");
    assert_eq!(again, first);

    cloud.mark(&root, &Mark::Finished).await.unwrap();
    cloud.mark(&root, &Mark::InState).await.unwrap();
    let root = cloud.root(Kind::Region, &first.network_id).await.unwrap().expect("root");
    assert!(root.finished && root.in_state);
    let stranger = Claim::random();
    let refused = cloud.apply_region(&spec, &stranger, Some(&root), &|_: &RegionState| ()).await;
    assert!(matches!(refused, Err(Error::ClaimMismatch { .. })), "{refused:?}");
    let refused = cloud.delete_region(&first.network_id, &stranger).await;
    assert!(matches!(refused, Err(Error::ClaimMismatch { .. })), "{refused:?}");

    // A change in place.
    let mut changed = spec.clone();
    changed.tags = team("other");
    changed.ingress_allowed_cidrs = vec!["10.0.0.0/8".parse().unwrap()];
    changed.dns.as_mut().unwrap().failover = None;
    let state = cloud.apply_region(&changed, &claim, Some(&root), &|_: &RegionState| ()).await.expect("change");
    assert_eq!(state.tags, team("other"));
    assert_eq!(state.ingress.as_ref().unwrap().allowed_cidrs, changed.ingress_allowed_cidrs);
    assert_eq!(state.dns.as_ref().unwrap().failover, None);
    assert_eq!(state.drift, Vec::<String>::new());
    assert_eq!(cloud.read_region(&first.network_id).await.unwrap(), Some(state));

    cloud.delete_region(&first.network_id, &claim).await.expect("delete");
    cloud.delete_region(&first.network_id, &claim).await.expect("deleting what is gone");
    assert_eq!(cloud.read_region(&first.network_id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_lives_and_goes() {
    let cloud = cloud().await;
    let spec = RegionSpec { dns: None, ..region_spec("sfo1", &network(1)) };
    let region_claim = Claim::random();
    let region = cloud.apply_region(&spec, &region_claim, None, &|_: &RegionState| ()).await.expect("region");

    let spec = cluster_spec(&region, scope("sfo1"));
    let claim = Claim::random();
    let cluster = cloud.apply_cluster(&spec, &claim, None, &|_: &ClusterState| ()).await.expect("cluster");
    assert_eq!(cluster.drift, Vec::<String>::new());
    assert_eq!(cluster.api_target_group_ids.len(), 2);
    assert_eq!(cluster.talos_api_allowed_cidrs, spec.talos_api_allowed_cidrs);
    let again = cloud.apply_cluster(&spec, &claim, None, &|_: &ClusterState| ()).await.expect("again");
    assert_eq!(again, cluster);
    cloud.allow_ingress(&cluster, &region, true).await.expect("allow");
    cloud.allow_ingress(&cluster, &region, true).await.expect("allow again");
    assert_eq!(cloud.read_cluster(&cluster.security_group_id).await.unwrap(), Some(cluster.clone()));

    let image = cloud.image("v1.13.9", "amd64", None).await.expect("image");
    assert_eq!(cloud.machine_type("t3.medium").await.unwrap().unwrap().vcpus, 2);
    assert_eq!(cloud.machine_type("t3.enormous").await.unwrap(), None);
    let scope = scope("sfo1");
    let specs: Vec<MachineSpec> =
        (0..3).map(|index| machine_spec(&region.subnets[index as usize].id, &image.id, index, None)).collect();
    let make = |spec: MachineSpec| {
        let (cloud, scope, cluster) = (Arc::clone(&cloud), scope.clone(), cluster.clone());
        async move { cloud.create_machine(&scope, "prod", &cluster, &spec).await }
    };
    let machines = futures_util::future::try_join_all(specs.iter().cloned().map(make)).await.expect("machines");
    let same = futures_util::future::try_join_all(specs.iter().cloned().map(make)).await.expect("the same machines");
    assert_eq!(machines, same);
    let ids: Vec<String> = machines.iter().map(|machine| machine.id.clone()).collect();
    assert!(machines.iter().all(|machine| machine.status == MachineStatus::Running && machine.private_ip.is_some()));
    let data = cloud.user_data(&ids[0]).await.unwrap().expect("user data");
    assert_eq!(*data, *specs[0].user_data);
    cloud.tag_machine(&ids[0], "inferadb.com/bootstrap", "true").await.unwrap();
    assert_eq!(cloud.machines(&cluster.security_group_id).await.unwrap()[0].tags["inferadb.com/bootstrap"], "true");
    cloud.set_targets(&cluster.api_target_group_ids, &ids).await.expect("targets");
    cloud.set_targets(&cluster.api_target_group_ids, &ids[1..]).await.expect("fewer targets");

    // One is terminated behind our back; another takes its place.
    cloud.terminate_machines(&ids[..1]).await.expect("terminate");
    assert_eq!(cloud.machines(&cluster.security_group_id).await.unwrap().len(), 2);
    let new = make(specs[0].clone()).await.expect("in its place");
    assert_ne!(new.id, ids[0]);
    let newer = make(machine_spec(&region.subnets[0].id, &image.id, 0, Some(new.id.clone()))).await.expect("replacement");
    assert_ne!(newer.id, new.id);
    cloud.terminate_machines(&[new.id]).await.expect("terminate the replaced");

    let refused = cloud.delete_region(&region.network_id, &region_claim).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    cloud.delete_cluster(&cluster.security_group_id, &claim).await.expect("delete cluster");
    assert_eq!(cloud.read_cluster(&cluster.security_group_id).await.unwrap(), None);
    cloud.delete_region(&region.network_id, &region_claim).await.expect("delete region");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_store_lives_and_goes() {
    let cloud = cloud().await;
    let spec = BackupSpec {
        scope: scope("lon1"),
        name: "inferadb-test-whole-life".to_owned(),
        noncurrent_days: 7,
        abort_incomplete_days: 1,
        archive_after_days: Some(30),
        retention_days: None,
        replica: Some(ReplicaSpec { provider_region: "us-west-1".to_owned(), name: "inferadb-test-whole-life-copy".to_owned() }),
        tags: team("platform"),
    };
    let claim = Claim::random();
    let state = cloud.apply_backup(&spec, &claim, None, &|_: &BackupState| ()).await.expect("apply");
    assert!(state.versioning && state.encrypted && state.public_access_blocked && state.tls_only, "{state:?}");
    assert_eq!((state.noncurrent_days, state.abort_incomplete_days), (Some(7), Some(1)));
    assert_eq!((state.archive_after_days, state.retention_days), (Some(30), None));
    assert_eq!(state.tags, team("platform"));
    assert_eq!(state.replica.as_ref().map(|replica| replica.bucket.as_str()), Some("inferadb-test-whole-life-copy"));
    let again = cloud.apply_backup(&spec, &claim, None, &|_: &BackupState| ()).await.expect("again");
    assert_eq!(again, state);
    assert!(cloud.roots(Kind::Backup).await.unwrap().iter().any(|root| root.id == spec.name));

    let mut changed = spec.clone();
    changed.retention_days = Some(365);
    changed.tags = team("other");
    let root = cloud.root(Kind::Backup, &spec.name).await.unwrap().expect("root");
    let state = cloud.apply_backup(&changed, &claim, Some(&root), &|_: &BackupState| ()).await.expect("change");
    assert_eq!((state.retention_days, state.tags.clone()), (Some(365), team("other")));

    // With something in it.
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).region("us-east-1").load().await;
    let s3 = aws_sdk_s3::Client::new(&config);
    // The policy refuses calls without TLS, and so does moto.
    s3.delete_bucket_policy().bucket(&spec.name).send().await.expect("policy");
    for key in ["a", "b"] {
        s3.put_object().bucket(&spec.name).key(key).body(b"x".to_vec().into()).send().await.expect("put");
    }
    s3.delete_object().bucket(&spec.name).key("a").send().await.expect("delete marker");
    let refused = cloud.delete_backup(&spec.name, &claim, false).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    assert!(cloud.read_backup(&spec.name).await.unwrap().is_some_and(|state| state.replica.is_some()), "nothing was touched");
    let refused = cloud.delete_backup(&spec.name, &Claim::random(), true).await;
    assert!(matches!(refused, Err(Error::ClaimMismatch { .. })), "{refused:?}");
    cloud.delete_backup(&spec.name, &claim, true).await.expect("delete");
    cloud.delete_backup(&spec.name, &claim, true).await.expect("deleting what is gone");
    assert_eq!(cloud.read_backup(&spec.name).await.unwrap(), None);
}
