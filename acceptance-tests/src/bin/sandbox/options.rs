//! What the command line asks for.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use acceptance_tests::world::NUMBERS;

pub(crate) const HELP: &str = "\
The sandbox: a cloud on this machine to point Terraform or OpenTofu at. It answers as AWS, and its instances as Talos nodes.

usage: sandbox [--state-dir DIR] [--port PORT] [--control-port PORT] [--number N] [--latency-ms N] [--prepare]

  --state-dir DIR      folder for what it writes, made if its parent is there (a temporary folder)
  --port PORT          port of the cloud's API on 127.0.0.1 (a free one)
  --control-port PORT  port to look at and disturb the cloud (a free one)
  --number N           0 to 49: sandboxes of different numbers share no address (the first that is free)
  --latency-ms N       added to every call of the cloud's API (0)
  --prepare            only makes the Python environment that the sandbox needs

It prints variables to export, and writes them as a script to source, `env.sh`, into the folder. TF_CLI_CONFIG_FILE
is among them: it names a file, `cli.tfrc`, whose `dev_overrides` give Terraform and OpenTofu the provider that stands
beside this program (or that INFERADB_PROVIDER names). So there is no `terraform init`:

  . DIR/env.sh
  cp -r examples/quickstart /tmp/try && cd /tmp/try
  terraform plan -var cidr_block=$SANDBOX_NETWORK

Unlike AWS: networks must lie in SANDBOX_NETWORK, whose addresses this machine answers; calls over plain HTTP count as made
over TLS; security groups hold for load balancers and what comes through them, not for what reaches a node directly.
";

/// The options, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) control_port: u16,
    pub(crate) number: Option<u8>,
    pub(crate) prepare: bool,
    pub(crate) port: u16,
    pub(crate) latency: Duration,
}

impl Options {
    /// `None` where help is asked for.
    ///
    /// # Errors
    /// What is wrong, for the user.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options =
            Self { state_dir: None, control_port: 0, number: None, prepare: false, port: 0, latency: Duration::ZERO };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--prepare" => options.prepare = true,
                "--state-dir" => options.state_dir = Some(folder(&value()?)?),
                "--port" => options.port = number(&argument, &value()?, &(0..=u16::MAX))?,
                "--control-port" => options.control_port = number(&argument, &value()?, &(0..=u16::MAX))?,
                "--latency-ms" => options.latency = Duration::from_millis(number(&argument, &value()?, &(0..=60_000))?),
                "--number" => options.number = Some(number(&argument, &value()?, &(0..=NUMBERS - 1))?),
                other => return Err(format!("`{other}` is no option of `sandbox`")),
            }
        }
        Ok(Some(options))
    }
}

fn number<N: FromStr + PartialOrd + Display>(name: &str, value: &str, range: &RangeInclusive<N>) -> Result<N, String> {
    match value.parse::<N>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("`{name}` is {} to {}, not `{value}`", range.start(), range.end())),
    }
}

/// A folder that is there, or can be made in one that is.
fn folder(value: &str) -> Result<PathBuf, String> {
    let folder = std::path::absolute(value).map_err(|error| format!("`--state-dir {value}`: {error}"))?;
    let parent = folder.parent().unwrap_or(&folder);
    if folder.is_dir() {
        Ok(folder)
    } else if folder.exists() {
        Err(format!("`--state-dir {value}`: it is there and is no folder"))
    } else if parent.is_dir() {
        Ok(folder)
    } else {
        Err(format!("`--state-dir {value}`: `{}` is no folder, so nothing can be made in it", parent.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn read(line: &str) -> Result<Option<Options>, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let options = read("--state-dir /tmp --port 8080 --number 49 --latency-ms 20").unwrap().unwrap();
        assert_eq!(options.state_dir, Some(PathBuf::from("/tmp")));
        assert_eq!((options.port, options.control_port, options.number), (8080, 0, Some(49)));
        assert_eq!((options.latency, options.prepare), (Duration::from_millis(20), false));
    }

    #[test]
    fn help_is_given_wherever_it_is_asked_for() {
        assert_eq!(read("--prepare --help"), Ok(None));
        assert_eq!(read("-h"), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(read("--number 50"), Err("`--number` is 0 to 49, not `50`".to_owned()));
        assert_eq!(read("--port eighty"), Err("`--port` is 0 to 65535, not `eighty`".to_owned()));
        assert_eq!(read("--port"), Err("`--port` needs a value".to_owned()));
        assert_eq!(read("now"), Err("`now` is no option of `sandbox`".to_owned()));
        assert_eq!(read("--state-dir /dev/null"), Err("`--state-dir /dev/null`: it is there and is no folder".to_owned()));
    }
}
