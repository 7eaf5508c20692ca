//! What a command said: Terraform's machine-readable output, a JSON object per line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `error` rather than `warning`.
    pub is_error: bool,
    /// First line.
    pub summary: String,
    /// The rest.
    pub detail: String,
    /// Resource that it is about, for example `inferadb_region.nyc1`.
    pub address: String,
    /// The line of configuration that Terraform shows with it; it stands for the attribute that the provider named.
    pub code: String,
}

impl Diagnostic {
    /// All that a user sees of it.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}", self.code, self.summary, self.detail)
    }
}

/// How a command ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The command's arguments.
    pub command: String,
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Each line of machine-readable output.
    pub messages: Vec<Json>,
    /// What it printed, as it came.
    pub stdout: String,
    /// What it printed on the other stream: the log, where there is one.
    pub stderr: String,
}

#[allow(clippy::return_self_not_must_use, reason = "a claim is made by calling it")]
impl Outcome {
    /// Errors and warnings, in order.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.of_type("diagnostic")
            .map(|message| {
                let diagnostic = &message["diagnostic"];
                let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
                Diagnostic {
                    is_error: diagnostic["severity"] == "error",
                    summary: text(&diagnostic["summary"]),
                    detail: text(&diagnostic["detail"]),
                    address: text(&diagnostic["address"]),
                    code: text(&diagnostic["snippet"]["code"]),
                }
            })
            .collect()
    }

    /// Errors, in order.
    pub fn errors(&self) -> Vec<Diagnostic> {
        self.diagnostics().into_iter().filter(|diagnostic| diagnostic.is_error).collect()
    }

    /// Warnings, in order; not the one that comes with a development override.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.diagnostics()
            .into_iter()
            .filter(|diagnostic| !diagnostic.is_error && !diagnostic.summary.contains("development overrides"))
            .collect()
    }

    /// What the plan does, by resource address: `create`, `update`, `replace`, `delete`.
    pub fn planned(&self) -> BTreeMap<String, String> {
        self.of_type("planned_change")
            .filter_map(|message| {
                let change = &message["change"];
                Some((change["resource"]["addr"].as_str()?.to_owned(), change["action"].as_str()?.to_owned()))
            })
            .collect()
    }

    /// A command that did what it was asked to.
    ///
    /// # Panics
    /// With all that the command said, if it failed.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert!(self.code == Some(0), "{}", self.report());
        self
    }

    /// A command that failed by itself, with at least one error.
    ///
    /// # Panics
    /// With all that the command said, if it did not.
    #[track_caller]
    pub fn fails(self) -> Self {
        assert!(self.code == Some(1) && !self.errors().is_empty(), "no error was expected to be no error: {}", self.report());
        self
    }

    /// A plan without changes.
    ///
    /// # Panics
    /// With the changes, if there are any.
    #[track_caller]
    pub fn is_empty_plan(self) -> Self {
        assert!(self.code == Some(0) && self.planned().is_empty(), "the plan should be empty: {}", self.report());
        self
    }

    /// A plan with changes.
    ///
    /// # Panics
    /// With all that the command said, if there are none.
    #[track_caller]
    pub fn has_changes(self) -> Self {
        assert!(self.code == Some(2), "the plan should have changes: {}", self.report());
        self
    }

    /// Some error holds all of these.
    ///
    /// # Panics
    /// With the errors, if none does.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        let errors = self.errors();
        assert!(
            errors.iter().any(|error| words.iter().all(|word| error.text().contains(word))),
            "no error says {words:?}: {}",
            self.report()
        );
        self
    }

    /// Some warning holds all of these.
    ///
    /// # Panics
    /// With all that the command said, if none does.
    #[track_caller]
    pub fn warns(self, words: &[&str]) -> Self {
        let warnings = self.warnings();
        assert!(
            warnings.iter().any(|warning| words.iter().all(|word| warning.text().contains(word))),
            "no warning says {words:?}: {}",
            self.report()
        );
        self
    }

    /// The command, how it ended, and what a user saw of it.
    pub fn report(&self) -> String {
        let mut report = format!("`{}` ended with {:?}\n", self.command, self.code);
        for (address, action) in self.planned() {
            let _ = writeln!(report, "  plan: {action} {address}");
        }
        for diagnostic in self.diagnostics() {
            let kind = if diagnostic.is_error { "error" } else { "warning" };
            let _ = writeln!(
                report,
                "  {kind}: {} ({})\n    {}\n    {}",
                diagnostic.summary, diagnostic.address, diagnostic.detail, diagnostic.code
            );
        }
        // Where nothing was said in JSON, the streams have it.
        if self.errors().is_empty() {
            for line in self.stderr.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev() {
                let _ = writeln!(report, "  | {line}");
            }
        }
        report
    }

    fn of_type<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Json> {
        self.messages.iter().filter(move |message| message["type"] == name)
    }
}
