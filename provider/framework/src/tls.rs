//! go-plugin's AutoMTLS: each side makes a certificate for this one run and trusts the other's alone.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

/// A server's side that admits exactly one client.
pub(crate) struct AutoMtls {
    pub(crate) config: Arc<ServerConfig>,
    /// The server's certificate as the handshake line carries it: DER in Base64 without padding.
    pub(crate) certificate: String,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// `PLUGIN_CLIENT_CERT` holds something else.
    #[error("`PLUGIN_CLIENT_CERT` holds no PEM certificate: {0}")]
    ClientCertificate(rustls::pki_types::pem::Error),
    /// The own certificate could not be made.
    #[error("the server's certificate could not be made: {0}")]
    ServerCertificate(#[from] rcgen::Error),
    /// rustls refused the configuration.
    #[error("TLS could not be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl AutoMtls {
    /// For the client whose certificate is `client`, in PEM.
    pub(crate) fn new(client: &str) -> Result<Self, Error> {
        let client = CertificateDer::from_pem_slice(client.as_bytes()).map_err(Error::ClientCertificate)?;
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(["localhost".to_owned()])?;
        // The client both trusts and meets this certificate; Go asks for the usage of a server.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key)?.der().clone();
        let crypto = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|reason| rustls::Error::General(reason.to_owned()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&crypto))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(Pinned { client, crypto }))
            .with_single_cert(vec![certificate.clone()], key)?;
        // Go's gRPC refuses a server that does not settle on HTTP/2.
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { config: Arc::new(config), certificate: STANDARD_NO_PAD.encode(&certificate) })
    }
}

/// Admits the one certificate and no other. The usual verifier would not do: the client's is its own authority, which is
/// no end entity to it.
#[derive(Debug)]
struct Pinned {
    client: CertificateDer<'static>,
    crypto: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if *certificate == self.client {
            return Ok(ClientCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
