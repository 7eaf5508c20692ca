//! From the process's start to its end.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use proto::health::health_server::HealthServer;
use proto::plugin::grpc_broker_server::GrpcBrokerServer;
use proto::plugin::grpc_controller_server::GrpcControllerServer;
use proto::plugin::grpc_stdio_server::GrpcStdioServer;
use proto::tfplugin5::provider_server::ProviderServer;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::connection::Socket;
use crate::handshake::{self, Start};
use crate::life::{self, Interrupts, Life};
use crate::plumbing::Plumbing;
use crate::provider::Provider;
use crate::service::Service;
use crate::tls::AutoMtls;
use crate::{logs, panics};

/// HTTP/2's flow control, wide enough for a large state in one flight.
const WINDOW: u32 = 4 << 20;

/// Runs the provider until its client is done with it: all that a `main` has to do, on a multi-thread runtime.
///
/// Terraform starts the process. Started by hand it says so and fails; started with `--debug` (or
/// `--debug=registry.terraform.io/acme/example`) it prints what to set for Terraform to attach, and serves until it is
/// interrupted.
pub async fn serve<P: Provider>(provider: P) -> ExitCode {
    logs::install(P::NAME, P::LOG_TARGETS);
    panics::install_hook();
    let start = Start::of_process(P::NAME);
    if start == Start::Stray {
        let _ = io::stderr().lock().write_all(handshake::explanation(P::NAME).as_bytes());
        return ExitCode::FAILURE;
    }
    match run(provider, start).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the provider cannot serve: {error}");
            let _ = writeln!(io::stderr().lock(), "The `{}` provider cannot serve: {error}", P::NAME);
            ExitCode::FAILURE
        }
    }
}

async fn run<P: Provider>(provider: P, start: Start) -> io::Result<()> {
    let end = CancellationToken::new();
    let is_debug = matches!(start, Start::Debug { .. });
    // Before anyone knows of the process: an interrupt may come at any time.
    life::watch_signals(&end, if is_debug { Interrupts::End } else { Interrupts::AreIgnored })?;
    let life = Life::new(end.clone(), is_debug);
    let came = CancellationToken::new();

    let (socket, tls) = match &start {
        Start::Client { certificate, directory } => {
            let tls = certificate.as_deref().map(AutoMtls::new).transpose().map_err(io::Error::other)?;
            life.expect_client(came.clone());
            (Socket::bind(directory)?, tls)
        }
        Start::Debug { .. } | Start::Stray => (Socket::bind(&std::env::temp_dir())?, None),
    };
    life::watch_process(end.clone(), socket.path().to_owned(), is_debug)?;
    let greeting = match &start {
        Start::Debug { address } => handshake::reattach(address, socket.path(), std::process::id()),
        Start::Client { .. } | Start::Stray => handshake::line(socket.path(), tls.as_ref().map(|tls| tls.certificate.as_str())),
    };

    let acceptor = tls.map(|tls| TlsAcceptor::from(tls.config));
    let incoming = socket.incoming(acceptor, Arc::clone(&life), came);
    {
        let mut stdout = io::stdout().lock();
        stdout.write_all(greeting.as_bytes())?;
        stdout.flush()?;
    }

    // A Stop ends what runs; the end of the process does so too.
    let service = Service::new(provider, end.child_token());
    let plumbing = Plumbing { end: end.clone() };
    let server = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .add_service(
            ProviderServer::new(service)
                // Go's client sends what it likes: a state may be large.
                .max_decoding_message_size(usize::MAX)
                .max_encoding_message_size(usize::MAX),
        )
        .add_service(HealthServer::new(plumbing.clone()))
        .add_service(GrpcControllerServer::new(plumbing.clone()))
        .add_service(GrpcStdioServer::new(plumbing.clone()))
        .add_service(GrpcBrokerServer::new(plumbing))
        .serve_with_incoming_shutdown(incoming, end.clone().cancelled_owned());
    let mut server = std::pin::pin!(server);
    tokio::select! {
        result = &mut server => result.map_err(io::Error::other),
        () = async { end.cancelled().await; tokio::time::sleep(life::GRACE).await } => Ok(()),
    }
}
