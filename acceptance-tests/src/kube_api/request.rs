//! A request as the API understands it: a verb and what it is about.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, header};
use serde_json::{Value as Json, json};

use super::discovery;
use super::refusal::Refusal;
use super::store::{Key, Resource};

/// What a path leads to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// `/readyz` and its like; the check's name.
    Health(&'static str),
    Version,
    /// A document of discovery.
    Document(Json),
    Objects(Objects),
    Unknown,
}

/// Objects of a resource, or one of them.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    pub(super) resource: Resource,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) part: Option<Part>,
}

/// A subresource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Status,
    Eviction,
}

impl Objects {
    /// Where the one object is, if it is one.
    pub(super) fn key(&self) -> Option<Key> {
        let name = self.name.as_deref()?;
        Some(Key::new(self.resource, self.namespace.as_deref().unwrap_or_default(), name))
    }

    /// Like `pods/eviction`.
    pub(super) fn resource_and_part(&self) -> String {
        let resource = self.resource.plural();
        match self.part {
            Some(Part::Status) => format!("{resource}/status"),
            Some(Part::Eviction) => format!("{resource}/eviction"),
            None => resource.to_owned(),
        }
    }
}

pub(super) struct Request {
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    content_type: String,
    body: Bytes,
    target: Target,
}

impl Request {
    pub(super) fn new(parts: &http::request::Parts, body: Bytes) -> Self {
        let path = parts.uri.path().to_owned();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_owned();
        let query = parts.uri.query().unwrap_or_default();
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        let target = target(&path);
        Self { method: parts.method.clone(), query: query.collect(), content_type, body, target, path }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Without parameters, like `application/merge-patch+json`.
    pub(super) fn content_type(&self) -> &str {
        &self.content_type
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a parameter is `true` or `1`.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.query(name), Some("true" | "1"))
    }

    /// Nothing is to be changed.
    pub(super) fn dry_run(&self) -> bool {
        self.query("dryRun") == Some("All")
    }

    /// Null if there is no body.
    pub(super) fn json(&self) -> Result<Json, Refusal> {
        if self.body.is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("the body of the request is not JSON: {error}")))
    }

    /// As RBAC names it.
    pub(super) fn verb(&self) -> &'static str {
        let one = matches!(&self.target, Target::Objects(objects) if objects.name.is_some());
        let many = matches!(&self.target, Target::Objects(objects) if objects.name.is_none());
        match self.method {
            Method::GET | Method::HEAD if many && self.flag("watch") => "watch",
            Method::GET | Method::HEAD if many => "list",
            Method::GET | Method::HEAD => "get",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if one => "delete",
            Method::DELETE => "deletecollection",
            _ => "unknown",
        }
    }

    /// For the ledger: `list nodes`, `create pods/eviction`, `GET /readyz`.
    pub(super) fn action(&self) -> String {
        match &self.target {
            Target::Objects(objects) => format!("{} {}", self.verb(), objects.resource_and_part()),
            _ => format!("{} {}", self.method, self.path),
        }
    }

    /// For the ledger. No secrets are served, so none are here.
    pub(super) fn detail(&self, user: Option<&str>) -> Json {
        let mut detail = json!({ "user": user });
        if let Target::Objects(objects) = &self.target {
            if let Some(namespace) = &objects.namespace {
                detail["namespace"] = json!(namespace);
            }
            if let Some(name) = &objects.name {
                detail["name"] = json!(name);
            }
        }
        for (key, value) in &self.query {
            detail[key] = json!(value);
        }
        if let Ok(body @ (Json::Object(_) | Json::Array(_))) = self.json() {
            detail["body"] = body;
        }
        detail
    }
}

fn target(path: &str) -> Target {
    match path {
        "/readyz" => return Target::Health("readyz"),
        "/livez" => return Target::Health("livez"),
        "/healthz" => return Target::Health("healthz"),
        "/version" | "/version/" => return Target::Version,
        _ => {}
    }
    if let Some(document) = discovery::document(path.strip_suffix('/').unwrap_or(path)) {
        return Target::Document(document);
    }
    let (group, rest) = if let Some(rest) = path.strip_prefix("/api/v1/") {
        ("", rest)
    } else if let Some(rest) = path.strip_prefix("/apis/policy/v1/") {
        ("policy", rest)
    } else {
        return Target::Unknown;
    };
    let steps: Vec<String> = rest.split('/').map(decode).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let resource = |plural: &str| Resource::ALL.into_iter().find(|known| known.group() == group && known.plural() == plural);
    // Below a namespace only what lives in namespaces is found; pods by name only there.
    let (found, namespace, name, part) = match steps.as_slice() {
        ["namespaces", namespace, plural, tail @ ..] => {
            let found = resource(plural).filter(|found| found.namespaced());
            (found, Some(*namespace), tail.first().copied(), tail.get(1..).unwrap_or_default())
        }
        [plural] => (resource(plural), None, None, [].as_slice()),
        [plural, name, tail @ ..] => (resource(plural).filter(|found| !found.namespaced()), None, Some(*name), tail),
        [] => (None, None, None, [].as_slice()),
    };
    let Some(resource) = found else { return Target::Unknown };
    let part = match (resource, part) {
        (_, []) => None,
        (Resource::Nodes | Resource::Pods, ["status"]) => Some(Part::Status),
        (Resource::Pods, ["eviction"]) => Some(Part::Eviction),
        _ => return Target::Unknown,
    };
    Target::Objects(Objects { resource, namespace: namespace.map(str::to_owned), name: name.map(str::to_owned), part })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let value = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(value.unwrap_or(b'?'));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
