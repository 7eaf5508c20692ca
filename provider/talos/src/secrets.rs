//! The secrets of one cluster: all that makes its nodes trust each other.
//!
//! Made once, kept in private state, and read back from a control-plane config when the state was lost.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::fingerprint::fingerprint;
use crate::pki::{self, CertificateAndKey, KeyKind, PkiError};
use crate::version::TalosVersion;
use crate::yaml::{self, Node, Value, YamlError};

/// More than any machine config is, unpacked.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Why a bundle could not be made or read back. Never quotes a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A key or certificate failed.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The config is not gzip, UTF-8 or YAML.
    #[error("the machine config cannot be read: {0}")]
    Unreadable(String),
    /// The config is not that of a control-plane node, or was cut short.
    #[error("the machine config holds no {0}: only the config of a control-plane node holds all secrets of its cluster")]
    Missing(&'static str),
}

impl From<YamlError> for SecretsError {
    fn from(error: YamlError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// All secrets of a cluster. Wiped when dropped; has neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The cluster's id at the discovery service: 32 random bytes, URL-safe base64.
    pub(crate) cluster_id: String,
    /// What encrypts the discovery data: 32 random bytes, base64.
    pub(crate) cluster_secret: Zeroizing<String>,
    /// With which kubelets join: `abcdef.0123456789abcdef`.
    pub(crate) bootstrap_token: Zeroizing<String>,
    /// What encrypts Kubernetes' secrets in etcd: 32 random bytes, base64.
    pub(crate) secretbox_key: Zeroizing<String>,
    /// With which machines join: like the bootstrap token.
    pub(crate) trustd_token: Zeroizing<String>,
    /// The authority of etcd: ECDSA.
    pub(crate) etcd: CertificateAndKey,
    /// The authority of Kubernetes: ECDSA.
    pub(crate) kubernetes: CertificateAndKey,
    /// The authority of Kubernetes' aggregated APIs: ECDSA.
    pub(crate) aggregator: CertificateAndKey,
    /// What signs service account tokens: RSA-4096, PEM.
    pub(crate) service_account_key: Zeroizing<String>,
    /// The authority of Talos' API: Ed25519.
    pub(crate) os: CertificateAndKey,
}

impl Bundle {
    /// Makes new secrets, as `talosctl gen secrets` does for any contract of v1.8 to v1.14. Takes up to some seconds
    /// for the RSA key: call it where blocking is allowed.
    pub fn generate(_contract: &TalosVersion) -> Result<Self, SecretsError> {
        let now = OffsetDateTime::now_utc();
        Ok(Self {
            cluster_id: URL_SAFE.encode(pki::random::<32>()?),
            cluster_secret: Zeroizing::new(STANDARD.encode(Zeroizing::new(pki::random::<32>()?))),
            bootstrap_token: token()?,
            secretbox_key: Zeroizing::new(STANDARD.encode(Zeroizing::new(pki::random::<32>()?))),
            trustd_token: token()?,
            etcd: pki::authority(KeyKind::EcdsaP256, Some("etcd"), now)?,
            kubernetes: pki::authority(KeyKind::EcdsaP256, Some("kubernetes"), now)?,
            // Talos means to name it `front-proxy`, but its authorities have no common name.
            aggregator: pki::authority(KeyKind::EcdsaP256, None, now)?,
            service_account_key: pki::service_account_key()?,
            os: pki::authority(KeyKind::Ed25519, Some("talos"), now)?,
        })
    }

