//! What can be wrong with a fleet though it renders: rules, and what they find.

mod builds;
mod charts;
mod kustomizations;
mod pins;
mod policies;
mod producers;
mod references;
mod schema;
mod variables;
mod waivers;

use std::collections::{BTreeMap, BTreeSet};

use crate::crd::Crds;
use crate::fleet::{Cluster, Kustomization};
use crate::helm::Charts;
use crate::object::Object;
use crate::place::{Place, Step};
use crate::places::Places;
use crate::tree::Tree;
pub(crate) use schema::{Schemas, folder as schema_folder};

/// A rule: its name, and what it holds objects to.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    pub(crate) about: &'static str,
}

/// All rules.
pub(crate) const RULES: &[Rule] = &[
    Rule { id: "build", about: "each Kustomization builds, and each Helm release that is rendered" },
    Rule { id: "kustomization", about: "each Kustomization makes objects, of fields that kustomize knows" },
    Rule { id: "producer", about: "one Kustomization of a cluster produces an object" },
    Rule { id: "namespace", about: "namespaces of objects are there" },
    Rule { id: "depends-on", about: "what `dependsOn` names is there" },
    Rule { id: "cycle", about: "nothing waits for itself" },
    Rule { id: "source", about: "what a `sourceRef` or `chartRef` names is there" },
    Rule {
        id: "secret",
        about: "Secrets that objects name are there, or made by an ExternalSecret, SealedSecret or Certificate",
    },
    Rule { id: "config-map", about: "ConfigMaps that objects name are there" },
    Rule { id: "service-account", about: "ServiceAccounts that objects name are there" },
    Rule { id: "health-check", about: "what a health check names is there" },
    Rule { id: "issuer", about: "issuers that certificates name are there" },
    Rule { id: "gateway", about: "gateways that routes name are there" },
    Rule { id: "priority-class", about: "priority classes that pods name are there" },
    Rule { id: "storage-class", about: "storage classes that claims name are there" },
    Rule { id: "variable-unused", about: "each variable is read by a Kustomization of some cluster" },
    Rule { id: "variable-secret", about: "variables from Secrets go into Secrets alone" },
    Rule { id: "image", about: "images have a version" },
    Rule { id: "chart", about: "charts have one version" },
    Rule { id: "chart-value", about: "values of releases are values of their chart" },
    Rule { id: "chart-schema", about: "values of releases fit their chart's schema" },
    Rule { id: "deprecated-api", about: "no API version is old" },
    Rule { id: "default-deny", about: "a network policy in each namespace denies what others do not allow" },
    Rule { id: "schema", about: "objects fit the schema of their kind" },
    Rule { id: "crd-rule", about: "objects keep the rules, in CEL, of their CustomResourceDefinition" },
    Rule {
        id: "schema-missing",
        about: "there is a schema for each kind, and each rule of it is understood (with `--require-schemas`)",
    },
    Rule { id: "waiver", about: "a waiver names a rule, says why, and waives something" },
];

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: &'static str,
    pub(crate) place: Place,
    /// The object, as people name it.
    pub(crate) object: String,
    /// What is wrong, and what to do.
    pub(crate) message: String,
    /// The clusters that have it.
    pub(crate) clusters: Vec<String>,
    /// Why it is waived.
    pub(crate) waived: Option<String>,
}

/// What the checks found.
pub(crate) struct Findings {
    /// Those that count, by place.
    pub(crate) found: Vec<Finding>,
    /// Those that are waived, by place.
    pub(crate) waived: Vec<Finding>,
    /// Kinds without a schema, with the number of their objects.
    pub(crate) without_schema: BTreeMap<String, usize>,
    /// Kinds with rules of their definition that are not understood here, with these rules.
    pub(crate) not_evaluated: BTreeMap<String, BTreeSet<String>>,
    /// Charts that are not at hand, with the number of their releases.
    pub(crate) without_chart: BTreeMap<String, usize>,
    /// How many objects were looked at.
    pub(crate) objects: usize,
    /// Clusters in which something does not build: what it would have brought is not missed.
    pub(crate) partial: Vec<String>,
}

/// What checks look at.
pub(crate) struct Context<'c> {
    pub(crate) clusters: &'c [Cluster],
    /// Whether these are all that there are.
    pub(crate) all_clusters: bool,
    pub(crate) tree: &'c Tree,
    pub(crate) places: Places<'c>,
    pub(crate) schemas: Option<&'c Schemas>,
    pub(crate) crds: &'c Crds,
    pub(crate) charts: &'c Charts,
    pub(crate) require_schemas: bool,
    /// Objects that live only in clusters.
    pub(crate) given: &'c [Object],
}

