//! The client of one node.

use std::{future::Future, net::IpAddr, sync::Arc, time::Duration};

use http::Uri;
use proto::{cosi::resource::state_client::StateClient, talos::machine::machine_service_client::MachineServiceClient};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;
use tonic::{Request, Status};

use super::{
    API_PORT, Error, ErrorKind, Identity, IdentityError,
    connection::{Connection, Http, is_local, root_cause},
};

/// What Talos' own client allows; a machine config or member list is far below.
const LARGEST_MESSAGE: usize = 32 << 20;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A call's deadline unless [`Client::with_deadline`] says otherwise: enough for a busy node, short enough to find out
/// that a connection is half-open.
const DEADLINE: Duration = Duration::from_secs(10);

/// One node's API. Cheap to clone; clones share the connection, which is made by the first call and again after it broke.
#[derive(Clone)]
pub struct Client {
    node: Arc<Node>,
    deadline: Duration,
}

struct Node {
    address: String,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// Whether a call that broke with its connection is made again at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It only reads.
    Yes,
    /// It changes something: the caller looks first.
    No,
}

impl Client {
    /// A client for `address`: an IP address or host name, with `:PORT` where that is not [`API_PORT`]. The node's
    /// certificate must bear the address. Does not connect yet.
    pub fn new(address: &str, identity: &Identity) -> Result<Self, IdentityError> {
        Ok(Self::with_tls(address, identity.tls()?))
    }

    pub(super) fn with_tls(address: &str, tls: Arc<ClientConfig>) -> Self {
        let (host, port) = split(address);
        let name = ServerName::try_from(host.to_owned())
            // A name that TLS cannot ask for matches no certificate either: the handshake then says so.
            .unwrap_or_else(|_| ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()));
        Self {
            node: Arc::new(Node {
                address: address.to_owned(),
                host: host.to_owned(),
                port,
                name,
                tls: TlsConnector::from(tls),
                connection: Mutex::new(None),
            }),
            deadline: DEADLINE,
        }
    }

    /// The same client with another deadline for each call.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { node: Arc::clone(&self.node), deadline }
    }

    /// The address as it was given.
    pub fn address(&self) -> &str {
        &self.node.address
    }

    pub(super) fn error(&self, call: &'static str, kind: ErrorKind) -> Error {
        Error { node: self.node.address.clone(), call, kind }
    }

    pub(super) fn error_from_code(&self, call: &'static str, code: tonic::Code, message: String) -> Error {
        self.error(call, ErrorKind::from_code(code, message, self.deadline))
    }

    /// A method of the machine service.
    pub(super) async fn machine<T, F>(
        &self,
        call: &'static str,
        repeat: Repeat,
        method: impl Fn(MachineServiceClient<Http>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.call(call, repeat, |http, origin| {
            method(
                MachineServiceClient::with_origin(http, origin)
                    .max_decoding_message_size(LARGEST_MESSAGE)
                    .max_encoding_message_size(LARGEST_MESSAGE),
            )
        })
        .await
    }

    /// A method of COSI's state service.
    pub(super) async fn state<T, F>(&self, call: &'static str, method: impl Fn(StateClient<Http>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Status>>,
    {
        self.call(call, Repeat::Yes, |http, origin| {
            method(StateClient::with_origin(http, origin).max_decoding_message_size(LARGEST_MESSAGE))
        })
        .await
    }

    /// A request that tells the node how long we wait, so that it gives up with us.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        request
    }

    async fn call<T, F>(&self, call: &'static str, repeat: Repeat, method: impl Fn(Http, Uri) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let deadline = Instant::now() + self.deadline;
        loop {
            let (connection, reused) = self.connection(deadline).await.map_err(|kind| self.error(call, kind))?;
            let outcome = timeout_at(deadline, method(connection.http(), Uri::from_static("https://apid"))).await;
            let (kind, broken) = match outcome {
                Ok(Ok(answer)) => {
                    connection.touch();
                    return Ok(answer);
                }
                Ok(Err(status)) if is_local(&status) => {
                    let kind = connection.refusal().unwrap_or_else(|| ErrorKind::Unreachable(root_cause(&status)));
                    (kind, true)
                }
                Ok(Err(status)) => {
                    connection.touch();
                    let kind = ErrorKind::from_code(status.code(), status.message().to_owned(), self.deadline);
                    return Err(self.error(call, kind));
                }
                // Slow or half-open: nothing tells which, so the next call gets a connection of its own.
                Err(_) => (ErrorKind::DeadlineExceeded(self.deadline), false),
            };
            self.discard(&connection).await;
            if !(broken && reused && repeat == Repeat::Yes && matches!(kind, ErrorKind::Unreachable(_))) {
                return Err(self.error(call, kind));
            }
        }
    }

    /// The connection in use, or a new one; whether it had been used before.
    async fn connection(&self, deadline: Instant) -> Result<(Arc<Connection>, bool), ErrorKind> {
        let late =
            |_| ErrorKind::Unreachable(format!("no connection within {} s", CONNECT_WITHIN.min(self.deadline).as_secs_f32()));
        // Held while connecting: calls that come meanwhile share what comes of it.
        let mut current = timeout_at(deadline, self.node.connection.lock()).await.map_err(late)?;
        if let Some(connection) = current.as_ref().filter(|connection| connection.is_fresh()) {
            return Ok((Arc::clone(connection), true));
        }
        let node = &self.node;
        let open = Connection::open(&node.host, node.port, node.name.clone(), &node.tls);
        let opened = timeout(CONNECT_WITHIN.min(self.deadline), open).await.map_err(late)??;
        let opened = Arc::new(opened);
        *current = Some(Arc::clone(&opened));
        Ok((opened, false))
    }

    /// Forgets a connection that failed, unless another call has replaced it already.
    async fn discard(&self, failed: &Arc<Connection>) {
        let mut current = self.node.connection.lock().await;
        if current.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, failed)) {
            *current = None;
        }
    }
}

/// `host`, `host:port`, `v6` or `[v6]:port`.
fn split(address: &str) -> (&str, u16) {
    if address.parse::<IpAddr>().is_ok() {
        return (address, API_PORT);
    }
    match address.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            Ok(port) => (host.trim_start_matches('[').trim_end_matches(']'), port),
            Err(_) => (address, API_PORT),
        },
        None => (address, API_PORT),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_address_brings_its_port_or_gets_talos_own() {
        assert_eq!(split("10.0.0.1"), ("10.0.0.1", 50000));
        assert_eq!(split("10.0.0.1:5"), ("10.0.0.1", 5));
        assert_eq!(split("node.example.org"), ("node.example.org", 50000));
        assert_eq!(split("fd00::1"), ("fd00::1", 50000));
        assert_eq!(split("[fd00::1]:5"), ("fd00::1", 5));
    }
}