    /// Reads the secrets back from the config of a control-plane node: YAML of one or more documents, gzipped or not.
    pub fn from_machine_config(config: &[u8]) -> Result<Self, SecretsError> {
        let text = unpack(config)?;
        let documents = yaml::parse(&text)?;
        let found = Found(&documents);
        let bundle = Self {
            cluster_id: found
                .plain(&["cluster", "id"])
                .or_else(|| found.of_kind("DiscoveryIdentityConfig", &["clusterID"]))
                .ok_or(SecretsError::Missing("cluster id"))?
                .to_string(),
            cluster_secret: found
                .plain(&["cluster", "secret"])
                .or_else(|| found.of_kind("DiscoveryIdentityConfig", &["clusterSecret"]))
                .ok_or(SecretsError::Missing("cluster secret"))?,
            bootstrap_token: found.plain(&["cluster", "token"]).ok_or(SecretsError::Missing("bootstrap token"))?,
            secretbox_key: found
                .plain(&["cluster", "secretboxEncryptionSecret"])
                .or_else(|| found.secretbox())
                .ok_or(SecretsError::Missing("secretbox encryption key"))?,
            trustd_token: found.plain(&["machine", "token"]).ok_or(SecretsError::Missing("machine token"))?,
            etcd: found.pair(&["cluster", "etcd", "ca"]).ok_or(SecretsError::Missing("certificate authority of etcd"))?,
            kubernetes: found
                .pair(&["cluster", "ca"])
                .or_else(|| found.pair_of_kind("KubeAPIServerCAConfig"))
                .ok_or(SecretsError::Missing("certificate authority of Kubernetes"))?,
            aggregator: found
                .pair(&["cluster", "aggregatorCA"])
                .or_else(|| found.pair_of_kind("KubeAggregatorCAConfig"))
                .ok_or(SecretsError::Missing("certificate authority of the aggregator"))?,
            service_account_key: found
                .base64(&["cluster", "serviceAccount", "key"])
                .or_else(|| found.of_kind("KubeServiceAccountConfig", &["issuer", "privateKey"]))
                .ok_or(SecretsError::Missing("service account key"))?,
            os: found.pair(&["machine", "ca"]).ok_or(SecretsError::Missing("certificate authority of Talos"))?,
        };
        for (pair, what) in [
            (&bundle.etcd, "certificate authority of etcd"),
            (&bundle.kubernetes, "certificate authority of Kubernetes"),
            (&bundle.aggregator, "certificate authority of the aggregator"),
            (&bundle.os, "certificate authority of Talos"),
        ] {
            pki::check_pair(pair, what)?;
        }
        Ok(bundle)
    }

    /// Tells this bundle from others: 16 hexadecimal digits, made of certificates alone, so that it may stand in tags.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for pair in [&self.os, &self.kubernetes, &self.etcd, &self.aggregator] {
            hash.update(pair.crt.as_bytes());
        }
        fingerprint(&hash.finalize())
    }

    /// The certificate of Talos' API authority, PEM.
    pub fn os_certificate(&self) -> &str {
        &self.os.crt
    }

    /// The certificate of Kubernetes' authority, PEM.
    pub fn kubernetes_certificate(&self) -> &str {
        &self.kubernetes.crt
    }

    /// Whether a text holds one of these secrets, in whatever form.
    pub fn appears_in(&self, text: &str) -> bool {
        self.secret_strings().iter().any(|secret| text.contains(secret.as_str()))
    }

    /// Every secret in each form in which it may leak: as it is, its base64, the lines of a key's PEM. For tests that
    /// search logs and states.
    #[doc(hidden)]
    pub fn secret_strings(&self) -> Vec<Zeroizing<String>> {
        let mut strings = Vec::new();
        for text in [&self.cluster_secret, &self.bootstrap_token, &self.secretbox_key, &self.trustd_token] {
            strings.push(text.clone());
            strings.push(Zeroizing::new(STANDARD.encode(text.as_bytes())));
        }
        for pem in [&self.etcd.key, &self.kubernetes.key, &self.aggregator.key, &self.service_account_key, &self.os.key] {
            strings.push(pem.clone());
            strings.push(Zeroizing::new(STANDARD.encode(pem.as_bytes())));
            let body: Vec<_> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
            strings.push(Zeroizing::new(body.concat()));
            // The first line of some keys is mostly what all keys of the kind share, and the last may be short.
            strings.extend(body.iter().filter(|line| line.len() >= 32).map(|line| Zeroizing::new((*line).to_owned())));
        }
        strings
    }
}

