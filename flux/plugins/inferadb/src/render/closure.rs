//! The files that a build reads: what a kustomization.yaml refers to, and what that refers to. They are the key under which
//! the build is kept, and all that its scratch copy holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::explain::line_naming;
use super::generate::{FILE_NAMES, Generated};
use crate::error::{Error, Result};
use crate::sops;
use crate::tree::{Tree, join};
use crate::yaml;

/// Files with their contents.
pub(crate) struct Closure {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Files of transformers and generators refer to others in ways of their own: then everything counts.
    pub(crate) needs_all: bool,
    /// References that lead nowhere, each with the file that it stands in.
    pub(crate) missing: Vec<(String, String)>,
    /// Files that generators take as they are, whatever is in them.
    pub(crate) contents: BTreeSet<String>,
}

/// Follows a generated kustomization.yaml. With `decrypts`, what SOPS encrypted is replaced by placeholders.
pub(crate) fn closure(tree: &Tree, folder: &str, generated: &Generated, decrypts: bool) -> Result<Closure> {
    let mut walk = Walk {
        tree,
        decrypts,
        files: BTreeMap::new(),
        folders: BTreeSet::new(),
        needs_all: false,
        missing: Vec::new(),
        contents: BTreeSet::new(),
    };
    walk.folders.insert(folder.to_owned());
    walk.kustomization(folder, &generated.path, &generated.content)?;
    // A second one is kustomize's to refuse.
    for path in FILE_NAMES.iter().filter_map(|name| join(folder, name)).filter(|path| tree.has_file(path)) {
        walk.files.insert(path.clone(), tree.bytes(&path)?);
    }
    let content = Value::Object(generated.content.clone()).to_string();
    walk.files.insert(generated.path.clone(), content.into_bytes());
    Ok(Closure { files: walk.files, needs_all: walk.needs_all, missing: walk.missing, contents: walk.contents })
}

