//! `labelSelector` and `fieldSelector`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::refusal::Refusal;
use super::store::Resource;

/// What a list or watch is narrowed to.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    labels: Vec<LabelRule>,
    fields: Vec<FieldRule>,
}

#[derive(Clone, Debug)]
struct LabelRule {
    key: String,
    /// Empty: any value.
    values: Vec<String>,
    negated: bool,
}

#[derive(Clone, Debug)]
struct FieldRule {
    path: &'static [&'static str],
    value: String,
    negated: bool,
}

impl Selector {
    pub(super) fn parse(resource: Resource, labels: Option<&str>, fields: Option<&str>) -> Result<Self, Refusal> {
        let labels = split(labels.unwrap_or_default()).into_iter().map(label_rule).collect::<Result<_, _>>()?;
        let fields =
            split(fields.unwrap_or_default()).into_iter().map(|rule| field_rule(resource, rule)).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    pub(super) fn fits(&self, object: &Json) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|rule| {
            let value = labels[&rule.key].as_str();
            let found = value.is_some_and(|value| rule.values.is_empty() || rule.values.iter().any(|wanted| wanted == value));
            found != rule.negated
        }) && self.fields.iter().all(|rule| {
            let value = rule.path.iter().fold(object, |object, step| &object[step]);
            let text = match value {
                Json::Null if rule.path.last() == Some(&"unschedulable") => "false".to_owned(),
                Json::Null => String::new(),
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            (text == rule.value) != rule.negated
        })
    }
}

/// Whether an object has all these labels.
pub(super) fn has_labels(object: &Json, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| object["metadata"]["labels"][key].as_str() == Some(value))
}

/// At commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|rule| !rule.is_empty())
    .collect()
}

fn label_rule(rule: &str) -> Result<LabelRule, Refusal> {
    let made = |key: &str, values: Vec<String>, negated| LabelRule { key: key.trim().to_owned(), values, negated };
    if let Some((key, negated, value)) = equation(rule) {
        return Ok(made(key, vec![value.to_owned()], negated));
    }
    if let Some((head, list)) = rule.split_once('(') {
        let values = list.trim_end().trim_end_matches(')').split(',').map(|value| value.trim().to_owned()).collect();
        return match head.trim().rsplit_once(' ') {
            Some((key, "in")) => Ok(made(key, values, false)),
            Some((key, "notin")) => Ok(made(key, values, true)),
            _ => Err(Refusal::bad_request(format!("unable to parse requirement: {rule}"))),
        };
    }
    Ok(match rule.strip_prefix('!') {
        Some(key) => made(key, Vec::new(), true),
        None => made(rule, Vec::new(), false),
    })
}

fn field_rule(resource: Resource, rule: &str) -> Result<FieldRule, Refusal> {
    let Some((field, negated, value)) = equation(rule) else {
        return Err(Refusal::bad_request(format!("invalid selector: '{rule}'; can't understand '{rule}'")));
    };
    let path: &'static [&'static str] = match (resource, field) {
        (_, "metadata.name") => &["metadata", "name"],
        (Resource::Pods | Resource::Budgets, "metadata.namespace") => &["metadata", "namespace"],
        (Resource::Nodes, "spec.unschedulable") => &["spec", "unschedulable"],
        (Resource::Pods, "spec.nodeName") => &["spec", "nodeName"],
        (Resource::Pods | Resource::Namespaces, "status.phase") => &["status", "phase"],
        _ => return Err(Refusal::bad_request(format!("field label not supported: {field}"))),
    };
    Ok(FieldRule { path, value: value.to_owned(), negated })
}

fn equation(rule: &str) -> Option<(&str, bool, &str)> {
    let (key, negated, value) = if let Some((key, value)) = rule.split_once("!=") {
        (key, true, value)
    } else if let Some((key, value)) = rule.split_once("==") {
        (key, false, value)
    } else {
        let (key, value) = rule.split_once('=')?;
        (key, false, value)
    };
    Some((key.trim(), negated, value.trim()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(labels: &str, fields: &str) -> bool {
        let pod =
            json!({ "metadata": { "name": "web", "labels": { "app": "web", "tier": "front" } }, "spec": { "nodeName": "n1" } });
        Selector::parse(Resource::Pods, Some(labels), Some(fields)).is_ok_and(|selector| selector.fits(&pod))
    }

    #[test]
    fn all_rules_of_both_selectors_must_hold() {
        assert!(fits("app=web,tier in (front, back),!old", "spec.nodeName=n1,metadata.name!=db"));
        assert!(fits("", ""));
        for labels in ["app=db", "app!=web", "app notin (web)", "old", "!app"] {
            assert!(!fits(labels, ""), "{labels}");
        }
        assert!(!fits("app", "spec.nodeName=n2"));
        assert!(!fits("", "spec.hostNetwork=true"), "an unknown field is refused");
    }
}
