//! A Docker engine as the cloud of a test.
//!
//! `scripts/with-docker.sh` brings an engine with the simulator's images. With real images the same tests run against real Talos
//! nodes: docs/testing-on-real-talos.md says how.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use acceptance_tests::container_nodes::ContainerNodes;
use acceptance_tests::docker_engine::DockerEngine;
use acceptance_tests::ledger::Ledger;
use acceptance_tests::nodes::{NodeHost, Timing};

use crate::configuration::{Cluster, Configuration};

/// How many tests can use an engine at once.
const NUMBERS: u8 = 40;
/// Bound on an address of the number while a test has it.
const NUMBER_PORT: u16 = 40_017;
/// What real nodes run unless the image's tag says.
const TALOS: &str = "v1.13.9";

/// An engine, and a part of it that this test has for itself.
pub(crate) struct Engine {
    pub(crate) way: DockerEngine,
    /// Who plays the nodes; `None` for real ones.
    pub(crate) nodes: Option<NodeHost>,
    containers: Option<ContainerNodes>,
    number: u8,
    held: Option<TcpListener>,
}

impl Drop for Engine {
    /// What a failed test leaves on the engine must not meet the next one's: nobody gets its number.
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(self.held.take());
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Engine {
    /// The engine that `INFERADB_TEST_DOCKER_HOST` names. `None`, with a line that says so, where there is none.
    pub(crate) fn open() -> Option<Self> {
        let Some(host) = variable("INFERADB_TEST_DOCKER_HOST") else {
            let why = variable("INFERADB_TEST_NO_DOCKER").unwrap_or_else(|| "INFERADB_TEST_DOCKER_HOST is not set".to_owned());
            // Past the capture of output: it is counted at the end.
            let _ = writeln!(std::io::stderr(), "skipped: acceptance tests on Docker: {why}");
            return None;
        };
        let socket = host.strip_prefix("unix://").map(PathBuf::from);
        let socket = socket.unwrap_or_else(|| panic!("INFERADB_TEST_DOCKER_HOST is `{host}`: expected a socket, `unix://…`"));
        let try_number =
            |number: u8| Some((number, TcpListener::bind((Ipv4Addr::new(127, 255, 100 + number, 1), NUMBER_PORT)).ok()?));
        let (number, held) = (0..NUMBERS).find_map(try_number).expect("a number that no other test has");
        let ledger = Ledger::new();
        let played = variable("INFERADB_TEST_TALOS_WORLD").map(|world| {
            let nodes = NodeHost::new(ledger.clone(), Timing::default());
            let socket = Path::new(&world).join(format!("10.{}.sock", second_byte(number)));
            let first = Ipv4Addr::new(127, 60 + number, 0, 1);
            (ContainerNodes::start(&socket, first, nodes.clone()).unwrap(), nodes)
        });
        let (containers, nodes) = played.unzip();
        Some(Self { way: DockerEngine::open(&socket, ledger).unwrap(), nodes, containers, number, held: Some(held) })
    }

    /// Names on an engine are the environment's own.
    pub(crate) fn environment(&self) -> String {
        format!("test{}", self.number)
    }

    pub(crate) fn cidr(&self) -> String {
        format!("10.{}.0.0/20", second_byte(self.number))
    }

    pub(crate) fn env(&self) -> Vec<(String, String)> {
        vec![("DOCKER_HOST".to_owned(), self.way.host())]
    }

    /// The node of a container, as the ledger calls it.
    pub(crate) fn node_at(&self, address: &str) -> Option<String> {
        self.containers.as_ref()?.node_at(address.parse().ok()?)
    }

    /// A region on this engine.
    pub(crate) fn region(&self) -> Configuration {
        let image =
            |attribute: &str, name: &str| variable(name).map(|image| format!("{attribute} = \"{image}\"\n")).unwrap_or_default();
        let docker =
            image("load_balancer_image", "INFERADB_TEST_PROXY_IMAGE") + &image("backup_image", "INFERADB_TEST_STORE_IMAGE");
        let port = u16::from(self.number);
        Configuration {
            environment: self.environment(),
            provider_type: "docker".to_owned(),
            provider_extra: format!("docker {{\n{docker}}}"),
            region_name: "local".to_owned(),
            region_extra: format!("ports = {{ \"80\" = {}, \"443\" = {} }}", 19_000 + port, 19_100 + port),
            ..Configuration::region(self.cidr())
        }
    }

    /// A cluster of the smallest machines.
    pub(crate) fn cluster() -> Cluster {
        let image = variable("INFERADB_TEST_TALOS_IMAGE");
        let tag =
            image.as_deref().and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag).filter(|tag| tag.starts_with('v'));
        Cluster {
            talos_version: tag.unwrap_or(TALOS).to_owned(),
            control_plane_type: "small".to_owned(),
            worker_type: "small".to_owned(),
            image,
            ..Cluster::default()
        }
    }
}

/// Networks of tests lie apart from those of the other tests on engines, and from pods' and services'.
fn second_byte(number: u8) -> u8 {
    120 + number
}
