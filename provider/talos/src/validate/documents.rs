//! The rules of documents with a kind.

use crate::tree::Tree;

use super::machine::list;
use super::names::is_dns_subdomain;
use super::{Rules, endpoint, filled};

const LONGEST_HOST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
const LONGEST_USER_VOLUME: usize = 34;

/// What documents cannot do without.
const REQUIRED: &[(&str, &[&str])] = &[
    ("BondConfig", &["links", "bondMode"]),
    ("ExistingVolumeConfig", &["discovery.volumeSelector.match"]),
    ("HCloudVIPConfig", &["link", "apiToken"]),
    ("HTTPProbeConfig", &["url"]),
    ("KubeAuthorizerConfig", &["type"]),
    ("KubeStaticPodConfig", &["pod"]),
    ("Layer2VIPConfig", &["link"]),
    ("LinkAliasConfig", &["selector.match"]),
    ("NetworkRuleConfig", &["portSelector.ports"]),
    ("RAIDArrayConfig", &["provisioning.volumeSelector.match"]),
    ("RawVolumeConfig", &["provisioning.diskSelector.match"]),
    ("SideroLinkConfig", &["apiUrl"]),
    ("StaticHostConfig", &["hostnames"]),
    ("SwapVolumeConfig", &["provisioning.diskSelector.match"]),
    ("TCPProbeConfig", &["endpoint"]),
    ("VLANConfig", &["parent", "vlanID"]),
    ("VethConfig", &["peer.name"]),
    ("WatchdogTimerConfig", &["device"]),
    ("WireguardConfig", &["privateKey"]),
];

/// The volumes of Talos' own, each with the minor from which on it can be configured.
const SYSTEM_VOLUMES: [(&str, u16); 7] =
    [("EPHEMERAL", 8), ("IMAGECACHE", 9), ("STATE", 11), ("ETCD", 14), ("CRI", 14), ("KUBELET", 14), ("LOG", 14)];

