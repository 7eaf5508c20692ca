//! One command, as it runs.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Error, Outcome, Result, process};

/// A command under way, leader of its own process group. Dropping it kills it.
pub struct Run {
    command: String,
    process: u32,
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    messages: Option<mpsc::UnboundedReceiver<Json>>,
    log: Option<mpsc::UnboundedReceiver<String>>,
}

impl Run {
    /// Starts the command. `name` is how errors call it.
    pub(super) fn start(mut command: Command, name: String) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io(format!("start `{name}`")))?;
        let (message, messages) = mpsc::unbounded_channel();
        let (line, log) = mpsc::unbounded_channel();
        // Nobody need listen to either.
        let stdout = tokio::spawn(collect(child.stdout.take(), move |text| {
            if let Ok(read) = serde_json::from_str(text) {
                let _ = message.send(read);
            }
        }));
        let stderr = tokio::spawn(collect(child.stderr.take(), move |text| {
            let _ = line.send(text.to_owned());
        }));
        let process = child.id().unwrap_or_default();
        Ok(Self { command: name, process, child, stdout, stderr, messages: Some(messages), log: Some(log) })
    }

    /// Terraform's process id.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// The lines of machine-readable output as they come. Can be taken once.
    pub fn messages(&mut self) -> Option<mpsc::UnboundedReceiver<Json>> {
        self.messages.take()
    }

    /// The lines of the other stream as they come: the log, where Terraform is told to print one. Can be taken once.
    pub fn log(&mut self) -> Option<mpsc::UnboundedReceiver<String>> {
        self.log.take()
    }

    /// Waits for the end. Kills the command and fails when that has not come within `limit`.
    pub async fn finish(mut self, limit: Duration) -> Result<Outcome> {
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        if ended.is_err() {
            // Its provider and whatever else it has started are in its group.
            let _ = process::kill_group(self.process);
            let _ = self.child.kill().await;
        }
        // A provider that outlives its Terraform would hold these open.
        let patience = Duration::from_secs(10);
        let stdout = tokio::time::timeout(patience, self.stdout).await.ok().and_then(std::result::Result::ok).unwrap_or_default();
        let stderr = tokio::time::timeout(patience, self.stderr).await.ok().and_then(std::result::Result::ok).unwrap_or_default();
        let Ok(ended) = ended else {
            let last: Vec<String> = stdout.lines().chain(stderr.lines()).rev().take(8).map(readable).collect();
            return Err(Error::TimedOut {
                command: self.command,
                limit,
                last: last.into_iter().rev().collect::<Vec<_>>().join("\n"),
            });
        };
        let status = ended.map_err(Error::io(format!("wait for `{}`", self.command)))?;
        Ok(Outcome {
            messages: stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            command: self.command,
            code: status.code(),
            stdout,
            stderr,
        })
    }
}

/// What a line of machine-readable output says to a person.
fn readable(line: &str) -> String {
    let message: Option<Json> = serde_json::from_str(line).ok();
    message.and_then(|message| message["@message"].as_str().map(str::to_owned)).unwrap_or_else(|| line.to_owned())
}

async fn collect(stream: Option<impl AsyncRead + Unpin>, each: impl Fn(&str)) -> String {
    let mut text = String::new();
    let Some(stream) = stream else { return text };
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        each(&line);
        text.push_str(&line);
        text.push('\n');
    }
    text
}
