//! What the API tells about itself: health, version, groups and resources.

use serde_json::{Value as Json, json};

use super::store::Resource;

/// The answer to `/readyz?verbose` and its like.
pub(super) fn verbose_health(check: &str) -> String {
    format!("[+]ping ok\n[+]log ok\n[+]etcd ok\n{check} check passed\n")
}

/// `/version` of a server like `v1.35.4`.
pub(super) fn version(version: &str) -> Json {
    let mut parts = version.trim_start_matches('v').split('.');
    json!({
        "major": parts.next().unwrap_or_default(),
        "minor": parts.next().unwrap_or_default(),
        "gitVersion": version,
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.25.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// The documents of discovery by path.
pub(super) fn document(path: &str) -> Option<Json> {
    let policy = || {
        let version = json!({ "groupVersion": "policy/v1", "version": "v1" });
        json!({ "name": "policy", "versions": [version], "preferredVersion": version })
    };
    Some(match path {
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] }),
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [policy()] }),
        "/apis/policy" => {
            let mut group = policy();
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            group
        }
        "/api/v1" => resources("v1"),
        "/apis/policy/v1" => resources("policy/v1"),
        _ => return None,
    })
}

fn resources(group_version: &str) -> Json {
    let served = Resource::ALL.into_iter().filter(|resource| resource.api_version() == group_version);
    let mut resources = Vec::new();
    for resource in served {
        let read_only = matches!(resource, Resource::Namespaces | Resource::Budgets);
        let verbs: &[&str] =
            if read_only { &["get", "list", "watch"] } else { &["delete", "get", "list", "patch", "update", "watch"] };
        let mut entry = json!({
            "name": resource.plural(),
            "singularName": resource.kind().to_lowercase(),
            "namespaced": resource.namespaced(),
            "kind": resource.kind(),
            "verbs": verbs,
        });
        match resource {
            Resource::Nodes => entry["shortNames"] = json!(["no"]),
            Resource::Pods => entry["shortNames"] = json!(["po"]),
            Resource::Namespaces => entry["shortNames"] = json!(["ns"]),
            Resource::Budgets => entry["shortNames"] = json!(["pdb"]),
        }
        resources.push(entry);
        if matches!(resource, Resource::Nodes | Resource::Pods) {
            resources.push(json!({
                "name": format!("{}/status", resource.plural()),
                "singularName": "",
                "namespaced": resource.namespaced(),
                "kind": resource.kind(),
                "verbs": ["get", "patch", "update"],
            }));
        }
        if resource == Resource::Pods {
            resources.push(json!({
                "name": "pods/eviction",
                "singularName": "",
                "namespaced": true,
                "group": "policy",
                "version": "v1",
                "kind": "Eviction",
                "verbs": ["create"],
            }));
        }
    }
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources })
}