/// Gathers findings: one that several clusters share is one.
struct Gatherer<'c> {
    context: &'c Context<'c>,
    findings: Vec<Finding>,
    without_schema: BTreeMap<String, usize>,
    not_evaluated: BTreeMap<String, BTreeSet<String>>,
    without_chart: BTreeMap<String, usize>,
    /// Waivers by place of their object and rule, with the reason and whether they waived anything.
    waivers: waivers::Waivers,
}

impl Gatherer<'_> {
    /// Something wrong with an object that a Kustomization renders.
    fn add(&mut self, rule: &'static str, at: (&Cluster, &Kustomization, &Object), path: &[Step], message: String) {
        let (cluster, by, object) = at;
        let place = self.context.places.of(cluster, by, object, path);
        // What a chart makes is waived at its release.
        let waived = self.waivers.reason(object, rule);
        let waived = waived.or_else(|| by.is_release().then(|| self.waivers.reason(&by.object, rule)).flatten());
        let object = object.id().to_string();
        self.push(cluster, Finding { rule, place, object, message, clusters: Vec::new(), waived }, by.is_release());
    }

    fn add_at(&mut self, rule: &'static str, cluster: &Cluster, place: Place, object: &Object, message: String) {
        let waived = self.waivers.reason(object, rule);
        let object = object.id().to_string();
        self.push(cluster, Finding { rule, place, object, message, clusters: Vec::new(), waived }, false);
    }

    /// With `apart`, objects of one place are told apart: all that a chart makes stands at its release.
    fn push(&mut self, cluster: &Cluster, finding: Finding, apart: bool) {
        let is_same = |one: &&mut Finding| {
            (one.rule, &one.place, &one.message) == (finding.rule, &finding.place, &finding.message)
                && (!apart || one.object == finding.object)
        };
        match self.findings.iter_mut().find(is_same) {
            Some(same) if same.clusters.contains(&cluster.name) => {}
            Some(same) => same.clusters.push(cluster.name.clone()),
            None => self.findings.push(Finding { clusters: vec![cluster.name.clone()], ..finding }),
        }
    }
}

/// Runs all checks.
pub(crate) fn run(context: &Context<'_>) -> Findings {
    let waivers = waivers::Waivers::default();
    let mut gatherer = Gatherer {
        context,
        findings: Vec::new(),
        without_schema: BTreeMap::new(),
        not_evaluated: BTreeMap::new(),
        without_chart: BTreeMap::new(),
        waivers,
    };
    builds::check(&mut gatherer);
    kustomizations::check(&mut gatherer);
    producers::check(&mut gatherer);
    references::check(&mut gatherer);
    variables::check(&mut gatherer);
    pins::check(&mut gatherer);
    policies::check(&mut gatherer);
    charts::check(&mut gatherer);
    schema::check(&mut gatherer);
    waivers::check(&mut gatherer);
    let mut all = std::mem::take(&mut gatherer.findings);
    all.sort_by(|one, other| (&one.place, one.rule, &one.message).cmp(&(&other.place, other.rule, &other.message)));
    let (waived, found) = all.into_iter().partition(|finding| finding.waived.is_some());
    let objects = context.clusters.iter().flat_map(Cluster::producers).map(|one| one.objects().len()).sum();
    let partial = context.clusters.iter().filter(|cluster| !cluster.is_whole()).map(|cluster| cluster.name.clone()).collect();
    let Gatherer { without_schema, not_evaluated, without_chart, .. } = gatherer;
    Findings { found, waived, without_schema, not_evaluated, without_chart, objects, partial }
}

/// All objects of a cluster with what renders them; those that Flux itself starts from have nothing that does.
fn objects(cluster: &Cluster) -> impl Iterator<Item = (&Kustomization, &Object)> {
    cluster.producers().flat_map(|by| by.objects().iter().map(move |object| (by, object)))
}

/// The identities that a cluster has, those too that other objects bring forth.
struct Known(BTreeSet<(String, String, String, String)>);

impl Known {
    fn has(&self, group: &str, kind: &str, namespace: &str, name: &str) -> bool {
        self.0.contains(&(group.to_owned(), kind.to_owned(), namespace.to_owned(), name.to_owned()))
    }
}
