//! What waits for what in a cluster: Kustomizations and Helm releases, who renders them, and `dependsOn`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fleet::{Cluster, Kustomization};
use crate::object::Object;

/// A Kustomization or a Helm release.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// `KIND NAMESPACE/NAME`.
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// `NAMESPACE/NAME`.
    pub(crate) name: String,
    /// What else there is to say, in few words.
    pub(crate) about: String,
    pub(crate) state: State,
    /// The id of the Kustomization that renders it; none for the root.
    pub(crate) parent: Option<String>,
    /// The ids of what it waits for.
    pub(crate) after: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Well,
    Suspended,
    Failed,
}

/// A cluster's graph, in the order in which things get ready.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) cluster: String,
    pub(crate) nodes: Vec<Node>,
}

const HELM: &str = "helm.toolkit.fluxcd.io";

impl Graph {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let mut nodes = Vec::new();
        for kustomization in &cluster.kustomizations {
            nodes.push(of_kustomization(kustomization));
            let parent = format!("Kustomization {}", kustomization.id());
            let releases = kustomization.objects().iter().filter(|object| object.is(HELM, "HelmRelease"));
            nodes.extend(releases.map(|release| of_release(release, &parent)));
        }
        Graph { cluster: cluster.name.clone(), nodes }
    }

    pub(crate) fn children<'g>(&'g self, id: &'g str) -> impl Iterator<Item = &'g Node> {
        self.nodes.iter().filter(move |node| node.parent.as_deref() == Some(id))
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.nodes.iter().any(|node| node.id == id)
    }

    /// What is waited for and not there: who waits, for what.
    pub(crate) fn missing(&self) -> Vec<(&str, &str)> {
        let edges = self.nodes.iter().flat_map(|node| node.after.iter().map(move |after| (node.id.as_str(), after.as_str())));
        edges.filter(|(_, after)| !self.has(after)).collect()
    }

    /// Those that wait for each other in a circle, each circle once, from its first name on.
    pub(crate) fn cycles(&self) -> Vec<Vec<&str>> {
        let edges: BTreeMap<&str, Vec<&str>> =
            self.nodes.iter().map(|node| (node.id.as_str(), node.after.iter().map(String::as_str).collect())).collect();
        let (mut cycles, mut seen) = (Vec::new(), BTreeSet::new());
        for start in edges.keys() {
            if let Some(cycle) = shortest_cycle(start, &edges)
                && cycle.iter().min() == Some(start)
            {
                let mut members = cycle.clone();
                members.sort_unstable();
                if seen.insert(members) {
                    cycles.push(cycle);
                }
            }
        }
        cycles
    }
}

/// The shortest way from a node back to itself.
fn shortest_cycle<'g>(start: &'g str, edges: &BTreeMap<&'g str, Vec<&'g str>>) -> Option<Vec<&'g str>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last().copied().unwrap_or(start);
            for next in edges.get(last).into_iter().flatten() {
                if *next == start {
                    return Some(way);
                }
                if seen.insert(*next) {
                    longer.push(way.iter().copied().chain([*next]).collect());
                }
            }
        }
        ways = longer;
    }
    None
}

fn of_kustomization(kustomization: &Kustomization) -> Node {
    let path = kustomization.spec()["path"].as_str().unwrap_or("./");
    let (about, state) = match &kustomization.outcome {
        Err(_) => (path.to_owned(), State::Failed),
        Ok(built) => {
            let objects = built.objects.len();
            let about = format!("{path}, {objects} object{}", if objects == 1 { "" } else { "s" });
            (about, if kustomization.is_suspended() { State::Suspended } else { State::Well })
        }
    };
    Node {
        id: format!("Kustomization {}", kustomization.id()),
        kind: "Kustomization",
        name: kustomization.id(),
        about,
        state,
        parent: kustomization.parent.as_ref().map(|parent| format!("Kustomization {parent}")),
        after: kustomization.depends_on().iter().map(|after| format!("Kustomization {after}")).collect(),
    }
}

fn of_release(release: &Object, parent: &str) -> Node {
    let spec = &release.0["spec"];
    let chart = &spec["chart"]["spec"];
    let about = match (chart["chart"].as_str(), chart["version"].as_str(), spec["chartRef"]["name"].as_str()) {
        (Some(chart), Some(version), _) => format!("{chart} {version}"),
        (Some(chart), None, _) => chart.to_owned(),
        (None, _, Some(name)) => name.to_owned(),
        _ => String::new(),
    };
    let after = spec["dependsOn"].as_array().into_iter().flatten().map(|item: &Value| {
        let namespace = item["namespace"].as_str().unwrap_or(release.namespace());
        format!("HelmRelease {namespace}/{}", item["name"].as_str().unwrap_or_default())
    });
    let name = format!("{}/{}", release.namespace(), release.name());
    Node {
        id: format!("HelmRelease {name}"),
        kind: "HelmRelease",
        name,
        about,
        state: if spec["suspend"] == true { State::Suspended } else { State::Well },
        parent: Some(parent.to_owned()),
        after: after.collect(),
    }
}
