//! Versions of Talos and Kubernetes, and which go together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a version was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text is no version.
    #[error("`{text}` is not a {what} version: it is written like `{example}`")]
    Malformed {
        /// `Talos` or `Kubernetes`.
        what: &'static str,
        /// What was given.
        text: String,
        /// A version as it is written.
        example: &'static str,
    },
    /// A version that exists or may exist, but that this crate does not know how to configure.
    #[error(
        "Talos `{0}` is not supported: the supported versions are v1.{oldest} to v1.{newest}",
        oldest = TalosVersion::OLDEST_MINOR,
        newest = TalosVersion::NEWEST_MINOR
    )]
    UnsupportedTalos(TalosVersion),
    /// The two do not go together.
    #[error("Talos `{talos}` does not support Kubernetes `{kubernetes}`: it supports 1.{oldest} to 1.{newest}")]
    Skew {
        /// The Talos version.
        talos: TalosVersion,
        /// The Kubernetes version.
        kubernetes: KubernetesVersion,
        /// The oldest minor of Kubernetes that this Talos supports.
        oldest: u16,
        /// The newest minor of Kubernetes that this Talos supports.
        newest: u16,
    },
}

/// A version of Talos: `v1.13.9`, `v1.14.0-beta.1`.
///
/// As a *config contract* only the minor matters: it decides which form a generated config has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TalosVersion(Version);

/// A version of Kubernetes: `1.35.4`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubernetesVersion(Version);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Version {
    major: u16,
    minor: u16,
    patch: u16,
    /// What follows a hyphen, without it; empty in a release.
    pre_release: String,
}

impl TalosVersion {
    /// The oldest minor of v1 that configs can be made for.
    pub const OLDEST_MINOR: u16 = 8;
    /// The newest minor of v1 that configs can be made for.
    pub const NEWEST_MINOR: u16 = 14;

    /// Reads `v1.13.9`; the `v` may be missing.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let version = Version::parse(text).ok_or_else(|| VersionError::Malformed {
            what: "Talos",
            text: text.to_owned(),
            example: "v1.13.9",
        })?;
        let version = Self(version);
        if version.0.major != 1 || !(Self::OLDEST_MINOR..=Self::NEWEST_MINOR).contains(&version.0.minor) {
            return Err(VersionError::UnsupportedTalos(version));
        }
        Ok(version)
    }

    /// The minor: 13 in `v1.13.9`. The major is always 1.
    pub fn minor(&self) -> u16 {
        self.0.minor
    }

    /// The minors of Kubernetes 1 that this version supports, both inclusive.
    ///
    /// Source: `SupportedKubernetesVersions` and `DefaultKubernetesVersion` of each release: six minors, the newest being
    /// 1.31 for v1.8 and one more with each minor of Talos.
    pub fn kubernetes_minors(&self) -> (u16, u16) {
        (self.0.minor + 18, self.0.minor + 23)
    }

    /// Whether this Talos runs that Kubernetes.
    pub fn supports(&self, kubernetes: &KubernetesVersion) -> bool {
        self.check(kubernetes).is_ok()
    }

    /// Like [`supports`](Self::supports), with an error that names the range.
    pub fn check(&self, kubernetes: &KubernetesVersion) -> Result<(), VersionError> {
        let (oldest, newest) = self.kubernetes_minors();
        if kubernetes.0.major == 1 && (oldest..=newest).contains(&kubernetes.0.minor) {
            return Ok(());
        }
        Err(VersionError::Skew { talos: self.clone(), kubernetes: kubernetes.clone(), oldest, newest })
    }
}

impl KubernetesVersion {
    /// Reads `1.35.4`; a leading `v` is accepted.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        Version::parse(text).map(Self).ok_or_else(|| VersionError::Malformed {
            what: "Kubernetes",
            text: text.to_owned(),
            example: "1.35.4",
        })
    }

    /// The minor: 35 in `1.35.4`.
    pub fn minor(&self) -> u16 {
        self.0.minor
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (numbers, pre_release) = match text.split_once('-') {
            Some((_, "")) => return None,
            Some((numbers, rest)) => (numbers, rest),
            None => (text, ""),
        };
        if !pre_release.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') {
            return None;
        }
        let mut parts = numbers.split('.').map(number);
        let version =
            Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()??, pre_release: pre_release.to_owned() };
        parts.next().is_none().then_some(version)
    }
}

/// A number as semantic versions write it: digits only, no leading zero.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // A release follows its pre-releases.
        let key = |v: &Self| (v.major, v.minor, v.patch, v.pre_release.is_empty());
        key(self).cmp(&key(other)).then_with(|| identifiers(&self.pre_release).cmp(&identifiers(&other.pre_release)))
    }
}

/// The parts of a pre-release in semantic versioning's order: numbers by value and before words.
fn identifiers(pre_release: &str) -> Vec<(bool, u64, &str)> {
    pre_release
        .split('.')
        .map(|part| match part.parse::<u64>() {
            Ok(number) => (false, number, ""),
            Err(_) => (true, 0, part),
        })
        .collect()
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre_release.is_empty() {
            write!(f, "-{}", self.pre_release)?;
        }
        Ok(())
    }
}

/// Written with the `v`, as Talos tags its releases.
impl fmt::Display for TalosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// Written without a `v`.
impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! version_traits {
    ($type:ident) => {
        impl Ord for $type {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.cmp(&other.0)
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl FromStr for $type {
            type Err = VersionError;

            fn from_str(text: &str) -> Result<Self, VersionError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = VersionError;

            fn try_from(text: String) -> Result<Self, VersionError> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(version: $type) -> Self {
                version.to_string()
            }
        }
    };
}

version_traits!(TalosVersion);
version_traits!(KubernetesVersion);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_kubernetes_moves_with_each_minor_of_talos() {
        for (talos, oldest, newest) in [("v1.8.0", 26, 31), ("v1.13.9", 31, 36), ("v1.14.1", 32, 37)] {
            let talos = TalosVersion::parse(talos).unwrap();
            assert_eq!(talos.kubernetes_minors(), (oldest, newest));
            for (minor, supported) in [(oldest - 1, false), (oldest, true), (newest, true), (newest + 1, false)] {
                let kubernetes = KubernetesVersion::parse(&format!("1.{minor}.2")).unwrap();
                assert_eq!(talos.supports(&kubernetes), supported, "{talos} {kubernetes}");
            }
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "v", "1.13", "v1.13.x", "1.13.9.1", "v1.013.9", "1.13.9-", "vv1.13.9", "1.13.+9", "1.13.9 "] {
            assert!(matches!(TalosVersion::parse(text), Err(VersionError::Malformed { .. })), "{text}");
            assert!(KubernetesVersion::parse(text).is_err(), "{text}");
        }
        for text in ["v1.7.9", "v1.15.0", "v2.8.0", "0.9.0"] {
            let error = TalosVersion::parse(text).unwrap_err();
            assert!(matches!(error, VersionError::UnsupportedTalos(_)), "{error}");
        }
    }

    #[test]
    fn versions_are_ordered_as_releases_follow_each_other() {
        let order = ["v1.8.9", "v1.8.10", "v1.12.0-alpha.2", "v1.12.0-alpha.10", "v1.12.0-beta.0", "v1.12.0", "v1.13.0"];
        let parsed: Vec<_> = order.iter().map(|text| TalosVersion::parse(text).unwrap()).collect();
        assert!(parsed.is_sorted_by(|a, b| a < b));
        assert_eq!(parsed.iter().map(ToString::to_string).collect::<Vec<_>>(), order);
    }
}
