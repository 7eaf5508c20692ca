//! The Python environment that the sandbox's cloud runs in: `.build/venv` in the checkout, made when it is absent.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::hash::hex;

/// Longest time that making the environment may take.
const LIMIT: Duration = Duration::from_mins(10);

/// Why there is no Python environment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder under `.build` could not be read or written.
    #[error("cannot prepare `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no `python3`.
    #[error("`python3` cannot be started ({0}); install Python 3.10 or later with its `venv` module")]
    NoPython(std::io::Error),
    /// `python3 -m venv` or `pip install` failed.
    #[error("`{command}` failed while making the sandbox's Python environment: {output}")]
    Command {
        /// What was run.
        command: String,
        /// Its last words.
        output: String,
    },
    /// Somebody else has been making the environment for too long.
    #[error("another process has been making the sandbox's Python environment for {} s; end it and try again", LIMIT.as_secs())]
    Busy,
}

/// The folder that holds `requirements.txt` and the program that serves the cloud.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("moto")
}

/// The environment's interpreter. Makes the environment first where it is absent or was made from other requirements;
/// processes that ask at once wait for the one that makes it. Writes nothing outside the checkout's `.build`.
pub async fn interpreter() -> Result<PathBuf, Error> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.build");
    let requirements = folder().join("requirements.txt");
    let wanted = read(&requirements)?;
    let wanted = hex(&wanted);
    fs::create_dir_all(&build).map_err(|source| Error::Io { path: build.clone(), source })?;
    let build = build.canonicalize().map_err(|source| Error::Io { path: build.clone(), source })?;
    let venv = build.join("venv");
    let python = venv.join("bin/python");
    let marker = venv.join("requirements.sha256");

    let _lock = lock(&build.join("venv.lock")).await?;
    if fs::read_to_string(&marker).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    tracing::info!("making the sandbox's Python environment in `{}`", venv.display());
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(|source| Error::Io { path: venv.clone(), source })?;
    }
    run(Command::new("python3").arg("-m").arg("venv").arg(&venv)).await?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
            "--requirement",
        ])
        .arg(&requirements)
        .env("PIP_CACHE_DIR", build.join("pip-cache")))
    .await?;
    fs::write(&marker, wanted).map_err(|source| Error::Io { path: marker, source })?;
    Ok(python)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}

async fn lock(path: &Path) -> Result<File, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::create(path).map_err(io)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(io(source)),
            Err(TryLockError::WouldBlock) if began.elapsed() > LIMIT => return Err(Error::Busy),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn run(command: &mut Command) -> Result<(), Error> {
    let name = format!("{:?}", command.as_std());
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Ok(output) = tokio::time::timeout(LIMIT, running).await else { return Err(Error::Busy) };
    let output = output.map_err(Error::NoPython)?;
    if output.status.success() {
        return Ok(());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said: Vec<&str> = said.lines().rev().take(8).collect();
    Err(Error::Command { command: name, output: said.into_iter().rev().collect::<Vec<_>>().join("\n") })
}
