//! The simulated kube-apiserver, over real TLS and HTTP.
//!
//! Each test has a loopback address of its own, since the port is always 6443.

#![allow(clippy::unwrap_used)] // helpers of tests stand outside of #[test] functions

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use acceptance_tests::kube_api::{KubeCluster, NodeRegistration, PORT, PodKind, ServingIdentity, serve};
use acceptance_tests::ledger::{Fault, Injection, Ledger, Matcher, Outcome, Plane};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, DropGuard};

const LIMIT: Duration = Duration::from_secs(20);

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "kubernetes");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), key }
    }

    fn signs(&self, group: &str, usage: ExtendedKeyUsagePurpose) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.distinguished_name.push(DnType::CommonName, "somebody");
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let issuer = Issuer::from_ca_cert_der(&self.der, &self.key).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        (vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }

    /// As Talos writes it (SEC 1): what stands inside of the PKCS #8 document.
    fn key_pem(&self) -> String {
        let document = self.key.serialize_der();
        let start = document.windows(5).position(|bytes| bytes == [0x02, 0x01, 0x01, 0x04, 0x20]).unwrap() - 2;
        let text = BASE64_STANDARD.encode(&document[start..]);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", lines.join("\n"))
    }

    fn admin(&self) -> Identity {
        self.signs("system:masters", ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// One API server with two nodes: `cp-1` (control plane) and `worker-1`.
struct World {
    address: Ipv4Addr,
    authority: Authority,
    ledger: Ledger,
    cluster: Arc<KubeCluster>,
    stop: CancellationToken,
    _end: DropGuard,
}

fn registration(name: &str, labels: &[&str]) -> NodeRegistration {
    NodeRegistration {
        name: name.to_owned(),
        labels: labels.iter().map(|label| ((*label).to_owned(), String::new())).collect(),
        annotations: BTreeMap::new(),
        taints: Vec::new(),
        internal_ip: Ipv4Addr::new(127, 61, 1, 1),
        external_ip: None,
        provider_id: Some(format!("aws:///us-east-1a/{name}")),
        kubelet_version: "v1.35.4".to_owned(),
        ready: true,
        reason: "KubeletReady".to_owned(),
        message: "kubelet is posting ready status".to_owned(),
    }
}

impl World {
    async fn new(last: u8) -> Self {
        let address = Ipv4Addr::new(127, 61, 0, last);
        let ledger = Ledger::new();
        let cluster = KubeCluster::new(ledger.clone(), "v1.35.4");
        cluster.register_node(registration("cp-1", &["node-role.kubernetes.io/control-plane"]));
        cluster.register_node(registration("worker-1", &[]));
        let authority = Authority::new();
        let stop = CancellationToken::new();
        let identity = ServingIdentity {
            ca_certificate_pem: authority.pem.clone(),
            ca_key_pem: authority.key_pem(),
            names: vec!["kubernetes".to_owned(), address.to_string()],
        };
        serve(Arc::clone(&cluster), &[address], identity, stop.clone()).await.unwrap();
        Self { address, authority, ledger, cluster, _end: stop.clone().drop_guard(), stop }
    }

    async fn admin(&self) -> Client {
        self.client(Some(self.authority.admin())).await
    }

    /// Trusts the authority and the address only; speaks HTTP/2.
    async fn client(&self, identity: Option<Identity>) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            // Even where the server's hints do not name its authority.
            Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect((self.address, PORT)).await.unwrap();
        let name = ServerName::try_from(self.address.to_string()).unwrap();
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        Client { sender }
    }
}

struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    async fn send(&mut self, method: &str, path: &str, content: &str, body: &Json) -> hyper::Result<Response<Incoming>> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = Request::builder()
            .method(method)
            .uri(format!("https://kubernetes{path}"))
            .header(header::CONTENT_TYPE, content)
            .body(Full::new(body))
            .unwrap();
        tokio::time::timeout(LIMIT, self.sender.send_request(request)).await.unwrap()
    }

    async fn call(&mut self, method: &str, path: &str, content: &str, body: &Json) -> (StatusCode, Json) {
        let response = self.send(method, path, content, body).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Json::String(text)))
    }

    async fn get(&mut self, path: &str) -> (StatusCode, Json) {
        self.call("GET", path, "application/json", &Json::Null).await
    }

    async fn patch(&mut self, path: &str, kind: &str, body: Json) -> (StatusCode, Json) {
        self.call("PATCH", path, &format!("application/{kind}+json"), &body).await
    }

    async fn evict(&mut self, namespace: &str, pod: &str) -> (StatusCode, Json) {
        let body = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod } });
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
        self.call("POST", &path, "application/json", &body).await
    }
}

