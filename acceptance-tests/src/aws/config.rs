//! How the cloud is set up.

use std::net::Ipv4Addr;
use std::time::Duration;

/// Set-up of the cloud.
#[derive(Clone, Debug)]
pub struct Config {
    /// Regions with Talos images; calls to others work, but find no image.
    pub regions: Vec<String>,
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
            regions: vec!["us-east-1".to_owned(), "us-west-1".to_owned()],
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
