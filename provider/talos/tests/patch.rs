//! Patches do to a config what Talos' own library does with them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test says what went wrong")]

mod machinery;
mod random_patch;

use machinery::Machinery;
use random_patch::{Fields, Random};
use serde_json::{Value, json};
use talos::config::MachineConfig;
use talos::patch::Patch;
use talos::version::TalosVersion;
use talos::yaml::{self, Node};

/// A config to patch, in the form of a contract.
fn base(machinery: &mut Machinery, contract: &str) -> String {
    let secrets = machinery.ask(&json!({"op": "secrets", "contract": contract})).unwrap()["secrets"].clone();
    let question = json!({
        "op": "generate", "contract": contract, "secrets": secrets, "cluster": "c",
        "endpoint": "https://api.example.com:6443", "kubernetes": "1.33.1", "role": "controlplane",
        "sans": ["10.0.0.1"], "disk": "/dev/xvda", "image": "ghcr.io/siderolabs/installer:v1",
    });
    machinery.ask(&question).unwrap()["config"].as_str().unwrap().to_owned()
}

/// What both make of a patch: the same config, or both refuse it.
#[derive(Debug, PartialEq)]
enum Outcome {
    Same,
    BothRefuse,
    TheirFault,
    OnlyOursRefuses(String),
    OnlyTheirsRefuses(String),
    Different(String),
}

fn compare(machinery: &mut Machinery, config: &str, patches: &[&str]) -> Outcome {
    let version = TalosVersion::parse(&machinery.version).unwrap();
    let ours = apply(config, patches, &version).and_then(|config| {
        // Through the library once more, so that both are in its own encoding.
        machinery.patch(config.to_yaml(), &[])
    });
    let theirs = machinery.patch(config, patches);
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            let (read_ours, mut read_theirs) = (read(&ours), read(&theirs));
            // Theirs makes an empty document of a deletion in one that is not there; ours passes over it.
            read_theirs.retain(|document| {
                let kind = document["kind"][0].as_str().unwrap_or_default();
                let deleted_from = |patch: &&str| patch.contains("$patch") && patch.contains(&format!("\"{kind}\""));
                let ours = read_ours.iter().any(|ours| ours["kind"] == document["kind"]);
                *document != json!({}) && (ours || !patches.iter().any(deleted_from))
            });
            if read_ours == read_theirs { Outcome::Same } else { Outcome::Different(difference(&ours, &theirs)) }
        }
        (Err(_), Err(_)) => Outcome::BothRefuse,
        (Err(ours), Ok(_)) => Outcome::OnlyOursRefuses(ours),
        // It panics on some types, and takes a patch that says nothing for none.
        (Ok(_), Err(theirs)) if theirs.starts_with("panic: ") || theirs.ends_with("config not found") => Outcome::TheirFault,
        (Ok(_), Err(theirs)) => Outcome::OnlyTheirsRefuses(theirs),
    }
}

fn apply(config: &str, patches: &[&str], version: &TalosVersion) -> Result<MachineConfig, String> {
    let mut config = MachineConfig::parse(config, version).map_err(|error| error.to_string())?;
    for patch in patches {
        let patch = Patch::parse(patch, version).map_err(|error| error.to_string())?;
        config = patch.apply_to(&config).map_err(|error| error.to_string())?;
    }
    Ok(config)
}

/// The documents as plain values: what the library writes it cannot always read (`Protocol(0)`), so no types here.
fn read(config: &str) -> Vec<Value> {
    fn value(node: &Node) -> Value {
        match &node.value {
            yaml::Value::Scalar(scalar) => json!([scalar.text.as_str(), scalar.plain]),
            yaml::Value::List(items) => items.iter().map(value).collect(),
            yaml::Value::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), value(&entry.value))).collect())
            }
        }
    }
    yaml::parse(config).unwrap().iter().map(value).collect()
}

