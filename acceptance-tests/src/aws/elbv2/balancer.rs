//! Load balancers and their listeners.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use ipnet::Ipv4Net;

use super::super::Cloud;
use super::super::state::State;
use super::group::TargetState;
use crate::load_balancer::{Listener, Route, Routes};

/// A network load balancer.
pub(crate) struct LoadBalancer {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// Of the request that made it: the same request again is no error.
    pub(crate) fingerprint: String,
    /// It listens here, and this is also its DNS name.
    pub(crate) address: Ipv4Addr,
    pub(crate) vpc: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) zones: Vec<String>,
    /// The subnets' addresses: what it speaks to targets from.
    pub(crate) ranges: Vec<Ipv4Net>,
    pub(crate) groups: Vec<String>,
    /// Whether it was made with a security group; only then can it have others.
    pub(crate) made_with_groups: bool,
    pub(crate) public: bool,
    pub(crate) cross_zone: bool,
    pub(crate) deletion_protection: bool,
    pub(crate) active_from: Instant,
    /// By ARN.
    pub(crate) listeners: BTreeMap<String, ListenerRecord>,
}

/// A listener: port and where it forwards to.
pub(crate) struct ListenerRecord {
    pub(crate) fingerprint: String,
    pub(crate) port: u16,
    pub(crate) target_group: String,
    /// Open once the load balancer is active.
    pub(crate) open: Option<Listener>,
}

/// What a load balancer occupies in a network; for a while after its deletion too.
#[derive(Clone, Debug)]
pub(crate) struct Footprint {
    pub(crate) vpc: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) public: bool,
    /// `ELB net/NAME/ID`.
    pub(crate) description: String,
}

/// The footprint of a deleted load balancer.
#[derive(Clone, Debug)]
pub(crate) struct Leftover {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) until: Instant,
    pub(crate) footprint: Footprint,
}

impl LoadBalancer {
    pub(crate) fn footprint(&self, arn: &str) -> Footprint {
        let arn = super::shown(arn);
        let description = arn.split_once(":loadbalancer/").map(|(_, tail)| format!("ELB {tail}")).unwrap_or_default();
        Footprint {
            vpc: self.vpc.clone(),
            subnets: self.subnets.clone(),
            groups: self.groups.clone(),
            public: self.public,
            description,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active_from <= Instant::now()
    }
}

impl State {
    /// What load balancers of an account and region occupy now.
    pub(crate) fn footprints<'a>(&'a self, account: &'a str, region: &'a str) -> impl Iterator<Item = Footprint> + 'a {
        let standing = self
            .load_balancers
            .iter()
            .filter(move |(_, balancer)| balancer.account == account && balancer.region == region)
            .map(|(arn, balancer)| balancer.footprint(arn));
        let now = Instant::now();
        let left = self
            .leftovers
            .iter()
            .filter(move |left| left.account == account && left.region == region && left.until > now)
            .map(|left| left.footprint.clone());
        standing.chain(left)
    }
}

/// How connections of one listener are spread.
struct Spread {
    cloud: Weak<Cloud>,
    balancer: String,
    listener: String,
    turn: AtomicUsize,
}

impl Routes for Spread {
    fn choose(&self, client: SocketAddr, port: u16) -> Route {
        let Some(cloud) = self.cloud.upgrade() else { return Route::Refused };
        let state = cloud.state();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let Some(balancer) = state.load_balancers.get(&self.balancer) else { return Route::Refused };
        let listener = balancer.listeners.get(&self.listener);
        let Some(group) = listener.and_then(|listener| state.target_groups.get(&listener.target_group)) else {
            return Route::Refused;
        };
        let IpAddr::V4(client) = client.ip() else { return Route::Lost };
        if !state.firewall.admits_client(balancer, client, port) {
            return Route::Lost;
        }
        let serving: Vec<_> = group.targets.iter().filter(|(_, target)| !target.is_leaving()).collect();
        let healthy: Vec<_> = serving.iter().filter(|(_, target)| target.state == TargetState::Healthy).collect();
        // Where no target is healthy, a network load balancer sends to all of them.
        let chosen = if healthy.is_empty() {
            serving.get(turn % serving.len().max(1)).copied()
        } else {
            healthy.get(turn % healthy.len()).map(|target| **target)
        };
        let Some(((instance, _), target)) = chosen else { return Route::Refused };
        let address = *target.address.ip();
        if group.preserves_client_address && client == address {
            return Route::Lost;
        }
        let sender = group.preserves_client_address.then_some(client);
        let groups = state.instances.get(instance).map(|instance| instance.groups.as_slice()).unwrap_or_default();
        if !state.firewall.admits_balancer(balancer, address, groups, target.address.port(), sender) {
            return Route::Lost;
        }
        Route::To(target.address)
    }
}

/// Opens a listener's port if its load balancer is active.
pub(crate) async fn open(cloud: &Arc<Cloud>, balancer_arn: &str, listener_arn: &str) {
    let place = {
        let state = cloud.state();
        state.load_balancers.get(balancer_arn).filter(|balancer| balancer.is_active()).and_then(|balancer| {
            let listener = balancer.listeners.get(listener_arn)?;
            listener.open.is_none().then_some((balancer.address, listener.port))
        })
    };
    let Some((address, port)) = place else { return };
    let routes = Arc::new(Spread {
        cloud: Arc::downgrade(cloud),
        balancer: balancer_arn.to_owned(),
        listener: listener_arn.to_owned(),
        turn: AtomicUsize::new(0),
    });
    let opened = Listener::open(address, port, routes).await;
    let mut state = cloud.state();
    // It may have been deleted meanwhile: then the port closes here.
    if let Some(listener) =
        state.load_balancers.get_mut(balancer_arn).and_then(|balancer| balancer.listeners.get_mut(listener_arn))
    {
        listener.open = Some(opened);
    }
}
