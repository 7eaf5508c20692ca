//! Keys and certificates in the forms that Talos itself makes and reads.
//!
//! Source of the forms: `github.com/siderolabs/crypto` (package `x509`), which Talos generates and parses its PKI with.

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

/// How long a certificate authority is valid: Talos' `CAValidityTime`, ten years of 365 days.
pub const CA_LIFETIME: Duration = Duration::hours(87_600);

const CERTIFICATE: &str = "CERTIFICATE";
const RSA_KEY: &str = "RSA PRIVATE KEY";
const EC_KEY: &str = "EC PRIVATE KEY";
const ED25519_KEY: &str = "ED25519 PRIVATE KEY";
const PKCS8_KEY: &str = "PRIVATE KEY";

/// Why a key or certificate could not be made or read. Never quotes key material.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The cryptography library refused, for want of entropy or memory.
    #[error("a {0} could not be generated")]
    Generate(&'static str),
    /// The text is not PEM of the wanted kind.
    #[error("the {0} is not valid PEM")]
    Pem(&'static str),
    /// A key of a kind that Talos does not use for this.
    #[error("the key of the {0} is of an unknown kind")]
    UnknownKey(&'static str),
    /// The certificate library refused.
    #[error("the {what} could not be used: {source}")]
    Certificate {
        /// Which one.
        what: &'static str,
        /// What the library says.
        source: rcgen::Error,
    },
}

/// A certificate with its private key, both PEM. Has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateAndKey {
    /// The certificate.
    pub crt: String,
    /// The private key.
    pub key: Zeroizing<String>,
}

/// The kinds of keys that a cluster has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyKind {
    /// Talos' own API.
    Ed25519,
    /// Kubernetes and etcd.
    EcdsaP256,
}

/// A new key in both of its forms.
struct NewKey {
    pem: Zeroizing<String>,
    pair: KeyPair,
}

impl KeyKind {
    fn generate(self) -> Result<NewKey, PkiError> {
        match self {
            Self::Ed25519 => {
                let failed = |_| PkiError::Generate("key (Ed25519)");
                // Version 1 of PKCS #8, without the public key: Go writes it so.
                let document = Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8v1()).map_err(failed)?;
                read_key(ED25519_KEY, document.as_ref(), "new key")
            }
            Self::EcdsaP256 => {
                let failed = |_| PkiError::Generate("key (ECDSA P-256)");
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
                let der: EcPrivateKeyRfc5915Der<'_> = key.private_key().as_der().map_err(failed)?;
                read_key(EC_KEY, der.as_ref(), "new key")
            }
        }
    }
}

fn read_key(label: &str, der: &[u8], what: &'static str) -> Result<NewKey, PkiError> {
    Ok(NewKey { pem: pem_encode(label, der), pair: key_pair(label, der, what)? })
}

/// Makes a self-signed authority as Talos makes it: organisation alone as subject (none for the aggregator's),
/// for servers and clients.
pub(crate) fn authority(kind: KeyKind, organization: Option<&str>, now: OffsetDateTime) -> Result<CertificateAndKey, PkiError> {
    let what = "new certificate authority";
    let key = kind.generate()?;
    let mut params = params(organization, None, now, now + CA_LIFETIME)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_identifier_method = KeyIdMethod::PreSpecified(random::<20>()?.to_vec());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key.pair).map_err(|source| PkiError::Certificate { what, source })?;
    Ok(CertificateAndKey { crt: String::clone(&pem_encode(CERTIFICATE, certificate.der())), key: key.pem })
}

/// What a client certificate says.
pub(crate) struct Client<'a> {
    pub(crate) common_name: Option<&'a str>,
    pub(crate) organization: &'a str,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    /// Kubernetes' admin certificate says this too, Talos' does not.
    pub(crate) key_encipherment: bool,
}

