//! A certificate authority of the test's own.

use std::{net::Ipv4Addr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use talos::client::Identity;
use zeroize::Zeroizing;

pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        // Two of them must not look like one: the name is a part of the key.
        let name = key.public_key_raw().iter().take(8).map(|byte| format!("{byte:02x}"));
        parameters.distinguished_name.push(DnType::CommonName, name.collect::<String>());
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), issuer: Issuer::new(parameters, key) }
    }

    /// One that exists, by its certificate and key as Talos writes them.
    pub(crate) fn existing(pem: String, key: &str) -> Self {
        let key = KeyPair::from_pem(&key.replace("ED25519 PRIVATE KEY", "PRIVATE KEY")).expect("a key");
        let issuer = Issuer::from_ca_cert_pem(&pem, key).expect("an authority");
        Self { pem, issuer }
    }

    fn sign(&self, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut parameters = CertificateParams::default();
        parameters.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into())];
        parameters.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        (parameters.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    /// A client of this authority, which trusts it too.
    pub(crate) fn identity(&self) -> Identity {
        self.identity_that_trusts(self)
    }

    /// A client of this authority that expects servers of another.
    pub(crate) fn identity_that_trusts(&self, other: &Self) -> Identity {
        let (certificate, key) = self.sign(ExtendedKeyUsagePurpose::ClientAuth);
        Identity::new(other.pem.clone(), certificate.pem(), Zeroizing::new(key.serialize_pem()))
    }

    /// A server on 127.0.0.1 that lets in clients of this authority only, and negotiates no ALPN.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("a certificate")).expect("a root");
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().expect("a verifier");
        let (certificate, key) = self.sign(ExtendedKeyUsagePurpose::ServerAuth);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a server config");
        Arc::new(config)
    }
}
