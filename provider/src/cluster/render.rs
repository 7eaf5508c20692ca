//! Machine configs of a cluster's nodes.

use std::collections::BTreeMap;

use clouds::{Cloud, ClusterState, MachineRole, UserDataTooLarge};
use sha2::{Digest, Sha256};
use talos::config::{ClusterInput, MachineConfig, NodeInput, Role, generate};
use talos::patch::Patch;
use talos::secrets::Bundle;
use talos::version::{KubernetesVersion, TalosVersion};
use tf_provider::{Diagnostic, Diagnostics};

use super::desired::{DesiredNode, node_name, strings};
use super::model::ClusterModel;

/// Stands for an endpoint that is not known yet, as long as a cloud's longest: configs are checked and measured with it.
const LONG_HOST: &str = "inferadb-environment-region-cluster-api-0123456789abcdef.elb.provider-region-1.amazonaws.com";

/// Node label that says which entry of the row's `nodes` a node is, `general-0` for example: its name is the cloud's.
pub(super) const NODE_LABEL: &str = "inferadb.com/node";

/// `https://HOST:6443`, or with the port that the address names.
pub(super) fn endpoint(address: &str) -> String {
    if address.contains(':') { format!("https://{address}") } else { format!("https://{address}:6443") }
}

/// The host of an endpoint.
pub(super) fn host(endpoint: &str) -> &str {
    let address = endpoint.trim_start_matches("https://");
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

/// The row's ways to a cluster's APIs, from what stands.
pub(super) fn note_endpoints(model: &mut ClusterModel, own: &ClusterState) {
    if own.api_address.is_empty() {
        return;
    }
    let outside = endpoint(&own.api_address);
    model.talos_endpoint = own.talos_api_address.as_deref().unwrap_or(host(&outside)).into();
    model.internal_endpoint = own.internal_api_address.as_deref().map(endpoint).into();
    model.endpoint = outside.into();
}

/// What the configs of all nodes share, secrets excepted.
pub(super) struct Facts {
    input: ClusterInput,
    provider_region: String,
}

/// All that a node's config is made of.
pub(super) struct Blueprint<'a> {
    facts: Facts,
    bundle: &'a Bundle,
}

