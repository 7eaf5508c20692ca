//! What this crate's validation says is what Talos' own library says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod machinery;
mod random_patch;

use machinery::Machinery;
use random_patch::{Fields, Random};
use serde_json::json;
use talos::config::MachineConfig;
use talos::patch::Patch;
use talos::validate::validate;
use talos::version::TalosVersion;

fn base(machinery: &mut Machinery, contract: &str, role: &str) -> String {
    let secrets = machinery.ask(&json!({"op": "secrets", "contract": contract})).unwrap()["secrets"].clone();
    // A Kubernetes that all versions of the library that are asked support.
    let question = json!({
        "op": "generate", "contract": contract, "secrets": secrets, "cluster": "c",
        "endpoint": "https://api.example.com:6443", "kubernetes": "1.35.0", "role": role, "sans": ["10.0.0.1"],
    });
    machinery.ask(&question).unwrap()["config"].as_str().unwrap().to_owned()
}

fn patched(config: &str, patch: &str, version: &TalosVersion) -> Option<MachineConfig> {
    let config = MachineConfig::parse(config, version).unwrap();
    Patch::parse(patch, version).ok()?.apply_to(&config).ok()
}

/// Changes that Talos refuses though it can read them. Each: the roles that it is tried on, the patch.
const REFUSED: &[(&str, &str)] = &[
    ("controlplane worker", "cluster: {controlPlane: {endpoint: {$patch: delete}}}"),
    ("controlplane", "cluster: {controlPlane: {endpoint: 'https://api.example.com:99999'}}"),
    ("controlplane", "cluster: {controlPlane: {$patch: delete}}"),
    ("controlplane", "cluster: {network: {dnsDomain: 'a b'}}"),
    ("controlplane", "cluster: {network: {cni: {name: weave}}}"),
    ("controlplane", "cluster: {network: {cni: {name: none, urls: ['https://example.com/x.yaml']}}}"),
    ("controlplane", "cluster: {network: {cni: {name: custom, urls: ['x.yaml']}}}"),
    ("controlplane", "cluster: {externalCloudProvider: {manifests: ['https://example.com/x.yaml']}}"),
    ("controlplane", "cluster: {externalCloudProvider: {enabled: true, manifests: ['x']}}"),
    ("controlplane", "cluster: {inlineManifests: [{name: a, contents: x}, {name: a, contents: y}]}"),
    ("controlplane", "cluster: {inlineManifests: [{name: '', contents: x}]}"),
    ("controlplane", "cluster: {discovery: {registries: {service: {endpoint: 'https://discovery.example.com/path'}}}}"),
    ("controlplane", "cluster: {id: {$patch: delete}}"),
    ("controlplane", "cluster: {etcd: {advertisedSubnets: [nowhere]}}"),
    ("controlplane", "cluster: {etcd: {ca: {$patch: delete}}}"),
    ("controlplane", "cluster: {apiServer: {resources: {requests: {disk: 1}}}}"),
    ("worker", "cluster: {etcd: {subnet: 10.0.0.0/8}}"),
    ("worker", "cluster: {ca: {crt: LS0=, key: LS0=}}"),
    ("controlplane", "machine: {type: boss}"),
    ("controlplane", "machine: {type: worker}"),
    ("worker", "machine: {type: controlplane}"),
    ("controlplane worker", "machine: {ca: {$patch: delete}}"),
    ("worker", "machine: {ca: {crt: LS0=, key: LS0=}}"),
    ("controlplane", "machine: {ca: {crt: LS0=}}"),
    ("controlplane worker", "persist: false"),
    ("controlplane worker", "machine: {nodeLabels: {'a b': c}}"),
    ("controlplane worker", "machine: {nodeLabels: {a: 'b c'}}"),
    ("controlplane", "machine: {nodeTaints: {a: 'b:Never'}}"),
    ("controlplane", "machine: {nodeAnnotations: {'A/b/c': d}}"),
    ("controlplane", "machine: {nodeAnnotations: {talos.dev/owned-labels: d}}"),
    ("controlplane", "machine: {kubelet: {nodeIP: {validSubnets: [x]}}}"),
    ("controlplane worker", "machine: {kubelet: {extraConfig: {resolvConf: /x}}}"),
    ("controlplane", "machine: {features: {hostDNS: {enabled: false}}}"),
    ("controlplane", "machine: {features: {kubernetesTalosAPIAccess: {enabled: true, allowedRoles: [boss]}}}"),
    ("worker", "machine: {features: {kubernetesTalosAPIAccess: {enabled: true, allowedRoles: ['os:reader']}}}"),
    ("controlplane", "machine: {features: {nodeAddressSortAlgorithm: v9}}"),
    ("controlplane", "machine: {network: {interfaces: [{dhcp: true}]}}"),
    ("controlplane", "machine: {network: {interfaces: [{interface: eth0, deviceSelector: {driver: x}}]}}"),
    ("controlplane", "machine: {network: {interfaces: [{deviceSelector: {}}]}}"),
    ("controlplane", "machine: {network: {interfaces: [{interface: eth0, addresses: [x]}]}}"),
    ("controlplane", "machine: {network: {interfaces: [{interface: eth0, routes: [{network: 10.0.0.0}]}]}}"),
    ("controlplane", "machine: {network: {interfaces: [{interface: eth0, routes: [{metric: 5}]}]}}"),
    ("worker", "machine: {network: {interfaces: [{interface: eth0, vip: {ip: 10.0.0.1}}]}}"),
    ("controlplane", "machine: {install: {extensions: [{image: a}, {image: a}]}}"),
    ("controlplane", "machine: {logging: {destinations: [{endpoint: 'tcp://10.0.0.1:1', format: text}]}}"),
    ("controlplane", "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: a\nurl: https://example.com\n"),
    ("controlplane", "apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: 'a b'\n"),
    ("controlplane", "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: docker.io\nendpoints: [{url: 'ftp://x'}]\n"),
    ("controlplane", "apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: x\n---\nmachine: {network: {hostname: y}}\n"),
    (
        "controlplane",
        "apiVersion: v1alpha1\nkind: ResolverConfig\nnameservers: [{address: 1.1.1.1}]\n---\nmachine: {network: {nameservers: [8.8.8.8]}}\n",
    ),
];

