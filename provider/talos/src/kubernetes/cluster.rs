//! A cluster's API server.

use std::{collections::BTreeMap, future::Future, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::core::v1 as core;
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions},
};
use rustls::crypto::aws_lc_rs;
use serde_json::json;

use super::Error;
use crate::client::Identity;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Objects a page, as the API's own clients ask.
const PAGE: u32 = 500;

/// A cluster through one server URL, as an administrator. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    server: String,
}

/// A Node object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Tells it from a later one of the same name.
    pub uid: String,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// Cordoned.
    pub unschedulable: bool,
    /// The kubelet's version, like `v1.35.4`.
    pub kubelet: String,
    /// Its addresses of type `InternalIP`.
    pub internal_ips: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Cluster {
    /// For the API at `server` (`https://host:6443`), which must show a certificate of the identity's CA for that host.
    /// Must be called within a Tokio runtime; does not connect yet.
    pub fn new(server: &str, identity: &Identity) -> Result<Self, Error> {
        let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
        // kube takes the process's provider. Set already is just as well: it is this one.
        let _ = aws_lc_rs::default_provider().install_default();
        let mut config = Config::new(server.parse().map_err(|error: http::uri::InvalidUri| setup(&error))?);
        config.root_cert = Some(identity.authorities()?.iter().map(|authority| authority.to_vec()).collect());
        config.auth_info.client_certificate_data = Some(BASE64_STANDARD.encode(identity.certificate()));
        config.auth_info.client_key_data = Some(BASE64_STANDARD.encode(identity.key()).into());
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = Some(ANSWER_WITHIN);
        // It would repeat an eviction that a disruption budget refuses; repeating is our callers' part.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|error| setup(&error))?;
        Ok(Self { client, server: server.to_owned() })
    }

    /// The URL that is called.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Asks `/readyz`.
    pub async fn ready(&self) -> Result<(), Error> {
        let call = || "readyz".to_owned();
        let request = http::Request::get("/readyz").body(Vec::new()).map_err(|error| Error::Setup(error.to_string()))?;
        self.bounded(call, self.client.request_text(request)).await.map(drop)
    }

    /// The API server's version, like `v1.35.4`.
    pub async fn version(&self) -> Result<String, Error> {
        let info = self.bounded(|| "version".to_owned(), self.client.apiserver_version()).await?;
        Ok(info.git_version)
    }

    /// All Node objects by name.
    pub async fn nodes(&self) -> Result<BTreeMap<String, Node>, Error> {
        let api: Api<core::Node> = Api::all(self.client.clone());
        let nodes = self.all(|| "list nodes".to_owned(), &api, ListParams::default()).await?;
        Ok(nodes.into_iter().map(Node::from).map(|node| (node.name.clone(), node)).collect())
    }

    /// One Node object, where it exists.
    pub async fn node(&self, name: &str) -> Result<Option<Node>, Error> {
        let api: Api<core::Node> = Api::all(self.client.clone());
        match self.bounded(|| format!("get node {name}"), api.get(name)).await {
            Ok(node) => Ok(Some(node.into())),
            Err(error) if error.code() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets no new pods on a node, or lets them again. 404 where there is no such node.
    pub async fn cordon(&self, name: &str, cordoned: bool) -> Result<(), Error> {
        let api: Api<core::Node> = Api::all(self.client.clone());
        let patch = Patch::Merge(json!({ "spec": { "unschedulable": cordoned } }));
        let call = || format!("{} node {name}", if cordoned { "cordon" } else { "uncordon" });
        self.bounded(call, api.patch(name, &PatchParams::default(), &patch)).await.map(drop)
    }

    /// Deletes a Node object; with `uid` only if it is still that one. False where it is gone already.
    pub async fn delete_node(&self, name: &str, uid: Option<&str>) -> Result<bool, Error> {
        let api: Api<core::Node> = Api::all(self.client.clone());
        let parameters = DeleteParams {
            preconditions: uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        match self.bounded(|| format!("delete node {name}"), api.delete(name, &parameters)).await {
            Ok(_) => Ok(true),
            // 409: another node has taken the name.
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(super) fn everywhere<K>(&self) -> Api<K>
    where
        K: kube::Resource,
        K::DynamicType: Default,
    {
        Api::all(self.client.clone())
    }

    /// All pages of a list.
    pub(super) async fn all<K>(&self, call: impl Fn() -> String, api: &Api<K>, parameters: ListParams) -> Result<Vec<K>, Error>
    where
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let mut parameters = parameters.limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = self.bounded(&call, api.list(&parameters)).await?;
            found.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters.continue_token = Some(token),
                None => return Ok(found),
            }
        }
    }

    pub(super) async fn bounded<T>(
        &self,
        call: impl Fn() -> String,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(ANSWER_WITHIN, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Error::from_kube(call(), &self.server, &error)),
            Err(_) => Err(Error::Unreachable {
                call: call(),
                server: self.server.clone(),
                reason: format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
            }),
        }
    }
}

impl From<core::Node> for Node {
    fn from(node: core::Node) -> Self {
        let status = node.status.unwrap_or_default();
        let ready = status
            .conditions
            .unwrap_or_default()
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let internal_ips = status.addresses.unwrap_or_default().into_iter();
        let internal_ips = internal_ips.filter(|address| address.type_ == "InternalIP").map(|address| address.address).collect();
        Self {
            internal_ips,
            labels: node.metadata.labels.unwrap_or_default(),
            name: node.metadata.name.unwrap_or_default(),
            uid: node.metadata.uid.unwrap_or_default(),
            ready,
            unschedulable: node.spec.and_then(|spec| spec.unschedulable).unwrap_or_default(),
            kubelet: status.node_info.map(|info| info.kubelet_version).unwrap_or_default(),
        }
    }
}
