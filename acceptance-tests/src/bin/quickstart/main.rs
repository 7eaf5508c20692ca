//! `make quickstart`: from nothing to a healthy cluster and back, with a real Terraform or OpenTofu, against the sandbox.

mod deeds;
mod options;
mod screen;
mod story;
mod waits;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::{Install, LIMIT};
use acceptance_tests::terraform::{Outcome, Tool, Workspace};
use acceptance_tests::world::{Sandbox, SandboxConfig};

use crate::options::{HELP, Options};
use crate::screen::Screen;
use crate::story::Story;

/// Makes Terraform print the provider's log.
const LOG: &str = "TF_LOG_PROVIDER";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let screen = Screen::new();
    let options = match Options::read(std::env::args().skip(1), std::env::var("KEEP").ok().as_deref()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            screen.text(HELP.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            screen.failure(format!("{message}; `quickstart --help` says what there is"));
            return ExitCode::from(2);
        }
    };
    // Ctrl-C ends the whole group; the sandbox and the work folder go when the future is dropped.
    let ended = tokio::select! {
        biased;
        ended = quickstart(&screen, &options) => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted; the sandbox is gone, and with it all that was in it".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.failure(error);
            ExitCode::FAILURE
        }
    }
}

async fn quickstart(screen: &Screen, options: &Options) -> Result<()> {
    let tool = Tool::any()?;
    screen.heading("From nothing to a healthy cluster and back");
    screen.text(format!(
        "{} applies examples/quickstart with the provider that was just built. No cloud account is involved: this program plays\n\
         AWS and the Talos nodes. On the left, seconds since now.",
        tool.name()
    ));

    screen.heading("A cloud on this machine");
    screen.event("sandbox", "starting (the first time it installs moto, from PyPI into .build)");
    let sandbox = Sandbox::start(SandboxConfig::default()).await?;
    screen.done("the sandbox runs: AWS' API, load balancers and Talos nodes on loopback addresses");

    let mut workspace = Workspace::new(tool, Install::Mirror, sandbox.env())?;
    workspace.copy_from(&repository().join("examples/quickstart"))?;
    workspace.write("terraform.tfvars", &format!("cidr_block = {:?}\n", sandbox.vpc_cidr().to_string()))?;
    screen.done(format!("examples/quickstart is copied to {}", workspace.path().display()));
    let network = sandbox.vpc_cidr();
    screen.event("cidr_block", format!("set to {network}: Linux answers its addresses without set-up, so each node has one"));
    // What the provider waits for stands in its log only.
    workspace.set(LOG, "INFO");
    let mut stage = Stage { screen, story: Story::new(screen, &sandbox) };

    screen.heading(format!("{} installs the provider", workspace.tool().name()));
    stage.quiet(&workspace, &["init", "-no-color"]).await?;

    screen.heading("One apply: region, cluster, backup");
    stage.told(&workspace, &["apply", "-auto-approve", "-json"]).await?;
    stage.outputs(&workspace).await?;

    screen.heading("A second plan is empty");
    stage.told(&workspace, &["plan", "-detailed-exitcode", "-json"]).await?;
    screen.done("nothing to do");

    screen.heading("Three workers instead of two, in place");
    workspace.write("workers.auto.tfvars", "worker_count = 3\n")?;
    stage.told(&workspace, &["plan", "-out=workers.tfplan", "-json"]).await?;
    stage.told(&workspace, &["apply", "-json", "workers.tfplan"]).await?;
    let created = sandbox.inventory().await?;

    if options.keep {
        workspace.unset(LOG);
        return stage.stay(&workspace).await;
    }

    screen.heading("Everything goes");
    stage.told(&workspace, &["destroy", "-auto-approve", "-json"]).await?;
    let left = sandbox.inventory().await?;
    let count = count(&created);
    sandbox.stop().await;
    if !left.is_empty() {
        return Err(format!("{} objects are left in the cloud: {}", left.len(), list(&self::count(&left))).into());
    }
    screen.heading(format!("Created and destroyed {} objects ({}); nothing is left in the cloud.", created.len(), list(&count)));
    Ok(())
}

