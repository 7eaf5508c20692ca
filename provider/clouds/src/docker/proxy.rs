//! Load balancers: HAProxy in a container, which passes TCP on to the machines that were set as its targets.
//!
//! Its configuration is a file in a volume of the load balancer's name, so it outlives the container. It is written whole and
//! read again on SIGHUP, on which HAProxy lets connections that stand go on.

use std::net::Ipv4Addr;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::KillContainerOptions;

use super::archive::{self, Entry};
use super::containers::{self, Files, Wanted};
use super::inventory::{Container, FRESH, Network, State};
use super::labels::BALANCER;
use super::places::Port;
use super::{Docker, images, marks};
use crate::pace::Pace;
use crate::tags::Tags;
use crate::{Error, Result, Scope};

const FOLDER: &str = "/usr/local/etc/haproxy";
const FILE: &str = "haproxy.cfg";
/// HAProxy takes a few MiB; the limit keeps a mistake in it from taking the host's memory.
const MEMORY: i64 = 256 << 20;
/// How long a volume stays in use after its container was removed.
const RELEASE: Duration = Duration::from_secs(30);

/// Where a load balancer listens, and the machines' port behind that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) listens: u16,
    pub(super) leads_to: u16,
}

/// What a load balancer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Kubernetes and Talos API of a cluster.
    Api,
    /// The region's workers.
    Ingress,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Ingress => "ingress",
        }
    }

    pub(super) const fn listeners(self) -> &'static [Listener] {
        match self {
            Self::Api => &[Listener { listens: 6443, leads_to: 6443 }, Listener { listens: 50000, leads_to: 50000 }],
            Self::Ingress => &[Listener { listens: 80, leads_to: 30080 }, Listener { listens: 443, leads_to: 30443 }],
        }
    }

    fn of(container: &Container) -> Option<Self> {
        let label = container.labels.get(BALANCER)?;
        [Self::Api, Self::Ingress].into_iter().find(|purpose| purpose.as_str() == label)
    }
}

/// A load balancer as it is wanted.
pub(super) struct Proxy<'a> {
    pub(super) name: String,
    pub(super) purpose: Purpose,
    pub(super) scope: &'a Scope,
    pub(super) network: Network,
    /// Volume of its configuration.
    pub(super) volume: String,
    pub(super) ports: Vec<Port>,
    pub(super) labels: Tags,
}

/// Makes a load balancer or finds it, and sees that it runs. A new one has no targets, unless its volume has some.
pub(super) async fn ensure(docker: &Docker, proxy: Proxy<'_>) -> Result<Container> {
    let image = docker.settings().load_balancer_image();
    if containers::find(docker, &proxy.name).await?.is_none() {
        images::ensure(docker, image).await?;
    }
    let mut labels = proxy.labels;
    labels.insert(BALANCER.to_owned(), proxy.purpose.as_str().to_owned());
    let file = format!("{FOLDER}/{FILE}");
    let text = configuration(proxy.purpose, &[]);
    let wanted = Wanted {
        object: format!("load balancer `{}`", proxy.name),
        name: proxy.name,
        scope: proxy.scope.clone(),
        network: proxy.network,
        ports: proxy.ports,
        place: None,
        body: ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec!["haproxy".to_owned()]),
            // Master and worker, so that a signal reads the file again; in the foreground.
            cmd: Some(["-W", "-db", "-f", &file].map(str::to_owned).to_vec()),
            ..ContainerCreateBody::default()
        },
        host: HostConfig {
            memory: Some(MEMORY),
            mounts: Some(vec![Mount {
                typ: Some(MountType::VOLUME),
                source: Some(proxy.volume),
                target: Some(FOLDER.to_owned()),
                // What the image has in that folder is not ours to copy.
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(true),
                    labels: Some(labels.clone().into_iter().collect()),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            }]),
            ..HostConfig::default()
        },
        labels,
        files: Some(Files {
            witness: file,
            folder: FOLDER.to_owned(),
            archive: archive::pack(&[Entry::File(FILE, text.as_bytes())]),
        }),
        ports_setting: "ports",
    };
    containers::ensure(docker, &wanted).await
}

/// Makes exactly these the targets of a load balancer.
pub(super) async fn set_targets(docker: &Docker, name: &str, targets: &[(String, Ipv4Addr)]) -> Result<()> {
    let object = format!("load balancer `{name}`");
    let found = containers::find(docker, name).await?;
    let missing = || Error::NotFound { object: object.clone(), message: "it is gone: apply again to make it".to_owned() };
    let Some(container) = found else { return if targets.is_empty() { Ok(()) } else { Err(missing()) } };
    let purpose = Purpose::of(&container).ok_or_else(missing)?;
    let text = configuration(purpose, targets);
    containers::put(docker, &object, &container.id, FOLDER, &archive::pack(&[Entry::File(FILE, text.as_bytes())])).await?;
    if container.state != State::Running {
        return Ok(());
    }
    docker
        .write("docker:ContainerKill", &object, |client| {
            let id = container.id.clone();
            async move { client.kill_container(&id, Some(KillContainerOptions { signal: "SIGHUP".to_owned() })).await }
        })
        .await?;
    Ok(())
}

