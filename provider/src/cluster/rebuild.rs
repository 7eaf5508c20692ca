//! Another Talos for nodes that cannot upgrade themselves: another machine on the same disks, one node at a time.

use clouds::{Machine, MachineRole};
use talos::lifecycle;
use talos::version::TalosVersion;
use tf_provider::{Diagnostic, Diagnostics, path};
use tokio::time::Instant;

use super::change::{in_order, out_of_service};
use super::desired::node_name;
use super::fleet::{Fleet, addresses, progress, step};
use super::model::ClusterModel;
use super::record::node_of;
use crate::abilities;
use crate::diagnostics;

/// Makes every standing machine again whose Talos is not the plan's. `standing` is what stands after it.
pub(super) async fn rebuild_nodes(
    fleet: &Fleet<'_>,
    plan: &ClusterModel,
    standing: &mut [Machine],
    deadline: std::time::Instant,
) -> Result<(), Diagnostics> {
    if !abilities::of(fleet.site.region_id.place.provider_type).rebuilds_machines {
        return Ok(());
    }
    let until = Instant::from_std(deadline);
    let wanted = fleet.blueprint.talos_version().clone();
    let voters = addresses(standing.iter().filter(|machine| machine.role == MachineRole::ControlPlane));
    let mut ordered: Vec<&Machine> = standing.iter().collect();
    in_order(&mut ordered);
    let mut rebuilt = Vec::new();
    for machine in ordered {
        let name = node_name(machine.role, &machine.pool, machine.index);
        let Some(node) = fleet.nodes.get(&name) else { continue };
        let (model, _) = fleet.record.current();
        let row = model.nodes.known().and_then(|nodes| nodes.get(&name)).and_then(|node| node.known().cloned());
        let Some(row) = row else { continue };
        if row.talos_version.as_str().is_some_and(|version| runs(version, &wanted)) {
            continue;
        }
        // Before the node is taken out of service for it.
        let failed = |error: clouds::Error| diagnostics::cloud(&format!("Cannot make node `{name}` again"), &error);
        let spec = fleet.rebuild_spec(&name, plan, machine).await?;
        fleet.site.cloud.fetch_image(&spec.image_id).await.map_err(failed)?;
        let clients = fleet.talos()?;
        let config = fleet.config_of(node, machine)?;
        tracing::info!(node = name, machine = machine.id, version = %wanted, "making the machine again from another image");
        let mut next = None;
        let deed = async |node: &str| {
            let cloud = fleet.site.cloud.as_ref();
            let made = cloud.rebuild_machine(&fleet.site.scope(), &fleet.name(), &machine.id, &spec).await.map_err(failed)?;
            let address = [node.to_owned()];
            let up = [(name.clone(), made.clone())].into();
            next = Some(made);
            let wait = async { lifecycle::wait_api(&clients, &address, until, &progress).await.map_err(step) };
            let answers = fleet.watched(&up, wait).await?;
            let says = answers.get(node).map(|version| version.tag.clone()).unwrap_or_default();
            if runs(&says, &wanted) { Ok(()) } else { Err(another_version(&name, &spec.image_id, &says, &wanted)) }
        };
        out_of_service(fleet, &clients, machine, &config, &voters, until, deed).await?;
        if let Some(next) = next {
            let (fingerprint, reboots) = (row.config.as_str().unwrap_or_default(), row.reboots.known().copied().unwrap_or(0));
            fleet.record.node(&name, node_of(&next, &wanted.to_string(), fingerprint, reboots));
            rebuilt.push(next);
        }
    }
    for machine in standing {
        let same = |next: &&Machine| (next.role, &next.pool, next.index) == (machine.role, &machine.pool, machine.index);
        if let Some(next) = rebuilt.iter().find(same) {
            *machine = next.clone();
        }
    }
    Ok(())
}

/// Whether a node that says this runs that version.
pub(super) fn runs(says: &str, wanted: &TalosVersion) -> bool {
    TalosVersion::parse(says).is_ok_and(|version| version == *wanted)
}

fn another_version(node: &str, image: &str, says: &str, wanted: &TalosVersion) -> Diagnostics {
    Diagnostic::error(format!("Node `{node}` runs Talos {says} after it was made again for {wanted}"))
        .detail(format!(
            "That is what image `{image}` holds. Set `image` to one of {wanted}, or leave it out, and apply again: the other nodes were \
             left as they are."
        ))
        .at(path!("image"))
        .into()
}