/// Signs a client certificate with a new key of the authority's own kind.
pub(crate) fn client(
    authority: &CertificateAndKey,
    client: &Client<'_>,
    what: &'static str,
) -> Result<CertificateAndKey, PkiError> {
    let failed = |source| PkiError::Certificate { what, source };
    let (_, ca_der) = pem_decode(&authority.crt, what)?;
    let (label, key_der) = pem_decode(&authority.key, what)?;
    let ca_key = key_pair(&label, &key_der, what)?;
    let kind = if ca_key.algorithm() == &PKCS_ED25519 { KeyKind::Ed25519 } else { KeyKind::EcdsaP256 };
    let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(ca_der.as_slice()), ca_key).map_err(failed)?;
    let key = kind.generate()?;
    let mut params = params(Some(client.organization), client.common_name, client.not_before, client.not_after)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if client.key_encipherment {
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key.pair, &issuer).map_err(failed)?;
    Ok(CertificateAndKey { crt: String::clone(&pem_encode(CERTIFICATE, certificate.der())), key: key.pem })
}

/// Makes the key that signs service account tokens: RSA with 4096 bits, PKCS #1.
pub(crate) fn service_account_key() -> Result<Zeroizing<String>, PkiError> {
    let failed = |_| PkiError::Generate("key (RSA)");
    let key = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa4096).map_err(failed)?;
    let der: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
    let inner = pkcs8_payload(der.as_ref()).ok_or(PkiError::Generate("key (RSA)"))?;
    Ok(pem_encode(RSA_KEY, inner))
}

/// Whether a PEM text holds a certificate, and the other its private key.
pub(crate) fn check_pair(pair: &CertificateAndKey, what: &'static str) -> Result<(), PkiError> {
    let (label, der) = pem_decode(&pair.crt, what)?;
    if label != CERTIFICATE {
        return Err(PkiError::Pem(what));
    }
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| PkiError::Pem(what))?;
    let (label, der) = pem_decode(&pair.key, what)?;
    let key = key_pair(&label, &der, what)?;
    if certificate.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err(PkiError::Pem(what));
    }
    Ok(())
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], PkiError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| PkiError::Generate("random number"))?;
    Ok(bytes)
}

fn params(
    organization: Option<&str>,
    common_name: Option<&str>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    if let Some(common_name) = common_name {
        name.push(DnType::CommonName, common_name);
    }
    params.distinguished_name = name;
    // Certificates count whole seconds.
    params.not_before = not_before.replace_nanosecond(0).unwrap_or(not_before);
    params.not_after = not_after.replace_nanosecond(0).unwrap_or(not_after);
    let mut serial = random::<16>()?;
    // A serial is a positive number without leading zeros.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn key_pair(label: &str, der: &[u8], what: &'static str) -> Result<KeyPair, PkiError> {
    let failed = |source| PkiError::Certificate { what, source };
    match label {
        ED25519_KEY => {
            KeyPair::from_der_and_sign_algo(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)), &PKCS_ED25519).map_err(failed)
        }
        EC_KEY => KeyPair::from_der_and_sign_algo(&PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)), &PKCS_ECDSA_P256_SHA256)
            .map_err(failed),
        PKCS8_KEY => KeyPair::try_from(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der))).map_err(failed),
        _ => Err(PkiError::UnknownKey(what)),
    }
}

/// The key inside a PKCS #8 document: the octet string behind version and algorithm.
fn pkcs8_payload(der: &[u8]) -> Option<&[u8]> {
    let (body, _) = der_element(der, 0x30)?;
    let (_, rest) = der_element(body, 0x02)?;
    let (_, rest) = der_element(rest, 0x30)?;
    Some(der_element(rest, 0x04)?.0)
}

/// The content of the first element, which has the given tag, and what follows it.
fn der_element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = bytes.iter().try_fold(0_usize, |length, byte| Some(length.checked_mul(256)? + usize::from(*byte)))?;
        (length, rest)
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

pub(crate) fn pem_encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut pem = Zeroizing::new(String::with_capacity(body.len() * 66 / 64 + 128));
    pem.push_str("-----BEGIN ");
    pem.push_str(label);
    pem.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}

