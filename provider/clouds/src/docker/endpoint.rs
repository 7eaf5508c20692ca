//! Where the engine is: from the settings, the environment, and the contexts of the Docker CLI, in the CLI's own order.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::naming;
use super::settings::DockerSettings;
use crate::{Error, Result};
use serde::Deserialize;

/// The default socket of the engine.
const DEFAULT: &str = "unix:///var/run/docker.sock";

/// Hex digits of a SHA-256.
const ID: usize = 64;

/// Where the engine is, and how to prove who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `unix://…` or `tcp://…`.
    pub(super) host: String,
    /// Folder with `ca.pem`, `cert.pem`, `key.pem`; plain TCP without one.
    pub(super) certificates: Option<PathBuf>,
}

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    pub(super) host: Option<String>,
    pub(super) context: Option<String>,
    pub(super) tls_verify: bool,
    pub(super) cert_path: Option<PathBuf>,
    /// The Docker CLI's folder: `DOCKER_CONFIG`, else `~/.docker`.
    pub(super) config: Option<PathBuf>,
}

impl Environment {
    pub(super) fn read() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = || set("HOME").map(|home| Path::new(&home).join(".docker"));
        Self {
            host: set("DOCKER_HOST"),
            context: set("DOCKER_CONTEXT"),
            tls_verify: set("DOCKER_TLS_VERIFY").is_some(),
            cert_path: set("DOCKER_CERT_PATH").map(PathBuf::from),
            config: set("DOCKER_CONFIG").map(PathBuf::from).or_else(home),
        }
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext", default)]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: ContextHost,
}

#[derive(Deserialize)]
struct ContextHost {
    #[serde(rename = "Host", default)]
    host: String,
}

impl Endpoint {
    /// Reads files: not for async threads.
    pub(super) fn find(settings: &DockerSettings, environment: &Environment) -> Result<Self> {
        let of_environment = || {
            let home = || environment.config.clone();
            environment.tls_verify.then(|| environment.cert_path.clone().or_else(home)).flatten()
        };
        let mut found = if let Some(host) = &settings.host {
            Self { host: host.clone(), certificates: of_environment() }
        } else if let Some(context) = &settings.context {
            of_context("context", context, environment)?
        } else if let Some(host) = &environment.host {
            Self { host: host.clone(), certificates: of_environment() }
        } else if let Some(context) = environment.context.clone().or_else(|| current_context(environment)) {
            of_context("context", &context, environment)?
        } else {
            Self { host: DEFAULT.to_owned(), certificates: None }
        };
        if settings.cert_path.is_some() {
            found.certificates.clone_from(&settings.cert_path);
        }
        found.check()?;
        Ok(found)
    }

    fn check(&self) -> Result<()> {
        let message = if self.host.starts_with("unix://") || self.host.starts_with("tcp://") {
            return Ok(());
        } else if self.host.starts_with("ssh://") {
            format!(
                "`{}` goes through SSH, which this provider does not speak, and the ports that nodes publish would stay on that \
                 machine. Run Terraform there, or let the engine listen with TLS and set `host = \"tcp://HOST:2376\"` and `cert_path`",
                self.host
            )
        } else {
            format!("`{}` is no address of an engine: expected `unix:///PATH` or `tcp://HOST:PORT`", self.host)
        };
        Err(Error::Settings { setting: "host", message })
    }

    /// The host on which published ports are reached, and the one of the engine's own addresses to publish them on.
    pub(super) fn published(&self) -> Published {
        let host = self.host.strip_prefix("tcp://").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        let host = host.map(|authority| authority.rsplit_once(':').map_or(authority, |(host, _)| host));
        let host = host.map(|host| host.trim_start_matches('[').trim_end_matches(']'));
        match host {
            Some(host) if !host.is_empty() && !is_loopback(host) => Published { on: "0.0.0.0".to_owned(), at: host.to_owned() },
            _ => Published { on: "127.0.0.1".to_owned(), at: "127.0.0.1".to_owned() },
        }
    }
}

/// Where ports of containers are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// Address of the engine's machine that they are bound to.
    pub(super) on: String,
    /// Where they are reached from here.
    pub(super) at: String,
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn current_context(environment: &Environment) -> Option<String> {
    let text = std::fs::read(environment.config.as_ref()?.join("config.json")).ok()?;
    serde_json::from_slice::<Config>(&text).ok()?.current_context.filter(|name| !name.is_empty())
}

