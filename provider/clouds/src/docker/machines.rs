//! Talos nodes as containers, set up as Talos' own provisioner for Docker sets them up (`pkg/provision/providers/docker` in
//! its source): privileged, with a read-only root, memory file systems and volumes where Talos writes, and the machine config
//! in the environment.
//!
//! Talos upgrades no container: another version is another container on the same volumes and in the same place ([`rebuild`]).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use futures_util::future::try_join_all;
use zeroize::Zeroizing;

use super::containers::{self, Wanted};
use super::inventory::{Container, FRESH, SHARED, State, Volume};
use super::labels::{self, ADDRESS, MACHINE, MACHINE_TYPE};
use super::marks::{self, Marked};
use super::places::{self, Place, Port};
use super::{Docker, ZONE, images, naming, network, proxy, roots};
use crate::tags::{self, Tags, machine_name, role_name};
use crate::{Error, Kind, Machine, MachineRole, MachineSpec, MachineStatus, Result, Root, Scope, UserDataTooLarge};

const TALOS: u16 = 50000;
const USER_DATA: &str = "USERDATA";
/// Linux takes strings of 32 pages at most from a program that starts another (`MAX_ARG_STRLEN`), the last byte a zero.
const LONGEST_VARIABLE: usize = 32 * 4096 - 1;
/// Where Talos keeps things in memory.
const MEMORY: [&str; 3] = ["/run", "/system", "/tmp"];
/// What is on its disks: EPHEMERAL and STATE. It outlives the container.
const DISKS: [&str; 2] = ["/var", "/system/state"];
/// What it writes over its image, which the engine fills from there: the image's own, gone with the container.
const OVERLAYS: [&str; 4] = ["/etc/cni", "/etc/kubernetes", "/usr/libexec/kubernetes", "/opt"];
/// How often machines are looked at while nodes are waited for.
const WATCH: Duration = Duration::from_secs(3);

/// That the machine config fits in a variable of the environment.
pub(super) fn check_user_data(user_data: &[u8]) -> std::result::Result<(), UserDataTooLarge> {
    let size = USER_DATA.len() + 1 + user_data.len().div_ceil(3) * 4;
    if size <= LONGEST_VARIABLE { Ok(()) } else { Err(UserDataTooLarge { size, limit: LONGEST_VARIABLE }) }
}

/// The machine that a container is, by its labels.
fn machine(docker: &Docker, container: &Container, set: &Tags) -> Option<Machine> {
    let mut tags = container.labels.clone();
    let role = match tags.get(tags::ROLE)?.as_str() {
        "control-plane" => MachineRole::ControlPlane,
        "worker" => MachineRole::Worker,
        _ => return None,
    };
    tags.extend(set.clone());
    Some(Machine {
        id: container.id.clone(),
        role,
        pool: tags.get(tags::POOL).cloned().unwrap_or_default(),
        index: tags.get(tags::INDEX)?.parse().ok()?,
        machine_type: tags.get(MACHINE_TYPE).cloned().unwrap_or_default(),
        zone: ZONE.to_owned(),
        status: match container.state {
            State::Running => MachineStatus::Running,
            // One that was made and not started is no more on its way than one that was stopped.
            State::Created | State::Paused | State::Restarting | State::Stopped | State::Dead => MachineStatus::Stopped,
            State::Removing => MachineStatus::Terminated,
        },
        private_ip: places::address(container),
        public_ip: None,
        talos_address: places::outside(container, TALOS).map(|port| format!("{}:{port}", docker.published().at)),
        image_id: container.image.clone(),
        bundle_fingerprint: tags.get(tags::BUNDLE).cloned().unwrap_or_default(),
        tags,
    })
}

