//! Requests to an API server, by way of `kubectl proxy`, which logs in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

/// An API behind the proxy's socket.
pub(crate) struct Api {
    socket: PathBuf,
    /// What each group and version serves, once it serves all that was asked for.
    known: RefCell<HashMap<String, Value>>,
}

/// Where objects of a kind are.
pub(crate) struct Resource {
    plural: String,
    namespaced: bool,
}

/// What the server says to a request.
pub(crate) struct Answer {
    status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// Whether it is what was asked for.
    pub(crate) fn accepted(&self) -> Result<(), String> {
        if (200..300).contains(&self.status) { Ok(()) } else { Err(self.words()) }
    }

    /// Why a request was refused, in the server's words.
    pub(crate) fn words(&self) -> String {
        self.body["message"].as_str().map_or_else(|| format!("{} {}", self.status, self.body), ToOwned::to_owned)
    }
}

impl Api {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, known: RefCell::default() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "application/json", "").unwrap_or_else(|words| Answer { status: 0, body: words.into() })
    }

    /// Where objects of this kind are, if the server knows it.
    pub(crate) fn resource(&self, version: &str, kind: &str) -> Option<Resource> {
        let find = |known: &Value| {
            let mut resources = known["resources"].as_array()?.iter();
            let found =
                resources.find(|one| one["kind"] == kind && one["name"].as_str().is_some_and(|name| !name.contains('/')))?;
            Some(Resource { plural: found["name"].as_str()?.to_owned(), namespaced: found["namespaced"] == true })
        };
        if let Some(found) = self.known.borrow().get(version).and_then(find) {
            return Some(found);
        }
        let root = if version.contains('/') { "apis" } else { "api" };
        let served = self.get(&format!("/{root}/{version}")).body;
        let found = find(&served);
        self.known.borrow_mut().insert(version.to_owned(), served);
        found
    }

    /// Applies an object on the server's side, with unknown fields refused.
    pub(crate) fn apply(&self, object: &Value, query: &str) -> Result<(), String> {
        let name = object["metadata"]["name"].as_str().ok_or("it has no name")?;
        let path = format!("{}/{name}", self.collection(object)?);
        let query = format!("fieldManager=kustomize-controller&force=true&fieldValidation=Strict{query}");
        self.ask("PATCH", &format!("{path}?{query}"), "application/apply-patch+yaml", &object.to_string())
            .and_then(|answer| answer.accepted())
    }

    /// Creates an object in a dry run, with unknown fields refused.
    pub(crate) fn create(&self, object: &Value) -> Result<(), String> {
        let path = format!("{}?dryRun=All&fieldValidation=Strict", self.collection(object)?);
        self.ask("POST", &path, "application/json", &object.to_string()).and_then(|answer| answer.accepted())
    }

    fn collection(&self, object: &Value) -> Result<String, String> {
        let (version, kind) = (object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str().unwrap_or_default());
        let resource = self.resource(version, kind).ok_or_else(|| format!("there is no kind {kind} in {version}"))?;
        let root = if version.contains('/') { "apis" } else { "api" };
        Ok(match object["metadata"]["namespace"].as_str() {
            Some(namespace) if resource.namespaced => format!("/{root}/{version}/namespaces/{namespace}/{}", resource.plural),
            _ => format!("/{root}/{version}/{}", resource.plural),
        })
    }

    /// HTTP 1.0: the answer ends where the connection does.
    fn ask(&self, method: &str, path: &str, content: &str, body: &str) -> Result<Answer, String> {
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\nContent-Type: {content}\r\n");
        let mut answer = String::new();
        let mut exchange = || {
            let mut stream = UnixStream::connect(&self.socket)?;
            write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
            stream.read_to_string(&mut answer)
        };
        exchange().map_err(|error| format!("{method} {path}: {error}"))?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (status, (_, body)) =
            status.zip(answer.split_once("\r\n\r\n")).ok_or_else(|| format!("{method} {path}: {answer}"))?;
        Ok(Answer { status, body: serde_json::from_str(body).unwrap_or_else(|_| body.into()) })
    }
}

/// Asks again until the answer is yes.
pub(crate) fn until(what: &str, mut asked: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while let Err(words) = asked() {
        assert!(Instant::now() < deadline, "waited in vain until {what}: {words}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
