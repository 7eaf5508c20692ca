//! Answers and refusals, in the words of each service's protocol.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::request::Service;
use super::xml::Element;
use crate::ledger::Fault;

/// What goes back to the client.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// An XML document.
    pub(crate) fn xml(element: &Element) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
        Self { status: StatusCode::OK, headers, body: Bytes::from(element.document()) }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.status.is_success()
    }

    /// The answer as a tree. An empty one if it is no XML.
    pub(crate) fn tree(&self) -> Element {
        Element::parse(&self.body).unwrap_or_default()
    }

    /// The same answer with another document.
    #[must_use]
    pub(crate) fn replaced(mut self, element: &Element) -> Self {
        self.body = Bytes::from(element.document());
        self
    }

    /// The service's code in a refusal.
    pub(crate) fn code(&self) -> String {
        let tree = self.tree();
        let error = if tree.name == "Error" { Some(&tree) } else { tree.all("Error").first().copied() };
        let code = error.map(|error| error.text_of("Code").to_owned()).unwrap_or_default();
        if code.is_empty() { format!("HTTP {}", self.status.as_u16()) } else { code }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    /// HTTP 400.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: code.to_owned(), message: message.into() }
    }

    #[must_use]
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// What an injected fault looks like in that service.
    pub(crate) fn from_fault(fault: &Fault, service: Service) -> Self {
        match (fault, service) {
            (Fault::Throttle, Service::Ec2) => {
                Self::new("RequestLimitExceeded", "Request limit exceeded.").with_status(StatusCode::SERVICE_UNAVAILABLE)
            }
            (Fault::Throttle, Service::S3) => {
                Self::new("SlowDown", "Please reduce your request rate.").with_status(StatusCode::SERVICE_UNAVAILABLE)
            }
            (Fault::Throttle, _) => Self::new("Throttling", "Rate exceeded"),
            (Fault::ServerError, Service::Ec2) => {
                Self::new("InternalError", "An internal error has occurred").with_status(StatusCode::INTERNAL_SERVER_ERROR)
            }
            (Fault::ServerError, Service::S3) => {
                Self::new("InternalError", "We encountered an internal error. Please try again.")
                    .with_status(StatusCode::INTERNAL_SERVER_ERROR)
            }
            (Fault::ServerError, _) => Self::new(
                "InternalFailure",
                "The request processing has failed because of an unknown error, exception or failure.",
            )
            .with_status(StatusCode::INTERNAL_SERVER_ERROR),
            (Fault::Refuse { code, message }, _) => {
                let denied = ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"].contains(&code.as_str());
                let status = if denied { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
                Self::new(code, message.clone()).with_status(status)
            }
        }
    }

    /// The refusal as an answer of that service.
    pub(crate) fn answer(&self, service: Service) -> Answer {
        let request_id = "5b0ca1e1-7d0c-4a53-9d51-5a4db0c5a4d8";
        let document = match service {
            Service::Ec2 => Element::new("Response")
                .node(Element::new("Errors").node(Element::new("Error").leaf("Code", &self.code).leaf("Message", &self.message)))
                .leaf("RequestID", request_id),
            Service::S3 => {
                Element::new("Error").leaf("Code", &self.code).leaf("Message", &self.message).leaf("RequestId", request_id)
            }
            _ => Element::new("ErrorResponse")
                .node(
                    Element::new("Error")
                        .leaf("Type", if self.status.is_server_error() { "Receiver" } else { "Sender" })
                        .leaf("Code", &self.code)
                        .leaf("Message", &self.message),
                )
                .leaf("RequestId", request_id),
        };
        Answer { status: self.status, ..Answer::xml(&document) }
    }
}
