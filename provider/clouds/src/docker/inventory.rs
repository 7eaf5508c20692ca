//! What is there: one list of containers, one of volumes, one of networks, shared by all who ask.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use ipnet::Ipv4Net;

use super::Docker;
use crate::Result;
use crate::snapshot::Snapshot;
use crate::tags::{self, Tags};

/// How long a read serves later callers: one refresh of a large state, no more.
pub(super) const SHARED: Duration = Duration::from_secs(5);
/// For those who wait for a change, or are about to make one: now.
pub(super) const FRESH: Duration = Duration::ZERO;

/// A container, ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    /// The image as it was asked for; its id where that name has gone to another image.
    pub(super) image: String,
    pub(super) labels: Tags,
    pub(super) state: State,
    /// Names of its networks, and its address in each.
    pub(super) networks: Vec<(String, Option<Ipv4Addr>)>,
    /// Ports that it publishes now.
    pub(super) ports: Vec<u16>,
}

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Running,
    Paused,
    Restarting,
    Stopped,
    Removing,
    /// The engine failed to remove it.
    Dead,
}

/// A volume of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) labels: Tags,
}

/// A network, ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) labels: Tags,
    pub(super) ranges: Vec<Ipv4Net>,
}

pub(super) struct Inventory {
    containers: Snapshot<Vec<Container>>,
    volumes: Snapshot<Vec<Volume>>,
    networks: Snapshot<Vec<Network>>,
}

impl Inventory {
    pub(super) fn new() -> Self {
        Self { containers: Snapshot::new(), volumes: Snapshot::new(), networks: Snapshot::new() }
    }

    /// Something was written.
    pub(super) fn forget(&self) {
        self.containers.forget();
        self.volumes.forget();
        self.networks.forget();
    }
}

impl Docker {
    /// All containers, running or not, also others', whose ports and addresses are taken.
    pub(super) async fn containers(&self, age: Duration) -> Result<Arc<Vec<Container>>> {
        let docker = self.clone();
        self.inventory()
            .containers
            .get(age, || async move {
                let options = || ListContainersOptions { all: true, ..ListContainersOptions::default() };
                let found = docker
                    .engine()
                    .call("docker:ContainerList", "the containers", |client| async move {
                        client.list_containers(Some(options())).await
                    })
                    .await?;
                Ok(found.into_iter().filter_map(container).collect())
            })
            .await
    }

    /// Our volumes.
    pub(super) async fn volumes(&self, age: Duration) -> Result<Arc<Vec<Volume>>> {
        let docker = self.clone();
        self.inventory()
            .volumes
            .get(age, || async move {
                let ours = || HashMap::from([("label".to_owned(), vec![tags::ENVIRONMENT.to_owned()])]);
                let found = docker
                    .engine()
                    .call("docker:VolumeList", "the volumes", |client| async move {
                        client.list_volumes(Some(ListVolumesOptions { filters: Some(ours()) })).await
                    })
                    .await?;
                let volumes = found.volumes.unwrap_or_default().into_iter();
                Ok(volumes.map(|volume| Volume { name: volume.name, labels: volume.labels.into_iter().collect() }).collect())
            })
            .await
    }

    /// All networks, also others', whose ranges are taken.
    pub(super) async fn networks(&self, age: Duration) -> Result<Arc<Vec<Network>>> {
        let docker = self.clone();
        self.inventory()
            .networks
            .get(age, || async move {
                let found = docker
                    .engine()
                    .call("docker:NetworkList", "the networks", |client| async move {
                        client.list_networks(None::<ListNetworksOptions>).await
                    })
                    .await?;
                Ok(found.into_iter().filter_map(network).collect())
            })
            .await
    }
}

fn container(found: ContainerSummary) -> Option<Container> {
    let labels: Tags = found.labels.unwrap_or_default().into_iter().collect();
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let address = |text: Option<&String>| text.and_then(|text| text.parse().ok());
    let networks = networks.into_iter().map(|(name, end)| {
        let asked = end.ipam_config.as_ref().and_then(|config| address(config.ipv4_address.as_ref()));
        (name, address(end.ip_address.as_ref()).or(asked))
    });
    let mut ports: Vec<u16> = found.ports.unwrap_or_default().iter().filter_map(|port| port.public_port).collect();
    ports.sort_unstable();
    ports.dedup();
    Some(Container {
        id: found.id?,
        name: found.names.unwrap_or_default().first().map(|name| name.trim_start_matches('/').to_owned())?,
        state: match found.state {
            Some(ContainerSummaryStateEnum::CREATED) => State::Created,
            Some(ContainerSummaryStateEnum::RUNNING) => State::Running,
            Some(ContainerSummaryStateEnum::PAUSED) => State::Paused,
            Some(ContainerSummaryStateEnum::DEAD) => State::Dead,
            Some(ContainerSummaryStateEnum::RESTARTING) => State::Restarting,
            Some(ContainerSummaryStateEnum::REMOVING) => State::Removing,
            _ => State::Stopped,
        },
        image: found.image.unwrap_or_default(),
        networks: networks.collect(),
        labels,
        ports,
    })
}

fn network(found: bollard::models::Network) -> Option<Network> {
    let ranges = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let ranges = ranges.iter().filter_map(|config| config.subnet.as_ref()?.parse::<Ipv4Net>().ok());
    Some(Network {
        id: found.id?,
        name: found.name?,
        labels: found.labels.unwrap_or_default().into_iter().collect(),
        ranges: ranges.map(|range| range.trunc()).collect(),
    })
}
