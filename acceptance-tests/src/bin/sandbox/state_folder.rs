//! What a running sandbox leaves in a folder for shells and Terraform; it is taken away at the end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use acceptance_tests::terraform::{Error, install};
use tempfile::TempDir;

/// The variables as a script to source.
const SCRIPT: &str = "env.sh";

/// The folder while the sandbox runs.
pub(crate) struct StateFolder {
    path: PathBuf,
    /// Gone with the value, where nobody named a folder.
    _temporary: Option<TempDir>,
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.script());
        let _ = fs::remove_file(self.path.join("cli.tfrc"));
        let _ = fs::remove_dir_all(self.path.join("provider"));
    }
}

impl StateFolder {
    /// The named folder, or a temporary one. What a killed sandbox left there must not be taken for this one's.
    pub(crate) fn open(named: Option<PathBuf>) -> io::Result<Self> {
        let (path, temporary) = if let Some(path) = named {
            if !path.is_dir() {
                fs::create_dir(&path)?;
            }
            (path, None)
        } else {
            let temporary = tempfile::Builder::new().prefix("inferadb-sandbox-").tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        };
        let folder = Self { path, _temporary: temporary };
        match fs::remove_file(folder.script()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(folder),
        }
    }

    /// Where the script is.
    pub(crate) fn script(&self) -> PathBuf {
        self.path.join(SCRIPT)
    }

    /// Writes Terraform's settings with the provider as it was built; `None` where that was not built.
    pub(crate) fn cli_config(&self) -> Result<Option<PathBuf>, Error> {
        match install::development_link(&self.path) {
            Ok(settings) => Ok(Some(settings)),
            Err(Error::NoProvider(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the script, whole or not at all: others wait for it to appear.
    pub(crate) fn write_script(&self, lines: &str) -> io::Result<()> {
        let draft = self.path.join("env.sh.new");
        fs::write(&draft, lines)?;
        fs::rename(&draft, self.script())
    }
}

/// A line of a script that sets a variable.
pub(crate) fn export(name: &str, value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./:=,+@%-".contains(letter);
    if !value.is_empty() && value.chars().all(plain) {
        format!("export {name}={value}\n")
    } else {
        format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
    }
}

/// The same for a path.
pub(crate) fn export_path(name: &str, path: &Path) -> String {
    export(name, &path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_shell() {
        assert_eq!(export("A", "http://127.0.0.1:1"), "export A=http://127.0.0.1:1\n");
        assert_eq!(export("A", "it's here"), "export A='it'\\''s here'\n");
        assert_eq!(export("A", ""), "export A=''\n");
    }
}
