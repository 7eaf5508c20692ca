//! The structural schema of a CustomResourceDefinition, as far as defaults, list types and rules need it.

use std::collections::BTreeMap;

use serde_json::Value;

/// A node of a schema.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(super) kind: Kind,
    pub(super) format: String,
    pub(super) nullable: bool,
    pub(super) default: Option<Value>,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) items: Option<Box<Schema>>,
    /// The schema of `additionalProperties`.
    pub(super) values: Option<Box<Schema>>,
    /// An object of Kubernetes of its own.
    pub(super) embedded: bool,
    pub(super) list: List,
    pub(super) rules: Vec<Rule>,
    /// Whether it, or a node below it, has rules.
    pub(super) ruled: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Integer,
    Number,
    Boolean,
    IntOrString,
    /// Unknown fields that are kept.
    #[default]
    Any,
}

/// When two lists, or two items of a list, are the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum List {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// A rule of `x-kubernetes-validations`.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) text: String,
    /// What the author says when it does not hold.
    pub(super) message: String,
    pub(super) message_expression: Option<String>,
    /// The field that is wrong, below the node of the rule.
    pub(super) field: Vec<String>,
    /// Asked on creation too, with an `oldSelf` that is not there.
    pub(super) optional_old_self: bool,
}

impl Schema {
    /// Reads an `openAPIV3Schema`.
    pub(super) fn read(raw: &Value) -> Self {
        let is = |key: &str| raw[key].as_bool() == Some(true);
        let kind = match raw["type"].as_str() {
            _ if is("x-kubernetes-int-or-string") => Kind::IntOrString,
            Some("object") => Kind::Object,
            Some("array") => Kind::Array,
            Some("string") => Kind::Text,
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            _ => Kind::Any,
        };
        let boxed = |value: &Value| value.is_object().then(|| Box::new(Schema::read(value)));
        let properties = raw["properties"].as_object().into_iter().flatten();
        let list = match raw["x-kubernetes-list-type"].as_str() {
            Some("set") => List::Set,
            Some("map") => List::Map(texts(&raw["x-kubernetes-list-map-keys"])),
            _ => List::Atomic,
        };
        let mut schema = Schema {
            kind,
            format: raw["format"].as_str().unwrap_or_default().to_owned(),
            nullable: is("nullable"),
            default: raw.get("default").filter(|value| !value.is_null()).cloned(),
            properties: properties.map(|(name, property)| (name.clone(), Schema::read(property))).collect(),
            items: boxed(&raw["items"]),
            values: boxed(&raw["additionalProperties"]),
            embedded: is("x-kubernetes-embedded-resource"),
            list,
            rules: Vec::new(),
            ruled: false,
        };
        schema.take_rules(raw);
        schema
    }

    /// Takes the rules of a node, and those that parts of `allOf` have for it and for nodes below it.
    fn take_rules(&mut self, raw: &Value) {
        let rules = raw["x-kubernetes-validations"].as_array().into_iter().flatten();
        self.rules.extend(rules.map(Rule::read));
        for part in raw["allOf"].as_array().into_iter().flatten() {
            self.take_rules(part);
            for (name, below) in part["properties"].as_object().into_iter().flatten() {
                if let Some(property) = self.properties.get_mut(name) {
                    property.take_rules(below);
                }
            }
            for (below, key) in [(&mut self.items, "items"), (&mut self.values, "additionalProperties")] {
                if let Some(below) = below {
                    below.take_rules(&part[key]);
                }
            }
        }
        let below = self.properties.values().chain(self.items.as_deref()).chain(self.values.as_deref());
        self.ruled = !self.rules.is_empty() || below.into_iter().any(|one| one.ruled);
    }

    /// Calls for each rule, at every level.
    pub(super) fn each_rule(&self, call: &mut impl FnMut(&Rule)) {
        self.rules.iter().for_each(&mut *call);
        let below = self.properties.values().chain(self.items.as_deref()).chain(self.values.as_deref());
        below.for_each(|one| one.each_rule(call));
    }

    /// The schema of a field, or of a key.
    pub(super) fn field(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).or(self.values.as_deref())
    }

    /// Whether rules can see it: data without a schema they cannot.
    pub(super) fn is_seen(&self) -> bool {
        match self.kind {
            Kind::Any => false,
            Kind::Array => self.items.as_ref().is_some_and(|items| items.is_seen()),
            Kind::Object => self.values.as_ref().is_none_or(|values| values.is_seen()),
            _ => true,
        }
    }
}

impl Rule {
    fn read(raw: &Value) -> Self {
        let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
        let field = text("fieldPath");
        Rule {
            text: text("rule"),
            message: text("message"),
            message_expression: raw["messageExpression"].as_str().map(str::to_owned),
            field: field.split(['.', '[', ']', '\'']).filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            optional_old_self: raw["optionalOldSelf"].as_bool() == Some(true),
        }
    }

    /// What to say where it does not hold.
    pub(super) fn says(&self) -> String {
        if self.message.is_empty() { format!("failed rule: {}", self.text.trim()) } else { self.message.trim().to_owned() }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
