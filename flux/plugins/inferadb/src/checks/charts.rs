//! Rules `chart-schema` and `chart-value`: what a release sets is what its chart takes.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use super::{Gatherer, objects, schema};
use crate::error::{Error, Result};
use crate::fleet::Cluster;
use crate::helm::{Charts, Named, Secrets, compose, has_values, named};
use crate::object::Object;
use crate::place::{Step, dotted, steps};
use crate::tree::Tree;
use crate::yaml;

struct Chart {
    values: Value,
    /// The text of `values.yaml`, whose comments name values without a default.
    text: String,
    /// What dependencies are called, whose values stand under their names.
    dependencies: Vec<String>,
    schema: Option<jsonschema::Validator>,
}

/// What is known of the charts that were asked for.
struct Read<'c> {
    charts: &'c Charts,
    known: HashMap<(String, String), Option<Rc<Chart>>>,
}

impl Read<'_> {
    fn of(&mut self, name: &str, version: &str) -> Result<Option<Rc<Chart>>> {
        let key = (name.to_owned(), version.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let chart = match self.charts.of(name, version, has_values)? {
            Some(files) => Some(Rc::new(read(&files, &format!("{name} {version}"))?)),
            None => None,
        };
        self.known.insert(key, chart.clone());
        Ok(chart)
    }
}

fn read(files: &Tree, chart: &str) -> Result<Chart> {
    let parse = |name: &str, text: &str| {
        let path = format!("{name} of {chart}");
        yaml::parse_one(text).map(|node| node.to_json()).map_err(|source| Error::Yaml { path, source })
    };
    let text = files.text("values.yaml")?;
    let about = parse("Chart.yaml", &files.text("Chart.yaml")?)?;
    let names = |one: &Value| one["alias"].as_str().or(one["name"].as_str()).map(str::to_owned);
    let schema = "values.schema.json";
    Ok(Chart {
        values: parse("values.yaml", &text)?,
        text,
        dependencies: about["dependencies"].as_array().into_iter().flatten().filter_map(names).collect(),
        schema: if files.has_file(schema) {
            Some(schema::validator(&files.text(schema)?, &format!("{schema} of {chart}"))?)
        } else {
            None
        },
    })
}

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    if gatherer.context.charts.is_empty() {
        return;
    }
    let mut charts = Read { charts: gatherer.context.charts, known: HashMap::new() };
    for cluster in gatherer.context.clusters {
        for (by, object) in objects(cluster).filter(|(_, object)| object.is("helm.toolkit.fluxcd.io", "HelmRelease")) {
            // Of a chart out of Git, or of a range, there is no one version.
            let Ok(Named::Chart { name, version }) = named(cluster, object) else { continue };
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

/// All values of a release over the chart's own; nothing where some live only in the cluster, or are encrypted.
fn values_of(cluster: &Cluster, release: &Object, chart: &Chart) -> Option<Value> {
    let composed = compose(&release.0["spec"], release.namespace(), &cluster.pool, Secrets::Own).ok()?;
    if composed.has_placeholders {
        return None;
    }
    let mut values = chart.values.clone();
    merge(&mut values, &composed.values);
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
