//! What a person or a script may ask a running sandbox: a small HTTP server on loopback.
//!
//! - `GET /ledger`, `GET /ledger?after=N`: the calls, as JSON.
//! - `GET /inventory`: what exists in the cloud.
//! - `GET /created`: how many objects were ever made, by action.
//! - `GET /unreviewed`: cloud actions that were called though nobody compared moto with AWS there.
//! - `POST /faults` with `{"matcher": {"action": "RunInstances"}, "injection": {"fault": "throttle"}, "times": 2}`: gives the
//!   injection's id.
//! - `DELETE /faults`: takes all injections back.
//! - `POST /quota` with `{"instances": 3}` (or `null`).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ledger::{Injection, Matcher};
use crate::world::Sandbox;

/// The server; it ends when this is dropped.
pub struct Control {
    address: SocketAddr,
    _stop: DropGuard,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultRequest {
    matcher: Matcher,
    injection: Injection,
    times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaRequest {
    instances: Option<usize>,
}

impl Control {
    /// Serves on a loopback port; 0 takes a free one.
    pub async fn start(sandbox: Arc<Sandbox>, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else { continue };
                let sandbox = Arc::clone(&sandbox);
                let service = service_fn(move |request| {
                    let sandbox = Arc::clone(&sandbox);
                    async move { Ok::<_, std::convert::Infallible>(handle(&sandbox, request).await) }
                });
                let stopped = stopped.clone();
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        _ = connection => {}
                    }
                });
            }
        });
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn handle(sandbox: &Sandbox, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    // A page in a browser could name this port too: it may neither read nor change anything.
    if parts.headers.contains_key(header::ORIGIN) {
        return respond(StatusCode::FORBIDDEN, &json!({"error": "requests from web pages are not answered"}));
    }
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return respond(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
    };
    match answer(sandbox, &parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default(), &body).await {
        Ok(json) => respond(StatusCode::OK, &json),
        Err((status, message)) => respond(status, &json!({"error": message})),
    }
}

fn respond(status: StatusCode, json: &Json) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{json}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

type Failure = (StatusCode, String);

fn bad(error: &serde_json::Error) -> Failure {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

async fn answer(sandbox: &Sandbox, method: &Method, path: &str, query: &str, body: &[u8]) -> Result<Json, Failure> {
    match (method.as_str(), path) {
        ("GET", "/ledger") => {
            let after = query.strip_prefix("after=").and_then(|number| number.parse().ok()).unwrap_or(0);
            serde_json::to_value(sandbox.ledger().calls_after(after)).map_err(|error| broken(&error))
        }
        ("GET", "/inventory") => {
            let inventory = sandbox.inventory().await.map_err(|error| broken(&error))?;
            serde_json::to_value(inventory).map_err(|error| broken(&error))
        }
        ("GET", "/created") => serde_json::to_value(sandbox.created()).map_err(|error| broken(&error)),
        ("GET", "/unreviewed") => serde_json::to_value(sandbox.aws().unreviewed()).map_err(|error| broken(&error)),
        ("POST", "/faults") => {
            let wanted: FaultRequest = serde_json::from_slice(body).map_err(|error| bad(&error))?;
            let id = sandbox.ledger().inject(wanted.matcher, wanted.injection, wanted.times);
            serde_json::to_value(id).map_err(|error| broken(&error))
        }
        ("DELETE", "/faults") => {
            sandbox.ledger().clear();
            Ok(Json::Null)
        }
        ("POST", "/quota") => {
            let wanted: QuotaRequest = serde_json::from_slice(body).map_err(|error| bad(&error))?;
            sandbox.set_instance_quota(wanted.instances);
            Ok(Json::Null)
        }
        _ => Err((StatusCode::NOT_FOUND, format!("there is no `{method} {path}`"))),
    }
}
