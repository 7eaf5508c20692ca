//! The cluster's objects as JSON, each change numbered, as etcd and the API server's watch cache keep them.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value as Json, json};

/// How many changes a watch can go back to. A watch from before them gets 410, as from a compacted etcd.
const LOG: usize = 10_000;

/// The resources that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    Nodes,
    Pods,
    Namespaces,
    Budgets,
}

impl Resource {
    pub(super) const ALL: [Self; 4] = [Self::Nodes, Self::Pods, Self::Namespaces, Self::Budgets];

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::Namespaces => "namespaces",
            Self::Budgets => "poddisruptionbudgets",
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Nodes => "Node",
            Self::Pods => "Pod",
            Self::Namespaces => "Namespace",
            Self::Budgets => "PodDisruptionBudget",
        }
    }

    /// Empty for the core group.
    pub(super) fn group(self) -> &'static str {
        match self {
            Self::Budgets => "policy",
            _ => "",
        }
    }

    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::Budgets => "policy/v1",
            _ => "v1",
        }
    }

    pub(super) fn namespaced(self) -> bool {
        matches!(self, Self::Pods | Self::Budgets)
    }
}

/// Where an object is; the namespace is empty for what has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) resource: Resource,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(resource: Resource, namespace: &str, name: &str) -> Self {
        Self { resource, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(super) fn node(name: &str) -> Self {
        Self::new(Resource::Nodes, "", name)
    }
}

/// One change: from `before` (created if there was nothing) to `after` (deleted if there is nothing).
#[derive(Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) resource: Resource,
    pub(super) before: Option<Json>,
    /// Of a deleted object its last state, with the deletion's version.
    pub(super) object: Json,
    pub(super) deleted: bool,
}

pub(super) struct Store {
    version: u64,
    objects: BTreeMap<Key, Json>,
    log: VecDeque<Change>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self { version: 1, objects: BTreeMap::new(), log: VecDeque::new() }
    }

    /// The newest change's number.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Json> {
        self.objects.get(key)
    }

    /// All of a resource, in all namespaces or in one, by namespace and name.
    pub(super) fn list<'a>(
        &'a self,
        resource: Resource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Json)> + 'a {
        self.objects
            .iter()
            .filter(move |(key, _)| key.resource == resource && namespace.is_none_or(|wanted| wanted == key.namespace))
    }

    /// Creates or replaces; gives back what is stored. What changes nothing gets no new version.
    pub(super) fn put(&mut self, key: Key, mut object: Json) -> Json {
        let before = self.objects.get(&key).cloned();
        if before.as_ref() == Some(&object) {
            return object;
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.note(Change { version: self.version, resource: key.resource, before, object: object.clone(), deleted: false });
        self.objects.insert(key, object.clone());
        object
    }

    /// Deletes; gives back what was there.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Json> {
        let mut object = self.objects.remove(key)?;
        let before = Some(object.clone());
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.note(Change { version: self.version, resource: key.resource, before, object: object.clone(), deleted: true });
        Some(object)
    }

    /// The changes after a version, or `None` if some of them are forgotten.
    pub(super) fn changes_after(&self, version: u64) -> Option<Vec<Change>> {
        // Each version has one change, the first being number 2.
        let oldest = self.log.front().map_or(self.version + 1, |change| change.version);
        if version + 1 < oldest && oldest > 2 {
            return None;
        }
        Some(self.log.iter().filter(|change| change.version > version).cloned().collect())
    }

    fn note(&mut self, change: Change) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(change);
    }
}
