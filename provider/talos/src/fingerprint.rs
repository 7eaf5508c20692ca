//! The form of fingerprints: 16 hexadecimal digits, short enough for tags.

use std::fmt::Write;

/// The first eight bytes of a digest.
pub(crate) fn fingerprint(digest: &[u8]) -> String {
    digest.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