/// The Docker CLI keeps a context in folders that are named by the SHA-256 of the context's name.
fn of_context(setting: &'static str, name: &str, environment: &Environment) -> Result<Endpoint> {
    if name == "default" {
        return Ok(Endpoint {
            host: environment.host.clone().unwrap_or_else(|| DEFAULT.to_owned()),
            certificates: environment.tls_verify.then(|| environment.cert_path.clone()).flatten(),
        });
    }
    let wrong = |message: String| Error::Settings { setting, message };
    let config = environment.config.as_ref().ok_or_else(|| wrong("no folder of the Docker CLI: HOME is not set".to_owned()))?;
    let id = naming::digest(name, ID);
    let contexts = config.join("contexts");
    let path = contexts.join("meta").join(&id).join("meta.json");
    let text = std::fs::read(&path).map_err(|error| {
        wrong(format!("there is no context `{name}` (`{}`: {error}); `docker context ls` lists them", path.display()))
    })?;
    let meta: Meta = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("context `{name}` cannot be read from `{}`: {error}", path.display())))?;
    let certificates = contexts.join("tls").join(&id).join("docker");
    Ok(Endpoint { host: meta.endpoints.docker.host, certificates: certificates.is_dir().then_some(certificates) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> (tempfile::TempDir, Environment) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().to_owned();
        (folder, Environment { config: Some(config), ..Environment::default() })
    }

    fn add_context(environment: &Environment, name: &str, host: &str) -> PathBuf {
        let id = naming::digest(name, ID);
        let contexts = environment.config.as_ref().unwrap().join("contexts");
        let meta = contexts.join("meta").join(&id);
        std::fs::create_dir_all(&meta).unwrap();
        let text = serde_json::json!({ "Name": name, "Metadata": {}, "Endpoints": { "docker": { "Host": host } } });
        std::fs::write(meta.join("meta.json"), text.to_string()).unwrap();
        contexts.join("tls").join(&id).join("docker")
    }

    #[test]
    fn the_order_is_the_clis_own() {
        let (_folder, mut environment) = environment();
        let find = |settings: &DockerSettings, environment: &Environment| Endpoint::find(settings, environment).unwrap().host;
        let none = DockerSettings::default();
        assert_eq!(find(&none, &environment), DEFAULT);
        add_context(&environment, "desktop", "unix:///desktop.sock");
        add_context(&environment, "colima", "unix:///colima.sock");
        let config = environment.config.as_ref().unwrap().join("config.json");
        std::fs::write(config, r#"{"currentContext": "desktop", "auths": {}}"#).unwrap();
        assert_eq!(find(&none, &environment), "unix:///desktop.sock");
        environment.context = Some("colima".to_owned());
        assert_eq!(find(&none, &environment), "unix:///colima.sock");
        environment.host = Some("tcp://127.0.0.1:2375".to_owned());
        assert_eq!(find(&none, &environment), "tcp://127.0.0.1:2375");
        let context = DockerSettings { context: Some("desktop".to_owned()), ..DockerSettings::default() };
        assert_eq!(find(&context, &environment), "unix:///desktop.sock");
        let host = DockerSettings { host: Some("unix:///own.sock".to_owned()), ..context };
        assert_eq!(find(&host, &environment), "unix:///own.sock");
    }

    #[test]
    fn a_contexts_certificates_are_used() {
        let (_folder, environment) = environment();
        let folder = add_context(&environment, "remote", "tcp://build.example.com:2376");
        std::fs::create_dir_all(&folder).unwrap();
        let settings = DockerSettings { context: Some("remote".to_owned()), ..DockerSettings::default() };
        let found = Endpoint::find(&settings, &environment).unwrap();
        assert_eq!(found.certificates, Some(folder));
        assert_eq!(found.published(), Published { on: "0.0.0.0".to_owned(), at: "build.example.com".to_owned() });
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (_folder, environment) = environment();
        let said = |host: &str| {
            let settings = DockerSettings { host: Some(host.to_owned()), ..DockerSettings::default() };
            Endpoint::find(&settings, &environment).unwrap_err().to_string()
        };
        insta::assert_snapshot!(said("ssh://me@build"), @r#"`host`: `ssh://me@build` goes through SSH, which this provider does not speak, and the ports that nodes publish would stay on that machine. Run Terraform there, or let the engine listen with TLS and set `host = "tcp://HOST:2376"` and `cert_path`"#);
        insta::assert_snapshot!(said("/var/run/docker.sock"), @"`host`: `/var/run/docker.sock` is no address of an engine: expected `unix:///PATH` or `tcp://HOST:PORT`");
        let settings = DockerSettings { context: Some("gone".to_owned()), ..DockerSettings::default() };
        let said = Endpoint::find(&settings, &environment).unwrap_err().to_string();
        assert!(said.contains("there is no context `gone`") && said.contains("docker context ls"), "{said}");
    }

    #[test]
    fn ports_are_published_where_the_engine_is() {
        let on = |host: &str| Endpoint { host: host.to_owned(), certificates: None }.published().at;
        for local in ["unix:///var/run/docker.sock", "tcp://localhost:2375", "tcp://127.0.0.1:2375", "tcp://[::1]:2376"] {
            assert_eq!(on(local), "127.0.0.1", "{local}");
        }
        assert_eq!(on("tcp://192.0.2.7:2376"), "192.0.2.7");
    }
}