/// The cluster's machines that are not gone.
pub(super) async fn list(docker: &Docker, root_id: &str, age: Duration) -> Result<Vec<Machine>> {
    let Some((root, _)) = roots::one(docker, Kind::Cluster, root_id, age).await? else { return Ok(Vec::new()) };
    let (containers, volumes) = tokio::try_join!(docker.containers(age), docker.volumes(age))?;
    // One that was set aside is the machine only until another one has its place.
    let replaced = |container: &Container| {
        let machine = naming::machine_of(&container.name);
        machine != container.name && containers.iter().any(|other| other.name == machine)
    };
    let ours = containers
        .iter()
        .filter(|container| labels::belongs_to_cluster(&container.labels, &root.scope, &root.name) && !replaced(container));
    let mut machines: Vec<Machine> =
        ours.filter_map(|container| machine(docker, container, &marks::machine_tags(&volumes, &container.id))).collect();
    machines.retain(|machine| machine.status != MachineStatus::Terminated);
    machines.sort_by(|a, b| (a.role, &a.pool, a.index, &a.id).cmp(&(b.role, &b.pool, b.index, &b.id)));
    Ok(machines)
}

/// Makes one machine, or finds the one that an earlier try has made, and waits until it runs. The name leaves room for one
/// only, so the one that it replaces goes first. A [`rebuild`] that was cut short is gone on with.
pub(super) async fn create(docker: &Docker, scope: &Scope, cluster: &str, spec: &MachineSpec) -> Result<Machine> {
    let short = machine_name(spec.role, &spec.pool, spec.index);
    let name = naming::machine(scope, cluster, spec.role, &spec.pool, spec.index);
    let object = format!("machine `{short}` of cluster `{cluster}`");
    let standing = containers::find(docker, &name).await?;
    if standing.is_none()
        && let Some(old) = containers::find(docker, &naming::set_aside(&name)).await?
    {
        images::ensure(docker, &spec.image_id).await?;
        let wanted = wanted(docker, scope, cluster, spec, &short, name, object).await?;
        return Box::pin(take_over(docker, &old, wanted)).await;
    }
    if let Some(old) = standing.as_ref().filter(|old| Some(&old.id) == spec.replaces.as_ref()) {
        terminate(docker, std::slice::from_ref(&old.id)).await?;
    }
    if standing.is_none_or(|old| Some(&old.id) == spec.replaces.as_ref()) {
        images::ensure(docker, &spec.image_id).await?;
        // A machine that was removed in haste has left its volumes, and Talos would boot from what they hold.
        remove_volumes(docker, &name).await?;
    }
    let wanted = wanted(docker, scope, cluster, spec, &short, name, object.clone()).await?;
    start(docker, &wanted).await
}

/// Sees that the machine runs.
async fn start(docker: &Docker, wanted: &Wanted) -> Result<Machine> {
    let made = containers::ensure(docker, wanted).await?;
    let set = marks::machine_tags(&docker.volumes(FRESH).await?, &made.id);
    machine(docker, &made, &set).ok_or_else(|| Error::Foreign {
        object: format!("container `{}`", wanted.name),
        message: format!("remove it with `docker rm -f {}`", wanted.name),
    })
}

/// Makes a machine again from `spec`, with its volumes, address and ports. Its container is set aside under another name until
/// the next one runs, so that at each moment one of the two says what the machine is.
pub(super) async fn rebuild(docker: &Docker, scope: &Scope, cluster: &str, id: &str, spec: &MachineSpec) -> Result<Machine> {
    let short = machine_name(spec.role, &spec.pool, spec.index);
    let name = naming::machine(scope, cluster, spec.role, &spec.pool, spec.index);
    let object = format!("machine `{short}` of cluster `{cluster}`");
    let aside = naming::set_aside(&name);
    images::ensure(docker, &spec.image_id).await?;
    let wanted = wanted(docker, scope, cluster, spec, &short, name.clone(), object.clone()).await?;
    let standing = containers::find(docker, &name).await?;
    let old = match (containers::find(docker, &aside).await?, standing) {
        (Some(old), standing) => {
            if let Some(other) = standing.filter(|standing| standing.image != spec.image_id) {
                containers::stop_and_remove(docker, &other.id).await?;
            }
            old
        }
        (None, Some(done)) if done.image == spec.image_id => return start(docker, &wanted).await,
        (None, Some(old)) if old.id == id => {
            containers::rename(docker, &object, &old.id, &aside).await?;
            old
        }
        (None, _) => return Err(Error::NotFound { object, message: format!("container `{id}` was removed") }),
    };
    Box::pin(take_over(docker, &old, wanted)).await
}

