//! Names as Kubernetes and DNS take them.

/// Kubernetes' rule for the keys of labels, annotations and taints: an optional DNS prefix and a name.
pub fn qualified_name(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_some_and(|prefix| !is_dns_name(prefix)) {
        return Err(format!("`{key}` has a prefix that is not a lower-case DNS name"));
    }
    if name.is_empty() || !is_label_text(name) {
        return Err(format!(
            "`{key}` is not a Kubernetes key: 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
        ));
    }
    Ok(())
}

/// Kubernetes' rule for the values of labels and taints.
pub fn label_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_label_text(value) {
        return Ok(());
    }
    Err(format!(
        "`{value}` is not a Kubernetes label value: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
    ))
}

fn is_label_text(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = label.as_bytes();
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Labels of Kubernetes' own that a kubelet may set.
const KUBELET_LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
];

/// Why a worker cannot carry a label, where that is so.
///
/// The plugin NodeRestriction lets a kubelet set only some labels of Kubernetes' own on its node: what is refused there
/// never appears on a worker, whose labels Talos sets with the kubelet's rights.
pub fn label_for_worker(key: &str) -> Result<(), String> {
    qualified_name(key)?;
    let Some((prefix, _)) = key.split_once('/') else {
        return Ok(());
    };
    let within = |domain: &str| prefix == domain || prefix.ends_with(&format!(".{domain}"));
    if !within("kubernetes.io") && !within("k8s.io") {
        return Ok(());
    }
    if KUBELET_LABELS.contains(&key) || within("kubelet.kubernetes.io") || within("node.kubernetes.io") {
        return Ok(());
    }
    Err(format!("the label `{key}` cannot be set on workers: Kubernetes lets a kubelet set no such label on its own node"))
}

/// A domain such as `cluster.local`.
pub(super) fn is_domain(name: &str) -> bool {
    let name = name.strip_suffix(['.', '_']).unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    !name.is_empty() && name.len() <= 255 && name.split('.').all(label)
}

/// A name of an object of Kubernetes, such as a manifest's.
pub(super) fn is_dns_subdomain(text: &str) -> bool {
    is_dns_name(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_carry_their_own_labels_and_few_of_kubernetes() {
        for key in [
            "inferadb.com/pool",
            "pool",
            "topology.kubernetes.io/zone",
            "node.kubernetes.io/lifecycle",
            "x.kubelet.kubernetes.io/y",
        ] {
            assert_eq!(label_for_worker(key), Ok(()), "{key}");
        }
        for key in ["node-role.kubernetes.io/worker", "node-restriction.kubernetes.io/x", "app.k8s.io/x", "a/b/c", "-x"] {
            assert!(label_for_worker(key).is_err(), "{key}");
        }
    }
}
