//! A Docker engine of the tests, behind a proxy that records each call and does to it what tests ask for.
//!
//! The engine is a real one; only its socket is another. A call's action is its method and path without version and names, such
//! as `POST /containers/start`, since the API has no other names that stand in its requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::aws::Object;
use crate::ledger::{Answer, Fault, Ledger, Plane};

/// The service of an engine's calls in the ledger.
pub const SERVICE: &str = "docker";
/// What makes an object one of an environment's.
const ENVIRONMENT: &str = "inferadb.com/environment";
/// What makes a volume a note on another object.
const MARK: &str = "inferadb.com/mark";
/// What makes a container a machine.
const ROLE: &str = "inferadb.com/role";
/// Last words of paths that say what is done; any other is a name.
const VERBS: [&str; 10] = ["create", "json", "start", "stop", "kill", "archive", "logs", "rename", "unpause", "prune"];

type Reply = Response<BoxBody<Bytes, hyper::Error>>;

/// The connection is cut instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost")]
struct Lost;

/// A way to an engine that records what goes through. Dropping it closes the way.
pub struct DockerEngine {
    engine: PathBuf,
    folder: TempDir,
    ledger: Ledger,
    _stop: DropGuard,
}

impl DockerEngine {
    /// Opens a way to the engine at this socket.
    ///
    /// # Errors
    ///
    /// What keeps it from listening.
    pub fn open(engine: &Path, ledger: Ledger) -> io::Result<Self> {
        // Short: the path of a Unix socket has 108 bytes at most.
        let folder = tempfile::Builder::new().prefix("engine-").tempdir_in("/tmp")?;
        let listener = UnixListener::bind(folder.path().join("docker.sock"))?;
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, Arc::from(engine), ledger.clone(), stop.clone()));
        Ok(Self { engine: engine.to_owned(), folder, ledger, _stop: stop.drop_guard() })
    }

    /// As `DOCKER_HOST` names it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// Every call that came this way.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// All that bears the environment's label, ordered by kind and id: `machine`, `container`, `volume`, `mark`, `network`.
    ///
    /// # Errors
    ///
    /// What keeps the engine from telling.
    pub async fn inventory(&self, environment: &str) -> io::Result<Vec<Object>> {
        let filter = json!({ "label": [format!("{ENVIRONMENT}={environment}")] }).to_string();
        let filter = filter.bytes().fold(String::new(), |mut encoded, byte| {
            let _ = write!(encoded, "%{byte:02X}");
            encoded
        });
        let containers = self.ask(&format!("/containers/json?all=1&filters={filter}")).await?;
        let volumes = self.ask(&format!("/volumes?filters={filter}")).await?;
        let networks = self.ask(&format!("/networks?filters={filter}")).await?;
        let mut objects: Vec<Object> = Vec::new();
        for container in list(&containers) {
            let kind = if container["Labels"].get(ROLE).is_some() { "machine" } else { "container" };
            let name = container["Names"][0].as_str().unwrap_or_default().trim_start_matches('/');
            objects.push(object(kind, &container["Id"], name, container));
        }
        for volume in list(&volumes["Volumes"]) {
            let kind = if volume["Labels"].get(MARK).is_some() { "mark" } else { "volume" };
            objects.push(object(kind, &volume["Name"], volume["Name"].as_str().unwrap_or_default(), volume));
        }
        for network in list(&networks) {
            objects.push(object("network", &network["Id"], network["Name"].as_str().unwrap_or_default(), network));
        }
        objects.sort();
        Ok(objects)
    }

    /// Does something on the engine as somebody else would: the ledger does not show it.
    ///
    /// # Errors
    ///
    /// What the engine says against it.
    pub async fn person(&self, method: Method, path: &str) -> io::Result<()> {
        let request = Request::builder().method(method).uri(path).header("host", SERVICE).body(Empty::<Bytes>::new());
        let answer = forward(&self.engine, request.map_err(io::Error::other)?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        if status.is_success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{path}: {status}: {}", String::from_utf8_lossy(&body))))
    }

    async fn ask(&self, path: &str) -> io::Result<Json> {
        let request = Request::builder().uri(path).header("host", SERVICE).body(Empty::<Bytes>::new());
        let answer = forward(&self.engine, request.map_err(io::Error::other)?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        if status != StatusCode::OK {
            return Err(io::Error::other(format!("{path}: {status}: {}", String::from_utf8_lossy(&body))));
        }
        serde_json::from_slice(&body).map_err(io::Error::other)
    }
}

fn list(found: &Json) -> &[Json] {
    found.as_array().map_or(&[], Vec::as_slice)
}

fn object(kind: &str, id: &Json, name: &str, found: &Json) -> Object {
    let labels = found["Labels"].as_object();
    let tags: BTreeMap<String, String> =
        labels.into_iter().flatten().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    Object {
        kind: kind.to_owned(),
        id: id.as_str().unwrap_or_default().to_owned(),
        name: name.to_owned(),
        tags,
        region: String::new(),
        account: String::new(),
    }
}

async fn serve(listener: UnixListener, engine: Arc<Path>, ledger: Ledger, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (engine, ledger, stop) = (Arc::clone(&engine), ledger.clone(), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(Arc::clone(&engine), ledger.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // A lost answer ends here too, and so does a call whose client went away: the engine sees that as well.
                _ = connection => {}
            }
        });
    }
}

