//! Target groups: who is registered, and how each target fares.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Instant;

/// A target group of instances.
#[derive(Clone, Debug)]
pub(crate) struct TargetGroup {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// Of the request that made it.
    pub(crate) fingerprint: String,
    pub(crate) port: u16,
    pub(crate) vpc: String,
    pub(crate) healthy_threshold: u32,
    pub(crate) unhealthy_threshold: u32,
    /// `None`: the port that traffic goes to.
    pub(crate) health_port: Option<u16>,
    /// `preserve_client_ip.enabled`.
    pub(crate) preserves_client_address: bool,
    /// `deregistration_delay.timeout_seconds`.
    pub(crate) deregistration_seconds: u64,
    /// By instance id and port.
    pub(crate) targets: BTreeMap<(String, u16), Target>,
}

/// A registered instance.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddrV4,
    pub(crate) zone: String,
    pub(crate) state: TargetState,
    /// Checks of the same result in a row.
    pub(crate) streak: u32,
    /// Checks so far.
    pub(crate) checks: u32,
    /// Draining until then.
    pub(crate) leaves_at: Option<Instant>,
}

/// What the last checks said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetState {
    Initial,
    Healthy,
    Unhealthy,
}

impl Target {
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaves_at.is_some()
    }

    /// Enters the result of a check.
    pub(crate) fn checked(&mut self, passed: bool, healthy_threshold: u32, unhealthy_threshold: u32) {
        self.checks += 1;
        let (agrees, threshold, next) = match (self.state, passed) {
            (TargetState::Healthy | TargetState::Initial, false) => (false, unhealthy_threshold, TargetState::Unhealthy),
            (TargetState::Unhealthy | TargetState::Initial, true) => (false, healthy_threshold, TargetState::Healthy),
            _ => (true, 0, self.state),
        };
        if agrees {
            self.streak = 0;
            return;
        }
        self.streak += 1;
        if self.streak >= threshold {
            self.state = next;
            self.streak = 0;
        }
    }
}

impl TargetGroup {
    /// Takes a terminated instance out.
    pub(crate) fn forget(&mut self, instance: &str) {
        self.targets.retain(|(id, _), _| id != instance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn target() -> Target {
        Target {
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
            zone: String::new(),
            state: TargetState::Initial,
            streak: 0,
            checks: 0,
            leaves_at: None,
        }
    }

    #[test]
    fn a_target_is_healthy_after_as_many_checks_as_the_group_says() {
        let mut target = target();
        target.checked(true, 2, 3);
        assert_eq!(target.state, TargetState::Initial);
        target.checked(true, 2, 3);
        assert_eq!(target.state, TargetState::Healthy);
    }

    #[test]
    fn one_good_check_breaks_a_row_of_bad_ones() {
        let mut target = Target { state: TargetState::Healthy, ..target() };
        for passed in [false, false, true, false, false] {
            target.checked(passed, 2, 3);
        }
        assert_eq!(target.state, TargetState::Healthy);
        target.checked(false, 2, 3);
        assert_eq!(target.state, TargetState::Unhealthy);
    }
}
