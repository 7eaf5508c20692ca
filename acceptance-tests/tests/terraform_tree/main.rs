//! The tree under `terraform/` and the patches under `talos/`: every module, every environment and every page about them
//! is run as it stands in the repository, by Terraform and by OpenTofu, in the sandbox.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail and say where it is, and reads well above all"
)]

mod account;
mod adding_regions;
mod cloud_modules;
mod cloud_provider;
mod costs;
mod environments;
mod generated;
#[path = "../../../provider/talos/tests/machinery/mod.rs"]
mod machinery;
mod mirror;
mod modules;
mod page;
mod parity;
mod patches;
#[path = "../../../flux/plugins/inferadb/tests/support/regions.rs"]
mod regions;
mod routers;
mod tree;
