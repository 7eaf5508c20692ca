//! The resources of a node that can be read.

use prost::Message as _;
use proto::cosi::resource::{GetRequest, GetResponse, ListRequest, ListResponse, Metadata, Resource, Spec};
use proto::talos::resource::MachineConfigSpec;
use tonic::Status;

use super::config::Role;
use super::life::Node;

const NAMESPACES: &[&str] = &["runtime", "k8s", "etcd", "config", "cluster", "network", "secrets", "files", "perf", "block"];
const MACHINE_STATUS: &str = "MachineStatuses.runtime.talos.dev";
const NODENAME: &str = "Nodenames.kubernetes.talos.dev";
const ETCD_MEMBER: &str = "EtcdMembers.etcd.talos.dev";
const MACHINE_CONFIG: &str = "MachineConfigs.config.talos.dev";
const HOSTNAME: &str = "HostnameStatuses.net.talos.dev";

/// Types that only administrators may read.
const SENSITIVE: &[&str] = &[MACHINE_CONFIG];

fn check(namespace: &str, kind: &str, roles: &[String]) -> Result<(), Status> {
    if !NAMESPACES.contains(&namespace) {
        return Err(Status::permission_denied(format!("namespace \"{namespace}\" is not supported")));
    }
    if ![MACHINE_STATUS, NODENAME, ETCD_MEMBER, MACHINE_CONFIG, HOSTNAME].contains(&kind) {
        return Err(Status::permission_denied(format!("resource type \"{kind}\" is not supported")));
    }
    if SENSITIVE.contains(&kind) && !roles.iter().any(|role| role == "os:admin") {
        return Err(Status::permission_denied("not authorized"));
    }
    Ok(())
}

/// State/Get
pub(super) fn get(node: &Node, message: &[u8], roles: &[String]) -> Result<GetResponse, Status> {
    let request = GetRequest::decode(message).map_err(|error| Status::internal(error.to_string()))?;
    check(&request.namespace, &request.r#type, roles)?;
    let found = all(node, &request.namespace, &request.r#type).into_iter().find(|resource| {
        resource.metadata.as_ref().is_some_and(|metadata| metadata.id == request.id)
    });
    found.map(|resource| GetResponse { resource: Some(resource) }).ok_or_else(|| {
        Status::not_found(format!("resource {}({}/{}@undefined) doesn't exist", request.r#type, request.namespace, request.id))
    })
}

/// State/List
pub(super) fn list(node: &Node, message: &[u8], roles: &[String]) -> Result<Vec<ListResponse>, Status> {
    let request = ListRequest::decode(message).map_err(|error| Status::internal(error.to_string()))?;
    check(&request.namespace, &request.r#type, roles)?;
    Ok(all(node, &request.namespace, &request.r#type).into_iter().map(|resource| ListResponse { resource: Some(resource) }).collect())
}

fn all(node: &Node, namespace: &str, kind: &str) -> Vec<Resource> {
    let found = match (namespace, kind) {
        ("runtime", MACHINE_STATUS) => Some(("machine", "runtime.MachineStatusController", machine_status(node), Vec::new(), 1)),
        ("k8s", NODENAME) => {
            let yaml = format!("nodename: {}\nhostnameVersion: \"1\"\nskipNodeRegistration: false\n", node.name());
            Some(("nodename", "k8s.NodenameController", yaml, Vec::new(), 1))
        }
        ("network", HOSTNAME) => {
            let (host, domain) = node.name().split_once('.').unwrap_or((node.name(), ""));
            Some(("hostname", "network.HostnameSpecController", format!("hostname: {host}\ndomainname: {domain}\n"), Vec::new(), 1))
        }
        ("etcd", ETCD_MEMBER) => {
            let state = node.state();
            state.member.filter(|_| state.etcd_up).map(|id| ("local", "etcd.MemberController", format!("memberID: {id:016x}\n"), Vec::new(), 1))
        }
        ("config", MACHINE_CONFIG) => {
            let state = node.state();
            state.config.as_ref().map(|config| {
                let proto = MachineConfigSpec { yaml_marshalled: config.text.clone().into_bytes() }.encode_to_vec();
                ("v1alpha1", "", config.text.clone(), proto, state.config_version)
            })
        }
        _ => None,
    };
    found
        .map(|(id, owner, yaml_spec, proto_spec, version)| Resource {
            metadata: Some(Metadata {
                namespace: namespace.to_owned(),
                r#type: kind.to_owned(),
                id: id.to_owned(),
                version: version.to_string(),
                owner: owner.to_owned(),
                phase: "running".to_owned(),
                ..Metadata::default()
            }),
            spec: Some(Spec { proto_spec, yaml_spec }),
        })
        .into_iter()
        .collect()
}

/// Stage and readiness, with what is in the way.
fn machine_status(node: &Node) -> String {
    let (stage, etcd_up, kubelet_up) = {
        let state = node.state();
        (state.stage, state.etcd_up, state.kubelet_up)
    };
    let mut unmet = Vec::new();
    let config = node.config();
    if config.as_ref().is_some_and(|config| config.role == Role::ControlPlane) && !etcd_up {
        unmet.push(("services", "etcd not running".to_owned()));
    }
    let ready = config.and_then(|config| node.kubernetes(&config)).and_then(|kube| kube.is_ready(node.name()));
    match ready.filter(|_| kubelet_up) {
        None => unmet.push(("nodeReady", format!("node \"{}\" status is not available yet", node.name()))),
        Some(false) => unmet.push(("nodeReady", format!("node \"{}\" is not ready", node.name()))),
        Some(true) => {}
    }
    let mut yaml = format!("stage: {stage}\nstatus:\n    ready: {}\n", unmet.is_empty());
    if unmet.is_empty() {
        yaml.push_str("    unmetConditions: []\n");
    } else {
        yaml.push_str("    unmetConditions:\n");
        for (name, reason) in unmet {
            // Infallible into a String.
            yaml.push_str(&format!("        - name: {name}\n          reason: {reason}\n"));
        }
    }
    yaml
}
