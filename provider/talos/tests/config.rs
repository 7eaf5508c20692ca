//! What a generated config has besides what `talosctl` would put into it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

use std::sync::LazyLock;

use talos::config::{ClusterInput, ConfigError, MachineConfig, NodeInput, Role, generate};
use talos::patch::Patch;
use talos::secrets::Bundle;
use talos::validate::validate;
use talos::version::{KubernetesVersion, TalosVersion};

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| Bundle::generate(&version("v1.13.9")).unwrap());

fn version(text: &str) -> TalosVersion {
    TalosVersion::parse(text).unwrap()
}

fn cluster(contract: &str) -> ClusterInput {
    ClusterInput {
        cluster_name: "prod".to_owned(),
        endpoint: "https://api.example.com:6443".to_owned(),
        talos_version: version("v1.14.1"),
        contract: version(contract),
        kubernetes_version: KubernetesVersion::parse("1.35.4").unwrap(),
        pod_cidrs: vec!["10.200.0.0/16".parse().unwrap()],
        service_cidrs: vec!["10.100.0.0/16".parse().unwrap()],
        cert_sans: vec!["lb.example.com".to_owned()],
        schedule_on_control_planes: false,
        external_cloud_provider: true,
    }
}

fn made(contract: &str, node: &NodeInput<'_>) -> MachineConfig {
    let config = generate(&BUNDLE, &cluster(contract), node).unwrap();
    assert_eq!(validate(&config, &version("v1.14.1")), []);
    config
}

#[test]
fn workers_get_labels_and_taints_in_a_way_that_kubernetes_allows() {
    let mut node = NodeInput::new(Role::Worker);
    node.labels.insert("inferadb.com/pool".to_owned(), "yes".to_owned());
    node.annotations.insert("inferadb.com/x".to_owned(), "1.30".to_owned());
    node.taints = vec!["dedicated=database:NoSchedule".to_owned(), "spot:PreferNoSchedule".to_owned()];
    for contract in ["v1.8.0", "v1.13.0", "v1.14.0"] {
        let yaml = made(contract, &node).to_yaml().to_owned();
        assert!(
            yaml.contains("register-with-taints: \"dedicated=database:NoSchedule,spot:PreferNoSchedule\"")
                || yaml.contains("register-with-taints: dedicated=database:NoSchedule,spot:PreferNoSchedule"),
            "{contract}"
        );
        assert!(!yaml.contains("nodeTaints") && !yaml.contains("taints:\n"), "{contract}");
        assert!(yaml.contains("inferadb.com/pool: \"yes\"") && yaml.contains("inferadb.com/x: \"1.30\""), "{contract}");
        assert!(yaml.contains("externalCloudProvider:\n"), "{contract}");
    }
}

#[test]
fn a_worker_holds_no_key_of_an_authority() {
    for contract in ["v1.8.0", "v1.14.0"] {
        let worker = made(contract, &NodeInput::new(Role::Worker));
        let control_plane = made(contract, &NodeInput::new(Role::ControlPlane));
        // The tokens and the discovery secret are every node's.
        let keys: Vec<_> =
            BUNDLE.secret_strings().into_iter().filter(|text| text.len() > 100 || text.starts_with("-----")).collect();
        let held = |config: &MachineConfig| keys.iter().filter(|key| config.to_yaml().contains(key.as_str())).count();
        assert_eq!(held(&worker), 0, "{contract}");
        assert!(held(&control_plane) > 0, "{contract}");
        assert!(Bundle::from_machine_config(worker.to_yaml().as_bytes()).is_err());
        assert!(Bundle::from_machine_config(control_plane.to_yaml().as_bytes()).unwrap() == *BUNDLE);
    }
}

