//! One kube-apiserver: connections, and a request's way from the wire through the ledger and back.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::access::{self, User};
use super::certificates::{ServingIdentity, Tls};
use super::cluster::KubeCluster;
use super::refusal::Refusal;
use super::request::Request;
use super::verbs::{self, Reply};
use crate::ledger::{Answer, Plane};

/// Where every Talos control plane's kube-apiserver listens.
pub const PORT: u16 = 6443;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// What the ledger calls the server.
const SERVICE: &str = "kube-apiserver";

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// The connection is cut instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost")]
struct Lost;

/// Serves on port 6443 of each address until `stop` is cancelled, which ends the open connections too. Returns once all are
/// bound; if one cannot be, none is served.
pub async fn serve(
    cluster: Arc<KubeCluster>,
    addresses: &[Ipv4Addr],
    identity: ServingIdentity,
    stop: CancellationToken,
) -> io::Result<()> {
    let tls = Arc::new(Tls::new(&identity)?);
    let mut listeners = Vec::new();
    for address in addresses {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}:{PORT}: {error}"));
        listeners.push(TcpListener::bind((*address, PORT)).await.map_err(named)?);
    }
    for listener in listeners {
        let (cluster, tls, stop) = (Arc::clone(&cluster), Arc::clone(&tls), stop.clone());
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else { continue };
                let connection = Connection { cluster: Arc::clone(&cluster), stop: stop.child_token(), user: None };
                let (tls, stop) = (Arc::clone(&tls), connection.stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = connection.serve(stream, &tls) => {}
                    }
                });
            }
        });
    }
    Ok(())
}

#[derive(Clone)]
struct Connection {
    cluster: Arc<KubeCluster>,
    /// Cuts this connection; cancelled with the server.
    stop: CancellationToken,
    user: Option<User>,
}

impl Connection {
    async fn serve(mut self, mut stream: TcpStream, tls: &Tls) {
        let _ = stream.set_nodelay(true);
        if speaks_plain_http(&stream).await {
            let answer = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
            return;
        }
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await else { return };
        self.user = User::of(stream.get_ref().1.peer_certificates(), &tls.clients);
        let connection = Arc::new(self);
        let service = service_fn(move |request| handle(Arc::clone(&connection), request));
        // Its end, with an error or without, is the client's business.
        let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    }
}

/// Whether the client begins as HTTP does rather than TLS.
async fn speaks_plain_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = tokio::time::timeout(HANDSHAKE_WITHIN, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first[0].is_ascii_uppercase()
}

async fn handle(connection: Arc<Connection>, request: http::Request<Incoming>) -> Result<Response<Body>, Lost> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
    let request = Request::new(&parts, body);
    let stop = connection.stop.clone();
    // A task of its own, so that a hook on the answer may stop this very server and still come to its end.
    let work = tokio::spawn(async move {
        let user = connection.user.as_ref();
        let detail = request.detail(user.map(|user| user.name.as_str()));
        let ticket = connection.cluster.ledger.begin(Plane::Kubernetes, SERVICE, request.action(), detail);
        let fault = ticket.fault().await;
        if connection.stop.is_cancelled() {
            // The server died while the request was held up.
            return Err(Lost);
        }
        let result = match fault {
            Some(fault) => Err(Refusal::from_fault(&fault)),
            None => access::check(user, &request).and_then(|()| verbs::carry_out(&connection.cluster, &request)),
        };
        let answer = match result {
            Ok(Reply::Text(code, text)) => {
                if code.is_success() {
                    ticket.ok();
                } else {
                    ticket.failed(code.as_str());
                }
                text_response(code, text)
            }
            Ok(Reply::Json(code, json)) => {
                ticket.ok();
                json_response(code, &json)
            }
            Ok(Reply::Watch(watch)) => {
                ticket.ok();
                typed(StatusCode::OK, "application/json", StreamBody::new(watch.frames()).boxed_unsync())
            }
            Err(refusal) => {
                ticket.failed(refusal.reason.as_str());
                let mut response = json_response(refusal.code, &refusal.status());
                if let Some(seconds) = refusal.retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
        };
        match ticket.answer().await {
            Answer::Send => Ok(answer),
            Answer::Lose => Err(Lost),
        }
    });
    if let Ok(Ok(answer)) = work.await {
        return Ok(answer);
    }
    // HTTP/2 would reset the stream and keep the connection; a lost answer takes the connection with it.
    stop.cancel();
    std::future::pending().await
}

fn json_response(code: StatusCode, json: &Json) -> Response<Body> {
    typed(code, "application/json", Full::from(format!("{json}\n")).boxed_unsync())
}

fn text_response(code: StatusCode, text: String) -> Response<Body> {
    typed(code, "text/plain; charset=utf-8", Full::from(text).boxed_unsync())
}

fn typed(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
