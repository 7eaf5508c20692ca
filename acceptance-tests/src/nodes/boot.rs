//! A machine's way from power-on to a running node, and down again.

use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;

use flate2::read::GzDecoder;
use rcgen::ExtendedKeyUsagePurpose;
use tokio::time::sleep;

use super::host::Host;
use super::listener::{self, Port};
use super::machine::{Api, Health, Machine, Stage};
use super::machine_config::{Authority, MachineConfig};
use super::pki::{self, Issued, PkiError, Subject};
use super::world::BootFailure;
use super::{etcd_service, kubelet, machinery};

/// Unpacked configs larger than this are no configs.
const UNPACKED_LIMIT: u64 = 8 << 20;

/// Boots: reads the disk, or on the first boot the user data.
pub(super) async fn run(host: Arc<Host>, id: String, boot: u64) {
    let shared = &host.shared;
    sleep(shared.timing.boot).await;
    let (disk, user_data, talos) = {
        let world = shared.look();
        let Some(machine) = world.machines.get(&id) else { return };
        (machine.disk.config.clone(), machine.instance.user_data.clone(), machine.disk.talos.clone())
    };
    let config = match disk {
        Some(config) => config,
        None if user_data.as_bytes().is_empty() => return maintain(&host, &id, boot),
        None => {
            let loaded = match unpack(user_data.as_bytes()) {
                Ok(bytes) => {
                    shared.change(|world| world.configs.push(String::from_utf8_lossy(&bytes).into_owned()));
                    machinery::load(&shared.libraries, &talos, &bytes).await.map_err(|error| error.to_string())
                }
                Err(error) => Err(format!("the user data cannot be unpacked: {error}")),
            };
            match loaded {
                Ok(config) => config,
                Err(message) => {
                    tracing::warn!(instance = id, "the node has no API, as its user data is refused: {message}");
                    shared.change(|world| world.fail(BootFailure { instance_id: id.clone(), message }));
                    return;
                }
            }
        }
    };
    start(host, id, boot, config).await;
}

/// Takes gzip off, as Talos does with user data.
fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).take(UNPACKED_LIMIT).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// Without a config: an API that takes one from anyone.
fn maintain(host: &Arc<Host>, id: &str, boot: u64) {
    let (hostname, addresses) = {
        let world = host.shared.look();
        let Some(machine) = world.machines.get(id) else { return };
        (machine.hostname(), [machine.address(), IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])])
    };
    let tls = match pki::maintenance_tls(&hostname, &addresses) {
        Ok(tls) => tls,
        Err(error) => return tracing::error!(instance = id, "no maintenance API: {error}"),
    };
    host.shared.change(|world| {
        if let Some(machine) = world.booted(id, boot) {
            machine.stage = Stage::Maintenance;
            up(machine, "machined", "Service started as goroutine");
            up(machine, "containerd", "Process containerd started");
            machine.api = Some(Api { tls, maintenance: true });
        }
    });
    listener::open(host, id, boot, &Port::Talos { maintenance: true });
}

fn up(machine: &mut Machine, id: &'static str, started: &str) {
    machine.note_service(id, "Starting", "Starting service");
    machine.note_service(id, "Preparing", "Running pre state");
    machine.note_service(id, "Preparing", "Creating service runner");
    machine.note_service(id, "Running", started);
    machine.note_health(id, Health::Good);
}

/// Runs a config: from here the node has its own API.
pub(super) async fn start(host: Arc<Host>, id: String, boot: u64, config: MachineConfig) {
    let shared = &host.shared;
    let control_plane = config.is_control_plane();
    shared.change(|world| {
        if let Some(machine) = world.booted(&id, boot) {
            machine.stage = Stage::Booting;
            machine.api = None;
            machine.disk.config = Some(config.clone());
            machine.config = Some(config.clone());
            machine.config_version = 1;
            if machine.service("machined").is_none() {
                up(machine, "machined", "Service started as goroutine");
                up(machine, "containerd", "Process containerd started");
            }
            up(machine, "cri", "Process containerd started");
            up(machine, "udevd", "Process systemd-udevd started");
            machine.note_service("apid", "Starting", "Starting service");
            machine.note_service("apid", "Waiting", "Waiting for service \"containerd\" to be \"up\", api certificates");
            if control_plane {
                machine.note_service("etcd", "Starting", "Starting service");
                machine.note_service(
                    "etcd",
                    "Waiting",
                    "Waiting for service \"cri\" to be \"up\", time sync, network, etcd spec",
                );
                machine.note_service("etcd", "Preparing", "Running pre state");
            }
            machine.note_service("kubelet", "Starting", "Starting service");
            machine.note_service("kubelet", "Waiting", "Waiting for service \"cri\" to be \"up\", time sync, network");
            machine.note_service("kubelet", "Preparing", "Running pre state");
        }
    });
    let api =
        if control_plane { serve_with(&host, &id, &config, config.talos_authority()) } else { signed(&host, &id, &config).await };
    let api = match api {
        Ok(api) => api,
        Err(error) => {
            let message = format!("the API has no certificate: {error}");
            tracing::warn!(instance = id, "{message}");
            shared.change(|world| world.fail(BootFailure { instance_id: id.clone(), message }));
            return;
        }
    };
    shared.change(|world| {
        if let Some(machine) = world.booted(&id, boot) {
            machine.api = Some(api);
            up(machine, "apid", "Started task apid for container apid");
            if control_plane {
                up(machine, "trustd", "Started task trustd for container trustd");
            }
        }
    });
    listener::open(&host, &id, boot, &Port::Talos { maintenance: false });
    host.spawn(&id, kubelet::run(Arc::clone(&host), id.clone(), boot));
    if control_plane {
        host.spawn(&id, etcd_service::run(Arc::clone(&host), id.clone(), boot));
    }
    host.spawn(&id, settle(Arc::clone(&host), id.clone(), boot));
}

