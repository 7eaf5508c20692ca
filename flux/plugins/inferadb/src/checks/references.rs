//! What objects name has to be there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Gatherer, Known, objects};
use crate::fleet::Cluster;
use crate::object::Object;
use crate::place::{Step, each_value, steps, value_at};

/// What an object names.
struct Reference {
    rule: &'static str,
    group: String,
    kind: String,
    /// Empty for what has none.
    namespace: String,
    name: String,
    path: Vec<Step>,
}

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    for cluster in gatherer.context.clusters.iter().filter(|cluster| cluster.is_whole()) {
        let known = known(cluster, gatherer.context.given);
        for (by, object) in objects(cluster) {
            for reference in references(object) {
                let Reference { rule, group, kind, namespace, name, path } = reference;
                if name.is_empty() || known.has(&group, &kind, &namespace, &name) {
                    continue;
                }
                let whole = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
                let message = format!(
                    "names {kind} `{whole}`, which nothing in this cluster produces: correct the name, or give it with `--vars` where it lives only in the cluster"
                );
                gatherer.add(rule, (cluster, by, object), &path, message);
            }
        }
    }
}

fn known(cluster: &Cluster, given: &[Object]) -> Known {
    let mut known = BTreeSet::new();
    let mut add = |group: &str, kind: &str, namespace: &str, name: &str| {
        known.insert((group.to_owned(), kind.to_owned(), namespace.to_owned(), name.to_owned()));
    };
    let roots = cluster.kustomizations.iter().filter(|one| one.parent.is_none()).map(|one| &one.object);
    for root in roots.clone() {
        // Made along with the root, by flux-operator or by `flux bootstrap`.
        let source = &root.0["spec"]["sourceRef"];
        let text = |key: &str| source[key].as_str().unwrap_or_default();
        add("source.toolkit.fluxcd.io", text("kind"), root.namespace(), text("name"));
    }
    for object in objects(cluster).map(|(_, object)| object).chain(roots).chain(given) {
        add(object.group(), object.kind(), object.namespace(), object.name());
        let spec = &object.0["spec"];
        let made = match (object.group(), object.kind()) {
            ("external-secrets.io", "ExternalSecret") => spec["target"]["name"].as_str().or(Some(object.name())),
            ("bitnami.com", "SealedSecret") => Some(object.name()),
            ("cert-manager.io", "Certificate") => spec["secretName"].as_str(),
            _ => None,
        };
        if let Some(name) = made {
            add("", "Secret", object.namespace(), name);
        }
        if object.kind() == "Namespace" && object.group().is_empty() {
            // What each namespace has.
            add("", "ServiceAccount", object.name(), "default");
            add("", "ConfigMap", object.name(), "kube-root-ca.crt");
        }
    }
    for name in ["system-cluster-critical", "system-node-critical"] {
        add("scheduling.k8s.io", "PriorityClass", "", name);
    }
    Known(known)
}

fn references(object: &Object) -> Vec<Reference> {
    let mut found = Finder { object, references: Vec::new() };
    match (object.group(), object.kind()) {
        (group, _) if group.ends_with("toolkit.fluxcd.io") => found.of_flux(),
        ("cert-manager.io", "Certificate") => found.issuer(&object.0["spec"]["issuerRef"], "spec.issuerRef"),
        ("gateway.networking.k8s.io", kind) if kind.ends_with("Route") => found.gateways(),
        ("", "PersistentVolumeClaim") => {
            found.one("storage-class", "storage.k8s.io", "StorageClass", "", "spec.storageClassName");
        }
        ("apps", "StatefulSet") => {
            let claims = object.0["spec"]["volumeClaimTemplates"].as_array().map_or(0, Vec::len);
            for position in 0..claims {
                let path = format!("spec.volumeClaimTemplates.{position}.spec.storageClassName");
                found.one("storage-class", "storage.k8s.io", "StorageClass", "", &path);
            }
        }
        _ => {}
    }
    if let Some(path) = pod_path(object) {
        found.of_pod(path);
    }
    found.references
}

/// Where an object holds a pod.
fn pod_path(object: &Object) -> Option<&'static str> {
    match (object.group(), object.kind()) {
        ("", "Pod") => Some("spec"),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => Some("spec.template.spec"),
        ("batch", "CronJob") => Some("spec.jobTemplate.spec.template.spec"),
        _ => None,
    }
}

struct Finder<'o> {
    object: &'o Object,
    references: Vec<Reference>,
}

