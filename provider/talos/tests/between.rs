//! The patch between two configs leads from the one to the other, and holds none of the cluster's secrets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod machinery;
mod random_patch;

use std::sync::LazyLock;

use machinery::Machinery;
use random_patch::{Fields, Random};
use talos::config::{ClusterInput, MachineConfig, NodeInput, Role, generate};
use talos::patch::{apply_all, between};
use talos::secrets::Bundle;
use talos::version::{KubernetesVersion, TalosVersion};

/// Made once: its RSA key takes seconds.
static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| Bundle::generate(&version(13)).unwrap());

fn version(minor: u16) -> TalosVersion {
    TalosVersion::parse(&format!("v1.{minor}.0")).unwrap()
}

fn input(contract: u16, talos: u16) -> ClusterInput {
    let talos_version = version(talos);
    ClusterInput {
        cluster_name: "prod-nyc1".to_owned(),
        endpoint: "https://api.example.com:6443".to_owned(),
        contract: version(contract),
        kubernetes_version: KubernetesVersion::parse(&format!("1.{}.2", talos_version.kubernetes_minors().1)).unwrap(),
        talos_version,
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        service_cidrs: vec!["10.96.0.0/12".parse().unwrap()],
        cert_sans: vec!["api.example.com".to_owned(), "lb.example.com".to_owned()],
        schedule_on_control_planes: false,
        external_cloud_provider: false,
    }
}

fn node(role: Role) -> NodeInput<'static> {
    let mut node = NodeInput::new(role);
    node.labels.insert("topology.kubernetes.io/zone".to_owned(), "us-east-1a".to_owned());
    node.annotations.insert("inferadb.com/note".to_owned(), "x".to_owned());
    if role == Role::Worker {
        node.taints = vec!["dedicated=database:NoSchedule".to_owned()];
    }
    node
}

/// What no node could read back is no running config, nor is one of another version of the format.
fn readable(config: &MachineConfig, version: &TalosVersion) -> bool {
    let text = config.to_yaml();
    MachineConfig::parse(text, version).is_ok() && text.lines().any(|line| line == "version: v1alpha1")
}

/// What `between` gives for a config and the same with these patches.
fn found(contract: u16, role: Role, patches: &[&str]) -> Vec<String> {
    let input = input(contract, contract);
    let start = generate(&BUNDLE, &input, &node(role)).unwrap();
    let end = apply_all(&start, patches, &input.talos_version).expect("the patches are good");
    let found = between(&start, &end, &input.talos_version).unwrap();
    let back = apply_all(&start, &found.iter().map(|text| text.as_str()).collect::<Vec<_>>(), &input.talos_version).unwrap();
    assert!(back.same_as(&end, &input.talos_version));
    found.iter().map(|text| text.to_string()).collect()
}

