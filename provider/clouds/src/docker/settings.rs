//! What a user may set about the connection to a Docker engine; names are those of the `kreuzwerker/docker` provider.

use std::path::PathBuf;

/// How to reach a Docker engine. The default follows the environment and the Docker CLI's current context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerSettings {
    /// `unix:///var/run/docker.sock`, `tcp://host:2376`; else that of `context`, else `DOCKER_HOST`, else the CLI's current
    /// context.
    pub host: Option<String>,
    /// Folder with `ca.pem`, `cert.pem` and `key.pem` for TLS; else `DOCKER_CERT_PATH` where `DOCKER_TLS_VERIFY` is set.
    pub cert_path: Option<PathBuf>,
    /// A context of the Docker CLI; else `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// Image of the load balancers instead of the official HAProxy.
    pub load_balancer_image: Option<String>,
    /// Image of backup stores instead of the official Versity S3 Gateway.
    pub backup_image: Option<String>,
}

/// HAProxy 3.2 is a release with long-term support, until 2030 (haproxy.org).
const LOAD_BALANCER_IMAGE: &str = "docker.io/library/haproxy:3.2-alpine";
const BACKUP_IMAGE: &str = "docker.io/versity/versitygw:v1.8.0";

impl DockerSettings {
    pub(super) fn load_balancer_image(&self) -> &str {
        self.load_balancer_image.as_deref().unwrap_or(LOAD_BALANCER_IMAGE)
    }

    pub(super) fn backup_image(&self) -> &str {
        self.backup_image.as_deref().unwrap_or(BACKUP_IMAGE)
    }
}
