//! `terraform-provider-inferadb`: regions, Talos clusters and FoundationDB backup stores for Terraform and OpenTofu.

mod abilities;
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

/// The futures of a cloud's SDK are deep: unoptimised, an apply needs more than the 2 MiB that threads get by default.
/// Pages that are not touched cost nothing.
const THREAD_STACK: usize = 16 << 20;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(THREAD_STACK).build();
    match runtime {
        Ok(runtime) => runtime.block_on(tf_provider::serve(provider::Inferadb)),
        // Terraform shows that the plugin did not start; there is nobody to tell why.
        Err(_) => ExitCode::FAILURE,
    }
}