fn difference(ours: &str, theirs: &str) -> String {
    let lines = |text: &str| -> Vec<String> { text.lines().map(|line| line.chars().take(100).collect()).collect() };
    let (ours, theirs) = (lines(ours), lines(theirs));
    let only = |a: &[String], b: &[String]| -> Vec<String> { a.iter().filter(|line| !b.contains(line)).cloned().collect() };
    format!("only ours: {:#?}\nonly theirs: {:#?}", only(&ours, &theirs), only(&theirs, &ours))
}

/// Patches as users write them, each applied to a config of v1.8's form and, where it has documents, of v1.12's.
const CASES: &[&[&str]] = &[
    &["machine:\n  sysctls:\n    net.core.somaxconn: 65535\n    vm.swappiness: \"10\"\n"],
    &["machine:\n  certSANs: [a.example.com, b.example.com]\ncluster:\n  apiServer:\n    certSANs: [c.example.com]\n"],
    &["cluster:\n  network:\n    podSubnets: [10.0.0.0/16]\n    cni:\n      name: none\n"],
    &["cluster:\n  network:\n    podSubnets: []\n"],
    &["cluster:\n  controlPlane:\n    endpoint: https://other.example.com\n"],
    &[
        "cluster:\n  proxy:\n    disabled: true\n  inlineManifests:\n    - name: cilium\n      contents: |\n        ---\n        apiVersion: v1\n        kind: Namespace\n",
    ],
    &[
        "cluster:\n  inlineManifests:\n    - {name: a, contents: x}\n",
        "cluster:\n  inlineManifests:\n    - {name: a, contents: y}\n",
    ],
    &[
        "cluster:\n  apiServer:\n    admissionControl:\n      - name: PodSecurity\n        configuration:\n          exemptions:\n            namespaces: [cilium]\n",
    ],
    &["cluster:\n  apiServer:\n    admissionControl:\n      - name: PodSecurity\n        $patch: delete\n"],
    &[
        "cluster:\n  apiServer:\n    admissionControl:\n      $patch: delete\n    auditPolicy:\n      apiVersion: audit.k8s.io/v1\n      kind: Policy\n      rules: []\n",
    ],
    &["cluster:\n  apiServer:\n    auditPolicy: {}\n"],
    &["cluster:\n  discovery:\n    $patch: delete\n"],
    &[
        "cluster:\n  discovery:\n    registries:\n      service:\n        disabled: true\n      kubernetes:\n        disabled: false\n",
    ],
    &["machine:\n  nodeLabels:\n    node.kubernetes.io/exclude-from-external-load-balancers:\n      $patch: delete\n    a: b\n"],
    &["machine:\n  nodeLabels:\n    missing:\n      $patch: delete\n"],
    &["machine:\n  nothing:\n    $patch: delete\n"],
    &["machine:\n  env:\n    $patch: delete\n"],
    &["machine:\n  kubelet:\n    extraArgs:\n      rotate-server-certificates: true\n      v: 4\n"],
    &[
        "machine:\n  kubelet:\n    extraConfig:\n      maxPods: 200\n      evictionHard: {memory.available: 100Mi}\n",
        "machine:\n  kubelet:\n    extraConfig:\n      maxPods: 250\n      evictionHard: {nodefs.available: 10%}\n      featureGates: {A: false}\n",
    ],
    &["machine:\n  kubelet:\n    extraConfig: {maxPods: 200}\n", "machine:\n  kubelet:\n    extraConfig: {maxPods: many}\n"],
    &[
        "machine:\n  kubelet:\n    extraMounts:\n      - destination: /var/x\n        type: bind\n        source: /var/x\n        options: [bind, rshared, rw]\n",
    ],
    &[
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        dhcp: true\n        mtu: 9000\n",
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        dhcp: false\n        addresses: [10.0.0.5/24]\n        routes: [{network: 0.0.0.0/0, gateway: 10.0.0.1, metric: 1024}]\n      - interface: eth1\n        vlans: [{vlanId: 5, addresses: [10.1.0.1/24]}]\n",
        "machine:\n  network:\n    interfaces:\n      - interface: eth1\n        vlans: [{vlanId: 5, mtu: 1400}, {vlanId: 6}]\n",
    ],
    &[
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        mtu: 9000\n      - interface: eth1\n",
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        $patch: delete\n",
    ],
    &[
        "machine:\n  network:\n    interfaces:\n      - deviceSelector: {physical: true}\n        dhcp: true\n",
        "machine:\n  network:\n    interfaces:\n      - deviceSelector: {physical: true}\n        mtu: 1400\n",
    ],
    &["machine:\n  network:\n    nameservers: [1.1.1.1]\n    searchDomains: [example.com]\n    disableSearchDomain: true\n"],
    &["machine:\n  install:\n    disk: \"\"\n    wipe: true\n    extraKernelArgs: [console=ttyS0]\n"],
    &["machine:\n  install:\n    diskSelector:\n      size: '>= 10GB'\n      type: nvme\n"],
    &["machine:\n  ca:\n    crt: LS0=\n"],
    &[
        "machine:\n  registries:\n    mirrors:\n      docker.io:\n        endpoints: [https://mirror.example.com]\n        overridePath: true\n    config:\n      mirror.example.com:\n        auth: {username: u, password: p}\n        tls: {insecureSkipVerify: true}\n",
    ],
    &[
        "machine:\n  files:\n    - path: /var/x\n      permissions: 0o600\n      op: create\n      content: |\n        a\n        b\n",
    ],
    &["machine:\n  time:\n    servers: [time.example.com]\n    bootTimeout: 2m\n"],
    &["machine:\n  features:\n    rbac: false\n    kubePrism:\n      port: 7446\n"],
    &[
        "machine:\n  features:\n    kubernetesTalosAPIAccess:\n      enabled: true\n      allowedRoles: [os:reader]\n      allowedKubernetesNamespaces: [kube-system]\n",
    ],
    &["debug: true\n"],
    &["version: v1alpha1\nmachine: null\n"],
    &["machine: {}\n"],
    &["machine:\n  nonsense: 1\n"],
    &["machine:\n  certSANs: text\n"],
    &["machine:\n  features:\n    rbac: \"yes\"\n"],
    &["machine:\n  features:\n    rbac: yes\n"],
    &["machine:\n  kubelet: [a]\n"],
    &["machine:\n  install:\n    wipe: 1\n"],
    &["machine:\n  network:\n    interfaces:\n      - interface: eth0\n        mtu: big\n"],
    &["apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote\nurl: tcp://10.0.0.1:3000/\n"],
    &[
        "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote\nurl: tcp://10.0.0.1:3000/path\n",
        "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote\nurl: udp://10.0.0.2:3000\n",
        "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: other\nurl: udp://10.0.0.3:3000\n",
    ],
    &[
        "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote\nurl: tcp://10.0.0.1:3000/\n",
        "apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote\n$patch: delete\n",
    ],
    &[
        "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning:\n  minSize: 10GiB\n  maxSize: 50GiB\n  diskSelector:\n    match: disk.transport == \"nvme\"\n",
        "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning:\n  grow: true\n",
    ],
    &[
        "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: block\n",
        "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: accept\n",
    ],
    &[
        "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: a\nportSelector:\n  ports: [22, 1000-2000]\n  protocol: tcp\ningress:\n  - subnet: 10.0.0.0/8\n",
        "apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: a\nportSelector:\n  ports: [80]\n  protocol: udp\ningress:\n  - subnet: 192.168.0.0/16\n    except: 192.168.1.0/24\n",
    ],
    &[
        "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: a\nconfigFiles:\n  - {content: x, mountPath: /a}\nenvironment: [A=1]\n",
        "apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: a\nconfigFiles:\n  - {content: y, mountPath: /a}\n  - {content: z, mountPath: /b}\nenvironment: [B=1]\n",
    ],
    &[
        "apiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /dev/watchdog0\ntimeout: 2m\n",
        "apiVersion: v1alpha1\nkind: WatchdogTimerConfig\ntimeout: 0s\n",
    ],
    &[
        "apiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: a\ncertificates: |-\n    -----BEGIN CERTIFICATE-----\n    x\n    -----END CERTIFICATE-----\n",
    ],
    &["apiVersion: v1alpha1\nkind: Nonsense\n"],
    &["kind: VolumeConfig\nname: EPHEMERAL\n"],
    &["apiVersion: v2\nkind: VolumeConfig\nname: EPHEMERAL\n"],
    &["machine:\n  sysctls: {a: b}\n---\nmachine:\n  sysctls: {c: d}\n"],
    &["machine:\n  sysctls: {a: b}\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: x\nurl: udp://10.0.0.1:1\n"],
    &["machine:\n  sysctls: {a: b, a: c}\n"],
    &["a: [\n"],
    &["text"],
    &["[]"],
    &[
        "- op: add\n  path: /machine/certSANs/-\n  value: x.example.com\n- op: replace\n  path: /cluster/network/dnsDomain\n  value: example.local\n",
    ],
    &[
        "[{\"op\": \"add\", \"path\": \"/machine/sysctls\", \"value\": {\"vm.swappiness\": \"1\"}}, {\"op\": \"remove\", \"path\": \"/cluster/discovery\"}]",
    ],
    &[
        "- op: add\n  path: /machine/nodeLabels/a~1b\n  value: c\n- op: move\n  from: /machine/nodeLabels/a~1b\n  path: /machine/nodeLabels/d\n- op: copy\n  from: /machine/nodeLabels/d\n  path: /machine/nodeLabels/e\n- op: test\n  path: /machine/nodeLabels/e\n  value: c\n",
    ],
    &["- op: remove\n  path: /machine/nothing\n"],
    &["- op: test\n  path: /machine/type\n  value: worker\n"],
    &["- op: replace\n  path: /machine/network/hostname\n  value: x\n"],
    &["- op: add\n  path: /machine/certSANs/9\n  value: x\n"],
    &["- op: add\n  path: /machine/sysctls/a\n  value: x\n"],
    &["- op: add\n  path: /machine/nonsense\n  value: x\n"],
    &["- op: add\n  path: /machine/kubelet/extraArgs\n  value: {v: 4}\n"],
];

