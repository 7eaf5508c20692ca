//! TLS as kube-apiserver does it.

use std::io;
use std::sync::Arc;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName as CaName, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use time::{Duration, OffsetDateTime};

const LIFETIME: Duration = Duration::days(365);

/// What one API server shows and believes.
#[derive(Clone)]
pub struct ServingIdentity {
    /// The cluster's authority, which signs the serving certificate and client certificates.
    pub ca_certificate_pem: String,
    /// Its key: ECDSA P-256, SEC 1 (`EC PRIVATE KEY`) or PKCS #8.
    pub ca_key_pem: String,
    /// DNS names and IP addresses of the serving certificate.
    pub names: Vec<String>,
}

/// The two halves of a server's TLS.
pub(super) struct Tls {
    pub(super) config: Arc<ServerConfig>,
    /// Says whether a client's certificate is of the cluster's authority.
    pub(super) clients: Arc<dyn ClientCertVerifier>,
}

impl Tls {
    /// Signs a serving certificate and sets TLS up.
    pub(super) fn new(identity: &ServingIdentity) -> io::Result<Self> {
        let authority = CertificateDer::from_pem_slice(identity.ca_certificate_pem.as_bytes()).map_err(invalid)?;
        let (certificate, key) = serving_certificate(identity, &authority)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(invalid)?;
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().map_err(invalid)?;
        let lenient = Arc::new(AnyClient { clients: Arc::clone(&clients), provider: Arc::clone(&provider) });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(invalid)?
            .with_client_cert_verifier(lenient)
            .with_single_cert(vec![certificate], key)
            .map_err(invalid)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), clients })
    }
}

/// As Talos makes it: a year, server authentication, `CN=kube-apiserver, O=kube-master`.
fn serving_certificate(
    identity: &ServingIdentity,
    authority: &CertificateDer<'_>,
) -> io::Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
    let ca_key = match PrivateKeyDer::from_pem_slice(identity.ca_key_pem.as_bytes()).map_err(invalid)? {
        key @ PrivateKeyDer::Sec1(_) => KeyPair::from_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256),
        key => KeyPair::try_from(&key),
    };
    let issuer = Issuer::from_ca_cert_der(authority, ca_key.map_err(invalid)?).map_err(invalid)?;
    let mut params = CertificateParams::new(identity.names.clone()).map_err(invalid)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "kube-master");
    name.push(DnType::CommonName, "kube-apiserver");
    params.distinguished_name = name;
    let now = OffsetDateTime::now_utc();
    // Real ones begin a little early too, for clocks that differ.
    params.not_before = now - Duration::minutes(1);
    params.not_after = now + LIFETIME;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(invalid)?;
    let certificate = params.signed_by(&key, &issuer).map_err(invalid)?;
    Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

/// Asks for a certificate and takes any, or none: kube-apiserver judges it per request and answers 401, it never breaks
/// the handshake off (its listener is set to `RequestClientCert`).
#[derive(Debug)]
struct AnyClient {
    clients: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[CaName] {
        self.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    // That the client has the certificate's key is checked by TLS all the same.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.clients.supported_verify_schemes()
    }
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
}
