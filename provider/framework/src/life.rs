//! When the process ends. A provider that outlives its Terraform would work beside the next one, so it ends within a
//! second of its client's going, whatever it is doing.

use std::io;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a client may be without a connection before it counts as gone: Go's gRPC makes a lost one anew at once.
const RECONNECT: Duration = Duration::from_millis(200);
/// How long the first connection may take to come. go-plugin gives up after a minute.
const FIRST_CLIENT: Duration = Duration::from_mins(1);
/// How often the parent is looked for.
const PARENT: Duration = Duration::from_millis(100);
/// How long the server has to end by itself, once it is to end.
pub(crate) const GRACE: Duration = Duration::from_millis(300);

/// The process's life, seen from its connections.
#[derive(Debug)]
pub(crate) struct Life {
    open: AtomicUsize,
    end: CancellationToken,
    outlives_clients: bool,
    runtime: Handle,
}

impl Life {
    /// Of a process that ends with its last client's connection, or `outlives_clients`. Needs a runtime.
    pub(crate) fn new(end: CancellationToken, outlives_clients: bool) -> Arc<Self> {
        let life = Self { open: AtomicUsize::new(0), end, outlives_clients, runtime: Handle::current() };
        Arc::new(life)
    }

    /// A connection is there, until what this returns is dropped.
    pub(crate) fn connected(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::SeqCst);
        Open(Arc::clone(self))
    }

    fn disconnected(self: &Arc<Self>) {
        if self.open.fetch_sub(1, Ordering::SeqCst) > 1 || self.outlives_clients {
            return;
        }
        let life = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(RECONNECT).await;
            if life.open.load(Ordering::SeqCst) == 0 {
                tracing::info!("the client has gone");
                life.end.cancel();
            }
        });
    }

    /// Ends the process if no client comes at all.
    pub(crate) fn expect_client(self: &Arc<Self>, came: CancellationToken) {
        let life = Arc::clone(self);
        self.runtime.spawn(async move {
            if tokio::time::timeout(FIRST_CLIENT, came.cancelled()).await.is_err() {
                tracing::error!("no client connected within a minute");
                life.end.cancel();
            }
        });
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Open(Arc<Life>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.disconnected();
    }
}

/// Ignores interrupts, and ends on SIGTERM. A terminal sends SIGINT to the whole process group; Terraform then says Stop
/// over the protocol, and needs the provider for that.
pub(crate) fn watch_signals(end: &CancellationToken, interrupts: Interrupts) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let end = end.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => match interrupts {
                    Interrupts::AreIgnored => tracing::debug!("interrupt ignored: the client says when to stop"),
                    Interrupts::End => end.cancel(),
                },
                _ = terminate.recv() => end.cancel(),
            }
        }
    });
    Ok(())
}

/// What SIGINT does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupts {
    /// Nothing.
    AreIgnored,
    /// It ends the process.
    End,
}

/// Watches from a thread of its own, which no busy runtime can hold up. It cancels `end` when the parent has gone (unless
/// `ignore_parent`), and once `end` is cancelled it gives the process a moment and then ends it.
pub(crate) fn watch_process(end: CancellationToken, socket: PathBuf, ignore_parent: bool) -> io::Result<()> {
    let parent = parent_id();
    thread::Builder::new().name("life".to_owned()).spawn(move || {
        let mut ending: Option<Instant> = None;
        loop {
            thread::sleep(PARENT);
            if !ignore_parent && parent_id() != parent {
                end.cancel();
            }
            if end.is_cancelled() && ending.get_or_insert_with(Instant::now).elapsed() > GRACE * 2 {
                exit_now(&socket);
            }
        }
    })?;
    Ok(())
}

/// Work that blocks keeps a runtime from ending, so returning from `main` is not enough.
#[allow(clippy::exit)]
fn exit_now(socket: &Path) -> ! {
    let _ = std::fs::remove_file(socket);
    std::process::exit(0)
}