/// Puts a container in the place and on the volumes of one that was set aside, which goes.
async fn take_over(docker: &Docker, old: &Container, mut wanted: Wanted) -> Result<Machine> {
    containers::stop(docker, &old.id).await;
    wanted.place = Place::of(old);
    let machine = start(docker, &wanted).await?;
    containers::remove(docker, &old.id).await?;
    Ok(machine)
}

async fn wanted(
    docker: &Docker,
    scope: &Scope,
    cluster: &str,
    spec: &MachineSpec,
    short: &str,
    name: String,
    object: String,
) -> Result<Wanted> {
    let config = |error: UserDataTooLarge| Error::Api {
        operation: "docker:ContainerCreate",
        object: object.clone(),
        code: "UserDataTooLarge".to_owned(),
        message: error.to_string(),
    };
    check_user_data(&spec.user_data).map_err(config)?;
    let (cpus, gib) = images::parse(&spec.machine_type).ok_or_else(|| Error::NotFound {
        object: format!("machine type `{}`", spec.machine_type),
        message: "expected a form such as `2cpu-4gib`".to_owned(),
    })?;
    let facts = docker.engine().facts().await?;
    if facts.cgroups == 1 {
        tracing::warn!(
            "the Docker engine uses control groups of version 1, which the kubelet refuses from Kubernetes 1.35: boot its machine with \
             `systemd.unified_cgroup_hierarchy=1`"
        );
    }
    let mut bears = labels::of_cluster(scope, cluster, &spec.tags);
    for (key, value) in [
        (tags::ROLE, role_name(spec.role).to_owned()),
        (tags::POOL, spec.pool.clone()),
        (tags::INDEX, spec.index.to_string()),
        (tags::BUNDLE, spec.bundle_fingerprint.clone()),
        (MACHINE_TYPE, spec.machine_type.clone()),
    ] {
        bears.insert(key.to_owned(), value);
    }
    if let Some(replaces) = &spec.replaces {
        bears.insert(tags::REPLACES.to_owned(), replaces.clone());
    }
    let memory = i64::from(gib) << 30;
    // The engine refuses more than its machine has.
    let cpus = i64::from(cpus.min(facts.cpus));
    Ok(Wanted {
        object,
        scope: scope.clone(),
        network: network::need(docker, scope).await?,
        ports: vec![Port { inside: TALOS, outside: None }],
        place: None,
        body: ContainerCreateBody {
            hostname: Some(naming::host(cluster, short)),
            image: Some(spec.image_id.clone()),
            env: Some(vec![
                "PLATFORM=container".to_owned(),
                format!("TALOSSKU={cpus}CPU-{}RAM", memory >> 20),
                format!("{USER_DATA}={}", STANDARD.encode(&*spec.user_data)),
            ]),
            ..ContainerCreateBody::default()
        },
        host: HostConfig {
            privileged: Some(true),
            // An engine that maps users has no privileged containers but in its own user namespace.
            userns_mode: Some("host".to_owned()),
            readonly_rootfs: Some(true),
            security_opt: Some(vec!["seccomp=unconfined".to_owned()]),
            nano_cpus: Some(cpus * 1_000_000_000),
            memory: Some(memory),
            // No swap beyond it: the kubelet refuses to start where there is some.
            memory_swap: Some(memory),
            mounts: Some(mounts(&name, &bears)),
            sysctls: Some(HashMap::from([("net.ipv6.conf.all.disable_ipv6".to_owned(), "0".to_owned())])),
            ..HostConfig::default()
        },
        labels: bears,
        name,
        files: None,
        ports_setting: "host",
    })
}

