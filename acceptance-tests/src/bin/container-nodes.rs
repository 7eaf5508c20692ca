//! Plays the nodes of an engine's containers until Ctrl-C: `container-nodes SOCKET`.

use std::path::PathBuf;
use std::process::ExitCode;

use acceptance_tests::container_nodes::{ContainerNodes, FIRST_ADDRESS};
use acceptance_tests::ledger::Ledger;
use acceptance_tests::nodes::{NodeHost, Timing};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Some(socket) = std::env::args_os().nth(1).map(PathBuf::from) else {
        tracing::error!("usage: container-nodes SOCKET");
        return ExitCode::from(2);
    };
    let nodes = NodeHost::new(Ledger::new(), Timing::default());
    let _playing = match ContainerNodes::start(&socket, FIRST_ADDRESS, nodes.clone()) {
        Ok(playing) => playing,
        Err(error) => {
            tracing::error!("cannot listen at `{}`: {error}", socket.display());
            return ExitCode::FAILURE;
        }
    };
    tracing::info!("nodes are played at `{}`", socket.display());
    let _ = tokio::signal::ctrl_c().await;
    for violation in nodes.violations() {
        tracing::error!("{violation}");
    }
    if nodes.violations().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