#[test]
fn random_patches_are_found_again() {
    const CASES: u64 = 100;
    let (mut compared, mut refused, mut two, mut wrong) = (0, 0, 0, Vec::new());
    for minor in 8..=14 {
        let fields = Fields::new(minor);
        for (contract, role) in [(8, Role::ControlPlane), (minor, Role::ControlPlane), (minor, Role::Worker)] {
            let input = input(contract, minor);
            let start = generate(&BUNDLE, &input, &node(role)).unwrap();
            for seed in 0..CASES {
                let mut random = Random::new(seed);
                let patches = [fields.patch(&mut random), fields.patch(&mut random)];
                let Some(end) = apply_all(&start, &patches, &input.talos_version) else {
                    refused += 1;
                    continue;
                };
                let case = format!("v1.{minor}, contract v1.{contract}, {role:?}, seed {seed}\n{}\n{}", patches[0], patches[1]);
                if !readable(&end, &input.talos_version) {
                    refused += 1;
                    continue;
                }
                // Back again is what patches seldom do: taking away, and putting something else in its place.
                for (from, to, way) in [(&start, &end, "there"), (&end, &start, "back")] {
                    let Ok(found) = between(from, to, &input.talos_version) else {
                        wrong.push(format!("{case}\n{way}: none found"));
                        continue;
                    };
                    let texts: Vec<&str> = found.iter().map(|text| text.as_str()).collect();
                    let result = apply_all(from, &texts, &input.talos_version);
                    if !result.is_some_and(|result| result.same_as(to, &input.talos_version)) {
                        wrong.push(format!("{case}\n{way}: leads elsewhere: {texts:#?}"));
                    }
                    if way == "there" && texts.iter().any(|text| BUNDLE.appears_in(text)) {
                        wrong.push(format!("{case}\nholds a secret"));
                    }
                    two += usize::from(found.len() > 1);
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} found again, {two} of them as two patches; {refused} left out");
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(compared > 1000 && two > 20, "{compared} compared, {two} took two patches");
}

/// Talos' own library goes the same way by them.
#[test]
fn the_library_goes_where_the_patches_lead() {
    const CASES: u64 = 150;
    let mut wrong = Vec::new();
    for mut machinery in Machinery::all("the_library_goes_where_the_patches_lead") {
        let minor = machinery.minor();
        let fields = Fields::new(minor);
        let input = input(minor, minor);
        let talos = &input.talos_version;
        let start = generate(&BUNDLE, &input, &node(Role::ControlPlane)).unwrap();
        let mut compared = 0;
        for seed in 0..CASES {
            let mut random = Random::new(seed);
            let patches = [fields.patch(&mut random), fields.patch(&mut random)];
            let Some(end) = apply_all(&start, &patches, talos).filter(|end| readable(end, talos)) else { continue };
            let Ok(found) = between(&start, &end, talos) else { continue };
            let texts: Vec<&str> = found.iter().map(|text| text.as_str()).collect();
            // It panics on some types, and cannot read all that it writes itself.
            let theirs = match machinery.patch(start.to_yaml(), &texts).map(|config| MachineConfig::parse(&config, talos)) {
                Ok(Ok(theirs)) => theirs,
                Err(error) if !error.starts_with("panic: ") => {
                    wrong.push(format!("seed {seed}: {error}\n{texts:#?}"));
                    continue;
                }
                _ => continue,
            };
            let Ok(Ok(ours)) = machinery.patch(end.to_yaml(), &[]).map(|config| MachineConfig::parse(&config, talos)) else {
                continue;
            };
            if !theirs.same_as(&ours, talos) {
                wrong.push(format!("seed {seed} leads elsewhere:\n{}\n{}\n{texts:#?}", patches[0], patches[1]));
            }
            compared += 1;
        }
        println!("Talos {}: {compared} compared", machinery.version);
        assert!(compared > 30, "{compared} compared");
    }
    wrong.truncate(10);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn what_merging_can_do_reads_as_a_person_would_write_it() {
    let cilium = "cluster:\n    network:\n        cni:\n            name: none\n    proxy:\n        disabled: true\n    inlineManifests:\n        - name: cilium\n          contents: |-\n            kind: Namespace\n            apiVersion: v1\n";
    // Control plane and workers alike, so that it can stand with the cluster.
    for role in [Role::ControlPlane, Role::Worker] {
        let found = found(13, role, &[cilium]);
        let [found] = found.as_slice() else { panic!("one patch is enough: {found:#?}") };
        let keys = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
            lines.sort();
            lines
        };
        assert_eq!(keys(found), keys(cilium), "{found}");
    }
}

#[test]
fn equal_configs_need_no_patch() {
    for contract in 8..=14 {
        assert_eq!(found(contract, Role::ControlPlane, &[]), [""; 0]);
    }
}

#[test]
fn what_was_taken_out_of_a_list_takes_a_second_patch() {
    let patch = "machine:\n  certSANs:\n    $patch: delete\n";
    assert_eq!(found(13, Role::Worker, &[patch]), ["machine:\n    certSANs:\n        \"$patch\": delete\n"]);
    let again = "machine:\n  certSANs: [other.example.com]\n";
    let found = found(13, Role::Worker, &[patch, again]);
    assert_eq!(
        found,
        ["machine:\n    certSANs:\n        \"$patch\": delete\n", "machine:\n    certSANs:\n        - other.example.com\n"]
    );
}

#[test]
fn documents_come_and_go() {
    let patch = "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote\nurl: tcp://10.0.0.1:3000/\n---\napiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n";
    let found = found(13, Role::ControlPlane, &[patch]);
    let [found] = found.as_slice() else { panic!("one patch is enough: {found:#?}") };
    assert!(found.contains("kind: KmsgLogConfig") && found.contains("\"$patch\": delete"), "{found}");
}

#[test]
fn the_inputs_of_a_config_are_read_back() {
    for contract in 8..=14 {
        let input = input(contract, contract);
        let worker = generate(&BUNDLE, &input, &node(Role::Worker)).unwrap().found();
        assert_eq!(worker.kubernetes_version.as_ref(), Some(&input.kubernetes_version), "v1.{contract}");
        assert_eq!((&worker.pod_cidrs, &worker.service_cidrs), (&input.pod_cidrs, &input.service_cidrs));
        assert_eq!((&worker.labels, &worker.annotations), (&node(Role::Worker).labels, &node(Role::Worker).annotations));
        assert_eq!(worker.taints, node(Role::Worker).taints);
        let control_plane = generate(&BUNDLE, &input, &node(Role::ControlPlane)).unwrap().found();
        assert_eq!(control_plane.cert_sans, input.cert_sans, "v1.{contract}");
        assert_eq!(control_plane.kubernetes_version, Some(input.kubernetes_version));
    }
}

#[test]
fn a_patch_that_changes_one_image_does_not_change_the_version() {
    let input = input(13, 13);
    let config = generate(&BUNDLE, &input, &node(Role::ControlPlane)).unwrap();
    let patch =
        "machine:\n  kubelet:\n    image: registry.example.com:5000/kubelet:v1.31.0\n  certSANs: [only-talos.example.com]\n";
    let found = apply_all(&config, &[patch], &input.talos_version).unwrap().found();
    assert_eq!(found.kubernetes_version, Some(input.kubernetes_version));
    assert_eq!(found.cert_sans, input.cert_sans, "what only one of both certificates has came by a patch");
}
