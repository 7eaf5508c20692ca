//! Who we are to a node, and whom we take a node for.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use zeroize::Zeroizing;

use crate::{credentials, pki::PkiError, secrets::Bundle};

/// A client certificate with its key, and the certificate authority that the other side must show.
///
/// The same shape serves Talos' API and Kubernetes'. No `Debug`: it holds a private key.
#[derive(Clone)]
pub struct Identity {
    ca: String,
    certificate: String,
    key: Zeroizing<String>,
}

/// Why PEM text is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A certificate is missing or not readable.
    #[error("the {what} is not a PEM certificate")]
    Certificate {
        /// Which of the two: `certificate authority` or `client certificate`.
        what: &'static str,
    },
    /// The key is missing, not readable, or belongs to another certificate.
    #[error("the client key is not a PEM private key that fits its certificate")]
    Key,
}

impl Identity {
    /// From PEM: one or more CA certificates, the client's certificate (chain), and its private key in PKCS#8, SEC1 or
    /// PKCS#1, or under Talos' own label `ED25519 PRIVATE KEY`. Nothing is checked before it is used.
    pub fn new(ca: impl Into<String>, certificate: impl Into<String>, key: Zeroizing<String>) -> Self {
        Self { ca: ca.into(), certificate: certificate.into(), key }
    }

    /// An administrator (`os:admin`) of the cluster's Talos API, signed now and valid for `lifetime`.
    pub fn talos_admin(bundle: &Bundle, lifetime: time::Duration) -> Result<Self, PkiError> {
        let identity = credentials::admin_identity(bundle, lifetime)?;
        Ok(Self::new(identity.authority, identity.certificate, identity.key))
    }

    /// An administrator (`system:masters`) of the cluster's Kubernetes API, signed now and valid for `lifetime`.
    pub fn kubernetes_admin(bundle: &Bundle, lifetime: time::Duration) -> Result<Self, PkiError> {
        let admin = credentials::kubernetes_admin(bundle, lifetime)?;
        Ok(Self::new(bundle.kubernetes.crt.clone(), admin.crt, admin.key))
    }

    /// The client's certificate, PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The client's key, PEM.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The CA certificates, DER.
    pub(crate) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
        certificates(&self.ca, "certificate authority")
    }

    /// TLS 1.3 with this identity. Without ALPN: Talos' apid negotiates none.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, IdentityError> {
        let mut roots = RootCertStore::empty();
        for authority in self.authorities()? {
            roots.add(authority).map_err(|_| IdentityError::Certificate { what: "certificate authority" })?;
        }
        let chain = certificates(&self.certificate, "client certificate")?;
        // Talos labels PKCS#8 this way for Ed25519; the content is the usual one.
        let key = Zeroizing::new(self.key.replace("ED25519 PRIVATE KEY", "PRIVATE KEY"));
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::Key)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| IdentityError::Key)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|_| IdentityError::Key)?;
        // A rebooted node knows no old session.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| IdentityError::Certificate { what })?;
    if found.is_empty() { Err(IdentityError::Certificate { what }) } else { Ok(found) }
}
