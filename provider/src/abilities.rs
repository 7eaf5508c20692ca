//! What a cloud lacks, so that a plan says so at the attribute that asks for it.

use clouds::ProviderType;
use tf_provider::{Diagnostic, Path};

/// What a cloud has of what attributes can ask for.
pub(crate) struct Abilities {
    /// Public DNS zones with records, failover and health checks.
    pub(crate) dns: bool,
    /// Rules that say who may reach a load balancer.
    pub(crate) firewall: bool,
    /// Backup stores with TLS, encryption, versions, lifecycle rules and replicas.
    pub(crate) durable_stores: bool,
    /// Ports of load balancers are published on a host.
    pub(crate) published_ports: bool,
    /// Root disks of a size and type, which machines boot from.
    pub(crate) root_disks: bool,
    /// Talos can neither reboot nor upgrade its machine from inside: the cloud restarts it, and another Talos is another machine
    /// on the disks of the one before.
    pub(crate) rebuilds_machines: bool,
}

/// What that cloud has.
pub(crate) const fn of(cloud: ProviderType) -> Abilities {
    match cloud {
        ProviderType::Aws => Abilities {
            dns: true,
            firewall: true,
            durable_stores: true,
            published_ports: false,
            root_disks: true,
            rebuilds_machines: false,
        },
        ProviderType::Docker => Abilities {
            dns: false,
            firewall: false,
            durable_stores: false,
            published_ports: true,
            root_disks: false,
            rebuilds_machines: true,
        },
    }
}

/// The error for an attribute that cannot be had.
pub(crate) fn lacking(cloud: ProviderType, attribute: Path, why: &str) -> Diagnostic {
    Diagnostic::error(format!("`{attribute}` cannot be had on `{cloud}`")).detail(format!("{why} Leave it out.")).at(attribute)
}