fn mounts(machine: &str, bears: &Tags) -> Vec<Mount> {
    let own = [tags::ENVIRONMENT, tags::REGION, tags::CLUSTER, tags::ROLE, tags::POOL, tags::INDEX];
    let mut labels: HashMap<String, String> =
        own.iter().filter_map(|key| Some(((*key).to_owned(), bears.get(*key)?.clone()))).collect();
    labels.insert(MACHINE.to_owned(), machine.to_owned());
    let memory =
        MEMORY.iter().map(|path| Mount { typ: Some(MountType::TMPFS), target: Some((*path).to_owned()), ..Mount::default() });
    let volume = |path: &str, name: Option<String>| Mount {
        typ: Some(MountType::VOLUME),
        source: name,
        target: Some(path.to_owned()),
        volume_options: Some(MountVolumeOptions { labels: Some(labels.clone()), ..MountVolumeOptions::default() }),
        ..Mount::default()
    };
    let disks = DISKS.iter().map(|path| volume(path, Some(naming::volume(machine, path))));
    let overlays = OVERLAYS.iter().map(|path| volume(path, None));
    memory.chain(disks).chain(overlays).collect()
}

/// What a machine booted from.
pub(super) async fn user_data(docker: &Docker, id: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(encoded) = containers::environment(docker, id, USER_DATA).await? else { return Ok(None) };
    STANDARD.decode(encoded.as_bytes()).map(|plain| Some(Zeroizing::new(plain))).map_err(|error| Error::Api {
        operation: "docker:ContainerInspect",
        object: format!("container `{id}`"),
        code: "USERDATA".to_owned(),
        message: format!("its machine config cannot be read: {error}"),
    })
}

/// Sets a tag of a machine.
pub(super) async fn tag(docker: &Docker, id: &str, key: &str, value: &str) -> Result<()> {
    let containers = docker.containers(FRESH).await?;
    let found = containers.iter().find(|container| container.id == id).and_then(|container| {
        let scope = Scope {
            environment: container.labels.get(tags::ENVIRONMENT)?.clone(),
            region: container.labels.get(tags::REGION)?.clone(),
        };
        Some(Marked { id: id.to_owned(), name: container.name.clone(), incarnation: id.to_owned(), scope })
    });
    let marked =
        found.ok_or_else(|| Error::NotFound { object: format!("container `{id}`"), message: "it was removed".to_owned() })?;
    marks::tag_machine(docker, &marked, key, value).await
}

/// Ends machines and removes them, with their volumes and marks: nothing is left that a shutdown would be good for.
pub(super) async fn terminate(docker: &Docker, ids: &[String]) -> Result<()> {
    let containers = docker.containers(FRESH).await?;
    let machine_of = |container: &Container| naming::machine_of(&container.name).to_owned();
    let machines: BTreeSet<String> = containers.iter().filter(|one| ids.contains(&one.id)).map(machine_of).collect();
    try_join_all(machines.iter().map(|machine| {
        // With what was set aside of it.
        let own: Vec<&Container> = containers.iter().filter(|container| machine_of(container) == *machine).collect();
        async move {
            try_join_all(own.iter().map(|container| containers::remove(docker, &container.id))).await?;
            remove_volumes(docker, machine).await
        }
    }))
    .await?;
    Ok(())
}

/// A machine's volumes and marks: what is named after it, or bears its name.
async fn remove_volumes(docker: &Docker, machine: &str) -> Result<()> {
    let prefix = format!("{machine}_");
    let is_own =
        |volume: &Volume| volume.name.starts_with(&prefix) || volume.labels.get(MACHINE).is_some_and(|bearer| bearer == machine);
    remove_those(docker, is_own).await
}

async fn remove_those(docker: &Docker, which: impl Fn(&Volume) -> bool) -> Result<()> {
    let volumes = docker.volumes(FRESH).await?;
    let own: Vec<String> = volumes.iter().filter(|volume| which(volume)).map(|volume| volume.name.clone()).collect();
    try_join_all(own.iter().map(|name| proxy::remove_volume(docker, name))).await?;
    Ok(())
}

