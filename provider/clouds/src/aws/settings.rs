//! What a user may set about the connection to AWS; each name is the one that AWS' own Terraform provider uses.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach AWS and as whom. The default follows the environment and the shared config files, as the AWS CLI does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// Profile in the shared config files, and nothing but it; else the whole chain, with `AWS_PROFILE`, else `default`.
    pub profile: Option<String>,
    /// Shared config files instead of `~/.aws/config`; later ones win.
    pub shared_config_files: Vec<PathBuf>,
    /// Shared credentials files instead of `~/.aws/credentials`; later ones win.
    pub shared_credentials_files: Vec<PathBuf>,
    /// Roles to assume, each with the credentials of the one before it.
    pub assume_role: Vec<AssumeRole>,
    /// Endpoint URL per service: `ec2`, `elbv2`, `iam`, `route53`, `s3`, `sts` (also by their other usual names, see
    /// [`AwsSettings::endpoint`]). What is not named here follows `AWS_ENDPOINT_URL_*`, then `AWS_ENDPOINT_URL`.
    pub endpoints: BTreeMap<String, String>,
    /// Retries of one call after throttling or a transient failure; 25 unless told.
    pub max_retries: Option<u32>,
    /// PEM file with certificates to trust besides the system's; else `AWS_CA_BUNDLE`.
    pub custom_ca_bundle: Option<PathBuf>,
    /// Proxy for all calls, as URL; else `HTTPS_PROXY` and its kin from the environment.
    pub http_proxy: Option<String>,
    /// Hosts to reach without `http_proxy`, as a comma-separated list.
    pub no_proxy: Option<String>,
    /// The account is taken from the credentials where they name it, without asking STS.
    pub skip_credentials_validation: bool,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    pub s3_use_path_style: bool,
    /// FIPS endpoints.
    pub use_fips_endpoint: bool,
    /// Dual-stack endpoints.
    pub use_dualstack_endpoint: bool,
}

/// A role to act in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssumeRole {
    /// ARN of the role.
    pub role_arn: String,
    /// Session name; `terraform-provider-inferadb` unless told.
    pub session_name: Option<String>,
    /// External id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Lifetime of the session.
    pub duration: Option<Duration>,
    /// Inline policy (JSON) that narrows the session.
    pub policy: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
}

impl AwsSettings {
    /// The endpoint that was set for a service, under any of the names that are in use for it.
    pub fn endpoint(&self, service: &str) -> Option<&str> {
        let names: &[&str] = match service {
            "elbv2" => &["elbv2", "elb", "elasticloadbalancing", "elasticloadbalancingv2"],
            "s3" => &["s3", "s3api"],
            other => return self.endpoints.get(other).map(String::as_str),
        };
        names.iter().find_map(|name| self.endpoints.get(*name)).map(String::as_str)
    }

    /// Names that [`AwsSettings::endpoints`] takes.
    pub const ENDPOINT_NAMES: &[&str] =
        &["ec2", "elb", "elbv2", "elasticloadbalancing", "elasticloadbalancingv2", "iam", "route53", "s3", "s3api", "sts"];

    /// Where credentials are looked for, in words, for the message that says that there are none.
    pub(super) fn looked_in(&self) -> String {
        let profile = self.profile.as_deref().unwrap_or("of AWS_PROFILE, else `default`");
        let files = if self.shared_config_files.is_empty() && self.shared_credentials_files.is_empty() {
            "~/.aws/config and ~/.aws/credentials".to_owned()
        } else {
            let files: Vec<String> = self
                .shared_config_files
                .iter()
                .chain(&self.shared_credentials_files)
                .map(|file| file.display().to_string())
                .collect();
            files.join(", ")
        };
        let profile = format!("profile {profile} in {files} (keys, SSO, credential_process, source_profile)");
        if self.profile.is_some() {
            return profile;
        }
        [
            "the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
            &profile,
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "the container's credentials endpoint",
            "the instance metadata service",
        ]
        .join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_under_each_name_of_its_service() {
        let endpoints = BTreeMap::from([("elb".to_owned(), "http://127.0.0.1:1".to_owned())]);
        let settings = AwsSettings { endpoints, ..AwsSettings::default() };
        assert_eq!(settings.endpoint("elbv2"), Some("http://127.0.0.1:1"));
        assert_eq!(settings.endpoint("ec2"), None);
    }

    #[test]
    fn the_places_that_were_searched_name_the_profile() {
        let settings = AwsSettings { profile: Some("ops".to_owned()), ..AwsSettings::default() };
        let places = settings.looked_in();
        assert!(places.contains("profile ops"), "{places}");
        for other in ["AWS_ACCESS_KEY_ID", "metadata service"] {
            assert!(!places.contains(other), "{places}");
        }
    }
}
