//! The clouds that can be used: for each a block of settings and a way to connect.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clouds::aws::AwsSettings;
use clouds::docker::DockerSettings;
use clouds::{Cloud, Place, ProviderType};
use tf_provider::{Diagnostic, Model, Value, parse_duration, path};

/// Settings for Amazon Web Services.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct Aws {
    /// Profile of the shared config and credentials files; credentials are then looked for there and nowhere else. The whole chain,
    /// with the profile that `AWS_PROFILE` names, else `default`, unless given.
    #[attr(optional)]
    pub(crate) profile: Value<String>,
    /// Shared config files instead of `~/.aws/config`. Of two that say the same, the later wins.
    #[attr(optional)]
    pub(crate) shared_config_files: Value<Vec<Value<String>>>,
    /// Shared credentials files instead of `~/.aws/credentials`. Of two that say the same, the later wins.
    #[attr(optional)]
    pub(crate) shared_credentials_files: Value<Vec<Value<String>>>,
    /// How often one call is repeated at most when AWS throttles it or fails, 0 to 1000. 25 unless given.
    #[attr(optional, validate = max_retries)]
    pub(crate) max_retries: Value<i64>,
    /// File with certificates in PEM to trust besides the system's. The one that `AWS_CA_BUNDLE` names unless given.
    #[attr(optional)]
    pub(crate) custom_ca_bundle: Value<String>,
    /// URL of the proxy for all calls. The one that `HTTPS_PROXY` or `ALL_PROXY` names unless given.
    #[attr(optional, validate = url)]
    pub(crate) http_proxy: Value<String>,
    /// Hosts to reach without `http_proxy`, separated by commas. `NO_PROXY` unless given.
    #[attr(optional)]
    pub(crate) no_proxy: Value<String>,
    /// Whether the account is taken from the credentials where they name it, without asking STS. `false` unless given.
    #[attr(optional)]
    pub(crate) skip_credentials_validation: Value<bool>,
    /// Whether to use endpoints that comply with FIPS 140. What the environment or the profile says unless given.
    #[attr(optional)]
    pub(crate) use_fips_endpoint: Value<bool>,
    /// Whether to use endpoints that answer over IPv6 too. What the environment or the profile says unless given.
    #[attr(optional)]
    pub(crate) use_dualstack_endpoint: Value<bool>,
    /// Whether a bucket's name goes into the path instead of the host, as some S3-compatible stores need it. `false` unless
    /// given.
    #[attr(optional)]
    pub(crate) s3_use_path_style: Value<bool>,

    #[block]
    pub(crate) assume_role: Value<Vec<AssumeRole>>,
    #[block]
    pub(crate) endpoints: Value<Endpoints>,
}

/// Role to act in. Of several, each is assumed with the credentials of the one before it.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct AssumeRole {
    /// ARN of the role.
    #[attr(required, validate = role_arn)]
    pub(crate) role_arn: Value<String>,
    /// Name of the session. `terraform-provider-inferadb` unless given.
    #[attr(optional)]
    pub(crate) session_name: Value<String>,
    /// External id that the role's trust policy asks for.
    #[attr(optional)]
    pub(crate) external_id: Value<String>,
    /// How long the session lasts, such as `1h30m`; from 15 minutes to 12 hours. One hour, the default of AWS, unless given.
    #[attr(optional, validate = session_duration)]
    pub(crate) duration: Value<String>,
    /// Policy in JSON that narrows what the session may do.
    #[attr(optional)]
    pub(crate) policy: Value<String>,
    /// Tags of the session.
    #[attr(optional)]
    pub(crate) tags: Value<BTreeMap<String, Value<String>>>,
}

/// Where to reach each service instead of at AWS' own address: a URL such as `https://ec2.example.com`. What is not given
/// follows `AWS_ENDPOINT_URL_…` for the service, then `AWS_ENDPOINT_URL`.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct Endpoints {
    /// URL of EC2.
    #[attr(optional, validate = url)]
    pub(crate) ec2: Value<String>,
    /// URL of Elastic Load Balancing.
    #[attr(optional, validate = url)]
    pub(crate) elbv2: Value<String>,
    /// URL of IAM.
    #[attr(optional, validate = url)]
    pub(crate) iam: Value<String>,
    /// URL of Route 53.
    #[attr(optional, validate = url)]
    pub(crate) route53: Value<String>,
    /// URL of S3.
    #[attr(optional, validate = url)]
    pub(crate) s3: Value<String>,
    /// URL of STS.
    #[attr(optional, validate = url)]
    pub(crate) sts: Value<String>,
}

