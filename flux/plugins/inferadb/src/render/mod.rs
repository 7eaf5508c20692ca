//! From a folder of a source and a Flux Kustomization's `spec` to documents: what the controller does up to and with
//! `kustomize build`.

mod cache;
mod closure;
mod explain;
mod fields;
mod generate;
mod kept;
mod kustomize;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) use cache::Cache;
use closure::Closure;
pub(crate) use fields::unknown_fields;
pub(crate) use generate::FILE_NAMES;
pub(crate) use kustomize::{Kustomize, VERSION, from_environment, on_path, printed_version};

use crate::error::{Error, Result};
use crate::object::Object;
use crate::parallel::{Behind, Slots};
use crate::program::Scratch;
use crate::tree::{Tree, join_secure};
use crate::yaml;

/// Changes when the same input would be rendered otherwise.
const FORMAT: &str = "2";

/// More bytes of files than this no build holds before a thread takes it on.
const MOST_HELD: usize = 1 << 20;

/// What `kustomize build` gave.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) documents: Arc<Vec<Document>>,
    /// The files that went into it.
    pub(crate) files: Vec<String>,
}

/// A build that was looked up.
pub(crate) enum Started {
    /// It was built before.
    Kept(Rendered),
    Waits(Box<Waiting>),
    /// It takes many files, which are read again once a thread takes it on: of many builds that wait, each would hold its own.
    TakesMuch {
        source_name: String,
        spec: Value,
    },
}

/// A build of which all is known that goes into it.
pub(crate) struct Waiting {
    folder: String,
    closure: Closure,
    key: String,
}

impl Started {
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Started::Kept(_))
    }
}

/// One object, as text, which variables are substituted in, and read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) text: String,
    pub(crate) object: Object,
}

type Shared = Arc<OnceLock<std::result::Result<Arc<Vec<Document>>, String>>>;

/// Renders, each equal input once.
pub(crate) struct Renderer {
    kustomize: Kustomize,
    slots: Slots,
    cache: Cache,
    done: Mutex<HashMap<String, Shared>>,
    /// What other runs have built.
    read: Mutex<HashMap<String, Arc<Vec<Document>>>>,
    /// Writes down what was built, and cleans up after it.
    behind: Behind,
}

impl Renderer {
    pub(crate) fn new(kustomize: Kustomize, cache: Cache) -> Self {
        Renderer {
            kustomize,
            slots: Slots::new(),
            cache,
            done: Mutex::default(),
            read: Mutex::default(),
            behind: Behind::default(),
        }
    }

    /// The same, which keeps nothing on disk.
    pub(crate) fn unkept(&self) -> Self {
        Renderer::new(self.kustomize.clone(), Cache::none())
    }

    /// Runs what takes a core once kustomize leaves one free: with less of its own, the slowest build would last longer.
    pub(crate) fn beside<R>(&self, job: impl FnOnce() -> R) -> R {
        self.slots.run(job)
    }

    /// Builds `spec.path` of a source.
    pub(crate) fn render(&self, tree: &Tree, source_name: &str, spec: &Value) -> Result<Rendered> {
        let waiting = waiting(&self.kustomize, tree, source_name, spec)?;
        match self.kept(&waiting.key) {
            Some(documents) => Ok(Rendered { documents, files: waiting.closure.files.into_keys().collect() }),
            None => self.run(tree, waiting),
        }
    }

    /// What takes no time of it: all, where the build is kept.
    pub(crate) fn start(&self, tree: &Tree, source_name: &str, spec: &Value) -> Result<Started> {
        let waiting = waiting(&self.kustomize, tree, source_name, spec)?;
        Ok(match self.kept(&waiting.key) {
            Some(documents) => Started::Kept(Rendered { documents, files: waiting.closure.files.into_keys().collect() }),
            None if waiting.closure.files.values().map(Vec::len).sum::<usize>() > MOST_HELD => {
                Started::TakesMuch { source_name: source_name.to_owned(), spec: spec.clone() }
            }
            None => Started::Waits(Box::new(waiting)),
        })
    }

    /// The rest of it: kustomize, where it must run.
    pub(crate) fn finish(&self, tree: &Tree, started: Started) -> Result<Rendered> {
        match started {
            Started::Kept(rendered) => Ok(rendered),
            Started::Waits(waiting) => self.run(tree, *waiting),
            Started::TakesMuch { source_name, spec } => self.render(tree, &source_name, &spec),
        }
    }

