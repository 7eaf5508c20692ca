//! What every object of every cluster keeps to.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::tree::{Made, clusters, files, made};

/// The pod template of what runs pods.
fn template(object: &Json) -> Option<&Json> {
    [&object["spec"]["template"], &object["spec"]["jobTemplate"]["spec"]["template"]]
        .into_iter()
        .find(|template| template["spec"]["containers"].is_array())
}

fn containers(template: &Json) -> impl Iterator<Item = &Json> {
    ["containers", "initContainers"].into_iter().flat_map(|list| template["spec"][list].as_array().into_iter().flatten())
}

fn denies_all(policy: &Json) -> bool {
    let spec = &policy["spec"];
    let types: BTreeSet<_> = spec["policyTypes"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    spec["podSelector"] == serde_json::json!({})
        && types == BTreeSet::from(["Egress", "Ingress"])
        && spec["ingress"].is_null()
        && spec["egress"].is_null()
}

#[test]
fn every_namespace_says_its_pod_security_level_and_denies_what_nobody_allows() {
    let Some(made) = made("every_namespace_says_its_pod_security_level_and_denies_what_nobody_allows") else { return };
    let denied: BTreeSet<_> = made
        .iter()
        .filter(|it| it.kind() == "NetworkPolicy" && denies_all(&it.object))
        .map(|it| (it.cluster.as_str(), it.namespace()))
        .collect();
    let namespaces: Vec<&Made> = made.iter().filter(|it| it.kind() == "Namespace").collect();
    assert!(!namespaces.is_empty());
    for it in namespaces {
        assert!(denied.contains(&(it.cluster.as_str(), it.name())), "{}: {} has no default-deny", it.cluster, it.name());
        for label in ["enforce", "warn", "audit"] {
            let level = &it.object["metadata"]["labels"][format!("pod-security.kubernetes.io/{label}")];
            assert!(level.is_string(), "{}: {} has no level to {label}", it.cluster, it.name());
        }
    }
}

#[test]
fn every_container_has_its_share_and_an_image_of_one_version() {
    let Some(made) = made("every_container_has_its_share_and_an_image_of_one_version") else { return };
    let mut seen = 0;
    for it in made {
        for container in template(&it.object).into_iter().flat_map(containers) {
            seen += 1;
            let at = format!("{}: {} {}", it.cluster, it.kind(), it.name());
            let resources = &container["resources"];
            for share in [&resources["requests"]["cpu"], &resources["requests"]["memory"], &resources["limits"]["memory"]] {
                assert!(share.is_string(), "{at}: {resources}");
            }
            let image = container["image"].as_str().unwrap();
            let tag = image.rsplit('/').next().unwrap().split_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag != "latest" && !tag.contains('@')), "{at}: {image}");
        }
    }
    assert!(seen > 0);
}

#[test]
fn our_own_images_are_moved_by_a_policy_that_is_there() {
    let files = files("flux");
    let tree = || files.iter().filter(|(name, _)| !name.starts_with("plugins/"));
    let policies: BTreeSet<_> = tree()
        .flat_map(|(_, text)| text.split("---\n"))
        .filter(|document| document.contains("\nkind: ImagePolicy\n"))
        .map(|document| document.split("\n  name: ").nth(1).unwrap().split('\n').next().unwrap())
        .collect();
    let mut images = 0;
    for (name, text) in tree() {
        for line in
            text.lines().filter(|line| line.trim_start().starts_with("image: ghcr.io/inferadb/") && !name.contains("updates"))
        {
            images += 1;
            let policy = line.split(r#"# {"$imagepolicy": "flux-system:"#).nth(1).and_then(|rest| rest.strip_suffix("\"}"));
            assert!(policy.is_some_and(|policy| policies.contains(policy)), "flux/{name}: no policy moves {line}");
        }
    }
    assert!(images > 0);
}

/// A file that a merge leaves out by mistake must not take the network, Flux or a namespace's whole content along.
#[test]
fn what_a_cluster_cannot_be_without_is_not_pruned() {
    let Some(made) = made("what_a_cluster_cannot_be_without_is_not_pruned") else { return };
    for cluster in clusters() {
        let mut kept = BTreeSet::new();
        for it in made.iter().filter(|it| it.cluster == cluster) {
            let disabled = it.object["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled";
            assert!(disabled || it.kind() != "Namespace", "{cluster}: the namespace {} can be pruned", it.name());
            if disabled && it.kind() != "Namespace" {
                kept.insert((it.kind(), it.name()));
            }
        }
        let needed = [
            ("ConfigMap", "cluster-settings"),
            ("FluxInstance", "flux"),
            ("HelmRelease", "cilium"),
            ("Kustomization", "apps"),
            ("Kustomization", "configs"),
            ("Kustomization", "controllers"),
            ("Kustomization", "sources"),
        ];
        assert_eq!(kept, BTreeSet::from(needed), "{cluster}");
    }
}

/// Two engines with a store of their own each would answer differently.
#[test]
fn an_engine_whose_store_is_its_memory_runs_once() {
    let Some(made) = made("an_engine_whose_store_is_its_memory_runs_once") else { return };
    for cluster in clusters() {
        let of = |kind: &str| -> Vec<&Made> { made.iter().filter(|it| it.cluster == cluster && it.kind() == kind).collect() };
        let in_memory = of("ConfigMap").iter().any(|it| it.object["data"]["INFERADB__ENGINE__STORAGE"] == "memory");
        let scaled =
            of("HorizontalPodAutoscaler").iter().any(|it| it.object["spec"]["scaleTargetRef"]["name"] == "inferadb-engine");
        let engine = of("Deployment").into_iter().find(|it| it.name() == "inferadb-engine").unwrap();
        let spec = &engine.object["spec"];
        let once = spec["replicas"] == 1 && spec["strategy"]["type"] == "Recreate" && !scaled;
        assert!(once || !in_memory, "{cluster}: {spec}");
    }
}