/// Where commands are shown.
struct Stage<'a> {
    screen: &'a Screen,
    story: Story<'a>,
}

impl Stage<'_> {
    /// Runs a command and tells what it does.
    async fn told(&mut self, workspace: &Workspace, arguments: &[&str]) -> Result<Outcome> {
        self.announce(workspace, arguments);
        let mut run = workspace.start(arguments)?;
        self.story.tell(&mut run).await;
        check(run.finish(LIMIT).await?)
    }

    /// Runs a command and says only that it went well.
    async fn quiet(&self, workspace: &Workspace, arguments: &[&str]) -> Result<()> {
        self.announce(workspace, arguments);
        let outcome = check(workspace.run(arguments).await?)?;
        if let Some(line) = outcome.stdout.lines().find(|line| line.contains("Installed ") || line.contains("initialized")) {
            let line = line.trim_start_matches("- ");
            // What registries give is signed.
            self.screen.done(line.replace("(unauthenticated)", "(unauthenticated: it was built here, and nobody has signed it)"));
        }
        Ok(())
    }

    fn announce(&self, workspace: &Workspace, arguments: &[&str]) {
        // What makes output readable for programs is not what a person would type.
        let typed: Vec<&str> = arguments.iter().copied().filter(|argument| !matches!(*argument, "-json" | "-no-color")).collect();
        self.screen.command(format!("{} {}", workspace.tool().kind.program(), typed.join(" ")));
    }

    async fn outputs(&self, workspace: &Workspace) -> Result<()> {
        self.screen.heading("Outputs");
        self.screen.command(format!("{} output", workspace.tool().kind.program()));
        let outcome = check(workspace.run(&["output", "-no-color"]).await?)?;
        self.screen.text(outcome.stdout.trim_end());
        if outcome.stdout.contains("secure_connection=1") {
            self.screen
                .text("(secure_connection=1 in backup_url asks for TLS, which AWS speaks; the sandbox speaks plain HTTP.)");
        }
        Ok(())
    }

    /// Leaves all standing until Ctrl-C, and says how to look around.
    async fn stay(&self, workspace: &Workspace) -> Result<()> {
        let program = workspace.tool().kind.program();
        let folder = workspace.path();
        for name in ["kubeconfig", "talosconfig"] {
            let text = workspace.output(name).await?;
            workspace.write(name, &text)?;
        }
        self.screen.heading("It stands. In another terminal:");
        self.screen.text(format!("  cd {}", folder.display()));
        for (name, value) in workspace.exports() {
            self.screen.text(format!("  export {name}={value}"));
        }
        self.screen.text(format!("  {program} show                                  # what the state knows"));
        self.screen.text(format!("  {program} plan                                  # still empty"));
        self.screen.text("  kubectl --kubeconfig kubeconfig get nodes       # the simulated Kubernetes API knows nodes only");
        self.screen.text("  talosctl --talosconfig talosconfig version      # the nodes' Talos API");
        self.screen.text(format!("  {program} destroy"));
        self.screen.heading("Ctrl-C ends the sandbox, and all in it is gone.");
        tokio::signal::ctrl_c().await?;
        Ok(())
    }
}

/// A plan that should be empty and is not ends with 2.
fn check(outcome: Outcome) -> Result<Outcome> {
    match outcome.code {
        Some(0) => Ok(outcome),
        Some(2) => Err(format!("the plan should be empty:\n{}", outcome.report()).into()),
        _ => Err(outcome.report().into()),
    }
}

/// Objects by kind.
fn count(inventory: &[acceptance_tests::world::Object]) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for object in inventory {
        *count.entry(object.kind.as_str()).or_default() += 1;
    }
    count
}

/// `1 internet gateway, 3 subnets`.
fn list(count: &BTreeMap<&str, usize>) -> String {
    let mut text = String::new();
    for (kind, number) in count {
        let separator = if text.is_empty() { "" } else { ", " };
        let plural = if *number == 1 { "" } else { "s" };
        let _ = write!(text, "{separator}{number} {}{plural}", kind.replace('-', " "));
    }
    text
}