impl Rules<'_> {
    pub(super) fn other_documents(&mut self) {
        let documents = self.documents;
        for document in documents.iter() {
            let Some(kind) = document.text_at(&["kind"]) else { continue };
            match kind {
                "HostnameConfig" => self.hostname(document),
                "RegistryMirrorConfig" => self.registry_mirror(document),
                "UserVolumeConfig" => self.user_volume(document),
                "KmsgLogConfig" => self.kernel_log(document),
                "KubeClusterConfig" => self.kubernetes_cluster(document),
                "KubeNodeConfig" => {
                    self.labels(document.at(&["labels"]), "KubeNodeConfig: labels");
                    self.annotations(document.at(&["annotations"]), "KubeNodeConfig: annotations");
                    self.taints(document.at(&["taints"]), "KubeNodeConfig: taints");
                }
                "KubeletConfig" => self.kubelet(Some(document), "config", "KubeletConfig"),
                "KubeInlineManifestConfig" | "KubeExternalManifestConfig" => self.manifest(document, kind),
                "KubeNetworkConfig" => self.kubernetes_network(document),
                "VolumeConfig" => self.system_volume(document),
                "EventSinkConfig" => {
                    let endpoint = document.text_at(&["endpoint"]).unwrap_or_default();
                    if !endpoint.contains(':') {
                        self.refuse("EventSinkConfig: endpoint", "the endpoint is written like `HOST:PORT`");
                    }
                }
                _ => {}
            }
            let required = REQUIRED.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, paths)| paths);
            for path in required {
                let keys: Vec<_> = path.split('.').collect();
                if !document.at(&keys).is_some_and(says_something) {
                    self.refuse(format!("{kind}: {path}"), format!("a `{kind}` needs `{path}`"));
                }
            }
        }
    }

    fn system_volume(&mut self, document: &Tree) {
        let name = document.text_at(&["name"]).unwrap_or_default();
        let known: Vec<_> = SYSTEM_VOLUMES.iter().filter(|(_, since)| self.minor >= *since).map(|(name, _)| *name).collect();
        if !known.contains(&name) {
            let message = format!("Talos has no volume `{name}`: it has `{}`", known.join("`, `"));
            self.refuse("VolumeConfig: name", message);
        }
    }

    fn hostname(&mut self, document: &Tree) {
        let auto = filled(document.at(&["auto"]));
        let hostname = filled(document.at(&["hostname"]));
        match (auto, hostname) {
            (None, None) => self.refuse("HostnameConfig", "`auto` or `hostname` is to be set"),
            (Some(auto), Some(_)) if !auto.eq_ignore_ascii_case("off") => {
                self.refuse("HostnameConfig", "`auto` and `hostname` must not both be set: delete `auto`, or set it to `off`");
            }
            (Some(auto), None) if auto.eq_ignore_ascii_case("talos-addr") => {
                self.refuse("HostnameConfig: auto", "it is `stable` or `off`");
            }
            _ => {}
        }
        if let Some(name) = hostname {
            let first = name.split('.').next().unwrap_or_default();
            if name.len() > LONGEST_HOST_NAME || first.is_empty() || first.len() > LONGEST_LABEL {
                self.refuse("HostnameConfig: hostname", format!("`{name}` is no host name"));
            }
        }
    }

    fn registry_mirror(&mut self, document: &Tree) {
        for (index, mirror) in list(document.at(&["endpoints"])).iter().enumerate() {
            let path = format!("RegistryMirrorConfig: endpoints[{index}].url");
            match filled(mirror.at(&["url"])) {
                None => self.refuse(path, "a mirror needs a URL"),
                Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                    self.refuse(path, "the URL of a mirror starts with `http://` or `https://`");
                }
                Some(_) => {}
            }
        }
    }

    fn user_volume(&mut self, document: &Tree) {
        let name = document.text_at(&["name"]).unwrap_or_default();
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if name.is_empty() || name.len() > LONGEST_USER_VOLUME || !plain {
            let message = format!("a volume's name has 1 to {LONGEST_USER_VOLUME} letters, digits and hyphens");
            self.refuse("UserVolumeConfig: name", message);
        }
    }

    fn kernel_log(&mut self, document: &Tree) {
        if filled(document.at(&["name"])).is_none() {
            self.refuse("KmsgLogConfig: name", "the document needs a name");
            return;
        }
        let url = document.text_at(&["url"]).unwrap_or_default();
        let rest = url.strip_prefix("tcp://").or_else(|| url.strip_prefix("udp://"));
        let (authority, path) = rest.map_or(("", ""), |rest| rest.split_once('/').unwrap_or((rest, "")));
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !has_port || !path.is_empty() {
            self.refuse("KmsgLogConfig: url", "the URL is written like `tcp://HOST:PORT` or `udp://HOST:PORT`");
        }
    }

    fn kubernetes_cluster(&mut self, document: &Tree) {
        if filled(document.at(&["clusterName"])).is_none() {
            self.refuse("KubeClusterConfig: clusterName", "the cluster's name is missing");
        }
        match filled(document.at(&["endpoint"])) {
            Some(url) => self.require("KubeClusterConfig: endpoint", endpoint(url)),
            None => self.refuse("KubeClusterConfig: endpoint", "the endpoint of the Kubernetes API is missing"),
        }
    }

    fn manifest(&mut self, document: &Tree, kind: &str) {
        let name = document.text_at(&["name"]).unwrap_or_default();
        if !is_dns_subdomain(name) {
            let message =
                "a manifest's name has lower-case letters, digits, `-` and `.`, and starts and ends with a letter or digit";
            self.refuse(format!("{kind}: name"), message);
        }
        if kind == "KubeExternalManifestConfig" {
            let url = document.text_at(&["url"]).unwrap_or_default();
            if !url.starts_with("http://") && !url.starts_with("https://") {
                self.refuse(format!("{kind}: url"), "the URL of a manifest starts with `http://` or `https://`");
            }
        }
    }

    fn kubernetes_network(&mut self, document: &Tree) {
        let count = |key| list(document.at(&[key])).len();
        if count("podSubnets") != count("serviceSubnets") {
            self.refuse("KubeNetworkConfig", "there are as many ranges for pods as for services, one per address family");
        }
    }
}

fn says_something(tree: &Tree) -> bool {
    match tree {
        Tree::Null => false,
        Tree::Bool(_) => true,
        Tree::Number(number) => number != "0",
        Tree::Text(text) => !text.is_empty(),
        Tree::List(list) => !list.is_empty(),
        Tree::Map(map) => !map.is_empty(),
    }
}
