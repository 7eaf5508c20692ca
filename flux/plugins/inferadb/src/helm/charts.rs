//! Charts on this machine: folders and archives at locations that are named on the command line, and folders of a source.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::names::check_chart;
use crate::error::{Error, Result};
use crate::tree::{Tree, join, join_secure};
use crate::yaml;

/// More than this no chart unpacks to.
const MOST_BYTES: u64 = 100 << 20;

/// Where charts are.
pub(crate) struct Charts {
    locations: Vec<String>,
    read: Mutex<HashMap<PathBuf, Option<Arc<Tree>>>>,
}

impl Charts {
    /// The locations given, each with `{{.Chart}}` and `{{.Version}}`; without any, those beside the schemas.
    pub(crate) fn find(locations: &[String], schemas: &Path) -> Self {
        let mut locations = locations.to_vec();
        if locations.is_empty() {
            let folder = schemas.join("charts");
            if folder.is_dir() {
                locations.push(folder.join("{{.Chart}}-{{.Version}}").display().to_string());
            }
        }
        Charts { locations, read: Mutex::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.locations.is_empty()
    }

    /// Where a chart is looked for.
    pub(super) fn places(&self, name: &str, version: &str) -> Vec<PathBuf> {
        let at = |location: &String| {
            let path = location.replace("{{.Chart}}", name).replace("{{.Version}}", version);
            [PathBuf::from(&path), PathBuf::from(format!("{path}.tgz"))]
        };
        self.locations.iter().flat_map(at).collect()
    }

    /// The files of a chart, at the first location that has one that serves.
    pub(crate) fn of(&self, name: &str, version: &str, serves: fn(&Tree, &str) -> bool) -> Result<Option<Arc<Tree>>> {
        check_chart(name, version)?;
        for path in self.places(name, version) {
            if let Some(chart) = self.at(path)?.filter(|chart| serves(chart, version)) {
                return Ok(Some(chart));
            }
        }
        Ok(None)
    }

    fn at(&self, path: PathBuf) -> Result<Option<Arc<Tree>>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(&path) {
            return Ok(known.clone());
        }
        let chart = if path.is_dir() {
            Some(Arc::new(Tree::from_untracked(&path)?))
        } else if path.is_file() {
            let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
            Some(Arc::new(unpack(&bytes, &path.display().to_string())?))
        } else {
            None
        };
        read.insert(path, chart.clone());
        Ok(chart)
    }
}

/// Whether a chart of this version can be rendered; some folders hold values and schemas alone.
pub(super) fn renders(chart: &Tree, version: &str) -> bool {
    // A tag of a registry has `_` for `+`.
    let plain = |version: &str| version.trim_start_matches('v').replace('_', "+");
    let about = chart.text("Chart.yaml").ok().and_then(|text| yaml::parse_one(&text).ok()).map(|node| node.to_json());
    let is_it = about.is_some_and(|about| about["version"].as_str().is_some_and(|own| plain(own) == plain(version)));
    is_it && ["templates", "charts", "crds"].iter().any(|folder| chart.has_folder(folder))
}

/// Whether values can be held to a chart.
pub(crate) fn has_values(chart: &Tree, _: &str) -> bool {
    chart.has_file("Chart.yaml") && chart.has_file("values.yaml")
}

/// The files of a packed chart, which has them all in one folder.
fn unpack(bytes: &[u8], path: &str) -> Result<Tree> {
    let broken = |why: &dyn std::fmt::Display| Error::Chart(format!("`{path}` is no packed chart: {why}"));
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(MOST_BYTES));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(|error| broken(&error))? {
        let mut entry = entry.map_err(|error| broken(&error))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(|error| broken(&error))?.to_string_lossy().replace('\\', "/");
        let Some((_, name)) = name.trim_start_matches("./").split_once('/') else { continue };
        // Nothing lies outside of the chart.
        let Some(name) = join("", name) else { return Err(broken(&"a file leads out of it")) };
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| broken(&error))?;
        files.insert(name, content);
    }
    Ok(Tree::from_memory(files))
}

/// What a release wants of its chart.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// Files that stand in for the chart's `values.yaml`, one merged over the other.
    pub(super) values_files: Vec<String>,
    pub(super) ignore_missing: bool,
}

/// The chart at a path of a source, as source-controller packs it.
pub(super) fn in_source(source: &Tree, path: &str, wishes: &Wishes) -> Result<Tree> {
    let folder = join_secure(path);
    if source.has_file(&folder) {
        let chart = unpack(&source.bytes(&folder)?, &folder)?;
        return with_values(chart, &merged(source, wishes, join_secure)?, wishes);
    }
    if !source.has_file(&join(&folder, "Chart.yaml").unwrap_or_default()) {
        return Err(Error::Chart(format!(
            "there is no chart at `{path}` of its source: `spec.chart.spec.chart` counts from there"
        )));
    }
    let mut chart = source.sub(&folder);
    let about = yaml::parse_one(&chart.text("Chart.yaml")?)
        .map_err(|error| Error::Chart(format!("`{path}/Chart.yaml` is no YAML: {error}")))?
        .to_json();
    // Those of the same source are packed along; for the others Helm says that they are missing.
    for dependency in about["dependencies"].as_array().into_iter().flatten() {
        let name = dependency["name"].as_str().unwrap_or_default();
        let Some(local) = dependency["repository"].as_str().and_then(|url| url.strip_prefix("file://")) else { continue };
        let own = [format!("charts/{name}/"), format!("charts/{name}-")];
        let is_there = chart.below("charts").iter().any(|file| own.iter().any(|own| file.starts_with(own)));
        let Some(from) = join(&folder, local).filter(|from| !is_there && source.has_folder(from)) else { continue };
        chart.take(&source.sub(&from), &format!("charts/{name}"));
    }
    with_values(chart, &merged(source, wishes, join_secure)?, wishes)
}

/// A chart out of a repository, with the values files that it brings itself.
pub(super) fn of_repository(chart: &Tree, wishes: &Wishes) -> Result<Tree> {
    let merged = merged(chart, wishes, |path| join("", path).unwrap_or_default())?;
    with_values(chart.clone(), &merged, wishes)
}

fn merged(files: &Tree, wishes: &Wishes, place: impl Fn(&str) -> String) -> Result<Value> {
    let mut values = super::value::Go::map();
    for file in &wishes.values_files {
        let path = place(file);
        if !files.has_file(&path) {
            if wishes.ignore_missing {
                continue;
            }
            return Err(Error::Chart(format!(
                "there is no values file `{file}`: correct `valuesFiles`, or set `ignoreMissingValuesFiles`"
            )));
        }
        let read = yaml::parse_one(&files.text(&path)?)
            .map_err(|error| Error::Chart(format!("the values file `{file}` is no YAML: {error}")))?;
        match read.to_json() {
            Value::Null => {}
            Value::Object(map) => values = super::value::merge(&values, &super::value::map_from_json(&map)),
            _ => return Err(Error::Chart(format!("the values file `{file}` is no mapping"))),
        }
    }
    Ok(super::value::Go::Map(values).to_json(&mut Vec::new(), &mut Vec::new()))
}

fn with_values(mut chart: Tree, values: &Value, wishes: &Wishes) -> Result<Tree> {
    if wishes.values_files.is_empty() {
        return Ok(chart);
    }
    if !chart.has_file("values.yaml") {
        return Err(Error::Chart("it has no `values.yaml` that `valuesFiles` could stand in for".to_owned()));
    }
    chart.take(&Tree::from_memory([("values.yaml".to_owned(), yaml::emit(values).into_bytes())]), "");
    Ok(chart)
}
