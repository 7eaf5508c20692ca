//! Names and tokens that are made of a root's cloud id, so that a second try finds or repeats what the first one made.

use sha2::{Digest, Sha256};

use crate::tags::role_name;
use crate::{MachineRole, Scope};

/// Hex digits of a hash over the parts; a part cannot run into its neighbour.
pub(super) fn digest(parts: &[&str], digits: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut hex: String = hasher.finalize().iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(hex_digit).collect();
    hex.truncate(digits);
    hex
}

fn hex_digit(half: u8) -> Option<char> {
    char::from_digit(half.into(), 16)
}

/// Name of a load balancer or target group: at most 32 letters, digits and hyphens, unique in account and region, not
/// starting with `internal-` (ELBv2 API reference). `what` tells those of one root apart.
pub(super) fn balancer(readable: &str, what: &str, root_id: &str) -> String {
    let hash = digest(&[root_id, what], 10);
    let room = 32 - hash.len() - what.len() - 2;
    let mut name: String = readable.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(room).collect();
    let trimmed = name.trim_matches('-').len();
    if trimmed == 0 || name.starts_with("internal-") {
        name = "inferadb".chars().take(room).collect();
    }
    format!("{}-{what}-{hash}", name.trim_matches('-'))
}

/// Group name of a cluster's nodes: unique within the VPC, which is what keeps a cluster from being made twice.
/// It must not start with `sg-` (EC2 API reference).
pub(super) fn nodes_group(scope: &Scope, cluster: &str) -> String {
    format!("inferadb {}-{}-{cluster} nodes", scope.environment, scope.region)
}

/// Group name of a cluster's API load balancer.
pub(super) fn api_group(scope: &Scope, cluster: &str) -> String {
    format!("inferadb {}-{}-{cluster} api", scope.environment, scope.region)
}

/// Group name of a region's ingress load balancer.
pub(super) fn ingress_group(scope: &Scope) -> String {
    format!("inferadb {}-{} ingress", scope.environment, scope.region)
}

/// `RunInstances`' client token (at most 64 ASCII characters): the same machine in the same place has the same token,
/// and what takes its place has another.
pub(super) fn machine_token(root_id: &str, role: MachineRole, pool: &str, index: u32, replaces: &str) -> String {
    digest(&["machine", root_id, role_name(role), pool, &index.to_string(), replaces], 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_tells_machines_apart_and_nothing_else() {
        let token = |pool: &str, index, replaces: &str| machine_token("sg-1", MachineRole::Worker, pool, index, replaces);
        assert_eq!(token("general", 1, ""), token("general", 1, ""));
        assert_eq!(token("general", 1, "").len(), 64);
        assert_ne!(token("general", 1, ""), token("general", 2, ""));
        assert_ne!(token("general", 1, ""), token("general", 1, "i-1"));
        assert_ne!(token("general", 1, ""), machine_token("sg-2", MachineRole::Worker, "general", 1, ""));
        // The parts do not run together.
        assert_ne!(token("pool1", 1, ""), token("pool", 11, ""));
    }

    proptest! {
        #[test]
        fn a_load_balancers_name_is_one_that_aws_takes(readable in ".{0,60}", what in "api|ingress|443|30443|50000") {
            let name = balancer(&readable, &what, "vpc-0123456789abcdef0");
            prop_assert!(name.len() <= 32, "{name}");
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name}");
            prop_assert!(!name.starts_with('-') && !name.ends_with('-') && !name.starts_with("internal-"), "{name}");
        }
    }
}
