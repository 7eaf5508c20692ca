//! The SDK's clients, made when the first call needs them.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn};

use super::settings::AwsSettings;
use crate::{Error, Result};

/// Waiting for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Waiting for one answer. Our own loop repeats; see `call`.
const ATTEMPT: Duration = Duration::from_mins(1);
/// Session name where the user gives none.
const SESSION: &str = "terraform-provider-inferadb";

/// One client per service.
pub(super) struct Clients {
    pub(super) config: SdkConfig,
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(super) iam: aws_sdk_iam::Client,
    pub(super) route53: aws_sdk_route53::Client,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) sts: aws_sdk_sts::Client,
    s3_config: aws_sdk_s3::Config,
}

/// Calls are repeated by our own loop (it knows which may be repeated), so the SDK's is off.
macro_rules! client {
    ($sdk:ident, $config:expr, $endpoint:expr) => {{
        let mut builder = $sdk::config::Builder::from($config).retry_config(RetryConfig::disabled());
        if let Some(endpoint) = $endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        $sdk::Client::from_conf(builder.build())
    }};
}

impl Clients {
    /// Reads the config files and sets everything up; calls nobody.
    pub(super) async fn build(region: &str, settings: &AwsSettings) -> Result<Self> {
        check_endpoints(|name| std::env::var(name).ok())?;
        let config = shared_config(region, settings).await?;
        let config = assume(config, settings).await;
        let mut s3 = aws_sdk_s3::config::Builder::from(&config)
            .retry_config(RetryConfig::disabled())
            .force_path_style(settings.s3_use_path_style);
        if let Some(endpoint) = settings.endpoint("s3") {
            s3 = s3.endpoint_url(endpoint);
        }
        let s3_config = s3.build();
        Ok(Self {
            ec2: client!(aws_sdk_ec2, &config, settings.endpoint("ec2")),
            elb: client!(aws_sdk_elasticloadbalancingv2, &config, settings.endpoint("elbv2")),
            iam: client!(aws_sdk_iam, &config, settings.endpoint("iam")),
            route53: client!(aws_sdk_route53, &config, settings.endpoint("route53")),
            s3: aws_sdk_s3::Client::from_conf(s3_config.clone()),
            sts: client!(aws_sdk_sts, &config, settings.endpoint("sts")),
            s3_config,
            config,
        })
    }

    /// An S3 client for a bucket in another region.
    pub(super) fn s3_in(&self, region: &str) -> aws_sdk_s3::Client {
        let config = self.s3_config.to_builder().region(aws_sdk_s3::config::Region::new(region.to_owned())).build();
        aws_sdk_s3::Client::from_conf(config)
    }
}

/// Where the environment can say that a service is.
const ENDPOINT_VARIABLES: &[&str] = &[
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_ROUTE_53",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
];

/// That what the environment gives as an endpoint is a URL: the SDK logs and ignores one that is not, and calls AWS itself.
fn check_endpoints(variable: impl Fn(&str) -> Option<String>) -> Result<()> {
    for setting in ENDPOINT_VARIABLES {
        let Some(url) = variable(setting).filter(|url| !url.is_empty()) else { continue };
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if !rest.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(' ')) {
            let message = format!("`{url}` is not a URL: expected a form such as `https://ec2.example.com`");
            return Err(Error::Settings { setting, message });
        }
    }
    Ok(())
}

async fn shared_config(region: &str, settings: &AwsSettings) -> Result<SdkConfig> {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned())).timeout_config(timeouts);
    let mut providers = ProviderConfig::without_region().with_region(Some(Region::new(region.to_owned())));
    if let Some(client) = http_client(settings).await? {
        providers = providers.with_http_client(client.clone());
        loader = loader.http_client(client);
    }
    if let Some(profile) = &settings.profile {
        // The SDK's own chain takes keys of the environment before a profile that was asked for: another account's, maybe.
        let mut credentials = ProfileFileCredentialsProvider::builder().configure(&providers).profile_name(profile);
        if let Some(files) = profile_files(settings) {
            credentials = credentials.profile_files(files);
        }
        loader = loader.profile_name(profile).credentials_provider(credentials.build());
    }
    if let Some(files) = profile_files(settings) {
        loader = loader.profile_files(files);
    }
    if settings.use_fips_endpoint {
        loader = loader.use_fips(true);
    }
    if settings.use_dualstack_endpoint {
        loader = loader.use_dual_stack(true);
    }
    Ok(loader.load().await)
}

