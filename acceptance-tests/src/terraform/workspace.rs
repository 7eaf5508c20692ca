//! A directory with a configuration, and the commands that are run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Error, Outcome, Result, Run, Tool, install};

/// What no command of a test or of the quickstart should need.
pub const LIMIT: Duration = Duration::from_mins(2);

/// How the provider gets into a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// Not at all: only what is built into Terraform can be used.
    Nothing,
    /// As built, without `init`.
    Override,
    /// By a real `init`, from a mirror.
    Mirror,
}

/// A directory of its own, gone with the value.
pub struct Workspace {
    tool: Tool,
    folder: TempDir,
    cli_config: PathBuf,
    environment: Vec<(String, String)>,
    limit: Duration,
}

impl Workspace {
    /// An empty directory. Commands run with this environment and nothing of the caller's but `PATH`.
    pub fn new(tool: Tool, install: Install, environment: Vec<(String, String)>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("inferadb-").tempdir().map_err(Error::io("make a work folder"))?;
        let cli_config = match install {
            Install::Nothing => install::nothing(folder.path())?,
            Install::Override => install::development_override(folder.path())?,
            Install::Mirror => install::mirror(folder.path())?,
        };
        let this = Self { tool, folder, cli_config, environment, limit: LIMIT };
        fs::create_dir_all(this.path()).map_err(Error::io("make a work folder"))?;
        Ok(this)
    }

    /// Where the configuration stands.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("environment")
    }

    /// Which program is run.
    pub fn tool(&self) -> &Tool {
        &self.tool
    }

    /// What a shell has to have set to run the same commands.
    pub fn exports(&self) -> Vec<(String, String)> {
        let mut exports = self.environment.clone();
        exports.push(("TF_CLI_CONFIG_FILE".to_owned(), self.cli_config.display().to_string()));
        exports
    }

    /// What a command may take from now on.
    pub fn allow(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// What a command may take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Sets a variable for the commands from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Takes a variable away for the commands from now on.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(other, _)| other != name);
    }

    /// Writes a file of the configuration.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.path().join(name), text).map_err(Error::io(format!("write `{name}`")))
    }

    /// Copies all files of a folder into the configuration.
    pub fn copy_from(&self, folder: &Path) -> Result<()> {
        let tried = || format!("copy `{}`", folder.display());
        for entry in fs::read_dir(folder).map_err(Error::io(tried()))? {
            let entry = entry.map_err(Error::io(tried()))?;
            if entry.path().is_file() {
                fs::copy(entry.path(), self.path().join(entry.file_name())).map_err(Error::io(tried()))?;
            }
        }
        Ok(())
    }

    /// A second directory with the same configuration and no state.
    pub fn copy(&self) -> Result<Self> {
        let mut other = Self::new(self.tool.clone(), Install::Override, self.environment.clone())?;
        other.allow(self.limit);
        for entry in fs::read_dir(self.path()).map_err(Error::io("read the work folder"))? {
            let entry = entry.map_err(Error::io("read the work folder"))?;
            if entry.path().extension().is_some_and(|extension| extension == "tf" || extension == "tfvars") {
                fs::copy(entry.path(), other.path().join(entry.file_name())).map_err(Error::io("copy the configuration"))?;
            }
        }
        Ok(other)
    }

    /// Starts a command.
    pub fn start(&self, arguments: &[&str]) -> Result<Run> {
        let mut command = Command::new(&self.tool.program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // No credentials, no plugin cache and no settings of the person who runs this.
            .env("HOME", self.folder.path())
            .env("TF_CLI_CONFIG_FILE", &self.cli_config)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Run::start(command, format!("{} {}", self.tool.kind.program(), arguments.join(" ")))
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Outcome> {
        self.start(arguments)?.finish(self.limit).await
    }

    /// `init`, for workspaces with a mirror.
    pub async fn init(&self) -> Result<Outcome> {
        self.run(&["init", "-no-color"]).await
    }

    /// `plan`, saved as `plan`. Ends with 0 (nothing to do), 2 (changes) or 1 (errors).
    pub async fn plan(&self) -> Result<Outcome> {
        self.run(&["plan", "-json", "-detailed-exitcode", "-out=plan"]).await
    }

    /// `apply` of the plan that [`Workspace::plan`] saved.
    pub async fn apply_plan(&self) -> Result<Outcome> {
        self.run(&["apply", "-json", "plan"]).await
    }

    /// `apply`, planned on the way.
    pub async fn apply(&self) -> Result<Outcome> {
        self.run(&["apply", "-json", "-auto-approve"]).await
    }

    /// `destroy`.
    pub async fn destroy(&self) -> Result<Outcome> {
        self.run(&["destroy", "-json", "-auto-approve"]).await
    }

    /// The saved plan as `show -json` prints it.
    pub async fn show_plan(&self) -> Result<Json> {
        self.json(&["show", "-json", "plan"]).await
    }

    /// The state as `show -json` prints it.
    pub async fn show_state(&self) -> Result<Json> {
        self.json(&["show", "-json"]).await
    }

    /// The attributes of a resource in the state; `Null` if it is not in there.
    pub async fn attributes(&self, address: &str) -> Result<Json> {
        let state = self.show_state().await?;
        let resources = state["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
        Ok(resources
            .into_iter()
            .find(|resource| resource["address"] == address)
            .map_or(Json::Null, |mut resource| resource["values"].take()))
    }

    /// An output's value, as text.
    pub async fn output(&self, name: &str) -> Result<String> {
        Ok(self.run(&["output", "-raw", name]).await?.stdout.trim_end().to_owned())
    }

    async fn json(&self, arguments: &[&str]) -> Result<Json> {
        let outcome = self.run(arguments).await?;
        serde_json::from_str(outcome.stdout.trim()).map_err(|_| Error::NoJson {
            command: outcome.command.clone(),
            text: format!("{}{}", outcome.stdout, outcome.stderr),
        })
    }
}
