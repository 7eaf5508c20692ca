//! The life of one node: boot, etcd, kubelet, reboot, end.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{self, NodeConfig, Role};
use super::{Broken, Cluster, World, api, tls};
use crate::instance_feed::InstanceStarted;
use crate::kube_api::{self, KubeCluster, NodeRegistration, ServingIdentity};

/// apid.
const API_PORT: u16 = 50_000;
/// Where the ingress of a worker answers.
const INGRESS_PORTS: [u16; 2] = [30_080, 30_443];

/// A machine.
pub(super) struct Node {
    pub(super) world: Arc<World>,
    instance: InstanceStarted,
    state: Mutex<State>,
    /// Bumped when something was asked of the node.
    asked: watch::Sender<u64>,
    power: CancellationToken,
    tasks: TaskTracker,
}

/// What it is now. `disk`, `staged` and `member` outlive a boot.
#[derive(Default)]
pub(super) struct State {
    pub(super) disk: Option<String>,
    pub(super) staged: Option<String>,
    pub(super) config: Option<Arc<NodeConfig>>,
    pub(super) config_version: u64,
    pub(super) boots: u32,
    pub(super) boot_id: String,
    pub(super) stage: &'static str,
    pub(super) reboot_ordered: bool,
    pub(super) bootstrap_asked: bool,
    /// The etcd member whose data is on the disk.
    pub(super) member: Option<u64>,
    pub(super) etcd_up: bool,
    /// It left: etcd does not start again by itself.
    pub(super) left: bool,
    pub(super) kubelet_up: bool,
}

