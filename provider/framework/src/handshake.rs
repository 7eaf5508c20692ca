//! How a provider is started: by Terraform, by a developer who attaches it, or by someone who did not know better.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::json;

/// Set by Terraform for every provider that it starts; the value never changes.
const COOKIE: (&str, &str) = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");
/// go-plugin's own protocol.
const CORE_PROTOCOL: u32 = 1;
/// Terraform's plugin protocol.
const PROTOCOL: u32 = 5;

/// Who started the process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Terraform or OpenTofu.
    Client {
        /// The client's certificate in PEM; without one there is no TLS.
        certificate: Option<String>,
        /// Where the socket is to be.
        directory: PathBuf,
    },
    /// A developer, with `--debug`: the process waits for any client to attach and outlives them all.
    Debug {
        /// The address under which configurations name the provider.
        address: String,
    },
    /// Someone, by hand.
    Stray,
}

impl Start {
    /// Reads the process's arguments and environment. `name` is the provider's.
    pub(crate) fn of_process(name: &str) -> Self {
        Self::new(name, env::args().skip(1), |variable| env::var(variable).ok().filter(|value| !value.is_empty()))
    }

    fn new(name: &str, arguments: impl Iterator<Item = String>, variable: impl Fn(&str) -> Option<String>) -> Self {
        for argument in arguments {
            let Some(debug) = argument.trim_start_matches('-').strip_prefix("debug") else { continue };
            let address = debug.strip_prefix('=').unwrap_or_default();
            return Self::Debug {
                address: if address.is_empty() { format!("registry.terraform.io/{name}/{name}") } else { address.to_owned() },
            };
        }
        if variable(COOKIE.0).as_deref() != Some(COOKIE.1) {
            return Self::Stray;
        }
        Self::Client {
            certificate: variable("PLUGIN_CLIENT_CERT"),
            directory: variable("PLUGIN_UNIX_SOCKET_DIR").map_or_else(env::temp_dir, PathBuf::from),
        }
    }
}

/// The line on stdout by which go-plugin finds the server.
pub(crate) fn line(socket: &Path, certificate: Option<&str>) -> String {
    let certificate = certificate.unwrap_or_default();
    format!("{CORE_PROTOCOL}|{PROTOCOL}|unix|{}|grpc|{certificate}\n", socket.display())
}

/// What to set in the shell that runs Terraform, for it to attach.
pub(crate) fn reattach(address: &str, socket: &Path, pid: u32) -> String {
    let attach = json!({
        address: {
            "Protocol": "grpc",
            "ProtocolVersion": PROTOCOL,
            "Pid": pid,
            "Test": true,
            "Addr": { "Network": "unix", "String": socket.display().to_string() },
        }
    });
    format!("TF_REATTACH_PROVIDERS='{attach}'\n")
}

/// For someone who started the program by hand.
pub(crate) fn explanation(name: &str) -> String {
    format!(
        "This program is the `{name}` provider, which Terraform or OpenTofu starts by itself.\n\
         To use a build of your own, name its folder under `dev_overrides` in the CLI configuration:\n\
         https://developer.hashicorp.com/terraform/cli/config/config-file#development-overrides-for-provider-developers\n\
         To run it in a debugger, start it with `--debug`.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Start {
        let find = |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        Start::new("example", arguments.iter().map(ToString::to_string), find)
    }

    #[test]
    fn without_the_cookie_nobody_serves() {
        assert_eq!(start(&[], &[]), Start::Stray);
        assert_eq!(start(&[], &[(COOKIE.0, "else")]), Start::Stray);
    }

    #[test]
    fn terraform_says_where_the_socket_goes() {
        let variables = [COOKIE, ("PLUGIN_UNIX_SOCKET_DIR", "/run/x"), ("PLUGIN_CLIENT_CERT", "pem")];
        let expected = Start::Client { certificate: Some("pem".into()), directory: "/run/x".into() };
        assert_eq!(start(&[], &variables), expected);
    }

    #[test]
    fn debug_needs_no_cookie() {
        let address = |address: &str| Start::Debug { address: address.into() };
        assert_eq!(start(&["-debug"], &[]), address("registry.terraform.io/example/example"));
        assert_eq!(start(&["--debug=a/b/c"], &[]), address("a/b/c"));
    }

    #[test]
    fn the_line_has_six_parts() {
        assert_eq!(line(Path::new("/tmp/s"), Some("MII")), "1|5|unix|/tmp/s|grpc|MII\n");
        assert_eq!(line(Path::new("/tmp/s"), None), "1|5|unix|/tmp/s|grpc|\n");
    }
}
