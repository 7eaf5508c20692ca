//! The wire: prost messages and tonic services, generated from `proto/*.proto`.
//!
//! Each file holds the messages, fields and methods that this workspace speaks, written from the facts of the wire;
//! a peer may send more, which prost ignores.

/// Terraform's plugin protocol 5 (minor 10), as Terraform and OpenTofu speak it to a provider.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod tfplugin5 {
    tonic::include_proto!("tfplugin5");
}

/// The services that HashiCorp's go-plugin expects of every plugin: broker, controller, stdio.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// gRPC's standard health service.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}
