//! The whole sandbox: cloud, nodes and ledger, started and ended together.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use ipnet::Ipv4Net;

pub use crate::aws::Object;
use crate::aws::{self, Aws};
use crate::instance_feed::{InstanceHost, NoHost};
use crate::ledger::{Fault, Injection, InjectionId, Ledger, Matcher};
use crate::nodes::{NodeHost, Timing};

/// How many sandboxes can run at once on one machine.
pub const NUMBERS: u8 = 50;
/// Bound on an address of the sandbox's number while it runs: who holds it has the number.
const NUMBER_PORT: u16 = 40_017;

/// Set-up of a sandbox.
#[derive(Clone, Debug, Default)]
pub struct SandboxConfig {
    /// Which loopback addresses it uses, 0 to 49; `None` takes the first number that no running sandbox has.
    pub number: Option<u8>,
    /// The cloud's.
    pub aws: aws::Config,
    /// How long things take on nodes.
    pub nodes: Timing,
}

/// Why a sandbox does not start, or cannot say what is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cloud.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// The number that was asked for does not exist.
    #[error("there is no sandbox number {0}: numbers are 0 to {last}", last = NUMBERS - 1)]
    UnknownNumber(u8),
    /// The number that was asked for is in use.
    #[error(
        "sandbox number {0} is taken: another sandbox runs with it, or its addresses cannot be used ({1}). Without a number, the first that is free is taken"
    )]
    NumberTaken(u8, std::io::Error),
    /// All numbers are in use.
    #[error("no sandbox number is free: {NUMBERS} sandboxes run on this machine, or their addresses cannot be used ({0})")]
    NoNumber(std::io::Error),
}

/// The claim on a number's addresses; given up when dropped.
struct Number {
    value: u8,
    _held: TcpListener,
}

impl Number {
    fn take(wanted: Option<u8>) -> Result<Self, Error> {
        let hold = |value| {
            let held = TcpListener::bind((Ipv4Addr::new(127, 255, value, 1), NUMBER_PORT));
            held.map(|held| Self { value, _held: held })
        };
        match wanted {
            Some(value) if value >= NUMBERS => Err(Error::UnknownNumber(value)),
            Some(value) => hold(value).map_err(|error| Error::NumberTaken(value, error)),
            None => {
                // The last refusal tells why, should there be no other number.
                let last = || hold(NUMBERS - 1).map_err(Error::NoNumber);
                (0..NUMBERS - 1).find_map(|value| hold(value).ok()).map_or_else(last, Ok)
            }
        }
    }

    /// Networks: `127.10.0.0/16` and up. Their public addresses are `127.110.…` and up.
    fn network(&self) -> Ipv4Net {
        Ipv4Net::new_assert(Ipv4Addr::new(127, 10 + self.value, 0, 0), 16)
    }

    /// Load balancers: `127.200.…` and up.
    fn load_balancers(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, 200 + self.value, 0, 0)
    }
}

/// A running sandbox. Dropping it ends all of it.
pub struct Sandbox {
    ledger: Ledger,
    aws: Aws,
    nodes: Option<NodeHost>,
    number: Number,
}

impl Sandbox {
    /// Starts all of it: a cloud whose instances are Talos nodes.
    pub async fn start(config: SandboxConfig) -> Result<Self, Error> {
        let ledger = Ledger::new();
        let nodes = NodeHost::new(ledger.clone(), config.nodes);
        let mut sandbox = Self::start_with(config, ledger, Arc::new(nodes.clone())).await?;
        sandbox.nodes = Some(nodes);
        Ok(sandbox)
    }

    /// Starts a cloud whose instances exist in its books only: nothing listens on their addresses.
    pub async fn start_cloud(config: SandboxConfig) -> Result<Self, Error> {
        Self::start_with(config, Ledger::new(), Arc::new(NoHost)).await
    }

    /// Starts a cloud whose instances are handed to `host`. `ledger` is the one that `host` writes to as well.
    pub async fn start_with(mut config: SandboxConfig, ledger: Ledger, host: Arc<dyn InstanceHost>) -> Result<Self, Error> {
        let number = Number::take(config.number)?;
        config.aws.load_balancers_from = number.load_balancers();
        config.aws.networks_in = Some(number.network());
        let aws = Aws::start(config.aws, ledger.clone(), host).await?;
        Ok(Self { ledger, aws, nodes: None, number })
    }

    /// Ends it.
    pub async fn stop(self) {
        drop(self);
        // Tasks that hold a part of it end at their next turn.
        tokio::task::yield_now().await;
    }

    /// Every call.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The cloud.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The nodes; `None` where the cloud was started without.
    pub fn nodes(&self) -> Option<&NodeHost> {
        self.nodes.as_ref()
    }

    /// The address range that networks in this sandbox must lie in: this machine answers its addresses.
    pub fn vpc_cidr(&self) -> Ipv4Net {
        self.number.network()
    }

    /// Environment variables that point Terraform, a provider or an AWS client at this sandbox and at no other account.
    pub fn env(&self) -> Vec<(String, String)> {
        self.env_of(0)
    }

    /// The same for another of the configured accounts, by its place in the list.
    pub fn env_of(&self, account: usize) -> Vec<(String, String)> {
        let key = self.aws.credentials().get(account).map(|known| known.access_key_id.clone()).unwrap_or_default();
        [
            ("AWS_ENDPOINT_URL", self.aws.endpoint()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // A developer's own profiles must not take part.
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// All that exists in the cloud now, ordered by kind and id, without what was there at the start or comes by itself.
    pub async fn inventory(&self) -> Result<Vec<Object>, Error> {
        Ok(self.aws.inventory().await?)
    }

    /// How many objects were ever made, by the action that makes them.
    pub fn created(&self) -> BTreeMap<String, usize> {
        self.aws.created()
    }

    /// How many instances may be pending or running at once per region; `None` lifts the limit.
    pub fn set_instance_quota(&self, quota: Option<usize>) {
        self.aws.set_instance_quota(quota);
    }

    /// From now on the cloud refuses this action for want of permission, until [`Ledger::withdraw`].
    /// The service as signatures name it: `ec2`, `elasticloadbalancing`, `iam`, `route53`, `s3`, `sts`.
    pub fn deny(&self, service: &str, action: &str) -> InjectionId {
        let account = self.aws.credentials().first().map(|known| known.account.clone()).unwrap_or_default();
        let user = format!("arn:aws:iam::{account}:user/sandbox");
        let (code, start) = if service == "ec2" {
            ("UnauthorizedOperation", "You are not authorized to perform this operation. ")
        } else {
            ("AccessDenied", "")
        };
        let message = format!(
            "{start}User: {user} is not authorized to perform: {service}:{action} because no identity-based policy allows the \
             {service}:{action} action"
        );
        let fault = Fault::Refuse { code: code.to_owned(), message };
        self.ledger.inject(Matcher::cloud(service, action), Injection::Fault(fault), None)
    }
}
