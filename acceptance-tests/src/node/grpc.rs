//! gRPC without generated servers: every method of every service comes to one place, as Talos' proxy sees them.

use std::convert::Infallible;
use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tonic::Status;

/// As much as Talos takes in one message.
const MOST: usize = 32 * 1024 * 1024;

/// A call as it came.
pub(super) struct Call {
    /// `machine.MachineService`
    pub(super) service: String,
    /// `Version`
    pub(super) method: String,
    /// Metadata.
    pub(super) headers: HeaderMap,
    /// The request message.
    pub(super) message: Bytes,
}

/// The messages of an answer, encoded.
pub(super) type Answered = Result<Vec<Vec<u8>>, Status>;

type Body = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// Reads a call.
pub(super) async fn receive(request: Request<Incoming>) -> io::Result<Call> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches('/').to_owned();
    let (service, method) = path.split_once('/').ok_or_else(|| io::Error::other(format!("`{path}` is no gRPC method")))?;
    let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if bytes.len() < 5 || bytes.len() > MOST || bytes[0] != 0 {
        return Err(io::Error::other("no whole uncompressed gRPC message"));
    }
    Ok(Call { service: service.to_owned(), method: method.to_owned(), headers: parts.headers, message: bytes.slice(5..) })
}

/// Writes an answer: its messages, then the status as trailers.
pub(super) fn respond(answer: Answered) -> Response<Body> {
    let (messages, status) = match answer {
        Ok(messages) => (messages, Status::new(tonic::Code::Ok, "")),
        Err(status) => (Vec::new(), status),
    };
    let mut frames: Vec<Result<Frame<Bytes>, Infallible>> = messages
        .into_iter()
        .map(|message| {
            let mut frame = BytesMut::with_capacity(message.len() + 5);
            frame.put_u8(0);
            frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
            frame.put_slice(&message);
            Ok(Frame::data(frame.freeze()))
        })
        .collect();
    let mut trailers = HeaderMap::new();
    // Cannot fail for the messages that nodes give.
    let _ = status.add_header(&mut trailers);
    frames.push(Ok(Frame::trailers(trailers)));
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
