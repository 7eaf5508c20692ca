//! Real Terraform and OpenTofu against the sandbox. Each test is named for the rule that it proves.

#![allow(
    clippy::assigning_clones,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail and say where it is, and reads well above all"
)]

mod backup;
mod bad_input;
mod checks;
mod cluster;
mod configuration;
mod credentials;
mod docker;
mod driver;
mod import;
mod kills;
mod neighbours;
mod rebuild;
mod refusals;
mod region;
mod repairs;
mod secrets;
mod stop;
mod two_directories;
mod versions;
mod ways_in;
mod world;