/// Settings for Docker.
#[derive(Model, Clone, Debug, PartialEq)]
pub(crate) struct Docker {
    /// Address of the engine: `unix:///var/run/docker.sock` or `tcp://HOST:2376`. That of `context`, else `DOCKER_HOST`, else that
    /// of the Docker CLI's current context, unless given.
    #[attr(optional, validate = engine)]
    pub(crate) host: Value<String>,
    /// Folder with `ca.pem`, `cert.pem` and `key.pem` for an engine that is reached by TLS. `DOCKER_CERT_PATH`, where
    /// `DOCKER_TLS_VERIFY` is set, unless given.
    #[attr(optional)]
    pub(crate) cert_path: Value<String>,
    /// Context of the Docker CLI that says where the engine is. `DOCKER_CONTEXT` unless given.
    #[attr(optional)]
    pub(crate) context: Value<String>,
    /// Image of the load balancers, such as one of a registry of your own. The official HAProxy unless given.
    #[attr(optional)]
    pub(crate) load_balancer_image: Value<String>,
    /// Image of backup stores. The official Versity S3 Gateway unless given.
    #[attr(optional)]
    pub(crate) backup_image: Value<String>,
}

fn engine(text: &str) -> Result<(), String> {
    if text.starts_with("unix:///") || text.starts_with("tcp://") {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is no address of an engine: expected a form such as `unix:///var/run/docker.sock` or `tcp://HOST:2376`"
        ))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the derive passes attributes by reference")]
fn max_retries(retries: &i64) -> Result<(), String> {
    if (0..=1000).contains(retries) { Ok(()) } else { Err(format!("{retries} retries: expected 0 to 1000")) }
}

fn url(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(host) if !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace) => Ok(()),
        _ => Err(format!("`{text}` is not a URL: expected a form such as `https://ec2.example.com`")),
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
fn role_arn(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_role = |partition: &str, account: &str, role: &str| {
        partition.starts_with("aws")
            && account.len() == 12
            && account.bytes().all(|c| c.is_ascii_digit())
            && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
    };
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, role] if is_role(partition, account, role) => Ok(()),
        _ => Err(format!("`{text}` is not the ARN of a role: expected a form such as `arn:aws:iam::123456789012:role/deploy`")),
    }
}

fn session_duration(text: &str) -> Result<(), String> {
    duration(text).map(drop)
}

/// How long STS lets a session last.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).ok_or_else(|| format!("`{text}` is not a duration: expected a form such as `1h30m`"))?;
    if (900..=43_200).contains(&duration.as_secs()) {
        Ok(duration)
    } else {
        Err(format!("`{text}` cannot be had: a session lasts from 15 minutes to 12 hours"))
    }
}

/// Settings of each cloud; `None` while a value in its block is unknown.
#[derive(Clone, Default)]
pub(crate) struct CloudSettings {
    aws: Option<AwsSettings>,
    docker: Option<DockerSettings>,
}

impl CloudSettings {
    /// Reads the provider's blocks.
    pub(crate) fn new(aws: &Value<Aws>, docker: &Value<Docker>) -> Result<Self, Diagnostic> {
        Ok(Self { aws: aws_settings(aws)?, docker: docker_settings(docker) })
    }

    /// Whether all settings of a cloud are known, so that it can be connected.
    pub(crate) fn are_known(&self, cloud: ProviderType) -> bool {
        match cloud {
            ProviderType::Aws => self.aws.is_some(),
            ProviderType::Docker => self.docker.is_some(),
        }
    }