impl Node {
    pub(super) fn power_on(world: Arc<World>, instance: InstanceStarted) -> Arc<Self> {
        let node = Arc::new(Self {
            world,
            instance,
            state: Mutex::default(),
            asked: watch::Sender::new(0),
            power: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        node.tasks.spawn(live(Arc::clone(&node)));
        node
    }

    /// Ends it and waits until its addresses are free.
    pub(super) async fn power_off(&self) {
        self.cut();
        self.tasks.wait().await;
    }

    /// Ends it.
    pub(super) fn cut(&self) {
        self.power.cancel();
        self.tasks.close();
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the node's own tasks that something was asked of it.
    pub(super) fn ask(&self) {
        self.asked.send_modify(|count| *count += 1);
    }

    pub(super) fn instance(&self) -> &InstanceStarted {
        &self.instance
    }

    pub(super) fn config(&self) -> Option<Arc<NodeConfig>> {
        self.state().config.clone()
    }

    pub(super) fn boots(&self) -> u32 {
        self.state().boots
    }

    /// Its host name, which the cloud gave it.
    pub(super) fn name(&self) -> &str {
        &self.instance.private_dns_name
    }

    pub(super) fn addresses(&self) -> Vec<Ipv4Addr> {
        std::iter::once(self.instance.private_ip).chain(self.instance.public_ip).collect()
    }

    /// The cluster of its config, made when first needed.
    pub(super) fn kubernetes(&self, config: &NodeConfig) -> Option<Arc<KubeCluster>> {
        let (authority, _) = config.kubernetes_ca()?;
        let mut shared = self.world.shared();
        let cluster = shared.clusters.entry(authority).or_insert_with(|| Cluster {
            kube: KubeCluster::new(self.world.ledger.clone(), &config.kubelet_version()),
            servers: 0,
        });
        Some(Arc::clone(&cluster.kube))
    }

    fn api_servers(&self, config: &NodeConfig) -> usize {
        let Some((authority, _)) = config.kubernetes_ca() else { return 0 };
        self.world.shared().clusters.get(&authority).map_or(0, |cluster| cluster.servers)
    }

    fn count_server(&self, authority: &str, up: bool) {
        if let Some(cluster) = self.world.shared().clusters.get_mut(authority) {
            cluster.servers = if up { cluster.servers + 1 } else { cluster.servers.saturating_sub(1) };
        }
        self.world.changed();
    }
}

/// From power on to power off.
async fn live(node: Arc<Node>) {
    let power = node.power.clone();
    while !power.is_cancelled() {
        let boot = power.child_token();
        tokio::select! {
            () = power.cancelled() => break,
            () = run(&node, &boot) => {}
        }
        boot.cancel();
        down(&node);
    }
    down(&node);
    let config = node.config();
    if let Some(kube) = config.and_then(|config| node.kubernetes(&config)) {
        kube.set_ready(node.name(), false, "NodeStatusUnknown", "Kubelet stopped posting node status.");
    }
}

/// What ends with a boot.
fn down(node: &Node) {
    let member = {
        let mut state = node.state();
        state.etcd_up = false;
        state.kubelet_up = false;
        state.bootstrap_asked = false;
        state.member
    };
    if let Some(id) = member {
        node.world.shared().etcds.set_up(id, None, false);
    }
    node.world.changed();
}

/// One boot, until a reboot is ordered. A machine that cannot boot stays so.
async fn run(node: &Arc<Node>, boot: &CancellationToken) {
    let timing = node.world.timing;
    {
        let mut state = node.state();
        state.stage = "booting";
        state.boots += 1;
        state.boot_id = boot_id();
        state.reboot_ordered = false;
        if let Some(staged) = state.staged.take() {
            state.disk = Some(staged);
        }
    }
    tokio::time::sleep(timing.boot).await;
    let config = match load(node) {
        Ok(config) => Arc::new(config),
        Err(refused) => {
            node.world.violation(format!("{}: user data that no node boots from: {refused}", node.instance.instance_id));
            boot.cancelled().await;
            return;
        }
    };
    {
        let mut state = node.state();
        state.disk = Some(config.text.clone());
        state.config = Some(Arc::clone(&config));
        state.config_version += 1;
    }
    node.world.shared().configs.push(config.text.clone());
    if let Err(broken) = serve(node, boot).await {
        node.world.violation(format!("{}: {broken}", node.instance.instance_id));
        boot.cancelled().await;
        return;
    }
    node.state().stage = "running";
    node.world.changed();
    node.tasks.spawn(within(boot.clone(), kubelet(Arc::clone(node))));
    if config.role == Role::ControlPlane {
        node.tasks.spawn(within(boot.clone(), etcd(Arc::clone(node))));
        node.tasks.spawn(api_server(Arc::clone(node), boot.clone()));
    } else {
        node.tasks.spawn(within(boot.clone(), ingress(Arc::clone(node))));
    }
    let mut asked = node.asked.subscribe();
    while !node.state().reboot_ordered {
        if asked.changed().await.is_err() {
            return;
        }
    }
    node.state().stage = "rebooting";
    tokio::time::sleep(timing.shutdown).await;
}

async fn within(boot: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = boot.cancelled() => {}
        () = task => {}
    }
}

/// The config of this boot: the disk's, on the first boot the user data's.
fn load(node: &Node) -> Result<NodeConfig, config::Refused> {
    let disk = node.state().disk.clone();
    let text = match disk {
        Some(text) => text,
        None => config::unpack(node.instance.user_data.as_bytes())?,
    };
    NodeConfig::parse(&text)
}

/// Opens the API. A worker's certificate is signed by a control-plane node, which it waits for.
async fn serve(node: &Arc<Node>, boot: &CancellationToken) -> Result<(), Broken> {
    let config = node.config().ok_or_else(|| Broken("no config".to_owned()))?;
    let key = match &config.os_ca_key {
        Some(key) => key.clone(),
        None => signer(node, &config).await,
    };
    let names: Vec<String> = std::iter::once(node.name().to_owned()).chain(config.cert_sans()).collect();
    // Talos learns its public address from the platform and puts it into its certificate.
    let tls = tls::apid(&config.os_ca, &key, &names, &node.addresses())?;
    for address in node.addresses() {
        let listener = TcpListener::bind((IpAddr::V4(address), API_PORT))
            .await
            .map_err(|error| Broken(format!("{address}:{API_PORT}: {error}")))?;
        node.tasks.spawn(api::accept(Arc::clone(node), listener, Arc::clone(&tls), boot.clone(), node.power.clone()));
    }
    Ok(())
}

/// The Talos CA's key, from a control-plane node of the same cluster that runs.
async fn signer(node: &Node, config: &NodeConfig) -> String {
    let mut changes = node.world.changes.subscribe();
    loop {
        changes.borrow_and_update();
        let nodes: Vec<Arc<Node>> = node.world.shared().nodes.values().cloned().collect();
        let key = nodes.iter().find_map(|other| {
            let state = other.state();
            let theirs = state.config.as_ref().filter(|theirs| state.stage == "running" && theirs.os_ca == config.os_ca)?;
            theirs.os_ca_key.clone()
        });
        if let Some(key) = key {
            return key;
        }
        // The sender lives in the world.
        let _ = changes.changed().await;
    }
}

/// etcd of this boot: with the data that is there, else bootstrapped when asked, else joining one that exists.
async fn etcd(node: Arc<Node>) {
    let timing = node.world.timing;
    let Some(authority) = node.config().and_then(|config| config.etcd_ca()) else { return };
    let address = node.instance.private_ip;
    let mut changes = node.world.changes.subscribe();
    let mut asked = node.asked.subscribe();
    loop {
        changes.borrow_and_update();
        asked.borrow_and_update();
        let (member, bootstrap, left) = {
            let state = node.state();
            (state.member, state.bootstrap_asked, state.left)
        };
        if let Some(id) = member {
            tokio::time::sleep(timing.etcd).await;
            // A removed member restarts for ever without getting anywhere.
            let listed = node.world.shared().etcds.of(id).is_some();
            if listed {
                node.world.shared().etcds.set_up(id, Some(node.name()), true);
                node.state().etcd_up = true;
                node.world.changed();
                grow_up(&node, id).await;
                return;
            }
        } else if bootstrap && !left {
            tokio::time::sleep(timing.etcd).await;
            let (id, second) = node.world.shared().etcds.bootstrap(&authority, node.name(), address);
            if second {
                node.world.violation(format!("{}: a second etcd was bootstrapped in one cluster", node.instance.instance_id));
            }
            let mut state = node.state();
            state.member = Some(id);
            state.etcd_up = true;
            drop(state);
            node.world.changed();
            return;
        } else if !left {
            let joined = node.world.shared().etcds.join(&authority, address);
            if let Ok(id) = joined {
                node.state().member = Some(id);
                continue;
            }
        }
        tokio::select! {
            _ = changes.changed() => {}
            _ = asked.changed() => {}
        }
    }
}

/// A learner becomes a voter after a while.
async fn grow_up(node: &Node, id: u64) {
    let mut changes = node.world.changes.subscribe();
    loop {
        changes.borrow_and_update();
        let learner = node.world.shared().etcds.of(id).and_then(|etcd| etcd.member(id).map(|member| member.learner));
        if learner != Some(true) {
            return;
        }
        tokio::time::sleep(node.world.timing.learner).await;
        if node.world.shared().etcds.promote(id) {
            node.world.changed();
            return;
        }
        let _ = changes.changed().await;
    }
}

/// kube-apiserver: up while this node's etcd answers.
async fn api_server(node: Arc<Node>, boot: CancellationToken) {
    let Some(config) = node.config() else { return };
    let (Some((authority, Some(key))), Some(kube)) = (config.kubernetes_ca(), node.kubernetes(&config)) else { return };
    let mut names = config.kubernetes_names();
    names.push(node.name().to_owned());
    names.extend(node.addresses().iter().map(ToString::to_string));
    let mut changes = node.world.changes.subscribe();
    let mut serving: Option<CancellationToken> = None;
    loop {
        changes.borrow_and_update();
        let wanted = {
            let state = node.state();
            let member = state.member.filter(|_| state.etcd_up);
            drop(state);
            member.is_some_and(|id| node.world.shared().etcds.of(id).is_some_and(super::etcd::Etcd::has_quorum))
        };
        match (&serving, wanted) {
            (None, true) => {
                tokio::time::sleep(node.world.timing.kubernetes).await;
                let stop = boot.child_token();
                let identity =
                    ServingIdentity { ca_certificate_pem: authority.clone(), ca_key_pem: key.clone(), names: names.clone() };
                match kube_api::serve(Arc::clone(&kube), &node.addresses(), identity, stop.clone()).await {
                    Ok(()) => {
                        serving = Some(stop);
                        node.count_server(&authority, true);
                    }
                    Err(error) => {
                        node.world.violation(format!("{}: kube-apiserver: {error}", node.instance.instance_id));
                        return;
                    }
                }
            }
            (Some(stop), false) => {
                stop.cancel();
                serving = None;
                node.count_server(&authority, false);
            }
            _ => {}
        }
        tokio::select! {
            () = boot.cancelled() => break,
            _ = changes.changed() => {}
        }
    }
    if serving.is_some() {
        node.count_server(&authority, false);
    }
}

/// The kubelet: registers the node once an API server is up, and keeps its object true to the config.
async fn kubelet(node: Arc<Node>) {
    let mut changes = node.world.changes.subscribe();
    let mut asked = node.asked.subscribe();
    let mut registered_with = 0;
    loop {
        changes.borrow_and_update();
        asked.borrow_and_update();
        let (config, version) = {
            let state = node.state();
            (state.config.clone(), state.config_version)
        };
        if let Some(config) = config.filter(|config| version != registered_with && node.api_servers(config) > 0) {
            tokio::time::sleep(node.world.timing.kubernetes).await;
            if let Some(kube) = node.kubernetes(&config) {
                kube.register_node(registration(&node, &config, brings_cni(&node, &config)));
                registered_with = version;
                node.state().kubelet_up = true;
                node.world.changed();
            }
        }
        tokio::select! {
            _ = changes.changed() => {}
            _ = asked.changed() => {}
        }
    }
}

/// Whether the cluster has a network: what its control planes' configs bring.
fn brings_cni(node: &Node, own: &NodeConfig) -> bool {
    let nodes: Vec<Arc<Node>> = node.world.shared().nodes.values().cloned().collect();
    let of_cluster: Vec<Arc<NodeConfig>> =
        nodes.iter().filter_map(|other| other.config()).filter(|theirs| theirs.os_ca == own.os_ca && theirs.role == Role::ControlPlane).collect();
    of_cluster.iter().any(|config| config.brings_cni())
}

fn registration(node: &Node, config: &NodeConfig, ready: bool) -> NodeRegistration {
    let mut labels = config.labels();
    labels.insert("kubernetes.io/hostname".to_owned(), node.name().to_owned());
    labels.insert("kubernetes.io/os".to_owned(), "linux".to_owned());
    if config.role == Role::ControlPlane {
        labels.insert("node-role.kubernetes.io/control-plane".to_owned(), String::new());
    }
    let (reason, message) = if ready {
        ("KubeletReady", "kubelet is posting ready status")
    } else {
        ("KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized")
    };
    NodeRegistration {
        name: node.name().to_owned(),
        labels,
        annotations: config.annotations(),
        taints: config.taints(),
        internal_ip: node.instance.private_ip,
        external_ip: node.instance.public_ip,
        provider_id: Some(format!("aws:///{}/{}", node.instance.zone, node.instance.instance_id)),
        kubelet_version: config.kubelet_version(),
        ready,
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// What a gateway in the cluster would answer on the workers' node ports: a connection.
async fn ingress(node: Arc<Node>) {
    let mut listeners = Vec::new();
    for port in INGRESS_PORTS {
        if let Ok(listener) = TcpListener::bind((IpAddr::V4(node.instance.private_ip), port)).await {
            listeners.push(listener);
        }
    }
    let accepting = listeners.iter().map(|listener| async move {
        loop {
            if listener.accept().await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    });
    futures_util::future::join_all(accepting).await;
}

/// As Linux writes one.
fn boot_id() -> String {
    let bits = rand::random::<u128>();
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// For the ledger: which node a call came to.
pub(super) fn detail(node: &Node) -> serde_json::Value {
    json!({ "instance": node.instance.instance_id, "node": node.instance.private_ip.to_string() })
}
