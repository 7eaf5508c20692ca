//! One machine: what is on its disk, what runs on it, and what it would say of itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;

use super::machine_config::MachineConfig;
use super::resources::Resources;
use crate::instance_feed::InstanceStarted;

/// What survives a reboot.
#[derive(Clone, Default)]
pub(super) struct Disk {
    /// The config that the next boot reads.
    pub(super) config: Option<MachineConfig>,
    /// etcd's data: which cluster it is of, and as which member.
    pub(super) etcd: Option<EtcdData>,
    /// Talos as it is installed.
    pub(super) talos: String,
}

/// What etcd's data says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EtcdData {
    /// Place in the list of clusters.
    pub(super) cluster: usize,
    /// The member's id.
    pub(super) member: u64,
}

/// Where a machine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Booting,
    Maintenance,
    Running,
    Rebooting,
    ShuttingDown,
    Resetting,
}

impl Stage {
    /// As COSI shows it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Maintenance => "maintenance",
            Self::Running => "running",
            Self::Rebooting => "rebooting",
            Self::ShuttingDown => "shutting down",
            Self::Resetting => "resetting",
        }
    }

    /// Number in `MachineStatusEvent.MachineStage`.
    pub(super) fn number(self) -> i32 {
        match self {
            Self::Booting => 1,
            Self::Maintenance => 3,
            Self::Running => 4,
            Self::Rebooting => 5,
            Self::ShuttingDown => 6,
            Self::Resetting => 7,
        }
    }
}

/// Health of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Not checked yet.
    Unknown,
    Good,
    /// With the last message.
    Bad(String),
}

/// A service of a machine.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) id: &'static str,
    pub(super) state: &'static str,
    pub(super) health: Health,
    pub(super) health_since: SystemTime,
    /// State, message and time.
    pub(super) events: Vec<(&'static str, String, SystemTime)>,
}

impl Service {
    pub(super) fn is_up(&self) -> bool {
        self.state == "Running" && self.health == Health::Good
    }
}

/// What an open API is made of.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) tls: Arc<ServerConfig>,
    /// No config: anyone may come.
    pub(super) maintenance: bool,
}

/// One machine.
pub(super) struct Machine {
    pub(super) instance: InstanceStarted,
    pub(super) disk: Disk,
    /// Which boot this is, from 1: what an earlier boot started must not go on.
    pub(super) boot: u64,
    /// The kernel's name for it.
    pub(super) boot_id: String,
    pub(super) node_id: String,
    pub(super) stage: Stage,
    /// Whether the sequence that the stage names has ended with nothing left running.
    pub(super) off: bool,
    /// The config that runs.
    pub(super) config: Option<MachineConfig>,
    /// How often it changed: the version of the COSI resource.
    pub(super) config_version: u64,
    pub(super) services: Vec<Service>,
    pub(super) api: Option<Api>,
    /// Told to begin a cluster, and not begun yet.
    pub(super) bootstrapping: bool,
    /// etcd's data is not of a member any more: it ends as often as it starts.
    pub(super) etcd_refused: bool,
    /// The Kubernetes API runs here.
    pub(super) api_server: bool,
    /// What the node knows of its own Node object: whether it is ready.
    pub(super) node_ready: Option<bool>,
    pub(super) resources: Resources,
    /// Config to go back to when a try ends, and which try it is.
    pub(super) trial: Option<(u64, MachineConfig)>,
    pub(super) trials: u64,
    /// Past events, as encoded messages.
    pub(super) events: Vec<bytes::Bytes>,
}

impl Machine {
    pub(super) fn new(instance: InstanceStarted, talos: String) -> Self {
        Self {
            instance,
            disk: Disk { talos, ..Disk::default() },
            boot: 0,
            boot_id: String::new(),
            node_id: node_id(),
            stage: Stage::Booting,
            off: true,
            config: None,
            config_version: 0,
            services: Vec::new(),
            api: None,
            bootstrapping: false,
            etcd_refused: false,
            api_server: false,
            node_ready: None,
            resources: Resources::default(),
            trial: None,
            trials: 0,
            events: Vec::new(),
        }
    }

