//! How long 100 control-plane configs from one bundle take, here and in Talos' own library.
//!
//! The library is asked where `TALOS_MACHINERY_CLI` names the program in `acceptance-tests/tools/machinery`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a program for developers")]

#[path = "../tests/machinery/mod.rs"]
mod machinery;

use std::hint::black_box;
use std::time::Instant;

use machinery::Machinery;
use serde_json::json;
use talos::config::{ClusterInput, NodeInput, Role, generate};
use talos::patch::Patch;
use talos::secrets::Bundle;
use talos::version::{KubernetesVersion, TalosVersion};

const CONFIGS: u32 = 100;

fn main() {
    let version = TalosVersion::parse("v1.13.9").unwrap();
    let bundle = Bundle::generate(&version).unwrap();
    let cluster = ClusterInput {
        cluster_name: "prod".to_owned(),
        endpoint: "https://api.example.com:6443".to_owned(),
        talos_version: version.clone(),
        contract: version.clone(),
        kubernetes_version: KubernetesVersion::parse("1.35.4").unwrap(),
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        service_cidrs: vec!["10.96.0.0/12".parse().unwrap()],
        cert_sans: vec!["lb.example.com".to_owned()],
        schedule_on_control_planes: false,
        external_cloud_provider: false,
    };
    let patches = [Patch::parse("machine: {sysctls: {net.core.somaxconn: '65535'}}\n", &version).unwrap()];
    let node = NodeInput { patches: &patches, ..NodeInput::new(Role::ControlPlane) };
    // The first one reads the table of fields.
    black_box(generate(&bundle, &cluster, &node).unwrap());
    let start = Instant::now();
    for _ in 0..CONFIGS {
        black_box(generate(&bundle, &cluster, &node).unwrap());
    }
    let ours = start.elapsed().as_secs_f64();
    println!("{CONFIGS} control-plane configs: {:.1} ms", ours * 1e3);
    for mut library in Machinery::all("comparison with Talos' own library") {
        let secrets = library.ask(&json!({"op": "secrets", "contract": "v1.13"})).unwrap()["secrets"].clone();
        let question = json!({
            "op": "generate", "contract": "v1.13", "secrets": secrets, "cluster": "prod", "kubernetes": "1.35.4",
            "endpoint": "https://api.example.com:6443", "role": "controlplane", "count": CONFIGS,
        });
        let answer = library.ask(&question).unwrap();
        for (index, what) in ["with comments, as talosctl writes them", "without comments"].iter().enumerate() {
            let theirs = answer["seconds"][index].as_f64().unwrap();
            println!("Talos {} {what}: {:.1} ms, {:.1} times as long", library.version, theirs * 1e3, theirs / ours);
        }
    }
}