fn names(list: &Json) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn strangers_get_401_everywhere() {
    let world = World::new(1).await;
    let other = Authority::new();
    let wrong_authority = other.admin();
    let wrong_usage = world.authority.signs("system:masters", ExtendedKeyUsagePurpose::ServerAuth);
    for identity in [None, Some(wrong_authority), Some(wrong_usage)] {
        let mut client = world.client(identity).await;
        for path in ["/readyz", "/version", "/api/v1/nodes"] {
            let (status, body) = client.get(path).await;
            assert_eq!(status, 401, "{path}");
            // As recorded from real nodes.
            let recorded = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;
            assert_eq!(body.to_string(), recorded);
        }
    }
    let failed = Outcome::Failed("Unauthorized".to_owned());
    assert!(world.ledger.calls().iter().all(|call| call.plane == Plane::Kubernetes && call.outcome == failed));
    assert_eq!(world.ledger.count(&Matcher::action("GET /readyz").on("kube-apiserver")), 3);
}

#[tokio::test]
async fn others_than_admins_may_look_at_health_but_not_at_nodes() {
    let world = World::new(2).await;
    let identity = world.authority.signs("system:nobodies", ExtendedKeyUsagePurpose::ClientAuth);
    let mut client = world.client(Some(identity)).await;
    assert_eq!(client.get("/readyz").await, (StatusCode::OK, json!("ok")));
    let (status, body) = client.get("/api/v1/nodes").await;
    assert_eq!((status, &body["reason"]), (StatusCode::FORBIDDEN, &json!("Forbidden")));
    let said = r#"nodes is forbidden: User "somebody" cannot list resource "nodes" in API group "" at the cluster scope"#;
    assert_eq!(body["message"], said);
}

#[tokio::test]
async fn an_admin_reads_health_version_discovery_and_nodes() {
    let world = World::new(3).await;
    let mut client = world.admin().await;
    assert_eq!(client.get("/readyz").await, (StatusCode::OK, json!("ok")));
    let (_, version) = client.get("/version").await;
    assert_eq!((&version["gitVersion"], &version["minor"]), (&json!("v1.35.4"), &json!("35")));
    assert_eq!(client.get("/api/v1").await.1["kind"], "APIResourceList");
    let (_, nodes) = client.get("/api/v1/nodes").await;
    assert_eq!(names(&nodes), ["cp-1", "worker-1"]);
    let selector = "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane";
    assert_eq!(names(&client.get(selector).await.1), ["cp-1"]);
    assert_eq!(names(&client.get("/api/v1/nodes?fieldSelector=metadata.name%3Dworker-1").await.1), ["worker-1"]);
    let (status, missing) = client.get("/api/v1/nodes/ghost").await;
    assert_eq!((status, &missing["message"]), (StatusCode::NOT_FOUND, &json!("nodes \"ghost\" not found")));
    assert_eq!(client.get("/nowhere").await, (StatusCode::NOT_FOUND, json!("404 page not found\n")));
}

#[tokio::test]
async fn a_list_comes_in_pages_that_miss_and_repeat_nothing() {
    let world = World::new(4).await;
    let mut client = world.admin().await;
    let (_, whole) = client.get("/api/v1/pods").await;
    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let (_, page) = client.get(&format!("/api/v1/pods?limit=2&continue={token}")).await;
        assert!(names(&page).len() <= 2);
        paged.extend(names(&page).into_iter().map(str::to_owned));
        match page["metadata"]["continue"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
    }
    assert_eq!(paged, names(&whole));
    assert_eq!(paged.len(), 5, "two kube-proxy and three static pods: {paged:?}");
}

#[tokio::test]
async fn a_cordon_outlives_the_kubelets_next_registration() {
    let world = World::new(5).await;
    let mut client = world.admin().await;
    let cordon = json!({ "spec": { "unschedulable": true } });
    let (status, node) = client.patch("/api/v1/nodes/worker-1", "merge-patch", cordon).await;
    assert_eq!((status, &node["spec"]["unschedulable"]), (StatusCode::OK, &json!(true)));
    let mut again = registration("worker-1", &[]);
    again.kubelet_version = "v1.36.0".to_owned();
    world.cluster.register_node(again);
    let (_, later) = client.get("/api/v1/nodes/worker-1").await;
    assert_eq!(later["spec"]["unschedulable"], true);
    assert_eq!(later["metadata"]["uid"], node["metadata"]["uid"]);
    assert_eq!(later["status"]["nodeInfo"]["kubeletVersion"], "v1.36.0");
    let (_, pods) = client.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dworker-1").await;
    assert_eq!(names(&pods).len(), 1, "no second kube-proxy");

    let taint = json!([{ "op": "add", "path": "/spec/taints", "value": [{ "key": "a", "effect": "NoSchedule" }] }]);
    assert_eq!(client.patch("/api/v1/nodes/worker-1", "json-patch", taint).await.1["spec"]["taints"][0]["key"], "a");
    // The status belongs to the kubelet's own endpoint.
    let lie = json!({ "status": { "nodeInfo": { "kubeletVersion": "v9" } }, "spec": { "unschedulable": null } });
    let (_, node) = client.patch("/api/v1/nodes/worker-1", "strategic-merge-patch", lie).await;
    assert_eq!((&node["status"]["nodeInfo"]["kubeletVersion"], &node["spec"]["unschedulable"]), (&json!("v1.36.0"), &Json::Null));
    assert_eq!(client.patch("/api/v1/nodes/worker-1", "apply-patch", json!({})).await.0, 415);
}

