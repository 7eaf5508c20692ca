//! Who asks, and what they may: x509 authentication, and of RBAC what every cluster has from the start.

use std::sync::Arc;

use http::StatusCode;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::refusal::{Refusal, qualified};
use super::request::{Request, Target};

/// Members may do everything.
const MASTERS: &str = "system:masters";

/// What `system:public-info-viewer` and `system:discovery` let every known user read.
const PUBLIC: [&str; 6] = ["/healthz", "/livez", "/readyz", "/version", "/api", "/apis"];

/// Whom a client certificate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// The common name.
    pub(super) name: String,
    /// The organizations.
    pub(super) groups: Vec<String>,
}

impl User {
    /// `None` for strangers: no certificate, or one that the cluster's authority did not sign for clients.
    pub(super) fn of(chain: Option<&[CertificateDer<'_>]>, clients: &Arc<dyn ClientCertVerifier>) -> Option<Self> {
        let (certificate, intermediates) = chain?.split_first()?;
        clients.verify_client_cert(certificate, intermediates, UnixTime::now()).ok()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let subject = parsed.subject();
        let name = subject.iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned();
        let groups = subject.iter_organization().filter_map(|group| group.as_str().ok()).map(str::to_owned).collect();
        Some(Self { name, groups })
    }
}

/// 401 to strangers, 403 to those who may not.
pub(super) fn check(user: Option<&User>, request: &Request) -> Result<(), Refusal> {
    let user = user.ok_or_else(Refusal::unauthorized)?;
    if user.groups.iter().any(|group| group == MASTERS) {
        return Ok(());
    }
    let path = request.path();
    let below = |public: &str| path.strip_prefix(public).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Target::Objects(objects) = request.target() {
        let resource = objects.resource;
        let what = match &objects.name {
            Some(name) => format!("{} \"{name}\"", qualified(resource)),
            None => qualified(resource),
        };
        let scope = match &objects.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let message = format!(
            "{what} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            user.name,
            request.verb(),
            objects.resource_and_part(),
            resource.group(),
        );
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message));
    }
    if request.verb() == "get" && PUBLIC.into_iter().any(below) {
        return Ok(());
    }
    let message = format!("forbidden: User \"{}\" cannot {} path \"{path}\"", user.name, request.verb());
    Err(Refusal::new(StatusCode::FORBIDDEN, "Forbidden", message))
}
