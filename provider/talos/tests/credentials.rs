//! Secrets and what is signed with them, seen with the eyes of others: openssl and Talos' own library.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod machinery;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use machinery::Machinery;
use serde_json::json;
use talos::credentials::{admin_kubeconfig, admin_talosconfig};
use talos::secrets::Bundle;
use talos::version::TalosVersion;
use talos::yaml::{self, Node};
use time::Duration;

/// Made once: an RSA key takes its time.
static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| bundle("v1.13.9"));

fn bundle(version: &str) -> Bundle {
    Bundle::generate(&TalosVersion::parse(version).unwrap()).unwrap()
}

fn openssl(arguments: &[&str]) -> Option<String> {
    let output = Command::new("openssl").args(arguments).stdin(Stdio::null()).output().ok()?;
    Some(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

fn found(node: &Node, path: &[&str]) -> Vec<u8> {
    let text = path.iter().fold(node, |node, key| match key.parse::<usize>() {
        Ok(index) => match &node.value {
            yaml::Value::List(items) => &items[index],
            _ => panic!("no list at {key}"),
        },
        Err(_) => node.get(key).unwrap_or_else(|| panic!("no {key}")),
    });
    STANDARD.decode(text.scalar().unwrap()).unwrap()
}

fn file(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Verifies a client certificate and its key against an authority, and gives the certificate's text.
fn verified(ca: &[u8], certificate: &[u8], key: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let ca = file(folder.path(), "ca.pem", ca);
    let certificate = file(folder.path(), "crt.pem", certificate);
    // openssl names no curve in the label of an Ed25519 key, as Talos does.
    let key = String::from_utf8(key.to_vec()).unwrap().replace("ED25519 PRIVATE", "PRIVATE");
    let key = file(folder.path(), "key.pem", key.as_bytes());
    let verdict = openssl(&["verify", "-purpose", "sslclient", "-CAfile", &ca, &certificate])?;
    assert!(verdict.contains("OK"), "{verdict}");
    let public_of_certificate = openssl(&["x509", "-in", &certificate, "-noout", "-pubkey"])?;
    let public_of_key = openssl(&["pkey", "-in", &key, "-pubout"])?;
    assert_eq!(public_of_certificate, public_of_key);
    openssl(&["x509", "-in", &certificate, "-noout", "-text"])
}

/// Says so past the capture of output: it is counted at the end.
fn no_openssl(test: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: openssl is not installed (Debian: `apt-get install openssl`)");
}

#[test]
fn the_talosconfig_verifies_against_its_authority() {
    let text = admin_talosconfig(&BUNDLE, "prod", &["10.0.0.1".to_owned()], &[], Duration::hours(1)).unwrap();
    let config = &yaml::parse(&text).unwrap()[0];
    assert_eq!(config.get("context").and_then(Node::scalar), Some("prod"));
    let context = ["contexts", "prod"];
    let part = |name| found(config, &[&context[..], &[name]].concat());
    let Some(certificate) = verified(&part("ca"), &part("crt"), &part("key")) else {
        no_openssl("the_talosconfig_verifies_against_its_authority");
        return;
    };
    assert!(certificate.contains("O = os:admin") || certificate.contains("O=os:admin"), "{certificate}");
    assert!(certificate.contains("TLS Web Client Authentication") && !certificate.contains("Server"));
    assert!(certificate.contains("ED25519"));
}

#[test]
fn the_kubeconfig_verifies_against_its_authority() {
    let text = admin_kubeconfig(&BUNDLE, "prod", "https://api.example.com:6443", Duration::hours(1)).unwrap();
    let config = &yaml::parse(&text).unwrap()[0];
    assert_eq!(config.get("current-context").and_then(Node::scalar), Some("admin@prod"));
    let ca = found(config, &["clusters", "0", "cluster", "certificate-authority-data"]);
    let user = |name| found(config, &["users", "0", "user", name]);
    let Some(certificate) = verified(&ca, &user("client-certificate-data"), &user("client-key-data")) else {
        no_openssl("the_kubeconfig_verifies_against_its_authority");
        return;
    };
    assert!(certificate.contains("system:masters") && certificate.contains("admin"), "{certificate}");
    assert!(certificate.contains("Digital Signature, Key Encipherment"));
}

#[test]
fn the_service_account_key_is_rsa_of_4096_bits() {
    let key = BUNDLE.secret_strings().into_iter().find(|text| text.starts_with("-----BEGIN RSA PRIVATE KEY-----")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "sa.pem", key.as_bytes());
    match openssl(&["rsa", "-in", &path, "-noout", "-check", "-text"]) {
        Some(text) => assert!(text.contains("4096 bit") && text.contains("RSA key ok"), "{}", text.lines().next().unwrap()),
        None => no_openssl("the_service_account_key_is_rsa_of_4096_bits"),
    }
}

#[test]
fn a_bundle_survives_private_state_and_has_a_fingerprint_of_its_own() {
    let state = serde_json::to_string(&*BUNDLE).unwrap();
    let back: Bundle = serde_json::from_str(&state).unwrap();
    assert!(back == *BUNDLE);
    let other = bundle("v1.8.0");
    assert_eq!(back.fingerprint(), BUNDLE.fingerprint());
    assert_ne!(other.fingerprint(), BUNDLE.fingerprint());
    assert_eq!(other.fingerprint().len(), 16);
}

#[test]
fn the_list_of_secrets_covers_the_private_state() {
    let state: serde_json::Value = serde_json::to_value(&*BUNDLE).unwrap();
    let secrets = BUNDLE.secret_strings();
    let mut texts = Vec::new();
    collect(&state, "", &mut texts);
    for (path, text) in texts {
        let public = path.ends_with("/crt") || path == "/cluster_id";
        assert_eq!(secrets.iter().any(|secret| **secret == text), !public, "{path}");
    }
}

fn collect(value: &serde_json::Value, path: &str, texts: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::String(text) => texts.push((path.to_owned(), text.clone())),
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                collect(value, &format!("{path}/{key}"), texts);
            }
        }
        _ => {}
    }
}

#[test]
fn the_library_reads_our_secrets() {
    for mut machinery in Machinery::all("the_library_reads_our_secrets") {
        let state = serde_json::to_value(&*BUNDLE).unwrap();
        let pair = |name: &str| {
            json!({
                "Crt": STANDARD.encode(state[name]["crt"].as_str().unwrap()),
                "Key": STANDARD.encode(state[name]["key"].as_str().unwrap()),
            })
        };
        let secrets = json!({
            "Cluster": {"Id": state["cluster_id"], "Secret": state["cluster_secret"]},
            "Secrets": {"BootstrapToken": state["bootstrap_token"], "SecretboxEncryptionSecret": state["secretbox_key"]},
            "TrustdInfo": {"Token": state["trustd_token"]},
            "Certs": {
                "Etcd": pair("etcd"), "K8s": pair("kubernetes"), "K8sAggregator": pair("aggregator"), "OS": pair("os"),
                "K8sServiceAccount": {"Key": STANDARD.encode(state["service_account_key"].as_str().unwrap())},
            },
        });
        let question = json!({
            "op": "generate", "contract": "v1.13", "secrets": secrets, "cluster": "c", "kubernetes": "1.35.0",
            "endpoint": "https://api.example.com:6443", "role": "controlplane",
        });
        let config = machinery.ask(&question).unwrap()["config"].as_str().unwrap().to_owned();
        machinery.load(&config).unwrap();
        assert!(Bundle::from_machine_config(config.as_bytes()).unwrap() == *BUNDLE);
    }
}
