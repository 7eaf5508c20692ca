//! Where a create finds its bundle: in the user data of a control-plane node that an earlier create made, or nowhere yet.

use clouds::{Cloud, Machine, MachineRole};
use talos::secrets::Bundle;
use talos::version::TalosVersion;
use tf_provider::{Diagnostic, Diagnostics};

use crate::diagnostics;

/// Set on the control-plane machine that is asked to bootstrap etcd, before it is asked.
pub(super) const BOOTSTRAP_TAG: &str = "inferadb.com/bootstrap";

/// On machines: the config contract, which stands for life and shows nowhere else. An import reads it.
pub(super) const CONTRACT_TAG: &str = "inferadb.com/contract";

/// New secrets. Making the RSA key takes a second or so, off the async threads.
pub(super) async fn generate(contract: TalosVersion) -> Result<Bundle, Diagnostics> {
    let made = tokio::task::spawn_blocking(move || Bundle::generate(&contract)).await;
    match made {
        Ok(Ok(bundle)) => Ok(bundle),
        Ok(Err(error)) => Err(failed(&error.to_string())),
        Err(error) => Err(failed(&error.to_string())),
    }
}

fn failed(why: &str) -> Diagnostics {
    Diagnostic::error("The cluster's secrets cannot be made").detail(format!("{why}. Nothing was made with them.")).into()
}

/// The bundle that the control plane of an unfinished cluster booted with: that of the node chosen for the bootstrap, else of the
/// first one that gives its user data back.
pub(super) async fn read_back(cloud: &dyn Cloud, machines: &[Machine]) -> Result<Option<Bundle>, Diagnostics> {
    let mut control_plane: Vec<&Machine> = machines.iter().filter(|machine| machine.role == MachineRole::ControlPlane).collect();
    control_plane.sort_by_key(|machine| (!machine.tags.contains_key(BOOTSTRAP_TAG), machine.index));
    for machine in control_plane {
        let doing = format!("Cannot read the user data of machine `{}`", machine.id);
        let user_data = cloud.user_data(&machine.id).await.map_err(|error| diagnostics::asking(&doing, &error))?;
        let Some(user_data) = user_data else { continue };
        match Bundle::from_machine_config(&user_data) {
            Ok(bundle) => return Ok(Some(bundle)),
            Err(error) => tracing::warn!(machine = machine.id, %error, "the user data holds no secrets bundle"),
        }
    }
    Ok(None)
}