impl Blueprint<'_> {
    /// Reads the facts from a row or plan; `None` while one is unknown or cannot be read (which the schema's checks say).
    pub(super) fn facts(model: &ClusterModel) -> Option<Facts> {
        let talos_version = TalosVersion::parse(model.talos_version.as_str()?).ok()?;
        let contract = TalosVersion::parse(model.config_contract.as_str()?).ok()?;
        let outside = model.endpoint.as_str().map_or_else(|| endpoint(LONG_HOST), str::to_owned);
        let inside = model.internal_endpoint.as_str().map(str::to_owned);
        let own = std::iter::once(&outside).chain(&inside).map(|endpoint| host(endpoint).to_owned());
        let cert_sans = own.chain(strings(&model.cert_sans)?).collect();
        let endpoint = inside.unwrap_or(outside);
        Some(Facts {
            input: ClusterInput {
                cluster_name: model.name.as_str()?.to_owned(),
                endpoint,
                talos_version,
                contract,
                kubernetes_version: KubernetesVersion::parse(model.kubernetes_version.as_str()?).ok()?,
                pod_cidrs: vec![model.pod_cidr.as_str()?.parse().ok()?],
                service_cidrs: vec![model.service_cidr.as_str()?.parse().ok()?],
                cert_sans,
                schedule_on_control_planes: false,
                external_cloud_provider: false,
            },
            provider_region: model.provider_region.as_str()?.to_owned(),
        })
    }

    pub(super) fn talos_version(&self) -> &TalosVersion {
        &self.facts.input.talos_version
    }

    pub(super) fn contract(&self) -> &TalosVersion {
        self.facts.contract()
    }

    pub(super) fn bundle(&self) -> &Bundle {
        self.bundle
    }

    /// Tag value of the machines: which secrets they booted with, and which of the choices that stand for life.
    pub(super) fn machine_fingerprint(&self) -> String {
        let input = &self.facts.input;
        let mut hash = Sha256::new();
        let ranges = input.pod_cidrs.iter().chain(&input.service_cidrs).map(ToString::to_string);
        for part in [self.bundle.fingerprint(), input.contract.to_string()].into_iter().chain(ranges) {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        format!("{:016x}", digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The config of a node in a zone.
    pub(super) fn node_config(&self, node: &DesiredNode, zone: &str, machine_type: &str) -> Result<MachineConfig, Diagnostics> {
        let mut patches = Vec::new();
        for text in &node.patches {
            patches.push(Patch::parse(text, self.talos_version()).map_err(|error| impossible(node, &error.to_string()))?);
        }
        let name = node_name(node.role, &node.pool, node.index);
        let mut labels: BTreeMap<String, String> = own_labels(&name, &self.facts.provider_region, zone, machine_type)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        labels.extend(node.labels.clone());
        let role = match node.role {
            MachineRole::ControlPlane => Role::ControlPlane,
            MachineRole::Worker => Role::Worker,
        };
        let input = NodeInput {
            labels,
            annotations: node.annotations.clone(),
            taints: node.taints.clone(),
            patches: &patches,
            ..NodeInput::new(role)
        };
        generate(self.bundle, &self.facts.input, &input).map_err(|error| impossible(node, &error.to_string()))
    }

    /// What a machine boots from: its config, without inline manifests where the cloud cannot carry those.
    pub(super) fn boot_config(
        &self,
        cloud: &dyn Cloud,
        node: &DesiredNode,
        zone: &str,
        machine_type: &str,
    ) -> Result<MachineConfig, Diagnostics> {
        let config = self.node_config(node, zone, machine_type)?;
        if cloud.check_user_data(config.to_yaml().as_bytes()).is_ok() {
            return Ok(config);
        }
        let (reduced, _) = config.without_inline_manifests();
        match cloud.check_user_data(reduced.to_yaml().as_bytes()) {
            Ok(()) => Ok(reduced),
            Err(error) => Err(too_large(node, &error)),
        }
    }

    /// That Talos would take the config, and that the cloud, where it is known, can carry it.
    pub(super) fn check(&self, node: &DesiredNode, cloud: Option<&dyn Cloud>) -> Result<(), Diagnostics> {
        let config = self.node_config(node, "zone-1a", &node.machine_type)?;
        let violations = talos::validate::validate(&config, self.talos_version());
        if !violations.is_empty() {
            let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
            return Err(refused(node, &lines.join("\n")));
        }
        match cloud {
            Some(cloud) => self.boot_config(cloud, node, "zone-1a", &node.machine_type).map(drop),
            None => Ok(()),
        }
    }
}

impl Facts {
    pub(super) fn contract(&self) -> &TalosVersion {
        &self.input.contract
    }

    pub(super) fn with_bundle(self, bundle: &Bundle) -> Blueprint<'_> {
        Blueprint { facts: self, bundle }
    }
}

/// The labels that every node gets.
pub(super) fn own_labels<'a>(
    name: &'a str,
    provider_region: &'a str,
    zone: &'a str,
    machine_type: &'a str,
) -> [(&'static str, &'a str); 4] {
    [
        (NODE_LABEL, name),
        ("topology.kubernetes.io/region", provider_region),
        ("topology.kubernetes.io/zone", zone),
        ("node.kubernetes.io/instance-type", machine_type),
    ]
}

/// Whether Talos takes `new` over `old` only with a reboot.
pub(super) fn requires_reboot(old: &MachineConfig, new: &MachineConfig, version: &TalosVersion) -> bool {
    talos::reboot::requires_reboot(old, new, version)
}

fn impossible(node: &DesiredNode, why: &str) -> Diagnostics {
    Diagnostic::error(format!("The machine config of {} cannot be made", node.owner()))
        .detail(format!(
            "{why}.\n\nIt is made of this block, the cluster's attributes and the patches. No machine was made with it."
        ))
        .at(node.place())
        .into()
}

fn refused(node: &DesiredNode, why: &str) -> Diagnostics {
    Diagnostic::error(format!("Talos would refuse the machine config of {}", node.owner()))
        .detail(format!(
            "{why}\n\nThe config is made of this block, the cluster's attributes and the patches. No machine was made with it."
        ))
        .at(node.place())
        .into()
}

fn too_large(node: &DesiredNode, error: &UserDataTooLarge) -> Diagnostics {
    Diagnostic::error(format!("The machine config of {} is too large to boot from", node.owner()))
        .detail(format!("Even without its inline manifests {error}. Make the patches smaller. No machine was made with it."))
        .at(node.place())
        .into()
}
