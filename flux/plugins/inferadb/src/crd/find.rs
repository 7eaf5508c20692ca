//! Where CustomResourceDefinitions are. A file is read as YAML only when an object of its group is looked at.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use super::{Version, is_crd};
use crate::error::{Error, Result};
use crate::object::Object;
use crate::yaml;

/// CustomResourceDefinitions on this machine, and those of clusters.
pub(crate) struct Crds {
    files: Vec<File>,
    read: RefCell<HashMap<usize, Rc<Vec<Value>>>>,
    versions: RefCell<HashMap<(u64, String), Rc<Version>>>,
}

struct File {
    path: PathBuf,
    text: String,
    /// What follows `group:` in it: each word may be the group of a definition.
    groups: BTreeSet<String>,
}

/// What there is for an object.
pub(crate) enum Found {
    Version(Rc<Version>),
    /// Its definition serves other versions.
    Others(Vec<String>),
}

impl Crds {
    /// The files and folders given; without any, those of a folder, where it is there.
    pub(crate) fn find(locations: &[PathBuf], folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let folder = folder.join("crd-manifests");
        if locations.is_empty() && folder.is_dir() {
            gather(&folder, &mut files)?;
        }
        for location in locations {
            gather(location, &mut files)?;
        }
        Ok(Crds { files, read: RefCell::default(), versions: RefCell::default() })
    }

    /// Whether there is no file with one.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The definition of an object: one of its cluster's own, or else one of the files.
    pub(crate) fn of(&self, own: &[&Object], object: &Object) -> Result<Option<Found>> {
        let (group, kind) = (object.group(), object.kind());
        let fits = |document: &Value| {
            is_crd(document) && document["spec"]["group"] == group && document["spec"]["names"]["kind"] == kind
        };
        if group.is_empty() {
            return Ok(None);
        }
        if let Some(own) = own.iter().find(|one| fits(&one.0)) {
            return self.version(&own.0, object, &own.id().to_string()).map(Some);
        }
        for (position, file) in self.files.iter().enumerate() {
            if !file.groups.contains(group) || !file.text.contains(kind) {
                continue;
            }
            let documents = self.documents(position, file)?;
            if let Some(document) = documents.iter().find(|one| fits(one)) {
                return self.version(document, object, &file.path.display().to_string()).map(Some);
            }
        }
        Ok(None)
    }

    /// A kind of the same group and version that this one is likely meant to be.
    pub(crate) fn meant(&self, own: &[&Object], object: &Object, is_misspelt: fn(&str, &str) -> bool) -> Option<String> {
        let version = object.api_version().rsplit('/').next().unwrap_or_default();
        let meant = |definition: &Value| {
            let spec = &definition["spec"];
            let kind = spec["names"]["kind"].as_str().filter(|kind| is_misspelt(object.kind(), kind))?;
            let serves = spec["versions"].as_array()?.iter().any(|one| one["name"] == version);
            (is_crd(definition) && spec["group"] == object.group() && serves).then(|| kind.to_owned())
        };
        let files = self.files.iter().enumerate().filter(|(_, file)| file.groups.contains(object.group()));
        let documents = files.filter_map(|(position, file)| self.documents(position, file).ok());
        let in_files = || documents.into_iter().find_map(|documents| documents.iter().find_map(meant));
        own.iter().find_map(|one| meant(&one.0)).or_else(in_files)
    }

    fn documents(&self, position: usize, file: &File) -> Result<Rc<Vec<Value>>> {
        if let Some(documents) = self.read.borrow().get(&position) {
            return Ok(Rc::clone(documents));
        }
        let read = yaml::parse(&file.text).map_err(|source| Error::Yaml { path: file.path.display().to_string(), source })?;
        let documents = Rc::new(read.iter().map(yaml::Node::to_json).collect::<Vec<_>>());
        self.read.borrow_mut().insert(position, Rc::clone(&documents));
        Ok(documents)
    }

    fn version(&self, definition: &Value, object: &Object, place: &str) -> Result<Found> {
        let name = object.api_version().rsplit('/').next().unwrap_or_default();
        let versions = definition["spec"]["versions"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        let served = |version: &&Value| version["served"].as_bool() != Some(false);
        let Some(raw) = versions.iter().filter(served).find(|version| version["name"] == name) else {
            let names = versions.iter().filter(served).filter_map(|version| version["name"].as_str());
            return Ok(Found::Others(names.map(str::to_owned).collect()));
        };
        // Several clusters may bring forth the same definition.
        let mut hasher = DefaultHasher::new();
        definition["spec"]["names"]["kind"].as_str().hash(&mut hasher);
        raw.to_string().hash(&mut hasher);
        let key = (hasher.finish(), object.api_version().to_owned());
        if let Some(version) = self.versions.borrow().get(&key) {
            return Ok(Found::Version(Rc::clone(version)));
        }
        let broken =
            |why: String| Error::Usage(format!("the CustomResourceDefinition in `{place}` has no schema for {name}: {why}"));
        let version = Rc::new(Version::read(raw).map_err(broken)?);
        self.versions.borrow_mut().insert(key, Rc::clone(&version));
        Ok(Found::Version(version))
    }
}

/// Takes a file, or all YAML and JSON files of a folder, in order.
fn gather(location: &Path, files: &mut Vec<File>) -> Result<()> {
    let failed = |source| Error::Read { path: location.to_owned(), source };
    if location.is_dir() {
        let entries: std::io::Result<Vec<PathBuf>> =
            std::fs::read_dir(location).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut entries = entries.map_err(failed)?;
        entries.sort();
        let named = |path: &Path| path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        for path in entries.iter().filter(|path| path.is_dir() || named(path)) {
            gather(path, files)?;
        }
        return Ok(());
    }
    let text = std::fs::read_to_string(location).map_err(failed)?;
    if text.contains("CustomResourceDefinition") {
        let groups = groups(&text);
        files.push(File { path: location.to_owned(), text, groups });
    }
    Ok(())
}

fn groups(text: &str) -> BTreeSet<String> {
    let after = text.match_indices("group").filter_map(|(position, word)| text.get(position + word.len()..));
    let value = |rest: &str| {
        let rest = rest.trim_start_matches(['"', '\'']).strip_prefix(':')?.trim_start_matches([' ', '\t', '"', '\'']);
        let end =
            rest.find(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | ',' | '}')).unwrap_or(rest.len());
        rest.get(..end).filter(|word| !word.is_empty()).map(str::to_owned)
    };
    after.filter_map(value).collect()
}
