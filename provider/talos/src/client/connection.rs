//! One HTTP/2 connection to a node, and what became of it.

use std::{
    error::Error as _,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::body::Body;

use super::ErrorKind;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A ping is sent where an open call got nothing for so long. grpc-go closes a connection whose client pings more than
/// three times without an answer in between, so no call may stay silent for longer than 40 s.
const PING_AFTER: Duration = Duration::from_secs(10);
const PING_ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// How long the calls of a connection that has ended may take to say why.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Idle for longer, and a new one is made: the node may have rebooted meanwhile.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// A live connection. Its driver ends with it.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: JoinHandle<()>,
    /// Closed once the driver has ended.
    driven: watch::Receiver<()>,
    refusal: Arc<OnceLock<ErrorKind>>,
    used: Mutex<Instant>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Dials, shakes hands, and starts to drive the connection. The caller bounds the time.
    pub(super) async fn open(host: &str, port: u16, name: ServerName<'static>, tls: &TlsConnector) -> Result<Self, ErrorKind> {
        let unreachable = |error: io::Error| ErrorKind::Unreachable(error.to_string());
        let tcp = TcpStream::connect((host, port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let stream = tls.connect(name, tcp).await.map_err(|error| refusal(&error).unwrap_or_else(|| unreachable(error)))?;
        let refusal = Arc::new(OnceLock::new());
        let stream = Watched { stream, refusal: Arc::clone(&refusal) };
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_ANSWERED_WITHIN)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| refusal.get().cloned().unwrap_or_else(|| ErrorKind::Unreachable(error.to_string())))?;
        let (alive, driven) = watch::channel(());
        let task = tokio::spawn(async move {
            // Its calls learn of an error themselves.
            let _ = connection.await;
            drop(alive);
        });
        Ok(Self { sender, driver: task, driven, refusal, used: Mutex::new(Instant::now()) })
    }

    /// Whether a new call may use it.
    pub(super) fn is_fresh(&self) -> bool {
        let used = *self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        !self.sender.is_closed() && self.refusal.get().is_none() && used.elapsed() < FRESH_FOR
    }

    /// Notes that the node answered.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
    }

    /// Why the node (or we) refused the other's certificate, where that is what ended the connection.
    pub(super) fn refusal(&self) -> Option<ErrorKind> {
        self.refusal.get().cloned()
    }

    /// A handle for one call.
    pub(super) fn http(self: &Arc<Self>) -> Http {
        Http { sender: self.sender.clone(), driven: self.driven.clone() }
    }
}

/// The connection as tonic wants a transport.
#[derive(Clone)]
pub(super) struct Http {
    sender: SendRequest<Body>,
    driven: watch::Receiver<()>,
}

impl tower::Service<http::Request<Body>> for Http {
    type Response = http::Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    /// Always: a closed connection is told by the call itself. What is told here, tonic turns into an answer of the node.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (answer, mut driven) = (self.sender.send_request(request), self.driven.clone());
        Box::pin(async move {
            tokio::pin!(answer);
            tokio::select! {
                biased;
                answered = &mut answer => Ok(answered?),
                // A call that is handed over in the moment in which the driver ends is never answered by hyper.
                _ = driven.changed() => match timeout(LAST_WORDS, answer).await {
                    Ok(answered) => Ok(answered?),
                    Err(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
                },
            }
        })
    }
}

/// Remembers the TLS alert that ended a connection. In TLS 1.3 a client's certificate is refused after the handshake,
/// when HTTP/2 already runs, and that layer keeps an error's text only.
struct Watched {
    stream: TlsStream<TcpStream>,
    refusal: Arc<OnceLock<ErrorKind>>,
}

impl Watched {
    fn note(&self, error: &io::Error) {
        if let Some(refusal) = refusal(error) {
            // The first one tells the cause.
            let _ = self.refusal.set(refusal);
        }
    }

    /// A refused client's write fails with `broken pipe`, and the alert that tells why waits to be read: it is read
    /// before the write's failure ends the connection.
    fn fail_write<T>(&mut self, failure: io::Error, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            let mut space = [0; 1024];
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(Ok(())) => return Poll::Ready(Err(failure)),
                Poll::Ready(Err(error)) => {
                    self.note(&error);
                    return Poll::Ready(Err(failure));
                }
                // Its end is on the way: the connection is gone.
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Err(error)) = &polled {
            self.note(error);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(Err(failure)) => self.fail_write(failure, context),
            polled => polled,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Err(failure)) => self.fail_write(failure, context),
            polled => polled,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Who refused whom, where an error of the stream says so.
fn refusal(error: &io::Error) -> Option<ErrorKind> {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())?;
    match tls {
        rustls::Error::AlertReceived(alert) => Some(ErrorKind::TlsRefused(format!("{alert:?}"))),
        rustls::Error::InvalidCertificate(why) => Some(ErrorKind::Untrusted(why.to_string())),
        _ => None,
    }
}

/// The innermost cause of an error: `connection refused` rather than `client error`.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Whether a status was made on our side of the wire.
pub(super) fn is_local(status: &tonic::Status) -> bool {
    status.source().is_some()
}
