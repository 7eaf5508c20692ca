//! The versions of each environment fit each other, by the ranges in `versions.yaml`.

use serde_json::Value as Json;

use crate::tree::{clusters, read, yaml};

/// What runs together in one environment.
#[derive(Clone)]
struct Together {
    talos: String,
    kubernetes: String,
    flux: String,
    cilium: String,
    cert_manager: String,
}

/// Major and minor number: `v1.13.9`, `1.35`.
fn minor(version: &str) -> (u32, u32) {
    let mut numbers = version.trim_start_matches('v').split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn within(version: &str, range: &Json) -> bool {
    let bound = |side: &str| range[side].as_str().map(minor);
    bound("from").is_none_or(|from| from <= minor(version)) && bound("to").is_none_or(|to| minor(version) <= to)
}

/// What does not fit, a sentence each.
fn misfits(it: &Together, versions: &Json) -> Vec<String> {
    let (major, number) = minor(&it.talos);
    let known = |what: &str| &versions[what]["supported"];
    let on_kubernetes = |what: &str| &versions[what]["kubernetes"];
    [
        ("Talos", &it.talos, known("talos"), "versions.yaml"),
        ("Flux", &it.flux, known("flux"), "versions.yaml"),
        ("Flux", &it.flux, &versions["flux_operator"]["flux"], "flux-operator"),
        ("Cilium", &it.cilium, known("cilium"), "versions.yaml"),
        ("cert-manager", &it.cert_manager, known("cert_manager"), "versions.yaml"),
        ("Kubernetes", &it.kubernetes, &on_kubernetes("talos")[format!("v{major}.{number}")], "Talos"),
        ("Kubernetes", &it.kubernetes, on_kubernetes("flux"), "Flux"),
        ("Kubernetes", &it.kubernetes, on_kubernetes("cilium"), "Cilium"),
        ("Kubernetes", &it.kubernetes, on_kubernetes("cert_manager"), "cert-manager"),
    ]
    .into_iter()
    .filter(|(_, version, range, _)| range.is_null() || !within(version, range))
    .map(|(what, version, range, who)| format!("{what} {version} is outside of what {who} takes: {range}"))
    .collect()
}

fn of_cluster(cluster: &str) -> Together {
    let settings = yaml(&format!("flux/clusters/{cluster}/cluster-settings.yaml"));
    let environment = settings["data"]["ENVIRONMENT"].as_str().unwrap();
    let values = read(&format!("terraform/environments/{environment}/terraform.tfvars"));
    let value = |name: &str| {
        let line = values.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{environment}: no {name}"));
        line.split('"').nth(1).unwrap().to_owned()
    };
    let text = |it: &Json| it.as_str().unwrap().to_owned();
    let chart = |name: &str| text(&yaml(&format!("flux/infrastructure/base/sources/{name}.yaml"))["spec"]["ref"]["tag"]);
    let instance = yaml(&format!("flux/clusters/{cluster}/flux-system/flux-instance.yaml"));
    Together {
        talos: value("talos_version"),
        kubernetes: value("kubernetes_version"),
        flux: text(&instance["spec"]["distribution"]["version"]),
        cilium: chart("cilium"),
        cert_manager: chart("cert-manager"),
    }
}

#[test]
fn the_versions_of_each_cluster_fit_each_other() {
    let versions = yaml("versions.yaml");
    for cluster in clusters() {
        assert_eq!(misfits(&of_cluster(cluster), &versions), Vec::<String>::new(), "{cluster}");
    }
}

#[test]
fn each_version_outside_of_anothers_range_is_found() {
    let versions = yaml("versions.yaml");
    let good = of_cluster("prod-nyc1");
    let cases = [
        (Together { talos: "v1.7.6".to_owned(), ..good.clone() }, "Talos v1.7.6 is outside of what versions.yaml takes"),
        (Together { talos: "v1.11.0".to_owned(), ..good.clone() }, "Kubernetes 1.35.4 is outside of what Talos takes"),
        (Together { kubernetes: "1.33.9".to_owned(), ..good.clone() }, "Kubernetes 1.33.9 is outside of what Flux takes"),
        (Together { kubernetes: "1.32.0".to_owned(), ..good.clone() }, "Kubernetes 1.32.0 is outside of what Cilium takes"),
        (Together { kubernetes: "1.37.0".to_owned(), ..good.clone() }, "Kubernetes 1.37.0 is outside of what cert-manager takes"),
        (Together { flux: "2.10.0".to_owned(), ..good.clone() }, "Flux 2.10.0 is outside of what flux-operator takes"),
        (Together { cilium: "1.19.5".to_owned(), ..good.clone() }, "Cilium 1.19.5 is outside of what versions.yaml takes"),
        (Together { cert_manager: "v1.22.0".to_owned(), ..good }, "cert-manager v1.22.0 is outside of what versions.yaml takes"),
    ];
    for (together, found) in cases {
        let misfits = misfits(&together, &versions);
        assert!(misfits.iter().any(|misfit| misfit.starts_with(found)), "not `{found}` but {misfits:?}");
    }
}

#[test]
fn the_tree_uses_the_preferred_versions() {
    let versions = yaml("versions.yaml");
    let preferred = |what: &str| versions[what]["preferred"].as_str().unwrap().trim_start_matches('v').to_owned();
    for cluster in clusters() {
        let it = of_cluster(cluster);
        assert_eq!(it.flux, preferred("flux"), "{cluster}");
        assert_eq!(it.cilium, preferred("cilium"), "{cluster}");
        assert_eq!(it.cert_manager.trim_start_matches('v'), preferred("cert_manager"), "{cluster}");
    }
    for (name, what) in [("cilium", "cilium"), ("cert-manager", "cert_manager")] {
        let source = yaml(&format!("flux/infrastructure/base/sources/{name}.yaml"));
        assert_eq!(source["spec"]["url"], versions[what]["chart"], "{name}");
    }
    let approver = read("flux/infrastructure/base/controllers/kubelet-serving-cert-approver/deployment.yaml");
    assert!(approver.contains(&format!("kubelet-serving-cert-approver:{}\n", preferred("kubelet_serving_cert_approver"))));
    let kustomize = read("acceptance-tests/tools/kustomize/go.mod");
    assert!(kustomize.contains(&format!("sigs.k8s.io/kustomize/kustomize/v5 v{} ", preferred("kustomize"))));
    let helm = read("acceptance-tests/tools/helm/go.mod");
    assert!(helm.contains(&format!("helm.sh/helm/v4 v{} ", preferred("helm"))));
}