#[test]
fn what_the_library_refuses_is_refused() {
    let mut wrong = Vec::new();
    for mut machinery in Machinery::all("what_the_library_refuses_is_refused") {
        let version = TalosVersion::parse(&machinery.version).unwrap();
        let mut count = 0;
        for role in ["controlplane", "worker"] {
            let config = base(&mut machinery, "v1.8", role);
            for (roles, patch) in REFUSED {
                if !roles.split(' ').any(|wanted| wanted == role) {
                    continue;
                }
                let patched = patched(&config, patch, &version).unwrap_or_else(|| panic!("{patch}"));
                let theirs = machinery.load(patched.to_yaml());
                let ours = validate(&patched, &version);
                count += 1;
                if theirs.is_ok() || ours.is_empty() {
                    wrong.push(format!("{} {role} {patch}\ntheirs: {:?}\nours: {ours:?}", machinery.version, theirs.err()));
                }
            }
        }
        println!("Talos {}: {count} configs refused by both", machinery.version);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Patches for older contracts, on configs of v1.14 where other documents have taken over.
#[test]
fn settings_in_two_places_are_refused_as_by_the_library() {
    let moved = [
        "machine: {kubelet: {extraArgs: {v: '4'}}}",
        "machine: {nodeLabels: {a: b}}",
        "machine: {nodeTaints: {a: ':NoSchedule'}}",
        "machine: {features: {kubePrism: {enabled: false}}}",
        "machine: {features: {hostDNS: {enabled: true}}}",
        "machine: {network: {hostname: x}}",
        "machine: {install: {disk: /dev/sda}}",
        "cluster: {network: {cni: {name: none}}}",
        "cluster: {proxy: {disabled: true}}",
        "cluster: {apiServer: {certSANs: [x]}}",
        "cluster: {controllerManager: {extraArgs: {v: '4'}}}",
        "cluster: {scheduler: {extraArgs: {v: '4'}}}",
        "cluster: {allowSchedulingOnControlPlanes: true}",
        "cluster: {discovery: {enabled: false}}",
        "cluster: {clusterName: x}",
        "cluster: {coreDNS: {disabled: true}}",
        "cluster: {secretboxEncryptionSecret: x}",
    ];
    let mut compared = 0;
    for mut machinery in Machinery::all("settings_in_two_places_are_refused_as_by_the_library") {
        if machinery.minor() < 14 {
            continue;
        }
        let version = TalosVersion::parse(&machinery.version).unwrap();
        let config = base(&mut machinery, "v1.14", "controlplane");
        for patch in moved {
            let patched = patched(&config, patch, &version).unwrap();
            let theirs = machinery.load(patched.to_yaml()).is_err();
            assert_eq!(!validate(&patched, &version).is_empty(), theirs, "{patch}");
            compared += 1;
        }
    }
    println!("compared {compared} settings");
}

#[test]
fn nothing_is_refused_that_the_library_takes() {
    const CASES: u64 = 800;
    let mut wrong = Vec::new();
    for mut machinery in Machinery::all("nothing_is_refused_that_the_library_takes") {
        let version = TalosVersion::parse(&machinery.version).unwrap();
        let fields = Fields::new(machinery.minor());
        let mut counts = [0; 3];
        let mut contracts = vec!["v1.8"];
        if machinery.minor() >= 14 {
            contracts.push("v1.14");
        }
        for contract in contracts {
            let config = base(&mut machinery, contract, "controlplane");
            for seed in 0..CASES {
                let patch = fields.patch(&mut Random::new(seed));
                let Some(patched) = patched(&config, &patch, &version) else { continue };
                match (machinery.load(patched.to_yaml()), validate(&patched, &version).as_slice()) {
                    (Ok(_), []) => counts[0] += 1,
                    (Err(_), [_, ..]) => counts[1] += 1,
                    (Err(_), []) => counts[2] += 1,
                    (Ok(_), ours) => wrong.push(format!("{} {contract} seed {seed} {patch}\n{ours:?}", machinery.version)),
                }
            }
        }
        println!(
            "Talos {}: {} random configs taken by both, {} refused by both, {} by the library alone",
            machinery.version, counts[0], counts[1], counts[2]
        );
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n\n"));
}
