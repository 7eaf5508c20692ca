//! In what Talos versions differ, as far as it shows from outside.

/// Minor of `v1.13.9`; versions that cannot be read count as the newest.
pub(super) fn minor(version: &str) -> u32 {
    let mut parts = version.trim_start_matches('v').split('.');
    match (parts.next(), parts.next().map(str::parse)) {
        (Some("1"), Some(Ok(minor))) => minor,
        _ => u32::MAX,
    }
}

/// Since v1.14 the API speaks TLS 1.3 only.
pub(super) fn only_tls13(version: &str) -> bool {
    minor(version) >= 14
}

/// Since v1.14 mode REBOOT of ApplyConfiguration is gone, and every change is taken at once.
pub(super) fn applies_all_at_once(version: &str) -> bool {
    minor(version) >= 14
}

/// Later versions let os:reader look at etcd's status and alarms; v1.8 does not.
pub(super) fn readers_see_etcd(version: &str) -> bool {
    minor(version) >= 9
}

/// Version of the etcd that comes with it.
pub(super) fn etcd(version: &str) -> &'static str {
    match minor(version) {
        0..=8 => "3.5.16",
        9..=10 => "3.5.21",
        _ => "3.6.4",
    }
}
