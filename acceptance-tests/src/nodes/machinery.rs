//! Talos' own library, asked over standard input and output where the environment names the program
//! (`acceptance-tests/tools/machinery`): `TALOS_MACHINERY_CLI` with the library of v1.13, `TALOS_MACHINERY_CLI_V1_14` with that of
//! v1.14. A node asks the one of its own version; older nodes refuse in other words, so they ask none.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::machine_config::{ConfigError, MachineConfig};
use super::versions;

struct Process {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program; one process answers all questions.
#[derive(Clone)]
pub(super) struct Machinery {
    path: PathBuf,
    process: Arc<Mutex<Option<Process>>>,
}

impl Machinery {
    /// The program that a variable names.
    fn named(variable: &str) -> Option<Self> {
        let path = PathBuf::from(std::env::var_os(variable).filter(|path| !path.is_empty())?);
        Some(Self { path, process: Arc::default() })
    }

    fn start(&self) -> std::io::Result<Process> {
        let mut child = Command::new(&self.path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let questions = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        Ok(Process { child, questions, answers })
    }

    fn ask(&self, question: &Value) -> std::io::Result<Value> {
        let mut held = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(self.start()?);
        }
        let Some(process) = held.as_mut() else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
        let mut line = String::new();
        let asked = writeln!(process.questions, "{question}").and_then(|()| process.answers.read_line(&mut line));
        let answer = asked.and_then(|_| serde_json::from_str(&line).map_err(std::io::Error::from));
        if answer.is_err() {
            *held = None;
        }
        answer
    }

    /// Has the library load and validate a config as a node on a cloud does.
    pub(super) async fn load(&self, config: &[u8]) -> std::io::Result<Result<(), ConfigError>> {
        let question = json!({"op": "load", "config": String::from_utf8_lossy(config)});
        let asked = self.clone();
        let answer = tokio::task::spawn_blocking(move || asked.ask(&question)).await.map_err(std::io::Error::other)??;
        if answer["ok"] == true {
            return Ok(Ok(()));
        }
        let message = answer["error"].as_str().unwrap_or_default().to_owned();
        let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
        let several = first.ends_with("error occurred:") || first.ends_with("errors occurred:");
        Ok(Err(if several {
            ConfigError::Invalid(rest.lines().filter_map(|line| line.trim().strip_prefix("* ")).map(str::to_owned).collect())
        } else {
            ConfigError::Parse(message)
        }))
    }
}

/// The libraries that are at hand.
pub(super) struct Libraries {
    v1_13: Option<Machinery>,
    v1_14: Option<Machinery>,
}

impl Libraries {
    /// Those that the environment names.
    pub(super) fn from_environment() -> Self {
        Self { v1_13: Machinery::named("TALOS_MACHINERY_CLI"), v1_14: Machinery::named("TALOS_MACHINERY_CLI_V1_14") }
    }

    fn of(&self, talos: &str) -> Option<&Machinery> {
        match versions::minor(talos) {
            0..=12 => None,
            13 => self.v1_13.as_ref(),
            _ => self.v1_14.as_ref(),
        }
    }
}

/// Loads a config as a node of this version does: with Talos' own library where it is at hand, else with our own reading.
pub(super) async fn load(libraries: &Libraries, talos: &str, bytes: &[u8]) -> Result<MachineConfig, ConfigError> {
    if let Some(library) = libraries.of(talos) {
        match library.load(bytes).await {
            Ok(Ok(())) => return MachineConfig::parse(bytes),
            Ok(Err(refused)) => return Err(refused),
            Err(error) => tracing::warn!("Talos' library did not answer, so this config is checked without it: {error}"),
        }
    }
    MachineConfig::load(bytes)
}
