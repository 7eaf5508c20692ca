//! The API's HTTP server: reads a request, enters it in the ledger, has it carried out, and answers or loses the answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::Cloud;
use super::answer::{Answer, Refusal};
use super::request::{Request, Service, Unreadable};
use crate::ledger::{self, Plane};

/// The connection is cut instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost")]
struct Lost;

/// Serves until the cloud stops; returns where.
pub(crate) async fn serve(cloud: Arc<Cloud>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, cloud.config.port)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = cloud.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else { continue };
            let cloud = Arc::clone(&cloud);
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let stop = cloud.stop.clone();
                let service = service_fn(move |request| handle(Arc::clone(&cloud), request));
                let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    () = stop.cancelled() => {}
                    // A lost answer ends here too.
                    _ = connection => {}
                }
            });
        }
    });
    Ok(address)
}

async fn handle(cloud: Arc<Cloud>, request: http::Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let request = match Request::read(parts.method, target, parts.headers, body) {
        Ok(request) => request,
        Err(unreadable) => return Ok(response(unreadable.answer())),
    };
    // As in a real cloud, what was asked is done even if the client has gone away: the work is a task of its own.
    let work = tokio::spawn(async move {
        let service = request.service;
        let ticket = cloud.ledger.begin(Plane::Cloud, &request.service_name, &request.action, request.detail());
        tokio::time::sleep(cloud.config.timing.latency).await;
        let result = match ticket.fault().await {
            Some(fault) => Err(Refusal::from_fault(&fault, service)),
            None => cloud.carry_out(request, &ticket).await,
        };
        let answer = result.unwrap_or_else(|refusal| refusal.answer(service));
        if answer.is_ok() {
            ticket.ok();
        } else {
            ticket.failed(answer.code());
        }
        match ticket.answer().await {
            ledger::Answer::Send => Ok(answer),
            ledger::Answer::Lose => Err(Lost),
        }
    });
    match work.await {
        Ok(Ok(answer)) => Ok(response(answer)),
        Ok(Err(lost)) => Err(lost),
        Err(error) => {
            tracing::error!("the sandbox failed on a request: {error}");
            Err(Lost)
        }
    }
}

impl Unreadable {
    fn answer(self) -> Answer {
        let refusal = match self {
            Self::Unsigned => {
                Refusal::new("MissingAuthenticationToken", "Missing Authentication Token").with_status(StatusCode::FORBIDDEN)
            }
            Self::NoAction => Refusal::new("MissingAction", "The request is missing an action."),
        };
        refusal.answer(Service::Other)
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.headers_mut().remove(header::CONNECTION);
    response
}
