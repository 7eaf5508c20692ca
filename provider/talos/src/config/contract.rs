//! What the config contract decides: in which form a config is generated.
//!
//! Source: `pkg/machinery/config/contract.go` of Talos v1.14.1. What is alike in all contracts of v1.8 to v1.14 is not
//! listed.

use crate::version::TalosVersion;

/// The contract's decisions, named for what they do.
#[derive(Clone, Copy)]
pub(super) struct Contract {
    minor: u16,
}

impl Contract {
    pub(super) fn of(version: &TalosVersion) -> Self {
        Self { minor: version.minor() }
    }

    /// RBAC, the check of key usages and the absence of pod security policies are said, not implied.
    pub(super) fn says_what_is_implied(self) -> bool {
        self.minor < 12
    }

    /// The API server's certificate lists the endpoint's host, which later versions add themselves.
    pub(super) fn lists_endpoint_san(self) -> bool {
        self.minor < 12
    }

    /// The hostname stands in a document of its own.
    pub(super) fn hostname_document(self) -> bool {
        self.minor >= 12
    }

    /// GRUB takes the kernel arguments from the image.
    pub(super) fn grub_uses_uki_cmdline(self) -> bool {
        self.minor >= 12
    }

    /// `machine.network` is written even where it is empty.
    pub(super) fn writes_empty_network(self) -> bool {
        self.minor < 13
    }

    /// Kubernetes, discovery, installation, host DNS, volumes and security each stand in documents of their own.
    pub(super) fn documents_for_all(self) -> bool {
        self.minor >= 14
    }
}
