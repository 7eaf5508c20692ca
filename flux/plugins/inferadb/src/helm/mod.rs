//! Helm releases, rendered as helm-controller 1.6 would install them anew.

mod charts;
mod names;
mod objects;
mod program;
mod scope;
mod source;
mod strvals;
mod value;
mod values;

#[cfg(test)]
mod differential;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) use charts::{Charts, has_values};
pub(crate) use names::{is_api_version, is_kube_version};
pub(crate) use program::{Helm, VERSION};
pub(crate) use source::{Named, named};
pub(crate) use values::{Composed, Secrets, compose};

use crate::error::{Error, Result};
use crate::fleet::{Built, Cluster, Input, Kustomization};
use crate::object::Object;
use crate::parallel::in_parallel;
use crate::progress::Progress;
use crate::render::{Cache, hex};
use crate::sources::Artifacts;
use crate::tree::Tree;
use names::LONGEST_NAME;
use objects::Made;
use program::Request;
use scope::Scopes;

/// Changes when the same input would be rendered otherwise.
const FORMAT: &str = "helm 1";

/// How releases are rendered.
pub(crate) struct Settings {
    /// The program, or why there is none.
    pub(crate) helm: std::result::Result<Helm, String>,
    pub(crate) charts: Charts,
    pub(crate) kube_version: String,
    pub(crate) api_versions: Vec<String>,
    /// Whether one that cannot be rendered on this machine is an error.
    pub(crate) must: bool,
    /// Whether to render with other secrets, too, which shows where they go.
    pub(crate) shadows: bool,
    pub(crate) cache: Cache,
}

/// Renders releases, each equal input once.
pub(crate) struct Releaser {
    settings: Settings,
    done: Mutex<HashMap<String, Shared>>,
}

type Shared = Arc<OnceLock<std::result::Result<Arc<str>, String>>>;

/// A release to render.
struct Job {
    cluster: usize,
    parent: String,
    object: Object,
    shadow: Option<Value>,
}

impl Releaser {
    pub(crate) fn new(settings: Settings) -> Self {
        Releaser { settings, done: Mutex::default() }
    }

    /// Renders the releases of clusters that are built.
    pub(crate) fn render(&self, clusters: &mut [Cluster], input: &Input<'_>) {
        let mut jobs = Vec::new();
        for (position, cluster) in clusters.iter().enumerate() {
            for by in &cluster.kustomizations {
                let Ok(built) = &by.outcome else { continue };
                let releases = built.objects.iter().zip(&built.shadows).filter(|(object, _)| object.is(GROUP, "HelmRelease"));
                jobs.extend(releases.map(|(object, shadow)| Job {
                    cluster: position,
                    parent: by.id(),
                    object: object.clone(),
                    shadow: shadow.clone(),
                }));
            }
        }
        let artifacts = Artifacts::default();
        let (mut settled, mut ready) = (Vec::new(), Vec::new());
        for (position, job) in jobs.into_iter().enumerate() {
            match source::chart(&clusters[job.cluster], &job.object, &self.settings.charts, input, &artifacts) {
                Ok(chart) => ready.push((position, job, chart)),
                Err(error) => settled.push((position, job, Err(error))),
            }
        }
        // Asked for only where a chart is at hand.
        let known: Vec<OnceLock<Known>> = clusters.iter().map(|_| OnceLock::new()).collect();
        let progress = Progress::new("releases");
        progress.expect(ready.len());
        let outcomes = in_parallel(&ready, |(_, job, chart)| {
            let cluster = &clusters[job.cluster];
            let known = known[job.cluster].get_or_init(|| Known::of(cluster, &self.settings.api_versions));
            let outcome = self.release(cluster, known, job, chart, input);
            progress.step();
            outcome
        });
        drop(progress);
        settled.extend(ready.into_iter().zip(outcomes).map(|((position, job, _), outcome)| (position, job, outcome)));
        settled.sort_by_key(|(position, ..)| *position);
        for (_, job, outcome) in settled {
            let outcome = match outcome {
                Err(Error::NotRendered(why)) if self.settings.must => Err(Error::Chart(format!("it is not rendered: {why}"))),
                outcome => outcome,
            };
            let cluster = &mut clusters[job.cluster];
            let parent = Some(job.parent);
            cluster.releases.push(Kustomization { object: job.object, parent, outcome, files: Vec::new(), place: None });
        }
    }