fn profile_files(settings: &AwsSettings) -> Option<aws_runtime::env_config::file::EnvConfigFiles> {
    use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

    if settings.shared_config_files.is_empty() && settings.shared_credentials_files.is_empty() {
        return None;
    }
    let mut files = EnvConfigFiles::builder();
    if settings.shared_config_files.is_empty() {
        files = files.include_default_config_file(true);
    }
    for file in &settings.shared_config_files {
        files = files.with_file(EnvConfigFileKind::Config, file);
    }
    if settings.shared_credentials_files.is_empty() {
        files = files.include_default_credentials_file(true);
    }
    for file in &settings.shared_credentials_files {
        files = files.with_file(EnvConfigFileKind::Credentials, file);
    }
    Some(files.build())
}

/// The config with the roles' credentials, each role assumed with those of the one before it.
async fn assume(mut config: SdkConfig, settings: &AwsSettings) -> SdkConfig {
    for role in &settings.assume_role {
        let mut builder =
            AssumeRoleProvider::builder(&role.role_arn).session_name(role.session_name.as_deref().unwrap_or(SESSION));
        let mut sts = config.clone().into_builder();
        if let Some(endpoint) = settings.endpoint("sts") {
            sts.set_endpoint_url(Some(endpoint.to_owned()));
        }
        builder = builder.configure(&sts.build());
        if let Some(id) = &role.external_id {
            builder = builder.external_id(id);
        }
        if let Some(duration) = role.duration {
            builder = builder.session_length(duration);
        }
        if let Some(policy) = &role.policy {
            builder = builder.policy(policy);
        }
        if !role.tags.is_empty() {
            builder = builder.tags(role.tags.clone());
        }
        let provider = SharedCredentialsProvider::new(builder.build().await);
        // A cache per role: the one before it holds the credentials of the one before it.
        config = config
            .into_builder()
            .credentials_provider(provider)
            .identity_cache(aws_config::identity::IdentityCache::lazy().build())
            .build();
    }
    config
}

/// A client of our own where a CA bundle or a proxy is set; the SDK's own follows the proxy variables of the environment.
async fn http_client(settings: &AwsSettings) -> Result<Option<SharedHttpClient>> {
    let bundle = settings.custom_ca_bundle.clone().or_else(|| std::env::var_os("AWS_CA_BUNDLE").map(Into::into));
    if bundle.is_none() && settings.http_proxy.is_none() {
        return Ok(None);
    }
    let mut trust = TrustStore::default();
    if let Some(path) = bundle {
        let bad = |message: String| Error::Settings { setting: "custom_ca_bundle", message };
        let pem = tokio::task::spawn_blocking({
            let path = path.clone();
            move || std::fs::read(path)
        })
        .await
        .map_err(|error| bad(error.to_string()))?
        .map_err(|error| bad(format!("`{}` cannot be read: {error}", path.display())))?;
        if !pem.windows(11).any(|window| window == b"-----BEGIN ") {
            return Err(bad(format!("`{}` holds no PEM certificate", path.display())));
        }
        trust.add_pem_certificate(pem);
    }
    let proxy = match &settings.http_proxy {
        None => ProxyConfig::from_env(),
        Some(url) => {
            let proxy = ProxyConfig::all(url.as_str())
                .map_err(|error| Error::Settings { setting: "http_proxy", message: error.to_string() })?;
            let exceptions =
                settings.no_proxy.clone().or_else(|| std::env::var("NO_PROXY").ok()).or_else(|| std::env::var("no_proxy").ok());
            match exceptions {
                Some(exceptions) => proxy.no_proxy(exceptions),
                None => proxy,
            }
        }
    };
    let tls = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| Error::Settings { setting: "custom_ca_bundle", message: error.to_string() })?;
    let connector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(ATTEMPT).build())
        .proxy_config(proxy)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(tls)
        .build();
    let connector = SharedHttpConnector::new(connector);
    Ok(Some(http_client_fn(move |_, _| connector.clone())))
}

impl Clients {
    /// The account that the credentials themselves name, where they do.
    pub(super) async fn account_of_credentials(&self) -> Option<String> {
        use aws_credential_types::provider::ProvideCredentials;

        let provider = self.config.credentials_provider()?;
        let credentials = provider.provide_credentials().await.ok()?;
        credentials.account_id().map(|account| account.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_no_url_is_named_before_the_first_call() {
        let check = |set: &'static str, url: &str| {
            check_endpoints(|name| (name == set).then(|| url.to_owned())).map_err(|error| error.to_string())
        };
        assert_eq!(check("AWS_ENDPOINT_URL", "http://127.0.0.1:5000"), Ok(()));
        assert_eq!(check("AWS_ENDPOINT_URL_S3", "https://s3.example.com/"), Ok(()));
        assert_eq!(check("AWS_ENDPOINT_URL", ""), Ok(()));
        for (setting, url) in [("AWS_ENDPOINT_URL", "foo"), ("AWS_ENDPOINT_URL_S3", "localhost:9000")] {
            let said = format!("`{setting}`: `{url}` is not a URL: expected a form such as `https://ec2.example.com`");
            assert_eq!(check(setting, url), Err(said));
        }
    }
}
