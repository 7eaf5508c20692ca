//! The files of a source, as the artifact of source-controller holds them: from a checkout, or from a commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::ignore::Ignore;
use crate::program::git;

/// Files by path, `/` between the parts, none in front.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    files: Arc<BTreeMap<String, Content>>,
    folders: Arc<BTreeSet<String>>,
    /// What an artifact leaves out of them. Asked of each path that is asked for: a repository has many more.
    ignore: Option<Arc<Ignore>>,
    /// What it leaves in, where all of it was asked for.
    kept: Arc<OnceLock<HashSet<String>>>,
}

#[derive(Clone, Debug)]
enum Content {
    Disk(PathBuf),
    Memory(Vec<u8>),
}

impl Content {
    /// No artifact holds links or devices, and git lists what was deleted. Asked when a file is: a repository has many more
    /// than are rendered.
    fn is_there(&self) -> bool {
        match self {
            Content::Disk(file) => file.symlink_metadata().is_ok_and(|meta| meta.is_file()),
            Content::Memory(_) => true,
        }
    }
}

impl Tree {
    /// The files below a folder of this machine: those that git tracks or would, or all where it is no repository.
    pub(crate) fn from_folder(root: &Path) -> Result<Self> {
        Tree::listed(root, tracked(root)?.as_deref())
    }

    /// The files that git has listed, or all where it has not.
    pub(crate) fn listed(root: &Path, listed: Option<&str>) -> Result<Self> {
        let paths = match listed {
            Some(listed) => listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect(),
            None => walk(root)?,
        };
        Ok(Tree::on_disk(root, paths))
    }

    /// All files below a folder of this machine.
    pub(crate) fn from_untracked(root: &Path) -> Result<Self> {
        let mut paths = walk(root)?;
        paths.retain(|path| root.join(path).is_file());
        Ok(Tree::on_disk(root, paths))
    }

    fn on_disk(root: &Path, paths: Vec<String>) -> Self {
        let mut folders = BTreeSet::new();
        let mut last = "";
        for path in &paths {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            if folder != last {
                add_folder(&mut folders, folder);
                last = folder;
            }
        }
        let files = paths.into_iter().map(|path| (path.clone(), Content::Disk(root.join(path)))).collect();
        Tree { files: Arc::new(files), folders: Arc::new(folders), ignore: None, kept: Arc::default() }
    }

    /// Puts other files below a folder, over those that are there.
    pub(crate) fn take(&mut self, other: &Tree, folder: &str) {
        if self.ignore.is_some() {
            *self = self.sub("");
        }
        for (path, content) in other.files.iter().filter(|(path, _)| !other.leaves_out(path)) {
            let path = if folder.is_empty() { path.clone() } else { format!("{folder}/{path}") };
            self.add(path, content.clone());
        }
    }

    /// The files of a commit, below `prefix` (empty for all).
    pub(crate) fn from_commit(repository: &Path, commit: &str, prefix: &str) -> Result<Self> {
        let below = if prefix.is_empty() { "." } else { prefix };
        let listed = git(repository, &["ls-tree", "-r", "-z", "--full-tree", commit, "--", below], Stdio::null())?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        // MODE SP TYPE SP HASH TAB PATH; links have mode 120000.
        let entries: Vec<(&str, &str)> = listed
            .split('\0')
            .filter(|line| line.starts_with("100"))
            .filter_map(|line| line.split_once('\t'))
            .filter_map(|(meta, path)| Some((meta.rsplit(' ').next()?, path)))
            .collect();
        let contents = blobs(repository, entries.iter().map(|(hash, _)| *hash))?;
        let mut tree = Tree::default();
        for ((_, path), content) in entries.into_iter().zip(contents) {
            let below =
                if prefix.is_empty() { Some(path) } else { path.strip_prefix(prefix).and_then(|path| path.strip_prefix('/')) };
            if let Some(path) = below {
                tree.add(path.to_owned(), Content::Memory(content));
            }
        }
        Ok(tree)
    }

    /// Files that are at hand.
    pub(crate) fn from_memory(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut tree = Tree::default();
        for (path, content) in files {
            tree.add(path, Content::Memory(content));
        }
        tree
    }

    /// The files below a folder, with paths from there.
    pub(crate) fn sub(&self, folder: &str) -> Self {
        let mut tree = Tree::default();
        for path in self.below(folder) {
            if let Some(content) = self.files.get(path) {
                tree.add(path[folder.len()..].trim_start_matches('/').to_owned(), content.clone());
            }
        }
        tree
    }

