//! What is to be written: all of it, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use crate::error::{Error, Result};
use crate::program;

use super::Refused;

/// Files that are to be made or changed, by their paths in the repository.
pub(super) struct Changes<'r> {
    root: &'r Path,
    added: BTreeMap<String, Vec<u8>>,
    edited: BTreeMap<String, (String, String)>,
}

impl<'r> Changes<'r> {
    pub(super) fn new(root: &'r Path) -> Self {
        Changes { root, added: BTreeMap::new(), edited: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, path: String, content: Vec<u8>) {
        self.added.insert(path, content);
    }

    pub(super) fn edit(&mut self, path: &str, old: &str, new: String) {
        self.edited.insert(path.to_owned(), (old.to_owned(), new));
    }

    /// The same where it makes a difference.
    pub(super) fn edit_if_other(&mut self, path: &str, old: &str, new: String) {
        if old != new {
            self.edit(path, old, new);
        }
    }

    /// All of it, as `git apply` takes it.
    pub(super) fn as_patch(&self) -> String {
        let mut patch = String::new();
        let mut add = |path: &str, old: Option<&str>, new: &str| {
            let from = old.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{path}"));
            let diff = TextDiff::from_lines(old.unwrap_or_default(), new);
            let mode = if old.is_none() { "new file mode 100644\n" } else { "" };
            let _ = write!(
                patch,
                "diff --git a/{path} b/{path}\n{mode}{}",
                diff.unified_diff().context_radius(3).header(&from, &format!("b/{path}"))
            );
        };
        for (path, content) in &self.added {
            add(path, None, &String::from_utf8_lossy(content));
        }
        for (path, (old, new)) in &self.edited {
            add(path, Some(old), new);
        }
        patch
    }

    /// Writes beside the repository's files first, so that what fails there changes nothing; then moves it into place, and back
    /// where that fails. Says what was done, a line each.
    pub(super) fn apply(&self) -> Result<Vec<String>> {
        let wrote = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        let _whole = program::undisturbed();
        let scratch = tempfile::Builder::new().prefix(".new-region-").tempdir_in(self.root).map_err(wrote(self.root))?;
        let edited = self.edited.iter().map(|(path, (_, new))| (path, new.as_bytes()));
        for (path, content) in self.added.iter().map(|(path, content)| (path, content.as_slice())).chain(edited) {
            let file = scratch.path().join("new").join(path);
            let folder = file.parent().unwrap_or(scratch.path());
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, content)).map_err(wrote(&file))?;
        }
        let mut moves = Moves { done: Vec::new() };
        let said = self.place(scratch.path(), &mut moves);
        if said.is_err() {
            moves.undo();
        }
        said
    }

    fn place(&self, scratch: &Path, moves: &mut Moves) -> Result<Vec<String>> {
        let mut said = Vec::new();
        let new = scratch.join("new");
        for unit in self.units() {
            let target = self.root.join(&unit);
            if target.symlink_metadata().is_ok() {
                return Err(Refused::Exists(format!("`{unit}`")).into());
            }
            moves.of(&new.join(&unit), &target)?;
            let files = self.added.keys().filter(|path| path.starts_with(&format!("{unit}/"))).count();
            said.push(if files == 0 { format!("  new      {unit}") } else { format!("  new      {unit}/ ({files} files)") });
        }
        for (place, (path, (old, _))) in self.edited.iter().enumerate() {
            let (target, staged) = (self.root.join(path), new.join(path));
            let failed = |source| Error::Write { path: target.clone(), source };
            let there = std::fs::read(&target).map_err(failed)?;
            if there != old.as_bytes() {
                return Err(Refused::Changed(target).into());
            }
            let mode = target.metadata().map_err(failed)?.permissions();
            std::fs::set_permissions(&staged, mode).map_err(failed)?;
            moves.of(&target, &scratch.join(format!("old-{place}")))?;
            moves.of(&staged, &target)?;
            said.push(format!("  changed  {path}"));
        }
        Ok(said)
    }

    /// The topmost paths of what is new.
    fn units(&self) -> BTreeSet<String> {
        let top = |path: &String| {
            let mut unit = path.as_str();
            while let Some((folder, _)) = unit.rsplit_once('/')
                && self.root.join(folder).symlink_metadata().is_err()
            {
                unit = folder;
            }
            unit.to_owned()
        };
        self.added.keys().map(top).collect()
    }
}

/// What was moved, to be moved back.
struct Moves {
    done: Vec<(PathBuf, PathBuf)>,
}

impl Moves {
    fn of(&mut self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(|source| Error::Write { path: to.to_owned(), source })?;
        self.done.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn undo(&mut self) {
        for (from, to) in self.done.drain(..).rev() {
            // The error that led here is the one to tell.
            let _ = std::fs::rename(to, from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_finished_is_undone() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a"), "old\n").unwrap();
        std::fs::write(root.path().join("b"), "changed by another\n").unwrap();
        let mut changes = Changes::new(root.path());
        changes.add("folder/new".to_owned(), b"new\n".to_vec());
        changes.edit("a", "old\n", "new\n".to_owned());
        changes.edit("b", "old\n", "new\n".to_owned());
        let refused = changes.apply().unwrap_err().to_string();
        assert!(refused.contains("changed meanwhile"), "{refused}");
        let mut left: Vec<_> = std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a", "b"]);
        assert_eq!(std::fs::read_to_string(root.path().join("a")).unwrap(), "old\n");
    }
}
