//! A node's COSI resources: what its controllers know.

use prost::Message as _;
use proto::{
    cosi::resource::{GetRequest, Resource},
    talos::resource::MachineConfigSpec,
};
use serde::{Deserialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{Client, Error, ErrorKind};

const CALL: &str = "cosi.resource.State/Get";

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The boot sequence runs.
    Booting,
    /// Talos is written to disk.
    Installing,
    /// No machine config yet.
    Maintenance,
    /// The boot sequence has ended well.
    Running,
    /// Going down to come back.
    Rebooting,
    /// Going down.
    #[serde(rename = "shutting down")]
    ShuttingDown,
    /// Being wiped.
    Resetting,
    /// A new Talos is being written.
    Upgrading,
    /// Not known to us or to the node.
    #[serde(other)]
    Unknown,
}

/// A check that a node does not pass.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UnmetCondition {
    /// `time`, `network`, `services`, `staticPods` or `nodeReady`.
    pub name: String,
    /// In Talos' words.
    pub reason: String,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineStatus {
    /// Where it is in its life. `ready` alone says nothing: a rebooting node can be ready.
    pub stage: Stage,
    /// All of Talos' own checks pass.
    pub ready: bool,
    /// Those that do not.
    pub unmet: Vec<UnmetCondition>,
}

/// The machine config that a node runs with; no `Debug`, it holds private keys.
#[derive(Clone)]
pub struct RunningConfig {
    /// All documents, as they were applied.
    pub yaml: Zeroizing<String>,
    /// Raised by every application, also of the same config.
    pub version: String,
}

#[derive(Deserialize)]
struct MachineStatusSpec {
    stage: Stage,
    #[serde(default)]
    status: Readiness,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Readiness {
    #[serde(default)]
    ready: bool,
    #[serde(default)]
    unmet_conditions: Vec<UnmetCondition>,
}

#[derive(Deserialize)]
struct NodenameSpec {
    nodename: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EtcdMemberSpec {
    #[serde(rename = "memberID")]
    member_id: String,
}

impl Client {
    /// How the node is.
    pub async fn machine_status(&self) -> Result<MachineStatus, Error> {
        let spec: MachineStatusSpec = self.spec("runtime", "MachineStatuses.runtime.talos.dev", "machine").await?;
        Ok(MachineStatus { stage: spec.stage, ready: spec.status.ready, unmet: spec.status.unmet_conditions })
    }

    /// The name of the node's Kubernetes Node object. [`ErrorKind::NotFound`] until its host name is settled.
    pub async fn nodename(&self) -> Result<String, Error> {
        let spec: NodenameSpec = self.spec("k8s", "Nodenames.kubernetes.talos.dev", "nodename").await?;
        Ok(spec.nodename)
    }

    /// The id of the node's etcd member, which stands there while its etcd runs; `None` before bootstrap or join, after leaving, and on workers.
    pub async fn etcd_member_id(&self) -> Result<Option<u64>, Error> {
        match self.spec::<EtcdMemberSpec>("etcd", "EtcdMembers.etcd.talos.dev", "local").await {
            Ok(spec) => u64::from_str_radix(&spec.member_id, 16)
                .map(Some)
                .map_err(|_| self.error(CALL, ErrorKind::Malformed(format!("`{}` is not a member id", spec.member_id)))),
            Err(Error { kind: ErrorKind::NotFound(_), .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The machine config that the node runs with (not one that is staged).
    pub async fn machine_config(&self) -> Result<RunningConfig, Error> {
        let resource = self.resource("config", "MachineConfigs.config.talos.dev", "v1alpha1").await?;
        let version = resource.metadata.map(|metadata| metadata.version).unwrap_or_default();
        let spec = resource.spec.unwrap_or_default();
        let malformed = || self.error(CALL, ErrorKind::Malformed("the machine config is not text".to_owned()));
        let yaml = if spec.proto_spec.is_empty() {
            spec.yaml_spec
        } else {
            let config = MachineConfigSpec::decode(spec.proto_spec.as_slice()).map_err(|_| malformed())?;
            String::from_utf8(config.yaml_marshalled).map_err(|_| malformed())?
        };
        Ok(RunningConfig { yaml: Zeroizing::new(yaml), version })
    }

    async fn spec<T: DeserializeOwned>(&self, namespace: &str, kind: &str, id: &str) -> Result<T, Error> {
        let resource = self.resource(namespace, kind, id).await?;
        let yaml = resource.spec.unwrap_or_default().yaml_spec;
        serde_saphyr::from_str(&yaml).map_err(|_| self.error(CALL, ErrorKind::Malformed(format!("the spec of `{kind}` `{id}`"))))
    }

    async fn resource(&self, namespace: &str, kind: &str, id: &str) -> Result<Resource, Error> {
        let answer = self
            .state(CALL, |mut api| {
                let request =
                    GetRequest { namespace: namespace.to_owned(), r#type: kind.to_owned(), id: id.to_owned(), options: None };
                async move { Ok(api.get(self.request(request)).await?.into_inner()) }
            })
            .await?;
        answer.resource.ok_or_else(|| self.error(CALL, ErrorKind::Malformed(format!("`{kind}` `{id}` is not in it"))))
    }
}
