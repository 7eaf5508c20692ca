//! What was rendered before, by the hash of all that went into it. Losing it costs time and nothing else, so nothing here
//! fails.

use std::path::{Path, PathBuf};

/// More than this many are not kept.
const MOST_ENTRIES: usize = 4000;

/// A folder of this machine, or none.
#[derive(Clone, Debug)]
pub(crate) struct Cache(Option<PathBuf>);

impl Cache {
    /// No cache at all.
    pub(crate) fn none() -> Self {
        Cache(None)
    }

    /// The user's: `FLUX_INFERADB_CACHE`, or a folder in `XDG_CACHE_HOME` or `~/.cache`.
    pub(crate) fn of_user() -> Self {
        let own = std::env::var_os("FLUX_INFERADB_CACHE").map(PathBuf::from);
        let shared = || {
            let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
            std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).map(|folder| folder.join("flux-inferadb"))
        };
        Cache(own.or_else(shared))
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        std::fs::read_to_string(self.0.as_ref()?.join(key)).ok()
    }

    /// Keeps a text, whole or not at all: others may read at the same time.
    pub(crate) fn put(&self, key: &str, text: &str) {
        let Some(folder) = &self.0 else { return };
        let write = || -> std::io::Result<()> {
            private_folder(folder)?;
            let file = tempfile::NamedTempFile::new_in(folder)?;
            std::fs::write(file.path(), text)?;
            file.persist(folder.join(key))?;
            Ok(())
        };
        let _ = write();
        // Now and then: to look takes long where there are many.
        if key.starts_with("00") {
            self.trim();
        }
    }

    pub(crate) fn remove(&self, key: &str) {
        if let Some(folder) = &self.0 {
            let _ = std::fs::remove_file(folder.join(key));
        }
    }

    /// Whether it is below another folder.
    pub(crate) fn is_below(&self, folder: &Path) -> bool {
        self.0.as_ref().and_then(|own| own.canonicalize().ok()).is_some_and(|own| own.starts_with(folder))
    }

    /// Drops the oldest entries where there are too many.
    fn trim(&self) {
        let Some(entries) = self.0.as_ref().and_then(|folder| std::fs::read_dir(folder).ok()) else { return };
        let entries: Vec<_> = entries.flatten().collect();
        if entries.len() > MOST_ENTRIES {
            let modified = |entry: &std::fs::DirEntry| entry.metadata().ok()?.modified().ok();
            let mut entries: Vec<_> = entries.iter().filter_map(|entry| Some((modified(entry)?, entry.path()))).collect();
            entries.sort();
            for (_, path) in &entries[..entries.len() - MOST_ENTRIES / 2] {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Renders may hold what is nobody else's business.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
