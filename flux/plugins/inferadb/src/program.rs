//! Programs that render or tell: run for a while and no longer, with a scratch folder that only the user can read. None of them
//! outlives the plugin, a signal included.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, mpsc};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// What a program may take.
#[derive(Clone, Copy)]
struct Limits {
    time: Duration,
    bytes: u64,
}

const LIMITS: Limits = Limits { time: Duration::from_mins(5), bytes: 64 << 20 };
/// What git may take, which prints all the files of a commit.
const GIT: Limits = Limits { time: Duration::from_mins(5), bytes: 8 << 30 };
/// How often to look for the end of a program that says nothing more: often at first, as most end at once.
const FIRST_LOOK: Duration = Duration::from_micros(50);
const LAST_LOOK: Duration = Duration::from_millis(5);

/// Held for reading, and briefly, by all that starts a program or writes into a scratch folder: a signal takes it for good.
static GATE: RwLock<()> = RwLock::new(());
static RUNNING: Mutex<Running> = Mutex::new(Running { next: 0, children: BTreeMap::new(), folders: BTreeSet::new() });

struct Running {
    next: u64,
    children: BTreeMap<u64, Child>,
    folders: BTreeSet<PathBuf>,
}

fn gate() -> RwLockReadGuard<'static, ()> {
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has signals wait as long as this is held, for what must be done as a whole. Nothing in this module may be called meanwhile.
pub(crate) fn undisturbed() -> RwLockReadGuard<'static, ()> {
    gate()
}

/// A folder that is there as long as this is, for the user's eyes alone.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let _gate = gate();
        let mut builder = tempfile::Builder::new();
        builder.prefix("flux-inferadb-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir().map_err(|source| Error::Write { path: std::env::temp_dir(), source })?.keep();
        // Links in the path of the temporary folder would show in a program's words.
        let folder = folder.canonicalize().unwrap_or(folder);
        running().folders.insert(folder.clone());
        Ok(Scratch(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a folder in it.
    pub(crate) fn folder(&self, path: &str) -> Result<()> {
        let _gate = gate();
        let path = self.0.join(path);
        std::fs::create_dir_all(&path).map_err(|source| Error::Write { path, source })
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let _gate = gate();
        let path = self.0.join(path);
        let failed = |source| Error::Write { path: path.clone(), source };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.open(&path).or_else(|error| match path.parent() {
            // Most files are in a folder that is there by now.
            Some(parent) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(parent)?;
                options.open(&path)
            }
            _ => Err(error),
        });
        opened.and_then(|mut file| file.write_all(content)).map_err(failed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gate = gate();
        let _ = std::fs::remove_dir_all(&self.0);
        running().folders.remove(&self.0);
    }
}

/// What a program prints, or its words of why not. It ends after five minutes, and where it prints more than 64 MiB.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    output_within(command, Stdio::null(), LIMITS)
}

/// What git prints of a repository, or its words of why not. It ends after five minutes.
pub(crate) fn git(repository: &Path, arguments: &[&str], input: Stdio) -> Result<Vec<u8>> {
    // In English: some of what it says is looked into.
    let mut git = Command::new("git");
    output_within(git.env("LC_ALL", "C").arg("-C").arg(repository).args(arguments), input, GIT)
}

fn output_within(command: &mut Command, input: Stdio, limits: Limits) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = |source| Error::Program { program: program.clone(), source, advice: "install it, or set PATH to where it is" };
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let end = Instant::now() + limits.time;
    let (sender, receiver) = mpsc::channel();
    let id = {
        let _gate = gate();
        let mut child = command.spawn().map_err(started)?;
        read(child.stdout.take(), limits.bytes, true, &sender);
        read(child.stderr.take(), limits.bytes, false, &sender);
        let mut running = running();
        running.next += 1;
        let id = running.next;
        running.children.insert(id, child);
        id
    };
    drop(sender);
    let result = collect(id, end, &receiver, limits);
    // However it went, nothing is left of it.
    if let Some(mut child) = running().children.remove(&id) {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (status, printed, words) = result.map_err(|why| Error::Limit { program: program.clone(), why })?;
    if status.is_some_and(|status| status.success()) {
        return Ok(printed);
    }
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_string_lossy).collect();
    let message = match String::from_utf8_lossy(&words).trim() {
        "" => status.map(|status| status.to_string()).unwrap_or_default(),
        words => words.to_owned(),
    };
    Err(Error::Command { command: format!("{program} {}", arguments.join(" ")), message })
}

