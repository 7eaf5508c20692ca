//! The tree under `flux/`, as Flux' own controller builds it, and what holds for each of its clusters.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail and say where it is, and reads well above all"
)]

mod bootstrap;
mod clusters;
mod objects;
mod oracle;
mod tree;
mod versions;
