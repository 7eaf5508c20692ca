//! The rules of `machine`.

use std::collections::HashSet;

use crate::tree::{Map, Tree};

use super::{Rules, endpoint, filled, label_value, qualified_name, subnet, texts};

/// Kubelet settings that are Talos' own.
const PROTECTED_KUBELET_SETTINGS: [&str; 13] = [
    "apiVersion",
    "authentication",
    "authorization",
    "cgroupRoot",
    "kind",
    "kubeletCgroups",
    "port",
    "protectKernelDefaults",
    "resolvConf",
    "rotateCertificates",
    "systemCgroups",
    "staticPodPath",
    "seccompDefault",
];

const ROLES: [&str; 5] = ["os:admin", "os:reader", "os:operator", "os:etcd:backup", "os:impersonator"];
const MOST_ANNOTATION_BYTES: usize = 256 * 1024;

impl Rules<'_> {
    pub(super) fn machine(&mut self) {
        let documents = self.documents;
        match documents.machine_text(&["type"]).unwrap_or_default() {
            "controlplane" | "init" | "worker" | "join" | "" => {}
            other => self.refuse("machine.type", format!("`{other}` is no machine type: it is `controlplane` or `worker`")),
        }
        if documents.plain().and_then(|plain| plain.at(&["persist"])).and_then(Tree::as_bool) == Some(false) {
            self.refuse("persist", "Talos only takes configs that it may store: `persist` is `true`");
        }
        self.machine_authority();
        self.features();
        self.kubelet(documents.machine(&["kubelet"]), "extraConfig", "machine.kubelet");
        self.labels(documents.machine(&["nodeLabels"]), "machine.nodeLabels");
        self.annotations(documents.machine(&["nodeAnnotations"]), "machine.nodeAnnotations");
        self.taints(documents.machine(&["nodeTaints"]), "machine.nodeTaints");
        self.interfaces();
        self.installed_extensions();
        for (index, destination) in list(documents.machine(&["logging", "destinations"])).iter().enumerate() {
            let path = format!("machine.logging.destinations[{index}]");
            if filled(destination.at(&["endpoint"])).is_none() {
                self.refuse(format!("{path}.endpoint"), "a destination of logs needs an endpoint");
            }
            if destination.text_at(&["format"]) != Some("json_lines") {
                self.refuse(format!("{path}.format"), "the only format of logs is `json_lines`");
            }
        }
    }

    fn machine_authority(&mut self) {
        let authority = self.documents.machine(&["ca"]);
        let accepted = !list(self.documents.machine(&["acceptedCAs"])).is_empty();
        let has = |key| authority.and_then(|ca| filled(ca.at(&[key]))).is_some();
        if self.is_control_plane() {
            if !has("key") {
                self.refuse("machine.ca", "a control-plane node needs the authority of the Talos API with its key");
            }
        } else if has("key") {
            self.refuse("machine.ca.key", "a worker must not have the key of the Talos API's authority");
        } else if !has("crt") && !accepted {
            self.refuse("machine.ca", "the certificate of the Talos API's authority is missing");
        }
    }

    fn features(&mut self) {
        let documents = self.documents;
        let on = |path: &[&str]| documents.machine(path).and_then(Tree::as_bool) == Some(true);
        if on(&["features", "hostDNS", "forwardKubeDNSToHost"]) && !on(&["features", "hostDNS", "enabled"]) {
            self.refuse("machine.features.hostDNS", "`forwardKubeDNSToHost` needs `enabled: true`, or is to be `false`");
        }
        let access = "machine.features.kubernetesTalosAPIAccess";
        if on(&["features", "kubernetesTalosAPIAccess", "enabled"]) {
            if !self.is_control_plane() {
                self.refuse(access, "only control-plane nodes give Kubernetes access to the Talos API");
            }
            for role in texts(documents.machine(&["features", "kubernetesTalosAPIAccess", "allowedRoles"])) {
                if !ROLES.contains(&role) {
                    self.refuse(format!("{access}.allowedRoles"), format!("`{role}` is no role of Talos"));
                }
            }
        }
        if let Some(algorithm) = filled(documents.machine(&["features", "nodeAddressSortAlgorithm"]))
            && !["v1", "v2"].contains(&algorithm.to_ascii_lowercase().as_str())
        {
            let message = format!("`{algorithm}` is no algorithm: it is `v1` or `v2`");
            self.refuse("machine.features.nodeAddressSortAlgorithm", message);
        }
    }

    pub(super) fn kubelet(&mut self, kubelet: Option<&Tree>, settings: &str, path: &str) {
        let Some(kubelet) = kubelet else { return };
        for text in texts(kubelet.at(&["nodeIP", "validSubnets"])) {
            self.require(format!("{path}.nodeIP.validSubnets"), subnet(text));
        }
        if let Some(map) = kubelet.at(&[settings]).and_then(Tree::as_map) {
            for field in PROTECTED_KUBELET_SETTINGS {
                if map.get(field).is_some() {
                    self.refuse(format!("{path}.{settings}.{field}"), "this setting of the kubelet is Talos' own");
                }
            }
        }
    }

    pub(super) fn labels(&mut self, labels: Option<&Tree>, path: &str) {
        for (key, value) in entries(labels) {
            self.require(path, qualified_name(key));
            self.require(path, label_value(value));
        }
    }

    pub(super) fn annotations(&mut self, annotations: Option<&Tree>, path: &str) {
        let mut bytes = 0;
        for (key, value) in entries(annotations) {
            self.require(path, qualified_name(key));
            if ["talos.dev/owned-annotations", "talos.dev/owned-labels", "talos.dev/owned-taints"].contains(&key) {
                self.refuse(path, format!("the annotation `{key}` is Talos' own"));
            }
            bytes += key.len() + value.len();
        }
        if bytes > MOST_ANNOTATION_BYTES {
            self.refuse(path, format!("the annotations have {bytes} bytes: {MOST_ANNOTATION_BYTES} are allowed"));
        }
    }

    pub(super) fn taints(&mut self, taints: Option<&Tree>, path: &str) {
        for (key, value) in entries(taints) {
            self.require(path, qualified_name(key));
            let (value, effect) = value.rsplit_once(':').unwrap_or(("", value));
            self.require(path, label_value(value));
            if !["", "NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
                let message =
                    format!("`{effect}` is no effect of a taint: these are `NoSchedule`, `PreferNoSchedule` and `NoExecute`");
                self.refuse(path, message);
            }
        }
    }

    fn interfaces(&mut self) {
        for (index, interface) in list(self.documents.machine(&["network", "interfaces"])).iter().enumerate() {
            let path = format!("machine.network.interfaces[{index}]");
            let vip = |tree: &Tree| tree.at(&["vip"]).is_some();
            if !self.is_control_plane() && (vip(interface) || list(interface.at(&["vlans"])).iter().any(vip)) {
                self.refuse(format!("{path}.vip"), "only control-plane nodes share an address");
            }
            if interface.at(&["bond"]).is_some() && interface.at(&["bridge"]).is_some() {
                self.refuse(&path, "an interface is a bond or a bridge, not both");
            }
            if interface.at(&["ignore"]).and_then(Tree::as_bool) == Some(true) {
                continue;
            }
            let named = filled(interface.at(&["interface"])).is_some();
            match (named, interface.at(&["deviceSelector"]).and_then(Tree::as_map)) {
                (false, None) => self.refuse(&path, "an interface needs `interface` or `deviceSelector`"),
                (true, Some(_)) => self.refuse(&path, "an interface has `interface` or `deviceSelector`, not both"),
                (false, Some(selector)) if selector.is_empty() => {
                    self.refuse(format!("{path}.deviceSelector"), "the selector is empty");
                }
                _ => {}
            }
            self.addresses(interface, &path);
        }
    }

    fn addresses(&mut self, interface: &Tree, path: &str) {
        let range = filled(interface.at(&["cidr"]));
        if range.is_some() && !list(interface.at(&["addresses"])).is_empty() {
            self.refuse(path, "an interface has `cidr` or `addresses`, not both");
        }
        for address in texts(interface.at(&["addresses"])).chain(range) {
            self.require(format!("{path}.addresses"), subnet(address));
        }
        for (index, route) in list(interface.at(&["routes"])).iter().enumerate() {
            let path = format!("{path}.routes[{index}]");
            let (network, gateway) = (filled(route.at(&["network"])), filled(route.at(&["gateway"])));
            if network.is_none() && gateway.is_none() {
                self.refuse(&path, "a route needs `network` or `gateway`");
            }
            if let Some(network) = network.filter(|text| text.parse::<ipnet::IpNet>().is_err()) {
                self.refuse(format!("{path}.network"), format!("`{network}` is no range of addresses"));
            }
            for key in ["gateway", "source"] {
                if let Some(address) = filled(route.at(&[key]))
                    && address.parse::<std::net::IpAddr>().is_err()
                {
                    self.refuse(format!("{path}.{key}"), format!("`{address}` is no address"));
                }
            }
        }
    }

    fn installed_extensions(&mut self) {
        let mut seen = HashSet::new();
        for extension in list(self.documents.machine(&["install", "extensions"])) {
            let image = extension.text_at(&["image"]).unwrap_or_default();
            if !seen.insert(image) {
                self.refuse("machine.install.extensions", format!("the extension `{image}` is listed twice"));
            }
        }
    }

    pub(super) fn urls(&mut self, urls: Option<&Tree>, path: &str) {
        for url in texts(urls) {
            self.require(path, endpoint(url));
        }
    }
}

pub(super) fn list(tree: Option<&Tree>) -> &[Tree] {
    tree.and_then(Tree::as_list).unwrap_or_default()
}

fn entries(tree: Option<&Tree>) -> impl Iterator<Item = (&str, &str)> {
    tree.and_then(Tree::as_map).into_iter().flat_map(Map::iter).map(|(key, value)| (key, value.as_text().unwrap_or_default()))
}