type Ended = (Option<ExitStatus>, Vec<u8>, Vec<u8>);

/// What it says until it ends; why it must end before.
fn collect(
    id: u64,
    end: Instant,
    receiver: &mpsc::Receiver<(bool, Vec<u8>)>,
    limits: Limits,
) -> std::result::Result<Ended, String> {
    let late = || format!("it was ended, as it had not finished after {} seconds", limits.time.as_secs());
    let (mut printed, mut words) = (Vec::new(), Vec::new());
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((_, text)) if text.len() as u64 > limits.bytes => {
                return Err(format!("it was ended, as it printed more than {} MiB", limits.bytes >> 20));
            }
            Ok((true, text)) => printed = text,
            Ok((false, text)) => words = text,
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(late()),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    let mut look = FIRST_LOOK;
    loop {
        match running().children.get_mut(&id).map(Child::try_wait) {
            Some(Ok(None)) => {}
            Some(Ok(status)) => return Ok((status, printed, words)),
            Some(Err(_)) | None => return Ok((None, printed, words)),
        }
        if Instant::now() >= end {
            return Err(late());
        }
        std::thread::sleep(look);
        look = (look * 2).min(LAST_LOOK);
    }
}

/// Reads all that a pipe gives, and one byte more than it may.
fn read(pipe: Option<impl Read + Send + 'static>, most: u64, is_output: bool, sender: &mpsc::Sender<(bool, Vec<u8>)>) {
    let Some(pipe) = pipe else { return };
    let sender = sender.clone();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = pipe.take(most + 1).read_to_end(&mut text);
        let _ = sender.send((is_output, text));
    });
}

/// Has a signal that asks for the end take programs and scratch folders along.
#[cfg(unix)]
pub(crate) fn heed_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        // From here on, nobody starts or writes anything, nor gets to the end of the command.
        let _gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
        let mut running = running();
        for child in running.children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        for folder in &running.folders {
            let _ = std::fs::remove_dir_all(folder);
        }
        #[allow(clippy::exit, reason = "threads of the command wait at the gate")]
        std::process::exit(128 + signal);
    });
}

/// Other systems end a console's programs themselves.
#[cfg(not(unix))]
pub(crate) fn heed_signals() {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(text: &str, limits: Limits) -> String {
        match output_within(Command::new("/bin/sh").args(["-c", text]), Stdio::null(), limits) {
            Ok(printed) => String::from_utf8_lossy(&printed).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let limits = Limits { time: Duration::ZERO, ..LIMITS };
        let why = "`/bin/sh` was not waited for: it was ended, as it had not finished after 0 seconds";
        assert_eq!(shell("exec sleep 1000", limits), why);
        // One that says that it is done, too, and is not.
        assert_eq!(shell("exec sleep 1000 >&- 2>&-", limits), why);
        assert!(running().children.is_empty());
    }

    #[test]
    fn a_program_that_prints_too_much_is_ended() {
        let limits = Limits { bytes: 1 << 20, ..LIMITS };
        let why = "`/bin/sh` was not waited for: it was ended, as it printed more than 1 MiB";
        assert_eq!(shell("exec yes", limits), why);
        assert_eq!(shell("exec yes >&2", limits), why);
        assert_eq!(shell("echo fine", limits), "fine\n");
    }
}
