//! A region, a cluster with machines and a backup store on a real Docker engine, from nothing to nothing.
//!
//! `INFERADB_TEST_DOCKER_HOST` says which engine, `INFERADB_TEST_PROXY_IMAGE`, `INFERADB_TEST_STORE_IMAGE` and
//! `INFERADB_TEST_TALOS_IMAGE` which images: `scripts/with-docker.sh` brings all of them, and `make docker-lives` runs it.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use clouds::docker::DockerSettings;
use clouds::{
    BackupSpec, BackupState, Claim, Cloud, ClusterSpec, ClusterState, Error, Kind, MachineRole, MachineSpec, MachineStatus, Mark,
    RegionSpec, RegionState, RootDisk, Scope,
};
use zeroize::Zeroizing;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run it by scripts/with-docker.sh"))
}

async fn cloud() -> Arc<dyn Cloud> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    clouds::docker::connect(DockerSettings {
        host: Some(variable("INFERADB_TEST_DOCKER_HOST")),
        load_balancer_image: Some(variable("INFERADB_TEST_PROXY_IMAGE")),
        backup_image: Some(variable("INFERADB_TEST_STORE_IMAGE")),
        ..DockerSettings::default()
    })
    .await
    .expect("settings")
}

/// What `docker ARGS` prints, in lines.
fn docker(arguments: &[&str]) -> Vec<String> {
    let ran = Command::new("docker").env("DOCKER_HOST", variable("INFERADB_TEST_DOCKER_HOST")).args(arguments).output().unwrap();
    assert!(ran.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).lines().map(str::to_owned).collect()
}

/// Everything that bears a label of this environment.
fn left(environment: &str) -> Vec<String> {
    let label = format!("label=inferadb.com/environment={environment}");
    let mut all = docker(&["ps", "-a", "--filter", &label, "--format", "container {{.Names}}"]);
    all.extend(docker(&["volume", "ls", "--filter", &label, "--format", "volume {{.Name}}"]));
    all.extend(docker(&["network", "ls", "--filter", &label, "--format", "network {{.Name}}"]));
    all
}

fn scope(environment: &str) -> Scope {
    Scope { environment: environment.to_owned(), region: "local".to_owned() }
}

fn team(value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("team".to_owned(), value.to_owned())])
}

fn region_spec(environment: &str, cidr: &str, ports: &[(u16, u16)]) -> RegionSpec {
    RegionSpec {
        scope: scope(environment),
        cidr: cidr.parse().unwrap(),
        zones: Vec::new(),
        ingress_allowed_cidrs: Vec::new(),
        dns: None,
        ports: ports.iter().copied().collect(),
        tags: team("platform"),
    }
}

fn machine_spec(role: MachineRole, pool: &str, index: u32, replaces: Option<String>) -> MachineSpec {
    MachineSpec {
        role,
        pool: pool.to_owned(),
        index,
        replaces,
        machine_type: "1cpu-1gib".to_owned(),
        subnet_id: String::new(),
        image_id: variable("INFERADB_TEST_TALOS_IMAGE"),
        root_disk: RootDisk { size_gib: 20, volume_type: "gp3".to_owned() },
        user_data: Zeroizing::new(b"version: v1alpha1\n# not a config\n".to_vec()),
        bundle_fingerprint: "0123456789abcdef".to_owned(),
        metadata_hop_limit: 1,
        tags: team("platform"),
    }
}

