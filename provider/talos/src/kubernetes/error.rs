//! What a call to the Kubernetes API can end in.

use crate::client::IdentityError;

/// A failed call; `call` names the request, like `evict pod default/web-0`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The identity or the server's URL cannot be used.
    #[error("the Kubernetes client cannot be set up: {0}")]
    Setup(String),
    /// No connection, no answer in time, or the API server is not ready to answer.
    #[error("{call}: the Kubernetes API at `{server}` cannot be reached: {reason}")]
    Unreachable {
        /// What was asked.
        call: String,
        /// The URL that was called.
        server: String,
        /// In the transport's words.
        reason: String,
    },
    /// The server's certificate is not of this cluster.
    #[error("{call}: the Kubernetes API at `{server}` shows a certificate that is not this cluster's: {reason}")]
    Untrusted {
        /// What was asked.
        call: String,
        /// The URL that was called.
        server: String,
        /// In the transport's words.
        reason: String,
    },
    /// The API answered with an error; 401 means that it does not know our certificate.
    #[error("{call}: the Kubernetes API at `{server}` answered {code}: {message}")]
    Refused {
        /// What was asked.
        call: String,
        /// The URL that was called.
        server: String,
        /// The HTTP status.
        code: u16,
        /// In the API's words.
        message: String,
    },
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        Self::Setup(error.to_string())
    }
}

impl Error {
    /// Whether the same call can go well later without anybody mending anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => *code == 429 || *code >= 500,
            Self::Setup(_) | Self::Untrusted { .. } => false,
        }
    }

    /// The HTTP status, where the API answered.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(super) fn from_kube(call: String, server: &str, error: &kube::Error) -> Self {
        let server = server.to_owned();
        if let kube::Error::Api(status) = error {
            return Self::Refused { call, server, code: status.code, message: status.message.clone() };
        }
        let mut cause: &(dyn std::error::Error + 'static) = error;
        loop {
            if let Some(rustls::Error::InvalidCertificate(why)) = cause.downcast_ref() {
                return Self::Untrusted { call, server, reason: why.to_string() };
            }
            // What an I/O error was made of is not its source.
            let within = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            match within.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| cause.source()) {
                Some(inner) => cause = inner,
                None => return Self::Unreachable { call, server, reason: cause.to_string() },
            }
        }
    }
}