#[tokio::test]
async fn a_put_of_an_outdated_object_is_refused() {
    let world = World::new(6).await;
    let mut client = world.admin().await;
    let (_, mut node) = client.get("/api/v1/nodes/worker-1").await;
    world.cluster.set_ready("worker-1", false, "NodeStatusUnknown", "Kubelet stopped posting node status.");
    assert_eq!(world.cluster.is_ready("worker-1"), Some(false));
    node["metadata"]["labels"]["a"] = json!("b");
    let (status, refused) = client.call("PUT", "/api/v1/nodes/worker-1", "application/json", &node).await;
    assert_eq!((status, &refused["reason"]), (StatusCode::CONFLICT, &json!("Conflict")));
    let (_, mut node) = client.get("/api/v1/nodes/worker-1").await;
    assert_eq!(node["status"]["conditions"][0]["status"], "Unknown");
    node["metadata"]["labels"]["a"] = json!("b");
    assert_eq!(client.call("PUT", "/api/v1/nodes/worker-1", "application/json", &node).await.0, 200);
}

#[tokio::test]
async fn a_node_is_deleted_only_under_the_uid_that_was_meant() {
    let world = World::new(7).await;
    let mut client = world.admin().await;
    let uid = client.get("/api/v1/nodes/worker-1").await.1["metadata"]["uid"].clone();
    let delete = |uid: &Json| json!({ "preconditions": { "uid": uid } });
    let (status, refused) = client.call("DELETE", "/api/v1/nodes/worker-1", "application/json", &delete(&json!("another"))).await;
    assert_eq!((status, &refused["reason"]), (StatusCode::CONFLICT, &json!("Conflict")));
    assert_eq!(world.cluster.is_ready("worker-1"), Some(true));
    let (status, done) = client.call("DELETE", "/api/v1/nodes/worker-1", "application/json", &delete(&uid)).await;
    assert_eq!((status, &done["status"], &done["details"]["uid"]), (StatusCode::OK, &json!("Success"), &uid));
    assert_eq!(world.cluster.node_names(), ["cp-1"]);
    assert_eq!(client.get("/api/v1/nodes/worker-1").await.0, 404);
    world.cluster.register_node(registration("worker-1", &[]));
    assert_ne!(client.get("/api/v1/nodes/worker-1").await.1["metadata"]["uid"], uid, "a new node");
}

