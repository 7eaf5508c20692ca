//! What a simulated node goes through in its life that no recording of a container could show: reboots, disks, power.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on must fail")]
#![allow(dead_code, reason = "parts of the replay's client are for the replay alone")]

#[path = "talos_observed/authority.rs"]
mod authority;
#[path = "talos_observed/client.rs"]
mod client;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use acceptance_tests::instance_feed::{InstanceHost, InstanceStarted, UserData};
use acceptance_tests::ledger::{Ledger, Matcher, Outcome, Plane};
use acceptance_tests::nodes::{NodeHost, Timing};
use authority::Secrets;
use client::{Answer, Credentials};
use prost::Message;
use proto::cosi::resource as cosi;
use proto::talos::machine::apply_configuration_request::Mode;
use proto::talos::machine::{self as wire, ApplyConfigurationRequest};

const PATIENCE: Duration = Duration::from_secs(30);
const CONFIG: &str = "\
version: v1alpha1
machine:
    type: controlplane
    token: abcdef.0123456789abcdef
    ca:
        crt: TALOS
        key: REDACTED
    kubelet:
        image: ghcr.io/siderolabs/kubelet:v1.35.4
cluster:
    clusterName: life
    controlPlane:
        endpoint: https://127.60.0.10:6443
    ca:
        crt: KUBERNETES
        key: REDACTED
";

/// Nodes of one cluster on addresses `127.OCTET.0.NUMBER`.
struct Cluster {
    host: NodeHost,
    ledger: Ledger,
    secrets: Secrets,
    octet: u8,
}

fn id(number: u8) -> String {
    format!("i-{number}")
}

impl Cluster {
    fn new(octet: u8) -> Self {
        Self::with(octet, Timing::default())
    }

    fn with(octet: u8, timing: Timing) -> Self {
        let ledger = Ledger::new();
        Self { host: NodeHost::new(ledger.clone(), timing), ledger, secrets: Secrets::new(CONFIG), octet }
    }