/// A token in the form of kubeadm's: six and sixteen characters of `0-9a-z`.
fn token() -> Result<Zeroizing<String>, PkiError> {
    const CHARACTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut token = Zeroizing::new(String::with_capacity(23));
    while token.len() < 23 {
        if token.len() == 6 {
            token.push('.');
        }
        let [byte] = pki::random::<1>()?;
        // 252 is the largest multiple of 36 in a byte: more would favour the first characters.
        if byte < 252 {
            token.push(char::from(CHARACTERS[usize::from(byte % 36)]));
        }
    }
    Ok(token)
}

fn unpack(config: &[u8]) -> Result<Zeroizing<String>, SecretsError> {
    let unreadable = |reason: &dyn std::fmt::Display| SecretsError::Unreadable(reason.to_string());
    let mut bytes = Zeroizing::new(Vec::new());
    if config.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(config).take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    } else {
        bytes.extend_from_slice(config);
    }
    std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| unreadable(&"it is not UTF-8"))
}

/// Looks for values in the documents of a config, whatever their types.
struct Found<'n>(&'n [Node]);

impl Found<'_> {
    /// In the document without a kind.
    fn plain(&self, path: &[&str]) -> Option<Zeroizing<String>> {
        self.0.iter().filter(|document| document.get("kind").is_none()).find_map(|document| text_at(document, path))
    }

    fn of_kind(&self, kind: &str, path: &[&str]) -> Option<Zeroizing<String>> {
        text_at(self.document(kind)?, path)
    }

    fn document(&self, kind: &str) -> Option<&Node> {
        self.0.iter().find(|document| document.get("kind").and_then(Node::scalar) == Some(kind))
    }

    /// A PEM text that stands there in base64.
    fn base64(&self, path: &[&str]) -> Option<Zeroizing<String>> {
        let decoded = STANDARD.decode(self.plain(path)?.as_bytes()).ok()?;
        String::from_utf8(decoded).ok().map(Zeroizing::new)
    }

    fn pair(&self, path: &[&str]) -> Option<CertificateAndKey> {
        let part = |name| self.base64(&[path, &[name]].concat());
        Some(CertificateAndKey { crt: part("crt")?.to_string(), key: part("key")? })
    }

    fn pair_of_kind(&self, kind: &str) -> Option<CertificateAndKey> {
        Some(CertificateAndKey {
            crt: self.of_kind(kind, &["issuingCA", "cert"])?.to_string(),
            key: self.of_kind(kind, &["issuingCA", "key"])?,
        })
    }

    /// The first key of the first provider for secrets, in the documents of v1.14.
    fn secretbox(&self) -> Option<Zeroizing<String>> {
        let resources = list(self.document("KubeEtcdEncryptionConfig")?.get("config")?.get("resources")?)?;
        resources
            .iter()
            .filter(|resource| {
                resource
                    .get("resources")
                    .and_then(list)
                    .is_some_and(|names| names.iter().any(|name| name.scalar() == Some("secrets")))
            })
            .find_map(|resource| {
                let provider = list(resource.get("providers")?)?.first()?;
                let key = list(provider.get("secretbox")?.get("keys")?)?.first()?;
                text_at(key, &["secret"])
            })
    }
}

fn list(node: &Node) -> Option<&[Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        _ => None,
    }
}

/// A text that is there and not empty.
fn text_at(node: &Node, path: &[&str]) -> Option<Zeroizing<String>> {
    path.iter()
        .try_fold(node, |node, key| node.get(key))?
        .scalar()
        .filter(|text| !text.is_empty())
        .map(|text| Zeroizing::new(text.to_owned()))
}
