//! What a request asks: which service, in which region and account, which action, with which parameters.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Map, Value as Json};

use super::parameters::{Parameters, decode_path};
use super::xml::Element;
use super::{route53_actions, s3_actions};
use crate::hash::hex;

/// The services that are told apart. What a signature names besides is `Other`: it reaches moto as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Service {
    Ec2,
    Elbv2,
    Iam,
    Sts,
    S3,
    Route53,
    Other,
}

/// A request whose signature scope has been read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) service: Service,
    /// As the signature names it.
    pub(crate) service_name: String,
    pub(crate) region: String,
    pub(crate) access_key: String,
    pub(crate) action: String,
    /// Of the query protocols; empty for REST.
    pub(crate) parameters: Parameters,
    /// Bucket and key, for S3.
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) method: Method,
    /// Path with its query, path-style for S3.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why a request cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It bears no SigV4 signature.
    Unsigned,
    /// The query names no action.
    NoAction,
}

impl Request {
    pub(crate) fn read(method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Result<Self, Unreadable> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let scope = Scope::read(&headers, query).ok_or(Unreadable::Unsigned)?;
        let mut request = Self {
            service: scope.service(),
            service_name: scope.service.clone(),
            region: scope.region,
            access_key: scope.access_key,
            action: String::new(),
            parameters: Parameters::default(),
            bucket: String::new(),
            key: String::new(),
            method,
            target: target.to_owned(),
            headers,
            body,
        };
        match request.service {
            Service::S3 => request.read_s3(path, query),
            Service::Route53 => route53_actions::name(&request.method, path).clone_into(&mut request.action),
            Service::Other => request.read_other(),
            _ => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                request.parameters = Parameters::parse(if body.is_empty() { query } else { &body });
                request.parameters.get("Action").ok_or(Unreadable::NoAction)?.clone_into(&mut request.action);
            }
        }
        Ok(request)
    }

    fn read_s3(&mut self, path: &str, query: &str) {
        let host = self.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        // `BUCKET.localhost`, or `BUCKET.127.0.0.1` from clients that put the bucket in front of anything.
        let virtual_bucket = host.strip_suffix(".localhost").or_else(|| host.strip_suffix(".127.0.0.1"));
        if let Some(bucket) = virtual_bucket {
            let question = if query.is_empty() { "" } else { "?" };
            self.target = format!("/{bucket}{path}{question}{query}");
        }
        let path = self.target.split('?').next().unwrap_or_default().trim_start_matches('/').to_owned();
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        self.bucket = decode_path(bucket);
        self.key = decode_path(key);
        s3_actions::name(&self.method, &self.bucket, &self.key, query, &self.headers).clone_into(&mut self.action);
    }

    /// JSON protocols name the action in a header; others by method and path.
    fn read_other(&mut self) {
        let header = self.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        self.action = match header.and_then(|target| target.rsplit('.').next()) {
            Some(action) => action.to_owned(),
            None => match Parameters::parse(&String::from_utf8_lossy(&self.body)).get("Action") {
                Some(action) => action.to_owned(),
                None => format!("{} {}", self.method, self.target),
            },
        };
    }

    /// Whether the action only looks.
    pub(crate) fn is_read(&self) -> bool {
        ["Describe", "Get", "List", "Head"].iter().any(|verb| self.action.starts_with(verb))
    }

    /// Parameters for the ledger: secrets are hashed, object contents left out.
    pub(crate) fn detail(&self) -> Json {
        let mut detail = Map::new();
        detail.insert("Region".to_owned(), self.region.clone().into());
        for (key, value) in self.parameters.iter() {
            if key == "Action" || key == "Version" {
                continue;
            }
            let value = if key == "UserData" { digest(value.as_bytes()) } else { value.to_owned() };
            detail.insert(key.to_owned(), value.into());
        }
        match self.service {
            Service::S3 => {
                detail.insert("Bucket".to_owned(), self.bucket.clone().into());
                if !self.key.is_empty() {
                    detail.insert("Key".to_owned(), self.key.clone().into());
                } else if !self.body.is_empty() {
                    detail.insert("Body".to_owned(), String::from_utf8_lossy(&self.body).into());
                }
            }
            Service::Route53 => {
                detail.insert("Path".to_owned(), self.target.clone().into());
                if !self.body.is_empty() {
                    detail.insert("Body".to_owned(), String::from_utf8_lossy(&self.body).into());
                }
            }
            _ => {}
        }
        Json::Object(detail)
    }

    /// What makes two requests the same but for the keys that are left out.
    pub(crate) fn fingerprint(&self, without: &[&str]) -> String {
        let kept: BTreeMap<&str, &str> = self.parameters.iter().filter(|(key, _)| !without.contains(key)).collect();
        digest(format!("{kept:?}").as_bytes())
    }

    /// The body as a tree; an empty one if it is no XML.
    pub(crate) fn tree(&self) -> Element {
        Element::parse(&self.body).unwrap_or_default()
    }
}

/// `sha256:` and the hash in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

/// The SigV4 credential scope: `KEY/DATE/REGION/SERVICE/aws4_request`.
struct Scope {
    access_key: String,
    region: String,
    service: String,
}

impl Scope {
    fn read(headers: &HeaderMap, query: &str) -> Option<Self> {
        let credential = match headers.get(http::header::AUTHORIZATION) {
            Some(header) => {
                let header = header.to_str().ok()?;
                let (_, rest) = header.split_once("Credential=")?;
                rest.split([',', ' ']).next()?.to_owned()
            }
            None => Parameters::parse(query).get("X-Amz-Credential")?.to_owned(),
        };
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, _, region, service, _] = parts.as_slice() else { return None };
        Some(Self { access_key: (*access_key).to_owned(), region: (*region).to_owned(), service: (*service).to_owned() })
    }

    fn service(&self) -> Service {
        match self.service.as_str() {
            "ec2" => Service::Ec2,
            "elasticloadbalancing" => Service::Elbv2,
            "iam" => Service::Iam,
            "sts" => Service::Sts,
            "s3" => Service::S3,
            "route53" => Service::Route53,
            _ => Service::Other,
        }
    }
}
