//! Fixed addresses in a region's network, and fixed ports on the host: a container keeps both for life, through restarts of
//! the engine too. They stand in its labels, so that one that does not run keeps them as well.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use sha2::{Digest, Sha256};

use super::inventory::{Container, Network};
use super::labels::{ADDRESS, PUBLISHED};
use super::network;

/// Ports that are given out: below those that Linux takes for outgoing connections (32768), above most services'.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of a container that is published on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// Where the container listens.
    pub(super) inside: u16,
    /// Which one of the host; one that is free unless said.
    pub(super) outside: Option<u16>,
}

/// What a container gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: Ipv4Addr,
    /// Port inside and port on the host.
    pub(super) ports: Vec<(u16, u16)>,
}

/// What turned out to be taken by others that the lists do not show.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    pub(super) addresses: BTreeSet<Ipv4Addr>,
    pub(super) ports: BTreeSet<u16>,
}

impl Place {
    /// The first free address, and free ports: the same for the same name, if they are free. `None` where none is left.
    pub(super) fn choose(
        name: &str,
        network: &Network,
        ports: &[Port],
        containers: &[Container],
        refused: &Refused,
    ) -> Option<Self> {
        let mut taken: BTreeSet<Ipv4Addr> = refused.addresses.clone();
        let mut used: BTreeSet<u16> = refused.ports.clone();
        for container in containers {
            let here = container.networks.iter().filter(|(name, _)| *name == network.name);
            taken.extend(here.filter_map(|(_, address)| *address));
            if container.networks.iter().any(|(name, _)| *name == network.name) {
                taken.extend(container.labels.get(ADDRESS).and_then(|text| text.parse::<Ipv4Addr>().ok()));
            }
            used.extend(&container.ports);
            used.extend(published(container).into_iter().map(|(_, outside)| outside));
        }
        let range = network.ranges.first()?;
        let address = network::ours(*range).find(|address| !taken.contains(address))?;
        used.extend(ports.iter().filter_map(|port| port.outside));
        let mut chosen = Vec::new();
        for port in ports {
            let outside = match port.outside {
                Some(outside) => outside,
                None => candidates(name, port.inside).find(|port| !used.contains(port))?,
            };
            used.insert(outside);
            chosen.push((port.inside, outside));
        }
        Some(Self { address, ports: chosen })
    }

    /// That of a container, which another one is to take over.
    pub(super) fn of(container: &Container) -> Option<Self> {
        Some(Self { address: address(container)?, ports: published(container) })
    }

    /// The labels that say it.
    pub(super) fn labels(&self) -> [(String, String); 2] {
        let ports: Vec<String> = self.ports.iter().map(|(inside, outside)| format!("{inside}={outside}")).collect();
        [(ADDRESS.to_owned(), self.address.to_string()), (PUBLISHED.to_owned(), ports.join(","))]
    }
}

fn candidates(name: &str, inside: u16) -> impl Iterator<Item = u16> {
    let hash = Sha256::digest(format!("{name}:{inside}").as_bytes());
    let start = u16::from_be_bytes([hash[0], hash[1]]) % COUNT;
    (0..COUNT).map(move |step| FIRST + (start + step) % COUNT)
}

/// A container's address, from its label.
pub(super) fn address(container: &Container) -> Option<Ipv4Addr> {
    container.labels.get(ADDRESS).and_then(|text| text.parse().ok())
}

/// Ports that a container publishes whenever it runs: inside and on the host.
pub(super) fn published(container: &Container) -> Vec<(u16, u16)> {
    let text = container.labels.get(PUBLISHED).map(String::as_str).unwrap_or_default();
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
        .collect()
}

/// The port of the host that leads to one of a container's.
pub(super) fn outside(container: &Container, inside: u16) -> Option<u16> {
    published(container).into_iter().find(|(port, _)| *port == inside).map(|(_, outside)| outside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::inventory::State;
    use crate::tags::Tags;

    fn network() -> Network {
        Network {
            id: "n".to_owned(),
            name: "inferadb.dev.local".to_owned(),
            labels: Tags::new(),
            ranges: vec!["10.5.0.0/23".parse().unwrap()],
        }
    }

    fn standing(place: &Place) -> Container {
        Container {
            id: "c".to_owned(),
            name: "c".to_owned(),
            image: String::new(),
            labels: place.labels().into(),
            state: State::Stopped,
            networks: vec![("inferadb.dev.local".to_owned(), None)],
            ports: Vec::new(),
        }
    }

    const PORTS: [Port; 2] = [Port { inside: 6443, outside: None }, Port { inside: 80, outside: Some(8080) }];

    #[test]
    fn a_name_gets_the_same_place_where_it_is_free() {
        let choose =
            |containers: &[Container], refused: &Refused| Place::choose("a", &network(), &PORTS, containers, refused).unwrap();
        let first = choose(&[], &Refused::default());
        assert_eq!(first, choose(&[], &Refused::default()));
        assert_eq!(first.address.to_string(), "10.5.0.2");
        assert_eq!(first.ports[1], (80, 8080));
        // What stands keeps its place while it does not run.
        let second = choose(&[standing(&first)], &Refused::default());
        assert_eq!(second.address.to_string(), "10.5.0.3");
        assert_ne!(second.ports[0], first.ports[0]);
        let refused = Refused { addresses: [first.address].into(), ports: [first.ports[0].1].into() };
        assert_eq!(choose(&[], &refused), second);
    }

    #[test]
    fn labels_read_back() {
        let place = Place { address: "10.5.0.9".parse().unwrap(), ports: vec![(6443, 20001), (50000, 20002)] };
        let container = standing(&place);
        assert_eq!(address(&container), Some(place.address));
        assert_eq!(published(&container), place.ports);
        assert_eq!(outside(&container, 50000), Some(20002));
    }

    #[test]
    fn a_full_network_has_no_place() {
        let all: Vec<Container> = network::ours("10.5.0.0/23".parse().unwrap())
            .map(|address| standing(&Place { address, ports: Vec::new() }))
            .collect();
        assert_eq!(Place::choose("a", &network(), &[], &all, &Refused::default()), None);
    }
}
