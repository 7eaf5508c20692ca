//! What the engine, or the way to it, answered when it was not what was asked for.

use std::error::Error as StdError;
use std::io;

use bollard::errors::Error as Bollard;

use crate::Error;

/// A call that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The engine's name of the call: `docker:ContainerCreate`.
    pub(super) operation: &'static str,
    /// What it was about.
    pub(super) object: String,
    /// Where the engine is.
    pub(super) endpoint: String,
    pub(super) class: Class,
    pub(super) message: String,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The engine answered with this status.
    Answer(u16),
    /// Nobody is there.
    Nobody,
    /// The socket is there, and not for us.
    Forbidden,
    /// The connection broke, or the answer did not come in time; the engine may have done it.
    Broken,
    /// The engine said in the middle of a stream that it failed.
    Stream,
    /// The files for TLS cannot be used.
    Certificates,
}

impl Failure {
    pub(super) fn new(operation: &'static str, object: &str, endpoint: &str, error: &Bollard) -> Self {
        let (class, message) = match error {
            Bollard::DockerResponseServerError { status_code, message } => {
                (Class::Answer(*status_code), message.trim().to_owned())
            }
            Bollard::DockerStreamError { error } => (Class::Stream, error.clone()),
            Bollard::DockerContainerWaitError { error, code } => (Class::Stream, format!("{error} (exit code {code})")),
            Bollard::CertPathError { path } => {
                (Class::Certificates, format!("`{}` cannot be read: expected `ca.pem`, `cert.pem` and `key.pem`", path.display()))
            }
            Bollard::CertParseError { path } | Bollard::CertMultipleKeys { path, .. } => {
                (Class::Certificates, format!("`{}` is not what it has to be: {error}", path.display()))
            }
            Bollard::SocketNotFoundError(path) => (Class::Nobody, format!("there is no socket `{path}`")),
            other => match io_cause(other) {
                Some((class, cause)) if class != Class::Broken => (class, cause),
                _ => (Class::Broken, chain(other)),
            },
        };
        Self { operation, object: object.to_owned(), endpoint: endpoint.to_owned(), class, message }
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.class == Class::Answer(404)
    }

    /// A name is taken, or what is to go away is in use.
    pub(super) fn is_conflict(&self) -> bool {
        self.class == Class::Answer(409)
    }

    /// Whether the engine says one of these, whatever the letters' case. Its errors have no codes.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        words.iter().any(|word| message.contains(word))
    }
}

/// The input or output error at the root, if that is what it is.
fn io_cause(error: &Bollard) -> Option<(Class, String)> {
    let mut cause: Option<&(dyn StdError + 'static)> = match error {
        // It stands for its cause, and so does not name it as one.
        Bollard::IOError { err } => Some(err),
        other => Some(other),
    };
    while let Some(this) = cause {
        if let Some(io) = this.downcast_ref::<io::Error>() {
            let class = match io.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable => Class::Nobody,
                io::ErrorKind::PermissionDenied => Class::Forbidden,
                _ => Class::Broken,
            };
            return Some((class, io.to_string()));
        }
        cause = this.source();
    }
    None
}

fn chain(error: &Bollard) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(this) = cause {
        let more = this.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = this.source();
    }
    text
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { operation, object, endpoint, class, message } = failure;
        let engine = format!("the Docker engine at `{endpoint}`");
        match class {
            Class::Nobody => Self::Unreachable {
                endpoint: engine,
                message: format!(
                    "{message}. Start Docker (`docker info` shows whether it runs), or say where it is with `host` or `context`, \
                     or DOCKER_HOST"
                ),
            },
            Class::Forbidden => Self::Unreachable {
                endpoint: engine,
                message: format!(
                    "{message}. Its socket is not open to this user: join its group with `sudo usermod -aG docker \"$USER\"` and \
                     log in again (whoever is in that group can become root)"
                ),
            },
            Class::Certificates => Self::Settings { setting: "cert_path", message },
            Class::Broken => Self::Api { operation, object, code: String::new(), message },
            Class::Stream => Self::Api { operation, object, code: "failed".to_owned(), message },
            Class::Answer(401 | 403) => Self::Denied { operation, object, message },
            Class::Answer(status) => Self::Api { operation, object, code: status.to_string(), message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: &Bollard) -> Failure {
        Failure::new("docker:SystemInfo", "the engine", "unix:///var/run/docker.sock", error)
    }

    fn io(kind: io::ErrorKind) -> Bollard {
        Bollard::IOError { err: io::Error::new(kind, "os says no") }
    }

    #[test]
    fn no_engine_and_no_permission_say_what_to_do() {
        insta::assert_snapshot!(
            Error::from(failure(&Bollard::SocketNotFoundError("/var/run/docker.sock".to_owned()))),
            @"the Docker engine at `unix:///var/run/docker.sock` does not answer: there is no socket `/var/run/docker.sock`. Start Docker (`docker info` shows whether it runs), or say where it is with `host` or `context`, or DOCKER_HOST"
        );
        insta::assert_snapshot!(
            Error::from(failure(&io(io::ErrorKind::PermissionDenied))),
            @r#"the Docker engine at `unix:///var/run/docker.sock` does not answer: os says no. Its socket is not open to this user: join its group with `sudo usermod -aG docker "$USER"` and log in again (whoever is in that group can become root)"#
        );
        assert_eq!(failure(&io(io::ErrorKind::ConnectionRefused)).class, Class::Nobody);
        assert_eq!(failure(&io(io::ErrorKind::ConnectionReset)).class, Class::Broken);
    }

    #[test]
    fn certificates_that_cannot_be_read_are_a_setting() {
        let path = std::path::PathBuf::from("/certs/ca.pem");
        insta::assert_snapshot!(
            Error::from(failure(&Bollard::CertPathError { path })),
            @"`cert_path`: `/certs/ca.pem` cannot be read: expected `ca.pem`, `cert.pem` and `key.pem`"
        );
    }

    #[test]
    fn the_engines_own_words_are_kept() {
        let conflict = failure(&Bollard::DockerResponseServerError {
            status_code: 409,
            message: "Conflict. The container name \"/a\" is already in use\n".to_owned(),
        });
        assert!(conflict.is_conflict() && conflict.says(&["already in use"]));
        assert_eq!(
            Error::from(conflict).to_string(),
            "docker:SystemInfo for the engine failed: 409: Conflict. The container name \"/a\" is already in use"
        );
    }
}
