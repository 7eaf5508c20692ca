//! The client and the procedures against servers on loopback that speak what nodes and API servers speak: mutual TLS
//! without ALPN, gRPC over HTTP/2, and the Kubernetes API over HTTP/1.1. What the servers answer is each test's own.

// Clippy knows a test by its attribute, not the servers that only tests use.
#![allow(clippy::expect_used, clippy::panic)]

mod administrator;
mod api;
mod authority;
mod bootstrap;
mod client;
mod config;
mod drain;
mod etcd;
mod node;
mod spawnable;
mod traces;

use std::time::Duration;

use tokio::time::Instant;

/// Longer than any of these takes: a test that waits for it fails.
fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn silent(_: &str) {}