fn ignore<T>(_: &T) {}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_lives_and_goes() {
    let cloud = cloud().await;
    eprintln!("account {}", cloud.account().await.expect("account"));
    assert_eq!(left("test-region"), Vec::<String>::new());
    let spec = region_spec("test-region", "10.201.0.0/16", &[(80, 18080), (443, 18443)]);
    let claim = Claim::random();
    let first = cloud.apply_region(&spec, &claim, None, &ignore::<RegionState>).await.expect("apply");
    assert_eq!((first.drift.clone(), first.tags.clone()), (Vec::new(), team("platform")));
    assert_eq!(first.ingress.as_ref().unwrap().ports, spec.ports);
    let again = self::cloud().await.apply_region(&spec, &claim, None, &ignore::<RegionState>).await.expect("again");
    assert_eq!(again, first);

    let root = cloud.root(Kind::Region, &first.network_id).await.unwrap().expect("root");
    assert!(!root.finished && !root.in_state && root.claim.as_ref() == Some(&claim));
    // An unfinished one is taken up by another claim, and then is no more the first one's.
    let second = Claim::random();
    cloud.mark(&root, &Mark::Finished).await.unwrap();
    cloud.mark(&root, &Mark::Claim(second.clone())).await.unwrap();
    let root = cloud.root(Kind::Region, &first.network_id).await.unwrap().unwrap();
    assert!(root.claim.as_ref() == Some(&second) && !root.finished);
    let refused = cloud.delete_region(&first.network_id, &claim).await;
    assert!(matches!(refused, Err(Error::ClaimMismatch { .. })), "{refused:?}");
    cloud.mark(&root, &Mark::Finished).await.unwrap();
    cloud.mark(&root, &Mark::InState).await.unwrap();
    let root = cloud.root(Kind::Region, &first.network_id).await.unwrap().unwrap();
    assert!(root.finished && root.in_state);
    let refused = cloud.apply_region(&spec, &Claim::random(), Some(&root), &ignore::<RegionState>).await;
    assert!(matches!(refused, Err(Error::ClaimMismatch { .. })), "{refused:?}");

    // Tags and ports change in place.
    let mut changed = region_spec("test-region", "10.201.0.0/16", &[(80, 18081)]);
    changed.tags = team("other");
    let state = cloud.apply_region(&changed, &second, Some(&root), &ignore::<RegionState>).await.expect("change");
    assert_eq!((state.tags.clone(), state.drift.clone()), (team("other"), Vec::new()));
    assert_eq!(state.ingress.as_ref().unwrap().ports, changed.ports);
    assert_eq!(cloud.read_region(&first.network_id).await.unwrap(), Some(state));

    // A port that another program has, one that a container has, and a range that another network has.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    let said = |error: Error| error.to_string();
    let spec = region_spec("test-region", "10.201.0.0/16", &[(80, taken)]);
    let refused = said(cloud.apply_region(&spec, &second, Some(&root), &ignore::<RegionState>).await.unwrap_err());
    assert!(refused.contains(&format!("port {taken}")) && refused.contains("another program"), "{refused}");
    let spec = region_spec("test-region", "10.201.0.0/16", &[(80, 18082)]);
    cloud.apply_region(&spec, &second, Some(&root), &ignore::<RegionState>).await.expect("another port");
    let spec = region_spec("test-region-2", "10.202.0.0/16", &[(80, 18082)]);
    let next = Claim::random();
    let refused = said(cloud.apply_region(&spec, &next, None, &ignore::<RegionState>).await.unwrap_err());
    assert!(refused.contains("container `inferadb.test-region.local_ingress` publishes it"), "{refused}");
    let half = cloud.roots(Kind::Region).await.unwrap().into_iter().find(|root| root.scope == scope("test-region-2")).unwrap();
    cloud.delete_region(&half.id, &next).await.expect("the half that stands");
    let spec = region_spec("test-region-2", "10.201.0.0/20", &[]);
    let refused = said(cloud.apply_region(&spec, &next, None, &ignore::<RegionState>).await.unwrap_err());
    assert!(refused.contains("network `inferadb.test-region.local` has addresses of it"), "{refused}");
    assert_eq!(left("test-region-2"), Vec::<String>::new());

    cloud.delete_region(&first.network_id, &second).await.expect("delete");
    cloud.delete_region(&first.network_id, &second).await.expect("deleting what is gone");
    assert_eq!(cloud.read_region(&first.network_id).await.unwrap(), None);
    assert_eq!(left("test-region"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_lives_and_goes() {
    let cloud = cloud().await;
    let scope = scope("test-cluster");
    let region_claim = Claim::random();
    let spec = region_spec("test-cluster", "10.203.0.0/20", &[]);
    let region = cloud.apply_region(&spec, &region_claim, None, &ignore::<RegionState>).await.expect("region");
    let spec = ClusterSpec {
        scope: scope.clone(),
        name: "prod".to_owned(),
        region: region.clone(),
        kubernetes_api_allowed_cidrs: Vec::new(),
        talos_api_allowed_cidrs: Vec::new(),
        tags: team("platform"),
    };
    let claim = Claim::random();
    let cluster = cloud.apply_cluster(&spec, &claim, None, &ignore::<ClusterState>).await.expect("cluster");
    let again = cloud.apply_cluster(&spec, &claim, None, &ignore::<ClusterState>).await.expect("again");
    assert_eq!((again, cluster.drift.clone()), (cluster.clone(), Vec::new()));
    assert!(cluster.api_address.starts_with("127.0.0.1:") && cluster.talos_api_address.is_some(), "{cluster:?}");

    let node = cloud.machine_type("2cpu-4gib").await.unwrap().unwrap();
    assert_eq!((node.vcpus, node.memory_mib), (2, 4096));
    assert_eq!(cloud.machine_type("t3.medium").await.unwrap(), None);
    assert!(matches!(cloud.machine_type("1cpu-4000gib").await, Err(Error::Quota { .. })));

    let specs = [
        machine_spec(MachineRole::ControlPlane, "", 0, None),
        machine_spec(MachineRole::ControlPlane, "", 1, None),
        machine_spec(MachineRole::Worker, "general", 0, None),
    ];
    let make = |spec: MachineSpec| {
        let (cloud, scope, cluster) = (Arc::clone(&cloud), scope.clone(), cluster.clone());
        async move { cloud.create_machine(&scope, "prod", &cluster, &spec).await }
    };
    let machines = futures_util::future::try_join_all(specs.iter().cloned().map(make)).await.expect("machines");
    let same = futures_util::future::try_join_all(specs.iter().cloned().map(make)).await.expect("the same machines");
    assert_eq!(machines, same);
    assert!(machines.iter().all(|machine| machine.status == MachineStatus::Running && machine.talos_address.is_some()));
    let addresses: std::collections::BTreeSet<_> = machines.iter().filter_map(|machine| machine.private_ip).collect();
    assert_eq!(addresses.len(), 3);
    assert_eq!(cloud.machines(&cluster.security_group_id).await.unwrap(), machines);
    let ids: Vec<String> = machines.iter().map(|machine| machine.id.clone()).collect();
    let data = cloud.user_data(&ids[0]).await.unwrap().expect("user data");
    assert_eq!(*data, *specs[0].user_data);
    cloud.tag_machine(&ids[0], "inferadb.com/bootstrap", "true").await.unwrap();
    cloud.tag_machine(&ids[0], "inferadb.com/bootstrap", "true").await.unwrap();
    assert_eq!(cloud.machines(&cluster.security_group_id).await.unwrap()[0].tags["inferadb.com/bootstrap"], "true");
    cloud.set_targets(&cluster.api_target_group_ids, &ids[..2]).await.expect("targets");
    let targets =
        docker(&["exec", "inferadb.test-cluster.local.prod_api", "haproxy", "-c", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]);
    assert!(targets.iter().any(|line| line.contains("valid")), "{targets:?}");

    // As Talos' own provisioner makes them.
    let inspect = |format: &str| docker(&["inspect", &ids[0], "--format", format]).join("\n");
    assert_eq!(inspect("{{.HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}}"), "true true");
    assert!(inspect("{{.HostConfig.SecurityOpt}}").contains("seccomp=unconfined"));
    assert_eq!(inspect("{{.Config.Hostname}}"), "prod-control-plane-0");

    // One is turned off, one is removed behind our back, one is replaced.
    docker(&["stop", "-t", "0", &ids[2]]);
    assert_eq!(make(specs[2].clone()).await.expect("turned on").id, ids[2]);
    docker(&["rm", "-f", &ids[1]]);
    let new = make(specs[1].clone()).await.expect("in its place");
    assert_ne!(new.id, ids[1]);
    let newer = make(machine_spec(MachineRole::ControlPlane, "", 1, Some(new.id.clone()))).await.expect("replacement");
    assert_ne!(newer.id, new.id);
    cloud.terminate_machines(&ids[2..]).await.expect("terminate");
    assert_eq!(cloud.machines(&cluster.security_group_id).await.unwrap().len(), 2);

    let refused = cloud.delete_region(&region.network_id, &region_claim).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    cloud.delete_cluster(&cluster.security_group_id, &claim).await.expect("delete cluster");
    assert_eq!(cloud.read_cluster(&cluster.security_group_id).await.unwrap(), None);
    cloud.delete_region(&region.network_id, &region_claim).await.expect("delete region");
    assert_eq!(left("test-cluster"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_store_lives_and_goes() {
    let cloud = cloud().await;
    let region_claim = Claim::random();
    let spec = region_spec("test-backup", "10.204.0.0/20", &[]);
    let region = cloud.apply_region(&spec, &region_claim, None, &ignore::<RegionState>).await.expect("region");
    let spec = BackupSpec {
        scope: scope("test-backup"),
        name: "inferadb-test-docker-life".to_owned(),
        noncurrent_days: 7,
        abort_incomplete_days: 1,
        archive_after_days: None,
        retention_days: None,
        replica: None,
        tags: team("platform"),
    };
    let claim = Claim::random();
    let state = cloud.apply_backup(&spec, &claim, None, &ignore::<BackupState>).await.expect("apply");
    let again = cloud.apply_backup(&spec, &claim, None, &ignore::<BackupState>).await.expect("again");
    assert_eq!(again, state);
    assert_eq!((state.bucket.as_str(), state.versioning), (spec.name.as_str(), false));

    // With something in it, put there as any client of S3 does.
    let container = format!("inferadb_backup.{}", spec.name);
    let environment = docker(&["inspect", &container, "--format", "{{range .Config.Env}}{{println .}}{{end}}"]);
    let value = |name: &str| environment.iter().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap().to_owned();
    let credentials =
        aws_credential_types::Credentials::new(value("ROOT_ACCESS_KEY_ID"), value("ROOT_SECRET_ACCESS_KEY"), None, None, "test");
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region("local")
        .credentials_provider(credentials)
        .endpoint_url(format!("http://{}", state.host))
        .load()
        .await;
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    s3.put_object().bucket(&spec.name).key("backup/properties/log_begin").body(b"x".to_vec().into()).send().await.expect("put");
    let refused = cloud.delete_backup(&spec.name, &claim, false).await;
    let said = format!("{refused:?}");
    assert!(matches!(refused, Err(Error::NotEmpty { .. })) && said.contains("log_begin"), "{said}");
    let refused = cloud.delete_backup(&spec.name, &Claim::random(), true).await;
    assert!(matches!(refused, Err(Error::ClaimMismatch { .. })), "{refused:?}");
    // What is in it outlives its container.
    docker(&["rm", "-f", &container]);
    assert_eq!(cloud.apply_backup(&spec, &claim, None, &ignore::<BackupState>).await.expect("made again").bucket, spec.name);
    let refused = cloud.delete_backup(&spec.name, &claim, false).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    let refused = cloud.delete_region(&region.network_id, &region_claim).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    cloud.delete_backup(&spec.name, &claim, true).await.expect("delete");
    cloud.delete_backup(&spec.name, &claim, true).await.expect("deleting what is gone");
    cloud.delete_region(&region.network_id, &region_claim).await.expect("delete region");
    assert_eq!(left("test-backup"), Vec::<String>::new());
}
