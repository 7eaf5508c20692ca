//! How long things take on a node. Only the order matters to tests; the lengths are what makes them a wait at all.

use std::time::Duration;

/// Lengths of what a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From power-on (or the end of a reboot's way down) to a config and an API.
    pub boot: Duration,
    /// How often a worker asks control-plane nodes for its certificate, and a node for a place in etcd.
    pub ask: Duration,
    /// From the config to a kubelet that runs.
    pub kubelet: Duration,
    /// From being told (bootstrapped, or listed as a member) to an etcd that runs.
    pub etcd: Duration,
    /// From a service that runs to its first health check.
    pub health: Duration,
    /// How long a new member is a learner.
    pub learner: Duration,
    /// From a healthy etcd to a Kubernetes API on that node.
    pub api_server: Duration,
    /// From a Kubernetes API to a registered node.
    pub register: Duration,
    /// From there to a ready one.
    pub ready: Duration,
    /// When a control-plane node that waits for its bootstrap counts as running.
    pub settle: Duration,
    /// From the order to reboot to the end of the API.
    pub down: Duration,
    /// When Kubernetes notices that a node is gone.
    pub unreachable: Duration,
}

impl Timing {
    /// As recorded from real nodes, rounded; `boot` as machines in a cloud take.
    pub const REAL: Self = Self {
        boot: Duration::from_secs(25),
        ask: Duration::from_secs(3),
        kubelet: Duration::from_secs(5),
        etcd: Duration::from_secs(2),
        health: Duration::from_secs(3),
        learner: Duration::from_secs(15),
        api_server: Duration::from_secs(15),
        register: Duration::from_secs(10),
        ready: Duration::from_secs(20),
        settle: Duration::from_mins(1),
        down: Duration::from_secs(5),
        unreachable: Duration::from_secs(45),
    };

    /// All lengths times a factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let times = |length: Duration| length.mul_f64(factor);
        Self {
            boot: times(self.boot),
            ask: times(self.ask),
            kubelet: times(self.kubelet),
            etcd: times(self.etcd),
            health: times(self.health),
            learner: times(self.learner),
            api_server: times(self.api_server),
            register: times(self.register),
            ready: times(self.ready),
            settle: times(self.settle),
            down: times(self.down),
            unreachable: times(self.unreachable),
        }
    }
}

impl Default for Timing {
    /// Quick: a boot takes tens of milliseconds.
    fn default() -> Self {
        Self::REAL.scaled(0.002)
    }
}
