//! How Terraform gets the provider: a CLI configuration that names a folder of this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Error, Kind, Result};

/// The version that the mirror offers.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const PROGRAM: &str = "terraform-provider-inferadb";

/// The provider that was built beside the running program, or the one that `$INFERADB_PROVIDER` names.
pub fn provider() -> Result<PathBuf> {
    if let Some(named) = env::var_os("INFERADB_PROVIDER") {
        return Ok(PathBuf::from(named));
    }
    let running = env::current_exe().map_err(Error::io("find the running program"))?;
    // target/debug/quickstart, or target/debug/deps/acceptance-0123456789abcdef
    running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(PROGRAM))
        .find(|program| program.is_file())
        .ok_or(Error::NoProvider(running))
}

/// Lays out a mirror under `folder` as registries do, and returns a CLI configuration that installs from it and from
/// nowhere else, so that `init` is a real one and needs no network.
pub fn mirror(folder: &Path) -> Result<PathBuf> {
    let provider = provider()?;
    let mirror = folder.join("mirror");
    for kind in [Kind::Terraform, Kind::OpenTofu] {
        let package = mirror.join(format!("{}/inferadb/inferadb/{VERSION}/{}", kind.registry(), platform()));
        place(&provider, &package.join(format!("{PROGRAM}_v{VERSION}")))?;
    }
    write_cli_config(
        folder,
        &format!(
            "  filesystem_mirror {{\n    path = {path:?}\n    include = [\"*/*/*\"]\n  }}\n",
            path = mirror.display().to_string()
        ),
    )
}

/// A CLI configuration that takes the provider as it was built: no `init`, no lock file, no hash over the whole program at each command.
pub fn development_override(folder: &Path) -> Result<PathBuf> {
    let programs = folder.join("provider");
    place(&provider()?, &programs.join(PROGRAM))?;
    write_cli_config(folder, &dev_overrides(&programs))
}

fn dev_overrides(programs: &Path) -> String {
    format!("  dev_overrides {{\n    \"inferadb/inferadb\" = {path:?}\n  }}\n", path = programs.display().to_string())
}

/// The same by a link, so that a provider that is built anew is the one that is used. Takes the place of an older link.
pub fn development_link(folder: &Path) -> Result<PathBuf> {
    let programs = folder.join("provider");
    let link = programs.join(PROGRAM);
    let tried = || format!("link the provider at `{}`", link.display());
    let provider = fs::canonicalize(provider()?).map_err(Error::io(tried()))?;
    fs::create_dir_all(&programs).map_err(Error::io(tried()))?;
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(provider, &link).map_err(Error::io(tried()))?;
    write_cli_config(folder, &dev_overrides(&programs))
}

/// A CLI configuration that installs nothing.
pub fn nothing(folder: &Path) -> Result<PathBuf> {
    write_cli_config(folder, "")
}

fn write_cli_config(folder: &Path, installation: &str) -> Result<PathBuf> {
    let path = folder.join("cli.tfrc");
    fs::write(&path, format!("disable_checkpoint = true\n\nprovider_installation {{\n{installation}}}\n"))
        .map_err(Error::io(format!("write `{}`", path.display())))?;
    Ok(path)
}

/// A hard link where one can be had: the program is large, and a running one must not be overwritten.
fn place(program: &Path, at: &Path) -> Result<()> {
    let tried = || format!("place the provider at `{}`", at.display());
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder).map_err(Error::io(tried()))?;
    }
    if fs::hard_link(program, at).is_err() {
        fs::copy(program, at).map_err(Error::io(tried()))?;
    }
    Ok(())
}

/// This machine, in the words of registries: `linux_amd64`.
fn platform() -> String {
    let system = match env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}_{processor}")
}
