//! Talos' own library as a child process that answers questions about configs.
//!
//! `acceptance-tests/tools/machinery` is the program; `TALOS_MACHINERY_CLI` is its path. Further builds of it with other
//! versions of the library may stand in `TALOS_MACHINERY_CLI_V1_14`.

#![allow(dead_code, reason = "each test program uses its part of this")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running program.
pub(crate) struct Machinery {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The library's version: `v1.13.9`.
    pub(crate) version: String,
}

impl Machinery {
    /// Starts the program that the variable names.
    pub(crate) fn start(variable: &str) -> Option<Self> {
        let path = std::env::var_os(variable)?;
        let mut child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{variable}={}: {error}", path.display()));
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut machinery = Self { child, questions, answers, version: String::new() };
        let answer = machinery.ask(&json!({"op": "version"})).unwrap();
        answer["version"].as_str().unwrap().clone_into(&mut machinery.version);
        Some(machinery)
    }

    /// All programs that there are; says so on a line of its own when there is none.
    pub(crate) fn all(test: &str) -> Vec<Self> {
        let all: Vec<_> =
            ["TALOS_MACHINERY_CLI", "TALOS_MACHINERY_CLI_V1_14"].iter().filter_map(|variable| Self::start(variable)).collect();
        if all.is_empty() {
            // Past the capture of output: it is counted at the end.
            let _ = writeln!(std::io::stderr(), "skipped: {test}: TALOS_MACHINERY_CLI is not set, which `make unit` does");
        }
        all
    }

    /// The minor of the library's version.
    pub(crate) fn minor(&self) -> u16 {
        self.version.split('.').nth(1).unwrap().parse().unwrap()
    }

    /// Asks; a refusal is an error.
    pub(crate) fn ask(&mut self, question: &Value) -> Result<Value, String> {
        writeln!(self.questions, "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        if answer["ok"] == true { Ok(answer) } else { Err(answer["error"].as_str().unwrap_or_default().to_owned()) }
    }

    /// Parses and validates as a cloud node does; gives the config as Talos encodes it.
    pub(crate) fn load(&mut self, config: &str) -> Result<String, String> {
        let answer = self.ask(&json!({"op": "load", "config": config}))?;
        Ok(answer["config"].as_str().unwrap().to_owned())
    }

    /// Applies patches; gives the config as Talos encodes it.
    pub(crate) fn patch(&mut self, config: &str, patches: &[&str]) -> Result<String, String> {
        let answer = self.ask(&json!({"op": "patch", "config": config, "patches": patches}))?;
        Ok(answer["config"].as_str().unwrap().to_owned())
    }
}

impl Drop for Machinery {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
