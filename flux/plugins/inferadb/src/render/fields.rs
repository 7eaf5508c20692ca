//! The fields of a kustomization.yaml with their types. Flux reads the file into kustomize's types and writes it anew, so
//! what it does not know is dropped, names match without regard to case, and a number where a text belongs becomes one.

use serde_json::{Map, Value};
use strsim::osa_distance;

use crate::yaml::{Kind, Node};

/// A type of Go's, as far as reading into it differs.
pub(super) enum Type {
    Text,
    Bool,
    Int,
    Texts,
    TextMap,
    /// Anything, as it stands.
    Any,
    One(&'static [Field]),
    Many(&'static [Field]),
}

type Field = (&'static str, Type);

use Type::{Any, Bool, Int, Many, One, Text, TextMap, Texts};

pub(super) const KUSTOMIZATION: &[Field] = &[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", One(&[("name", Text), ("namespace", Text), ("labels", TextMap), ("annotations", TextMap)])),
    ("openapi", TextMap),
    ("namePrefix", Text),
    ("nameSuffix", Text),
    ("namespace", Text),
    ("commonLabels", TextMap),
    ("labels", Many(LABEL)),
    ("commonAnnotations", TextMap),
    ("patchesStrategicMerge", Texts),
    ("patchesJson6902", Many(PATCH)),
    ("patches", Many(PATCH)),
    ("images", Many(IMAGE)),
    ("imageTags", Many(IMAGE)),
    ("replacements", Many(REPLACEMENT)),
    ("replicas", Many(&[("name", Text), ("count", Int)])),
    ("vars", Many(VAR)),
    ("sortOptions", One(&[("order", Text), ("legacySortOptions", One(&[("orderFirst", Texts), ("orderLast", Texts)]))])),
    ("resources", Texts),
    ("components", Texts),
    ("crds", Texts),
    ("bases", Texts),
    ("configMapGenerator", Many(CONFIG_MAP)),
    ("secretGenerator", Many(SECRET)),
    ("helmGlobals", Any),
    ("helmCharts", Any),
    ("helmChartInflationGenerator", Any),
    ("generatorOptions", One(GENERATOR_OPTIONS)),
    ("configurations", Texts),
    ("generators", Texts),
    ("transformers", Texts),
    ("validators", Texts),
    ("buildMetadata", Texts),
];

const LABEL: &[Field] = &[
    ("pairs", TextMap),
    ("includeSelectors", Bool),
    ("includeTemplates", Bool),
    ("fields", Many(&[("group", Text), ("version", Text), ("kind", Text), ("path", Text), ("create", Bool)])),
];

const SELECTOR: &[Field] = &[
    ("group", Text),
    ("version", Text),
    ("kind", Text),
    ("name", Text),
    ("namespace", Text),
    ("annotationSelector", Text),
    ("labelSelector", Text),
];

const PATCH: &[Field] = &[
    ("path", Text),
    ("patch", Text),
    ("target", One(SELECTOR)),
    ("options", One(&[("allowNameChange", Bool), ("allowKindChange", Bool)])),
];

const IMAGE: &[Field] = &[("name", Text), ("newName", Text), ("tagSuffix", Text), ("newTag", Text), ("digest", Text)];

const FIELD_OPTIONS: &[Field] = &[("delimiter", Text), ("index", Int), ("encoding", Text), ("create", Bool)];

const REPLACEMENT: &[Field] = &[
    ("path", Text),
    (
        "source",
        One(&[
            ("group", Text),
            ("version", Text),
            ("kind", Text),
            ("name", Text),
            ("namespace", Text),
            ("fieldPath", Text),
            ("options", One(FIELD_OPTIONS)),
        ]),
    ),
    (
        "targets",
        Many(&[("select", One(SELECTOR)), ("reject", Many(SELECTOR)), ("fieldPaths", Texts), ("options", One(FIELD_OPTIONS))]),
    ),
    ("sourceValue", Text),
];

const VAR: &[Field] = &[
    ("name", Text),
    (
        "objref",
        One(&[("apiVersion", Text), ("group", Text), ("version", Text), ("kind", Text), ("name", Text), ("namespace", Text)]),
    ),
    ("fieldref", One(&[("fieldPath", Text)])),
];

const GENERATOR_OPTIONS: &[Field] =
    &[("labels", TextMap), ("annotations", TextMap), ("disableNameSuffixHash", Bool), ("immutable", Bool)];

const CONFIG_MAP: &[Field] = &[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", Texts),
    ("files", Texts),
    ("envs", Texts),
    ("env", Text),
    ("options", One(GENERATOR_OPTIONS)),
];

const SECRET: &[Field] = &[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", Texts),
    ("files", Texts),
    ("envs", Texts),
    ("env", Text),
    ("options", One(GENERATOR_OPTIONS)),
    ("type", Text),
];

/// A field that has another type.
pub(super) struct WrongType {
    pub(super) field: String,
    pub(super) expected: &'static str,
}

/// Reads a node into a struct's fields. What is empty is left out, as Go's `omitempty` does when the file is written.
pub(super) fn read(node: &Node, fields: &[Field], path: &str) -> Result<Map<String, Value>, WrongType> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries.as_slice(),
        Kind::Null => &[],
        _ => return Err(wrong(path, "mapping")),
    };
    let mut out = Map::new();
    for entry in entries {
        let exact = fields.iter().find(|(name, _)| *name == entry.key);
        let Some((name, kind)) = exact.or_else(|| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&entry.key))) else {
            continue;
        };
        let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        if let Some(value) = value(&entry.value, kind, &path)? {
            out.insert((*name).to_owned(), value);
        }
    }
    Ok(out)
}