    fn add(&mut self, path: String, content: Content) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            add_folder(Arc::make_mut(&mut self.folders), folder);
        }
        Arc::make_mut(&mut self.files).insert(path, content);
    }

    fn leaves_out(&self, path: &str) -> bool {
        let Some(ignore) = &self.ignore else { return false };
        self.kept.get().map_or_else(|| ignore.leaves_out(path), |kept| !kept.contains(path))
    }

    /// Asks of all paths at once.
    fn look_at_all(&self) {
        if let Some(ignore) = &self.ignore {
            self.kept.get_or_init(|| self.files.keys().filter(|path| !ignore.leaves_out(path)).cloned().collect());
        }
    }

    /// What an artifact of these files holds: without those that `.sourceignore` files and `ignore` leave out.
    pub(crate) fn artifact(&self, ignore: Option<&str>) -> Result<Self> {
        if self.ignore.is_some() {
            return self.sub("").artifact(ignore);
        }
        let mut rules = Ignore::default();
        // A folder's own file is read before those of the folders below it.
        let mut files: Vec<&str> =
            self.files.keys().map(String::as_str).filter(|path| path.rsplit('/').next() == Some(".sourceignore")).collect();
        files.retain(|path| self.has_file(path));
        files.sort_by_key(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder).split('/').collect::<Vec<_>>());
        for path in files {
            rules.add(&self.text(path)?, path.rsplit_once('/').map_or("", |(folder, _)| folder));
        }
        rules.add(ignore.unwrap_or_default(), "");
        Ok(Tree { ignore: Some(Arc::new(rules)), kept: Arc::default(), ..self.clone() })
    }

    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(Content::is_there) && !self.leaves_out(path)
    }

    pub(crate) fn has_folder(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        let below = self.files.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let mut below = below.filter(|(path, _)| !self.leaves_out(path)).peekable();
        if below.peek().is_some() {
            return below.any(|(_, content)| content.is_there());
        }
        // A folder stays, but empty, where a pattern names its files and not itself.
        let leaves_out = |ignore: &Arc<Ignore>| ignore.leaves_out_folder(path);
        path.is_empty() || (self.folders.contains(path) && !self.ignore.as_ref().is_some_and(leaves_out))
    }

    /// All paths below a folder, in the order of a walk: by name within each folder.
    pub(crate) fn below(&self, folder: &str) -> Vec<&str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        if folder.is_empty() {
            self.look_at_all();
        }
        let mut paths: Vec<&str> = self
            .files
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .filter(|(path, content)| content.is_there() && !self.leaves_out(path))
            .map(|(path, _)| path.as_str())
            .collect();
        paths.sort_by(|one, other| one.split('/').cmp(other.split('/')));
        paths
    }

    /// A file's bytes.
    pub(crate) fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        match self.files.get(path).filter(|_| !self.leaves_out(path)) {
            Some(Content::Disk(file)) => std::fs::read(file).map_err(|source| Error::Read { path: file.clone(), source }),
            Some(Content::Memory(content)) => Ok(content.clone()),
            None => Err(Error::Read { path: PathBuf::from(path), source: std::io::ErrorKind::NotFound.into() }),
        }
    }

    /// A file's text.
    pub(crate) fn text(&self, path: &str) -> Result<String> {
        String::from_utf8(self.bytes(path)?).map_err(|_| Error::Encoding(path.to_owned()))
    }
}

/// Adds a folder with those around it.
fn add_folder(folders: &mut BTreeSet<String>, mut folder: &str) {
    while !folder.is_empty() && !folders.contains(folder) {
        folders.insert(folder.to_owned());
        folder = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
}

/// `folder` and `path` as one, without `.` and `..`; nothing where it leads out of the tree.
pub(crate) fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Like `join` from the root, but `..` ends there: so Flux joins `spec.path`.
pub(crate) fn join_secure(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The root of the repository around a folder. Its `.git` is a file in a work tree of another checkout, or a submodule.
pub(crate) fn repository_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

/// The contents of blobs, in order.
fn blobs<'h>(repository: &Path, hashes: impl Iterator<Item = &'h str>) -> Result<Vec<Vec<u8>>> {
    let input = tempfile::tempfile().and_then(|mut file| {
        for hash in hashes {
            writeln!(file, "{hash}")?;
        }
        file.rewind()?;
        Ok(file)
    });
    let input = input.map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
    let printed = git(repository, &["cat-file", "--batch"], input.into())?;
    let (mut rest, mut contents) = (printed.as_slice(), Vec::new());
    // HASH SP TYPE SP SIZE LF CONTENT LF
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let header = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size = header.rsplit(' ').next().and_then(|size| size.parse::<usize>().ok());
        let Some(content) = size.and_then(|size| rest.get(end + 1..end + 1 + size)) else {
            return Err(Error::Command { command: "git cat-file --batch".to_owned(), message: header });
        };
        contents.push(content.to_vec());
        rest = rest.get(end + 2 + content.len()..).unwrap_or_default();
    }
    Ok(contents)
}

/// The files that git tracks or would track, each with a NUL behind it; nothing outside of a repository.
pub(crate) fn tracked(root: &Path) -> Result<Option<String>> {
    let listed = git(root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."], Stdio::null());
    match listed {
        Ok(listed) => Ok(Some(String::from_utf8_lossy(&listed).into_owned())),
        Err(Error::Command { message, .. }) if message.contains("not a git repository") => Ok(None),
        // Without git, all files of a repository would count, those too that it leaves out.
        Err(Error::Program { .. }) if repository_of(root).is_none() => Ok(None),
        Err(error) => Err(error),
    }
}

fn walk(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let read = |source| Error::Read { path: path.clone(), source };
        for entry in std::fs::read_dir(&path).map_err(read)? {
            let entry = entry.map_err(read)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type().map_err(read)?.is_dir() {
                if path.rsplit('/').next() != Some(".git") {
                    folders.push(path);
                }
            } else {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}
