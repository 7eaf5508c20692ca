//! Load balancers: real TCP listeners on loopback addresses that pass connections on to targets, and real health checks.
//!
//! Which target a connection goes to, and whether it gets through, is the owner's to say (see [`Routes`]).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long a connection to a target may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long a connection that gets no answer is held before it is closed, as a client's own timeout would.
const BLACK_HOLE: Duration = Duration::from_mins(1);

/// Where a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this target.
    To(SocketAddrV4),
    /// Nowhere: packets get lost, as for a node that reaches itself through a load balancer that keeps client addresses.
    Lost,
    /// Nowhere: there is no target; the connection is reset.
    Refused,
}

/// Chooses a target for each connection of a listener.
pub trait Routes: Send + Sync + 'static {
    /// Called once per connection with the client's address and the listener's port.
    fn choose(&self, client: SocketAddr, port: u16) -> Route;
}

/// A listener and its connections; all of them end when this is dropped.
pub struct Listener {
    stop: CancellationToken,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Listener {
    /// Listens. A port that may not be bound (below 1024 without the right to) is said in the log and left out:
    /// the cloud's books show the listener all the same.
    pub async fn open(address: Ipv4Addr, port: u16, routes: Arc<dyn Routes>) -> Self {
        let stop = CancellationToken::new();
        match TcpListener::bind((address, port)).await {
            Ok(listener) => {
                tokio::spawn(accept(listener, port, routes, stop.clone()));
            }
            Err(error) => {
                tracing::warn!("the load balancer at {address} does not listen on port {port}: {error}");
            }
        }
        Self { stop }
    }
}

async fn accept(listener: TcpListener, port: u16, routes: Arc<dyn Routes>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                let route = routes.choose(client, port);
                let stop = stop.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = pass(stream, route) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!("a load balancer could not accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn pass(mut client: TcpStream, route: Route) {
    match route {
        Route::To(target) => {
            let connecting = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(target)).await;
            if let Ok(Ok(mut server)) = connecting {
                let _ = client.set_nodelay(true);
                let _ = server.set_nodelay(true);
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
        Route::Lost => tokio::time::sleep(BLACK_HOLE).await,
        Route::Refused => {}
    }
}

/// Makes one TCP health check from a load balancer's address: whether the target accepts a connection in time.
pub async fn accepts_connections(from: Ipv4Addr, target: SocketAddrV4, limit: Duration) -> bool {
    let connect = async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        socket.connect(SocketAddr::V4(target)).await
    };
    matches!(tokio::time::timeout(limit, connect).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct Fixed(Route);

    impl Routes for Fixed {
        fn choose(&self, _client: SocketAddr, _port: u16) -> Route {
            self.0
        }
    }

    async fn echo() -> SocketAddrV4 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
        let SocketAddr::V4(address) = listener.local_addr().expect("address") else { panic!("IPv4") };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut byte = [0; 1];
                let _ = stream.read_exact(&mut byte).await;
                let _ = stream.write_all(&byte).await;
            }
        });
        address
    }

    async fn free_port(address: Ipv4Addr) -> u16 {
        TcpListener::bind((address, 0)).await.expect("bind").local_addr().expect("address").port()
    }

    #[tokio::test]
    async fn a_connection_reaches_the_chosen_target() {
        let target = echo().await;
        let address = Ipv4Addr::new(127, 199, 0, 1);
        let port = free_port(address).await;
        let _listener = Listener::open(address, port, Arc::new(Fixed(Route::To(target)))).await;
        let mut stream = TcpStream::connect((address, port)).await.expect("connect");
        stream.write_all(b"x").await.expect("write");
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).await.expect("read");
        assert_eq!(&byte, b"x");
    }

    #[tokio::test]
    async fn without_a_target_the_connection_ends() {
        let address = Ipv4Addr::new(127, 199, 0, 2);
        let port = free_port(address).await;
        let _listener = Listener::open(address, port, Arc::new(Fixed(Route::Refused))).await;
        let mut stream = TcpStream::connect((address, port)).await.expect("connect");
        let mut byte = [0; 1];
        assert_eq!(stream.read(&mut byte).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn a_health_check_tells_who_listens() {
        let limit = Duration::from_secs(1);
        let target = echo().await;
        let closed = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port(Ipv4Addr::LOCALHOST).await);
        assert!(accepts_connections(Ipv4Addr::new(127, 199, 0, 3), target, limit).await);
        assert!(!accepts_connections(Ipv4Addr::new(127, 199, 0, 3), closed, limit).await);
    }
}