#[test]
fn patches_do_what_the_library_does() {
    let mut wrong = Vec::new();
    for mut machinery in Machinery::all("patches_do_what_the_library_does") {
        let mut counts = [0; 2];
        let mut contracts = vec!["v1.8", "v1.12"];
        if machinery.minor() >= 14 {
            contracts.push("v1.14");
        }
        for contract in contracts {
            let config = base(&mut machinery, contract);
            for patches in CASES {
                match compare(&mut machinery, &config, patches) {
                    Outcome::Same => counts[0] += 1,
                    Outcome::BothRefuse => counts[1] += 1,
                    outcome => wrong.push(format!("{} {contract} {patches:#?}\n{outcome:#?}", machinery.version)),
                }
            }
        }
        println!("Talos {}: {} patched alike, {} refused by both", machinery.version, counts[0], counts[1]);
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Two patches after each other, so that the second meets what the first left.
#[test]
fn random_patches_do_what_the_library_does() {
    const CASES: u64 = 1500;
    let mut wrong = Vec::new();
    for mut machinery in Machinery::all("random_patches_do_what_the_library_does") {
        let fields = Fields::new(machinery.minor());
        let config = base(&mut machinery, "v1.8");
        let mut counts = [0; 3];
        for seed in 0..CASES {
            let mut random = Random::new(seed);
            let patches = [fields.patch(&mut random), fields.patch(&mut random)];
            match compare(&mut machinery, &config, &[&patches[0], &patches[1]]) {
                Outcome::Same => counts[0] += 1,
                Outcome::BothRefuse => counts[1] += 1,
                Outcome::TheirFault => counts[2] += 1,
                outcome => wrong.push(format!("{} seed {seed}\n{}\n{}\n{outcome:#?}", machinery.version, patches[0], patches[1])),
            }
        }
        println!(
            "Talos {}: {} random patches alike, {} refused by both, {} not comparable",
            machinery.version, counts[0], counts[1], counts[2]
        );
    }
    wrong.truncate(200);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n\n"));
}
