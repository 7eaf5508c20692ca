//! What go-plugin's client calls beside the provider's own service: health, controller, stdio and broker.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, future, stream};
use proto::health::health_check_response::ServingStatus;
use proto::health::health_server::Health;
use proto::health::{HealthCheckRequest, HealthCheckResponse};
use proto::plugin::grpc_broker_server::GrpcBroker;
use proto::plugin::grpc_controller_server::GrpcController;
use proto::plugin::grpc_stdio_server::GrpcStdio;
use proto::plugin::{ConnInfo, Empty, StdioData};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// All four services. They differ in nothing but the end of the process, which they share.
#[derive(Clone)]
pub(crate) struct Plumbing {
    /// Cancelled when the process is to end.
    pub(crate) end: CancellationToken,
}

type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The name under which go-plugin asks for health.
const SERVICE: &str = "plugin";

#[tonic::async_trait]
impl Health for Plumbing {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if service.is_empty() || service == SERVICE {
            return Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }));
        }
        Err(Status::not_found(format!("there is no service `{service}`")))
    }

    type WatchStream = Messages<HealthCheckResponse>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let known = service.is_empty() || service == SERVICE;
        let status = if known { ServingStatus::Serving } else { ServingStatus::ServiceUnknown };
        let first = stream::once(future::ready(Ok(HealthCheckResponse { status: status.into() })));
        Ok(Response::new(Box::pin(first.chain(self.silence()))))
    }
}

#[tonic::async_trait]
impl GrpcController for Plumbing {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.end.cancel();
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Plumbing {
    type StreamStdioStream = Messages<StdioData>;

    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<Self::StreamStdioStream>, Status> {
        // Logs go to the real stderr, which the client reads as well; nothing else is ever printed.
        Ok(Response::new(Box::pin(self.silence())))
    }
}

#[tonic::async_trait]
impl GrpcBroker for Plumbing {
    type StartStreamStream = Messages<ConnInfo>;

    async fn start_stream(&self, request: Request<Streaming<ConnInfo>>) -> Result<Response<Self::StartStreamStream>, Status> {
        // Terraform brokers no connection with a provider, but holds the stream open; so does this side.
        let mut offers = request.into_inner();
        let end = self.end.clone();
        let held = async move {
            let until_closed = async { while let Ok(Some(_)) = offers.message().await {} };
            tokio::select! {
                () = until_closed => {}
                () = end.cancelled() => {}
            }
        };
        Ok(Response::new(Box::pin(stream::once(held).filter_map(|()| future::ready(None)))))
    }
}

impl Plumbing {
    /// No message, until the process ends.
    fn silence<T: Send + 'static>(&self) -> impl Stream<Item = Result<T, Status>> + Send + use<T> {
        stream::pending().take_until(self.end.clone().cancelled_owned())
    }
}
