//! The sandbox as a program: a cloud on this machine, until Ctrl-C.

mod options;
mod state_folder;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use acceptance_tests::control::Control;
use acceptance_tests::world::{Sandbox, SandboxConfig};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::options::{HELP, Options};
use crate::state_folder::{StateFolder, export, export_path};

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            complain(format_args!("{message}; `sandbox --help` says what there is"));
            return ExitCode::from(2);
        }
    };
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(options)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output; a reader that has gone away is no reason to end.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Says why it ends.
fn complain(message: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "sandbox: {message}");
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    if options.prepare {
        acceptance_tests::python::interpreter().await?;
        return Ok(());
    }
    let mut config = SandboxConfig { number: options.number, ..SandboxConfig::default() };
    config.aws.port = options.port;
    config.aws.timing.latency = options.latency;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let folder = StateFolder::open(options.state_dir)?;
    let sandbox = tokio::select! {
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
        started = Sandbox::start(config) => Arc::new(started?),
    };
    let control = Control::start(Arc::clone(&sandbox), options.control_port).await?;

    let settings = folder.cli_config()?;
    let mut lines: String = sandbox.env().iter().map(|(name, value)| export(name, value)).collect();
    lines.push_str(&export("SANDBOX_CONTROL_URL", &control.url()));
    lines.push_str(&export("SANDBOX_NETWORK", &sandbox.vpc_cidr().to_string()));
    if let Some(settings) = &settings {
        lines.push_str(&export_path("TF_CLI_CONFIG_FILE", settings));
    }
    folder.write_script(&lines)?;
    say(&lines);
    say(&explanation(&sandbox, &control, &folder, settings.is_some()));

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// How to go on from the variables.
fn explanation(sandbox: &Sandbox, control: &Control, folder: &StateFolder, has_provider: bool) -> String {
    let provider = if has_provider {
        "# TF_CLI_CONFIG_FILE gives Terraform and OpenTofu the provider as it was built here (`dev_overrides`): leave out `init`,\n\
         # and expect a warning that says so.\n"
    } else {
        "# The provider is not built beside this program (`make build`), so there is no TF_CLI_CONFIG_FILE.\n"
    };
    format!(
        "\n# In another terminal, beside this repository's `examples`:\n\
         #   . {script}\n\
         #   cp -r examples/quickstart /tmp/try && cd /tmp/try\n\
         #   terraform plan -var cidr_block=$SANDBOX_NETWORK\n\
         {provider}\
         # Networks (`cidr_block`) must lie in {network}: this machine answers those addresses without set-up.\n\
         # Security groups hold for load balancers and what comes through them, not for what reaches a node directly.\n\
         # What exists: curl {url}/inventory\n\
         # The sandbox runs until Ctrl-C, and all in it is gone then.\n",
        script = folder.script().display(),
        network = sandbox.vpc_cidr(),
        url = control.url(),
    )
}
