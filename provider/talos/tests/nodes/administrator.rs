//! Administrators signed from a bundle, at servers that have nothing but the machine config of the same bundle.

use base64::{Engine, prelude::BASE64_STANDARD};
use proto::talos::machine as wire;
use serde_json::Value;
use talos::{
    client::{Client, ErrorKind, Identity},
    config::{ClusterInput, NodeInput, Role, generate},
    kubernetes,
    secrets::Bundle,
    version::{KubernetesVersion, TalosVersion},
};
use time::Duration;

use crate::{
    api::FakeApi,
    authority::Authority,
    node::{Answer, FakeNode},
};

const LIFETIME: Duration = Duration::minutes(5);

/// A new cluster's bundle, and the authorities of Talos and Kubernetes that its control-plane config holds.
fn cluster() -> (Bundle, Authority, Authority) {
    let talos_version = TalosVersion::parse("v1.13.9").expect("a version");
    let bundle = Bundle::generate(&talos_version).expect("a bundle");
    let input = ClusterInput {
        cluster_name: "test".to_owned(),
        endpoint: "https://127.0.0.1:6443".to_owned(),
        contract: talos_version.clone(),
        kubernetes_version: KubernetesVersion::parse("1.35.4").expect("a version"),
        talos_version,
        pod_cidrs: vec!["10.244.0.0/16".parse().expect("a range")],
        service_cidrs: vec!["10.96.0.0/12".parse().expect("a range")],
        cert_sans: Vec::new(),
        schedule_on_control_planes: false,
        external_cloud_provider: false,
    };
    let config = generate(&bundle, &input, &NodeInput::new(Role::ControlPlane)).expect("a config");
    let documents: Vec<Value> = serde_saphyr::from_multiple(config.to_yaml()).expect("YAML");
    let authority = |section: &str| {
        let text = |name: &str| {
            let encoded = documents[0][section]["ca"][name].as_str().expect("a text");
            String::from_utf8(BASE64_STANDARD.decode(encoded).expect("base64")).expect("PEM")
        };
        Authority::existing(text("crt"), &text("key"))
    };
    let authorities = (authority("machine"), authority("cluster"));
    (bundle, authorities.0, authorities.1)
}

fn hostname() -> Answer {
    let message = wire::Hostname { hostname: "node".to_owned(), ..Default::default() };
    Answer::one(&wire::HostnameResponse { messages: vec![message] })
}

#[tokio::test]
async fn they_are_let_in_by_their_own_cluster_only() {
    let (bundle, talos, kubernetes) = cluster();
    let node = FakeNode::start(&talos, |_, _| hostname()).await;
    let administrator = Identity::talos_admin(&bundle, LIFETIME).expect("an identity");
    let client = Client::new(&node.address, &administrator).expect("a client");
    assert_eq!(client.hostname().await.expect("an answer"), "node");

    let administrator = Identity::kubernetes_admin(&bundle, LIFETIME).expect("an identity");
    let api = FakeApi::start_of(&kubernetes, &administrator, Vec::new()).await;
    api.cluster.ready().await.expect("an answer");

    let (_, other_talos, other_kubernetes) = cluster();
    let node = FakeNode::start(&other_talos, |_, _| hostname()).await;
    let client = Client::new(&node.address, &Identity::talos_admin(&bundle, LIFETIME).expect("an identity")).expect("a client");
    let error = client.hostname().await.expect_err("another cluster");
    assert!(matches!(error.kind, ErrorKind::Untrusted(_)), "{error}");
    let api = FakeApi::start_of(&other_kubernetes, &administrator, Vec::new()).await;
    let error = api.cluster.ready().await.expect_err("another cluster");
    assert!(matches!(error, kubernetes::Error::Untrusted { .. }), "{error}");
}
