//! What users read when a patch is wrong.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong")]

use std::fmt::Write;

use talos::config::MachineConfig;
use talos::patch::Patch;
use talos::version::TalosVersion;

/// All problems of each patch, for Talos v1.13.
fn messages(patches: &[&str]) -> String {
    let version = TalosVersion::parse("v1.13.9").unwrap();
    let mut text = String::new();
    for patch in patches {
        let (problems, parsed) = (Patch::problems(patch, &version), Patch::parse(patch, &version));
        assert_eq!(problems.is_empty(), parsed.is_ok());
        for problem in problems {
            writeln!(text, "{problem}").unwrap();
        }
    }
    text
}

#[test]
fn unknown_names() {
    insta::assert_snapshot!(messages(&[
        "machine:\n  kublet:\n    image: x\n",
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        adresses: [10.0.0.1/24]\n",
        "kubelet:\n  image: x\n",
        "proxy:\n  disabled: true\n",
        "nonsense: 1\n",
        "cluster:\n  controlPlane:\n    nonsense: 1\n",
        "apiVersion: v1alpha1\nkind: HostnamConfig\n",
        "apiVersion: v1alpha1\nkind: KubeletConfig\n",
        "apiVersion: v1alpha1\nkind: HostnameConfig\nhostnme: x\n",
        "kind: HostnameConfig\nhostname: x\n",
        "apiVersion: v1beta1\nkind: HostnameConfig\n",
        "apiVersion: v1alpha1\n",
        "machine:\n  typo: 1\n  sysctl: {}\ncluster:\n  tpyo: 2\n",
    ]));
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(messages(&[
        "machine:\n  features:\n    rbac: \"true\"\n",
        "machine:\n  features:\n    rbac: maybe\n",
        "machine:\n  certSANs: a.example.com\n",
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        mtu: large\n",
        "machine:\n  network:\n    interfaces:\n      -\n",
        "machine: [a]\n",
        "machine:\n  time:\n    bootTimeout: 2 minutes\n",
        "machine:\n  kubelet:\n    extraArgs:\n      v: {a: b}\n",
        "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: deny\n",
        "cluster:\n  ca:\n    crt: not base64\n",
        "text",
    ]));
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(messages(&[
        "machine:\n  a: [1,\n",
        "machine:\n\tx: 1\n",
        "machine:\n  sysctls: {}\n  sysctls: {}\n",
        "machine: {}\n---\nmachine: {}\n",
        "a: *b\n",
    ]));
}

#[test]
fn deletions() {
    insta::assert_snapshot!(messages(&[
        "$patch: delete\n",
        "machine:\n  nonsense:\n    $patch: delete\n",
        "machine:\n  certSANs:\n    - $patch: delete\n",
        "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        routes:\n          $patch: delete\n",
    ]));
}

#[test]
fn json_patches() {
    insta::assert_snapshot!(messages(&[
        "- op: add\n  path: /machine/kublet/image\n  value: x\n",
        "- op: add\n  path: machine/kubelet\n  value: x\n",
        "- op: insert\n  path: /machine/kubelet\n  value: x\n",
        "- op: add\n  path: /machine/certSANs/first\n  value: x\n",
        "- op: add\n  path: /machine/certSANs/-\n  value: [x]\n",
        "- op: add\n  path: /machine/sysctls\n",
        "- op: add\n  path: /machine/type/x\n  value: y\n",
        "- operation: add\n",
        "- add\n",
    ]));
}

#[test]
fn patches_that_do_not_fit_the_config() {
    let version = TalosVersion::parse("v1.13.9").unwrap();
    let one = MachineConfig::parse("machine: {type: worker, kubelet: {extraConfig: {maxPods: 5}}}\n", &version).unwrap();
    let several = MachineConfig::parse(
        "machine: {type: worker}\n---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: stable\n",
        &version,
    )
    .unwrap();
    let mut text = String::new();
    for (config, patch) in [
        (&several, "- op: remove\n  path: /machine/kubelet\n"),
        (&one, "- op: remove\n  path: /machine/sysctls\n"),
        (&one, "- op: test\n  path: /machine/type\n  value: controlplane\n"),
        (&one, "machine:\n  sysctls:\n    a:\n      $patch: delete\n"),
        (&one, "machine:\n  network:\n    interfaces:\n      - interface: eth0\n        $patch: delete\n"),
        (&one, "machine:\n  kubelet:\n    extraConfig:\n      maxPods: many\n"),
    ] {
        let error = Patch::parse(patch, &version).unwrap().apply_to(config).err().unwrap();
        writeln!(text, "{error}").unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn no_message_quotes_a_value() {
    let version = TalosVersion::parse("v1.13.9").unwrap();
    for patch in [
        "machine: {token: [SECRET]}",
        "machine: {ca: {crt: SECRET!, key: SECRET!}}",
        "machine: {certSANs: SECRET}",
        "machine: {features: {rbac: SECRET}}",
        "machine: {time: {bootTimeout: SECRET}}",
        "machine: {network: {interfaces: [SECRET]}}",
        "machine: {registries: {config: {a: {auth: SECRET}}}}",
        "cluster: {secret: {a: SECRET}}",
        "cluster: {controlPlane: {endpoint: 'https://a:SECRET@b:SECRET'}}",
        "apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: SECRET\n",
        "- {op: add, path: /machine/certSANs, value: SECRET}",
        "- {op: SECRET, path: /machine/token, value: SECRET}",
        "machine: {token: 'SECRET",
        "machine: {token: SECRET: SECRET}",
        "machine: *SECRET",
        "machine: !SECRET x",
        "- SECRET",
        "SECRET",
    ] {
        let problems = Patch::problems(patch, &version);
        assert!(!problems.is_empty(), "{patch}");
        for problem in problems {
            // A tag is part of the language, not a value.
            assert!(!problem.to_string().contains("SECRET") || patch.contains("!SECRET"), "{patch}: {problem}");
        }
    }
}
