//! One Docker engine: calls of its API, and what it says of itself.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error as Bollard;
use bollard::models::SystemInfoCgroupVersionEnum;
use tokio::sync::{OnceCell, Semaphore};

use super::endpoint::{Endpoint, Environment, Published};
use super::failure::{Class, Failure};
use super::settings::DockerSettings;
use crate::{Error, Result};

/// What Docker's own client waits for an answer to begin.
const ANSWER_SECONDS: u64 = 120;
/// An engine serves from one disk; more at once only waits there.
const AT_ONCE: usize = 8;
/// Tries of a call whose connection broke, as while the engine restarts.
const TRIES: u32 = 6;

/// A connection to an engine.
pub(super) struct Engine {
    endpoint: Endpoint,
    client: OnceCell<bollard::Docker>,
    facts: OnceCell<Facts>,
    permits: Semaphore,
}

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Made once for an engine's data folder.
    pub(super) id: String,
    /// `amd64` or `arm64`.
    pub(super) architecture: String,
    pub(super) cpus: u32,
    pub(super) memory_mib: u64,
    /// 1 or 2; 0 where it does not say.
    pub(super) cgroups: u8,
}

impl Engine {
    pub(super) async fn connect(settings: &DockerSettings) -> Result<Self> {
        let settings = settings.clone();
        let found = tokio::task::spawn_blocking(move || Endpoint::find(&settings, &Environment::read())).await;
        let endpoint = found.map_err(|error| Error::Settings { setting: "host", message: error.to_string() })??;
        Ok(Self { endpoint, client: OnceCell::new(), facts: OnceCell::new(), permits: Semaphore::new(AT_ONCE) })
    }

    pub(super) fn published(&self) -> Published {
        self.endpoint.published()
    }

    /// The client, which speaks the newest API version that both know.
    async fn client(&self) -> std::result::Result<&bollard::Docker, Failure> {
        self.client
            .get_or_try_init(|| async {
                let failed = |error: &Bollard| Failure::new("docker:SystemVersion", "the engine", &self.endpoint.host, error);
                let mut tries = 0;
                loop {
                    let made = self.open().map_err(|error| failed(&error))?;
                    match made.negotiate_version().await.map_err(|error| failed(&error)) {
                        Err(failure) if failure.class == Class::Broken && tries + 1 < TRIES => {
                            tries += 1;
                            tokio::time::sleep(back_off(tries)).await;
                        }
                        answer => return answer,
                    }
                }
            })
            .await
    }

    fn open(&self) -> std::result::Result<bollard::Docker, Bollard> {
        let Endpoint { host, certificates } = &self.endpoint;
        let version = bollard::API_DEFAULT_VERSION;
        match certificates {
            _ if host.starts_with("unix://") => bollard::Docker::connect_with_unix(host, ANSWER_SECONDS, version),
            Some(folder) => {
                let file = |name: &str| folder.join(name);
                let (key, certificate, ca) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
                bollard::Docker::connect_with_ssl(host, &key, &certificate, &ca, ANSWER_SECONDS, version)
            }
            None => bollard::Docker::connect_with_http(host, ANSWER_SECONDS, version),
        }
    }

    /// Makes a call, again where the connection broke: every call here looks or names what it makes, so that a second
    /// execution makes no second thing.
    pub(super) async fn call<T, F, Fut>(&self, operation: &'static str, object: &str, send: F) -> std::result::Result<T, Failure>
    where
        F: Fn(bollard::Docker) -> Fut + Send,
        Fut: Future<Output = std::result::Result<T, Bollard>> + Send,
    {
        let client = self.client().await?;
        let mut tries = 0;
        loop {
            let permit = self.permits.acquire().await;
            let answer = send(client.clone()).await;
            drop(permit);
            let failure = match answer {
                Ok(value) => return Ok(value),
                Err(error) => Failure::new(operation, object, &self.endpoint.host, &error),
            };
            tries += 1;
            if failure.class != Class::Broken || tries >= TRIES {
                return Err(failure);
            }
            tracing::debug!(operation, object, message = failure.message, tries, "asking the engine again");
            tokio::time::sleep(back_off(tries)).await;
        }
    }

    /// What the engine says of itself, asked once.
    pub(super) async fn facts(&self) -> Result<&Facts> {
        self.facts
            .get_or_try_init(|| async {
                let info = self.call("docker:SystemInfo", "the engine", |client| async move { client.info().await }).await?;
                if let Some(system) = info.os_type.as_deref().filter(|system| *system != "linux") {
                    return Err(Error::Settings {
                        setting: "host",
                        message: format!(
                            "the engine runs `{system}` containers, and Talos is Linux: switch it to Linux containers"
                        ),
                    });
                }
                Ok(Facts {
                    id: info.id.unwrap_or_default(),
                    architecture: architecture(&info.architecture.unwrap_or_default()),
                    cpus: info.ncpu.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
                    memory_mib: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default() >> 20,
                    cgroups: match info.cgroup_version {
                        Some(SystemInfoCgroupVersionEnum::_1) => 1,
                        Some(SystemInfoCgroupVersionEnum::_2) => 2,
                        _ => 0,
                    },
                })
            })
            .await
    }
}

/// Talos' name for what the kernel calls its machine.
fn architecture(machine: &str) -> String {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
    .to_owned()
}

/// Doubles from a fifth of a second, with half of it left to chance.
fn back_off(tries: u32) -> Duration {
    Duration::from_millis(200).saturating_mul(1 << tries.min(6)).mul_f64(0.5 + 0.5 * rand::random::<f64>())
}
