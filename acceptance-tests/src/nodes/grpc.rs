//! gRPC as bytes: apid passes messages on without knowing them, and so does this; a method's handler reads its own.

use std::convert::Infallible;
use std::pin::Pin;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use prost::Message;
use tonic::{Code, Status};

/// Messages as long as this are taken (Talos' limit).
pub(super) const MESSAGE_LIMIT: usize = 32 << 20;

/// Messages of an answer, as they come; an error ends them.
pub(super) type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// What a method gives.
pub(super) enum Reply {
    /// One message.
    One(Bytes),
    /// A stream.
    Many(Messages),
}

impl Reply {
    /// One message.
    pub(super) fn message(message: &impl Message) -> Self {
        Self::One(message.encode_to_vec().into())
    }

    /// A stream of messages that are known already, and how it ends.
    pub(super) fn all<M: Message>(messages: &[M], end: Option<Status>) -> Self {
        let items: Vec<Result<Bytes, Status>> =
            messages.iter().map(|message| Ok(message.encode_to_vec().into())).chain(end.map(Err)).collect();
        Self::Many(stream::iter(items).boxed())
    }
}

/// Body of an HTTP answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The message in a request's body.
pub(super) fn message(body: &Bytes) -> Result<Bytes, Status> {
    if body.len() < 5 {
        // A client stream without a message.
        return Ok(Bytes::new());
    }
    if body[0] != 0 {
        return Err(Status::unimplemented("grpc: Decompressor is not installed for grpc-encoding"));
    }
    let length = u32::from_be_bytes([body[1], body[2], body[3], body[4]]) as usize;
    if length > MESSAGE_LIMIT {
        return Err(Status::resource_exhausted(format!("grpc: received message larger than max ({length} vs. {MESSAGE_LIMIT})")));
    }
    if body.len() < 5 + length {
        return Err(Status::internal("the request's message is cut off"));
    }
    Ok(body.slice(5..5 + length))
}

fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    framed.freeze()
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // It writes code, percent-encoded message and details.
    let _ = status.add_header(&mut trailers);
    trailers
}

/// The HTTP answer of a method.
pub(super) fn response(outcome: Result<Reply, Status>) -> Response<Body> {
    let messages: Messages = match outcome {
        Ok(Reply::One(message)) => stream::iter([Ok(message)]).boxed(),
        Ok(Reply::Many(messages)) => messages,
        Err(status) => stream::iter([Err(status)]).boxed(),
    };
    let frames = stream::unfold(Some(messages), |state| async move {
        let mut messages = state?;
        let frame = match messages.next().await {
            Some(Ok(message)) => return Some((Ok(Frame::data(frame(&message))), Some(messages))),
            Some(Err(status)) => Frame::trailers(trailers(&status)),
            None => Frame::trailers(trailers(&Status::new(Code::Ok, ""))),
        };
        Some((Ok::<_, Infallible>(frame), None))
    });
    let mut response = Response::new(UnsyncBoxBody::new(StreamBody::new(frames)));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// Appends who answered to a message: field 1 of it, or of each of the messages in its field 1 where the answer is unary.
pub(super) fn with_metadata(message: &Bytes, unary: bool, metadata: &proto::talos::common::Metadata) -> Bytes {
    let mut field = BytesMut::new();
    prost::encoding::message::encode(1, metadata, &mut field);
    let mut out = BytesMut::new();
    if !unary {
        out.extend_from_slice(message);
        out.extend_from_slice(&field);
        return out.freeze();
    }
    let mut rest = message.clone();
    while let Ok((1, prost::encoding::WireType::LengthDelimited)) = prost::encoding::decode_key(&mut rest) {
        let Ok(length) = prost::encoding::decode_varint(&mut rest) else { break };
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        let inner = rest.split_to(length);
        prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, &mut out);
        prost::encoding::encode_varint((inner.len() + field.len()) as u64, &mut out);
        out.extend_from_slice(&inner);
        out.extend_from_slice(&field);
    }
    out.freeze()
}

/// A failure of one of several nodes, inside of an answer that is OK.
pub(super) fn failure_inside(target: &str, status: &Status, unary: bool) -> Bytes {
    let metadata = proto::talos::common::Metadata {
        hostname: target.to_owned(),
        error: format!("rpc error: code = {} desc = {}", code_name(status.code()), status.message()),
        status: Some(proto::talos::google::rpc::Status {
            code: status.code() as i32,
            message: status.message().to_owned(),
            details: Vec::new(),
        }),
    };
    let empty = if unary { Bytes::from_static(&[0x0a, 0]) } else { Bytes::new() };
    with_metadata(&empty, unary, &metadata)
}

/// Name of a code as Go prints it.
pub(super) fn code_name(code: Code) -> String {
    format!("{code:?}")
}
