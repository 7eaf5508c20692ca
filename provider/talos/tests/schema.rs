//! The embedded table of fields is what Talos' own library says.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what went wrong")]

use std::io::Write as _;
use std::process::Command;

/// Builds a program per minor of Talos, which takes minutes: only where it is asked for.
#[test]
fn the_table_of_fields_is_up_to_date() {
    if std::env::var_os("TALOS_SCHEMA_CHECK").is_none() {
        // Past the capture of output: it is counted at the end.
        let why = "it builds a program per minor of Talos, which takes minutes";
        let how = "TALOS_SCHEMA_CHECK=1 cargo test --workspace --test schema";
        let _ = writeln!(std::io::stderr(), "skipped: the_table_of_fields_is_up_to_date: {why}; to run it: {how}");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/regenerate");
    let status = Command::new(script).arg("--check").status().unwrap();
    assert!(status.success(), "run provider/talos/schema/regenerate and look at what changed");
}