    fn run(&self, tree: &Tree, waiting: Waiting) -> Result<Rendered> {
        let Waiting { folder, mut closure, key } = waiting;
        let own: Vec<String> = closure.files.keys().filter(|path| !closure.contents.contains(*path)).cloned().collect();
        let documents = match self.build(&key, &folder, &closure) {
            // A reference that was not followed: with all files, kustomize finds it, or says what is missing.
            Err(Error::Kustomize(message)) if !closure.needs_all && is_missing(&message) => {
                add_all(tree, &mut closure)?;
                let key = key_of(&self.kustomize, &folder, &closure);
                self.kept(&key).map_or_else(|| self.build(&key, &folder, &closure), Ok)
            }
            result => result,
        };
        let documents = documents.map_err(|error| match error {
            Error::Kustomize(message) => explain::explain(tree, &own, &closure.missing, &message),
            error => error,
        })?;
        let files = closure.files.into_keys().collect();
        Ok(Rendered { documents, files })
    }

    /// What was built before, in this run or another. Waits for nobody who builds it just now: who asks may hold a core that
    /// the other one waits for.
    fn kept(&self, key: &str) -> Option<Arc<Vec<Document>>> {
        if let Some(built) = self.slot(key).get() {
            return built.as_ref().ok().cloned();
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(key) {
            return Some(Arc::clone(known));
        }
        drop(read);
        let documents = Arc::new(kept::read(&self.cache.get(key)?)?);
        read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(read.entry(key.to_owned()).or_insert(documents)))
    }

    fn slot(&self, key: &str) -> Shared {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(done.entry(key.to_owned()).or_default())
    }

    fn build(&self, key: &str, folder: &str, closure: &Closure) -> Result<Arc<Vec<Document>>> {
        let slot = self.slot(key);
        let built = slot.get_or_init(|| {
            self.build_now(key, folder, closure).map_err(|error| match error {
                Error::Kustomize(message) => message,
                other => other.to_string(),
            })
        });
        built.clone().map_err(Error::Kustomize)
    }

    fn build_now(&self, key: &str, folder: &str, closure: &Closure) -> Result<Arc<Vec<Document>>> {
        // Written once there is a core for it: many may wait.
        let (scratch, printed) = self.slots.run(|| -> Result<(Scratch, String)> {
            let scratch = Scratch::new()?;
            scratch.folder(folder)?;
            for (path, content) in &closure.files {
                scratch.write(path, content)?;
            }
            let printed = self.kustomize.build(scratch.path(), folder)?;
            Ok((scratch, printed))
        })?;
        let documents = Arc::new(documents(&printed)?);
        let (cache, key, written) = (self.cache.clone(), key.to_owned(), Arc::clone(&documents));
        self.behind.run(move || {
            cache.put(&key, &kept::write(&written, printed));
            drop(scratch);
        });
        Ok(documents)
    }
}

/// All that goes into a build.
fn waiting(kustomize: &Kustomize, tree: &Tree, source_name: &str, spec: &Value) -> Result<Waiting> {
    let folder = join_secure(spec["path"].as_str().unwrap_or_default());
    if !tree.has_folder(&folder) {
        let path = spec["path"].as_str().unwrap_or_default().to_owned();
        return Err(Error::NoPath { path, source_name: source_name.to_owned() });
    }
    let generated = generate::generate(tree, &folder, spec)?;
    let decrypts = spec["decryption"]["provider"] == "sops";
    let mut closure = closure::closure(tree, &folder, &generated, decrypts)?;
    if closure.needs_all {
        add_all(tree, &mut closure)?;
    }
    let key = key_of(kustomize, &folder, &closure);
    Ok(Waiting { folder, closure, key })
}

/// Everything that decides what comes out.
fn key_of(kustomize: &Kustomize, folder: &str, closure: &Closure) -> String {
    let mut hash = Sha256::new();
    for part in [FORMAT, &kustomize.version, folder] {
        hash.update(part);
        hash.update([0]);
    }
    for (path, content) in &closure.files {
        hash.update(path);
        hash.update([0]);
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    hex(&hash.finalize())
}

fn add_all(tree: &Tree, closure: &mut Closure) -> Result<()> {
    for path in tree.below("") {
        if !closure.files.contains_key(path) {
            closure.files.insert(path.to_owned(), tree.bytes(path)?);
        }
    }
    closure.needs_all = true;
    Ok(())
}

fn is_missing(message: &str) -> bool {
    message.contains("no such file") || message.contains("exist")
}

fn documents(printed: &str) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for text in printed.split_inclusive("\n---\n") {
        // Line breaks at an end may be a value's.
        let text = text.strip_suffix("---\n").unwrap_or(text).to_owned();
        let node = yaml::parse_one(&text).map_err(|source| Error::Yaml { path: "kustomize's output".to_owned(), source })?;
        if !text.trim().is_empty() {
            documents.push(Document { object: Object(node.to_json()), text });
        }
    }
    Ok(documents)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