impl Finder<'_> {
    fn at(&self, path: &str) -> &Value {
        value_at(&self.object.0, &steps(path))
    }

    fn push(&mut self, rule: &'static str, (group, kind): (&str, &str), namespace: &str, name: &Value, path: Vec<Step>) {
        self.references.push(Reference {
            rule,
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.as_str().unwrap_or_default().to_owned(),
            path,
        });
    }

    fn one(&mut self, rule: &'static str, group: &str, kind: &str, namespace: &str, path: &str) {
        let name = self.at(path).clone();
        self.push(rule, (group, kind), namespace, &name, steps(path));
    }

    fn issuer(&mut self, reference: &Value, path: &str) {
        let kind = reference["kind"].as_str().unwrap_or("Issuer");
        let group = reference["group"].as_str().unwrap_or("cert-manager.io");
        let namespace = if kind == "ClusterIssuer" { "" } else { self.object.namespace() };
        // Other groups have issuers of their own controllers.
        if group == "cert-manager.io" {
            self.push("issuer", (group, kind), namespace, &reference["name"], steps(&format!("{path}.name")));
        }
    }

    fn gateways(&mut self) {
        let parents = self.object.0["spec"]["parentRefs"].as_array().cloned().unwrap_or_default();
        for (position, parent) in parents.iter().enumerate() {
            let group = parent["group"].as_str().unwrap_or("gateway.networking.k8s.io");
            let kind = parent["kind"].as_str().unwrap_or("Gateway");
            let namespace = parent["namespace"].as_str().unwrap_or(self.object.namespace());
            self.push("gateway", (group, kind), namespace, &parent["name"], steps(&format!("spec.parentRefs.{position}.name")));
        }
    }

    fn of_flux(&mut self) {
        let (object, own) = (self.object, self.object.namespace());
        let spec = &object.0["spec"];
        for path in ["spec.sourceRef", "spec.chart.spec.sourceRef", "spec.chartRef"] {
            let reference = self.at(path).clone();
            if reference.is_object() && !object.is("image.toolkit.fluxcd.io", "ImageUpdateAutomation")
                || reference["kind"] == "GitRepository"
            {
                let namespace = reference["namespace"].as_str().unwrap_or(own);
                let kind = reference["kind"].as_str().unwrap_or_default();
                self.push(
                    "source",
                    ("source.toolkit.fluxcd.io", kind),
                    namespace,
                    &reference["name"],
                    steps(&format!("{path}.name")),
                );
            }
        }
        for field in ["substituteFrom", "valuesFrom"] {
            let (items, prefix) = match field {
                "substituteFrom" => (&spec["postBuild"][field], "spec.postBuild.substituteFrom"),
                _ => (&spec[field], "spec.valuesFrom"),
            };
            for (position, item) in
                items.as_array().into_iter().flatten().enumerate().filter(|(_, item)| item["optional"] != true)
            {
                let kind = item["kind"].as_str().unwrap_or_default();
                let rule = if kind == "Secret" { "secret" } else { "config-map" };
                self.push(rule, ("", kind), own, &item["name"], steps(&format!("{prefix}.{position}.name")));
            }
        }
        for (position, check) in spec["healthChecks"].as_array().into_iter().flatten().enumerate() {
            let version = check["apiVersion"].as_str().unwrap_or_default();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let kind = check["kind"].as_str().unwrap_or_default();
            let namespace = check["namespace"].as_str().unwrap_or_default();
            self.push(
                "health-check",
                (group, kind),
                namespace,
                &check["name"],
                steps(&format!("spec.healthChecks.{position}.name")),
            );
        }
        self.one("service-account", "", "ServiceAccount", own, "spec.serviceAccountName");
        // Secrets by any of these fields, wherever it stands in the spec.
        let mut secrets: Vec<(Vec<Step>, Value)> = Vec::new();
        each_value(spec, &mut steps("spec"), &mut |path, value| {
            if let Some(Step::Key(key)) = path.last()
                && matches!(key.as_str(), "secretRef" | "certSecretRef" | "proxySecretRef")
            {
                let name = [path, &[Step::Key("name".to_owned())]].concat();
                secrets.push((name, value["name"].clone()));
            }
        });
        for (path, name) in secrets {
            self.push("secret", ("", "Secret"), own, &name, path);
        }
    }

    fn of_pod(&mut self, path: &str) {
        let own = self.object.namespace();
        let pod = self.at(path).clone();
        self.one("service-account", "", "ServiceAccount", own, &format!("{path}.serviceAccountName"));
        self.one("priority-class", "scheduling.k8s.io", "PriorityClass", "", &format!("{path}.priorityClassName"));
        let mut named: Vec<(&'static str, &'static str, Vec<Step>, Value)> = Vec::new();
        each_value(&pod, &mut steps(path), &mut |path, value| {
            let Some(Step::Key(key)) = path.last() else { return };
            let (rule, kind, field) = match key.as_str() {
                "secret" if value["secretName"].is_string() => ("secret", "Secret", "secretName"),
                // `secret` of a projected volume is the last of these.
                "secretRef" | "secretKeyRef" | "secret" => ("secret", "Secret", "name"),
                "configMapRef" | "configMapKeyRef" | "configMap" => ("config-map", "ConfigMap", "name"),
                _ => return,
            };
            if value["optional"] != true {
                let path = [path, &[Step::Key(field.to_owned())]].concat();
                named.push((rule, kind, path, value[field].clone()));
            }
        });
        for (position, item) in pod["imagePullSecrets"].as_array().into_iter().flatten().enumerate() {
            named.push(("secret", "Secret", steps(&format!("{path}.imagePullSecrets.{position}.name")), item["name"].clone()));
        }
        for (rule, kind, path, name) in named {
            self.push(rule, ("", kind), own, &name, path);
        }
    }
}
