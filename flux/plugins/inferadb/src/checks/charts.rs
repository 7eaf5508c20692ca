//! Rules `chart-schema` and `chart-value`: what a release sets is what its chart takes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use super::{Gatherer, objects, schema};
use crate::error::{Error, Result};
use crate::fleet::Cluster;
use crate::object::Object;
use crate::place::{Step, dotted, steps};
use crate::yaml;

/// Charts on this machine: folders with `values.yaml`, and perhaps `values.schema.json`.
pub(crate) struct Charts {
    locations: Vec<String>,
    read: RefCell<HashMap<PathBuf, Option<Rc<Chart>>>>,
}

struct Chart {
    values: Value,
    /// The text of `values.yaml`, whose comments name values without a default.
    text: String,
    /// What dependencies are called, whose values stand under their names.
    dependencies: Vec<String>,
    schema: Option<jsonschema::Validator>,
}

impl Charts {
    /// The locations given, each with `{{.Chart}}` and `{{.Version}}`; without any, those beside the schemas.
    pub(crate) fn find(locations: &[String], repository: &Path) -> Option<Self> {
        let mut locations = locations.to_vec();
        if locations.is_empty() {
            let folder = schema::folder(repository).join("charts");
            if !folder.is_dir() {
                return None;
            }
            locations.push(folder.join("{{.Chart}}-{{.Version}}").display().to_string());
        }
        Some(Charts { locations, read: RefCell::default() })
    }

    fn of(&self, name: &str, version: &str) -> Result<Option<Rc<Chart>>> {
        for location in &self.locations {
            let folder = PathBuf::from(location.replace("{{.Chart}}", name).replace("{{.Version}}", version));
            if let Some(known) = self.read.borrow().get(&folder) {
                match known {
                    Some(chart) => return Ok(Some(Rc::clone(chart))),
                    None => continue,
                }
            }
            let chart = if folder.is_dir() { Some(Rc::new(read(&folder)?)) } else { None };
            self.read.borrow_mut().insert(folder, chart.clone());
            if chart.is_some() {
                return Ok(chart);
            }
        }
        Ok(None)
    }
}

fn read(folder: &Path) -> Result<Chart> {
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })
    };
    let parse = |name: &str, text: &str| {
        let path = folder.join(name).display().to_string();
        yaml::parse_one(text).map(|node| node.to_json()).map_err(|source| Error::Yaml { path, source })
    };
    let text = file("values.yaml")?;
    let about = parse("Chart.yaml", &file("Chart.yaml")?)?;
    let names = |one: &Value| one["alias"].as_str().or(one["name"].as_str()).map(str::to_owned);
    let schema = folder.join("values.schema.json");
    Ok(Chart {
        values: parse("values.yaml", &text)?,
        text,
        dependencies: about["dependencies"].as_array().into_iter().flatten().filter_map(names).collect(),
        schema: if schema.is_file() { Some(schema::read(&schema)?) } else { None },
    })
}

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    let Some(charts) = gatherer.context.charts else { return };
    for cluster in gatherer.context.clusters {
        for (by, object) in objects(cluster).filter(|(_, object)| object.is("helm.toolkit.fluxcd.io", "HelmRelease")) {
            let Some((name, version)) = chart_of(cluster, object) else { continue };
            let chart = match charts.of(&name, &version) {
                Ok(Some(chart)) => chart,
                Ok(None) => {
                    *gatherer.without_chart.entry(format!("{name} {version}")).or_default() += 1;
                    continue;
                }
                Err(error) => {
                    gatherer.add("chart-schema", (cluster, by, object), &[], error.to_string());
                    continue;
                }
            };
            let mut unknown = Vec::new();
            chart.unknown(&object.0["spec"]["values"], &chart.values, &mut steps("spec.values"), &mut unknown);
            for path in unknown {
                let message = format!("`{}` is no value of the chart {name} {version}: correct the path", dotted(&path[2..]));
                gatherer.add("chart-value", (cluster, by, object), &path, message);
            }
            let (Some(schema), Some(values)) = (&chart.schema, values_of(cluster, object, &chart)) else { continue };
            let mut wrong: Vec<(String, String)> = schema
                .iter_errors(&values)
                .map(|error| (error.instance_path().to_string(), error.masked().to_string()))
                .collect();
            wrong.sort();
            for (path, message) in wrong {
                let path = schema::of_pointer(&path);
                let field = if path.is_empty() { "the values".to_owned() } else { format!("`{}`", dotted(&path)) };
                let message = format!("{field} of the chart {name} {version}: {message}");
                gatherer.add("chart-schema", (cluster, by, object), &[steps("spec.values"), path].concat(), message);
            }
        }
    }
}

