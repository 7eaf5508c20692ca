//! What this crate generates is what Talos' own library generates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod machinery;

use machinery::Machinery;
use serde_json::{Value, json};
use talos::config::{ClusterInput, MachineConfig, NodeInput, Role, generate};
use talos::secrets::Bundle;
use talos::validate::validate;
use talos::version::{KubernetesVersion, TalosVersion};

fn cluster(contract: &str, talos: &str) -> ClusterInput {
    let talos_version = TalosVersion::parse(talos).unwrap();
    let kubernetes = format!("1.{}.2", talos_version.kubernetes_minors().1);
    ClusterInput {
        cluster_name: "prod-nyc1".to_owned(),
        endpoint: "https://api.example.com:6443".to_owned(),
        contract: TalosVersion::parse(contract).unwrap(),
        kubernetes_version: KubernetesVersion::parse(&kubernetes).unwrap(),
        talos_version,
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        service_cidrs: vec!["10.96.0.0/12".parse().unwrap()],
        cert_sans: vec!["10.0.0.1".to_owned(), "lb.example.com".to_owned()],
        schedule_on_control_planes: false,
        external_cloud_provider: false,
    }
}

/// The library's form of the secrets, taken from a generated control-plane config.
fn library_bundle(machinery: &mut Machinery, contract: &str) -> Value {
    machinery.ask(&json!({"op": "secrets", "contract": contract})).unwrap()["secrets"].clone()
}

fn library_config(machinery: &mut Machinery, input: &ClusterInput, secrets: &Value, role: Role) -> String {
    let question = json!({
        "op": "generate", "contract": input.contract.to_string(), "secrets": secrets,
        "cluster": input.cluster_name, "endpoint": input.endpoint,
        "kubernetes": input.kubernetes_version.to_string(), "role": role.as_str(), "sans": input.cert_sans,
        "disk": "/dev/xvda", "image": "ghcr.io/siderolabs/installer:v1",
    });
    machinery.ask(&question).unwrap()["config"].as_str().unwrap().to_owned()
}

fn node(role: Role) -> NodeInput<'static> {
    NodeInput {
        install_disk: Some("/dev/xvda".to_owned()),
        install_image: Some("ghcr.io/siderolabs/installer:v1".to_owned()),
        ..NodeInput::new(role)
    }
}

fn same(ours: &str, theirs: &str, version: &TalosVersion) {
    // Talos' own encoding of both: a field that it leaves out is one that says nothing.
    let read = |text: &str| MachineConfig::parse(text, version).unwrap_or_else(|error| panic!("{error}"));
    if read(ours).fingerprint() != read(theirs).fingerprint() {
        similar(ours, theirs);
    }
}

/// Fails with the lines that differ, without values that look like keys.
fn similar(ours: &str, theirs: &str) {
    let lines = |text: &str| -> Vec<String> { text.lines().map(|line| line.chars().take(100).collect()).collect() };
    let (ours, theirs) = (lines(ours), lines(theirs));
    let only = |a: &[String], b: &[String]| -> Vec<String> { a.iter().filter(|line| !b.contains(line)).cloned().collect() };
    panic!("only ours: {:#?}\nonly theirs: {:#?}", only(&ours, &theirs), only(&theirs, &ours));
}

#[test]
fn generated_configs_are_the_library_s_own() {
    for mut machinery in Machinery::all("generated_configs_are_the_library_s_own") {
        let mut compared = 0;
        for minor in 8..=machinery.minor() {
            let contract = format!("v1.{minor}.0");
            let version = machinery.version.clone();
            let input = cluster(&contract, &version);
            let secrets = library_bundle(&mut machinery, &contract);
            let theirs = library_config(&mut machinery, &input, &secrets, Role::ControlPlane);
            // Theirs is where our bundle comes from, so this reads all secrets back too.
            let bundle = Bundle::from_machine_config(theirs.as_bytes()).unwrap();
            for role in [Role::ControlPlane, Role::Worker] {
                let ours = generate(&bundle, &input, &node(role)).unwrap();
                let theirs = library_config(&mut machinery, &input, &secrets, role);
                let ours = machinery.load(ours.to_yaml()).unwrap();
                same(&ours, &theirs, &input.talos_version);
                compared += 1;
            }
        }
        println!("compared {compared} configs with Talos {}", machinery.version);
    }
}

/// With all that a cluster of ours may ask for, in every contract, for both roles.
#[test]
fn configs_with_everything_in_them_pass_the_library_s_validation() {
    for mut machinery in Machinery::all("configs_with_everything_in_them_pass_the_library_s_validation") {
        let bundle = Bundle::generate(&TalosVersion::parse("v1.13.9").unwrap()).unwrap();
        let mut loaded = 0;
        for minor in 8..=machinery.minor() {
            let version = machinery.version.clone();
            let mut input = cluster(&format!("v1.{minor}.0"), &version);
            input.pod_cidrs.push("fd00:1::/56".parse().unwrap());
            input.service_cidrs.push("fd00:2::/112".parse().unwrap());
            input.schedule_on_control_planes = true;
            input.external_cloud_provider = true;
            for role in [Role::ControlPlane, Role::Worker] {
                let mut node = NodeInput::new(role);
                node.labels.insert("topology.kubernetes.io/zone".to_owned(), "us-east-1a".to_owned());
                node.labels.insert("inferadb.com/pool".to_owned(), "on".to_owned());
                node.annotations.insert("inferadb.com/note".to_owned(), "a: b # c".to_owned());
                node.taints = vec!["dedicated=database:NoSchedule".to_owned(), "spot:NoExecute".to_owned()];
                node.kubelet_arguments.insert("v".to_owned(), "4".to_owned());
                let config = generate(&bundle, &input, &node).unwrap();
                if let Err(error) = machinery.load(config.to_yaml()) {
                    panic!("{version} v1.{minor} {role:?}: {error}");
                }
                assert_eq!(validate(&config, &input.talos_version), []);
                loaded += 1;
            }
        }
        println!("Talos {}: {loaded} configs loaded and validated", machinery.version);
    }
}
