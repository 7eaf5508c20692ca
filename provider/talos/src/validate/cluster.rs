//! The rules of `cluster`.

use std::collections::HashSet;

use crate::tree::{Map, Tree};

use super::machine::list;
use super::names::is_domain;
use super::{Rules, endpoint, filled, subnet, texts};

/// What of a component's pod may be requested and limited.
const RESOURCES: [&str; 2] = ["cpu", "memory"];

impl Rules<'_> {
    pub(super) fn cluster(&mut self) {
        let documents = self.documents;
        if documents.cluster(&[]).is_none() {
            self.refuse("cluster", "the config has no `cluster`");
            return;
        }
        let own_document = documents.of_kind("KubeClusterConfig").is_some();
        match filled(documents.cluster(&["controlPlane", "endpoint"])) {
            Some(url) => self.require("cluster.controlPlane.endpoint", endpoint(url)),
            None if own_document => {}
            None => self.refuse("cluster.controlPlane.endpoint", "the endpoint of the Kubernetes API is missing"),
        }
        if let Some(domain) = filled(documents.cluster(&["network", "dnsDomain"]))
            && !is_domain(domain)
        {
            self.refuse("cluster.network.dnsDomain", format!("`{domain}` is no domain"));
        }
        self.external_cloud_provider();
        self.cluster_authority();
        self.network_plugin();
        self.discovery();
        self.etcd();
        let mut names = HashSet::new();
        for (index, manifest) in list(documents.cluster(&["inlineManifests"])).iter().enumerate() {
            let path = format!("cluster.inlineManifests[{index}].name");
            let name = manifest.text_at(&["name"]).unwrap_or_default();
            if name.trim().is_empty() {
                self.refuse(path, "an inline manifest needs a name");
            } else if !names.insert(name) {
                self.refuse(path, format!("the inline manifest `{name}` is there twice"));
            }
        }
        for component in ["apiServer", "controllerManager", "scheduler"] {
            for kind in ["requests", "limits"] {
                let path = ["resources", kind];
                let resources = documents.cluster(&[component]).and_then(|tree| tree.at(&path)).and_then(Tree::as_map);
                for (key, _) in resources.into_iter().flat_map(Map::iter) {
                    if !RESOURCES.contains(&key) {
                        let path = format!("cluster.{component}.resources.{kind}.{key}");
                        self.refuse(path, "a component's pod has the resources `cpu` and `memory` alone");
                    }
                }
            }
        }
    }

    fn external_cloud_provider(&mut self) {
        let documents = self.documents;
        let manifests = documents.cluster(&["externalCloudProvider", "manifests"]);
        let enabled = documents.cluster(&["externalCloudProvider", "enabled"]).and_then(Tree::as_bool) == Some(true);
        if !enabled && !list(manifests).is_empty() {
            self.refuse("cluster.externalCloudProvider", "there are manifests, but `enabled` is not `true`");
        }
        self.urls(manifests, "cluster.externalCloudProvider.manifests");
    }

    fn cluster_authority(&mut self) {
        let control_plane = self.is_control_plane();
        if !control_plane && filled(self.documents.cluster(&["ca", "key"])).is_some() {
            self.refuse("cluster.ca.key", "a worker must not have the key of Kubernetes' authority");
        }
        if !control_plane && self.documents.cluster(&["etcd"]).is_some() {
            self.refuse("cluster.etcd", "only control-plane nodes run etcd");
        }
    }

    fn network_plugin(&mut self) {
        if !self.is_control_plane() {
            return;
        }
        let documents = self.documents;
        let path = ["network", "cni"];
        let Some(plugin) = documents.cluster(&path) else { return };
        let urls = plugin.at(&["urls"]);
        match plugin.text_at(&["name"]).unwrap_or_default() {
            "" | "flannel" | "none" if !list(urls).is_empty() => {
                self.refuse("cluster.network.cni.urls", "URLs of manifests need `name: custom`");
            }
            "" | "flannel" | "none" => {}
            "custom" => self.urls(urls, "cluster.network.cni.urls"),
            other => {
                let message = format!("`{other}` is no network plugin that Talos knows: it is `flannel`, `custom` or `none`");
                self.refuse("cluster.network.cni.name", message);
            }
        }
    }

    fn discovery(&mut self) {
        let documents = self.documents;
        let set = |path: &[&str], value| documents.cluster(path).and_then(Tree::as_bool) == Some(value);
        if !set(&["discovery", "enabled"], true) || set(&["discovery", "registries", "service", "disabled"], true) {
            return;
        }
        let service = "cluster.discovery.registries.service.endpoint";
        if let Some(url) = filled(documents.cluster(&["discovery", "registries", "service", "endpoint"])) {
            let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
            if !path.split(['?', '#']).next().unwrap_or_default().is_empty() {
                self.refuse(service, "the URL of a discovery service has no path");
            }
            if !url.contains(':') && !url.starts_with('/') {
                self.refuse(service, "the URL of the discovery service has no scheme");
            }
        }
        let identity = documents.of_kind("DiscoveryIdentityConfig").is_some();
        for key in ["id", "secret"] {
            if !identity && filled(documents.cluster(&[key])).is_none() {
                self.refuse(format!("cluster.{key}"), "the discovery service needs the cluster's id and secret");
            }
        }
    }

    fn etcd(&mut self) {
        let documents = self.documents;
        let Some(etcd) = documents.cluster(&["etcd"]).filter(|_| self.is_control_plane()) else { return };
        if etcd.at(&["ca"]).is_none() {
            self.refuse("cluster.etcd.ca", "the authority of etcd is missing");
        }
        for key in ["advertisedSubnets", "listenSubnets"] {
            for text in texts(etcd.at(&[key])) {
                self.require(format!("cluster.etcd.{key}"), subnet(text));
            }
        }
        if filled(etcd.at(&["subnet"])).is_some() && !list(etcd.at(&["advertisedSubnets"])).is_empty() {
            self.refuse("cluster.etcd.subnet", "`subnet` and `advertisedSubnets` must not both be set");
        }
    }
}
