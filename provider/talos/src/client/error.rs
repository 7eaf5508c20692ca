//! What a call to a node can end in.

use std::time::Duration;

use tonic::Code;

/// A failed call: which node, which call, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{call}` on node `{node}`: {kind}")]
pub struct Error {
    /// The address that was called.
    pub node: String,
    /// The method, as Talos names it.
    pub call: &'static str,
    /// Why.
    pub kind: ErrorKind,
}

/// The causes that a caller treats differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// No connection, or it broke. The node boots, reboots or is gone.
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
    /// The node refused our client certificate; the alert as TLS names it (`UnknownCA`, `CertificateRequired`,
    /// `BadCertificate`: other cluster, none, wrong usage).
    #[error(
        "the node refused our client certificate (TLS alert `{0}`): it belongs to another cluster, or its certificate authority was changed"
    )]
    TlsRefused(String),
    /// We refused the node's certificate. Another cluster's node answers at this address, or one in maintenance mode.
    #[error(
        "the node shows a certificate that is not this cluster's ({0}): it belongs to another cluster or has no machine config"
    )]
    Untrusted(String),
    /// Our certificate names no user or role that the node knows.
    #[error("not authenticated: {0}")]
    Unauthenticated(String),
    /// Our role may not do this; also a COSI type or namespace that the node does not have.
    #[error("not permitted: {0}")]
    PermissionDenied(String),
    /// The node has no such method: maintenance mode, another Talos version, or a worker asked what only control-plane nodes know.
    #[error("not implemented there: {0}")]
    Unimplemented(String),
    /// The request is wrong, for example a machine config that does not validate.
    #[error("{0}")]
    InvalidArgument(String),
    /// The node's state does not allow it now.
    #[error("{0}")]
    FailedPrecondition(String),
    /// It is there already.
    #[error("{0}")]
    AlreadyExists(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// No answer in time. etcd calls end so while etcd is not up.
    #[error("no answer within {} s", .0.as_secs_f32())]
    DeadlineExceeded(Duration),
    /// The node answered that a part of it does not answer.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Any other gRPC code.
    #[error("{message} (gRPC code `{code:?}`)")]
    Other {
        /// The code.
        code: Code,
        /// The node's words.
        message: String,
    },
    /// The answer is OK but not what the method promises.
    #[error("the answer is not understood: {0}")]
    Malformed(String),
}

impl ErrorKind {
    /// By gRPC code; `deadline` is the call's own.
    pub(super) fn from_code(code: Code, message: String, deadline: Duration) -> Self {
        match code {
            Code::Unauthenticated => Self::Unauthenticated(message),
            Code::PermissionDenied => Self::PermissionDenied(message),
            Code::Unimplemented => Self::Unimplemented(message),
            Code::InvalidArgument => Self::InvalidArgument(message),
            Code::FailedPrecondition => Self::FailedPrecondition(message),
            Code::AlreadyExists => Self::AlreadyExists(message),
            Code::NotFound => Self::NotFound(message),
            Code::DeadlineExceeded => Self::DeadlineExceeded(deadline),
            Code::Unavailable => Self::Unavailable(message),
            code => Self::Other { code, message },
        }
    }

    /// Whether the same call can go well later without anybody mending anything.
    ///
    /// `Unknown` and `Internal` count: Talos answers so while a service behind the method restarts.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::DeadlineExceeded(_) | Self::Unavailable(_) => true,
            Self::Other { code, .. } => {
                matches!(code, Code::Unknown | Code::Internal | Code::Aborted | Code::ResourceExhausted | Code::Cancelled)
            }
            _ => false,
        }
    }
}

impl Error {
    /// See [`ErrorKind::is_transient`].
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}
