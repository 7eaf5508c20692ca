//! The values of a release, as helm-controller composes them: `valuesFrom` in order, the later over the earlier, then
//! `values`. A `targetPath` puts a single value into what was merged so far.

use serde_json::Value;

use super::strvals;
use super::value::{Go, Map, map_from_json, merge};
use crate::error::{Error, Result};
use crate::place::Step;
use crate::shadow;
use crate::sops;
use crate::variables::Pool;
use crate::yaml;

/// A release's values.
#[derive(Debug)]
pub(crate) struct Composed {
    pub(crate) values: Value,
    /// The integers that `targetPath` made: Helm prints them as such, and those of YAML as floats.
    pub(crate) integers: Vec<(Vec<Step>, i64)>,
    /// Whether a Secret gave any of them.
    pub(crate) has_secrets: bool,
    /// Whether SOPS' placeholders stand for some of them.
    pub(crate) has_placeholders: bool,
}

/// Whose values count: the Secrets' own, or others in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    Own,
    Others,
}

/// Composes the values of a release's `spec`.
pub(crate) fn compose(spec: &Value, namespace: &str, pool: &Pool, secrets: Secrets) -> Result<Composed> {
    let inline = spec["values"].as_object().map_or_else(Go::map, map_from_json);
    let mut result = Go::map();
    let (mut has_secrets, mut has_placeholders) = (false, false);
    for reference in spec["valuesFrom"].as_array().into_iter().flatten() {
        let text = |field: &str| reference[field].as_str().filter(|text| !text.is_empty());
        let (kind, name) = (text("kind").unwrap_or_default(), text("name").unwrap_or_default());
        let key = text("valuesKey").unwrap_or("values.yaml");
        let is_optional = reference["optional"] == true;
        let failed = |why: &str| Error::Values(format!("{kind} {namespace}/{name}, `{key}`: {why}"));
        if !matches!(kind, "ConfigMap" | "Secret") {
            return Err(failed("values come from ConfigMaps and Secrets"));
        }
        let Some(data) = pool.data(kind, namespace, name) else {
            if is_optional {
                continue;
            }
            return Err(Error::NotRendered(format!(
                "nothing in this cluster produces the {kind} `{namespace}/{name}` with its values: correct the name, or give it with `--vars` where it lives only in the cluster"
            )));
        };
        let Some(variable) = data.get(key) else {
            if is_optional {
                continue;
            }
            return Err(failed("there is no such key"));
        };
        has_secrets |= variable.secret;
        has_placeholders |= variable.value.contains(sops::PLACEHOLDER);
        let hides = variable.secret && secrets == Secrets::Others;
        if let Some(path) = text("targetPath") {
            result = merge(&result, &inline);
            let value = if hides { shadow::text(&variable.value) } else { variable.value.clone() };
            let is_literal = reference["literal"] == true;
            put(&result, path, &value, is_literal).map_err(|why| failed(&format!("`{path}`: {why}")))?;
            continue;
        }
        if variable.value.trim() == sops::PLACEHOLDER {
            return Err(Error::NotRendered(format!("SOPS encrypted `{key}` of {kind} `{namespace}/{name}` as a whole")));
        }
        let read = yaml::parse_one(&variable.value).map_err(|error| {
            // The words may quote what is wrong.
            let why = if variable.secret { format!("line {}: no YAML", error.line) } else { error.to_string() };
            failed(&why)
        })?;
        match read.to_json() {
            Value::Null => {}
            Value::Object(mut map) => {
                if hides {
                    map.values_mut().for_each(shadow::replace);
                }
                result = merge(&result, &map_from_json(&map));
            }
            _ => return Err(failed("values are a mapping")),
        }
    }
    let result = Go::Map(merge(&result, &inline));
    let mut integers = Vec::new();
    let values = result.to_json(&mut Vec::new(), &mut integers);
    Ok(Composed { values, integers, has_secrets, has_placeholders })
}

/// Puts a value at a path. One in quotes stays a text, without them; a literal one is not looked into at all.
fn put(into: &Map, path: &str, value: &str, is_literal: bool) -> std::result::Result<(), &'static str> {
    if is_literal {
        let mut escaped = String::with_capacity(value.len());
        for c in value.chars() {
            if matches!(c, '\\' | ',' | '[' | ']' | '{' | '}') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        return strvals::set(&format!("{path}={escaped}"), into, true);
    }
    let is_quoted = ['\'', '"'].into_iter().any(|quote| value.starts_with(quote) && value.ends_with(quote));
    let value = if is_quoted { value.trim_matches(['\'', '"']) } else { value };
    strvals::set(&format!("{path}={value}"), into, is_quoted)
}
