//! Nodes in containers: the simulator plays each container that runs `talos-node`.
//!
//! A container brings a node's address, ports, volumes and environment; it says over a Unix socket when it boots, and passes
//! on what connects to it. The node itself is played here, at a loopback address of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::instance_feed::{InstanceHost, InstanceStarted, UserData};
use crate::nodes::NodeHost;

/// A line of a container: a machine config at most.
const LONGEST_LINE: u64 = 1 << 20;
/// Where nodes are played unless another place is asked for: an address each.
pub const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 250, 0, 1);

/// A node that has been seen.
#[derive(Clone, Copy)]
struct Place {
    /// The container's.
    address: Ipv4Addr,
    /// Where it is played.
    here: Ipv4Addr,
}

/// Plays containers until it is dropped.
pub struct ContainerNodes {
    world: Arc<World>,
    _stop: DropGuard,
}

impl ContainerNodes {
    /// Listens at `socket`, which the containers see in `/talos-world`: `nodes.sock`, or `A.B.sock` for those alone whose
    /// addresses are `A.B.…`. Nodes are played from the address `first` on.
    ///
    /// # Errors
    ///
    /// What keeps it from listening there.
    pub fn start(socket: &Path, first: Ipv4Addr, nodes: NodeHost) -> io::Result<Self> {
        if socket.exists() {
            std::fs::remove_file(socket)?;
        }
        let listener = UnixListener::bind(socket)?;
        let stop = CancellationToken::new();
        let world = Arc::new(World { nodes, first, places: Mutex::default() });
        let (ends, listens) = (stop.clone(), Arc::clone(&world));
        tokio::spawn(async move {
            loop {
                let stream = tokio::select! {
                    () = ends.cancelled() => return,
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => stream,
                        Err(error) => {
                            tracing::warn!("a container was not heard: {error}");
                            continue;
                        }
                    },
                };
                let (world, ends) = (Arc::clone(&listens), ends.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = ends.cancelled() => {}
                        heard = world.hear(stream) => {
                            if let Err(error) = heard {
                                tracing::debug!("a container's connection ended: {error}");
                            }
                        }
                    }
                });
            }
        });
        Ok(Self { world, _stop: stop.drop_guard() })
    }

    /// The node of the container with this address: as the ledger calls it.
    pub fn node_at(&self, address: Ipv4Addr) -> Option<String> {
        let places = self.world.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().find(|(_, place)| place.address == address).map(|(id, _)| id.clone())
    }
}

struct World {
    nodes: NodeHost,
    first: Ipv4Addr,
    places: Mutex<BTreeMap<String, Place>>,
}

impl World {
    async fn hear(&self, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        (&mut stream).take(LONGEST_LINE).read_line(&mut line).await?;
        let words: Vec<&str> = line.trim_end_matches('\n').split(' ').collect();
        match words.as_slice() {
            ["boot", id, address, host, version, user_data] => {
                let address = address.parse().map_err(io::Error::other)?;
                let user_data = STANDARD.decode(user_data).map_err(io::Error::other)?;
                self.boot(id, address, host, version, user_data).await;
                // Nothing more comes but the end.
                let ended = stream.read_u8().await;
                self.nodes.stopped(id);
                tracing::info!(node = id, host, "the container ended");
                ended.map(drop)
            }
            ["connect", id, port] => {
                let port: u16 = port.parse().map_err(io::Error::other)?;
                let place = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(*id).copied();
                let place = place.ok_or_else(|| io::Error::other("a node that has not booted"))?;
                let mut node = TcpStream::connect((place.here, port)).await?;
                node.set_nodelay(true)?;
                copy_bidirectional(&mut stream, &mut node).await.map(drop)
            }
            _ => Err(io::Error::other("neither a boot nor a connection")),
        }
    }

    async fn boot(&self, id: &str, address: Ipv4Addr, host: &str, version: &str, user_data: Vec<u8>) {
        let (known, old, here) = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let known = places.contains_key(id);
            // Its container was removed, or it would still have the address.
            let old = places.iter().find(|(other, place)| place.address == address && other.as_str() != id);
            let old = old.map(|(other, _)| other.clone());
            if let Some(old) = &old {
                places.remove(old);
            }
            let next = places.values().map(|place| u32::from(place.here) + 1).max().unwrap_or(u32::from(self.first));
            let here = places.get(id).map_or(Ipv4Addr::from(next), |place| place.here);
            places.insert(id.to_owned(), Place { address, here });
            (known, old, here)
        };
        if let Some(old) = old {
            self.nodes.terminated(&old).await;
        }
        self.nodes.listen_at(address, here);
        tracing::info!(node = id, host, %address, %here, known, "a container boots");
        if known {
            // Another image on the same volumes is another Talos on the same node.
            self.nodes.install(id, version);
            return self.nodes.restarted(id);
        }
        self.nodes.started(InstanceStarted {
            instance_id: id.to_owned(),
            private_ip: address,
            public_ip: None,
            private_dns_name: host.to_owned(),
            user_data: UserData::new(user_data),
            image_id: "talos".to_owned(),
            image_name: format!("talos:{version}"),
            talos_version: Some(version.to_owned()).filter(|version| !version.is_empty()),
            region: "local".to_owned(),
            zone: "local".to_owned(),
            instance_type: String::new(),
            spot: false,
            metadata_hop_limit: 1,
            tags: BTreeMap::new(),
        });
    }
}
