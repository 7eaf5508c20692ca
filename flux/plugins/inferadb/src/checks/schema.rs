//! Rules `schema`, `crd-rule` and `schema-missing`. A CustomResourceDefinition at hand goes before a JSON schema: it is what an
//! API server has.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};

use super::{Gatherer, objects, policies};
use crate::crd::{self, Found, Version};
use crate::error::{Error, Result};
use crate::fleet::{Cluster, Kustomization};
use crate::object::Object;
use crate::place::{Step, dotted};

/// JSON schemas on this machine, at locations as kubeconform names them.
pub(crate) struct Schemas {
    locations: Vec<String>,
    read: RefCell<HashMap<PathBuf, Option<Rc<Validator>>>>,
}

impl Schemas {
    /// Those of a folder that has `k8s` and `crds`, where one is found.
    pub(crate) fn beside(repository: &Path) -> Option<Self> {
        let folder = folder(repository);
        let file = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
        let locations = ["k8s", "crds"].map(|part| folder.join(part).join(file).display().to_string());
        folder.is_dir().then(|| Schemas { locations: locations.to_vec(), read: RefCell::default() })
    }

    /// Those at the locations given.
    pub(crate) fn at(locations: &[String]) -> Result<Self> {
        let sample = Object(json!({"apiVersion": "v1", "kind": "Pod"}));
        for location in locations {
            let wrong = |why: &str| Err(Error::Usage(format!("`--schema-location {location}`: {why}")));
            if location.contains("://") {
                return wrong("schemas are not fetched: name a path on this machine");
            }
            let Some((fixed, _)) = location.split_once("{{") else {
                return wrong(
                    "it leaves no place for a kind: write it as `DIR/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`",
                );
            };
            if filled(location, &sample, "pod").is_none_or(|path| path.contains("{{")) {
                let known: Vec<String> = PARTS.iter().map(|part| format!("`{{{{.{part}}}}}`")).collect();
                return wrong(&format!("it asks for something else than {}", known.join(", ")));
            }
            let folder = fixed.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
            if !Path::new(folder).is_dir() {
                return wrong(&format!("there is no folder `{folder}`"));
            }
        }
        Ok(Schemas { locations: locations.to_vec(), read: RefCell::default() })
    }

    /// Where schemas are looked for.
    pub(crate) fn locations(&self) -> &[String] {
        &self.locations
    }

    fn of(&self, object: &Object) -> Result<Option<Rc<Validator>>> {
        for location in &self.locations {
            let Some(path) = filled(location, object, object.kind()).map(PathBuf::from) else { continue };
            if let Some(known) = self.read.borrow().get(&path) {
                match known {
                    Some(validator) => return Ok(Some(Rc::clone(validator))),
                    None => continue,
                }
            }
            let validator = if path.is_file() { Some(Rc::new(read(&path)?)) } else { None };
            self.read.borrow_mut().insert(path, validator.clone());
            if validator.is_some() {
                return Ok(validator);
            }
        }
        Ok(None)
    }

    /// A kind of the same version that this one is likely meant to be, in small letters.
    fn meant(&self, object: &Object) -> Option<String> {
        let of_group = |location: &&String| location.contains(".Group") || location.contains(".KindSuffix");
        self.locations.iter().filter(of_group).find_map(|location| {
            let path = filled(location, object, MARK)?;
            let (folder, file) = path.rsplit_once('/').unwrap_or((".", &path));
            let (before, after) = file.split_once(MARK)?;
            let mut names: Vec<String> =
                std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
            names.sort();
            let kinds = names.iter().filter_map(|name| name.strip_prefix(before)?.strip_suffix(after));
            kinds.into_iter().find(|known| is_misspelt(object.kind(), known)).map(str::to_owned)
        })
    }
}

/// In the place of a kind.
const MARK: &str = "<kind>";

/// Whether a kind differs in one letter, or in the order of two, from one that is known. Schemas are named in small letters.
fn is_misspelt(kind: &str, known: &str) -> bool {
    strsim::osa_distance(&kind.to_ascii_lowercase(), &known.to_ascii_lowercase()) == 1
}

/// Whether a kind is one that is known, but for which letters are capitals.
fn differs_in_case(kind: &str, known: &str) -> bool {
    kind != known && kind.eq_ignore_ascii_case(known)
}

/// What a location may ask for.
const PARTS: [&str; 5] = ["Group", "ResourceKind", "ResourceAPIVersion", "KindSuffix", "StrictSuffix"];

/// A location with what it asks for, as kubeconform fills it; the group of the core kinds is `core`. Nothing where that would
/// lead to another folder: a group and a kind are parts of a path.
fn filled(location: &str, object: &Object, kind: &str) -> Option<String> {
    let (group, version) = object.api_version().rsplit_once('/').unwrap_or(("core", object.api_version()));
    let kind = kind.to_ascii_lowercase();
    let suffix = match object.group().split('.').next().unwrap_or_default() {
        "" => format!("-{version}"),
        group => format!("-{group}-{version}"),
    };
    let values = [group, &kind, version, &suffix, "-strict"];
    let is_part = |value: &&str| !value.contains(['/', '\\', '\0']) && !value.contains("..");
    values.iter().all(is_part).then(|| {
        let location = location.replace("{{ ", "{{").replace(" }}", "}}");
        PARTS.into_iter().zip(values).fold(location, |text, (part, value)| text.replace(&format!("{{{{.{part}}}}}"), value))
    })
}

