//! How the cloud is set up.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

/// AWS' regions, of all partitions: those that the provider knows (a test compares).
pub const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// Set-up of the cloud.
#[derive(Clone, Debug)]
pub struct Config {
    /// Regions with Talos images; calls to others work, but find no image.
    pub regions: Vec<String>,
    /// Where the addresses of networks must lie: those that somebody answers. `None` takes any.
    pub networks_in: Option<Ipv4Net>,
    /// Versions of the images, `v1.13.9`.
    pub talos_versions: Vec<String>,
    /// Keys that are accepted. The first is the sandbox's own account.
    pub credentials: Vec<Credentials>,
    /// Hosted zones that the account owns from the start, without final dot.
    pub dns_zones: Vec<String>,
    /// Load balancers get the addresses after this one.
    pub load_balancers_from: Ipv4Addr,
    /// What is added to a private address's second octet to make the public one.
    pub public_octet_offset: u8,
    /// Loopback port of the API; 0 takes a free one.
    pub port: u16,
    /// Two zones whose letters are the other way round in these accounts than in the books of what each zone offers.
    pub swapped_zones: Option<(String, String)>,
    /// How long things take.
    pub timing: Timing,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            regions: REGIONS.iter().map(|region| (*region).to_owned()).collect(),
            networks_in: None,
            talos_versions: vec!["v1.8.0".to_owned(), "v1.12.0".to_owned(), "v1.13.9".to_owned(), "v1.14.1".to_owned()],
            credentials: vec![
                Credentials::new("AKIASANDBOXSANDBOX00", "123456789012"),
                Credentials::new("AKIASANDBOXOTHER0000", "210987654321"),
            ],
            dns_zones: vec!["inferadb.com".to_owned()],
            load_balancers_from: Ipv4Addr::new(127, 200, 0, 0),
            public_octet_offset: 100,
            port: 0,
            swapped_zones: None,
            timing: Timing::default(),
        }
    }
}

/// A key and the account it belongs to. Signatures are not checked, so any secret does.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Twelve digits.
    pub account: String,
}

impl Credentials {
    /// A key of an account.
    pub fn new(access_key_id: &str, account: &str) -> Self {
        Self { access_key_id: access_key_id.to_owned(), account: account.to_owned() }
    }
}

/// How long things take. The defaults are short, but only the latency is zero: code that does not wait fails.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Before every call is carried out.
    pub latency: Duration,
    /// Until a new object of EC2 or a load balancer appears in Describe calls.
    pub visible_after: Duration,
    /// Whether calls that change something know a new object no sooner than Describe calls do.
    pub lag_holds_for_writes: bool,
    /// Until EC2 tags that were set or removed show.
    pub tags_after: Duration,
    /// Until a new IAM role can be named by other services.
    pub role_usable_after: Duration,
    /// Until a role without policies can be deleted.
    pub role_policy_gone_after: Duration,
    /// Until replication takes notice that a bucket is versioned.
    pub versioning_known_after: Duration,
    /// `pending` until `running`.
    pub instance_pending: Duration,
    /// `running` until the public address shows.
    pub public_address_after: Duration,
    /// `shutting-down` until `terminated`.
    pub instance_shutdown: Duration,
    /// `provisioning` until `active`.
    pub load_balancer_provisioning: Duration,
    /// How long a deleted load balancer's network interfaces stay.
    pub load_balancer_interfaces_stay: Duration,
    /// Between health checks, whatever the target group says.
    pub health_check_interval: Duration,
    /// Upper bound of the time that a target drains.
    pub deregistration: Duration,
    /// Until a DNS change is `INSYNC`.
    pub dns_change: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            visible_after: Duration::from_millis(150),
            lag_holds_for_writes: false,
            tags_after: Duration::from_millis(100),
            role_usable_after: Duration::from_millis(500),
            role_policy_gone_after: Duration::from_millis(300),
            versioning_known_after: Duration::from_millis(200),
            instance_pending: Duration::from_millis(300),
            public_address_after: Duration::from_millis(400),
            instance_shutdown: Duration::from_millis(300),
            load_balancer_provisioning: Duration::from_millis(500),
            load_balancer_interfaces_stay: Duration::from_millis(500),
            health_check_interval: Duration::from_millis(200),
            deregistration: Duration::from_secs(1),
            dns_change: Duration::from_millis(300),
        }
    }
}
