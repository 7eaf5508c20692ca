//! Containers, from a name to one that runs.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    ContainerArchiveInfoOptions, CreateContainerOptions, DownloadFromContainerOptions, InspectContainerOptions, LogsOptions,
    RemoveContainerOptions, RenameContainerOptions, StartContainerOptions, StopContainerOptions, UploadToContainerOptions,
};
use futures_util::StreamExt;

use super::failure::Failure;
use super::inventory::{Container, FRESH, Network, State};
use super::places::{Place, Port, Refused};
use super::{Docker, labels};
use crate::pace::Pace;
use crate::tags::Tags;
use crate::{Error, Result, Scope};

/// Bound on the ports and addresses that are tried.
const TRIES: usize = 50;
/// How long one that is being removed by somebody may take.
const REMOVAL: Duration = Duration::from_mins(2);
/// What Talos' own provisioner grants a node to shut down.
const STOP_SECONDS: i32 = 30;
const START: &str = "docker:ContainerStart";

/// A container as it is wanted; the place that it gets is added.
pub(super) struct Wanted {
    /// How it is called in messages.
    pub(super) object: String,
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) network: Network,
    pub(super) ports: Vec<Port>,
    /// The place of the container that this one takes over from, which is off; else one is chosen.
    pub(super) place: Option<Place>,
    pub(super) labels: Tags,
    /// Image, command, environment, host name.
    pub(super) body: ContainerCreateBody,
    /// Mounts, limits, privileges.
    pub(super) host: HostConfig,
    /// Files that it starts with.
    pub(super) files: Option<Files>,
    /// Setting that chooses its ports, for the message that one is taken.
    pub(super) ports_setting: &'static str,
}

/// Files for a container that does not have them.
pub(super) struct Files {
    /// Present where they are.
    pub(super) witness: String,
    /// Folder that the archive is unpacked in.
    pub(super) folder: String,
    pub(super) archive: Vec<u8>,
}

/// What the engine said to a start.
enum Start {
    Ok,
    /// A port of the host, which is in the message, is taken.
    PortTaken(String),
    AddressTaken,
}

/// The container of that name, as it is now.
pub(super) async fn find(docker: &Docker, name: &str) -> Result<Option<Container>> {
    Ok(docker.containers(FRESH).await?.iter().find(|container| container.name == name).cloned())
}

