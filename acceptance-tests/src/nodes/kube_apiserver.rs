//! The Kubernetes API server of a control-plane node: a static pod that comes after etcd, and goes with it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::host::Host;
use super::machine::{Machine, Service};
use super::machine_config::MachineConfig;
use crate::kube_api::{self, KubeCluster, ServingIdentity};

/// Between attempts to take the port, which the last one may still hold.
const BIND_AGAIN: Duration = Duration::from_millis(10);

/// Comes up beside a healthy etcd, and is there while etcd has a quorum.
pub(super) async fn run(host: &Arc<Host>, id: &str, boot: u64, cluster: usize) {
    let shared = &host.shared;
    sleep(shared.timing.api_server).await;
    loop {
        shared
            .until(|world| {
                let kubelet = world.machines.get(id)?.service("kubelet").is_some_and(Service::is_up);
                (kubelet && world.clusters[cluster].has_quorum(&world.up(cluster))).then_some(())
            })
            .await;
        let Some((identity, addresses, store)) = ({
            let world = shared.look();
            world.machines.get(id).and_then(|machine| parts(machine, machine.config.as_ref()?, &world.stores[cluster]))
        }) else {
            return tracing::warn!(instance = id, "no Kubernetes API: the config has no key for its certificate");
        };
        let addresses: Vec<Ipv4Addr> = addresses.into_iter().map(|address| shared.listens_at(address)).collect();
        let stop = CancellationToken::new();
        let _stop_guard = stop.clone().drop_guard();
        while let Err(error) = kube_api::serve(Arc::clone(&store), &addresses, identity.clone(), stop.clone()).await {
            if error.kind() != std::io::ErrorKind::AddrInUse {
                return tracing::warn!(instance = id, "no Kubernetes API: {error}");
            }
            sleep(BIND_AGAIN).await;
        }
        set(host, id, boot, true);
        // With other names in its certificate, the static pod starts again.
        let names = identity.names;
        shared
            .until(|world| {
                let now =
                    world.machines.get(id).and_then(|machine| parts(machine, machine.config.as_ref()?, &world.stores[cluster]));
                let renamed = now.is_some_and(|(identity, _, _)| identity.names != names);
                (renamed || !world.clusters[cluster].has_quorum(&world.up(cluster))).then_some(())
            })
            .await;
        set(host, id, boot, false);
    }
}

fn set(host: &Host, id: &str, boot: u64, up: bool) {
    host.shared.change(|world| {
        if let Some(machine) = world.booted(id, boot) {
            machine.api_server = up;
        }
    });
}

fn parts(
    machine: &Machine,
    config: &MachineConfig,
    store: &Arc<KubeCluster>,
) -> Option<(ServingIdentity, Vec<Ipv4Addr>, Arc<KubeCluster>)> {
    let authority = config.kubernetes_authority()?;
    let addresses: Vec<Ipv4Addr> = std::iter::once(machine.instance.private_ip).chain(machine.instance.public_ip).collect();
    let mut names = config.api_server_sans();
    names.push(config.endpoint_host());
    names.push(machine.hostname());
    names.extend(addresses.iter().map(Ipv4Addr::to_string));
    names.push("127.0.0.1".to_owned());
    names.extend(first_address(&config.service_subnet()));
    names.extend(
        ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"]
            .map(str::to_owned),
    );
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    let identity = ServingIdentity { ca_certificate_pem: authority.certificate, ca_key_pem: authority.key?, names };
    Some((identity, addresses, Arc::clone(store)))
}

/// Where the service `kubernetes` is.
fn first_address(subnet: &str) -> Option<String> {
    let network: ipnet::IpNet = subnet.parse().ok()?;
    network.hosts().next().map(|address| address.to_string())
}