async fn handle(engine: Arc<Path>, ledger: Ledger, request: Request<Incoming>) -> Result<Reply, Lost> {
    let ticket = ledger.begin(Plane::Cloud, SERVICE, action(request.method(), request.uri().path()), detail(request.uri()));
    let answer = match ticket.fault().await {
        Some(fault) => {
            ticket.failed(fault.code());
            refusal(&fault)
        }
        None => match forward(&engine, request).await {
            Ok(answer) => {
                let status = answer.status();
                if status.is_client_error() || status.is_server_error() {
                    ticket.failed(status.as_str());
                } else {
                    ticket.ok();
                }
                answer.map(BodyExt::boxed)
            }
            Err(error) => {
                ticket.failed("the engine is gone");
                said(StatusCode::BAD_GATEWAY, &error.to_string())
            }
        },
    };
    match ticket.answer().await {
        Answer::Send => Ok(answer),
        Answer::Lose => Err(Lost),
    }
}

async fn forward<B>(engine: &Path, request: Request<B>) -> io::Result<Response<Incoming>>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = UnixStream::connect(engine).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}

fn refusal(fault: &Fault) -> Reply {
    match fault {
        Fault::Throttle => said(StatusCode::TOO_MANY_REQUESTS, "too many requests"),
        Fault::ServerError => said(StatusCode::INTERNAL_SERVER_ERROR, "the engine failed"),
        Fault::Refuse { code, message } => {
            let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
            said(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), message)
        }
    }
}

/// An engine's error.
fn said(status: StatusCode, message: &str) -> Reply {
    let body = Full::new(Bytes::from(json!({ "message": message }).to_string())).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}

/// Method, kind of object, and what is done to it.
fn action(method: &Method, path: &str) -> String {
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    let words = match words.split_first() {
        Some((version, rest)) if version.starts_with('v') && version.contains('.') => rest,
        _ => &words,
    };
    let kind = words.first().copied().unwrap_or_default();
    match words.last().filter(|last| words.len() > 1 && VERBS.contains(last)) {
        Some(verb) => format!("{method} /{kind}/{verb}"),
        None => format!("{method} /{kind}"),
    }
}

/// What is asked about: the path and, where something is made, its name. Bodies hold secrets.
fn detail(uri: &http::Uri) -> Json {
    let named = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("name=")));
    match named {
        Some(name) => json!({ "path": uri.path(), "name": name }),
        None => json!({ "path": uri.path() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_has_no_version_and_no_names() {
        let of = |method: Method, path: &str| action(&method, path);
        assert_eq!(of(Method::GET, "/v1.47/info"), "GET /info");
        assert_eq!(of(Method::POST, "/v1.47/containers/create"), "POST /containers/create");
        assert_eq!(of(Method::POST, "/containers/0f5e/start"), "POST /containers/start");
        assert_eq!(of(Method::DELETE, "/v1.47/containers/0f5e"), "DELETE /containers");
        assert_eq!(of(Method::GET, "/v1.47/images/tests/talos:v1.13.9/json"), "GET /images/json");
        assert_eq!(of(Method::GET, "/v1.47/volumes"), "GET /volumes");
    }
}
