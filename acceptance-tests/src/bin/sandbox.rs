//! The sandbox as a program: a cloud on this machine, until Ctrl-C.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use acceptance_tests::control::Control;
use acceptance_tests::world::{Sandbox, SandboxConfig};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

const HELP: &str = "\
The sandbox: a cloud on this machine to point Terraform at.

usage: sandbox [--state-dir DIR] [--port PORT] [--control-port PORT] [--number N] [--latency-ms N] [--prepare]

  --state-dir DIR      writes `env.sh` there: the variables as a script to source, removed at the end
  --port PORT          port of the cloud's API on 127.0.0.1 (a free one)
  --control-port PORT  port to look at and disturb the cloud (a free one)
  --number N           0 to 49: sandboxes of different numbers share no address (the first that is free)
  --latency-ms N       added to every call of the cloud's API (0)
  --prepare            only makes the Python environment that the sandbox needs
";

/// The script's name in the state directory.
const SCRIPT: &str = "env.sh";

/// What the command line asks for.
struct Options {
    state_dir: Option<PathBuf>,
    control_port: u16,
    number: Option<u8>,
    prepare: bool,
    port: u16,
    latency: Duration,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options =
            Self { state_dir: None, control_port: 0, number: None, prepare: false, port: 0, latency: Duration::ZERO };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--prepare" => options.prepare = true,
                "--state-dir" => options.state_dir = Some(value()?.into()),
                "--port" => options.port = number(&argument, &value()?)?,
                "--control-port" => options.control_port = number(&argument, &value()?)?,
                "--latency-ms" => options.latency = Duration::from_millis(number(&argument, &value()?)?),
                "--number" => {
                    options.number = Some(number(&argument, &value()?)?);
                }
                other => return Err(format!("`{other}` is no option of `sandbox`; `sandbox --help` lists them")),
            }
        }
        Ok(Some(options))
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("`{name}` needs a number, not `{value}`"))
}

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
            tracing::error!("{message}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("the sandbox cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
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
    if let Some(folder) = &options.state_dir {
        // What a killed sandbox left behind must not be taken for this one's.
        let _ = fs::remove_file(folder.join(SCRIPT));
    }
    let sandbox = tokio::select! {
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
        started = Sandbox::start(config) => Arc::new(started?),
    };
    let control = Control::start(Arc::clone(&sandbox), options.control_port).await?;

    let mut lines = String::new();
    for (key, value) in sandbox.env() {
        lines.push_str(&format_export(&key, &value));
    }
    lines.push_str(&format_export("SANDBOX_CONTROL_URL", &control.url()));
    lines.push_str(&format_export("SANDBOX_NETWORK", &sandbox.vpc_cidr().to_string()));
    let script = options.state_dir.as_deref().map(|folder| write_script(folder, &lines)).transpose()?;
    say(&lines);
    say(&format!(
        "# The sandbox runs until Ctrl-C. Networks (`cidr_block`) must lie in {}.\n# What exists: curl {}/inventory\n",
        sandbox.vpc_cidr(),
        control.url()
    ));

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    if let Some(script) = script {
        let _ = fs::remove_file(script);
    }
    Ok(())
}

fn format_export(key: &str, value: &str) -> String {
    format!("export {key}={value}\n")
}

/// Written whole or not at all: scripts wait for it to appear.
fn write_script(folder: &Path, lines: &str) -> std::io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let script = folder.join(SCRIPT);
    let draft = folder.join("env.sh.new");
    fs::write(&draft, lines)?;
    fs::rename(&draft, &script)?;
    Ok(script)
}