struct Walk<'t> {
    tree: &'t Tree,
    decrypts: bool,
    files: BTreeMap<String, Vec<u8>>,
    folders: BTreeSet<String>,
    needs_all: bool,
    missing: Vec<(String, String)>,
    contents: BTreeSet<String>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str) -> Result<()> {
        if !self.folders.insert(folder.to_owned()) {
            return Ok(());
        }
        for path in FILE_NAMES.iter().filter_map(|name| join(folder, name)) {
            if !self.tree.has_file(&path) {
                continue;
            }
            let bytes = self.tree.bytes(&path)?;
            // What kustomize cannot read it refuses itself.
            let node = std::str::from_utf8(&bytes).ok().and_then(|text| yaml::parse_one(text).ok());
            self.files.insert(path.clone(), bytes);
            if let Some(Value::Object(content)) = node.map(|node| node.to_json()) {
                self.kustomization(folder, &path, &content)?;
            }
        }
        Ok(())
    }

    fn kustomization(&mut self, folder: &str, path: &str, content: &Map<String, Value>) -> Result<()> {
        for field in ["resources", "components", "bases"] {
            for reference in texts(get(content, field)) {
                self.refer(folder, path, reference)?;
            }
        }
        for field in ["generators", "transformers", "validators"] {
            for reference in texts(get(content, field)) {
                self.needs_all = true;
                if reference.contains('\n') {
                    self.plugins(folder, path, reference)?;
                    continue;
                }
                self.refer(folder, path, reference)?;
                if let Some(file) = join(folder, reference).filter(|file| self.tree.has_file(file)) {
                    self.plugins(folder, &file, &self.tree.text(&file)?)?;
                }
            }
        }
        self.needs_all |= content.keys().any(|key| key.to_ascii_lowercase().starts_with("helm"));
        for field in ["crds", "configurations", "patchesStrategicMerge"] {
            for reference in texts(get(content, field)) {
                self.file(folder, path, reference, None)?;
            }
        }
        for field in ["patches", "patchesJson6902", "replacements"] {
            for item in items(get(content, field)) {
                if let Some(reference) = field_of(item, "path").and_then(Value::as_str) {
                    let format = (field == "patches").then(|| sops::Format::of_path(reference));
                    self.file(folder, path, reference, format)?;
                }
            }
        }
        let schema = get(content, "openapi").and_then(|openapi| field_of(openapi, "path"));
        if let Some(reference) = schema.and_then(Value::as_str) {
            self.file(folder, path, reference, None)?;
        }
        for (field, is_secret) in [("configMapGenerator", false), ("secretGenerator", true)] {
            for item in items(get(content, field)) {
                for reference in texts(field_of(item, "files")) {
                    let (key, file) = reference.split_once('=').unwrap_or((reference, reference));
                    self.contents.extend(join(folder, file));
                    self.file(folder, path, file, is_secret.then(|| sops::Format::of_path(key)))?;
                }
                for reference in texts(field_of(item, "envs")).chain(field_of(item, "env").and_then(Value::as_str)) {
                    self.contents.extend(join(folder, reference));
                    self.file(folder, path, reference, is_secret.then(|| sops::Format::of_env(reference)))?;
                }
            }
        }
        Ok(())
    }

    /// What configures a generator or transformer names files in ways of its own: none of them may lie outside.
    fn plugins(&mut self, folder: &str, path: &str, text: &str) -> Result<()> {
        // What kustomize cannot read it refuses itself.
        for document in yaml::parse(text).unwrap_or_default() {
            self.plugin(folder, path, &document.to_json())?;
        }
        Ok(())
    }

    fn plugin(&mut self, folder: &str, path: &str, value: &Value) -> Result<()> {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let key = key.to_ascii_lowercase();
                    // Paths of fields, in objects.
                    if key == "fieldspecs" || key == "fieldpaths" {
                        continue;
                    }
                    let is_file = ["path", "paths", "file", "files", "env", "envs"].contains(&key.as_str());
                    for name in value.as_str().into_iter().chain(texts(Some(value))).filter(|_| is_file) {
                        self.stay_inside(folder, path, name.split_once('=').map_or(name, |(_, file)| file))?;
                    }
                    self.plugin(folder, path, value)?;
                }
                Ok(())
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.plugin(folder, path, item)),
            _ => Ok(()),
        }
    }

    /// Flux reads nothing outside of the source; kustomize, left alone, reads any file of the machine.
    fn stay_inside(&self, folder: &str, path: &str, reference: &str) -> Result<()> {
        if reference.contains('\n') || (!reference.starts_with('/') && join(folder, reference).is_some()) || is_remote(reference)
        {
            return Ok(());
        }
        let line = line_naming(self.tree, path, reference).unwrap_or(1);
        Err(Error::Outside { path: path.to_owned(), line, reference: reference.to_owned() })
    }

    /// A resource: a file, or a folder with a kustomization file.
    fn refer(&mut self, folder: &str, path: &str, reference: &str) -> Result<()> {
        self.stay_inside(folder, path, reference)?;
        if let Some(target) = join(folder, reference) {
            if self.tree.has_file(&target) {
                return self.file(folder, path, reference, None);
            }
            if self.tree.has_folder(&target) {
                return self.folder(&target);
            }
        }
        if is_remote(reference) {
            let line = line_naming(self.tree, path, reference).unwrap_or(1);
            return Err(Error::Remote { path: path.to_owned(), line, reference: reference.to_owned() });
        }
        self.missing.push((path.to_owned(), reference.to_owned()));
        Ok(())
    }

    fn file(&mut self, folder: &str, from: &str, reference: &str, format: Option<sops::Format>) -> Result<()> {
        self.stay_inside(folder, from, reference)?;
        let path = join(folder, reference).filter(|path| self.tree.has_file(path));
        if let Some(path) = path {
            let bytes = self.tree.bytes(&path)?;
            let plain = format.filter(|_| self.decrypts).and_then(|format| sops::file(&bytes, format));
            // A file that was decrypted for one reader is decrypted for all.
            match plain {
                Some(plain) => self.files.insert(path, plain),
                None => self.files.insert(path.clone(), self.files.get(&path).cloned().unwrap_or(bytes)),
            };
        } else {
            self.missing.push((from.to_owned(), reference.to_owned()));
        }
        Ok(())
    }
}

/// A field, whatever the case of its letters: so Go reads JSON.
fn get<'v>(content: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    content.get(name).or_else(|| content.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn field_of<'v>(item: &'v Value, name: &str) -> Option<&'v Value> {
    get(item.as_object()?, name)
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    items(value).filter_map(Value::as_str)
}

fn is_remote(reference: &str) -> bool {
    let lower = reference.to_ascii_lowercase();
    lower.contains("://")
        || lower.contains("?ref=")
        || lower.contains(".git//")
        || ["git@", "git::", "gh:", "github.com"].iter().any(|prefix| lower.starts_with(prefix))
}
