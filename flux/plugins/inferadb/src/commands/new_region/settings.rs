//! What the clusters of the tree are told, and which of them a new one takes after.

use crate::error::{Error, Result};
use crate::root;
use crate::tree::Tree;
use crate::yaml::{self, Node};

use super::Refused;

const FILE: &str = "cluster-settings.yaml";
/// The most characters of a cluster's name.
const LONGEST: usize = 32;

/// What differs between the regions of an environment.
const REGIONAL: [&str; 11] = [
    "CLUSTER_NAME",
    "CLUSTER_ROLE",
    "REGION",
    "PROVIDER_TYPE",
    "PROVIDER_REGION",
    "ZONES",
    "NETWORK_CIDR",
    "POD_CIDR",
    "SERVICE_CIDR",
    "FDB_BACKUP_BUCKET",
    "FDB_BACKUP_URL",
];

/// The settings of a cluster.
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) folder: String,
    /// The file that they stand in.
    pub(super) path: String,
    pub(super) values: Vec<(String, String)>,
}

impl Settings {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn needed(&self, key: &str) -> Result<&str> {
        self.get(key).ok_or_else(|| self.wrong(format!("the setting `{key}` is missing")))
    }

    pub(super) fn wrong(&self, problem: String) -> Error {
        Refused::Settings { path: self.path.clone(), problem }.into()
    }

    /// What a cluster of the same environment is called.
    pub(super) fn name_in(&self, region: &str) -> Result<String> {
        let (name, own) = (self.needed("CLUSTER_NAME")?, self.needed("REGION")?);
        match name.strip_suffix(own) {
            Some(start) if name == self.name => Ok(format!("{start}{region}")),
            _ => Err(self.wrong(format!(
                "`CLUSTER_NAME` is `{name}`, and neither the folder's name nor one that ends in the region's, `{own}`"
            ))),
        }
    }

    /// The folder of a cluster of the same environment.
    pub(super) fn folder_of(&self, region: &str) -> Result<String> {
        let name = self.name_in(region)?;
        if name.len() > LONGEST {
            return Err(Refused::Long { name, what: "what the cluster would be called", most: LONGEST }.into());
        }
        Ok(format!("{}{name}", self.folder.strip_suffix(&self.name).unwrap_or_default()))
    }
}

/// The clusters of the tree that have settings.
pub(super) fn all(tree: &Tree, told: Option<&str>) -> Result<Vec<Settings>> {
    let mut all = Vec::new();
    for (name, folder) in root::clusters(tree, told)? {
        let path = format!("{folder}/{FILE}");
        if tree.has_file(&path) {
            let data = data_of(&path, &tree.text(&path)?)?;
            all.push(Settings { name, folder, path, values: texts(&data) });
        }
    }
    Ok(all)
}

/// The `data` of the file's ConfigMap.
pub(super) fn data_of(path: &str, text: &str) -> Result<Node> {
    let documents = yaml::parse(text).map_err(|source| Error::Yaml { path: path.to_owned(), source })?;
    let map = documents.into_iter().find(|one| one.at(&["kind"]).and_then(Node::text) == Some("ConfigMap"));
    let data = map.as_ref().and_then(|map| map.at(&["data"])).cloned();
    data.ok_or_else(|| {
        Refused::Settings { path: path.to_owned(), problem: "no ConfigMap with `data` is in it".to_owned() }.into()
    })
}

pub(super) fn texts(data: &Node) -> Vec<(String, String)> {
    match &data.kind {
        yaml::Kind::Map(entries) => {
            entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned()))).collect()
        }
        _ => Vec::new(),
    }
}

/// The cluster of the environment whose settings a new one takes: its primary, or any.
pub(super) fn sibling<'c>(clusters: &'c [Settings], environment: &str) -> Result<&'c Settings> {
    let of: Vec<&Settings> = clusters.iter().filter(|one| one.get("ENVIRONMENT") == Some(environment)).collect();
    let primary = of.iter().find(|one| one.get("CLUSTER_ROLE") == Some("primary")).or(of.first());
    let Some(sibling) = primary else { return Err(Refused::NoSibling { environment: environment.to_owned() }.into()) };
    for other in &of {
        let differs =
            sibling.values.iter().find(|(key, value)| !REGIONAL.contains(&key.as_str()) && other.get(key) != Some(value));
        if let Some((key, _)) = differs {
            return Err(Refused::Siblings { first: sibling.name.clone(), second: other.name.clone(), key: key.clone() }.into());
        }
    }
    Ok(sibling)
}