/// Where schemas and charts are, unless something else is said.
pub(crate) fn folder(repository: &Path) -> PathBuf {
    let told = std::env::var_os("INFERADB_SCHEMA_DIR").map(PathBuf::from);
    told.unwrap_or_else(|| repository.join("../shared/schemas"))
}

fn read(path: &Path) -> Result<Validator> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    validator(&text, &path.display().to_string())
}

/// What a schema's text holds values to.
pub(super) fn validator(text: &str, path: &str) -> Result<Validator> {
    let broken = |why: String| Error::Usage(format!("`{path}` is no JSON schema: {why}"));
    let schema: Value = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    jsonschema::validator_for(&schema).map_err(|error| broken(error.to_string()))
}

/// Mappings from text to text, in every object, where `null` is an empty one. Schemas of custom resources leave them open, and the API server does not.
const METADATA: [&str; 2] = ["annotations", "labels"];

fn metadata(gatherer: &mut Gatherer<'_>, at: (&Cluster, &Kustomization, &Object)) {
    for field in METADATA {
        let value = &at.2.0["metadata"][field];
        let path = [Step::Key("metadata".to_owned()), Step::Key(field.to_owned())];
        if !value.is_null() && !value.is_object() {
            gatherer.add("schema", at, &path, format!("`metadata.{field}` is no mapping"));
        }
        for (key, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_string() && !value.is_null()) {
            let path = [&path[..], &[Step::Key(key.clone())]].concat();
            let kind = match value {
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                _ => "no scalar",
            };
            let message = format!("`metadata.{field}` has {kind} as `{key}`, where a text belongs: quote it, a variable too");
            gatherer.add("schema", at, &path, message);
        }
    }
}

/// A JSON pointer as steps. Numbers count as items of a list, which mappings here have no keys like.
pub(super) fn of_pointer(pointer: &str) -> Vec<Step> {
    let parts = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
    parts.map(|part| part.parse().map_or_else(|_| Step::Key(part.clone()), Step::Item)).collect()
}

pub(super) fn check(gatherer: &mut Gatherer<'_>) {
    let mut asked: Vec<Asked<'_>> = Vec::new();
    for cluster in gatherer.context.clusters {
        let definition = |object: &&Object| object.is("apiextensions.k8s.io", "CustomResourceDefinition");
        let own: Vec<&Object> = objects(cluster).map(|(_, object)| object).filter(definition).collect();
        for (by, object) in objects(cluster) {
            metadata(gatherer, (cluster, by, object));
            match gatherer.context.crds.of(&own, object) {
                Ok(Some(Found::Version(version))) => {
                    let filled = version.filled(&object.0);
                    if fits(gatherer, (cluster, by, object), &version, &filled) {
                        asked.push(Asked { at: (cluster, by, object), version, filled });
                    }
                }
                // Said by `deprecated-api`.
                Ok(Some(Found::Others(_))) if policies::newer(object).is_some() => {}
                Ok(Some(Found::Others(versions))) => {
                    let message = format!("`apiVersion`: its CustomResourceDefinition serves {}", versions.join(", "));
                    gatherer.add("schema", (cluster, by, object), &[Step::Key("apiVersion".to_owned())], message);
                }
                Ok(None) => fits_schema(gatherer, (cluster, by, object), &own),
                Err(error) => gatherer.add("schema-missing", (cluster, by, object), &[], error.to_string()),
            }
        }
    }
    ask(gatherer, &asked);
}

type At<'c> = (&'c Cluster, &'c Kustomization, &'c Object);

/// An object that fits its definition's schema, so that its rules can be asked.
struct Asked<'c> {
    at: At<'c>,
    version: Rc<Version>,
    /// With its defaults.
    filled: Value,
}

/// Rule `crd-rule`.
fn ask(gatherer: &mut Gatherer<'_>, asked: &[Asked<'_>]) {
    let pairs: Vec<(&crd::Schema, &Value)> = asked.iter().map(|one| (&one.version.schema, &one.filled)).collect();
    for (one, judged) in asked.iter().zip(crd::judge(&pairs)) {
        for (path, says) in judged.broken {
            gatherer.add("crd-rule", one.at, &path, format!("{}: {says}", field(&path)));
        }
        not_evaluated(gatherer, one.at, judged.unknown);
    }
}

