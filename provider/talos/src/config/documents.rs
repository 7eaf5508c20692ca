//! The documents of a config, and where things stand in them: in the one without a kind, or since v1.14 in others.

use zeroize::Zeroizing;

use crate::tree::Tree;

use super::Manifest;

/// The network that Talos brings unless told otherwise.
const FLANNEL: &str = "flannel";

/// Files that hold one of these install a pod network, however they are named.
const NETWORK_MARKS: [&str; 4] = ["/opt/cni/bin", "/etc/cni/net.d", "cni-conf", "cni-exclusive"];

#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Documents(Vec<Tree>);

impl Documents {
    pub(crate) fn new(documents: Vec<Tree>) -> Self {
        Self(documents)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tree> {
        self.0.iter()
    }

    pub(crate) fn all_mut(&mut self) -> &mut Vec<Tree> {
        &mut self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether both have the same documents, in whatever order. No two documents of a config are alike.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|document| other.iter().any(|theirs| document.same_as(theirs)))
    }

    /// The document without a kind.
    pub(crate) fn plain(&self) -> Option<&Tree> {
        self.0.iter().find(|document| document.at(&["kind"]).is_none())
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Option<&Tree> {
        self.0.iter().find(|document| document.text_at(&["kind"]) == Some(kind))
    }

    pub(crate) fn all_of_kind<'d>(&'d self, kind: &'d str) -> impl Iterator<Item = &'d Tree> {
        self.0.iter().filter(move |document| document.text_at(&["kind"]) == Some(kind))
    }

    pub(crate) fn machine(&self, path: &[&str]) -> Option<&Tree> {
        self.plain()?.at(&["machine"])?.at(path)
    }

    pub(crate) fn cluster(&self, path: &[&str]) -> Option<&Tree> {
        self.plain()?.at(&["cluster"])?.at(path)
    }

    pub(crate) fn machine_text(&self, path: &[&str]) -> Option<&str> {
        self.machine(path)?.as_text()
    }

    pub(crate) fn cluster_text(&self, path: &[&str]) -> Option<&str> {
        self.cluster(path)?.as_text()
    }

    pub(crate) fn brings_cni(&self) -> bool {
        // Where there is a document for Kubernetes' parts, flannel has one too or is not installed.
        let by_documents = self.of_kind("KubeClusterConfig").is_some();
        let flannel = if by_documents {
            self.of_kind("KubeFlannelCNIConfig").is_some()
        } else {
            self.cluster_text(&["network", "cni", "name"]).is_none_or(|name| name.is_empty() || name == FLANNEL)
        };
        let custom = self.cluster_text(&["network", "cni", "name"]) == Some("custom")
            && self.cluster(&["network", "cni", "urls"]).and_then(Tree::as_list).is_some_and(|urls| !urls.is_empty());
        flannel || custom || self.inline_manifests().any(is_network)
    }

    fn inline_manifests(&self) -> impl Iterator<Item = &str> {
        let listed = self
            .cluster(&["inlineManifests"])
            .and_then(Tree::as_list)
            .unwrap_or_default()
            .iter()
            .filter_map(|manifest| manifest.text_at(&["contents"]));
        let own = self.all_of_kind("KubeInlineManifestConfig").filter_map(|document| document.text_at(&["manifest"]));
        listed.chain(own)
    }

    pub(crate) fn take_inline_manifests(&mut self) -> Vec<Manifest> {
        let mut manifests = Vec::new();
        for document in &mut self.0 {
            let Some(cluster) = document.as_map_mut().and_then(|map| map.get_mut("cluster")) else {
                continue;
            };
            if let Some(Tree::List(list)) = cluster.as_map_mut().and_then(|map| map.remove("inlineManifests")) {
                manifests.extend(list.iter().filter_map(|item| manifest(item, "contents")));
            }
        }
        self.0.retain(|document| {
            let inline = document.text_at(&["kind"]) == Some("KubeInlineManifestConfig");
            if inline {
                manifests.extend(manifest(document, "manifest"));
            }
            !inline
        });
        manifests
    }
}

fn manifest(item: &Tree, contents: &str) -> Option<Manifest> {
    Some(Manifest { name: item.text_at(&["name"])?.to_owned(), contents: Zeroizing::new(item.text_at(&[contents])?.to_owned()) })
}

/// A pod network puts its plugin on the host.
fn is_network(manifest: &str) -> bool {
    NETWORK_MARKS.iter().any(|mark| manifest.contains(mark))
}
