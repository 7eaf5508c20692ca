//! What Route 53's name servers would answer now: failover records follow health checks that are really made.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::elbv2::group::TargetState;
use super::moto::Caller;
use super::xml::Element;
use super::{Cloud, Error};

/// How long a checked endpoint may take to answer. Route 53 gives four seconds to connect and two to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// The addresses that a name stands for; empty for a name without A records.
pub(crate) async fn resolve(cloud: &Arc<Cloud>, name: &str) -> Result<Vec<Ipv4Addr>, Error> {
    let name = format!("{}.", name.trim_end_matches('.'));
    let mut primary = None;
    let mut secondary = None;
    for record in records(cloud, &name).await? {
        match record.text_of("Failover") {
            "PRIMARY" => primary = Some(record),
            "SECONDARY" => secondary = Some(record),
            _ => return Ok(addresses(&record)),
        }
    }
    let chosen = match (primary, secondary) {
        (Some(primary), Some(secondary)) => {
            // Where neither is healthy, Route 53 answers with the primary.
            if !is_healthy(cloud, &primary).await? && is_healthy(cloud, &secondary).await? {
                Some(secondary)
            } else {
                Some(primary)
            }
        }
        (one, other) => one.or(other),
    };
    Ok(chosen.as_ref().map(addresses).unwrap_or_default())
}

/// The A record sets of a name, in all zones of the sandbox's own account.
async fn records(cloud: &Cloud, name: &str) -> Result<Vec<Element>, Error> {
    let zones = get(cloud, "/2013-04-01/hostedzone", "ListHostedZones").await?;
    let mut found = Vec::new();
    for zone in zones.all("HostedZone") {
        let id = zone.text_of("Id").rsplit('/').next().unwrap_or_default().to_owned();
        let path = format!("/2013-04-01/hostedzone/{id}/rrset?maxitems=300");
        let sets = get(cloud, &path, "ListResourceRecordSets").await?;
        let fits = |set: &&Element| set.text_of("Name").eq_ignore_ascii_case(name) && set.text_of("Type") == "A";
        found.extend(sets.all("ResourceRecordSet").into_iter().filter(fits).cloned());
    }
    Ok(found)
}

async fn get(cloud: &Cloud, target: &str, call: &str) -> Result<Element, Error> {
    let account = cloud.config.credentials.first().map(|own| own.account.clone()).unwrap_or_default();
    let caller = Caller { account: &account, region: "us-east-1" };
    let answer = cloud.moto.rest("route53", caller, Method::GET, target, String::new()).await;
    answer.map_err(|refusal| Error::Refused { call: format!("route53:{call}"), code: refusal.code, message: refusal.message })
}

/// What a record set says: its values, or the load balancer that it is an alias of, whose name is its address here.
fn addresses(record: &Element) -> Vec<Ipv4Addr> {
    let values = record.all("Value").into_iter().map(|value| value.text().to_owned());
    let alias = record.child("AliasTarget").map(|alias| alias.text_of("DNSName").trim_end_matches('.').to_owned());
    values.chain(alias).filter_map(|address| address.parse().ok()).collect()
}

/// By the health check of the record set, and by the targets behind its alias where it says so.
async fn is_healthy(cloud: &Arc<Cloud>, record: &Element) -> Result<bool, Error> {
    let alias = record.child("AliasTarget");
    if alias.is_some_and(|alias| alias.text_of("EvaluateTargetHealth") == "true")
        && !addresses(record).iter().all(|address| has_healthy_targets(cloud, *address))
    {
        return Ok(false);
    }
    let check = record.text_of("HealthCheckId");
    if check.is_empty() {
        return Ok(true);
    }
    let found = get(cloud, &format!("/2013-04-01/healthcheck/{check}"), "GetHealthCheck").await?;
    let config = found.at(&["HealthCheck", "HealthCheckConfig"]).cloned().unwrap_or_default();
    let attempts: u32 = config.text_of("FailureThreshold").parse().unwrap_or(3);
    for _ in 0..attempts {
        if passes(&config).await {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A load balancer is healthy if every target group that has targets has a healthy one.
fn has_healthy_targets(cloud: &Cloud, address: Ipv4Addr) -> bool {
    let state = cloud.state();
    let Some(balancer) = state.load_balancers.values().find(|balancer| balancer.address == address) else { return false };
    let groups = balancer.listeners.values().filter_map(|listener| state.target_groups.get(&listener.target_group));
    groups
        .filter(|group| !group.targets.is_empty())
        .all(|group| group.targets.values().any(|target| target.state == TargetState::Healthy && !target.is_leaving()))
}

/// Makes one check of the type HTTPS: a connection, TLS with whatever certificate, and a status of 2xx or 3xx.
async fn passes(config: &Element) -> bool {
    let host = config.text_of("FullyQualifiedDomainName").trim_end_matches('.').to_owned();
    let port: u16 = config.text_of("Port").parse().unwrap_or(443);
    let path = config.text_of("ResourcePath").to_owned();
    let checked = tokio::time::timeout(LIMIT, async { status(&host, port, &path).await.ok().flatten() }).await;
    checked.ok().flatten().is_some_and(|status| (200..400).contains(&status))
}

async fn status(host: &str, port: u16, path: &str) -> std::io::Result<Option<u16>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
    let stream = TcpStream::connect((host, port)).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    // `HTTP/1.1 200`
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    Ok(std::str::from_utf8(&line).ok().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok()))
}

/// Route 53 does not look at certificates.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
