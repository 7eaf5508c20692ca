//! What commands take to render Helm releases, and what they say of those that are not.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::checks;
use crate::cli::{Shared, tell};
use crate::error::{Error, Result};
use crate::fleet::Cluster;
use crate::helm::{Charts, Helm, Releaser, Settings, VERSION, is_api_version, is_kube_version};
use crate::render::from_environment;

/// The newest Kubernetes that Flux 2.9 supports: the same one on each machine, whichever helm it has.
const KUBERNETES: &str = "1.36.0";

/// Whether Helm releases are rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// They stay objects
    Never,
    /// Those whose chart is on this machine, where helm is, too
    Auto,
    /// One that cannot be rendered is an error
    Always,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Rendering {
    /// Whether Helm releases are rendered [default: auto for `build`, never for the others]
    #[arg(long, value_name = "WHEN", value_enum)]
    releases: Option<When>,
    /// Where charts are, with `{{.Chart}}` and `{{.Version}}`: folders, or archives; by default in `charts` beside the schemas
    #[arg(long, value_name = "TEMPLATE")]
    chart_location: Vec<String>,
    /// The helm to render with [default: $HELM, .build/bin/helm, or the one on PATH]
    #[arg(long, value_name = "FILE")]
    helm: Option<PathBuf>,
    /// The version of Kubernetes that charts see
    #[arg(long, value_name = "VERSION", default_value = KUBERNETES)]
    kube_version: String,
    /// What the clusters serve beside Kubernetes' own and what definitions in the tree say: GROUP/VERSION or GROUP/VERSION/KIND
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,
}

impl Rendering {
    pub(crate) fn charts(&self, repository: &Path) -> Charts {
        Charts::find(&self.chart_location, &checks::schema_folder(repository))
    }

    /// What renders releases; nothing where they are not to be rendered.
    pub(crate) fn releaser(&self, shared: &Shared, repository: &Path, default: When, shadows: bool) -> Result<Option<Releaser>> {
        let when = self.releases.unwrap_or(default);
        if when == When::Never {
            return Ok(None);
        }
        if !is_kube_version(&self.kube_version) {
            let told = &self.kube_version;
            return Err(Error::Usage(format!("`--kube-version {told}`: write it as MAJOR.MINOR or MAJOR.MINOR.PATCH")));
        }
        if let Some(told) = self.api_versions.iter().find(|told| !is_api_version(told)) {
            return Err(Error::Usage(format!("`--api-versions {told}`: write it as GROUP/VERSION or GROUP/VERSION/KIND")));
        }
        let cache = shared.cache();
        let helm = match Helm::find(self.helm.as_deref(), repository, &cache) {
            Ok(Some(helm)) => Ok(helm),
            Ok(None) => Err(format!(
                "helm is not installed: get {VERSION} (`go install helm.sh/helm/v4/cmd/helm@{VERSION}`), and give its path with `--helm` or HELM where it is not on PATH"
            )),
            // One that nobody named is no reason to fail.
            Err(error) if self.helm.is_none() && from_environment("HELM").is_none() => {
                Err(format!("helm does not work: {error}"))
            }
            Err(error) => return Err(error),
        };
        if let Some(warning) = helm.as_ref().ok().and_then(Helm::warning) {
            tell(&format!("warning: {warning}"));
        }
        Ok(Some(Releaser::new(Settings {
            helm,
            charts: self.charts(repository),
            kube_version: self.kube_version.clone(),
            api_versions: self.api_versions.clone(),
            must: when == When::Always,
            shadows,
            cache,
        })))
    }
}

/// What to say of releases that could not be rendered on this machine, once for all clusters that have them.
pub(crate) fn left_out(clusters: &[Cluster]) -> Vec<String> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for cluster in clusters {
        for release in cluster.releases.iter().filter(|release| release.is_left_out()) {
            let Err(why) = &release.outcome else { continue };
            let what = format!("{} is not rendered: {why}", release.title());
            match found.iter_mut().find(|(known, _)| *known == what) {
                Some((_, clusters)) => clusters.push(&cluster.name),
                None => found.push((what, vec![&cluster.name])),
            }
        }
    }
    found.into_iter().map(|(what, clusters)| format!("note: {}: {what}", clusters.join(", "))).collect()
}
