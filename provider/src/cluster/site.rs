//! Where a cluster stands: the cloud, the region as it is now, and the zones of its nodes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use clouds::{Cloud, Kind, RegionState, Root, Scope, Subnet};
use tf_provider::{Diagnostic, Diagnostics, Value, path};

use super::desired::DesiredNode;
use crate::configured::Configured;
use crate::diagnostics;
use crate::ids::{MemberId, RegionId};
use crate::names;

/// An open region.
pub(super) struct Site {
    pub(super) cloud: Arc<dyn Cloud>,
    pub(super) account_id: String,
    pub(super) region_id: RegionId,
    pub(super) region: RegionState,
}

impl Site {
    /// Connects and reads the region, which must be finished.
    pub(super) async fn open(provider: &Configured, region_id: &Value<String>) -> Result<Self, Diagnostics> {
        let region_id = parse_region_id(region_id)?;
        if provider.environment().as_str() != Some(&region_id.environment) {
            return Err(other_environment(provider, &region_id).into());
        }
        let connection = provider.cloud(&region_id.place).await?;
        let cloud = connection.cloud;
        let doing = format!("Cannot read region `{region_id}`");
        let roots = cloud.roots(Kind::Region).await.map_err(|error| diagnostics::asking(&doing, &error))?;
        let root = region_root(&roots, &region_id.scope()).ok_or_else(|| missing_region(&region_id))?;
        if !root.finished {
            return Err(Diagnostic::error(format!("Region `{region_id}` is not finished"))
                .detail("A create of it did not end. Apply its `inferadb_region` first, then this cluster. Nothing was made.")
                .at(path!("region_id"))
                .into());
        }
        let region = cloud
            .read_region(&root.id)
            .await
            .map_err(|error| diagnostics::asking(&doing, &error))?
            .ok_or_else(|| missing_region(&region_id))?;
        Ok(Self { cloud, account_id: connection.account_id, region_id, region })
    }

    pub(super) fn scope(&self) -> Scope {
        self.region_id.scope()
    }

    pub(super) fn cluster_id(&self, name: &str) -> MemberId {
        MemberId { region: self.region_id.clone(), name: name.to_owned() }
    }

    /// The subnet of a node: control plane and pools are each spread over the zones, in order of index. `offered` are the zones
    /// that have its machine type, where that was asked.
    pub(super) fn subnet(&self, node: &DesiredNode, offered: Option<&[String]>) -> Result<&Subnet, Diagnostics> {
        let allowed = |subnet: &&Subnet| {
            (node.zones.is_empty() || node.zones.contains(&subnet.zone))
                && offered.is_none_or(|zones| zones.contains(&subnet.zone))
        };
        let allowed: Vec<&Subnet> = self.region.subnets.iter().filter(allowed).collect();
        if allowed.is_empty() {
            return Err(self.nowhere(node, offered).into());
        }
        Ok(allowed[node.index as usize % allowed.len()])
    }

    fn nowhere(&self, node: &DesiredNode, offered: Option<&[String]>) -> Diagnostic {
        let list =
            |zones: &mut dyn Iterator<Item = &String>| zones.map(|zone| format!("`{zone}`")).collect::<Vec<_>>().join(", ");
        let mut detail =
            format!("The region has subnets in {}", list(&mut self.region.subnets.iter().map(|subnet| &subnet.zone)));
        if !node.zones.is_empty() {
            let _ = write!(detail, "; the block names {}", list(&mut node.zones.iter()));
        }
        if let Some(offered) = offered {
            let _ = write!(detail, "; the cloud offers `{}` in {}", node.machine_type, list(&mut offered.iter()));
        }
        detail.push_str(". No machine was made for it.");
        Diagnostic::error(format!("There is no zone for a node of {}", node.owner()))
            .detail(detail)
            .at(node.place().attribute("zones"))
    }

    /// The cloud's machine type of every node, by node name.
    pub(super) fn machine_types(&self, nodes: &BTreeMap<String, DesiredNode>) -> BTreeMap<String, String> {
        nodes
            .iter()
            .map(|(name, node)| {
                (name.clone(), names::machine_type(self.region_id.place.provider_type, &node.machine_type).to_owned())
            })
            .collect()
    }
}

/// Reads the id of a region; the schema's check has refused what cannot be read before.
pub(super) fn parse_region_id(id: &Value<String>) -> Result<RegionId, Diagnostics> {
    let text = id.as_str().unwrap_or_default();
    text.parse().map_err(|error| Diagnostic::error(format!("{error}")).at(path!("region_id")).into())
}

pub(super) fn region_root<'a>(roots: &'a [Root], scope: &Scope) -> Option<&'a Root> {
    roots.iter().filter(|root| root.scope == *scope).max_by_key(|root| (root.in_state, root.finished))
}

/// The error for a region of another environment than the provider's.
pub(super) fn other_environment(provider: &Configured, region_id: &RegionId) -> Diagnostic {
    let own = provider.environment().as_str().unwrap_or_default();
    Diagnostic::error(format!("Region `{region_id}` belongs to environment `{}`, the provider to `{own}`", region_id.environment))
        .detail("A cluster stands in a region of its own environment. Use a region of this environment, or a provider alias for the other.")
        .at(path!("region_id"))
}

fn missing_region(region_id: &RegionId) -> Diagnostic {
    Diagnostic::error(format!("Region `{region_id}` does not exist"))
        .detail(
            "Nothing in this account bears its tags. Make it with an `inferadb_region`, and refer to its `id`. Nothing was made.",
        )
        .at(path!("region_id"))
}