/// Makes the container or finds it, and sees that it runs. The engine gives a name once, so two calls make one container.
pub(super) async fn ensure(docker: &Docker, wanted: &Wanted) -> Result<Container> {
    let mut refused = Refused::default();
    let mut removal = Pace::new(REMOVAL, Duration::from_secs(2));
    for _ in 0..TRIES {
        let Some(standing) = find(docker, &wanted.name).await? else {
            create(docker, wanted, &refused).await?;
            continue;
        };
        if !labels::belongs(&standing.labels, &wanted.scope) {
            return Err(Error::Foreign {
                object: format!("container `{}`", wanted.name),
                message: format!("remove it with `docker rm -f {}`", wanted.name),
            });
        }
        match standing.state {
            State::Running => return Ok(standing),
            State::Removing => {
                if !removal.wait().await {
                    return Err(Error::NotInTime {
                        object: wanted.object.clone(),
                        awaited: "removed",
                        seconds: REMOVAL.as_secs(),
                    });
                }
                continue;
            }
            State::Paused => {
                unpause(docker, &wanted.object, &standing.id).await?;
                continue;
            }
            // What never came up from another image need not be kept; its volumes are.
            State::Restarting if wanted.body.image.as_ref() != Some(&standing.image) => {
                remove(docker, &standing.id).await?;
                continue;
            }
            State::Dead => {
                remove(docker, &standing.id).await?;
                continue;
            }
            State::Restarting => return Err(ended(docker, &wanted.object, &wanted.name, &standing.id).await),
            State::Created => provide(docker, wanted, &standing.id).await?,
            State::Stopped => {}
        }
        match start(docker, &wanted.object, &standing.id).await? {
            Start::Ok => match find(docker, &wanted.name).await? {
                Some(now) if now.state == State::Running => return Ok(now),
                Some(now) if now.state != State::Removing => {
                    return Err(ended(docker, &wanted.object, &wanted.name, &now.id).await);
                }
                _ => {}
            },
            // A place that it has had before was taken while it was off.
            Start::PortTaken(said) if standing.state == State::Stopped || wanted.place.is_some() => {
                return Err(port_taken(docker, wanted, &standing, &said).await?);
            }
            Start::PortTaken(said) => {
                let chosen = super::places::published(&standing);
                let asked: Vec<u16> = wanted.ports.iter().filter_map(|port| port.outside).collect();
                let named: Vec<u16> =
                    chosen.iter().map(|(_, port)| *port).filter(|port| said.contains(&format!(":{port}"))).collect();
                let error = port_taken(docker, wanted, &standing, &said).await?;
                remove(docker, &standing.id).await?;
                if named.iter().any(|port| asked.contains(port)) {
                    return Err(error);
                }
                refused.ports.extend(if named.is_empty() { chosen.into_iter().map(|(_, port)| port).collect() } else { named });
            }
            Start::AddressTaken if standing.state == State::Stopped || wanted.place.is_some() => {
                let address = super::places::address(&standing).map(|address| address.to_string()).unwrap_or_default();
                return Err(Error::Api {
                    operation: START,
                    object: wanted.object.clone(),
                    code: "address taken".to_owned(),
                    message: format!(
                        "another container has its address {address} in network `{}`: `docker network inspect {}` shows which",
                        wanted.network.name, wanted.network.name
                    ),
                });
            }
            Start::AddressTaken => {
                refused.addresses.extend(super::places::address(&standing));
                remove(docker, &standing.id).await?;
            }
        }
    }
    Err(Error::Api {
        operation: START,
        object: wanted.object.clone(),
        code: String::new(),
        message: format!("none of {TRIES} places on the engine's machine was free"),
    })
}

/// Makes it, without starting it, unless somebody else has.
async fn create(docker: &Docker, wanted: &Wanted, refused: &Refused) -> Result<()> {
    // From the choice of a place until the lists show who has it.
    let _one_at_a_time = docker.places().lock().await;
    let containers = docker.containers(FRESH).await?;
    if containers.iter().any(|container| container.name == wanted.name) {
        return Ok(());
    }
    let chosen = || Place::choose(&wanted.name, &wanted.network, &wanted.ports, &containers, refused);
    let place = wanted.place.clone().or_else(chosen).ok_or_else(|| Error::Quota {
        operation: "docker:ContainerCreate",
        object: wanted.object.clone(),
        message: format!("no address is left in network `{}`, or no port on the host", wanted.network.name),
    })?;
    let body = body(docker, wanted, &place);
    let made = docker
        .write("docker:ContainerCreate", &wanted.object, |client| {
            let body = body.clone();
            let options = CreateContainerOptions { name: Some(wanted.name.clone()), ..CreateContainerOptions::default() };
            async move { client.create_container(Some(options), body).await }
        })
        .await;
    match made {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_conflict() && failure.says(&["already in use"]) => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

fn body(docker: &Docker, wanted: &Wanted, place: &Place) -> ContainerCreateBody {
    let key = |port: u16| format!("{port}/tcp");
    let on = docker.published().on;
    let bind = |outside: u16| Some(vec![PortBinding { host_ip: Some(on.clone()), host_port: Some(outside.to_string()) }]);
    let mut labels = wanted.labels.clone();
    labels.extend(place.labels());
    let end = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig { ipv4_address: Some(place.address.to_string()), ..EndpointIpamConfig::default() }),
        ..EndpointSettings::default()
    };
    ContainerCreateBody {
        labels: Some(labels.into_iter().collect()),
        exposed_ports: Some(place.ports.iter().map(|(inside, _)| key(*inside)).collect()),
        host_config: Some(HostConfig {
            network_mode: Some(wanted.network.name.clone()),
            port_bindings: Some(place.ports.iter().map(|(inside, outside)| (key(*inside), bind(*outside))).collect()),
            // A machine that was switched on again has its clusters again.
            restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::UNLESS_STOPPED), maximum_retry_count: None }),
            ..wanted.host.clone()
        }),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(wanted.network.name.clone(), end)])) }),
        ..wanted.body.clone()
    }
}