    /// Begins a boot: nothing of the last one runs.
    pub(super) fn power_on(&mut self) -> u64 {
        self.boot += 1;
        self.boot_id = uuid();
        self.stage = Stage::Booting;
        self.off = false;
        self.config = None;
        self.config_version = 0;
        self.services.clear();
        self.api = None;
        self.bootstrapping = false;
        self.etcd_refused = false;
        self.api_server = false;
        self.node_ready = None;
        self.resources = Resources::default();
        self.trial = None;
        self.events.clear();
        self.boot
    }

    /// Address that the node knows.
    pub(super) fn address(&self) -> IpAddr {
        IpAddr::V4(self.instance.private_ip)
    }

    /// The host name: the config's, else the cloud's, without its domain.
    pub(super) fn hostname(&self) -> String {
        let configured = self.config.as_ref().and_then(MachineConfig::hostname);
        let name = configured.unwrap_or_else(|| self.instance.private_dns_name.clone());
        name.split('.').next().unwrap_or_default().to_owned()
    }

    /// The domain that came with it.
    pub(super) fn domain(&self) -> String {
        let configured = self.config.as_ref().and_then(MachineConfig::hostname);
        let name = configured.unwrap_or_else(|| self.instance.private_dns_name.clone());
        name.split_once('.').map(|(_, domain)| domain.to_owned()).unwrap_or_default()
    }

    /// The name of its Node object.
    pub(super) fn nodename(&self) -> String {
        self.hostname().to_ascii_lowercase()
    }

    pub(super) fn is_control_plane(&self) -> bool {
        self.config.as_ref().is_some_and(MachineConfig::is_control_plane)
    }

    pub(super) fn service(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.id == id)
    }

    /// Adds an event to a service, which it is made for if there is none.
    pub(super) fn note_service(&mut self, id: &'static str, state: &'static str, message: impl Into<String>) {
        let now = SystemTime::now();
        if self.service(id).is_none() {
            let new = Service { id, state, health: Health::Unknown, health_since: SystemTime::UNIX_EPOCH, events: Vec::new() };
            let place = self.services.partition_point(|service| service.id < id);
            self.services.insert(place, new);
        }
        if let Some(service) = self.services.iter_mut().find(|service| service.id == id) {
            service.state = state;
            service.events.push((state, message.into(), now));
        }
        self.note_service_event(id);
    }

    /// Sets a service's health, which is an event of it too.
    pub(super) fn note_health(&mut self, id: &'static str, health: Health) {
        let Some(service) = self.services.iter_mut().find(|service| service.id == id) else { return };
        if service.health == health {
            return;
        }
        service.health_since = SystemTime::now();
        let message = match &health {
            Health::Good => Some("Health check successful".to_owned()),
            Health::Bad(message) if service.state == "Running" => Some(format!("Health check failed: {message}")),
            Health::Unknown | Health::Bad(_) => None,
        };
        service.health = health;
        if let Some(message) = message {
            let state = service.state;
            service.events.push((state, message, SystemTime::now()));
            self.note_service_event(id);
        }
    }

    /// Names and reasons of what keeps it from being ready.
    pub(super) fn unmet(&self) -> Vec<(&'static str, String)> {
        if self.stage == Stage::Maintenance {
            return Vec::new();
        }
        let mut reasons: Vec<String> = self
            .services
            .iter()
            .filter(|service| service.state == "Running" && matches!(service.health, Health::Bad(_)))
            .map(|service| format!("{} not healthy", service.id))
            .collect();
        let mut required = vec!["machined", "containerd", "cri", "apid", "kubelet"];
        if self.is_control_plane() {
            required.extend(["etcd", "trustd"]);
        }
        let missing = required.iter().filter(|id| self.service(id).is_none_or(|service| service.state != "Running"));
        reasons.extend(missing.map(|id| format!("{id} not running")));
        let mut unmet = Vec::new();
        if !reasons.is_empty() {
            unmet.push(("services", reasons.join(", ")));
        }
        match self.node_ready {
            None => unmet.push(("nodeReady", format!("node {:?} status is not available yet", self.nodename()))),
            Some(false) => unmet.push(("nodeReady", format!("node {:?} is not ready", self.nodename()))),
            Some(true) => {}
        }
        unmet
    }
}

/// Sixteen random bytes as the kernel writes them.
pub(super) fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The identity that a node gives itself on its first boot.
fn node_id() -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    (0..43).map(|_| char::from(DIGITS[usize::from(rand::random::<u8>()) % DIGITS.len()])).collect()
}
