//! Names of what is made in an engine. A name of a container or volume can be had once, so a name is a claim on its place.
//!
//! Environments, regions, clusters and pools are DNS labels: they hold no dot and no underscore. So dots part them, an
//! underscore begins what hangs on one, and no two things have one name.

use sha2::{Digest, Sha256};

use crate::{MachineRole, Scope, tags};

/// The longest host name that Linux and Kubernetes both take.
const HOST_NAME: usize = 63;

const ASIDE: &str = "_aside";

/// A region's network.
pub(super) fn region(scope: &Scope) -> String {
    format!("inferadb.{}.{}", scope.environment, scope.region)
}

/// The region's ingress load balancer, and the volume of its configuration.
pub(super) fn ingress(scope: &Scope) -> String {
    format!("{}_ingress", region(scope))
}

/// A cluster's root: the volume of its API load balancer's configuration.
pub(super) fn cluster(scope: &Scope, cluster: &str) -> String {
    format!("{}.{cluster}", region(scope))
}

/// A cluster's API load balancer.
pub(super) fn api(root: &str) -> String {
    format!("{root}_api")
}

/// A machine's container.
pub(super) fn machine(scope: &Scope, cluster: &str, role: MachineRole, pool: &str, index: u32) -> String {
    format!("{}.{}", self::cluster(scope, cluster), tags::machine_name(role, pool, index))
}

/// What a machine's container is called from when another one takes its place until that runs.
pub(super) fn set_aside(machine: &str) -> String {
    format!("{machine}{ASIDE}")
}

/// The machine that a container is or was, by its name.
pub(super) fn machine_of(container: &str) -> &str {
    container.strip_suffix(ASIDE).unwrap_or(container)
}

/// A machine's volume for a path.
pub(super) fn volume(machine: &str, path: &str) -> String {
    format!("{machine}_{}", path.trim_matches('/').replace('/', "-"))
}

/// A backup store: its data volume, which is the root, and its container. Bucket names hold dots, but no underscore.
pub(super) fn backup(bucket: &str) -> String {
    format!("inferadb_backup.{bucket}")
}

/// A mark on an object.
pub(super) fn mark(object: &str, mark: &str, which: &str) -> String {
    format!("{object}_{mark}_{which}")
}

/// A machine's host name, which becomes its name in Kubernetes.
pub(super) fn host(cluster: &str, machine: &str) -> String {
    let name = format!("{cluster}-{machine}");
    if name.len() <= HOST_NAME {
        return name;
    }
    let hash = digest(&name, 8);
    format!("{}-{hash}", name[..HOST_NAME - 1 - hash.len()].trim_end_matches('-'))
}

/// Hex digits of a hash.
pub(super) fn digest(text: &str, digits: usize) -> String {
    let halves = Sha256::digest(text.as_bytes()).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16)).take(digits).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn scope(environment: &str, region: &str) -> Scope {
        Scope { environment: environment.to_owned(), region: region.to_owned() }
    }

    #[test]
    fn parts_do_not_run_into_their_neighbours() {
        let scopes = [scope("a-b", "c"), scope("a", "b-c")];
        let mut names = BTreeSet::new();
        let mut count = 0;
        for scope in &scopes {
            for name in [region(scope), ingress(scope), cluster(scope, "ingress"), api(&cluster(scope, "ingress"))] {
                count += 1;
                names.insert(name);
            }
        }
        names.insert(machine(&scopes[0], "ingress", MachineRole::Worker, "api", 0));
        assert_eq!(names.len(), count + 1, "{names:?}");
    }

    #[test]
    fn names_are_ones_that_docker_takes() {
        let machine = machine(&scope("dev", "local"), "prod", MachineRole::ControlPlane, "", 0);
        assert_eq!(machine, "inferadb.dev.local.prod.control-plane-0");
        assert_eq!(volume(&machine, "/usr/libexec/kubernetes"), "inferadb.dev.local.prod.control-plane-0_usr-libexec-kubernetes");
    }

    #[test]
    fn a_host_name_is_a_dns_label_whatever_the_lengths() {
        assert_eq!(host("prod", "general-0"), "prod-general-0");
        let long = host(&"c".repeat(32), &format!("{}-12", "p".repeat(32)));
        assert_eq!(long.len(), 63);
        assert_ne!(long, host(&"c".repeat(32), &format!("{}-13", "p".repeat(32))));
    }
}
