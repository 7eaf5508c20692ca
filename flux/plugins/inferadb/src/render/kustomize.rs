//! The program that renders: which one, of which version, and how it is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::cache::Cache;
use super::hex;
use crate::error::{Error, Result};
use crate::program;

/// The version whose library Flux 2.9 links (api v0.21.1).
pub(crate) const VERSION: &str = "v5.8.1";
/// The line that `managedByLabel` writes, but for the version.
const MANAGED_BY: &str = "    app.kubernetes.io/managed-by: kustomize-";
/// What is too old to render as Flux does.
const OLDEST: (u32, u32) = (5, 8);

/// A kustomize on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Kustomize {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

impl Kustomize {
    /// Finds it: as told, by `KUSTOMIZE`, in the repository's `.build/bin`, on `PATH`.
    pub(crate) fn find(told: Option<&Path>, repository: &Path, cache: &Cache) -> Result<Self> {
        let built = Some(repository.join(".build/bin/kustomize")).filter(|built| built.is_file());
        let named = told.map(Path::to_owned).or_else(|| from_environment("KUSTOMIZE"));
        let program = named.or(built).or_else(|| on_path("kustomize")).ok_or_else(|| {
            Error::Usage(format!(
                "kustomize is not installed: get {VERSION} or later (`go install sigs.k8s.io/kustomize/kustomize/v5@{VERSION}`), and give its path with `--kustomize` or KUSTOMIZE where it is not on PATH"
            ))
        })?;
        // It is run from a folder of its own.
        let program = std::path::absolute(&program).unwrap_or(program);
        let version = version(&program, cache)?;
        Ok(Kustomize { program, version })
    }

    /// A warning where its version is not one that renders as Flux does.
    pub(crate) fn warning(&self) -> Option<String> {
        let mut parts = self.version.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) if major == OLDEST.0 && minor >= OLDEST.1 => None,
            _ => Some(format!(
                "`{}` is kustomize {}, and Flux 2.9 renders as {VERSION} does: what it gives may differ",
                self.program.display(),
                self.version
            )),
        }
    }

    /// Builds a folder of a scratch copy. Nothing is fetched: it has no git, and no way out.
    pub(crate) fn build(&self, scratch: &Path, folder: &str) -> Result<String> {
        let nowhere = "http://127.0.0.1:1";
        let mut command = Command::new(&self.program);
        command
            .args(["build", "--load-restrictor", "LoadRestrictionsNone", "--reorder", "none"])
            .arg(scratch.join(folder))
            .current_dir(scratch)
            .env_clear()
            .env("PATH", "")
            .env("HOME", scratch)
            .envs(["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map(|name| (name, nowhere)));
        match program::output(&mut command) {
            // In the controller, which is no kustomize, `managedByLabel` finds no version.
            Ok(printed) => String::from_utf8(printed)
                .map(|text| text.replace(&format!("{MANAGED_BY}{}\n", self.version), &format!("{MANAGED_BY}(devel)\n")))
                .map_err(|_| Error::Encoding(folder.to_owned())),
            Err(Error::Command { message, .. }) => Err(Error::Kustomize(tidy(&message, scratch))),
            Err(error) => Err(error),
        }
    }
}

/// Kustomize's words without the scratch copy's path, and without its warnings.
fn tidy(message: &str, scratch: &Path) -> String {
    let prefix = format!("{}/", scratch.display());
    let message = message.replace(&prefix, "").replace(&*scratch.to_string_lossy(), ".");
    let lines = message
        .lines()
        .filter(|line| !line.starts_with("# Warning") && !line.starts_with("Flag --") && !line.contains(" Warning: "));
    let message = lines.collect::<Vec<_>>().join("\n");
    message.trim().trim_start_matches("Error: ").to_owned()
}

/// The program that a variable of the environment names; an empty one names none.
pub(crate) fn from_environment(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The first program of this name on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// What a program prints of its version. Asked once for each program, as asking takes as long as a small build.
pub(crate) fn printed_version(program: &Path, arguments: &[&str], advice: &'static str, cache: &Cache) -> Result<String> {
    let start = |source| Error::Program { program: program.display().to_string(), source, advice };
    let meta = std::fs::metadata(program).map_err(start)?;
    let modified = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    let key = format!("version\0{}\0{}\0{}", program.display(), meta.len(), modified.as_nanos());
    let key = hex(&Sha256::digest(key.as_bytes()));
    if let Some(version) = cache.get(&key) {
        return Ok(version);
    }
    let printed = program::output(Command::new(program).args(arguments))?;
    let version = String::from_utf8_lossy(&printed).trim().to_owned();
    cache.put(&key, &version);
    Ok(version)
}

fn version(program: &Path, cache: &Cache) -> Result<String> {
    let printed = printed_version(program, &["version"], "give the path of kustomize with `--kustomize` or KUSTOMIZE", cache)?;
    // `v5.8.1`, or `{kustomize/v5.5.0  2024-…  }` of older ones.
    let version = printed.trim_matches(['{', '}']).split_whitespace().next().unwrap_or_default();
    let version = version.rsplit('/').next().unwrap_or(version);
    if version == "(devel)" || version.trim_start_matches('v').split('.').next().is_some_and(|major| major.parse::<u32>().is_ok())
    {
        return Ok(version.to_owned());
    }
    let said: String = printed.chars().filter(|c| !c.is_control()).take(60).collect();
    Err(Error::Usage(format!("`{}` is no kustomize: it says that its version is `{said}`", program.display())))
}
