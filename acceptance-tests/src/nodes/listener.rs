//! Ports of nodes: who may listen when, TLS, and what becomes of connections when a node goes down.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::api::{self, Caller};
use super::host::Host;
use super::pki;

/// Where the ingress load balancer passes port 443 on to.
const HTTPS_NODE_PORT: u16 = 30_443;
/// How long a handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long a port that is in use is waited for.
const BIND_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection to a node that is down hangs, unless the node is terminated.
const HANG: Duration = Duration::from_mins(10);

/// A port of a node, and who serves it.
#[derive(Clone)]
pub(super) enum Port {
    /// 50000.
    Talos { maintenance: bool },
    /// A node port of the ingress gateway: well with TLS on 30443, not found without on the other.
    Ingress(u16),
}

impl Port {
    fn number(&self) -> u16 {
        match self {
            Self::Talos { .. } => 50_000,
            Self::Ingress(port) => *port,
        }
    }
}

/// Listens on both of the instance's addresses for as long as the service is there.
pub(super) fn open(host: &Arc<Host>, id: &str, boot: u64, port: &Port) {
    let addresses: Vec<Ipv4Addr> = {
        let world = host.shared.look();
        let Some(machine) = world.machines.get(id) else { return };
        let own = std::iter::once(machine.instance.private_ip).chain(machine.instance.public_ip);
        own.map(|address| host.shared.listens_at(address)).collect()
    };
    for address in addresses {
        let (host_of_task, id_of_task, port) = (Arc::clone(host), id.to_owned(), port.clone());
        host.spawn(id, async move {
            let closed = closed(&host_of_task, &id_of_task, boot, &port);
            let close = CancellationToken::new();
            let _close_guard = close.clone().drop_guard();
            tokio::select! {
                () = closed => {}
                () = listen(&host_of_task, &id_of_task, (address, port.number()), &port, &close) => {}
            }
        });
    }
}

/// Comes when a service is there no more although the boot goes on.
async fn closed(host: &Host, id: &str, boot: u64, port: &Port) {
    host.shared
        .until(|world| {
            let Some(machine) = world.machines.get(id).filter(|machine| machine.boot == boot && !machine.off) else {
                return None; // The boot's own end sees to it.
            };
            let open = match port {
                Port::Talos { maintenance } => machine.api.as_ref().is_some_and(|api| api.maintenance == *maintenance),
                Port::Ingress(_) => true,
            };
            (!open).then_some(())
        })
        .await;
}

async fn bind(address: (Ipv4Addr, u16)) -> std::io::Result<TcpListener> {
    let begun = tokio::time::Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && begun.elapsed() < BIND_WITHIN => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}

async fn listen(host: &Arc<Host>, id: &str, address: (Ipv4Addr, u16), port: &Port, close: &CancellationToken) {
    let listener = match bind(address).await {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(instance = id, "the node does not listen on {}:{}: {error}", address.0, address.1),
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let (task_host, task_id, port, close) = (Arc::clone(host), id.to_owned(), port.clone(), close.clone());
                let frozen = host.frozen(id);
                host.spawn_lasting(id, async move {
                    let service_ended = async {
                        close.cancelled().await;
                        if frozen.is_cancelled() {
                            // The whole boot ended: nothing closes the connection.
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        () = service_ended => {}
                        () = connection(task_host, task_id, stream, port, frozen.clone()) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(instance = id, "a connection was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Serves one connection. When the boot ends it is neither answered nor closed.
async fn connection(host: Arc<Host>, id: String, stream: TcpStream, port: Port, frozen: CancellationToken) {
    let served = async {
        match port {
            Port::Talos { .. } => talos(&host, &id, stream).await,
            Port::Ingress(HTTPS_NODE_PORT) => gateway(stream).await,
            Port::Ingress(_) => say(stream, "404 Not Found").await,
        }
    };
    tokio::pin!(served);
    tokio::select! {
        biased;
        () = frozen.cancelled() => {
            // `served` keeps the socket, and is not asked to go on.
            tokio::time::sleep(HANG).await;
        }
        () = &mut served => {}
    }
}

/// Answers whatever is asked for as a gateway does whose services are well.
async fn gateway(stream: TcpStream) {
    static TLS: OnceLock<Option<TlsAcceptor>> = OnceLock::new();
    let Some(tls) = TLS.get_or_init(|| pki::gateway_tls().ok().map(TlsAcceptor::from)) else { return };
    let Ok(Ok(mut stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await else { return };
    let mut request = [0; 4096];
    if stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        say(stream, "200 OK").await;
    }
}

async fn say(mut stream: impl AsyncWrite + Unpin, status: &str) {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

async fn talos(host: &Arc<Host>, id: &str, stream: TcpStream) {
    let api = {
        let world = host.shared.look();
        world.machines.get(id).and_then(|machine| machine.api.clone())
    };
    let Some(api) = api else { return };
    let handshake = TlsAcceptor::from(api.tls).accept(stream);
    let Ok(Ok(tls)) = tokio::time::timeout(HANDSHAKE_WITHIN, handshake).await else { return };
    let organizations = tls
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| pki::subject_of(certificate).1)
        .unwrap_or_default();
    let cut = CancellationToken::new();
    let caller = Caller { maintenance: api.maintenance, organizations: Arc::new(organizations), cut: cut.clone() };
    let (host, id) = (Arc::clone(host), id.to_owned());
    let service = service_fn(move |request| {
        let (host, id, caller) = (Arc::clone(&host), id.clone(), caller.clone());
        async move { Ok::<_, std::convert::Infallible>(api::serve(host, id, caller, request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .max_concurrent_streams(1000)
        .serve_connection(TokioIo::new(tls), service);
    tokio::select! {
        () = cut.cancelled() => {}
        _ = connection => {}
    }
}
