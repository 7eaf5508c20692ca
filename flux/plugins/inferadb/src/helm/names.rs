//! What Helm takes for a name or a version. All of it goes into its command line, so nothing else may.

use crate::error::{Error, Result};

/// The longest name of a release.
pub(super) const LONGEST_NAME: usize = 53;
const LONGEST_LABEL: usize = 63;

/// Refuses a name or namespace that Helm or Kubernetes would refuse. One that a Secret may have made is not said.
pub(super) fn check(name: &str, namespace: &str, is_public: bool) -> Result<()> {
    let shown = |text: &str| if is_public { format!("`{text}`") } else { "what `spec` makes of it".to_owned() };
    if name.len() > LONGEST_NAME || !name.split('.').all(is_label) {
        return Err(Error::Chart(format!(
            "{} is no name of a release: lower-case letters, digits, `-` and `.`, {LONGEST_NAME} at most, with a letter or digit at both ends: correct `spec.releaseName`, or `metadata.name`",
            shown(name)
        )));
    }
    if namespace.len() > LONGEST_LABEL || !is_label(namespace) {
        return Err(Error::Chart(format!(
            "{} is no namespace: lower-case letters, digits and `-`, {LONGEST_LABEL} at most, with a letter or digit at both ends: correct `spec.targetNamespace`, or `metadata.namespace`",
            shown(namespace)
        )));
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether this is a version of Kubernetes, or of a program: `1.36`, `v1.36.0`, `v4.2.4-rc.1+g123`.
pub(crate) fn is_kube_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let numbers: Vec<&str> = text[..end].split('.').collect();
    let is_number = |text: &&str| !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    matches!(numbers.len(), 2 | 3) && numbers.iter().all(is_number) && text[end..].bytes().all(is_rest)
}

/// Whether this is `GROUP/VERSION` or `GROUP/VERSION/KIND`, or the same of the core group.
pub(crate) fn is_api_version(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        part.bytes().all(is_inner) && part.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    text.split('/').all(is_part)
}

/// Refuses what would lead out of the folder that charts are looked for in.
pub(super) fn check_chart(name: &str, version: &str) -> Result<()> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || matches!(name, "." | "..") || !name.bytes().all(is_name) {
        return Err(Error::Chart(format!(
            "`{}` is no name of a chart: letters, digits, `-`, `_` and `.`: a path is one in a GitRepository, OCIRepository or Bucket",
            name.escape_debug()
        )));
    }
    if matches!(version, "." | "..") || version.contains(['/', '\\', '\0']) {
        return Err(Error::Chart(format!("`{}` is no version of a chart", version.escape_debug())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_helm_takes() {
        for name in ["a", "web-1", "a.b-c", &"a".repeat(53)] {
            assert!(check(name, "team", true).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "--output-dir=/tmp/x", "A", "a..b", "a.-b", "a b", "a/b", "a\0", "ü", &"a".repeat(54)] {
            assert!(check(name, "team", true).is_err(), "{name}");
        }
        for namespace in ["", "a.b", "--kube-context=x", &"a".repeat(64)] {
            assert!(check("web", namespace, true).is_err(), "{namespace}");
        }
        let hidden = check("--hunter2", "team", false).unwrap_err().to_string();
        assert!(hidden.starts_with("what `spec` makes of it is no name of a release:"), "{hidden}");
    }

    #[test]
    fn versions_are_told_from_what_is_none() {
        for version in ["1.36", "v1.36.0", "4.2.4-rc.1+g12", "v1.30.2-eks-1"] {
            assert!(is_kube_version(version), "{version}");
        }
        for version in ["", "abc", "1", "1.", "1.2.3.4", "v", "1.36.0 --x", "--x", "1.x", "<no value>"] {
            assert!(!is_kube_version(version), "{version}");
        }
        for version in ["v1", "apps/v1", "monitoring.coreos.com/v1/ServiceMonitor"] {
            assert!(is_api_version(version), "{version}");
        }
        for version in ["", "/v1", "a//b", "--x", "a,b", "a b", "\"a/v1"] {
            assert!(!is_api_version(version), "{version}");
        }
    }

    #[test]
    fn a_chart_is_no_path() {
        for (name, version) in [("web", "1.2.3"), ("a_b.c", ">=1.0 <2 || 3.x"), ("web", "1.0.0+a")] {
            assert!(check_chart(name, version).is_ok(), "{name} {version}");
        }
        for (name, version) in [("../web", "1"), ("a/b", "1"), ("..", "1"), ("", "1"), ("a\0", "1"), ("a", "../1"), ("a", "..")] {
            assert!(check_chart(name, version).is_err(), "{name} {version}");
        }
    }
}