/// A field that nothing reads.
pub(crate) struct Unknown {
    pub(crate) line: usize,
    pub(crate) field: String,
    /// The name that it is likely meant to be.
    pub(crate) nearest: &'static str,
}

/// The fields of a kustomization.yaml that kustomize does not know.
pub(crate) fn unknown_fields(node: &Node) -> Vec<Unknown> {
    let mut found = Vec::new();
    find_unknown(node, KUSTOMIZATION, "", &mut found);
    found
}

fn find_unknown(node: &Node, fields: &[Field], path: &str, found: &mut Vec<Unknown>) {
    let Kind::Map(entries) = &node.kind else { return };
    for entry in entries {
        let field = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        match fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&entry.key)) {
            Some((_, One(inner))) => find_unknown(&entry.value, inner, &field, found),
            Some((_, Many(inner))) => {
                entry.value.items().iter().for_each(|item| find_unknown(item, inner, &field, found));
            }
            Some(_) => {}
            None => {
                let nearest = fields.iter().map(|(name, _)| *name).min_by_key(|name| osa_distance(name, &entry.key));
                found.push(Unknown { line: entry.line, field, nearest: nearest.unwrap_or_default() });
            }
        }
    }
}

fn wrong(path: &str, expected: &'static str) -> WrongType {
    WrongType { field: path.to_owned(), expected }
}

/// The value, or nothing where it is the zero value of its type.
fn value(node: &Node, kind: &Type, path: &str) -> Result<Option<Value>, WrongType> {
    if node.kind == Kind::Null {
        return Ok(None);
    }
    let list = |expected: &'static str| match &node.kind {
        Kind::List(items) => Ok(items),
        _ => Err(wrong(path, expected)),
    };
    Ok(match kind {
        Any => Some(node.to_json()),
        // An empty `sourceValue` is one: it is a pointer in Go.
        Text => text(node, path)?.filter(|text| !text.is_empty() || path.ends_with("sourceValue")).map(Value::String),
        Bool => match node.kind {
            Kind::Bool(true) => Some(Value::Bool(true)),
            Kind::Bool(false) => None,
            _ => return Err(wrong(path, "boolean")),
        },
        Int => match &node.kind {
            Kind::Number(number) if number.is_i64() => Some(Value::Number(number.clone())),
            _ => return Err(wrong(path, "integer")),
        },
        Texts => {
            let items = list("list of texts")?;
            let texts: Result<Vec<Value>, WrongType> =
                items.iter().map(|item| Ok(Value::String(text(item, path)?.unwrap_or_default()))).collect();
            Some(Value::Array(texts?)).filter(|_| !items.is_empty())
        }
        TextMap => {
            let Kind::Map(entries) = &node.kind else { return Err(wrong(path, "mapping of texts")) };
            let mut map = Map::new();
            for entry in entries {
                map.insert(entry.key.clone(), Value::String(text(&entry.value, path)?.unwrap_or_default()));
            }
            (!map.is_empty()).then_some(Value::Object(map))
        }
        One(fields) => Some(Value::Object(read(node, fields, path)?)),
        Many(fields) => {
            let items = list("list")?;
            let many: Result<Vec<Value>, WrongType> =
                items.iter().map(|item| Ok(Value::Object(read(item, fields, path)?))).collect();
            Some(Value::Array(many?)).filter(|_| !items.is_empty())
        }
    })
}

/// A text, or the text of a number or boolean.
fn text(node: &Node, path: &str) -> Result<Option<String>, WrongType> {
    match &node.kind {
        Kind::Null => Ok(None),
        Kind::Text(text) => Ok(Some(text.clone())),
        Kind::Bool(value) => Ok(Some(value.to_string())),
        Kind::Number(value) => Ok(Some(value.to_string())),
        Kind::List(_) | Kind::Map(_) => Err(wrong(path, "text")),
    }
}
