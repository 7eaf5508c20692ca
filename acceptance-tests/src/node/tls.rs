//! Certificates of a node's API, and who a caller is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::Broken;

/// TLS of apid: a certificate signed by the cluster's Talos CA, client certificates required, no ALPN.
pub(super) fn apid(ca: &str, ca_key: &str, names: &[String], addresses: &[Ipv4Addr]) -> Result<Arc<ServerConfig>, Broken> {
    let broken = |what: &str| Broken(what.to_owned());
    // Talos labels PKCS#8 so for Ed25519.
    let ca_key = KeyPair::from_pem(&ca_key.replace("ED25519 PRIVATE KEY", "PRIVATE KEY")).map_err(|error| Broken(error.to_string()))?;
    let issuer = Issuer::from_ca_cert_pem(ca, ca_key).map_err(|error| Broken(error.to_string()))?;
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|error| Broken(error.to_string()))?;
    let mut subjects: Vec<String> = names.to_vec();
    subjects.extend(addresses.iter().map(ToString::to_string));
    let mut params = CertificateParams::new(subjects).map_err(|error| Broken(error.to_string()))?;
    params.distinguished_name.push(DnType::CommonName, names.first().cloned().unwrap_or_default());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &issuer).map_err(|error| Broken(error.to_string()))?;

    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(authority.map_err(|_| broken("the Talos CA is no certificate"))?).map_err(|error| Broken(error.to_string()))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| Broken(error.to_string()))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Broken(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .map_err(|error| Broken(error.to_string()))?;
    Ok(Arc::new(config))
}

/// The roles in a client certificate: its organisations that begin with `os:`.
pub(super) fn roles(certificate: Option<&CertificateDer<'_>>) -> Vec<String> {
    let Some((_, certificate)) = certificate.and_then(|der| x509_parser::parse_x509_certificate(der.as_ref()).ok()) else {
        return Vec::new();
    };
    certificate
        .subject()
        .iter_organization()
        .filter_map(|organization| organization.as_str().ok())
        .filter(|organization| organization.starts_with("os:"))
        .map(str::to_owned)
        .collect()
}

/// An address out of text.
pub(super) fn address(text: &str) -> Option<Ipv4Addr> {
    match text.parse() {
        Ok(IpAddr::V4(address)) => Some(address),
        _ => None,
    }
}