    fn release(&self, cluster: &Cluster, known: &Known, job: &Job, chart: &Tree, input: &Input<'_>) -> Result<Built> {
        let release = &job.object;
        let spec = &release.0["spec"];
        let helm = self.settings.helm.as_ref().map_err(|why| Error::NotRendered(why.clone()))?;
        let own = compose(spec, release.namespace(), &cluster.pool, Secrets::Own)?;
        let is_secret = own.has_secrets || job.shadow.is_some();
        let namespace = release_namespace(release);
        names::check(&release_name(release), &namespace, job.shadow.is_none())?;
        let render = |composed: &Composed, integers: &[_], release: &Object, checks_schema: bool| -> Result<Made> {
            let request = Request {
                chart,
                release: &release_name(release),
                namespace: &namespace,
                values: &composed.values,
                integers,
                kube_version: &self.settings.kube_version,
                api_versions: &known.api_versions,
                checks_schema,
            };
            let printed = self.template(helm, &request, !is_secret)?;
            if is_secret {
                return objects::objects(&printed, release, &namespace, &input.renderer.unkept(), &known.scopes);
            }
            objects::objects(&printed, release, &namespace, input.renderer, &known.scopes)
        };
        let checks_schema = spec["install"]["disableSchemaValidation"] != true;
        if !is_secret {
            return render(&own, &own.integers, release, checks_schema).map(|made| built(made, |_| None));
        }
        // The release as other values of Secrets would make it; nothing where they do not even fit.
        let shadow = job.shadow.as_ref().map_or_else(|| release.clone(), |shadow| Object(shadow.clone()));
        let others = compose(&shadow.0["spec"], release.namespace(), &cluster.pool, Secrets::Others);
        // Arguments of a program are nobody's secret.
        let public: Vec<_> = match &others {
            Ok(others) => own.integers.iter().filter(|one| others.integers.contains(one)).cloned().collect(),
            Err(_) => Vec::new(),
        };
        let made = render(&own, &public, release, checks_schema);
        if !self.settings.shadows && made.is_ok() {
            return made.map(|made| built(made, |_| None));
        }
        let shadow = others.and_then(|others| render(&others, &others.integers, &shadow, false));
        match made {
            Ok(made) => Ok(match shadow {
                Ok(shadow) => built(made, |object| {
                    let same = |other: &&Object| other.id() == object.id() && other.api_version() == object.api_version();
                    let other = shadow.objects.iter().find(same).map_or(Value::Null, |other| other.0.clone());
                    (other != object.0).then_some(other)
                }),
                Err(_) => built(made, |_| Some(Value::Null)),
            }),
            // Words about the release may quote its values; those about the other one quote no secret.
            Err(Error::Helm(_) | Error::PostRender(_)) => Err(shadow.err().unwrap_or_else(|| {
                Error::Helm(
                    "what it says may quote values of Secrets, and is not shown; with others in their place, the release renders"
                        .to_owned(),
                )
            })),
            Err(error) => Err(error),
        }
    }

    /// What helm prints; on disk, nothing is kept that has a secret in it.
    fn template(&self, helm: &Helm, request: &Request<'_>, is_kept: bool) -> Result<Arc<str>> {
        let none = Cache::none();
        let cache = if is_kept { &self.settings.cache } else { &none };
        let key = key(helm, request)?;
        let slot = Arc::clone(self.done.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default());
        let printed = slot.get_or_init(|| {
            if let Some(kept) = cache.get(&key) {
                return Ok(kept.into());
            }
            let printed = helm.template(request).map_err(|error| match error {
                Error::Helm(message) => message,
                other => other.to_string(),
            })?;
            cache.put(&key, &printed);
            Ok(printed.into())
        });
        printed.clone().map_err(Error::Helm)
    }
}

const GROUP: &str = "helm.toolkit.fluxcd.io";

fn built(made: Made, shadow: impl Fn(&Object) -> Option<Value>) -> Built {
    let shadows = made.objects.iter().map(shadow).collect();
    Built { objects: made.objects, shadows, reads: BTreeSet::new(), kept: made.kept }
}

/// What a release is called: by `releaseName`, or its own name behind the target namespace, cut where Helm takes no more.
fn release_name(release: &Object) -> String {
    let spec = &release.0["spec"];
    let text = |field: &str| spec[field].as_str().filter(|text| !text.is_empty());
    let name = match (text("releaseName"), text("targetNamespace")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(namespace)) => format!("{namespace}-{}", release.name()),
        (None, None) => release.name().to_owned(),
    };
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let hash = hex(&Sha256::digest(name.as_bytes()));
    format!("{}-{}", name.get(..LONGEST_NAME - 13).unwrap_or(&name), &hash[..12])
}

fn release_namespace(release: &Object) -> String {
    let target = release.0["spec"]["targetNamespace"].as_str().filter(|namespace| !namespace.is_empty());
    target.unwrap_or(release.namespace()).to_owned()
}

/// Everything that decides what comes out.
fn key(helm: &Helm, request: &Request<'_>) -> Result<String> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    for text in [FORMAT, &helm.version, request.release, request.namespace, request.kube_version] {
        part(text.as_bytes());
    }
    part(program::plain(request.values).as_bytes());
    part(format!("{:?} {:?} {}", request.integers, request.api_versions, request.checks_schema).as_bytes());
    for path in request.chart.below("") {
        part(path.as_bytes());
        part(&request.chart.bytes(path)?);
    }
    Ok(hex(&hash.finalize()))
}

/// What a cluster's own definitions say to charts.
struct Known {
    scopes: Scopes,
    /// What it serves beside Kubernetes' own: as told, and as its definitions say.
    api_versions: Vec<String>,
}

impl Known {
    fn of(cluster: &Cluster, told: &[String]) -> Self {
        let objects = || cluster.kustomizations.iter().flat_map(Kustomization::objects);
        let mut api_versions: BTreeSet<String> = told.iter().cloned().collect();
        for object in objects().filter(|object| object.is("apiextensions.k8s.io", "CustomResourceDefinition")) {
            let spec = &object.0["spec"];
            let group = spec["group"].as_str().unwrap_or_default();
            let kind = spec["names"]["kind"].as_str().unwrap_or_default();
            for version in spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true) {
                let version = format!("{group}/{}", version["name"].as_str().unwrap_or_default());
                let both = [format!("{version}/{kind}"), version];
                api_versions.extend(both.into_iter().filter(|version| is_api_version(version)));
            }
        }
        Known { scopes: Scopes::of(objects()), api_versions: api_versions.into_iter().collect() }
    }
}
