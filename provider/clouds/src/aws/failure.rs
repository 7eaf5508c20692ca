//! What AWS answered when it did not do what it was asked, sorted by what can be done about it.

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::Error;

/// What to do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Refused before anything was done: ask again, later.
    Throttled,
    /// No connection was made: ask again, but not for long.
    Unreachable,
    /// Lost on the way or broken over there: done or not done, nobody knows. Ask again where that does no harm.
    Ambiguous,
    /// No credentials.
    Credentials,
    /// An answer that stands.
    Answer,
}

/// A failed call, with what AWS said.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) operation: &'static str,
    pub(super) object: String,
    /// AWS' error code; empty where there was no answer.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) class: Class,
    /// How long AWS asked us to wait.
    pub(super) retry_after: Option<Duration>,
    /// Where credentials were looked for, where there are none.
    pub(super) looked_in: String,
}

/// Codes by which AWS' services say "too fast". From the SDKs' shared list of throttling codes, and what EC2, Route 53
/// and S3 add to it.
const THROTTLING: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "SlowDown",
    "EC2ThrottledException",
];

/// Codes of failures over there that pass by themselves. `OperationAborted` is S3's word for "another change of this
/// bucket is under way"; `ResourceConflict` and `ConcurrentModification` are IAM's and Route 53's.
const TRANSIENT: &[&str] = &[
    "RequestTimeout",
    "RequestTimeoutException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "Unavailable",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "ServiceFailure",
    "OperationAborted",
    "ConcurrentModification",
];

/// Codes by which AWS refuses for want of permission.
const DENIED: &[&str] = &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "NotAuthorized"];

/// Codes by which AWS refuses the credentials themselves, and what mends it.
const CREDENTIALS: &[(&[&str], &str)] = &[
    (
        &["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"],
        "AWS takes requests only within minutes of their signature's time: set this machine's clock.",
    ),
    (
        &["ExpiredToken", "ExpiredTokenException"],
        "The session of these credentials has ended: log in again (for SSO, `aws sso login`), or have the role last longer.",
    ),
    (
        &["SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"],
        "Either the secret key is not the one of this access key id, or this machine's clock is wrong, or a proxy on the way \
         changes requests.",
    ),
    (
        &[
            "AuthFailure",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidToken",
            "MissingAuthenticationToken",
            "UnrecognizedClientException",
        ],
        "AWS does not know these credentials: they were deleted or switched off, or belong to another partition, or this region \
         is one that the account has not switched on. Use others, or switch the region on.",
    ),
    (
        &["PendingVerification"],
        "AWS is still checking this new account for this region; it writes a mail when it is done, within four hours as a rule.",
    ),
    (
        &["OptInRequired", "SubscriptionRequiredException"],
        "The account has not switched on this service or region: do so in the AWS console, then wait some minutes.",
    ),
    (&["Blocked"], "AWS has blocked the account: ask AWS Support why."),
];

/// Codes of machines that are not to be had: now, or in that zone at all.
const CAPACITY: &[&str] = &["InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity", "Unsupported"];

/// Codes of a used-up quota that do not say so by their form.
const QUOTA: &[&str] = &["InsufficientFreeAddressesInSubnet", "LimitExceeded"];

impl Failure {
    pub(super) fn new<E>(operation: &'static str, object: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let (class, code, message) = match error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or_default().to_owned();
                let status = answer.raw().status().as_u16();
                let message = match answer.err().message() {
                    Some(message) if !message.is_empty() => message.to_owned(),
                    _ => format!("HTTP status {status}: {}", words(error)),
                };
                (classify(&code, status), code, message)
            }
            SdkError::DispatchFailure(failure) => {
                let class = if credentials_error(error).is_some() {
                    Class::Credentials
                } else if failure.as_connector_error().is_some_and(|connector| connector.is_io() && never_connected(error)) {
                    Class::Unreachable
                } else {
                    Class::Ambiguous
                };
                (class, String::new(), words(error))
            }
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => (Class::Ambiguous, String::new(), words(error)),
            _ if credentials_error(error).is_some() => (Class::Credentials, String::new(), words(error)),
            _ => (Class::Answer, String::new(), words(error)),
        };
        let retry_after = error.raw_response().and_then(|response| {
            let seconds = response.headers().get("retry-after")?.parse().ok()?;
            Some(Duration::from_secs(seconds).min(Duration::from_mins(1)))
        });
        Self { operation, object: object.to_owned(), code, message, class, retry_after, looked_in: String::new() }
    }

    /// Whether AWS answered with one of these codes.
    pub(super) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// Whether it says that what was named does not exist (each service has its own form of saying so).
    pub(super) fn is_not_found(&self) -> bool {
        self.code.ends_with("NotFound")
            || self.code.ends_with("NotFoundException")
            || self.code.starts_with("NoSuch")
            || self.code.ends_with("NotAttached")
    }

    /// Whether something still uses it.
    pub(super) fn is_in_use(&self) -> bool {
        self.is(&["DependencyViolation", "ResourceInUse", "DeleteConflict", "InvalidGroup.InUse"])
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { operation, object, code, message, class, looked_in, .. } = failure;
        if class == Class::Credentials {
            return Self::MissingCredentials { cloud: "aws", looked_in, message };
        }
        if CAPACITY.contains(&code.as_str()) {
            return Self::Capacity { operation, object, message: format!("{code}: {message}") };
        }
        if let Some((_, remedy)) = CREDENTIALS.iter().find(|(codes, _)| codes.contains(&code.as_str())) {
            return Self::Credentials { operation, object, message: format!("{code}: {message}"), remedy };
        }
        if is_quota(&code) {
            return Self::Quota { operation, object, message: format!("{code}: {message}") };
        }
        if DENIED.contains(&code.as_str()) {
            let hint = if message.contains("Encoded authorization failure message") {
                " (`aws sts decode-authorization-message --encoded-message …` says which policy)"
            } else {
                ""
            };
            return Self::Denied { operation, object, message: format!("{code}: {message}{hint}") };
        }
        Self::Api { operation, object, code, message }
    }
}

