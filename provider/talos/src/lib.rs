//! Talos Linux: secrets and PKI of a cluster, machine configs, patches, client
//! credentials, and the procedures that bring nodes up and down.
//!
//! Knows nothing of Terraform and nothing of clouds.

pub mod client;
pub mod config;
pub mod credentials;
mod fingerprint;
pub mod kubernetes;
pub mod lifecycle;
pub mod patch;
pub mod pki;
pub mod reboot;
pub mod schema;
pub mod secrets;
pub mod tree;
pub mod validate;
pub mod version;
pub mod yaml;
