//! The program that renders charts: which one, of which version, and how it is called.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::names::is_kube_version;
use super::strvals;
use crate::error::{Error, Result};
use crate::place::Step;
use crate::program::{self, Scratch};
use crate::render::{Cache, from_environment, on_path, printed_version};
use crate::tree::Tree;

/// The version whose library Flux 2.9 links.
pub(crate) const VERSION: &str = "v4.2.4";

/// A helm on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Helm {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

/// All that decides what a chart renders to.
pub(super) struct Request<'r> {
    pub(super) chart: &'r Tree,
    pub(super) release: &'r str,
    pub(super) namespace: &'r str,
    pub(super) values: &'r Value,
    /// Values that are integers, and no floats as those of a file.
    pub(super) integers: &'r [(Vec<Step>, i64)],
    pub(super) kube_version: &'r str,
    pub(super) api_versions: &'r [String],
    pub(super) checks_schema: bool,
}

impl Helm {
    /// Finds it: as told, by `HELM`, in the repository's `.build/bin`, on `PATH`. Nothing where there is none.
    pub(crate) fn find(told: Option<&Path>, repository: &Path, cache: &Cache) -> Result<Option<Self>> {
        let built = Some(repository.join(".build/bin/helm")).filter(|built| built.is_file());
        let named = told.map(Path::to_owned).or_else(|| from_environment("HELM"));
        let Some(program) = named.or(built).or_else(|| on_path("helm")) else { return Ok(None) };
        // It is run from a folder of its own.
        let program = std::path::absolute(&program).unwrap_or(program);
        let advice = "give the path of helm with `--helm` or HELM";
        let version = printed_version(&program, &["version", "--template", "{{.Version}}"], advice, cache)?;
        if !is_kube_version(&version) {
            return Err(Error::Usage(format!(
                "`{}` is no helm: asked for its version, it prints `{}`: {advice}",
                program.display(),
                version.chars().take(80).collect::<String>().escape_debug()
            )));
        }
        Ok(Some(Helm { program, version }))
    }

    /// A warning where it is of another major version than Flux's.
    pub(crate) fn warning(&self) -> Option<String> {
        let major = |version: &str| version.trim_start_matches('v').split('.').next().map(str::to_owned);
        (major(&self.version) != major(VERSION)).then(|| {
            format!(
                "`{}` is helm {}, and Flux 2.9 renders as {VERSION} does: what it gives may differ",
                self.program.display(),
                self.version
            )
        })
    }

    /// Renders a chart. Nothing is fetched: it knows no repository, no registry, no cluster, and no way out.
    pub(super) fn template(&self, request: &Request<'_>) -> Result<String> {
        let scratch = Scratch::new()?;
        let root = scratch.path();
        for path in request.chart.below("") {
            scratch.write(&format!("chart/{path}"), &request.chart.bytes(path)?)?;
        }
        scratch.write("values.json", plain(request.values).as_bytes())?;
        let nowhere = "http://127.0.0.1:1";
        let mut command = Command::new(&self.program);
        command
            .args(["template", "--include-crds", "--values=values.json"])
            .arg(format!("--namespace={}", request.namespace))
            .arg(format!("--kube-version={}", request.kube_version))
            .args(request.api_versions.iter().map(|version| format!("--api-versions={version}")))
            .current_dir(root)
            .env_clear()
            .env("PATH", "")
            .env("HOME", root)
            .env("KUBECONFIG", root.join("none"))
            .envs(["CACHE", "CONFIG", "DATA"].map(|kind| (format!("HELM_{kind}_HOME"), root.join("helm").join(kind))))
            .envs(["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"].map(|name| (name, nowhere)));
        for (path, number) in request.integers {
            command.arg(format!("--set={}={number}", written(path)));
        }
        if !request.checks_schema {
            command.arg("--skip-schema-validation");
        }
        command.args(["--", request.release, "chart"]);
        match program::output(&mut command) {
            Ok(printed) => String::from_utf8(printed).map_err(|_| Error::Helm("what it prints is not UTF-8".to_owned())),
            Err(Error::Command { message, .. }) => Err(Error::Helm(tidy(&message, root))),
            Err(error) => Err(error),
        }
    }
}

/// JSON that is YAML, too, which takes fewer characters as they are.
pub(super) fn plain(values: &Value) -> String {
    let mut out = String::new();
    for c in values.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A path as `--set` takes it.
fn written(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&strvals::escape(key));
            }
            Step::Item(position) => {
                let _ = write!(out, "[{position}]");
            }
        }
    }
    out
}

/// Helm's words without the scratch folder's path, and without what its command line could do about it.
fn tidy(message: &str, scratch: &Path) -> String {
    let message = message.replace(&format!("{}/", scratch.display()), "");
    let lines = message.lines().filter(|line| !line.starts_with("Use --debug") && !line.starts_with("level="));
    let message = lines.collect::<Vec<_>>().join("\n");
    message.trim().trim_start_matches("Error: ").to_owned()
}