#[tokio::test]
async fn a_watch_tells_what_exists_and_then_what_changes() {
    let world = World::new(8).await;
    let mut client = world.admin().await;
    let watch = "/api/v1/nodes?watch=1&labelSelector=pool%3Da";
    let mut body = client.send("GET", watch, "application/json", &Json::Null).await.unwrap().into_body();
    let mut text = String::new();
    let mut next = async || {
        while !text.contains('\n') {
            let frame = tokio::time::timeout(LIMIT, body.frame()).await.unwrap().unwrap().unwrap();
            text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        let (line, rest) = text.split_once('\n').map(|(line, rest)| (line.to_owned(), rest.to_owned())).unwrap();
        text = rest;
        let event: Json = serde_json::from_str(&line).unwrap();
        format!("{} {}", event["type"].as_str().unwrap(), event["object"]["metadata"]["name"].as_str().unwrap())
    };
    let labelled = |name: &str| {
        let mut node = registration(name, &[]);
        node.labels.insert("pool".to_owned(), "a".to_owned());
        node
    };
    world.cluster.register_node(labelled("worker-2"));
    assert_eq!(next().await, "ADDED worker-2");
    world.cluster.set_ready("worker-2", false, "KubeletNotReady", "");
    world.cluster.set_ready("worker-1", false, "KubeletNotReady", "");
    assert_eq!(next().await, "MODIFIED worker-2");
    let unlabel = json!({ "metadata": { "labels": { "pool": null } } });
    client.patch("/api/v1/nodes/worker-2", "merge-patch", unlabel).await;
    assert_eq!(next().await, "DELETED worker-2", "it left the selection");

    // From a list's version on: nothing that the list had, everything after.
    let version = client.get("/api/v1/nodes").await.1["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    client.call("DELETE", "/api/v1/nodes/worker-1", "application/json", &Json::Null).await;
    let (_, first) = client.get(&format!("/api/v1/nodes?watch=true&timeoutSeconds=1&resourceVersion={version}")).await;
    assert_eq!((&first["type"], &first["object"]["metadata"]["name"]), (&json!("DELETED"), &json!("worker-1")));
}

#[tokio::test]
async fn evictions_respect_budgets_and_pods_say_whose_they_are() {
    let world = World::new(9).await;
    let app: BTreeMap<String, String> = [("app".to_owned(), "web".to_owned())].into();
    for pod in ["web-1", "web-2"] {
        world.cluster.add_pod("shop", pod, "worker-1", PodKind::Plain, app.clone());
    }
    world.cluster.add_disruption_budget("shop", app.clone(), 1);
    let mut client = world.admin().await;
    assert_eq!(client.evict("shop", "web-1").await.0, 201);
    let body = json!({ "kind": "Eviction", "metadata": { "name": "web-2" } });
    let path = "/api/v1/namespaces/shop/pods/web-2/eviction";
    let blocked = client.send("POST", path, "application/json", &body).await.unwrap();
    assert_eq!(blocked.status(), 429);
    assert!(blocked.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(names(&client.get("/api/v1/namespaces/shop/pods").await.1), ["web-2"]);
    world.cluster.add_disruption_budget("shop", app, 1);
    assert_eq!(client.evict("shop", "web-2").await.0, 201);
    assert_eq!(client.evict("shop", "web-2").await.0, 404);
    assert_eq!(world.ledger.count(&Matcher::action("create pods/eviction").with("name", "web-2")), 3);

    let (_, pods) = client.get("/api/v1/namespaces/kube-system/pods?fieldSelector=spec.nodeName%3Dcp-1").await;
    let kinds: Vec<&str> = (pods["items"].as_array().unwrap().iter())
        .map(|pod| pod["metadata"]["ownerReferences"][0]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Node", "Node", "DaemonSet", "Node"]);
    let mirror = |pod: &Json| pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
    assert_eq!(pods["items"].as_array().unwrap().iter().filter(|pod| mirror(pod)).count(), 3);
    assert_eq!(client.evict("kube-system", "kube-scheduler-cp-1").await.0, 201);
}

#[tokio::test]
async fn faults_change_nothing_and_lost_answers_do_change_and_cut_the_connection() {
    let world = World::new(10).await;
    let mut client = world.admin().await;
    world.ledger.inject(Matcher::action("patch nodes"), Injection::Fault(Fault::Throttle), Some(1));
    let cordon = json!({ "spec": { "unschedulable": true } });
    assert_eq!(client.patch("/api/v1/nodes/worker-1", "merge-patch", cordon.clone()).await.0, 429);
    assert_eq!(client.get("/api/v1/nodes/worker-1").await.1["spec"]["unschedulable"], Json::Null);
    world.ledger.inject(Matcher::action("patch nodes"), Injection::LoseAnswer, Some(1));
    let lost = client.send("PATCH", "/api/v1/nodes/worker-1", "application/merge-patch+json", &cordon).await;
    assert!(lost.is_err());
    assert!(client.send("GET", "/readyz", "application/json", &Json::Null).await.is_err(), "the connection is gone");
    let mut client = world.admin().await;
    assert_eq!(client.get("/api/v1/nodes/worker-1").await.1["spec"]["unschedulable"], true);
}

#[tokio::test]
async fn plain_http_is_told_so() {
    let world = World::new(11).await;
    let mut stream = TcpStream::connect((world.address, PORT)).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    // The server may reset the connection behind its answer, having left the request unread.
    let _ = tokio::time::timeout(LIMIT, stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"), "{answer}");
}

#[tokio::test]
async fn a_stop_closes_the_port_and_the_connections() {
    let world = World::new(12).await;
    let mut client = world.admin().await;
    let watch = client.send("GET", "/api/v1/nodes?watch=1", "application/json", &Json::Null).await.unwrap();
    world.stop.cancel();
    assert!(tokio::time::timeout(LIMIT, watch.into_body().collect()).await.unwrap().is_err(), "cut, not ended");
    // The listener is closed by a task of its own.
    let closed = async { while TcpStream::connect((world.address, PORT)).await.is_ok() {} };
    tokio::time::timeout(LIMIT, closed).await.unwrap();
    let identity = ServingIdentity {
        ca_certificate_pem: world.authority.pem.clone(),
        ca_key_pem: world.authority.key_pem(),
        names: vec![world.address.to_string()],
    };
    let again = CancellationToken::new();
    let _end = again.clone().drop_guard();
    serve(Arc::clone(&world.cluster), &[world.address], identity.clone(), again.clone()).await.unwrap();
    let taken = serve(Arc::clone(&world.cluster), &[world.address], identity, again).await;
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let mut client = world.admin().await;
    assert_eq!(client.get("/readyz").await.0, 200);
}
