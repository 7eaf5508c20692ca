//! Talos Linux: secrets and PKI of a cluster, machine configs, patches, client
//! credentials, and the procedures that bring nodes up and down.
//!
//! Knows nothing of Terraform and nothing of clouds.

pub mod version;
