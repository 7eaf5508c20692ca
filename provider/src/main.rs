//! `terraform-provider-inferadb`: regions, Talos clusters and FoundationDB backup stores for Terraform and OpenTofu.

mod backup;
mod claims;
mod cluster;
mod configured;
mod connect;
mod diagnostics;
mod ids;
mod names;
mod networks;
mod provider;
mod region;
mod tags;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    tf_provider::serve(provider::Inferadb).await
}
