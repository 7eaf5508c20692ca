//! The whole sandbox: cloud, nodes and ledger, started and ended together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::aws::{self, Aws, Inventory};
use crate::instance_feed::{InstanceHost, NoHost};
use crate::ledger::{Fault, Injection, InjectionId, Ledger, Matcher, Plane};

/// Set-up of a sandbox.
#[derive(Clone, Debug, Default)]
pub struct SandboxConfig {
    /// The cloud's.
    pub aws: aws::Config,
    /// Added to every call of the cloud's API.
    pub latency: Duration,
}

impl SandboxConfig {
    /// One that shares no loopback address with sandboxes of another number (0 to 49), so that both can run at once.
    /// Networks must then lie in [`SandboxConfig::network`].
    pub fn numbered(number: u8) -> Self {
        let mut config = Self::default();
        let [first, second, _, _] = config.aws.load_balancers_from.octets();
        config.aws.load_balancers_from = [first, second, number, 0].into();
        config
    }

    /// The address range that sandbox `number` may use for its networks: `127.(10 + number).0.0/16`.
    pub fn network(number: u8) -> String {
        format!("127.{}.0.0/16", u16::from(number) + 10)
    }
}

/// A running sandbox. Dropping it ends all of it.
pub struct Sandbox {
    ledger: Ledger,
    aws: Aws,
}

impl Sandbox {
    /// Starts a cloud whose instances exist in its books only: nothing listens on their addresses.
    pub async fn start_cloud(config: SandboxConfig) -> Result<Self, aws::Error> {
        Self::start_with(config, Ledger::new(), Arc::new(NoHost)).await
    }

    /// Starts a cloud whose instances are handed to `host`. `ledger` is the one that `host` writes to as well.
    pub async fn start_with(config: SandboxConfig, ledger: Ledger, host: Arc<dyn InstanceHost>) -> Result<Self, aws::Error> {
        if !config.latency.is_zero() {
            ledger.inject(Matcher::plane(Plane::Cloud), Injection::Delay(config.latency), None);
        }
        let aws = Aws::start(config.aws, ledger.clone(), host).await?;
        Ok(Self { ledger, aws })
    }

    /// Every call.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The cloud.
    pub fn aws(&self) -> &Aws {
        &self.aws
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

    /// All that exists in the cloud now, without what comes by itself.
    pub async fn inventory(&self) -> Result<Inventory, aws::Error> {
        self.aws.inventory().await
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
