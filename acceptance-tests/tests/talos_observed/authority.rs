//! A cluster's secrets in place of the recorded ones, whose keys are not there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
    organization: &'static str,
}

impl Authority {
    pub(crate) fn new(organization: &'static str) -> Self {
        let algorithm = if organization == "talos" { &PKCS_ED25519 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, organization);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), pem: certificate.pem(), key, organization }
    }

    /// As configs hold it: PEM in base64.
    pub(crate) fn crt(&self) -> String {
        STANDARD.encode(&self.pem)
    }

    /// The same of its key.
    pub(crate) fn key(&self) -> String {
        let pem = self.key.serialize_pem();
        let pem = if self.organization == "talos" { pem.replace("PRIVATE KEY", "ED25519 PRIVATE KEY") } else { pem };
        STANDARD.encode(pem)
    }

    /// Signs a client certificate for these organisations.
    pub(crate) fn client(
        &self,
        organizations: &[String],
        usage: ExtendedKeyUsagePurpose,
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (place, organization) in organizations.iter().enumerate() {
            // The library keeps one value a type: the second goes by its number.
            let kind = if place == 0 { DnType::OrganizationName } else { DnType::CustomDnType(vec![2, 5, 4, 10]) };
            params.distinguished_name.push(kind, organization.as_str());
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let issuer = Issuer::from_ca_cert_der(&self.certificate, &self.key).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
    }
}

/// All of a cluster's authorities.
pub(crate) struct Secrets {
    pub(crate) talos: Authority,
    pub(crate) stranger: Authority,
    kubernetes: Authority,
    other: Authority,
    /// The recorded certificates, as the base config has them.
    recorded: Vec<String>,
}

impl Secrets {
    pub(crate) fn new(base: &str) -> Self {
        let certificate = |line: &str| line.trim().strip_prefix("crt: ").map(str::to_owned);
        Self {
            recorded: base.lines().filter_map(certificate).collect(),
            talos: Authority::new("talos"),
            stranger: Authority::new("talos"),
            kubernetes: Authority::new("kubernetes"),
            other: Authority::new("etcd"),
        }
    }

    /// Puts these secrets where a recorded config has the recorded ones.
    pub(crate) fn fill(&self, config: &str) -> String {
        let mut path: Vec<(usize, String)> = Vec::new();
        let mut out = String::new();
        for line in config.split_inclusive('\n') {
            let content = line.trim_start_matches(' ');
            let indent = line.len() - content.len();
            let mut replaced = None;
            if let Some((key, value)) =
                content.split_once(':').filter(|(key, _)| !key.starts_with(['#', '-']) && !key.contains(' '))
            {
                path.retain(|(at, _)| *at < indent);
                let above: Vec<&str> = path.iter().map(|(_, name)| name.as_str()).collect();
                let authority = match above.as_slice() {
                    ["machine", "ca"] => Some(&self.talos),
                    ["cluster", "ca"] => Some(&self.kubernetes),
                    ["cluster", "aggregatorCA" | "serviceAccount"] | ["cluster", "etcd", "ca"] => Some(&self.other),
                    _ => None,
                };
                let value = value.trim();
                replaced = match (authority, key) {
                    (Some(authority), "crt") if self.recorded.iter().any(|known| known == value) => Some(authority.crt()),
                    // Another one on purpose.
                    (Some(_), "crt") if !value.is_empty() => Some(self.stranger.crt()),
                    (Some(authority), "key") if value == "REDACTED" => Some(authority.key()),
                    _ => None,
                }
                .map(|value| format!("{}{key}: {value}\n", " ".repeat(indent)));
                path.push((indent, key.to_owned()));
            }
            out.push_str(replaced.as_deref().unwrap_or(line));
        }
        out
    }
}