/// Counts what could not be asked of an object: that it has no finding does not say that it is right.
fn not_evaluated(gatherer: &mut Gatherer<'_>, at: At<'_>, unknown: BTreeSet<String>) {
    let kind = format!("{} {}", at.2.api_version(), at.2.kind());
    for rule in unknown {
        if gatherer.context.require_schemas {
            let message = format!("a rule of its CustomResourceDefinition is not understood here: {rule}");
            gatherer.add("schema-missing", at, &[], message);
        }
        gatherer.not_evaluated.entry(kind.clone()).or_default().insert(rule);
    }
}

/// Whether an object fits the schema of its definition.
fn fits(gatherer: &mut Gatherer<'_>, at: At<'_>, version: &Version, filled: &Value) -> bool {
    let repeated = crd::repeated(&version.schema, filled);
    let fits = report(gatherer, at, &version.shape.validator, filled) && repeated.is_empty();
    not_evaluated(gatherer, at, version.shape.take_unknown());
    for (path, keys) in repeated {
        gatherer.add("schema", at, &path, format!("{}: an item before it has the same `{keys}`", field(&path)));
    }
    fits
}

/// Holds an object to the JSON schema of its kind; `own` are the definitions that its cluster brings forth.
fn fits_schema(gatherer: &mut Gatherer<'_>, at: At<'_>, own: &[&Object]) {
    let object = at.2;
    let misspelt = |gatherer: &mut Gatherer<'_>, meant: &str| {
        let (kind, version) = (object.kind(), object.api_version());
        let message = format!(
            "`kind`: nothing is known of a `{kind}` in {version}, where there is a `{meant}`: correct it, or give its schema with `--schema-location`"
        );
        gatherer.add("schema", at, &[Step::Key("kind".to_owned())], message);
    };
    if let Some(meant) = gatherer.context.crds.meant(own, object, differs_in_case) {
        return misspelt(gatherer, &meant);
    }
    let found = match gatherer.context.schemas {
        Some(schemas) => schemas.of(object),
        None if gatherer.context.crds.is_empty() => return,
        None => Ok(None),
    };
    match found {
        // Schemas are named in small letters, and an API server tells them from capitals.
        Ok(Some(_)) if starts_small(object) => {
            let message = format!("`kind`: there is no `{}`: Kubernetes' own kinds start with a capital letter", object.kind());
            gatherer.add("schema", at, &[Step::Key("kind".to_owned())], message);
        }
        Ok(Some(validator)) => {
            report(gatherer, at, &validator, &object.0);
        }
        Ok(None) => {
            let meant = gatherer.context.schemas.and_then(|schemas| schemas.meant(object));
            if let Some(meant) = meant.or_else(|| gatherer.context.crds.meant(own, object, is_misspelt)) {
                return misspelt(gatherer, &meant);
            }
            let kind = format!("{} {}", object.api_version(), object.kind());
            *gatherer.without_schema.entry(kind.clone()).or_default() += 1;
            if gatherer.context.require_schemas {
                let message =
                    format!("there is no schema of {kind}: add its location with `--schema-location` or `--crd-location`");
                gatherer.add("schema-missing", at, &[], message);
            }
        }
        Err(error) => gatherer.add("schema-missing", at, &[], error.to_string()),
    }
}

/// Whether it is a kind of Kubernetes' own that starts with a small letter. Others have such kinds.
fn starts_small(object: &Object) -> bool {
    let is_own = !object.group().contains('.') || object.group().ends_with(".k8s.io");
    is_own && object.kind().starts_with(|first: char| first.is_ascii_lowercase())
}

/// Says what a validator finds, and whether that is nothing.
fn report(gatherer: &mut Gatherer<'_>, at: At<'_>, validator: &Validator, value: &Value) -> bool {
    let mut wrong: Vec<(String, String)> = validator
        .iter_errors(value)
        // Values may be secret: what is wrong is said without them.
        .map(|error| (error.instance_path().to_string(), said(&error)))
        // Said for all kinds.
        .filter(|(path, _)| !METADATA.iter().any(|known| path.starts_with(&format!("/metadata/{known}"))))
        .collect();
    wrong.sort();
    for (pointer, message) in &wrong {
        let path = of_pointer(pointer);
        gatherer.add("schema", at, &path, format!("{}: {message}", field(&path)));
    }
    wrong.is_empty()
}

/// Values that are listed where another stands; the library lists three.
const LISTED: usize = 12;

/// What is wrong, without the value.
fn said(error: &ValidationError<'_>) -> String {
    if let ValidationErrorKind::Enum { options } = error.kind()
        && let Some(options) = options.as_array()
        && options.len() > 3
    {
        let mut listed: Vec<String> = options.iter().take(LISTED).map(Value::to_string).collect();
        if let Some(more) = options.len().checked_sub(LISTED).filter(|more| *more > 0) {
            listed.push(format!("{more} more"));
        }
        let last = listed.pop().unwrap_or_default();
        return format!("value is not one of {} or {last}", listed.join(", "));
    }
    error.masked().to_string()
}

/// A place in an object, as people write it.
fn field(path: &[Step]) -> String {
    if path.is_empty() { "the object".to_owned() } else { format!("`{}`", dotted(path)) }
}
