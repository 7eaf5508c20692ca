//! What a node's controllers know, as COSI resources. They are computed anew after every change; what differs gets the
//! next version and an event.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use prost::Message;
use proto::cosi::resource::{Event, EventType, Metadata, Resource, Spec};
use proto::talos::resource::MachineConfigSpec;

use super::machine::{Health, Machine};
use super::world::World;

/// A resource as it is now.
pub(super) struct View {
    namespace: &'static str,
    kind: &'static str,
    id: String,
    owner: &'static str,
    yaml: String,
    proto: Vec<u8>,
    /// A version that is not just counted.
    version: Option<u64>,
}

/// A resource with its history.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) version: u64,
    created: SystemTime,
    updated: SystemTime,
    owner: &'static str,
    yaml: String,
    proto: Vec<u8>,
}

type Key = (String, String, String);

/// All resources of a node, and what happened to them.
#[derive(Default)]
pub(super) struct Resources {
    stored: BTreeMap<Key, Stored>,
    /// Events in order, from the boot on.
    pub(super) events: Vec<Event>,
}

fn encode(key: &Key, stored: &Stored) -> Resource {
    Resource {
        metadata: Some(Metadata {
            namespace: key.0.clone(),
            r#type: key.1.clone(),
            id: key.2.clone(),
            version: stored.version.to_string(),
            owner: stored.owner.to_owned(),
            phase: "running".to_owned(),
            created: Some(stored.created.into()),
            updated: Some(stored.updated.into()),
            finalizers: Vec::new(),
            labels: std::collections::HashMap::new(),
            annotations: std::collections::HashMap::new(),
        }),
        spec: Some(Spec { proto_spec: stored.proto.clone(), yaml_spec: stored.yaml.clone() }),
    }
}

impl Resources {
    pub(super) fn get(&self, namespace: &str, kind: &str, id: &str) -> Option<&Stored> {
        self.stored.get(&(namespace.to_owned(), kind.to_owned(), id.to_owned()))
    }

    /// One resource for the wire.
    pub(super) fn read(&self, namespace: &str, kind: &str, id: &str) -> Option<Resource> {
        let key = (namespace.to_owned(), kind.to_owned(), id.to_owned());
        self.stored.get(&key).map(|stored| encode(&key, stored))
    }

    /// All of a type.
    pub(super) fn list(&self, namespace: &str, kind: &str) -> Vec<Resource> {
        self.stored
            .iter()
            .filter(|(key, _)| key.0 == namespace && key.1.eq_ignore_ascii_case(kind))
            .map(|(key, stored)| encode(key, stored))
            .collect()
    }

    /// Takes over what is now.
    pub(super) fn update(&mut self, views: Vec<View>) {
        let now = SystemTime::now();
        let mut gone: BTreeMap<Key, Stored> = std::mem::take(&mut self.stored);
        for view in views {
            let key = (view.namespace.to_owned(), view.kind.to_owned(), view.id);
            let new = |version, created| Stored {
                version: view.version.unwrap_or(version),
                created,
                updated: now,
                owner: view.owner,
                yaml: view.yaml.clone(),
                proto: view.proto.clone(),
            };
            let (stored, event) = match gone.remove(&key) {
                None => {
                    let stored = new(1, now);
                    let event = (EventType::Created, encode(&key, &stored), None);
                    (stored, Some(event))
                }
                Some(old) if old.yaml == view.yaml && view.version.is_none_or(|version| version == old.version) => (old, None),
                Some(old) => {
                    let stored = new(old.version + 1, old.created);
                    let event = (EventType::Updated, encode(&key, &stored), Some(encode(&key, &old)));
                    (stored, Some(event))
                }
            };
            if let Some((kind, resource, old)) = event {
                self.note(kind, resource, old);
            }
            self.stored.insert(key, stored);
        }
        for (key, stored) in gone {
            self.note(EventType::Destroyed, encode(&key, &stored), None);
        }
    }

    fn note(&mut self, kind: EventType, resource: Resource, old: Option<Resource>) {
        self.events.push(Event { resource: Some(resource), event_type: kind.into(), old, error: None, bookmark: None });
    }
}

