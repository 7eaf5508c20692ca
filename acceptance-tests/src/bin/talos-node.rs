//! What runs in a container that plays a Talos node.
//!
//! A container of the real image holds a whole Talos. This one holds the node's place: its address, its ports, its volumes and
//! its environment, all as the provider made them. What the node says comes from the simulator on the engine's machine, since
//! what a node may do depends on the other nodes. The two talk through a socket in a folder that the test set-up mounts, [`WORLD`]:
//! `A.B.sock` for containers whose addresses are `A.B.…`, where there is one, so that tests can run side by side, else `nodes.sock`.
//!
//! - `boot ID ADDRESS HOST VERSION USERDATA`, and the connection stays as long as the container runs: its end is the power cut.
//! - `connect ID PORT`, and from there on the bytes of a connection that came to that port.
//!
//! Only the standard library is used, so that one call of `rustc` makes a static program of it.

#![allow(clippy::print_stderr, reason = "a container's log is its standard error")]

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::{env, fs, thread};

const WORLD: &str = "/talos-world";
/// On a volume: the same node as long as its volumes are the same.
const IDENTITY: &str = "/system/state/simulated-id";
/// Talos API, Kubernetes API, and the node ports of the ingress controller.
const PORTS: [u16; 4] = [50_000, 6443, 30_080, 30_443];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the node ends: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let set = |name: &str| env::var(name).unwrap_or_default();
    if set("PLATFORM") != "container" {
        return Err(io::Error::other(format!("PLATFORM is `{}`, and a container's is `container`", set("PLATFORM"))));
    }
    // As Talos does, whose root is read-only: what it writes has to be on a volume or in memory.
    for path in ["/var", "/system", "/system/state", "/run", "/tmp", "/etc/cni", "/etc/kubernetes", "/opt"] {
        fs::write(format!("{path}/.writable"), b"")
            .map_err(|error| io::Error::other(format!("cannot write in `{path}`: {error}")))?;
    }
    if fs::write("/.writable", b"").is_ok() {
        return Err(io::Error::other("the root of the container can be written"));
    }
    let id = identity()?;
    let host = fs::read_to_string("/etc/hostname")?.trim().to_owned();
    for port in PORTS {
        let listener = TcpListener::bind(("0.0.0.0", port))?;
        let id = id.clone();
        thread::spawn(move || accept(&listener, &id, port));
    }
    let mut world = connect()?;
    let version = set("TALOS_VERSION");
    writeln!(world, "boot {id} {} {host} {version} {}", address()?, set("USERDATA"))?;
    eprintln!("node {host} is {id}");
    // The world is there as long as the tests are.
    io::copy(&mut world, &mut io::sink())?;
    Ok(())
}

/// Made on the first boot.
fn identity() -> io::Result<String> {
    if let Ok(id) = fs::read_to_string(IDENTITY) {
        return Ok(id);
    }
    let mut random = [0; 12];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let id: String =
        random.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect();
    fs::write(IDENTITY, &id)?;
    Ok(id)
}

/// To who plays this node.
fn connect() -> io::Result<UnixStream> {
    let address = address()?.to_string();
    let network: Vec<&str> = address.split('.').take(2).collect();
    let own = format!("{WORLD}/{}.sock", network.join("."));
    UnixStream::connect(if fs::exists(&own)? { own } else { format!("{WORLD}/nodes.sock") })
}

/// The address that others see; nothing is sent.
fn address() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect("192.0.2.1:9")?;
    Ok(socket.local_addr()?.ip())
}

fn accept(listener: &TcpListener, id: &str, port: u16) {
    for stream in listener.incoming().flatten() {
        let id = id.to_owned();
        thread::spawn(move || {
            if let Err(error) = relay(&stream, &id, port) {
                eprintln!("a connection to {port} ended: {error}");
            }
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn relay(outside: &TcpStream, id: &str, port: u16) -> io::Result<()> {
    let mut world = connect()?;
    writeln!(world, "connect {id} {port}")?;
    let (mut from_outside, mut to_world) = (outside.try_clone()?, world.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_outside, &mut to_world);
        let _ = to_world.shutdown(Shutdown::Write);
    });
    let mut to_outside = outside;
    io::copy(&mut world, &mut to_outside)?;
    Ok(())
}