fn classify(code: &str, status: u16) -> Class {
    if THROTTLING.contains(&code) || status == 429 {
        Class::Throttled
    } else if TRANSIENT.contains(&code) || (status >= 500 && !is_quota(code) && !CAPACITY.contains(&code)) {
        Class::Ambiguous
    } else {
        Class::Answer
    }
}

/// EC2 names quotas `…LimitExceeded`, load balancing and Route 53 `TooMany…` (but for tags, of which no quota makes more).
/// EC2 answers a lack of capacity with status 500, which is no reason to ask again.
fn is_quota(code: &str) -> bool {
    QUOTA.contains(&code)
        || (code.ends_with("LimitExceeded") && !THROTTLING.contains(&code))
        || (code.starts_with("TooMany") && code != "TooManyTags" && !THROTTLING.contains(&code))
        || code.starts_with("MaxSpotInstanceCountExceeded")
}

fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

fn credentials_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    sources(error).find_map(|source| source.downcast_ref::<CredentialsError>())
}

/// No byte of the request left: name unknown, nobody listening, no route.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    use std::io::ErrorKind;

    sources(error).any(|source| {
        source.downcast_ref::<std::io::Error>().is_some_and(|io| {
            matches!(io.kind(), ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
        }) || source.to_string().contains("dns error")
    })
}

fn words<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: StdError + Send + Sync + 'static,
{
    match credentials_error(error) {
        Some(credentials) => chain(credentials),
        None => chain(error),
    }
}

/// What an error says and what caused it, each once.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for source in sources(error) {
        let words = source.to_string();
        if !words.is_empty() && !said.iter().any(|earlier| earlier.contains(&words)) {
            said.push(words);
        }
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str) -> Error {
        let failure = Failure {
            operation: "ec2:RunInstances",
            object: "machine `control-plane-3`".to_owned(),
            code: code.to_owned(),
            message: "You have requested more vCPU capacity than your current limit of 8".to_owned(),
            class: classify(code, 400),
            retry_after: None,
            looked_in: String::new(),
        };
        failure.into()
    }

    #[test]
    fn a_quota_keeps_the_clouds_own_words() {
        for code in ["VcpuLimitExceeded", "InstanceLimitExceeded", "InsufficientFreeAddressesInSubnet", "TooManyTargetGroups"] {
            let error = answered(code);
            assert!(matches!(error, Error::Quota { .. }), "{code}: {error:?}");
            assert!(error.to_string().contains("current limit of 8"), "{error}");
        }
    }

    #[test]
    fn missing_credentials_are_told_in_words() {
        let inner = CredentialsError::not_loaded("no providers in chain provided credentials");
        let error: SdkError<aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError, HttpResponse> =
            SdkError::dispatch_failure(aws_smithy_runtime_api::client::result::ConnectorError::other(Box::new(inner), None));
        insta::assert_snapshot!(words(&error), @"the credential provider was not enabled: no providers in chain provided credentials");
    }

    #[test]
    fn a_refusal_is_denied() {
        for code in ["UnauthorizedOperation", "AccessDenied"] {
            assert!(matches!(answered(code), Error::Denied { .. }), "{code}");
        }
    }

    #[test]
    fn what_no_permission_and_no_quota_mends_is_told_apart() {
        for (code, word) in [
            ("RequestExpired", "clock"),
            ("RequestTimeTooSkewed", "clock"),
            ("SignatureDoesNotMatch", "secret key"),
            ("ExpiredToken", "log in again"),
            ("InvalidClientTokenId", "does not know"),
            ("PendingVerification", "still checking"),
            ("OptInRequired", "switched on"),
        ] {
            let Error::Credentials { remedy, .. } = answered(code) else { panic!("{code}") };
            assert!(remedy.contains(word), "{code}: {remedy}");
        }
        for code in ["InsufficientInstanceCapacity", "Unsupported"] {
            assert!(matches!(answered(code), Error::Capacity { .. }), "{code}");
        }
        assert!(matches!(answered("TooManyTags"), Error::Api { .. }));
    }

    #[test]
    fn throttling_is_no_quota() {
        for code in ["RequestLimitExceeded", "TooManyRequestsException", "BandwidthLimitExceeded"] {
            assert!(!is_quota(code), "{code}");
            assert_eq!(classify(code, 503), Class::Throttled, "{code}");
        }
    }

    #[test]
    fn a_lack_of_capacity_is_not_asked_again() {
        assert_eq!(classify("InsufficientInstanceCapacity", 500), Class::Answer);
        assert_eq!(classify("InternalError", 500), Class::Ambiguous);
        assert_eq!(classify("", 502), Class::Ambiguous);
        assert_eq!(classify("InvalidParameterValue", 400), Class::Answer);
    }
}