/// Messages of specs, field by field: only what a client can want of them.
#[derive(Default)]
struct Binary(Vec<u8>);

impl Binary {
    fn text(mut self, field: u32, value: &str) -> Self {
        if !value.is_empty() {
            prost::encoding::string::encode(field, &value.to_owned(), &mut self.0);
        }
        self
    }

    fn number(mut self, field: u32, value: i64) -> Self {
        if value != 0 {
            prost::encoding::int64::encode(field, &value, &mut self.0);
        }
        self
    }

    fn flag(self, field: u32, value: bool) -> Self {
        self.number(field, i64::from(value))
    }

    fn inner(mut self, field: u32, inner: &Self) -> Self {
        prost::encoding::bytes::encode(field, &inner.0, &mut self.0);
        self
    }

    fn address(self, field: u32, address: std::net::Ipv4Addr) -> Self {
        let mut inner = Self::default();
        prost::encoding::bytes::encode(1, &address.octets().to_vec(), &mut inner.0);
        self.inner(field, &inner)
    }
}

/// All resources of a machine now.
pub(super) fn views(world: &World, machine: &Machine) -> Vec<View> {
    let mut views = Views::default();
    views.always(machine);
    if let Some(config) = &machine.config {
        views.configured(machine, config);
        views.kubernetes(machine, config);
        views.cluster(world, machine);
    }
    views.0
}

#[derive(Default)]
struct Views(Vec<View>);