/// Names and addresses that the API's certificate is for.
pub(super) fn api_sans(machine: &Machine, config: &MachineConfig) -> (Vec<String>, Vec<IpAddr>) {
    let mut sans = config.cert_sans();
    sans.push(machine.hostname());
    sans.push(machine.address().to_string());
    // Talos learns of the address that the cloud maps to it from the instance's metadata.
    sans.extend(machine.instance.public_ip.map(|address| address.to_string()));
    let (mut names, addresses) = pki::split_sans(&sans);
    let domain = machine.domain();
    if !domain.is_empty() {
        names.push(format!("{}.{domain}", machine.hostname()));
        names.sort();
    }
    (names, addresses)
}

fn serve_with(host: &Host, id: &str, config: &MachineConfig, authority: Option<Authority>) -> Result<Api, PkiError> {
    let authority = authority.ok_or(PkiError::Authority)?;
    let (hostname, names, addresses, talos) = {
        let world = host.shared.look();
        let machine = world.machines.get(id).ok_or(PkiError::Authority)?;
        let (names, addresses) = api_sans(machine, config);
        (machine.hostname(), names, addresses, machine.disk.talos.clone())
    };
    let issued: Issued = pki::issue(
        &authority,
        &Subject {
            common_name: Some(&hostname),
            organizations: &[],
            names: &names,
            addresses: &addresses,
            usage: ExtendedKeyUsagePurpose::ServerAuth,
            lifetime: time::Duration::days(1),
        },
    )?;
    let tls = pki::talos_tls(&authority.certificate, &issued, super::versions::only_tls13(&talos))?;
    Ok(Api { tls, maintenance: false })
}

/// A worker asks trustd on control-plane nodes until one signs for it.
async fn signed(host: &Host, id: &str, config: &MachineConfig) -> Result<Api, PkiError> {
    let (key, token) = (config.cluster_key(), config.token());
    let authority = host
        .shared
        .until(|world| {
            world
                .peers(&key)
                .filter(|peer| peer.service("trustd").is_some_and(super::machine::Service::is_up))
                .filter_map(|peer| peer.config.as_ref())
                .find(|signer| signer.token() == token)
                .and_then(MachineConfig::talos_authority)
        })
        .await;
    sleep(host.shared.timing.ask).await;
    serve_with(host, id, config, Some(authority))
}

/// Makes the API's certificate anew, as a changed config may want other names in it.
pub(super) fn renew_certificate(host: &Host, id: &str) {
    let found = {
        let world = host.shared.look();
        let Some(config) = world.machines.get(id).and_then(|machine| machine.config.clone()) else { return };
        let key = config.cluster_key();
        let signer = world.peers(&key).filter_map(|peer| peer.config.as_ref()?.talos_authority()).find(|ca| ca.key.is_some());
        let authority = config.talos_authority().filter(|authority| authority.key.is_some()).or(signer);
        (config, authority)
    };
    match serve_with(host, id, &found.0, found.1) {
        Ok(api) => host.shared.change(|world| {
            if let Some(machine) = world.machines.get_mut(id).filter(|machine| machine.api.is_some()) {
                machine.api = Some(api);
            }
        }),
        Err(error) => tracing::warn!(instance = id, "the API keeps its certificate: {error}"),
    }
}

/// The stage becomes `running` when the services are up, and on a control-plane node that nobody bootstraps, after a while.
async fn settle(host: Arc<Host>, id: String, boot: u64) {
    let all_up = host.shared.until(|world| {
        let machine = world.machines.get(&id)?;
        machine.services.iter().all(super::machine::Service::is_up).then_some(())
    });
    let patience = sleep(host.shared.timing.settle);
    tokio::select! {
        () = all_up => {}
        () = patience => {}
    }
    host.shared.change(|world| {
        if let Some(machine) = world.booted(&id, boot).filter(|machine| machine.stage == Stage::Booting) {
            machine.stage = Stage::Running;
        }
    });
}

/// How a machine goes down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Down {
    /// And up again.
    Reboot,
    /// For good.
    Off,
}

/// Takes a machine down: services stop, connections hang without an end, and what comes after is another boot.
pub(super) async fn go_down(host: Arc<Host>, id: String, boot: u64, down: Down) {
    let shared = &host.shared;
    let begun = shared.change(|world| {
        let stage = if down == Down::Reboot { Stage::Rebooting } else { Stage::ShuttingDown };
        let machine = world.booted(&id, boot)?;
        if matches!(machine.stage, Stage::Rebooting | Stage::ShuttingDown) {
            return None;
        }
        machine.stage = stage;
        Some(())
    });
    if begun.is_none() {
        return;
    }
    sleep(shared.timing.down).await;
    host.freeze(&id);
    shared.change(|world| world.power_off(&id));
    if down == Down::Reboot {
        host.power_on(&id);
    }
}
