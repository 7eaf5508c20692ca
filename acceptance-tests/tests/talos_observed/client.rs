//! A bare gRPC client: one connection a call, nothing checked but what the test asks for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::authority::Secrets;

/// With what a call is made.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    /// Organisations of the certificate; `None` for no certificate.
    organizations: Option<Vec<String>>,
    /// Of another cluster.
    foreign: bool,
    /// A certificate for servers.
    for_servers: bool,
    only_tls12: bool,
    /// The server's certificate must be for this name, instead of the address that is called; empty: it is not looked at.
    name: Option<String>,
}

impl Credentials {
    pub(crate) fn insecure() -> Self {
        Self { name: Some(String::new()), ..Self::default() }
    }

    pub(crate) fn admin() -> Self {
        Self { organizations: Some(vec!["os:admin".to_owned()]), ..Self::default() }
    }

    /// As the recordings word them.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let of = |organizations: &[&str]| Self {
            organizations: Some(organizations.iter().map(|organization| (*organization).to_owned()).collect()),
            ..Self::default()
        };
        Some(match text {
            "insecure" => Self::insecure(),
            "no client certificate" => Self::default(),
            "certificate without any role" => of(&[]),
            _ if text.contains("which the node does not know") => {
                Self { foreign: true, name: Some(String::new()), ..Self::admin() }
            }
            _ if text.starts_with("os:admin certificate of another cluster") => Self { foreign: true, ..Self::admin() },
            _ if text.contains("TLS 1.1") => return None,
            _ if text.contains("TLS 1.2") => Self { only_tls12: true, ..Self::admin() },
            _ if text.contains("serverAuth only") => Self { for_servers: true, ..Self::admin() },
            _ if text.contains("O=os:impersonator") => of(&["os:impersonator"]),
            _ if text.contains("O=os:nonsense") => of(&["os:nonsense"]),
            _ if text.contains("verifies the name ") => {
                let name = text.rsplit(' ').next().unwrap_or_default().to_owned();
                Self { name: Some(name), ..Self::admin() }
            }
            _ if text.contains("O=os:admin") || text.starts_with("os:admin;") => Self::admin(),
            roles => of(&roles.split([',', '+', ' ']).filter(|role| !role.is_empty()).collect::<Vec<_>>()),
        })
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// As Go names it.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) messages: Vec<Bytes>,
}

impl Answer {
    fn unavailable(message: String) -> Self {
        Self { code: "Unavailable".to_owned(), message, messages: Vec::new() }
    }
}

#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn tls(secrets: &Secrets, credentials: &Credentials) -> Arc<ClientConfig> {
    let versions: &[&rustls::SupportedProtocolVersion] =
        if credentials.only_tls12 { &[&rustls::version::TLS12] } else { rustls::ALL_VERSIONS };
    let builder =
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_protocol_versions(versions).unwrap();
    let builder = if credentials.name.as_deref() == Some("") {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer))
    } else {
        let mut roots = RootCertStore::empty();
        roots.add(secrets.talos.certificate.clone()).unwrap();
        builder.with_root_certificates(roots)
    };
    let config = match &credentials.organizations {
        None => builder.with_no_client_auth(),
        Some(organizations) => {
            let authority = if credentials.foreign { &secrets.stranger } else { &secrets.talos };
            let usage =
                if credentials.for_servers { ExtendedKeyUsagePurpose::ServerAuth } else { ExtendedKeyUsagePurpose::ClientAuth };
            let (certificate, key) = authority.client(organizations, usage);
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    Arc::new(config)
}

/// The alert in an error, in Go's words.
fn alert(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        let tls = error.downcast_ref::<rustls::Error>().or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()));
        if let Some(tls) = tls {
            return Some(match tls {
                rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => "certificate required".to_owned(),
                rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA) => "unknown certificate authority".to_owned(),
                rustls::Error::AlertReceived(rustls::AlertDescription::BadCertificate) => "bad certificate".to_owned(),
                rustls::Error::InvalidCertificate(_) => "failed to verify certificate".to_owned(),
                other => other.to_string(),
            });
        }
        next = error.source();
    }
    None
}

/// Makes a call, and gives up after a while.
pub(crate) async fn call(
    address: SocketAddr,
    secrets: &Secrets,
    credentials: &Credentials,
    path: &str,
    metadata: &[(String, String)],
    message: Bytes,
    limit: Duration,
) -> Answer {
    let mut got = Vec::new();
    let work = exchange(address, secrets, credentials, path, metadata, message, &mut got);
    match tokio::time::timeout(limit, work).await {
        Ok(Ok((code, message))) => Answer { code, message, messages: got },
        Ok(Err(message)) => Answer::unavailable(message),
        Err(_) => Answer { code: "DeadlineExceeded".to_owned(), message: "context deadline exceeded".to_owned(), messages: got },
    }
}

/// The alert that a bare handshake is followed by: HTTP/2 libraries drop it.
async fn refusal(address: SocketAddr, secrets: &Secrets, credentials: &Credentials) -> Option<String> {
    let stream = TcpStream::connect(address).await.ok()?;
    let name = ServerName::try_from(address.ip().to_string()).ok()?;
    let mut tls = match TlsConnector::from(tls(secrets, credentials)).connect(name, stream).await {
        Ok(tls) => tls,
        Err(error) => return alert(&error),
    };
    let error = tokio::io::AsyncReadExt::read_u8(&mut tls).await.err()?;
    alert(&error)
}

async fn exchange(
    address: SocketAddr,
    secrets: &Secrets,
    credentials: &Credentials,
    path: &str,
    metadata: &[(String, String)],
    message: Bytes,
    got: &mut Vec<Bytes>,
) -> Result<(String, String), String> {
    let stream = TcpStream::connect(address).await.map_err(|error| format!("dial: {error}"))?;
    let name = credentials.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| address.ip().to_string());
    let name = ServerName::try_from(name).unwrap();
    let failed = |error: &(dyn std::error::Error + 'static)| alert(error).unwrap_or_else(|| error.to_string());
    let tls = TlsConnector::from(tls(secrets, credentials)).connect(name, stream).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake::<_, Full<Bytes>>(TokioIo::new(tls))
        .await
        .map_err(|error| failed(&error))?;
    tokio::spawn(async move {
        // How it ends shows in the call.
        let _ = connection.await;
    });
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.extend_from_slice(&message);
    let mut request = http::Request::post(format!("https://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in metadata {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(framed.freeze())).unwrap();
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        // The refusal of a certificate comes after the handshake, at whatever is read or written next.
        Err(error) => return Err(refusal(address, secrets, credentials).await.unwrap_or_else(|| failed(&error))),
    };
    let (parts, mut body) = response.into_parts();
    let mut trailers = parts.headers;
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(&error))?;
        match frame.into_data() {
            Ok(data) => {
                buffer.extend_from_slice(&data);
                while buffer.len() >= 5 {
                    let length = u32::from_be_bytes([buffer[1], buffer[2], buffer[3], buffer[4]]) as usize;
                    if buffer.len() < 5 + length {
                        break;
                    }
                    let whole = buffer.split_to(5 + length).freeze();
                    got.push(whole.slice(5..));
                }
            }
            Err(frame) => {
                if let Ok(map) = frame.into_trailers() {
                    trailers = map;
                }
            }
        }
    }
    let status = tonic::Status::from_header_map(&trailers).ok_or("no status came")?;
    let code = if status.code() == tonic::Code::Ok { "OK".to_owned() } else { format!("{:?}", status.code()) };
    Ok((code, status.message().to_owned()))
}
