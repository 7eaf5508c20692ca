//! Objects before an API server that has what they need: what is not refused there, a cluster would take.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use crate::api::{Api, until};
use crate::definitions::wait_until_served;

/// An object that was refused, with the server's words.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) object: String,
    pub(crate) words: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.object, self.words)
    }
}

/// An API server in which is made for real what it looks up.
pub(crate) struct DryRun<'s> {
    api: &'s Api,
}

/// What an API server looks up when it is asked for another object, in the order in which they need each other. (A ResourceQuota is
/// looked up, too, but says nothing without a controller that counts.)
const LOOKED_UP: [&str; 6] =
    ["CustomResourceDefinition", "Namespace", "PriorityClass", "RuntimeClass", "LimitRange", "ServiceAccount"];

impl<'s> DryRun<'s> {
    /// Makes what these objects bring along, what each cluster has without them, and the account that a controller makes in each namespace.
    pub(crate) fn of(api: &'s Api, objects: &[Value]) -> Self {
        let brought: BTreeSet<&str> = objects.iter().filter(|one| one["kind"] == "Namespace").filter_map(name_of).collect();
        // flux-operator's manifests bring the last one.
        let without = ["default", "kube-system", "flux-system"];
        // What is refused here is refused again, and named, in the dry run.
        let make = |object: &Value| api.apply(object, "").is_ok();
        for name in without.into_iter().filter(|name| !brought.contains(name)) {
            make(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
        for kind in LOOKED_UP {
            for object in objects.iter().filter(|one| one["kind"] == kind) {
                if make(object) && kind == "PriorityClass" {
                    wait_until_known(api, object);
                }
            }
            if kind == "CustomResourceDefinition" {
                wait_until_served(api);
            }
        }
        for namespace in brought.into_iter().chain(without) {
            make(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}));
        }
        DryRun { api }
    }

    /// What is refused of the objects when they are applied as Flux does, but with unknown fields refused.
    pub(crate) fn apply(&self, objects: &[Value]) -> Vec<Refusal> {
        refusals(objects, |object| self.api.apply(object, "&dryRun=All"))
    }

    /// What is refused of the pods when they are created, as controllers do.
    pub(crate) fn create(&self, pods: &[Value]) -> Vec<Refusal> {
        refusals(pods, |pod| self.api.create(pod))
    }
}

/// Priority classes are the one thing that the server does not ask etcd for: it takes note of them, a little later.
fn wait_until_known(api: &Api, class: &Value) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "kube-system"},
        "spec": {"priorityClassName": name_of(class), "containers": [{"name": "a", "image": "a"}]}});
    until("the API server knows a priority class", || match api.create(&pod) {
        Err(words) if words.contains("no PriorityClass with name") => Err(words),
        _ => Ok(()),
    });
}

fn refusals(objects: &[Value], ask: impl Fn(&Value) -> Result<(), String>) -> Vec<Refusal> {
    let refusal = |object: &Value| Some(Refusal { object: name(object), words: ask(object).err()? });
    objects.iter().filter_map(refusal).collect()
}

fn name_of(object: &Value) -> Option<&str> {
    object["metadata"]["name"].as_str()
}

/// `Kind namespace/name`, as the report and the faults call it.
pub(crate) fn name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let own = metadata["name"].as_str().or(metadata["generateName"].as_str()).unwrap_or_default();
    let namespace = metadata["namespace"].as_str().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("{} {namespace}{own}", object["kind"].as_str().unwrap_or_default())
}
