//! Compiles the `.proto` files with a protoc in Rust, so that building needs nothing installed.

use std::error::Error;

/// Every file that is compiled, below `proto/`. Files that they import are found by themselves.
const FILES: &[&str] = &[
    "cosi/state.proto",
    "health.proto",
    "plugin.proto",
    "talos/cluster.proto",
    "talos/inspect.proto",
    "talos/machine.proto",
    // Imported by no service: what the Any of an event holds.
    "talos/machine/events.proto",
    "talos/resource.proto",
    "talos/security.proto",
    "talos/storage.proto",
    "talos/time.proto",
    "tfplugin5.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure()
        // No `connect` methods: our transports (Unix sockets, pinned TLS) are made by the callers.
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
