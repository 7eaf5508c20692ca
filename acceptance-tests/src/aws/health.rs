//! Target health: the checks are really made, at short intervals, from the load balancer's address.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Cloud;
use super::elbv2::balancer;
use crate::load_balancer::accepts_connections;

/// How long a target may take to accept a check's connection.
const LIMIT: Duration = Duration::from_secs(1);

/// One check to make.
struct Check {
    group: String,
    target: (String, u16),
    from: Ipv4Addr,
    to: SocketAddrV4,
    /// Whether the security groups let it through.
    admitted: bool,
}

/// Makes checks, opens the ports of load balancers that have become active and drops what has drained, until the cloud stops.
pub(crate) async fn watch(cloud: Arc<Cloud>) {
    loop {
        tokio::select! {
            () = cloud.stop.cancelled() => return,
            () = tokio::time::sleep(cloud.config.timing.health_check_interval) => {}
        }
        open_listeners(&cloud).await;
        drop_drained(&cloud);
        let checks = due(&cloud);
        let made = checks.into_iter().map(|check| async move {
            let passed = check.admitted && accepts_connections(check.from, check.to, LIMIT).await;
            (check, passed)
        });
        let results = futures_util::future::join_all(made).await;
        let mut state = cloud.state();
        for (check, passed) in results {
            let Some(group) = state.target_groups.get_mut(&check.group) else { continue };
            let (healthy, unhealthy) = (group.healthy_threshold, group.unhealthy_threshold);
            if let Some(target) = group.targets.get_mut(&check.target) {
                target.checked(passed, healthy, unhealthy);
            }
        }
    }
}

async fn open_listeners(cloud: &Arc<Cloud>) {
    let closed: Vec<(String, String)> = {
        let state = cloud.state();
        let active = state.load_balancers.iter().filter(|(_, balancer)| balancer.is_active());
        active
            .flat_map(|(arn, balancer)| {
                let waiting = balancer.listeners.iter().filter(|(_, listener)| listener.open.is_none());
                waiting.map(|(listener, _)| (arn.clone(), listener.clone())).collect::<Vec<_>>()
            })
            .collect()
    };
    for (balancer, listener) in closed {
        balancer::open(cloud, &balancer, &listener).await;
    }
}

fn drop_drained(cloud: &Cloud) {
    let now = Instant::now();
    let mut state = cloud.state();
    for group in state.target_groups.values_mut() {
        group.targets.retain(|_, target| target.leaves_at.is_none_or(|at| at > now));
    }
    state.leftovers.retain(|left| left.until > now);
}

/// The checks of all target groups that a listener of an active load balancer forwards to.
fn due(cloud: &Cloud) -> Vec<Check> {
    let state = cloud.state();
    let mut checks = Vec::new();
    for balancer in state.load_balancers.values().filter(|balancer| balancer.is_active()) {
        for listener in balancer.listeners.values() {
            let Some(group) = state.target_groups.get(&listener.target_group) else { continue };
            for (key, target) in group.targets.iter().filter(|(_, target)| !target.is_leaving()) {
                let port = group.health_port.unwrap_or(target.address.port());
                let groups = state.instances.get(&key.0).map(|instance| instance.groups.as_slice()).unwrap_or_default();
                let admitted = state.firewall.admits_balancer(balancer, *target.address.ip(), groups, port, None);
                checks.push(Check {
                    group: listener.target_group.clone(),
                    target: key.clone(),
                    from: balancer.address,
                    to: SocketAddrV4::new(*target.address.ip(), port),
                    admitted,
                });
            }
        }
    }
    checks
}