/// The label and the content of the first block.
pub(crate) fn pem_decode(pem: &str, what: &'static str) -> Result<(String, Zeroizing<Vec<u8>>), PkiError> {
    let decode = || {
        let (_, rest) = pem.split_once("-----BEGIN ")?;
        let (label, rest) = rest.split_once("-----")?;
        let (body, _) = rest.split_once("-----END ")?;
        let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect());
        let der = STANDARD.decode(body.as_bytes()).ok()?;
        Some((label.to_owned(), Zeroizing::new(der)))
    };
    decode().ok_or(PkiError::Pem(what))
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::*;

    use super::*;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
    }

    #[test]
    fn authorities_look_as_talos_makes_them() {
        for (kind, organization, subject, label) in [
            (KeyKind::Ed25519, Some("talos"), "O=talos", ED25519_KEY),
            (KeyKind::EcdsaP256, Some("etcd"), "O=etcd", EC_KEY),
            (KeyKind::EcdsaP256, None, "", EC_KEY),
        ] {
            let ca = authority(kind, organization, now()).unwrap();
            check_pair(&ca, "authority").unwrap();
            assert!(ca.key.starts_with(&format!("-----BEGIN {label}-----\n")));
            let (_, der) = pem_decode(&ca.crt, "authority").unwrap();
            let (_, certificate) = parse_x509_certificate(&der).unwrap();
            assert_eq!(certificate.subject().to_string(), subject);
            assert_eq!(certificate.issuer().to_string(), subject);
            assert_eq!(certificate.validity().not_before.timestamp(), 1_800_000_000);
            assert_eq!(certificate.validity().not_after.timestamp(), 1_800_000_000 + 315_360_000);
            let usage = certificate.key_usage().unwrap().unwrap().value;
            assert!(usage.digital_signature() && usage.key_cert_sign() && !usage.crl_sign());
            let extended = certificate.extended_key_usage().unwrap().unwrap().value;
            assert!(extended.server_auth && extended.client_auth);
            assert!(certificate.basic_constraints().unwrap().unwrap().value.ca);
            certificate.verify_signature(None).unwrap();
        }
    }

    #[test]
    fn an_ec_key_carries_its_curve_and_public_key_for_go() {
        let key = KeyKind::EcdsaP256.generate().unwrap();
        let (_, der) = pem_decode(&key.pem, "key").unwrap();
        // version, 32 bytes of key, [0] named curve, [1] public point: 121 bytes.
        assert_eq!(der.len(), 121);
    }

    #[test]
    fn an_ed25519_key_is_pkcs8_of_version_one() {
        let key = KeyKind::Ed25519.generate().unwrap();
        let (_, der) = pem_decode(&key.pem, "key").unwrap();
        assert_eq!(der.len(), 48);
        assert_eq!(der[..5], [0x30, 0x2e, 0x02, 0x01, 0x00]);
    }

    #[test]
    fn a_client_certificate_is_for_clients_alone_and_names_its_issuer() {
        let ca = authority(KeyKind::EcdsaP256, Some("kubernetes"), now()).unwrap();
        let wanted = Client {
            common_name: Some("admin"),
            organization: "system:masters",
            not_before: now(),
            not_after: now() + Duration::HOUR,
            key_encipherment: true,
        };
        let pair = client(&ca, &wanted, "client certificate").unwrap();
        check_pair(&pair, "client certificate").unwrap();
        let (_, ca_der) = pem_decode(&ca.crt, "authority").unwrap();
        let (_, authority) = parse_x509_certificate(&ca_der).unwrap();
        let (_, der) = pem_decode(&pair.crt, "client certificate").unwrap();
        let (_, certificate) = parse_x509_certificate(&der).unwrap();
        certificate.verify_signature(Some(authority.public_key())).unwrap();
        assert_eq!(certificate.subject().to_string(), "O=system:masters, CN=admin");
        assert_eq!(certificate.issuer().as_raw(), authority.subject().as_raw());
        let extended = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.client_auth && !extended.server_auth);
        assert!(certificate.basic_constraints().unwrap().is_none());
    }

    #[test]
    fn a_key_of_another_certificate_is_no_pair() {
        let a = authority(KeyKind::EcdsaP256, Some("a"), now()).unwrap();
        let b = authority(KeyKind::EcdsaP256, Some("b"), now()).unwrap();
        let mixed = CertificateAndKey { crt: a.crt, key: b.key };
        assert!(check_pair(&mixed, "pair").is_err());
    }
}