    /// Connects to a cloud in one place. A new cloud is a line here.
    pub(crate) async fn connect(&self, place: &Place) -> clouds::Result<Arc<dyn Cloud>> {
        match place.provider_type {
            ProviderType::Aws => clouds::aws::connect(&place.provider_region, self.aws.clone().unwrap_or_default()).await,
            ProviderType::Docker => clouds::docker::connect(self.docker.clone().unwrap_or_default()).await,
        }
    }
}

/// `None` where any value is unknown.
fn aws_settings(block: &Value<Aws>) -> Result<Option<AwsSettings>, Diagnostic> {
    match block {
        Value::Null => Ok(Some(AwsSettings::default())),
        Value::Unknown(_) => Ok(None),
        Value::Known(block) => known_aws_settings(block).transpose(),
    }
}

/// `None` where any value is unknown.
fn docker_settings(block: &Value<Docker>) -> Option<DockerSettings> {
    let Some(block) = optional(block)? else { return Some(DockerSettings::default()) };
    Some(DockerSettings {
        host: optional(&block.host)?,
        cert_path: optional(&block.cert_path)?.map(PathBuf::from),
        context: optional(&block.context)?,
        load_balancer_image: optional(&block.load_balancer_image)?,
        backup_image: optional(&block.backup_image)?,
    })
}

fn known_aws_settings(block: &Aws) -> Option<Result<AwsSettings, Diagnostic>> {
    let mut roles = Vec::new();
    for (place, role) in list(&block.assume_role)?.into_iter().enumerate() {
        let duration = match optional(&role.duration)?.as_deref().map(duration).transpose() {
            Ok(duration) => duration,
            Err(problem) => {
                return Some(Err(Diagnostic::error(problem).at(path!("aws", "assume_role", [place], "duration"))));
            }
        };
        roles.push(clouds::aws::AssumeRole {
            role_arn: optional(&role.role_arn)?.unwrap_or_default(),
            session_name: optional(&role.session_name)?,
            external_id: optional(&role.external_id)?,
            duration,
            policy: optional(&role.policy)?,
            tags: strings_by_key(&role.tags)?,
        });
    }
    Some(Ok(AwsSettings {
        profile: optional(&block.profile)?,
        shared_config_files: paths(&block.shared_config_files)?,
        shared_credentials_files: paths(&block.shared_credentials_files)?,
        assume_role: roles,
        endpoints: endpoints(&block.endpoints)?,
        max_retries: optional(&block.max_retries)?.and_then(|retries| u32::try_from(retries).ok()),
        custom_ca_bundle: optional(&block.custom_ca_bundle)?.map(PathBuf::from),
        http_proxy: optional(&block.http_proxy)?,
        no_proxy: optional(&block.no_proxy)?,
        skip_credentials_validation: optional(&block.skip_credentials_validation)?.unwrap_or_default(),
        s3_use_path_style: optional(&block.s3_use_path_style)?.unwrap_or_default(),
        use_fips_endpoint: optional(&block.use_fips_endpoint)?.unwrap_or_default(),
        use_dualstack_endpoint: optional(&block.use_dualstack_endpoint)?.unwrap_or_default(),
    }))
}

fn endpoints(block: &Value<Endpoints>) -> Option<BTreeMap<String, String>> {
    let Some(block) = optional(block)? else { return Some(BTreeMap::new()) };
    let named = [
        ("ec2", &block.ec2),
        ("elbv2", &block.elbv2),
        ("iam", &block.iam),
        ("route53", &block.route53),
        ("s3", &block.s3),
        ("sts", &block.sts),
    ];
    let mut endpoints = BTreeMap::new();
    for (service, url) in named {
        if let Some(url) = optional(url)? {
            endpoints.insert(service.to_owned(), url);
        }
    }
    Some(endpoints)
}

/// Outer `None`: unknown. Inner `None`: not set.
#[allow(clippy::option_option, reason = "not set and not known differ")]
fn optional<T: Clone>(value: &Value<T>) -> Option<Option<T>> {
    match value {
        Value::Null => Some(None),
        Value::Unknown(_) => None,
        Value::Known(value) => Some(Some(value.clone())),
    }
}

/// `None` where the list is unknown; null is empty.
fn list<T: Clone>(value: &Value<Vec<T>>) -> Option<Vec<T>> {
    Some(optional(value)?.unwrap_or_default())
}

