//! The machine service: version, services, machine config, power.

use proto::talos::machine::{self as wire, apply_configuration_request::Mode};
use zeroize::Zeroizing;

use super::{Client, Error, ErrorKind, node::Repeat};

/// What a node runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Talos' version, like `v1.13.9`.
    pub tag: String,
    /// `amd64` or `arm64`.
    pub architecture: String,
    /// The platform it believes to be on, like `aws` or `metal`.
    pub platform: String,
}

/// A service of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Like `etcd`.
    pub id: String,
    /// Like `Running` or `Preparing`.
    pub state: String,
    /// `None` where it has no health check, or no result yet.
    pub healthy: Option<bool>,
    /// What its last event says.
    pub message: String,
}

/// How a config takes effect. Talos' own mode REBOOT is not among them: from v1.14 it is refused. [`ApplyMode::Staged`]
/// and [`Client::reboot`] do the same on every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// At once. Up to v1.13 a change that needs a reboot is [`ErrorKind::InvalidArgument`].
    NoReboot,
    /// At the next boot.
    Staged,
}

/// What an application of a config came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Talos' warnings, for people.
    pub warnings: Vec<String>,
}

impl Client {
    /// What the node runs. In maintenance mode this is [`ErrorKind::Unimplemented`].
    pub async fn version(&self) -> Result<Version, Error> {
        const CALL: &str = "Version";
        let answer = self
            .machine(CALL, Repeat::Yes, |mut api| async move { Ok(api.version(self.request(())).await?.into_inner()) })
            .await?;
        let message = self.only(CALL, answer.messages)?;
        let version = message.version.unwrap_or_default();
        Ok(Version {
            tag: version.tag,
            architecture: version.arch,
            platform: message.platform.map(|platform| platform.name).unwrap_or_default(),
        })
    }

    /// The node's host name.
    pub async fn hostname(&self) -> Result<String, Error> {
        const CALL: &str = "Hostname";
        let answer = self
            .machine(CALL, Repeat::Yes, |mut api| async move { Ok(api.hostname(self.request(())).await?.into_inner()) })
            .await?;
        Ok(self.only(CALL, answer.messages)?.hostname)
    }

    /// The node's services.
    pub async fn service_list(&self) -> Result<Vec<Service>, Error> {
        const CALL: &str = "ServiceList";
        let answer = self
            .machine(CALL, Repeat::Yes, |mut api| async move { Ok(api.service_list(self.request(())).await?.into_inner()) })
            .await?;
        let services = self.only(CALL, answer.messages)?.services;
        Ok(services
            .into_iter()
            .map(|service| Service {
                id: service.id,
                state: service.state,
                healthy: service.health.filter(|health| !health.unknown).map(|health| health.healthy),
                message: service
                    .events
                    .and_then(|log| log.events.into_iter().next_back())
                    .map(|event| event.msg)
                    .unwrap_or_default(),
            })
            .collect())
    }

    /// Gives the node a whole machine config.
    pub async fn apply_configuration(&self, config: &str, mode: ApplyMode) -> Result<Applied, Error> {
        self.apply(config, mode, false).await
    }

    /// Whether the node would take the config in that mode; nothing changes.
    ///
    /// Talos' answer holds a diff with private keys in clear, so it is dropped here.
    pub async fn try_configuration(&self, config: &str, mode: ApplyMode) -> Result<Applied, Error> {
        self.apply(config, mode, true).await
    }

    async fn apply(&self, config: &str, mode: ApplyMode, dry_run: bool) -> Result<Applied, Error> {
        const CALL: &str = "ApplyConfiguration";
        let mode = match mode {
            ApplyMode::NoReboot => Mode::NoReboot,
            ApplyMode::Staged => Mode::Staged,
        };
        let answer = self
            .machine(CALL, if dry_run { Repeat::Yes } else { Repeat::No }, |mut api| {
                let request = wire::ApplyConfigurationRequest {
                    data: config.as_bytes().to_vec(),
                    mode: mode.into(),
                    dry_run,
                    try_mode_timeout: None,
                };
                async move { Ok(api.apply_configuration(self.request(request)).await?.into_inner()) }
            })
            .await?;
        Ok(Applied { warnings: self.only(CALL, answer.messages)?.warnings })
    }

    /// Orders a reboot, which begins after the answer.
    pub async fn reboot(&self) -> Result<(), Error> {
        const CALL: &str = "Reboot";
        let answer = self
            .machine(CALL, Repeat::No, |mut api| async move {
                Ok(api.reboot(self.request(wire::RebootRequest::default())).await?.into_inner())
            })
            .await?;
        self.only(CALL, answer.messages).map(drop)
    }

    /// The kernel's id of this boot: another one after each reboot.
    pub async fn boot_id(&self) -> Result<String, Error> {
        let content = self.read("/proc/sys/kernel/random/boot_id").await?;
        String::from_utf8(content.to_vec())
            .map(|id| id.trim().to_owned())
            .ok()
            .filter(|id| !id.is_empty())
            .ok_or_else(|| self.error("Read", ErrorKind::Malformed("the boot id is not text".to_owned())))
    }

    /// A file of the node.
    pub async fn read(&self, path: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        const CALL: &str = "Read";
        let chunks = self
            .machine(CALL, Repeat::Yes, |mut api| {
                let request = wire::ReadRequest { path: path.to_owned() };
                async move {
                    let mut stream = api.read(self.request(request)).await?.into_inner();
                    let mut chunks = Vec::new();
                    while let Some(chunk) = stream.message().await? {
                        chunks.push(chunk);
                    }
                    Ok(chunks)
                }
            })
            .await?;
        let mut content = Zeroizing::new(Vec::new());
        for chunk in chunks {
            self.check(CALL, chunk.metadata.as_ref())?;
            content.extend_from_slice(&chunk.bytes);
        }
        Ok(content)
    }
}