    fn address(&self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.octet, 0, number)
    }

    fn config(&self) -> String {
        self.secrets.fill(CONFIG)
    }

    fn worker_config(&self) -> String {
        let mut lines: Vec<String> = self.config().lines().map(str::to_owned).collect();
        lines.retain(|line| !line.trim_start().starts_with("key: "));
        lines.join("\n").replace("controlplane\n", "worker\n")
    }

    fn start(&self, number: u8, user_data: &[u8]) {
        self.host.started(InstanceStarted {
            instance_id: id(number),
            private_ip: self.address(number),
            public_ip: None,
            private_dns_name: format!("node-{number}.ec2.internal"),
            user_data: UserData::new(user_data),
            image_id: String::new(),
            image_name: String::new(),
            talos_version: Some("v1.13.9".to_owned()),
            region: "us-east-1".to_owned(),
            zone: "us-east-1a".to_owned(),
            instance_type: "m6i.large".to_owned(),
            spot: false,
            metadata_hop_limit: 1,
            tags: BTreeMap::new(),
        });
    }

    async fn call_for(&self, number: u8, path: &str, message: Vec<u8>, limit: Duration) -> Answer {
        let address = SocketAddr::from((self.address(number), 50_000));
        client::call(address, &self.secrets, &Credentials::admin(), path, &[], message.into(), limit).await
    }

    async fn machine(&self, number: u8, method: &str, message: Vec<u8>) -> Answer {
        self.call_for(number, &format!("/machine.MachineService/{method}"), message, Duration::from_secs(5)).await
    }

    async fn apply(&self, number: u8, config: &str, mode: Mode) -> (String, Option<Mode>) {
        let request = ApplyConfigurationRequest { data: config.as_bytes().to_vec(), mode: mode.into(), ..Default::default() };
        let answer = self.machine(number, "ApplyConfiguration", request.encode_to_vec()).await;
        let response = answer.messages.first().and_then(|message| wire::ApplyConfigurationResponse::decode(message.clone()).ok());
        (answer.code, response.and_then(|response| response.messages.first().map(wire::ApplyConfiguration::mode)))
    }

    async fn resource(&self, number: u8, namespace: &str, kind: &str, name: &str) -> Option<String> {
        let request =
            cosi::GetRequest { namespace: namespace.to_owned(), r#type: kind.to_owned(), id: name.to_owned(), options: None };
        let limit = Duration::from_secs(5);
        let answer = self.call_for(number, "/cosi.resource.State/Get", request.encode_to_vec(), limit).await;
        Some(cosi::GetResponse::decode(answer.messages.first()?.clone()).ok()?.resource?.spec?.yaml_spec)
    }

    async fn running_config(&self, number: u8) -> Option<String> {
        self.resource(number, "config", "MachineConfigs.config.talos.dev", "v1alpha1").await
    }

    async fn until(&self, what: &str, mut look: impl AsyncFnMut() -> bool) {
        let looking = async {
            while !look().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{what}: it did not come"));
    }

    async fn reachable(&self, number: u8) {
        self.until("the API", async || self.machine(number, "Version", Vec::new()).await.code == "OK").await;
    }

    async fn bootstrap(&self, number: u8) {
        self.reachable(number).await;
        self.until("a bootstrap", async || self.machine(number, "Bootstrap", Vec::new()).await.code == "OK").await;
    }

    async fn is(&self, number: u8, part: &str) {
        self.until(part, async || {
            let status = self.resource(number, "runtime", "MachineStatuses.runtime.talos.dev", "machine").await;
            status.is_some_and(|status| status.contains(part))
        })
        .await;
    }

    /// Names and whether they are learners, as this node's own etcd lists them.
    async fn members(&self, number: u8) -> Vec<(String, bool, u64)> {
        let request = wire::EtcdMemberListRequest { query_local: true }.encode_to_vec();
        let limit = Duration::from_millis(300);
        let answer = self.call_for(number, "/machine.MachineService/EtcdMemberList", request, limit).await;
        let response = answer.messages.first().and_then(|message| wire::EtcdMemberListResponse::decode(message.clone()).ok());
        let members = response.into_iter().flat_map(|response| response.messages).flat_map(|message| message.members);
        let mut members: Vec<_> = members.map(|member| (member.hostname, member.is_learner, member.id)).collect();
        members.sort();
        members
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reboot_changes_the_boot_id_and_leaves_old_connections_hanging() {
    let cluster = Cluster::new(60);
    cluster.start(10, cluster.config().as_bytes());
    cluster.reachable(10).await;
    let before = cluster.host.boot_id(&id(10)).expect("a boot");
    let request = cosi::WatchRequest {
        namespace: "etcd".to_owned(),
        r#type: "EtcdMembers.etcd.talos.dev".to_owned(),
        ..Default::default()
    };
    let watching = async {
        let limit = Duration::from_secs(2);
        cluster.call_for(10, "/cosi.resource.State/Watch", request.encode_to_vec(), limit).await
    };
    let rebooting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(cluster.machine(10, "Reboot", Vec::new()).await.code, "OK");
        cluster.until("another boot", async || cluster.host.boots(&id(10)) == 2).await;
        cluster.reachable(10).await;
    };
    let (watched, ()) = tokio::join!(watching, rebooting);
    // Neither an end nor an error came: only the client's own patience ended it.
    assert_eq!((watched.code.as_str(), watched.messages.len()), ("DeadlineExceeded", 1));
    assert_ne!(cluster.host.boot_id(&id(10)), Some(before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_boots_read_the_disk_and_not_the_user_data() {
    let cluster = Cluster::new(61);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(cluster.config().as_bytes()).expect("gzip");
    cluster.start(10, &packer.finish().expect("gzip"));
    cluster.reachable(10).await;
    let staged = cluster.config().replace("    kubelet:", "    nodeLabels:\n        example.org/staged: \"1\"\n    kubelet:");
    assert_eq!(cluster.apply(10, &staged, Mode::Staged).await, ("OK".to_owned(), Some(Mode::Staged)));
    assert!(!cluster.running_config(10).await.expect("a config").contains("example.org/staged"));
    cluster.host.power_cycle(&id(10));
    cluster.reachable(10).await;
    assert!(cluster.running_config(10).await.expect("a config").contains("example.org/staged"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_needs_a_reboot_is_refused_without_one() {
    let cluster = Cluster::new(62);
    cluster.start(10, cluster.config().as_bytes());
    cluster.reachable(10).await;
    let changed = cluster.config().replace("    kubelet:", "    env:\n        A: b\n    kubelet:");
    assert_eq!(cluster.apply(10, &changed, Mode::NoReboot).await.0, "InvalidArgument");
    assert_eq!(cluster.host.boots(&id(10)), 1);
    assert_eq!(cluster.apply(10, &changed, Mode::Auto).await, ("OK".to_owned(), Some(Mode::Reboot)));
    cluster.until("another boot", async || cluster.host.boots(&id(10)) == 2).await;
    cluster.reachable(10).await;
    assert!(cluster.running_config(10).await.expect("a config").contains("A: b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_has_no_api_until_a_control_plane_node_signs_for_it() {
    let cluster = Cluster::new(63);
    cluster.start(20, cluster.worker_config().as_bytes());
    // It has booted as far as it comes when a second machine, started later, has come to its failure.
    cluster.start(21, b"hello");
    cluster.until("the failure", async || !cluster.host.boot_failures().is_empty()).await;
    assert!(tokio::net::TcpStream::connect((cluster.address(20), 50_000)).await.is_err());
    cluster.start(10, cluster.config().as_bytes());
    cluster.reachable(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_took_effect() {
    let cluster = Cluster::new(64);
    cluster.start(10, cluster.config().as_bytes());
    cluster.reachable(10).await;
    cluster.is(10, "etcd not running").await;
    cluster.ledger.on_answer(Matcher::talos("Bootstrap"), true, |_| async {});
    cluster
        .until("a call whose answer is lost", async || {
            let _ = cluster.machine(10, "Bootstrap", Vec::new()).await;
            cluster.ledger.calls().iter().any(|call| call.outcome == Outcome::Lost)
        })
        .await;
    cluster.until("etcd", async || cluster.machine(10, "Bootstrap", Vec::new()).await.code == "AlreadyExists").await;
    let lost = cluster.ledger.calls().into_iter().find(|call| call.outcome == Outcome::Lost).expect("the call");
    assert_eq!((lost.plane, lost.service.as_str()), (Plane::Talos, "i-10"));
    assert_eq!(cluster.host.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_plane_nodes_join_as_learners_and_become_voters_one_at_a_time() {
    // Long enough that looking again and again sees every learner.
    let cluster = Cluster::with(65, Timing { learner: Duration::from_secs(1), ..Timing::default() });
    for number in [10, 11, 12] {
        cluster.start(number, cluster.config().as_bytes());
    }
    cluster.bootstrap(10).await;
    let most_learners = tokio::sync::Mutex::new(0);
    cluster
        .until("three voters", async || {
            let members = cluster.members(10).await;
            let learners = members.iter().filter(|(_, learner, _)| *learner).count();
            let mut most = most_learners.lock().await;
            *most = learners.max(*most);
            members.len() == 3 && learners == 0
        })
        .await;
    assert_eq!(*most_learners.lock().await, 1);
    // While one is down, nobody joins; once it is struck off, the next one does.
    cluster.host.crash(&id(12));
    cluster.start(13, cluster.config().as_bytes());
    cluster.reachable(13).await;
    let dead = cluster.members(10).await.into_iter().find(|(name, _, _)| name == "node-12").expect("the dead one").2;
    assert_eq!(cluster.members(10).await.len(), 3);
    let request = wire::EtcdRemoveMemberByIdRequest { member_id: dead }.encode_to_vec();
    assert_eq!(cluster.machine(10, "EtcdRemoveMemberByID", request).await.code, "OK");
    cluster
        .until("the fourth", async || {
            let members = cluster.members(10).await;
            members.iter().any(|(name, learner, _)| name == "node-13" && !learner)
        })
        .await;
    assert_eq!(cluster.host.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bootstrapping_two_waiting_nodes_makes_two_clusters_and_is_told() {
    // Slow enough that the second is asked before the first has data.
    let cluster = Cluster::with(66, Timing { etcd: Duration::from_secs(2), ..Timing::default() });
    for number in [10, 11] {
        cluster.start(number, cluster.config().as_bytes());
        cluster.reachable(number).await;
    }
    let (first, second) =
        tokio::join!(cluster.machine(10, "Bootstrap", Vec::new()), cluster.machine(11, "Bootstrap", Vec::new()));
    assert_eq!((first.code.as_str(), second.code.as_str()), ("OK", "OK"));
    cluster.until("a violation", async || !cluster.host.violations().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_instance_gives_its_addresses_back() {
    let cluster = Cluster::new(67);
    cluster.start(10, cluster.config().as_bytes());
    cluster.reachable(10).await;
    cluster.host.terminated(&id(10)).await;
    let again = tokio::net::TcpListener::bind((cluster.address(10), 50_000)).await;
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_ends_with_the_old_config() {
    let cluster = Cluster::new(68);
    cluster.start(10, cluster.config().as_bytes());
    cluster.reachable(10).await;
    let tried = cluster.config().replace("    kubelet:", "    nodeLabels:\n        example.org/try: \"1\"\n    kubelet:");
    let request = ApplyConfigurationRequest {
        data: tried.into_bytes(),
        mode: Mode::Try.into(),
        try_mode_timeout: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..Default::default()
    };
    assert_eq!(cluster.machine(10, "ApplyConfiguration", request.encode_to_vec()).await.code, "OK");
    assert!(cluster.running_config(10).await.expect("a config").contains("example.org/try"));
    cluster
        .until("the old config", async || {
            cluster.running_config(10).await.is_some_and(|config| !config.contains("example.org/try"))
        })
        .await;
}