/// Where a load balancer leads, by its configuration.
pub(super) async fn targets(docker: &Docker, name: &str) -> Result<Vec<Ipv4Addr>> {
    let Some(container) = containers::find(docker, name).await? else { return Ok(Vec::new()) };
    let object = format!("load balancer `{name}`");
    let archive = containers::get(docker, &object, &container.id, &format!("{FOLDER}/{FILE}")).await?;
    let text = String::from_utf8_lossy(&archive);
    Ok(text.lines().filter_map(target).collect())
}

/// The address in `server NAME ADDRESS:PORT`.
fn target(line: &str) -> Option<Ipv4Addr> {
    let (_, place) = line.trim().strip_prefix("server ")?.split_once(' ')?;
    place.split_once(':')?.0.parse().ok()
}

/// Removes a load balancer, and its volume where that is its own.
pub(super) async fn remove(docker: &Docker, name: &str, volume: Option<&str>) -> Result<()> {
    if let Some(container) = containers::find(docker, name).await? {
        containers::remove(docker, &container.id).await?;
    }
    match volume {
        Some(volume) => remove_volume(docker, volume).await,
        None => Ok(()),
    }
}

/// Removes a volume once the engine has let go of it.
pub(super) async fn remove_volume(docker: &Docker, name: &str) -> Result<()> {
    let mut pace = Pace::new(RELEASE, Duration::from_secs(2));
    loop {
        if !docker.volumes(FRESH).await?.iter().any(|volume| volume.name == name) {
            return Ok(());
        }
        match marks::remove_volume(docker, name).await {
            Err(Error::Api { code, .. }) if code == "409" && pace.wait().await => {}
            answer => return answer,
        }
    }
}

/// HAProxy's configuration. `maxconn` is said because HAProxy takes memory for as many as it may have files open, which in a
/// container is a billion.
fn configuration(purpose: Purpose, targets: &[(String, Ipv4Addr)]) -> String {
    let mut text = "\
global
    maxconn 4096
    hard-stop-after 5m
    log stdout format raw daemon notice

defaults
    mode tcp
    log global
    timeout connect 5s
    timeout check 5s
    timeout client 1h
    timeout server 1h
    default-server check inter 2s fall 3 rise 1 on-marked-down shutdown-sessions
"
    .to_owned();
    for Listener { listens, leads_to } in purpose.listeners() {
        text.extend(["\nlisten port-", &listens.to_string(), "\n    bind :", &listens.to_string(), "\n    balance leastconn\n"]);
        text.extend(targets.iter().map(|(name, address)| format!("    server {name} {address}:{leads_to}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_back() {
        let targets =
            [("general-0".to_owned(), Ipv4Addr::new(10, 5, 0, 7)), ("general-1".to_owned(), Ipv4Addr::new(10, 5, 0, 8))];
        let text = configuration(Purpose::Ingress, &targets);
        let found: std::collections::BTreeSet<Ipv4Addr> = text.lines().filter_map(target).collect();
        assert_eq!(found, targets.into_iter().map(|(_, address)| address).collect());
        assert_eq!(configuration(Purpose::Api, &[]).lines().find_map(target), None);
    }

    #[test]
    fn each_listener_leads_to_each_target() {
        let targets = [
            ("control-plane-0".to_owned(), Ipv4Addr::new(10, 5, 0, 3)),
            ("control-plane-1".to_owned(), Ipv4Addr::new(10, 5, 0, 4)),
        ];
        insta::assert_snapshot!(configuration(Purpose::Api, &targets), @r"
        global
            maxconn 4096
            hard-stop-after 5m
            log stdout format raw daemon notice

        defaults
            mode tcp
            log global
            timeout connect 5s
            timeout check 5s
            timeout client 1h
            timeout server 1h
            default-server check inter 2s fall 3 rise 1 on-marked-down shutdown-sessions

        listen port-6443
            bind :6443
            balance leastconn
            server control-plane-0 10.5.0.3:6443
            server control-plane-1 10.5.0.4:6443

        listen port-50000
            bind :50000
            balance leastconn
            server control-plane-0 10.5.0.3:50000
            server control-plane-1 10.5.0.4:50000
        ");
    }
}