/// Removes what applies have left that were cut short: containers that were set aside and have a successor, and volumes of
/// machines that are gone.
pub(super) async fn sweep(docker: &Docker, root: &Root) -> Result<()> {
    let containers = docker.containers(FRESH).await?;
    let succeeded = |container: &&Container| {
        let machine = naming::machine_of(&container.name);
        machine != container.name && containers.iter().any(|other| other.name == machine && other.state == State::Running)
    };
    let ours = containers.iter().filter(|container| labels::belongs_to_cluster(&container.labels, &root.scope, &root.name));
    try_join_all(ours.filter(succeeded).map(|container| containers::stop_and_remove(docker, &container.id))).await?;
    let prefix = format!("{}.", root.id);
    let is_lost = |volume: &Volume| {
        let machine = volume.labels.get(MACHINE).filter(|machine| machine.starts_with(&prefix));
        machine.is_some_and(|machine| !containers.iter().any(|container| naming::machine_of(&container.name) == machine))
    };
    remove_those(docker, is_lost).await
}

/// Ends once one of the machines has ended by itself and was started again, with why that is.
pub(super) async fn watch(docker: &Docker, ids: &[String]) -> Error {
    let mut before: HashMap<&String, i64> = HashMap::new();
    loop {
        for id in ids {
            let Ok(Some(restarts)) = containers::restarts(docker, id).await else { continue };
            if restarts > *before.entry(id).or_insert(restarts) {
                let name = docker.containers(SHARED).await.ok();
                let name = name.and_then(|all| all.iter().find(|one| one.id == *id).map(|one| one.name.clone()));
                let name = name.unwrap_or_else(|| id.clone());
                return containers::ended(docker, &format!("container `{name}`"), &name, id).await;
            }
        }
        tokio::time::sleep(WATCH).await;
    }
}

/// Removes all that a cluster's machines are and have left, at once: nothing of them is needed any more.
pub(super) async fn remove_all(docker: &Docker, root: &Root) -> Result<()> {
    let containers = docker.containers(FRESH).await?;
    let machines = containers.iter().filter(|container| {
        labels::belongs_to_cluster(&container.labels, &root.scope, &root.name)
            && container.labels.contains_key(tags::ROLE)
            && container.labels.contains_key(ADDRESS)
    });
    try_join_all(machines.map(|container| containers::remove(docker, &container.id))).await?;
    let prefix = format!("{}.", root.id);
    let is_own = |volume: &Volume| {
        volume.name.starts_with(&prefix) || volume.labels.get(MACHINE).is_some_and(|machine| machine.starts_with(&prefix))
    };
    remove_those(docker, is_own).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_of_a_variable() {
        // 4 for every 3 bytes, and `USERDATA=` before.
        let most = (LONGEST_VARIABLE - 9) / 4 * 3;
        assert_eq!(check_user_data(&vec![b'x'; most]), Ok(()));
        let refused = check_user_data(&vec![b'x'; most + 1]).unwrap_err();
        assert!(refused.size > refused.limit);
        assert_eq!(USER_DATA.len() + 1 + STANDARD.encode(vec![b'x'; most + 1]).len(), refused.size);
    }

    #[test]
    fn a_volumes_labels_find_it_and_do_not_hold_secrets() {
        let scope = Scope { environment: "dev".to_owned(), region: "local".to_owned() };
        let bears = labels::of_cluster(&scope, "prod", &Tags::from([("team".to_owned(), "x".to_owned())]));
        let mounts = mounts("inferadb.dev.local.prod.general-0", &bears);
        assert_eq!(mounts.len(), MEMORY.len() + DISKS.len() + OVERLAYS.len());
        let volume = mounts.iter().find(|mount| mount.target.as_deref() == Some("/system/state")).unwrap();
        assert_eq!(volume.source.as_deref(), Some("inferadb.dev.local.prod.general-0_system-state"));
        let labels = volume.volume_options.as_ref().unwrap().labels.as_ref().unwrap();
        assert_eq!(labels.len(), 4);
        // What the next image brings must not hide behind what this one brought.
        let overlay = mounts.iter().find(|mount| mount.target.as_deref() == Some("/opt")).unwrap();
        assert_eq!(overlay.source, None);
    }
}
