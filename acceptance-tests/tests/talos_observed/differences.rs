//! Where a machine in a cloud differs from the recorded nodes, which ran in containers, and why.

use crate::recording::Step;

/// Scenarios that are not replayed, and why.
const NOT_REPLAYED: &[(&str, &str)] = &[
    (
        "bootstrap/bootstrap-on-two-nodes",
        "its second Bootstrap meets a node that has just begun to join: a matter of milliseconds",
    ),
    ("config-apply/label-with-mode-reboot", "in a container the process ends, where a machine reboots; the restart was by hand"),
    ("config-apply/label-staged-and-restart", "the container was restarted by hand between its steps"),
    (
        "config-apply/hostname-no-reboot",
        "the container's host name is Docker's, and the last config renames the node for all that follow",
    ),
    ("etcd/a-fresh-node-with-the-same-name-joins", "only timelines were recorded"),
    ("etcd/the-removed-member-comes-back-with-its-data", "needs a removed member to be started again between its steps"),
    ("etcd/remove-a-dead-learner", "needs a node that dies while it is a learner"),
    ("lifecycle/reset-graceful-of-a-control-plane-node", "a reset in a container only stops the process"),
    ("lifecycle/reset-graceful-of-a-worker", "a reset in a container only stops the process"),
    ("lifecycle/reset-user-disks-without-a-disk", "a reset in a container only stops the process"),
    ("routing/unknown-node-name", "the words are those of a name server that was not there"),
    ("tls/client-with-tls-1.1-only", "our TLS library does not speak TLS 1.1 at all"),
];

/// Why a scenario is not replayed.
pub(crate) fn not_replayed(path: &str) -> Option<&'static str> {
    NOT_REPLAYED.iter().find(|(name, _)| *name == path).map(|(_, why)| *why)
}

/// Whether a scenario caught a node in the middle of its boot, so that only the codes can be the same.
pub(crate) fn is_in_between(path: &str) -> bool {
    path == "before-bootstrap/worker-boot-before-the-control-plane"
}

/// Whether a step's answer is the container's: a machine is not refused.
pub(crate) fn is_container_only(path: &str, step: &Step) -> bool {
    // `method is not supported in container mode`.
    let refused = step.message() == "method is not supported in container mode";
    // Validation in container mode wants HostDNS, and says so first.
    let host_dns = path == "maintenance/apply-json-instead-of-yaml";
    // No time server could be reached; a machine in a cloud has one.
    let no_time = step.service == "time.TimeService" && step.code() == "Unknown";
    refused || host_dns || no_time
}
