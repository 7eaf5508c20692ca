//! SHA-256 as text.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The hash of some bytes, in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
