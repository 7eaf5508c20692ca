//! Simulated nodes at addresses of their own, named and numbered as the recorded ones.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use acceptance_tests::instance_feed::{InstanceHost, InstanceStarted, UserData};
use acceptance_tests::ledger::Ledger;
use acceptance_tests::nodes::{NodeHost, Timing};
use bytes::Bytes;
use prost::Message;
use proto::{cosi::resource as cosi, talos::machine};
use serde_json::Value;

use crate::authority::Secrets;
use crate::client::{self, Answer, Credentials};
use crate::recording::Recordings;
use crate::request;

/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between looks at what tells nobody of its changes.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub(crate) struct Nodes {
    host: NodeHost,
    secrets: Secrets,
    octet: u8,
    addresses: BTreeMap<String, Ipv4Addr>,
    configs: BTreeMap<String, String>,
}

fn instance(name: &str, address: Ipv4Addr, user_data: &str) -> InstanceStarted {
    InstanceStarted {
        instance_id: format!("i-{name}"),
        private_ip: address,
        public_ip: None,
        private_dns_name: name.to_owned(),
        user_data: UserData::new(user_data.as_bytes()),
        image_id: String::new(),
        image_name: String::new(),
        talos_version: Some("v1.8.0".to_owned()),
        region: "us-east-1".to_owned(),
        zone: "us-east-1a".to_owned(),
        instance_type: "m6i.large".to_owned(),
        spot: false,
        metadata_hop_limit: 1,
        tags: BTreeMap::new(),
    }
}

impl Nodes {
    /// As [`Nodes::start`], with more time between the steps of a boot.
    pub(crate) async fn start_slowly(octet: u8, recordings: &Recordings, wanted: &[(&str, u8, &str)]) -> Self {
        let mut nodes = Self::none(octet, recordings);
        nodes.host = NodeHost::new(Ledger::new(), Timing { etcd: Duration::from_secs(2), ..Timing::REAL.scaled(0.05) });
        for (name, number, kind) in wanted {
            nodes.add(name, *number, &recordings.base_config(kind));
        }
        tokio::task::yield_now().await;
        nodes
    }

    /// Starts nodes: name, last number of the recorded address, and which recorded config is their user data.
    pub(crate) async fn start(octet: u8, recordings: &Recordings, wanted: &[(&str, u8, &str)]) -> Self {
        let mut nodes = Self::none(octet, recordings);
        for (name, number, kind) in wanted {
            let text = if kind.is_empty() { String::new() } else { recordings.base_config(kind) };
            nodes.add(name, *number, &text);
        }
        tokio::task::yield_now().await;
        nodes
    }

    /// Starts one node with this user data.
    pub(crate) async fn start_with(octet: u8, recordings: &Recordings, name: &str, number: u8, user_data: String) -> Self {
        let mut nodes = Self::none(octet, recordings);
        nodes.add(name, number, &user_data);
        tokio::task::yield_now().await;
        nodes
    }

    fn none(octet: u8, recordings: &Recordings) -> Self {
        let host = NodeHost::new(Ledger::new(), Timing::default());
        let mut configs = BTreeMap::new();
        for topic in ["maintenance", "roles", "config-dry-run", "config-apply", "events", "userdata"] {
            for step in recordings.topic(topic).iter().flat_map(|scenario| &scenario.calls) {
                let data = &step.request["data"];
                if let (Some(sha256), None) = (data["sha256"].as_str(), data["text"].as_str()) {
                    configs.insert(sha256.to_owned(), recordings.config(sha256));
                }
            }
        }
        Self { host, secrets: Secrets::new(&recordings.base_config("controlplane")), octet, addresses: BTreeMap::new(), configs }
    }

    fn add(&mut self, name: &str, number: u8, user_data: &str) {
        let address = Ipv4Addr::new(127, self.octet, 0, number);
        self.addresses.insert(name.to_owned(), address);
        let config = self.secrets.fill(&self.ours(user_data));
        self.host.started(instance(name, address, &config));
    }

    /// Recorded addresses as ours.
    pub(crate) fn ours(&self, text: &str) -> String {
        text.replace("10.5.0.", &format!("127.{}.0.", self.octet))
    }

    /// Our addresses as the recorded ones.
    pub(crate) fn theirs(&self, text: &str) -> String {
        text.replace(&format!("127.{}.0.", self.octet), "10.5.0.")
    }

