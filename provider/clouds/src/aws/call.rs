//! One call of an AWS API: bounded concurrency, retries with jittered back-off, and the snapshot dropped by a write.

use std::future::Future;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Aws;
use super::failure::{Class, Failure};
pub(super) use crate::pace::Pace;

/// Retries of one call unless the user says otherwise; AWS' own Terraform provider has the same number.
const RETRIES: u32 = 25;
/// Retries where nobody is there at all.
const UNREACHABLE_RETRIES: u32 = 6;
/// How long a thing that was just made may stay unknown to other calls.
pub(super) const SETTLE: Duration = Duration::from_mins(2);
/// Longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(20);

/// A service, for the bound on calls at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Ec2,
    Elb,
    Iam,
    Route53,
    S3,
    Sts,
}

/// How many calls of each service may be under way. Route 53 takes five a second for an account, EC2's buckets for
/// mutating calls refill at five to ten a second.
pub(super) struct Limits {
    ec2: Semaphore,
    elb: Semaphore,
    iam: Semaphore,
    route53: Semaphore,
    s3: Semaphore,
    sts: Semaphore,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            ec2: Semaphore::new(16),
            elb: Semaphore::new(8),
            iam: Semaphore::new(4),
            route53: Semaphore::new(4),
            s3: Semaphore::new(16),
            sts: Semaphore::new(2),
        }
    }

    fn of(&self, api: Api) -> &Semaphore {
        match api {
            Api::Ec2 => &self.ec2,
            Api::Elb => &self.elb,
            Api::Iam => &self.iam,
            Api::Route53 => &self.route53,
            Api::S3 => &self.s3,
            Api::Sts => &self.sts,
        }
    }
}

/// A call that is about to be made.
pub(super) struct Call<'a> {
    aws: &'a Aws,
    api: Api,
    operation: &'static str,
    object: String,
    repeatable: bool,
    settling: Option<&'a [&'a str]>,
    spreading: &'a [&'a str],
}

impl Aws {
    /// `operation` is AWS' name of the call (`ec2:RunInstances`), `object` what it is about in our words.
    pub(super) fn call(&self, api: Api, operation: &'static str, object: impl Into<String>) -> Call<'_> {
        Call { aws: self, api, operation, object: object.into(), repeatable: true, settling: None, spreading: &[] }
    }
}

impl<'a> Call<'a> {
    /// A second execution would make a second thing: an answer that was lost is not asked for again here.
    pub(super) fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    /// What the call names was made just now, so "not found" (or one of these codes) is waited out, for [`SETTLE`].
    pub(super) fn settling(mut self, codes: &'a [&'a str]) -> Self {
        self.settling = Some(codes);
        self
    }

    /// What stood in its way was removed just now, so these codes are waited out, for [`SETTLE`].
    pub(super) fn spreading(mut self, codes: &'a [&'a str]) -> Self {
        self.spreading = codes;
        self
    }

    /// Makes the call until it is answered.
    pub(super) async fn send<T, E, F, Fut>(self, send: F) -> Result<T, Failure>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let started = Instant::now();
        let retries = self.aws.settings().max_retries.unwrap_or(RETRIES);
        let mut tries = 0;
        loop {
            let permit = self.aws.limits().of(self.api).acquire().await;
            // Boxed: the SDK's futures are tens of kilobytes, and stand in ours.
            let answer = Box::pin(send()).await;
            drop(permit);
            // Also after a failure: the write may have happened.
            if is_write(self.operation) {
                self.aws.inventory().forget(self.api);
            }
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let mut failure = Failure::new(self.operation, &self.object, &error);
            if failure.class == Class::Credentials {
                failure.looked_in = self.aws.settings().looked_in();
            }
            tries += 1;
            let again = match failure.class {
                Class::Throttled => tries <= retries,
                Class::Unreachable => tries <= retries.min(UNREACHABLE_RETRIES),
                Class::Ambiguous => self.repeatable && tries <= retries,
                Class::Credentials => false,
                Class::Answer => {
                    let settles = self.settling.is_some_and(|codes| failure.is_not_found() || failure.is(codes));
                    (settles || failure.is(self.spreading)) && started.elapsed() < SETTLE
                }
            };
            if !again {
                return Err(failure);
            }
            let pause = failure.retry_after.unwrap_or(Duration::ZERO).max(back_off(tries, failure.class));
            tracing::debug!(operation = self.operation, object = %self.object, code = %failure.code,
                message = %failure.message, tries, ?pause, "asking AWS again");
            tokio::time::sleep(pause).await;
        }
    }
}

fn is_write(operation: &str) -> bool {
    let action = operation.split_once(':').map_or(operation, |(_, action)| action);
    !["Describe", "Get", "List", "Head"].iter().any(|prefix| action.starts_with(prefix))
}

/// Doubles from a fifth of a second (half a second where AWS is overrun), with half of it left to chance.
pub(super) fn back_off(tries: u32, class: Class) -> Duration {
    let first = if class == Class::Throttled { Duration::from_millis(500) } else { Duration::from_millis(200) };
    let pause = first.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST);
    pause.mul_f64(0.5 + 0.5 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_leave_the_snapshot_alone() {
        assert!(!is_write("ec2:DescribeVpcs"));
        assert!(!is_write("s3:HeadBucket"));
        assert!(is_write("ec2:CreateTags"));
        assert!(is_write("elbv2:RegisterTargets"));
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        for tries in 1..40 {
            let pause = back_off(tries, Class::Throttled);
            assert!(pause <= LONGEST, "{pause:?}");
            assert!(pause >= Duration::from_millis(250), "{pause:?}");
        }
    }
}
