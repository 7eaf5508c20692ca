//! AWS: moto's server behind a strict proxy.
//!
//! A request goes this way: [`proxy`] reads it and enters it in the ledger, `carry_out` here asks the service's rules
//! ([`ec2`], [`elbv2`], [`iam`], [`route53`], [`s3`]), and they pass it on to [`moto`] and mend the answer. The rules
//! put in front what AWS does and moto does not: idempotency tokens, limits, dependencies between objects, states that
//! take time, and new objects that appear in answers only after a while.

mod answer;
mod config;
mod dns_answers;
mod ec2;
mod elbv2;
mod health;
mod iam;
mod images;
mod inventory;
mod moto;
mod paging;
mod parameters;
mod proxy;
mod request;
mod route53;
mod route53_actions;
mod s3;
mod s3_actions;
mod s3_policy;
mod state;
mod tags;
mod visibility;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio_util::sync::CancellationToken;

pub use self::config::{Config, Credentials, REGIONS, Timing};
pub use self::inventory::Object;

use self::answer::{Answer, Refusal};
use self::images::Image;
use self::moto::{Caller, Moto};
use self::request::{Request, Service};
use self::state::State;
use crate::instance_feed::InstanceHost;
use crate::ledger::{Ledger, Ticket};

/// Why the cloud does not start, or cannot say what is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Python environment could not be made.
    #[error(transparent)]
    Python(#[from] crate::python::Error),
    /// moto's server could not be started.
    #[error("the sandbox's moto cannot be started: {0}")]
    Moto(#[source] std::io::Error),
    /// moto's server ended, or did not say its port in time.
    #[error("the sandbox's moto did not come up")]
    MotoSilent,
    /// The proxy's port or the image list could not be set up.
    #[error("the sandbox's proxy cannot be set up: {0}")]
    Setup(#[from] std::io::Error),
    /// moto refused a call of the sandbox's own.
    #[error("the sandbox's own call `{call}` was refused: {code}: {message}")]
    Refused {
        /// Service and action.
        call: String,
        /// The service's code.
        code: String,
        /// The service's message.
        message: String,
    },
}

/// What a request's handling needs.
pub(crate) struct Cloud {
    pub(crate) config: Config,
    pub(crate) images: Vec<Image>,
    pub(crate) ledger: Ledger,
    pub(crate) moto: Moto,
    pub(crate) host: Arc<dyn InstanceHost>,
    /// Held by each call that changes something: a rule's look and act are one step.
    pub(crate) writing: tokio::sync::Mutex<()>,
    pub(crate) stop: CancellationToken,
    state: Mutex<State>,
}

impl Cloud {
    /// What the rules know beyond moto. Never held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries a request out: the account its key belongs to, then the rules of its service.
    pub(crate) async fn carry_out(self: &Arc<Self>, mut request: Request, ticket: &Ticket) -> Result<Answer, Refusal> {
        let account = self.account(&request)?;
        let account = account.as_str();
        // A bucket comes with its tags and settings at once, which moto is told one after another: a look waits for that.
        let waits = !request.is_read() || request.service == Service::S3;
        let writing = if waits { Some(self.writing.lock().await) } else { None };
        let _writing = writing.filter(|_| !request.is_read());
        let reviewed = match request.service {
            Service::Ec2 => ec2::REVIEWED.contains(&request.action.as_str()),
            Service::Elbv2 => elbv2::REVIEWED.contains(&request.action.as_str()),
            Service::Iam => iam::REVIEWED.contains(&request.action.as_str()),
            Service::Sts => request.action == "GetCallerIdentity",
            Service::S3 => s3::REVIEWED.contains(&request.action.as_str()),
            Service::Route53 => route53::REVIEWED.contains(&request.action.as_str()),
            Service::Other => false,
        };
        if !reviewed {
            ticket.note("Unreviewed", true);
            self.state().unreviewed.insert(format!("{}:{}", request.service_name, request.action));
        }
        let page = paging::take(&mut request)?;
        let answer = match request.service {
            Service::Ec2 => ec2::carry_out(self, &mut request, account, ticket).await,
            Service::Elbv2 => elbv2::carry_out(self, &mut request, account, ticket).await,
            Service::Iam => iam::carry_out(self, &request, account).await,
            Service::Route53 => route53::carry_out(self, &request, account, ticket).await,
            Service::S3 => s3::carry_out(self, &request, account).await,
            Service::Sts | Service::Other => self.moto.forward(&request, account).await,
        }?;
        Ok(match page {
            Some(page) if answer.is_ok() => page.cut(request.service, answer),
            _ => answer,
        })
    }

    fn account(&self, request: &Request) -> Result<String, Refusal> {
        let known = self.config.credentials.iter().find(|known| known.access_key_id == request.access_key);
        known.map(|known| known.account.clone()).ok_or_else(|| {
            let refusal = match request.service {
                Service::Ec2 => Refusal::new("AuthFailure", "AWS was not able to validate the provided access credentials"),
                Service::S3 => {
                    Refusal::new("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
                }
                _ => Refusal::new("InvalidClientTokenId", "The security token included in the request is invalid."),
            };
            let status = if request.service == Service::Ec2 { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
            refusal.with_status(status)
        })
    }

    /// Runs a step later, unless the cloud stops before.
    pub(crate) fn later<F>(self: &Arc<Self>, delay: Duration, step: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cloud = Arc::clone(self);
        tokio::spawn(async move {
            let stopped = cloud.stop.clone();
            let run = async {
                tokio::time::sleep(delay).await;
                step(cloud).await;
            };
            tokio::select! {
                () = stopped.cancelled() => {}
                () = run => {}
            }
        });
    }
}

/// The cloud while it runs. Dropping it ends the proxy, its load balancers and moto.
pub struct Aws {
    cloud: Arc<Cloud>,
    address: SocketAddr,
    baseline: BTreeSet<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.cloud.stop.cancel();
        // Listeners and their connections end with this.
        self.cloud.state().load_balancers.clear();
        self.cloud.moto.end();
    }
}

impl Aws {
    /// Starts moto and the proxy and makes the DNS zones.
    pub async fn start(config: Config, ledger: Ledger, host: Arc<dyn InstanceHost>) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let images = images::catalogue(&config.talos_versions, &config.regions);
        let list = folder.path().join("images.json");
        images::write_for_moto(&images, &list)?;
        let moto = Moto::start(&list).await?;
        let cloud = Arc::new(Cloud {
            images,
            ledger,
            moto,
            host,
            writing: tokio::sync::Mutex::new(()),
            stop: CancellationToken::new(),
            state: Mutex::new(State::new(&config)),
            config,
        });
        for zone in &cloud.config.dns_zones {
            route53::make_zone(&cloud, zone).await?;
        }
        let baseline = inventory::take(&cloud).await?.into_iter().map(|object| (object.kind, object.id)).collect();
        let address = proxy::serve(Arc::clone(&cloud)).await?;
        tokio::spawn(health::watch(Arc::clone(&cloud)));
        Ok(Self { cloud, address, baseline, _folder: folder })
    }

    /// Where the API is.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who may call it, and the accounts that the keys belong to.
    pub fn credentials(&self) -> &[Credentials] {
        &self.cloud.config.credentials
    }

    /// All that exists now, in all accounts and regions, without what was there at the start or comes by itself
    /// (default networks, main route tables, default security groups). Waits for tag changes under way.
    pub async fn inventory(&self) -> Result<Vec<Object>, Error> {
        tags::settle(&self.cloud).await;
        let mut now = inventory::take(&self.cloud).await?;
        now.retain(|object| !self.baseline.contains(&(object.kind.clone(), object.id.clone())));
        Ok(now)
    }

    /// What Route 53's name servers would answer for a name's A records now: health checks are made for it, as often in a row as
    /// each of them says.
    pub async fn resolve(&self, name: &str) -> Result<Vec<Ipv4Addr>, Error> {
        dns_answers::resolve(&self.cloud, name).await
    }

    /// How many instances of an account may be pending or running at once in a region; `None` lifts the limit.
    pub fn set_instance_quota(&self, quota: Option<usize>) {
        self.cloud.state().instance_quota = quota;
    }

    /// Actions (`ec2:DescribeAddresses`) that were called though nobody has compared moto with AWS there.
    pub fn unreviewed(&self) -> Vec<String> {
        self.cloud.state().unreviewed.iter().cloned().collect()
    }

    /// How many objects of each kind were ever made, by the action that makes them (`CreateVpc`, `RunInstances`).
    pub fn created(&self) -> BTreeMap<String, usize> {
        self.cloud.state().created.iter().map(|(action, ids)| (action.clone(), ids.len())).collect()
    }
}

/// The account and region of a request.
pub(crate) fn caller<'a>(request: &'a Request, account: &'a str) -> Caller<'a> {
    Caller { account, region: &request.region }
}
