//! kubeconfig and talosconfig, verified by openssl against the CAs that the nodes booted with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance_tests::terraform::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

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
