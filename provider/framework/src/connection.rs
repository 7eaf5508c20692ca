//! The Unix socket that the client connects to.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::life::{Life, Open};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when the process has no file descriptor left for a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// Connections wait for the server in a queue of this length; a client makes one.
const QUEUE: usize = 8;

/// A socket that is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already: nobody needs it then.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Socket {
    /// Makes a socket of a new name in `directory`.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        // Unguessable by hash keys from the system's randomness: nobody else can take the name first.
        let name = format!("plugin{:016x}", RandomState::new().build_hasher().finish());
        let path = directory.join(name);
        let listener = UnixListener::bind(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("no socket at `{}`: {error}", path.display())))?;
        Ok(Self { listener, file: SocketFile(path) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.file.0
    }

    /// Accepts connections until the stream is dropped. `came` is cancelled with the first.
    pub(crate) fn incoming(
        self,
        tls: Option<TlsAcceptor>,
        life: Arc<Life>,
        came: CancellationToken,
    ) -> ReceiverStream<io::Result<Connection>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let Self { listener, file } = self;
        tokio::spawn(async move {
            let _file = file;
            loop {
                let accepted = tokio::select! {
                    () = sender.closed() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                };
                let (sender, tls, life, came) = (sender.clone(), tls.clone(), Arc::clone(&life), came.clone());
                tokio::spawn(async move {
                    match Connection::open(stream, tls, &life).await {
                        Ok(connection) => {
                            came.cancel();
                            // The server has ended: so does the connection.
                            let _ = sender.send(Ok(connection)).await;
                        }
                        Err(error) => tracing::warn!("a connection was refused: {error}"),
                    }
                });
            }
        });
        ReceiverStream::new(receiver)
    }
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    _open: Open,
}

#[derive(Debug)]
enum Stream {
    Plain(UnixStream),
    Tls(Box<tokio_rustls::server::TlsStream<UnixStream>>),
}

impl Connection {
    async fn open(stream: UnixStream, tls: Option<TlsAcceptor>, life: &Arc<Life>) -> io::Result<Self> {
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(tls) => Stream::Tls(Box::new(tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await??)),
        };
        Ok(Self { stream, _open: life.connected() })
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
