//! Credentials of administrators, signed locally with the cluster's own authorities.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::pki::{self, CertificateAndKey, Client, PkiError};
use crate::secrets::Bundle;
use crate::tree::{Map, Tree, tree};
use crate::yaml;

/// How much a node's clock may lag: Talos grants Kubernetes' admin certificate as much.
const ALLOWED_SKEW: Duration = Duration::seconds(10);

/// The role that may call all of Talos' API.
const ADMIN_ROLE: &str = "os:admin";

/// A client certificate for Talos' API with its key, and the authority that servers are verified with. All PEM.
pub struct ClientIdentity {
    /// The certificate, with the role as organisation.
    pub certificate: String,
    /// Its private key, Ed25519.
    pub key: Zeroizing<String>,
    /// The certificate of the authority that signs the nodes' certificates.
    pub authority: String,
    /// When the certificate ends.
    pub not_after: OffsetDateTime,
}

/// Signs an administrator's certificate for Talos' API, valid from now for `lifetime`.
pub fn admin_identity(bundle: &Bundle, lifetime: Duration) -> Result<ClientIdentity, PkiError> {
    let now = OffsetDateTime::now_utc();
    let not_after = now + lifetime;
    let pair = pki::client(
        &bundle.os,
        &Client {
            common_name: None,
            organization: ADMIN_ROLE,
            not_before: now - ALLOWED_SKEW,
            not_after,
            key_encipherment: false,
        },
        "administrator's certificate for the Talos API",
    )?;
    Ok(ClientIdentity { certificate: pair.crt, key: pair.key, authority: bundle.os.crt.clone(), not_after })
}

/// Writes a `talosconfig` with one context, named after the cluster, and a new administrator's certificate.
///
/// `endpoints` are where the API is called, `nodes` which nodes are meant when `talosctl` is told none.
pub fn admin_talosconfig(
    bundle: &Bundle,
    cluster_name: &str,
    endpoints: &[String],
    nodes: &[String],
    lifetime: Duration,
) -> Result<Zeroizing<String>, PkiError> {
    let identity = admin_identity(bundle, lifetime)?;
    let context = tree!({
        "endpoints": endpoints,
        "nodes"?: (!nodes.is_empty()).then_some(nodes),
        "ca": STANDARD.encode(&identity.authority),
        "crt": STANDARD.encode(&identity.certificate),
        "key": STANDARD.encode(identity.key.as_bytes()),
    });
    let contexts = Map::from_iter([(cluster_name.to_owned(), context)]);
    Ok(yaml::emit([&tree!({ "context": cluster_name, "contexts": contexts })]))
}

/// Signs an administrator's certificate for Kubernetes, valid from now for `lifetime`.
pub fn kubernetes_admin(bundle: &Bundle, lifetime: Duration) -> Result<CertificateAndKey, PkiError> {
    let now = OffsetDateTime::now_utc();
    pki::client(
        &bundle.kubernetes,
        &Client {
            common_name: Some("admin"),
            organization: "system:masters",
            not_before: now - ALLOWED_SKEW,
            not_after: now + lifetime,
            key_encipherment: true,
        },
        "administrator's certificate for Kubernetes",
    )
}

/// Writes a `kubeconfig` as `talosctl kubeconfig` does: user and context are named `admin@CLUSTER`.
///
/// `server` is the URL of the Kubernetes API.
pub fn admin_kubeconfig(
    bundle: &Bundle,
    cluster_name: &str,
    server: &str,
    lifetime: Duration,
) -> Result<Zeroizing<String>, PkiError> {
    let admin = kubernetes_admin(bundle, lifetime)?;
    let user = format!("admin@{cluster_name}");
    let config: Tree = tree!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [tree!({
            "name": cluster_name,
            "cluster": {
                "server": server,
                "certificate-authority-data": STANDARD.encode(&bundle.kubernetes.crt),
            },
        })],
        "users": [tree!({
            "name": user.as_str(),
            "user": {
                "client-certificate-data": STANDARD.encode(&admin.crt),
                "client-key-data": STANDARD.encode(admin.key.as_bytes()),
            },
        })],
        "contexts": [tree!({
            "name": user.as_str(),
            "context": { "cluster": cluster_name, "namespace": "default", "user": user.as_str() },
        })],
        "current-context": user.as_str(),
    });
    Ok(yaml::emit([&config]))
}