fn paths(files: &Value<Vec<Value<String>>>) -> Option<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for file in list(files)? {
        paths.extend(optional(&file)?.map(PathBuf::from));
    }
    Some(paths)
}

fn strings_by_key(map: &Value<BTreeMap<String, Value<String>>>) -> Option<BTreeMap<String, String>> {
    let mut strings = BTreeMap::new();
    for (key, value) in optional(map)?.unwrap_or_default() {
        if let Some(value) = optional(&value)? {
            strings.insert(key, value);
        }
    }
    Some(strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Aws {
        Aws {
            profile: Value::Null,
            shared_config_files: Value::Null,
            shared_credentials_files: Value::Null,
            max_retries: Value::Null,
            custom_ca_bundle: Value::Null,
            http_proxy: Value::Null,
            no_proxy: Value::Null,
            skip_credentials_validation: Value::Null,
            use_fips_endpoint: Value::Null,
            use_dualstack_endpoint: Value::Null,
            s3_use_path_style: Value::Null,
            assume_role: Value::Known(Vec::new()),
            endpoints: Value::Null,
        }
    }

    #[test]
    fn an_empty_block_means_the_same_as_none() {
        assert_eq!(aws_settings(&Value::Null), Ok(Some(AwsSettings::default())));
        assert_eq!(aws_settings(&Value::Known(empty())), Ok(Some(AwsSettings::default())));
    }

    #[test]
    fn an_unknown_setting_leaves_the_cloud_unconnected() {
        for block in [
            Aws { profile: Value::unknown(), ..empty() },
            Aws { shared_config_files: Value::Known(vec![Value::unknown()]), ..empty() },
            Aws { endpoints: Value::unknown(), ..empty() },
        ] {
            assert_eq!(aws_settings(&Value::Known(block)), Ok(None));
        }
    }

    #[test]
    fn what_is_set_arrives() {
        let role = AssumeRole {
            role_arn: "arn:aws:iam::123456789012:role/deploy".into(),
            session_name: Value::Null,
            external_id: "outside".into(),
            duration: "1h30m".into(),
            policy: Value::Null,
            tags: Value::Null,
        };
        let endpoints = Endpoints {
            ec2: "http://127.0.0.1:5000".into(),
            elbv2: Value::Null,
            iam: Value::Null,
            route53: Value::Null,
            s3: Value::Null,
            sts: Value::Null,
        };
        let block = Aws {
            max_retries: 3.into(),
            shared_config_files: Value::Known(vec!["a".into(), "b".into()]),
            assume_role: Value::Known(vec![role]),
            endpoints: endpoints.into(),
            ..empty()
        };
        let settings = aws_settings(&Value::Known(block)).unwrap().unwrap();
        assert_eq!(settings.max_retries, Some(3));
        assert_eq!(settings.shared_config_files, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(settings.assume_role[0].duration, Some(Duration::from_mins(90)));
        assert_eq!(settings.assume_role[0].external_id.as_deref(), Some("outside"));
        assert_eq!(settings.endpoints["ec2"], "http://127.0.0.1:5000");
    }

    #[test]
    fn sessions_last_as_long_as_sts_lets_them() {
        assert_eq!(duration("900s"), Ok(Duration::from_mins(15)));
        assert_eq!(duration("12h"), Ok(Duration::from_hours(12)));
        for wrong in ["", "1d", "14m", "13h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn roles_are_named_by_arn() {
        for right in ["arn:aws:iam::123456789012:role/deploy", "arn:aws-us-gov:iam::123456789012:role/team/deploy"] {
            assert_eq!(role_arn(right), Ok(()), "{right}");
        }
        for wrong in ["foo", "", "arn:aws:iam::123456789012:user/me", "arn:aws:iam::1:role/a", "arn:aws:iam::123456789012:role/"]
        {
            assert!(role_arn(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn endpoints_are_urls() {
        assert_eq!(url("http://127.0.0.1:5000"), Ok(()));
        for wrong in ["127.0.0.1:5000", "https://", "ftp://a", "https:///a", "https://a b"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
