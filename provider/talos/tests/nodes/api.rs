//! A Kubernetes API of one node and its pods, over HTTP/1.1 and mutual TLS.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use talos::{client::Identity, kubernetes::Cluster};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;

/// A pod and how often its eviction is still refused.
pub(crate) struct FakePod {
    pub(crate) name: &'static str,
    pub(crate) metadata: Value,
    pub(crate) refusals: usize,
    /// So many more times it is listed after its eviction was accepted.
    pub(crate) lingers: usize,
    pub(crate) leaving: bool,
}

impl FakePod {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, metadata: json!({}), refusals: 0, lingers: 1, leaving: false }
    }
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) pods: Vec<FakePod>,
    pub(crate) cordoned: bool,
    pub(crate) deleted: bool,
    /// What was changed, in order.
    pub(crate) changes: Vec<String>,
    /// The next requests are answered with this status.
    pub(crate) broken: Vec<u16>,
}

pub(crate) struct FakeApi {
    pub(crate) cluster: Cluster,
    pub(crate) state: Arc<Mutex<State>>,
    listener: JoinHandle<()>,
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl FakeApi {
    pub(crate) async fn start(pods: Vec<FakePod>) -> Self {
        let authority = Authority::new();
        Self::start_of(&authority, &authority.identity(), pods).await
    }

    /// One of this authority, called with that identity.
    pub(crate) async fn start_of(authority: &Authority, identity: &Identity, pods: Vec<FakePod>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = format!("https://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { pods, ..Default::default() }));
        let tls = TlsAcceptor::from(authority.server());
        let listener = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let (tls, state) = (tls.clone(), Arc::clone(&state));
                    tokio::spawn(async move {
                        let Ok(stream) = tls.accept(tcp).await else { return };
                        let service = service_fn(move |request| answer(request, Arc::clone(&state)));
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            }
        });
        let cluster = Cluster::new(&server, identity).expect("a client");
        Self { cluster, state, listener }
    }
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (code, object) = state.lock().expect("a lock").answer(&method, &path, &query, &body);
    let response = Response::builder()
        .status(StatusCode::from_u16(code).expect("a status"))
        .header("content-type", "application/json")
        .body(Full::from(object.to_string()))
        .expect("a response");
    Ok(response)
}

fn failure(code: u16, message: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": "" }))
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, query: &str, body: &[u8]) -> (u16, Value) {
        if let Some(code) = self.broken.pop() {
            return failure(code, "broken");
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["readyz"]) => (200, json!("ok")),
            ("GET", ["version"]) => (200, version()),
            (_, ["api", "v1", "nodes", "worker"]) if self.deleted => failure(404, "nodes \"worker\" not found"),
            ("GET", ["api", "v1", "nodes", "worker"]) => (200, self.node()),
            ("GET", ["api", "v1", "nodes"]) => {
                (200, json!({ "kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": [self.node()] }))
            }
            ("PATCH", ["api", "v1", "nodes", "worker"]) => {
                let change: Value = serde_json::from_slice(body).expect("a patch");
                self.cordoned = change["spec"]["unschedulable"] == json!(true);
                self.changes.push(format!("cordoned {}", self.cordoned));
                (200, self.node())
            }
            ("DELETE", ["api", "v1", "nodes", "worker"]) => {
                let options: Value = serde_json::from_slice(body).expect("options");
                if options["preconditions"]["uid"].as_str().is_some_and(|uid| uid != "node-uid") {
                    return failure(409, "the UID in the precondition does not match");
                }
                self.deleted = true;
                self.changes.push("deleted".to_owned());
                (200, self.node())
            }
            ("GET", ["api", "v1", "pods"]) => {
                assert!(query.contains("spec.nodeName%3Dworker"), "{query}");
                (200, self.list())
            }
            ("POST", ["api", "v1", "namespaces", "default", "pods", name, "eviction"]) => self.evict(name),
            _ => failure(404, path),
        }
    }

    fn node(&self) -> Value {
        json!({
            "kind": "Node", "apiVersion": "v1",
            "metadata": { "name": "worker", "uid": "node-uid" },
            "spec": { "unschedulable": self.cordoned },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    }

    fn list(&mut self) -> Value {
        for pod in &mut self.pods {
            if pod.leaving {
                pod.lingers = pod.lingers.saturating_sub(1);
            }
        }
        self.pods.retain(|pod| !pod.leaving || pod.lingers > 0);
        let items: Vec<Value> = self
            .pods
            .iter()
            .map(|pod| {
                let mut metadata = pod.metadata.clone();
                metadata["name"] = json!(pod.name);
                metadata["namespace"] = json!("default");
                metadata["uid"] = json!(format!("uid-of-{}", pod.name));
                if pod.leaving {
                    metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                }
                json!({ "metadata": metadata, "spec": { "containers": [] }, "status": { "phase": "Running" } })
            })
            .collect();
        json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items })
    }

    fn evict(&mut self, name: &str) -> (u16, Value) {
        self.changes.push(format!("evict {name}"));
        let Some(pod) = self.pods.iter_mut().find(|pod| pod.name == name) else {
            return failure(404, "no such pod");
        };
        if pod.refusals > 0 {
            pod.refusals -= 1;
            return failure(429, "Cannot evict pod as it would violate the pod's disruption budget.");
        }
        pod.leaving = true;
        (201, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201 }))
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "35", "gitVersion": "v1.35.4", "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "",
    })
}