#[test]
fn a_gzipped_config_gives_its_secrets_back_and_a_broken_one_none() {
    use std::io::Write;

    let config = made("v1.13.0", &NodeInput::new(Role::ControlPlane));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(config.to_yaml().as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    assert!(packed.len() < 16 * 1024, "{} bytes do not fit EC2's user data", packed.len());
    assert!(Bundle::from_machine_config(&packed).unwrap() == *BUNDLE);
    assert!(Bundle::from_machine_config(&packed[..packed.len() / 2]).is_err());
    assert!(Bundle::from_machine_config(b"machine: {}\n").is_err());
    assert!(Bundle::from_machine_config(b"\xff\xfe").is_err());
}

#[test]
fn the_fingerprint_follows_the_content_and_not_the_order() {
    let node = NodeInput::new(Role::Worker);
    let config = made("v1.13.0", &node);
    let again = made("v1.13.0", &node);
    assert_eq!(config.fingerprint(), again.fingerprint());
    let parsed = MachineConfig::parse(config.to_yaml(), &version("v1.14.1")).unwrap();
    assert_eq!(parsed.fingerprint(), config.fingerprint());
    let read = |text| MachineConfig::parse(text, &version("v1.14.1")).unwrap().fingerprint();
    assert_eq!(
        read("machine: {token: x, sysctls: {a: '1', b: '2'}}\n"),
        read("machine: {sysctls: {b: '2', a: '1'}, token: x}\n")
    );
    assert_ne!(read("machine: {token: x}\n"), read("machine: {token: y}\n"));
}

#[test]
fn a_config_brings_a_network_unless_it_is_told_otherwise() {
    let parse = |text: &str, version: &TalosVersion| Patch::parse(text, version).unwrap();
    let talos = version("v1.14.1");
    let without = parse("cluster: {network: {cni: {name: none}}}\n", &talos);
    let cilium = parse(
        "cluster:\n  inlineManifests:\n    - name: cilium\n      contents: |\n        kind: DaemonSet\n        path: /opt/cni/bin\n",
        &talos,
    );
    let no_flannel = parse("apiVersion: v1alpha1\nkind: KubeFlannelCNIConfig\n$patch: delete\n", &talos);
    let brings = |contract: &str, patches: &[Patch]| {
        let node = NodeInput { patches, ..NodeInput::new(Role::ControlPlane) };
        made(contract, &node).brings_cni()
    };
    assert!(brings("v1.8.0", &[]));
    assert!(!brings("v1.8.0", std::slice::from_ref(&without)));
    assert!(brings("v1.8.0", &[without, cilium]));
    assert!(brings("v1.14.0", &[]));
    assert!(!brings("v1.14.0", &[no_flannel]));
}

#[test]
fn inline_manifests_can_be_taken_out() {
    let talos = version("v1.14.1");
    let old = "cluster:\n  inlineManifests:\n    - {name: a, contents: 'kind: A'}\n    - {name: b, contents: 'kind: B'}\n";
    let new = "apiVersion: v1alpha1\nkind: KubeInlineManifestConfig\nname: c\nmanifest: 'kind: C'\n";
    for (contract, patch, names) in [("v1.8.0", old, vec!["a", "b"]), ("v1.14.0", new, vec!["c"])] {
        let patches = [Patch::parse(patch, &talos).unwrap()];
        let node = NodeInput { patches: &patches, ..NodeInput::new(Role::ControlPlane) };
        let config = made(contract, &node);
        let (without, manifests) = config.without_inline_manifests();
        assert_eq!(manifests.iter().map(|manifest| manifest.name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!(without.fingerprint(), made(contract, &NodeInput::new(Role::ControlPlane)).fingerprint());
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let node = NodeInput::new(Role::Worker);
    let mut input = cluster("v1.14.0");
    input.talos_version = version("v1.13.9");
    assert!(matches!(generate(&BUNDLE, &input, &node), Err(ConfigError::Contract { .. })));
    input.contract = version("v1.8.0");
    input.kubernetes_version = KubernetesVersion::parse("1.30.0").unwrap();
    assert!(matches!(generate(&BUNDLE, &input, &node), Err(ConfigError::Version(_))));
    for taint in ["", "a", "a=b", "a:Never", "a b:NoSchedule", "a=b c:NoSchedule", ":NoSchedule"] {
        let node = NodeInput { taints: vec![taint.to_owned()], ..NodeInput::new(Role::Worker) };
        assert!(matches!(generate(&BUNDLE, &cluster("v1.13.0"), &node), Err(ConfigError::Taint { .. })), "{taint}");
    }
}

/// What becomes of a node with this patch.
fn patched(contract: &str, role: Role, patch: &str) -> Result<MachineConfig, String> {
    let patches = [Patch::parse(patch, &version("v1.14.1")).unwrap()];
    generate(&BUNDLE, &cluster(contract), &NodeInput { patches: &patches, ..NodeInput::new(role) })
        .map_err(|error| error.to_string())
}

#[test]
fn a_patch_that_takes_a_node_out_of_its_cluster_is_refused() {
    for (patch, place) in [
        ("machine: { token: abcdef.0123456789abcdef }", "machine.token"),
        ("machine: { type: worker }", "machine.type"),
        ("cluster: { controlPlane: { endpoint: 'https://other.example.com:6443' } }", "cluster.controlPlane.endpoint"),
        ("cluster: { clusterName: other }", "cluster.clusterName"),
        ("cluster: { id: other }", "cluster.id"),
        ("cluster: { network: { podSubnets: [10.201.0.0/16] } }", "cluster.network.podSubnets"),
        ("machine: { kubelet: { image: 'ghcr.io/siderolabs/kubelet:v1.30.0' } }", "machine.kubelet.image"),
        ("machine: { kubelet: { $patch: delete } }", "machine.kubelet.image"),
    ] {
        let said = patched("v1.13.9", Role::ControlPlane, patch).err().unwrap_or_default();
        assert!(said.contains(&format!("`{place}`")), "{patch}: {said:?}");
    }
    let document = "apiVersion: v1alpha1\nkind: KubeClusterConfig\nclusterName: other\n";
    let said = patched("v1.14.1", Role::Worker, document).err().unwrap_or_default();
    assert!(said.contains("`KubeClusterConfig: clusterName`"), "{said:?}");
}

#[test]
fn a_patch_may_name_mirrors_and_add_what_the_cluster_lacks() {
    for patch in [
        "machine: { kubelet: { image: 'mirror.example.com:5000/kubelet:v1.35.4' } }",
        "cluster: { network: { podSubnets: [10.200.0.0/16, 'fd00:10:244::/56'] } }",
        "cluster: { proxy: { disabled: true } }",
    ] {
        assert_eq!(patched("v1.13.9", Role::ControlPlane, patch).err(), None, "{patch}");
    }
}
