//! Errors in the API's words: a `Status` object.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::store::{Key, Resource};
use crate::ledger::Fault;

/// Why a request is not carried out.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: StatusCode,
    pub(super) reason: String,
    pub(super) message: String,
    details: Option<Box<Json>>,
    /// Seconds.
    pub(super) retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn new(code: StatusCode, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), message: message.into(), details: None, retry_after: None }
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    pub(super) fn not_found(key: &Key) -> Self {
        let message = format!("{} \"{}\" not found", qualified(key.resource), key.name);
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(key)
    }

    pub(super) fn conflict(key: &Key, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{}\": {why}", qualified(key.resource), key.name);
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(key)
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(super) fn unsupported_media_type() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: \
                       application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    pub(super) fn expired(version: u64) -> Self {
        Self::new(StatusCode::GONE, "Expired", format!("too old resource version: {version}"))
    }

    pub(super) fn budget(name: &str) -> Self {
        let mut refusal = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Cannot evict pod as it would violate the pod's disruption budget.",
        );
        let cause = format!("The disruption budget {name} allows no disruption now");
        refusal.details =
            Some(Box::new(json!({ "causes": [{ "reason": "DisruptionBudget", "message": cause }], "retryAfterSeconds": 10 })));
        refusal.retry_after = Some(10);
        refusal
    }

    pub(super) fn several_budgets() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )
    }

    /// An injected fault. The code of [`Fault::Refuse`] is a `Status` reason, like `Forbidden`.
    pub(super) fn from_fault(fault: &Fault) -> Self {
        match fault {
            Fault::Throttle => {
                let message = "the server has received too many requests and has asked us to try again later";
                let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
                refusal.retry_after = Some(1);
                refusal.details = Some(Box::new(json!({ "retryAfterSeconds": 1 })));
                refusal
            }
            Fault::ServerError => {
                let message = "the server is currently unable to handle the request";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
            }
            Fault::Refuse { code, message } => {
                let status = match code.as_str() {
                    "Unauthorized" => StatusCode::UNAUTHORIZED,
                    "NotFound" => StatusCode::NOT_FOUND,
                    "Conflict" | "AlreadyExists" => StatusCode::CONFLICT,
                    "Invalid" => StatusCode::UNPROCESSABLE_ENTITY,
                    "TooManyRequests" => StatusCode::TOO_MANY_REQUESTS,
                    "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
                    "Timeout" => StatusCode::GATEWAY_TIMEOUT,
                    "BadRequest" => StatusCode::BAD_REQUEST,
                    _ => StatusCode::FORBIDDEN,
                };
                Self::new(status, code.clone(), message.clone())
            }
        }
    }

    pub(super) fn about(mut self, key: &Key) -> Self {
        let mut details = json!({ "name": key.name, "kind": key.resource.plural() });
        if !key.resource.group().is_empty() {
            details["group"] = json!(key.resource.group());
        }
        self.details = Some(Box::new(details));
        self
    }

    pub(super) fn status(&self) -> Json {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        });
        if let Some(details) = &self.details {
            status["details"] = Json::clone(details);
        }
        status["code"] = json!(self.code.as_u16());
        status
    }
}

/// As messages name a resource.
pub(super) fn qualified(resource: Resource) -> String {
    match resource.group() {
        "" => resource.plural().to_owned(),
        group => format!("{}.{group}", resource.plural()),
    }
}