/// Gives it the files that it starts with, if it does not have them.
async fn provide(docker: &Docker, wanted: &Wanted, id: &str) -> Result<()> {
    match &wanted.files {
        Some(files) if !has(docker, &wanted.object, id, &files.witness).await? => {
            put(docker, &wanted.object, id, &files.folder, &files.archive).await
        }
        _ => Ok(()),
    }
}

/// Whether a path is there.
async fn has(docker: &Docker, object: &str, id: &str, path: &str) -> Result<bool> {
    let found = docker
        .engine()
        .call("docker:ContainerArchiveInfo", object, |client| {
            let (id, options) = (id.to_owned(), ContainerArchiveInfoOptions { path: path.to_owned() });
            async move { client.get_container_archive_info(&id, Some(options)).await }
        })
        .await;
    match found {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// Unpacks an archive in a folder of a container, running or not.
pub(super) async fn put(docker: &Docker, object: &str, id: &str, folder: &str, archive: &[u8]) -> Result<()> {
    docker
        .engine()
        .call("docker:PutContainerArchive", object, |client| {
            let options = UploadToContainerOptions { path: folder.to_owned(), ..UploadToContainerOptions::default() };
            let (id, archive) = (id.to_owned(), archive.to_vec());
            async move { client.upload_to_container(&id, Some(options), bollard::body_full(archive.into())).await }
        })
        .await?;
    Ok(())
}

/// The archive of a path of a container, running or not; empty where there is no such path.
pub(super) async fn get(docker: &Docker, object: &str, id: &str, path: &str) -> Result<Vec<u8>> {
    let found = docker
        .engine()
        .call("docker:ContainerArchive", object, |client| {
            let (id, options) = (id.to_owned(), DownloadFromContainerOptions { path: path.to_owned() });
            async move {
                let mut pieces = Box::pin(client.download_from_container(&id, Some(options)));
                let mut archive = Vec::new();
                while let Some(piece) = pieces.next().await {
                    archive.extend_from_slice(&piece?);
                }
                Ok(archive)
            }
        })
        .await;
    match found {
        Err(failure) if failure.is_not_found() => Ok(Vec::new()),
        answer => Ok(answer?),
    }
}

async fn start(docker: &Docker, object: &str, id: &str) -> Result<Start> {
    let started = docker
        .write(START, object, |client| {
            let id = id.to_owned();
            async move { client.start_container(&id, None::<StartContainerOptions>).await }
        })
        .await;
    match started {
        Ok(()) => Ok(Start::Ok),
        // Removed by somebody: the next look shows it.
        Err(failure) if failure.is_not_found() => Ok(Start::Ok),
        Err(failure) if is_port_taken(&failure) => Ok(Start::PortTaken(failure.message)),
        Err(failure) if failure.says(&["address already in use"]) => Ok(Start::AddressTaken),
        Err(failure) => Err(explain(failure)),
    }
}

/// Docker says `port is already allocated` of a container's, and `bind: address already in use` of any other program's; of an
/// address in the network only `Address already in use`.
fn is_port_taken(failure: &Failure) -> bool {
    failure.says(&["port is already allocated", "ports are not available"])
        || (failure.says(&["address already in use"]) && failure.says(&["bind", "listen"]))
}

/// What the engine's words mean for whoever reads them.
fn explain(failure: Failure) -> Error {
    let hint = if failure.says(&["disable_ipv6"]) {
        "The engine's kernel has no IPv6, which Talos' containers switch on"
    } else if failure.says(&["operation not permitted", "unable to apply caps"]) {
        "The engine may not run privileged containers, which Talos needs: a rootless engine, or one in a container itself, may be why"
    } else if failure.says(&["cgroup"]) {
        "The engine cannot set up control groups: `docker info` shows its `Cgroup Version`, and Talos wants 2"
    } else if failure.says(&["cannot allocate memory", "no space left"]) {
        "The engine's machine is short of memory or disk: `docker system df` shows what takes the disk"
    } else {
        return failure.into();
    };
    let message = format!("{}. {hint}", failure.message);
    Failure { message, ..failure }.into()
}

/// Who has a port of the host.
async fn port_taken(docker: &Docker, wanted: &Wanted, standing: &Container, said: &str) -> Result<Error> {
    let containers = docker.containers(FRESH).await?;
    let ports: Vec<u16> = super::places::published(standing).into_iter().map(|(_, port)| port).collect();
    let port = ports.iter().find(|port| said.contains(&format!(":{port}"))).or(ports.first()).copied().unwrap_or_default();
    let holder = containers.iter().find(|other| other.id != standing.id && other.ports.contains(&port));
    let whose = match holder {
        Some(holder) => format!("container `{}` publishes it", holder.name),
        None => format!("another program of the engine's machine listens on it (`ss -ltnp 'sport = :{port}'` shows which)"),
    };
    Ok(Error::Api {
        operation: START,
        object: wanted.object.clone(),
        code: "port taken".to_owned(),
        message: format!(
            "port {port} of the host is taken: {whose}. Stop that, or choose another port with `{}`",
            wanted.ports_setting
        ),
    })
}

/// How often the engine has started a container again because it ended; `None` where it is gone.
pub(super) async fn restarts(docker: &Docker, id: &str) -> Result<Option<i64>> {
    let inspected = docker
        .engine()
        .call("docker:ContainerInspect", &format!("container `{id}`"), |client| {
            let id = id.to_owned();
            async move { client.inspect_container(&id, None::<InspectContainerOptions>).await }
        })
        .await;
    match inspected {
        Ok(found) => Ok(Some(found.restart_count.unwrap_or_default())),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Lets a container shut down, and starts it again.
pub(super) async fn restart(docker: &Docker, id: &str) -> Result<()> {
    stop(docker, id).await;
    match start(docker, &format!("container `{id}`"), id).await? {
        Start::Ok => Ok(()),
        Start::PortTaken(message) => Err(taken(id, message)),
        Start::AddressTaken => Err(taken(id, "its address is taken".to_owned())),
    }
}

fn taken(id: &str, message: String) -> Error {
    Error::Api { operation: START, object: format!("container `{id}`"), code: "taken".to_owned(), message }
}

async fn unpause(docker: &Docker, object: &str, id: &str) -> Result<()> {
    let done = docker
        .write("docker:ContainerUnpause", object, |client| {
            let id = id.to_owned();
            async move { client.unpause_container(&id).await }
        })
        .await;
    Ok(done?)
}

/// Why a container does not run that was started: its exit code and its last words.
pub(super) async fn ended(docker: &Docker, object: &str, name: &str, id: &str) -> Error {
    let inspected = docker
        .engine()
        .call("docker:ContainerInspect", object, |client| {
            let id = id.to_owned();
            async move { client.inspect_container(&id, None::<InspectContainerOptions>).await }
        })
        .await;
    let state = inspected.ok().and_then(|found| found.state);
    let code = state.as_ref().and_then(|state| state.exit_code).unwrap_or_default();
    let killed = state.as_ref().and_then(|state| state.oom_killed) == Some(true);
    let why = if killed {
        "it was killed for want of memory: choose a larger `machine_type`".to_owned()
    } else {
        format!("it ended with code {code}")
    };
    Error::Api {
        operation: START,
        object: object.to_owned(),
        code: "ended".to_owned(),
        message: format!("{why}. Its last words (`docker logs {name}`):\n{}", last_words(docker, id).await),
    }
}

async fn last_words(docker: &Docker, id: &str) -> String {
    let read = docker
        .engine()
        .call("docker:ContainerLogs", "a container", |client| {
            let options = LogsOptions { stdout: true, stderr: true, tail: "10".to_owned(), ..LogsOptions::default() };
            let id = id.to_owned();
            async move {
                let lines = client.logs(&id, Some(options));
                Ok(lines
                    .take(40)
                    .filter_map(|line| async move { line.ok().map(|line| line.to_string()) })
                    .collect::<String>()
                    .await)
            }
        })
        .await;
    read.unwrap_or_default()
}

/// Gives a container another name.
pub(super) async fn rename(docker: &Docker, object: &str, id: &str, name: &str) -> Result<()> {
    let renamed = docker
        .write("docker:ContainerRename", object, |client| {
            let (id, options) = (id.to_owned(), RenameContainerOptions { name: name.to_owned() });
            async move { client.rename_container(&id, options).await }
        })
        .await;
    Ok(renamed?)
}

/// Lets a container shut down, and removes it with its anonymous volumes.
pub(super) async fn stop_and_remove(docker: &Docker, id: &str) -> Result<()> {
    stop(docker, id).await;
    remove(docker, id).await
}

/// Lets a container shut down.
pub(super) async fn stop(docker: &Docker, id: &str) {
    let _alone = docker.inner.ends.lock().await;
    let object = format!("container `{id}`");
    let stopped = docker
        .write("docker:ContainerStop", &object, |client| {
            let options = StopContainerOptions { t: Some(STOP_SECONDS), ..StopContainerOptions::default() };
            let id = id.to_owned();
            async move { client.stop_container(&id, Some(options)).await }
        })
        .await;
    if let Err(failure) = stopped
        && !failure.is_not_found()
    {
        tracing::info!(container = id, message = failure.message, "it does not shut down, and is taken away all the same");
    }
}

/// Removes a container at once, and waits until it is gone.
pub(super) async fn remove(docker: &Docker, id: &str) -> Result<()> {
    let mut pace = Pace::new(REMOVAL, Duration::from_secs(2));
    loop {
        let alone = docker.inner.ends.lock().await;
        let removed = docker
            .write("docker:ContainerDelete", &format!("container `{id}`"), |client| {
                let options = RemoveContainerOptions { v: true, force: true, ..RemoveContainerOptions::default() };
                let id = id.to_owned();
                async move { client.remove_container(&id, Some(options)).await }
            })
            .await;
        drop(alone);
        match removed {
            Err(failure) if failure.is_not_found() => return Ok(()),
            // Somebody removes it already.
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(failure.into()),
            Ok(()) => return Ok(()),
        }
        if !pace.wait().await {
            return Err(Error::NotInTime { object: format!("container `{id}`"), awaited: "removed", seconds: REMOVAL.as_secs() });
        }
    }
}

/// A value of a container's environment.
pub(super) async fn environment(docker: &Docker, id: &str, name: &str) -> Result<Option<zeroize::Zeroizing<String>>> {
    let inspected = docker
        .engine()
        .call("docker:ContainerInspect", &format!("container `{id}`"), |client| {
            let id = id.to_owned();
            async move { client.inspect_container(&id, None::<InspectContainerOptions>).await }
        })
        .await;
    let found = match inspected {
        Err(failure) if failure.is_not_found() => return Ok(None),
        answer => answer?,
    };
    let mut values = found.config.and_then(|config| config.env).unwrap_or_default().into_iter().map(zeroize::Zeroizing::new);
    let prefix = format!("{name}=");
    Ok(values.find_map(|value| value.strip_prefix(&prefix).map(|value| zeroize::Zeroizing::new(value.to_owned()))))
}
