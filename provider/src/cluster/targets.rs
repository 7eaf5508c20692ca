//! Which machines stand behind the load balancers.

use std::net::Ipv4Addr;

use clouds::MachineRole;
use tf_provider::Diagnostics;

use super::fleet::{Fleet, Machines, ids_of};
use super::model::ClusterModel;
use crate::diagnostics;

impl Fleet<'_> {
    /// Control-plane machines behind the API load balancer, exactly, and all machines let in to it.
    pub(super) async fn serve_control_plane(&self, machines: &Machines) -> Result<(), Diagnostics> {
        let addresses: Vec<Ipv4Addr> = machines.values().filter_map(|machine| machine.public_ip).collect();
        self.site
            .cloud
            .allow_nodes(self.cluster, &addresses)
            .await
            .map_err(|error| Diagnostics::from(diagnostics::cloud("Cannot let the nodes in to the API load balancer", &error)))?;
        let ids = ids_of(machines, MachineRole::ControlPlane);
        self.site.cloud.set_targets(&self.cluster.api_target_group_ids, &ids).await.map_err(|error| {
            diagnostics::cloud("Cannot register the control-plane nodes at the API load balancer", &error).into()
        })
    }

    /// Workers behind the region's ingress load balancer where this cluster serves it; else none of them, where it did.
    pub(super) async fn serve_ingress(
        &self,
        plan: &ClusterModel,
        machines: &Machines,
        served_before: bool,
    ) -> Result<(), Diagnostics> {
        let serves = plan.ingress.known() == Some(&true);
        if !serves && !served_before {
            return Ok(());
        }
        let Some(ingress) = &self.site.region.ingress else { return Ok(()) };
        let failed = |error: clouds::Error| {
            Diagnostics::from(diagnostics::cloud("Cannot register the workers at the region's ingress load balancer", &error))
        };
        let cloud = self.site.cloud.as_ref();
        cloud.allow_ingress(self.cluster, &self.site.region, serves).await.map_err(failed)?;
        let ids = if serves { ids_of(machines, MachineRole::Worker) } else { Vec::new() };
        cloud.set_targets(&ingress.target_group_ids, &ids).await.map_err(failed)
    }
}
