//! Certificates that nodes make of the authorities in their configs, and the TLS that they serve with them.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
    SanType, SerialNumber,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, UnixTime};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::parse_x509_pem;

use super::machine_config::Authority;

/// Why a node has no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum PkiError {
    /// The config's authority cannot be read or has no key.
    #[error("the config's certificate authority cannot be used")]
    Authority,
    /// Signing failed.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// TLS cannot be set up with it.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// Clients cannot be checked with it.
    #[error(transparent)]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A certificate, and its key in PKCS #8.
pub(super) struct Issued {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: KeyPair,
}

impl Issued {
    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }

    /// The certificate as PEM.
    pub(super) fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The key as PEM, labelled as Talos labels keys of its API.
    pub(super) fn key_pem(&self) -> String {
        let label = if self.key.algorithm() == &PKCS_ED25519 { "ED25519 PRIVATE KEY" } else { "PRIVATE KEY" };
        pem(label, &self.key.serialize_der())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

/// What a certificate says.
pub(super) struct Subject<'a> {
    pub(super) common_name: Option<&'a str>,
    pub(super) organizations: &'a [String],
    pub(super) names: &'a [String],
    pub(super) addresses: &'a [IpAddr],
    pub(super) usage: ExtendedKeyUsagePurpose,
    pub(super) lifetime: Duration,
}

fn authority_key(pem_text: &str) -> Result<KeyPair, PkiError> {
    let (_, block) = parse_x509_pem(pem_text.as_bytes()).map_err(|_| PkiError::Authority)?;
    let der = block.contents;
    let key = match block.label.as_str() {
        "ED25519 PRIVATE KEY" => {
            KeyPair::from_der_and_sign_algo(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)), &PKCS_ED25519)
        }
        "EC PRIVATE KEY" => {
            KeyPair::from_der_and_sign_algo(&PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)), &PKCS_ECDSA_P256_SHA256)
        }
        _ => KeyPair::try_from(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der))),
    };
    Ok(key?)
}

fn certificate_of(pem_text: &str) -> Result<CertificateDer<'static>, PkiError> {
    CertificateDer::from_pem_slice(pem_text.as_bytes()).map_err(|_| PkiError::Authority)
}

/// Signs a certificate with a key of the authority's own kind.
pub(super) fn issue(authority: &Authority, subject: &Subject<'_>) -> Result<Issued, PkiError> {
    let key_pem = authority.key.as_deref().ok_or(PkiError::Authority)?;
    let ca_key = authority_key(key_pem)?;
    let algorithm = if ca_key.algorithm() == &PKCS_ED25519 { &PKCS_ED25519 } else { &PKCS_ECDSA_P256_SHA256 };
    let issuer = Issuer::from_ca_cert_der(&certificate_of(&authority.certificate)?, ca_key)?;
    let key = KeyPair::generate_for(algorithm)?;
    let certificate = params(subject, algorithm == &PKCS_ED25519)?.signed_by(&key, &issuer)?;
    Ok(Issued { certificate: certificate.der().clone(), key })
}

/// Signs one with itself, as a node without a config does.
fn issue_alone(subject: &Subject<'_>) -> Result<Issued, PkiError> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let certificate = params(subject, true)?.self_signed(&key)?;
    Ok(Issued { certificate: certificate.der().clone(), key })
}

fn params(subject: &Subject<'_>, ed25519: bool) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (place, organization) in subject.organizations.iter().enumerate() {
        // The library keeps one value a type: a second organisation goes by its number. More than two nobody asks for.
        let kind = if place == 0 { DnType::OrganizationName } else { DnType::CustomDnType(ORGANIZATION.to_vec()) };
        params.distinguished_name.push(kind, organization.as_str());
    }
    if let Some(name) = subject.common_name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    for name in subject.names {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    params.subject_alt_names.extend(subject.addresses.iter().map(|address| SanType::IpAddress(*address)));
    let now = OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(0).unwrap_or(now);
    // Talos backdates by ten seconds for clocks that differ.
    params.not_before = now - Duration::seconds(10);
    params.not_after = now + subject.lifetime;
    let mut serial: [u8; 16] = rand::random();
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if !ed25519 {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages = vec![subject.usage.clone()];
    Ok(params)
}

/// `organizationName` by its number.
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// Splits names from addresses.
pub(super) fn split_sans(sans: &[String]) -> (Vec<String>, Vec<IpAddr>) {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for san in sans {
        match san.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => names.push(san.clone()),
        }
    }
    names.sort();
    names.dedup();
    addresses.sort();
    addresses.dedup();
    (names, addresses)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn builder(only_tls13: bool) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, PkiError> {
    let versions: &[&rustls::SupportedProtocolVersion] =
        if only_tls13 { &[&rustls::version::TLS13] } else { &[&rustls::version::TLS13, &rustls::version::TLS12] };
    Ok(ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions)?)
}

fn roots(authority: &str) -> Result<Arc<RootCertStore>, PkiError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate_of(authority)?)?;
    Ok(Arc::new(roots))
}

/// apid's: clients need a certificate of the same authority; no ALPN.
pub(super) fn talos_tls(authority: &str, server: &Issued, only_tls13: bool) -> Result<Arc<ServerConfig>, PkiError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider()).build()?;
    let config = builder(only_tls13)?
        .with_client_cert_verifier(Arc::new(AsGoSays(verifier)))
        .with_single_cert(vec![server.certificate.clone()], server.key_der())?;
    Ok(Arc::new(config))
}

/// An ingress gateway's: anyone may come.
pub(super) fn gateway_tls() -> Result<Arc<ServerConfig>, PkiError> {
    let server = issue_alone(&Subject {
        common_name: None,
        organizations: &[],
        names: &["ingress.example".to_owned()],
        addresses: &[],
        usage: ExtendedKeyUsagePurpose::ServerAuth,
        lifetime: Duration::days(1),
    })?;
    let config = builder(false)?.with_no_client_auth().with_single_cert(vec![server.certificate.clone()], server.key_der())?;
    Ok(Arc::new(config))
}

/// The maintenance service's: anyone may come; ALPN `h2`.
pub(super) fn maintenance_tls(hostname: &str, addresses: &[IpAddr]) -> Result<Arc<ServerConfig>, PkiError> {
    let server = issue_alone(&Subject {
        common_name: Some("maintenance-service.talos.dev"),
        organizations: &[],
        names: &[hostname.to_owned()],
        addresses,
        usage: ExtendedKeyUsagePurpose::ServerAuth,
        lifetime: Duration::days(1),
    })?;
    let mut config =
        builder(false)?.with_no_client_auth().with_single_cert(vec![server.certificate.clone()], server.key_der())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Common name and organisations of a certificate.
pub(super) fn subject_of(certificate: &CertificateDer<'_>) -> (String, Vec<String>) {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return (String::new(), Vec::new()) };
    let subject = parsed.subject();
    let text = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| attribute.as_str().ok().map(str::to_owned);
    let name = subject.iter_common_name().find_map(text).unwrap_or_default();
    (name, subject.iter_organization().filter_map(text).collect())
}

/// Sends the alerts that Go's TLS sends.
#[derive(Debug)]
struct AsGoSays(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for AsGoSays {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.verify_client_cert(end_entity, intermediates, now).map_err(|error| match error {
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => rustls::Error::InvalidCertificate(CertificateError::Expired),
            rustls::Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
            ) => rustls::Error::InvalidCertificate(CertificateError::BadEncoding),
            // Authorities of all clusters have one name: another one's signature is what does not fit.
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