/// Namespace, type and owner of a kind of resource.
type Kind = (&'static str, &'static str, &'static str);

impl Views {
    fn add(&mut self, (namespace, kind, owner): Kind, id: impl Into<String>, yaml: impl Into<String>, proto: Binary) {
        self.0.push(View { namespace, kind, id: id.into(), owner, yaml: yaml.into(), proto: proto.0, version: None });
    }

    fn always(&mut self, machine: &Machine) {
        self.machine_status(machine);
        let hostname = machine.hostname();
        let (number, kind) = match &machine.config {
            None => (0, "unknown"),
            Some(config) if config.is_control_plane() => (2, "controlplane"),
            Some(_) => (3, "worker"),
        };
        self.add(
            ("config", "MachineTypes.config.talos.dev", "config.MachineTypeController"),
            "machine-type",
            format!("{kind}\n"),
            Binary::default().number(1, number),
        );
        self.add(
            ("network", "HostnameStatuses.net.talos.dev", "network.HostnameSpecController"),
            "hostname",
            format!("hostname: {hostname}\ndomainname: {:?}\n", machine.domain()),
            Binary::default().text(1, &hostname).text(2, &machine.domain()),
        );
        let address = machine.instance.private_ip;
        for id in ["accumulative", "current", "default"] {
            self.add(
                ("network", "NodeAddresses.net.talos.dev", "network.NodeAddressController"),
                id,
                format!("addresses:\n    - {address}/24\n"),
                Binary::default(),
            );
        }
        let instance = &machine.instance;
        self.add(
            ("runtime", "PlatformMetadatas.talos.dev", "network.PlatformConfigController"),
            "platformmetadata",
            format!(
                "platform: aws\nhostname: {}\nregion: {}\nzone: {}\ninstanceType: {}\ninstanceId: {}\nproviderId: {}\nspot: {}\n",
                instance.private_dns_name,
                instance.region,
                instance.zone,
                instance.instance_type,
                instance.instance_id,
                provider_id(machine),
                instance.spot,
            ),
            Binary::default()
                .text(1, "aws")
                .text(2, &instance.private_dns_name)
                .text(3, &instance.region)
                .text(4, &instance.zone)
                .text(5, &instance.instance_type)
                .text(6, &instance.instance_id)
                .text(7, &provider_id(machine))
                .flag(8, instance.spot),
        );
        self.add(
            ("runtime", "SecurityStates.talos.dev", "runtime.SecurityStateController"),
            "securitystate",
            "secureBoot: false\n",
            Binary::default(),
        );
        self.add(
            ("runtime", "BootIDs.runtime.talos.dev", "runtime.BootIDController"),
            "boot-id",
            format!("bootID: {}\n", machine.boot_id),
            Binary::default().text(1, &machine.boot_id),
        );
        for service in &machine.services {
            let running = service.state == "Running";
            let (healthy, unknown) = (service.health == Health::Good, service.health == Health::Unknown);
            self.add(
                ("runtime", "Services.v1alpha1.talos.dev", "v1alpha1.ServiceController"),
                service.id,
                format!("running: {running}\nhealthy: {healthy}\nunknown: {unknown}\n"),
                Binary::default().flag(1, running).flag(2, healthy).flag(3, unknown),
            );
        }
    }

    fn machine_status(&mut self, machine: &Machine) {
        let unmet = machine.unmet();
        let ready = unmet.is_empty();
        let mut yaml = format!("stage: {}\nstatus:\n    ready: {ready}\n", machine.stage.name());
        let mut status = Binary::default().flag(1, ready);
        if unmet.is_empty() {
            yaml.push_str("    unmetConditions: []\n");
        } else {
            yaml.push_str("    unmetConditions:\n");
        }
        for (name, reason) in &unmet {
            let _ = writeln!(yaml, "        - name: {name}\n          reason: {reason}");
            status = status.inner(2, &Binary::default().text(1, name).text(2, reason));
        }
        self.add(
            ("runtime", "MachineStatuses.runtime.talos.dev", "runtime.MachineStatusController"),
            "machine",
            yaml,
            Binary::default().number(1, i64::from(machine.stage.number())).inner(2, &status),
        );
    }

    fn configured(&mut self, machine: &Machine, config: &super::MachineConfig) {
        let text = String::from_utf8_lossy(config.bytes()).into_owned();
        let proto = MachineConfigSpec { yaml_marshalled: config.bytes().to_vec() }.encode_to_vec();
        self.0.push(View {
            namespace: "config",
            kind: "MachineConfigs.config.talos.dev",
            id: "v1alpha1".to_owned(),
            owner: "",
            yaml: text,
            proto,
            version: Some(machine.config_version),
        });
        let hostname_version =
            machine.resources.get("network", "HostnameStatuses.net.talos.dev", "hostname").map_or(1, |r| r.version);
        let nodename = machine.nodename();
        self.add(
            ("k8s", "Nodenames.kubernetes.talos.dev", "k8s.NodenameController"),
            "nodename",
            format!("nodename: {nodename}\nhostnameVersion: \"{hostname_version}\"\nskipNodeRegistration: false\n"),
            Binary::default().text(1, &nodename).text(2, &hostname_version.to_string()),
        );
        self.add(
            ("k8s", "NodeIPs.kubernetes.talos.dev", "k8s.NodeIPController"),
            "kubelet",
            format!("addresses:\n    - {}\n", machine.instance.private_ip),
            Binary::default().address(1, machine.instance.private_ip),
        );
        let mut labels = config.node_labels();
        if config.is_control_plane() {
            labels.insert("node-role.kubernetes.io/control-plane".to_owned(), String::new());
        }
        for (key, value) in labels {
            self.add(
                ("k8s", "NodeLabelSpecs.k8s.talos.dev", "k8s.NodeLabelSpecController"),
                key.clone(),
                format!("key: {key}\nvalue: {value:?}\n"),
                Binary::default().text(1, &key).text(2, &value),
            );
        }
        self.add(
            ("runtime", "TimeStatuses.v1alpha1.talos.dev", "time.SyncController"),
            "node",
            "synced: true\nepoch: 1\nsyncDisabled: false\n",
            Binary::default().flag(1, true).number(2, 1),
        );
        self.add(
            ("cluster", "Identities.cluster.talos.dev", "cluster.NodeIdentityController"),
            "local",
            format!("nodeId: {}\n", machine.node_id),
            Binary::default().text(1, &machine.node_id),
        );
        let (names, addresses) = super::boot::api_sans(machine, config);
        let mut yaml = String::from("ips:\n");
        for address in &addresses {
            let _ = writeln!(yaml, "    - {address}");
        }
        yaml.push_str("dnsNames:\n");
        for name in &names {
            let _ = writeln!(yaml, "    - {name}");
        }
        let _ = writeln!(yaml, "fqdn: {}", machine.hostname());
        self.add(("secrets", "CertSANs.secrets.talos.dev", "secrets.APICertSANsController"), "api", yaml, Binary::default());
        self.add(
            ("secrets", "ApiCertificates.secrets.talos.dev", "secrets.APIController"),
            "api",
            "acceptedCAs: []\n",
            Binary::default(),
        );
        if config.is_control_plane() {
            self.add(
                ("etcd", "EtcdSpecs.etcd.talos.dev", "etcd.SpecController"),
                "etcd",
                format!(
                    "name: {}\nadvertisedAddresses:\n    - {}\nlistenPeerAddresses:\n    - 0.0.0.0\nlistenClientAddresses:\n    - 0.0.0.0\n\
                     extraArgs: {{}}\n",
                    machine.hostname(),
                    machine.instance.private_ip
                ),
                Binary::default().text(1, &machine.hostname()).address(2, machine.instance.private_ip),
            );
        }
    }

    /// Resources that are there for their existence more than for what they say.
    fn kubernetes(&mut self, machine: &Machine, config: &super::MachineConfig) {
        let kubelet = config.kubelet_version();
        let name = machine.nodename();
        self.add(
            ("k8s", "KubeletConfigs.kubernetes.talos.dev", "k8s.KubeletConfigController"),
            "kubelet",
            format!("image: ghcr.io/siderolabs/kubelet:{kubelet}\nclusterDomain: cluster.local\n"),
            Binary::default(),
        );
        self.add(
            ("k8s", "KubeletSpecs.kubernetes.talos.dev", "k8s.KubeletSpecController"),
            "kubelet",
            format!(
                "image: ghcr.io/siderolabs/kubelet:{kubelet}\nargs:\n    - --hostname-override={name}\n    - --node-ip={}\n\
                 expectedNodename: {name}\n",
                machine.instance.private_ip
            ),
            Binary::default(),
        );
        self.add(
            ("k8s", "KubePrismEndpoints.kubernetes.talos.dev", "k8s.KubePrismEndpointsController"),
            "k8s-cluster",
            format!("endpoints:\n    - host: {}\n      port: 6443\n", config.endpoint_host()),
            Binary::default(),
        );
        for id in ["EPHEMERAL", "META", "STATE"] {
            self.add(
                ("runtime", "VolumeStatuses.block.talos.dev", "block.VolumeManagerController"),
                id,
                "phase: ready\n",
                Binary::default(),
            );
        }
        if !config.is_control_plane() {
            return;
        }
        self.add(
            ("etcd", "EtcdConfigs.etcd.talos.dev", "etcd.ConfigController"),
            "etcd",
            "advertiseExcludeSubnets: []\nlistenExcludeSubnets: []\nextraArgs: {}\n",
            Binary::default(),
        );
        let endpoint = config.endpoint().unwrap_or_default();
        self.add(
            ("controlplane", "APIServerConfigs.kubernetes.talos.dev", "k8s.ControlPlaneAPIServerController"),
            "kube-apiserver",
            format!(
                "image: registry.k8s.io/kube-apiserver:{}\ncontrolPlaneEndpoint: {endpoint}\nlocalPort: 6443\nextraArgs: {{}}\n",
                config.api_server_version()
            ),
            Binary::default(),
        );
        let encoded = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        let pair = |authority: Option<super::machine_config::Authority>| {
            let authority = authority.map(|authority| (authority.certificate, authority.key.unwrap_or_default()));
            let (crt, key) = authority.unwrap_or_default();
            format!("    crt: {}\n    key: {}\n", encoded(&crt), encoded(&key))
        };
        self.add(
            ("secrets", "KubernetesRootSecrets.secrets.talos.dev", "secrets.RootKubernetesController"),
            "k8s",
            format!("name: {}\nissuingCA:\n{}", config.cluster_name(), pair(config.kubernetes_authority())),
            Binary::default(),
        );
        self.add(
            ("secrets", "OSRootSecrets.secrets.talos.dev", "secrets.RootOSController"),
            "os",
            format!("issuingCA:\n{}token: {}\n", pair(config.talos_authority()), config.token()),
            Binary::default(),
        );
        if machine.api_server {
            for part in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
                self.add(
                    ("k8s", "StaticPods.kubernetes.talos.dev", "k8s.ControlPlaneStaticPodController"),
                    part,
                    format!("apiVersion: v1\nkind: Pod\nmetadata:\n    name: {part}\n    namespace: kube-system\n"),
                    Binary::default(),
                );
            }
            self.add(
                ("controlplane", "ManifestStatuses.kubernetes.talos.dev", "k8s.ManifestApplyController"),
                "manifests",
                "manifestsApplied:\n    - 00-kubelet-bootstrapping-token\n    - 10-kube-proxy\n    - 11-core-dns\n",
                Binary::default(),
            );
        }
    }

    fn cluster(&mut self, world: &World, machine: &Machine) {
        let Some(config) = &machine.config else { return };
        let key = config.cluster_key();
        // The discovery service knows all; with Kubernetes alone, nodes are found once they are registered. It takes half an
        // hour until one that is down is forgotten.
        let known = |peer: &&Machine| {
            let config = peer.config.as_ref();
            config.is_some_and(|config| config.cluster_key() == key)
                && (peer.instance.instance_id == machine.instance.instance_id
                    || config.is_some_and(super::MachineConfig::uses_discovery_service)
                    || peer.node_ready.is_some())
        };
        let mut members: Vec<&Machine> = world.machines.values().filter(known).collect();
        members.sort_by_key(|peer| peer.hostname());
        for peer in members {
            let control_plane = peer.is_control_plane();
            let hostname = peer.hostname();
            let kind = if control_plane { "controlplane" } else { "worker" };
            let system = format!("Talos ({})", peer.disk.talos);
            let mut yaml = format!(
                "nodeId: {}\naddresses:\n    - {}\nhostname: {hostname}\nmachineType: {kind}\noperatingSystem: {system}\n",
                peer.node_id, peer.instance.private_ip
            );
            let mut proto = Binary::default()
                .text(1, &peer.node_id)
                .address(2, peer.instance.private_ip)
                .text(3, &hostname)
                .number(4, if control_plane { 2 } else { 3 })
                .text(5, &system);
            if control_plane {
                yaml.push_str("controlPlane:\n    port: 6443\n");
                proto = proto.inner(6, &Binary::default().number(1, 6443));
            }
            self.add(("cluster", "Members.cluster.talos.dev", "cluster.MemberController"), hostname, yaml, proto);
        }
        if let Some(data) = machine.disk.etcd
            && machine.service("etcd").is_some_and(|etcd| etcd.state == "Running")
        {
            let id = format!("{:016x}", data.member);
            self.add(
                ("etcd", "EtcdMembers.etcd.talos.dev", "etcd.MemberController"),
                "local",
                format!("memberID: {id}\n"),
                Binary::default().text(1, &id),
            );
        }
        if let Some(ready) = machine.node_ready {
            let name = machine.nodename();
            self.add(
                ("k8s", "NodeStatuses.kubernetes.talos.dev", "k8s.NodeStatusController"),
                name.clone(),
                format!("nodename: {name}\nnodeReady: {ready}\nunschedulable: false\n"),
                Binary::default().text(1, &name).flag(2, ready),
            );
        }
        if machine.api_server {
            for part in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
                self.add(
                    ("k8s", "StaticPodStatuses.kubernetes.talos.dev", "k8s.KubeletStaticPodController"),
                    format!("kube-system/{part}-{}", machine.nodename()),
                    "conditions:\n    - status: \"True\"\n      type: Ready\nphase: Running\n",
                    Binary::default(),
                );
            }
        }
    }
}

/// What a cloud's controller calls the machine.
pub(super) fn provider_id(machine: &Machine) -> String {
    format!("aws:///{}/{}", machine.instance.zone, machine.instance.instance_id)
}