    /// The config of a recorded request, with our secrets and addresses.
    pub(crate) fn config_of(&self, data: &Value) -> String {
        if let Some(text) = data["text"].as_str() {
            return self.ours(text);
        }
        let recorded = data["sha256"].as_str().and_then(|sha256| self.configs.get(sha256)).cloned().unwrap_or_default();
        self.secrets.fill(&self.ours(&recorded))
    }

    pub(crate) async fn call_at(
        &self,
        endpoint: &str,
        credentials: &Credentials,
        path: &str,
        metadata: &[(String, String)],
        message: Bytes,
        limit: Duration,
    ) -> Answer {
        let address: Ipv4Addr = self.ours(endpoint).parse().expect("an address");
        client::call(SocketAddr::from((address, 50_000)), &self.secrets, credentials, path, metadata, message, limit).await
    }

    #[allow(clippy::too_many_arguments, reason = "as many as a call has parts")]
    pub(crate) async fn call(
        &self,
        name: &str,
        credentials: &Credentials,
        service: &str,
        method: &str,
        metadata: &[(String, String)],
        message: Bytes,
        limit: Duration,
    ) -> Answer {
        let address = self.addresses[name].to_string();
        self.call_at(&address, credentials, &format!("/{service}/{method}"), metadata, message, limit).await
    }

    /// Looks until something is so.
    async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| panic!("{what} did not come; failures: {:?}", self.host.boot_failures()))
    }

    pub(crate) async fn is_open(&self, name: &str) -> bool {
        tokio::net::TcpStream::connect((self.addresses[name], 50_000)).await.is_ok()
    }

    pub(crate) async fn reachable(&self, name: &str) {
        self.until(&format!("the API of {name}"), async || self.is_open(name).await.then_some(())).await;
    }

    pub(crate) async fn boot_failure(&self, name: &str) -> String {
        let id = format!("i-{name}");
        let look = async || self.host.boot_failures().into_iter().find(|failure| failure.instance_id == id).map(|f| f.message);
        self.until(&format!("a failure of {name}"), look).await
    }

    /// Waits until the machine's status says this.
    pub(crate) async fn status_of(&self, name: &str, part: &str) {
        self.until(&format!("`{part}` of {name}"), async || {
            let limit = Duration::from_secs(5);
            let answer =
                self.call(name, &Credentials::admin(), "cosi.resource.State", "Get", &[], request::machine_status(), limit).await;
            let response = cosi::GetResponse::decode(answer.messages.first()?.clone()).ok()?;
            response.resource?.spec?.yaml_spec.contains(part).then_some(())
        })
        .await;
    }

    pub(crate) async fn bootstrap(&self, name: &str) {
        self.until(&format!("a bootstrap of {name}"), async || {
            let limit = Duration::from_secs(5);
            let answer =
                self.call(name, &Credentials::admin(), "machine.MachineService", "Bootstrap", &[], Bytes::new(), limit).await;
            (answer.code == "OK").then_some(())
        })
        .await;
    }

    /// Id of the member of this name, as any node lists it.
    pub(crate) async fn member_id(&self, name: &str) -> Option<u64> {
        let limit = Duration::from_secs(1);
        let answer =
            self.call("g1", &Credentials::admin(), "machine.MachineService", "EtcdMemberList", &[], Bytes::new(), limit).await;
        let response = machine::EtcdMemberListResponse::decode(answer.messages.first()?.clone()).ok()?;
        response.messages.into_iter().flat_map(|message| message.members).find(|member| member.hostname == name).map(|m| m.id)
    }

    /// Waits until etcd lists a member of this name.
    pub(crate) async fn has_member(&self, name: &str) {
        self.until(&format!("member {name}"), async || self.member_id(name).await).await;
    }

    pub(crate) fn crash(&self, name: &str) {
        self.host.crash(&format!("i-{name}"));
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.host.violations()
    }

    pub(crate) async fn until_violation(&self) {
        self.until("a violation", async || (!self.violations().is_empty()).then_some(())).await;
    }

    /// Terminates all nodes.
    pub(crate) async fn end(self) {
        for name in self.addresses.keys() {
            self.host.terminated(&format!("i-{name}")).await;
        }
    }
}
