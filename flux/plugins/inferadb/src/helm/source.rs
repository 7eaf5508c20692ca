//! Which chart a release names, and where it comes from.

use std::sync::Arc;

use serde_json::Value;

use super::charts::{self, Charts, Wishes};
use crate::error::{Error, Result};
use crate::fleet::{Cluster, Input, Kustomization};
use crate::object::Object;
use crate::sources::Artifacts;
use crate::tree::Tree;

/// A chart, as a release names it.
pub(crate) enum Named {
    /// Out of a repository of charts, in one version.
    Chart { name: String, version: String },
    /// A path of a source.
    Path { source: String, path: String },
}

/// What a release's chart is called; why it is not known.
pub(crate) fn named(cluster: &Cluster, release: &Object) -> std::result::Result<Named, String> {
    match definition(cluster, release)? {
        Definition::Chart { spec, namespace } => {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let name = text(&spec["chart"]);
            let reference = &spec["sourceRef"];
            if reference["kind"] == "HelmRepository" || !reference["kind"].is_string() {
                let version = text(&spec["version"]);
                if version.is_empty() {
                    return Err(format!("its chart `{name}` has no version, so there is no one chart to render"));
                }
                return Ok(Named::Chart { name, version });
            }
            let namespace = reference["namespace"].as_str().unwrap_or(namespace);
            let source = format!("{}/{namespace}/{}", text(&reference["kind"]), text(&reference["name"]));
            Ok(Named::Path { source, path: name })
        }
        Definition::Oci(source) => {
            let spec = &source.0["spec"];
            let name = spec["url"].as_str().unwrap_or_default().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let reference = |field: &str| spec["ref"][field].as_str().filter(|text| !text.is_empty());
            if name.is_empty() {
                return Err(format!("OCIRepository {} has no `url`, so its chart has no name", source.name()));
            }
            // A range goes before a tag, and a digest before both: a tag beside it says what it is of.
            match (reference("digest"), reference("semver"), reference("tag")) {
                (None, Some(range), _) => Err(format!(
                    "OCIRepository {} takes the newest of `{range}` (`ref.semver` goes before `ref.tag`), so there is no one chart to render",
                    source.name()
                )),
                (_, _, Some(tag)) => Ok(Named::Chart { name: name.to_owned(), version: tag.to_owned() }),
                (_, _, None) => {
                    Err(format!("OCIRepository {} has no `ref.tag`, so there is no one chart to render", source.name()))
                }
            }
        }
    }
}

enum Definition<'c> {
    /// The spec of a HelmChart, and where it stands.
    Chart {
        spec: &'c Value,
        namespace: &'c str,
    },
    Oci(&'c Object),
}

fn definition<'c>(cluster: &'c Cluster, release: &'c Object) -> std::result::Result<Definition<'c>, String> {
    let spec = &release.0["spec"];
    if spec["chart"]["spec"].is_object() {
        return Ok(Definition::Chart { spec: &spec["chart"]["spec"], namespace: release.namespace() });
    }
    let reference = &spec["chartRef"];
    let namespace = reference["namespace"].as_str().unwrap_or(release.namespace());
    let (kind, name) = (reference["kind"].as_str().unwrap_or_default(), reference["name"].as_str().unwrap_or_default());
    let found =
        cluster.kustomizations.iter().flat_map(Kustomization::objects).find(|object| {
            object.is("source.toolkit.fluxcd.io", kind) && object.namespace() == namespace && object.name() == name
        });
    match (kind, found) {
        ("OCIRepository", Some(source)) => Ok(Definition::Oci(source)),
        ("HelmChart", Some(chart)) => Ok(Definition::Chart { spec: &chart.0["spec"], namespace: chart.namespace() }),
        _ => Err(format!("nothing in this cluster produces its chart's source, the {kind} `{namespace}/{name}`")),
    }
}

/// The chart of a release, ready to render.
pub(super) fn chart(
    cluster: &Cluster,
    release: &Object,
    charts: &Charts,
    input: &Input<'_>,
    artifacts: &Artifacts,
) -> Result<Arc<Tree>> {
    let definition = definition(cluster, release).map_err(Error::NotRendered)?;
    let wishes = match &definition {
        Definition::Chart { spec, .. } => Wishes {
            values_files: spec["valuesFiles"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            ignore_missing: spec["ignoreMissingValuesFiles"] == true,
        },
        Definition::Oci(source) => {
            // A folder that stands for the source is the chart.
            let key = format!("OCIRepository/{}/{}", source.namespace(), source.name());
            if input.sources.contains_key(&key) {
                let source = cluster.sources.artifact(&key, input.tree, input.sources, artifacts)?;
                return Ok(Arc::new(charts::in_source(&source.tree, "", &Wishes::default())?));
            }
            Wishes::default()
        }
    };
    match named(cluster, release).map_err(Error::NotRendered)? {
        Named::Chart { name, version } => match charts.of(&name, &version, charts::renders)? {
            Some(chart) if wishes.values_files.is_empty() => Ok(chart),
            Some(chart) => Ok(Arc::new(charts::of_repository(&chart, &wishes)?)),
            None => {
                let tried: Vec<String> =
                    charts.places(&name, &version).iter().map(|path| format!("`{}`", path.display())).collect();
                let tried = if tried.is_empty() { String::new() } else { format!("it is not at {}: ", tried.join(", ")) };
                Err(Error::NotRendered(format!(
                    "its chart {name} {version} is not on this machine: {tried}give where its folder or archive is with `--chart-location`"
                )))
            }
        },
        Named::Path { source, path } => {
            let artifact =
                cluster.sources.artifact(&source, input.tree, input.sources, artifacts).map_err(|error| match error {
                    Error::NoSource(source) => Error::NotRendered(format!(
                        "its chart's source {source} is not in this repository: give its folder with `--source {source}=DIR`"
                    )),
                    other => other,
                })?;
            Ok(Arc::new(charts::in_source(&artifact.tree, &path, &wishes)?))
        }
    }
}