/// The chart of a release and its version; nothing where it comes out of Git, or of a range.
fn chart_of(cluster: &Cluster, release: &Object) -> Option<(String, String)> {
    let spec = &release.0["spec"];
    let chart = &spec["chart"]["spec"];
    if let Some(name) = chart["chart"].as_str() {
        return Some((name.to_owned(), chart["version"].as_str()?.to_owned()));
    }
    let reference = &spec["chartRef"];
    let namespace = reference["namespace"].as_str().unwrap_or(release.namespace());
    let (_, source) = objects(cluster).find(|(_, object)| {
        object.kind() == "OCIRepository"
            && reference["kind"] == "OCIRepository"
            && object.namespace() == namespace
            && reference["name"] == object.name()
    })?;
    let source = &source.0["spec"];
    let name = source["url"].as_str()?.trim_end_matches('/').rsplit('/').next()?;
    Some((name.to_owned(), source["ref"]["tag"].as_str()?.to_owned()))
}

/// All values of a release over the chart's own; nothing where some live only in the cluster.
fn values_of(cluster: &Cluster, release: &Object, chart: &Chart) -> Option<Value> {
    let spec = &release.0["spec"];
    let mut values = chart.values.clone();
    for item in spec["valuesFrom"].as_array().into_iter().flatten() {
        // Values from Secrets are not looked at.
        let found = objects(cluster).map(|(_, object)| object).find(|object| {
            object.is("", "ConfigMap")
                && item["kind"] == "ConfigMap"
                && object.namespace() == release.namespace()
                && item["name"] == object.name()
        })?;
        let key = item["valuesKey"].as_str().unwrap_or("values.yaml");
        if item["targetPath"].is_string() {
            return None;
        }
        merge(&mut values, &yaml::parse_one(found.0["data"][key].as_str()?).ok()?.to_json());
    }
    merge(&mut values, &spec["values"]);
    Some(values)
}

/// As Helm merges: mappings by key, `null` takes a key out, everything else replaces.
fn merge(values: &mut Value, over: &Value) {
    match (values, over) {
        (Value::Object(values), Value::Object(over)) => {
            for (key, item) in over {
                if item.is_null() {
                    values.remove(key);
                } else {
                    merge(values.entry(key.clone()).or_insert(Value::Null), item);
                }
            }
        }
        (_, Value::Null) => {}
        (values, over) => *values = over.clone(),
    }
}

impl Chart {
    /// The paths that the chart has no value for. Where a chart's default is empty or no mapping, anything goes; so it does
    /// for what a comment names, for `global`, and for dependencies, whose values are not here.
    fn unknown(&self, given: &Value, known: &Value, path: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
        let (Value::Object(given), Value::Object(known)) = (given, known) else { return };
        if known.is_empty() {
            return;
        }
        let at_top = path.len() == 2;
        for (key, value) in given {
            path.push(Step::Key(key.clone()));
            match known.get(key) {
                Some(next) => self.unknown(value, next, path, found),
                None if at_top && (key == "global" || self.dependencies.contains(key)) => {}
                None if self.is_commented(key) => {}
                None => found.push(path.clone()),
            }
            path.pop();
        }
    }

    fn is_commented(&self, key: &str) -> bool {
        self.text.lines().filter_map(|line| line.trim_start().strip_prefix('#')).any(|comment| {
            comment.trim_start_matches(['#', ' ', '-']).strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_merged_as_helm_merges_them() {
        let mut values = json!({"a": {"b": 1, "c": [1]}, "d": 2});
        merge(&mut values, &json!({"a": {"c": [2], "b": null}, "e": {"f": 3}}));
        assert_eq!(values, json!({"a": {"c": [2]}, "d": 2, "e": {"f": 3}}));
    }

    #[test]
    fn what_a_chart_leaves_open_is_open() {
        let text = "a: {b: 1}\nopen: {}\n# later: 5\n";
        let chart = Chart {
            values: yaml::parse_one(text).unwrap().to_json(),
            text: text.to_owned(),
            dependencies: vec!["redis".to_owned()],
            schema: None,
        };
        let given = json!({"a": {"b": 2, "x": 1}, "open": {"any": 1}, "later": 1, "global": {}, "redis": {"y": 1}, "z": 1});
        let mut found = Vec::new();
        chart.unknown(&given, &chart.values, &mut steps("spec.values"), &mut found);
        assert_eq!(found.iter().map(|path| dotted(path)).collect::<Vec<_>>(), ["spec.values.a.x", "spec.values.z"]);
    }
}
