//! kubeconfig and talosconfig, verified by openssl against the CAs that the nodes booted with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance_tests::terraform::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use talos::client::{Client, ErrorKind, Identity};

use crate::checks;
use crate::configuration::Configuration;
use crate::world::World;

fn decode(folder: &Path, name: &str, value: &Json) -> PathBuf {
    let path = folder.join(name);
    let pem = String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    // Talos has a label of its own for what openssl knows as `PRIVATE KEY`.
    fs::write(&path, pem.replace("ED25519 PRIVATE KEY", "PRIVATE KEY")).unwrap();
    path
}

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconfig_and_talosconfig_verify_against_the_clusters_own_cas() {
    let world = World::start().await;
    let workspace =
        world.workspace(Kind::OpenTofu, &Configuration::cluster(world.cidr()).with_cluster(|it| it.control_plane = 1));
    workspace.apply().await.unwrap().succeeds();
    let cluster = workspace.attributes("inferadb_cluster.demo").await.unwrap();
    let config = checks::machine_configs(&world)
        .await
        .values()
        .map(|config| checks::document(config))
        .find(|config| config["machine"]["type"] == "controlplane")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &Json| decode(folder.path(), name, value).display().to_string();

    let kubeconfig: Json = serde_saphyr::from_str(cluster["kubeconfig"].as_str().unwrap()).unwrap();
    let user = &kubeconfig["users"][0]["user"];
    let authority = &kubeconfig["clusters"][0]["cluster"];
    assert_eq!(authority["server"], cluster["endpoint"]);
    assert_eq!(authority["certificate-authority-data"], config["cluster"]["ca"]["crt"]);
    let (ca, certificate) =
        (file("k8s-ca.crt", &config["cluster"]["ca"]["crt"]), file("k8s.crt", &user["client-certificate-data"]));
    openssl(&["verify", "-purpose", "sslclient", "-CAfile", &ca, &certificate]);
    let key = file("k8s.key", &user["client-key-data"]);
    assert_eq!(openssl(&["pkey", "-in", &key, "-pubout"]), openssl(&["x509", "-in", &certificate, "-noout", "-pubkey"]));
    assert!(openssl(&["x509", "-in", &certificate, "-noout", "-subject"]).contains("system:masters"));

    let talosconfig: Json = serde_saphyr::from_str(cluster["talosconfig"].as_str().unwrap()).unwrap();
    let context = &talosconfig["contexts"][talosconfig["context"].as_str().unwrap()];
    assert_eq!(context["ca"], config["machine"]["ca"]["crt"]);
    let (ca, certificate) = (file("talos-ca.crt", &config["machine"]["ca"]["crt"]), file("talos.crt", &context["crt"]));
    openssl(&["verify", "-purpose", "sslclient", "-CAfile", &ca, &certificate]);
    let key = file("talos.key", &context["key"]);
    assert_eq!(openssl(&["pkey", "-in", &key, "-pubout"]), openssl(&["x509", "-in", &certificate, "-noout", "-pubkey"]));
    assert!(openssl(&["x509", "-in", &certificate, "-noout", "-subject"]).contains("os:admin"));

    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}

/// A client with the credentials of a talosconfig, which trusts the node of another.
fn client(credentials: &Json, trusted: &Json, node: &str) -> Client {
    let text = |context: &Json, name: &str| String::from_utf8(STANDARD.decode(context[name].as_str().unwrap()).unwrap()).unwrap();
    let identity = Identity::new(text(trusted, "ca"), text(credentials, "crt"), text(credentials, "key").into());
    Client::new(node, &identity).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talosconfig_opens_its_own_cluster_and_no_other() {
    let world = World::start().await;
    let one_node = |pods: &str| {
        let extra = format!("pod_cidr = \"{pods}\"");
        Configuration::cluster(world.cidr()).with_cluster(|it| {
            it.control_plane = 1;
            it.workers = 0;
            it.extra = extra;
        })
    };
    let workspace = world.workspace(Kind::Terraform, &one_node("10.244.0.0/16"));
    let second = one_node("10.245.0.0/16").hcl();
    let second = &second[second.find("resource \"inferadb_cluster\"").unwrap()..];
    workspace.write("second.tf", &second.replace("\"demo\"", "\"second\"")).unwrap();
    workspace.apply().await.unwrap().succeeds();

    let mut contexts = Vec::new();
    let mut nodes = Vec::new();
    for address in ["inferadb_cluster.demo", "inferadb_cluster.second"] {
        let cluster = workspace.attributes(address).await.unwrap();
        let talosconfig: Json = serde_saphyr::from_str(cluster["talosconfig"].as_str().unwrap()).unwrap();
        contexts.push(talosconfig["contexts"][talosconfig["context"].as_str().unwrap()].clone());
        nodes.push(cluster["nodes"]["control-plane-0"]["public_ip"].as_str().unwrap().to_owned());
    }
    for own in 0..2 {
        let other = 1 - own;
        client(&contexts[own], &contexts[own], &nodes[own]).version().await.unwrap();
        let refused = client(&contexts[other], &contexts[own], &nodes[own]).version().await.unwrap_err();
        assert!(matches!(refused.kind, ErrorKind::TlsRefused(_)), "{refused}");
    }
    workspace.destroy().await.unwrap().succeeds();
    world.is_empty().await;
}
