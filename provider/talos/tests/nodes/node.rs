//! A server that answers gRPC calls as a test says, and whose connections can be cut or frozen.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tonic::Code;

use crate::authority::Authority;

/// What a method answers.
pub(crate) enum Answer {
    /// OK with these messages.
    Messages(Vec<Vec<u8>>),
    /// A failure.
    Failure(Code, String),
    /// Nothing, ever.
    Silence,
}

impl Answer {
    pub(crate) fn one(message: &impl Message) -> Self {
        Self::Messages(vec![message.encode_to_vec()])
    }

    pub(crate) fn failure(code: Code, message: &str) -> Self {
        Self::Failure(code, message.to_owned())
    }
}

type Handler = dyn Fn(&str, &[u8]) -> Answer + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    calls: Mutex<Vec<String>>,
    connections: AtomicUsize,
    /// Connections made before the present epoch are frozen.
    epoch: AtomicUsize,
    open: Mutex<JoinSet<()>>,
}

/// A node. Stops when dropped.
pub(crate) struct FakeNode {
    pub(crate) address: String,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

impl FakeNode {
    /// Answers with `handler`, which gets the method's name and the encoded request.
    pub(crate) async fn start(authority: &Authority, handler: impl Fn(&str, &[u8]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            calls: Mutex::default(),
            connections: AtomicUsize::new(0),
            epoch: AtomicUsize::new(0),
            open: Mutex::default(),
        });
        let tls = TlsAcceptor::from(authority.server());
        let listener = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    let serving = serve(tcp, tls.clone(), Arc::clone(&shared));
                    shared.open.lock().expect("a lock").spawn(serving);
                }
            }
        });
        Self { address, shared, listener }
    }

    /// Answers each method with the next of these, and the last one for ever.
    pub(crate) async fn scripted(authority: &Authority, answers: Vec<Answer>) -> Self {
        let answers = Mutex::new(VecDeque::from(answers));
        Self::start(authority, move |_, _| {
            let mut answers = answers.lock().expect("a lock");
            match answers.len() {
                1 => match answers.front() {
                    Some(Answer::Messages(messages)) => Answer::Messages(messages.clone()),
                    Some(Answer::Failure(code, message)) => Answer::Failure(*code, message.clone()),
                    _ => Answer::Silence,
                },
                _ => answers.pop_front().unwrap_or(Answer::Silence),
            }
        })
        .await
    }

    /// The methods that were called, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.shared.calls.lock().expect("a lock").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Closes all connections.
    pub(crate) fn cut(&self) {
        self.shared.open.lock().expect("a lock").abort_all();
    }

    /// Leaves all connections half-open, as a rebooted node does.
    pub(crate) fn freeze(&self) {
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

async fn serve(tcp: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let epoch = shared.epoch.load(Ordering::SeqCst);
    let wire = Freezing { tcp, epoch, shared: Arc::clone(&shared) };
    let Ok(stream) = tls.accept(wire).await else { return };
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, Infallible> {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    shared.calls.lock().expect("a lock").push(method.clone());
    let (messages, code, text) = match (shared.handler)(&method, body.get(5..).unwrap_or_default()) {
        Answer::Silence => pending().await,
        Answer::Messages(messages) => (messages, Code::Ok, String::new()),
        Answer::Failure(code, text) => (Vec::new(), code, text),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code as i32));
    trailers.insert("grpc-message", HeaderValue::try_from(text.replace('%', "%25").replace('\n', "%0A")).expect("ASCII"));
    let frames = messages
        .into_iter()
        .map(|message| {
            let mut frame = BytesMut::new();
            frame.put_u8(0);
            frame.put_u32(u32::try_from(message.len()).expect("a small message"));
            frame.put_slice(&message);
            Ok(Frame::data(frame.freeze()))
        })
        .chain([Ok(Frame::trailers(trailers))])
        .collect::<Vec<Result<_, Infallible>>>();
    let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
    Ok(Response::builder().header("content-type", "application/grpc").body(body).expect("a response"))
}

/// A TCP stream that falls silent when its epoch is over.
struct Freezing {
    tcp: TcpStream,
    epoch: usize,
    shared: Arc<Shared>,
}

impl Freezing {
    fn frozen(&self) -> bool {
        self.shared.epoch.load(Ordering::SeqCst) != self.epoch
    }
}

impl AsyncRead for Freezing {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.tcp).poll_read(context, buffer);
        if self.frozen() {
            buffer.clear();
            return Poll::Pending;
        }
        polled
    }
}

impl AsyncWrite for Freezing {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.frozen() {
            return Poll::Pending;
        }
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
