//! A bucket's lifecycle rules.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter, NoncurrentVersionExpiration, Transition, TransitionStorageClass,
};

use super::Aws;
use super::call::Api;
use crate::{Error, Result};

const KEEP: &str = "inferadb-noncurrent";
const ARCHIVE: &str = "inferadb-archive";
const EXPIRE: &str = "inferadb-retention";

/// What happens to objects by age, in days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ages {
    pub(super) noncurrent: Option<u32>,
    pub(super) abort_incomplete: Option<u32>,
    pub(super) archive_after: Option<u32>,
    pub(super) retention: Option<u32>,
}

fn days(days: u32) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}

fn rule(id: &str) -> aws_sdk_s3::types::builders::LifecycleRuleBuilder {
    let everything = LifecycleRuleFilter::builder().prefix("").build();
    LifecycleRule::builder().id(id).status(ExpirationStatus::Enabled).filter(everything)
}

/// A delete marker over nothing goes too; S3 takes that in no rule that expires by days, so retention is a rule of its own.
fn rules(ages: Ages) -> std::result::Result<Vec<LifecycleRule>, aws_sdk_s3::error::BuildError> {
    let mut keep = rule(KEEP).expiration(LifecycleExpiration::builder().expired_object_delete_marker(true).build());
    if let Some(after) = ages.noncurrent {
        let expiration = NoncurrentVersionExpiration::builder().noncurrent_days(days(after)).build();
        keep = keep.noncurrent_version_expiration(expiration);
    }
    if let Some(after) = ages.abort_incomplete {
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(days(after)).build();
        keep = keep.abort_incomplete_multipart_upload(abort);
    }
    let mut all = vec![keep.build()?];
    if let Some(after) = ages.archive_after {
        let class = TransitionStorageClass::GlacierIr;
        all.push(rule(ARCHIVE).transitions(Transition::builder().days(days(after)).storage_class(class).build()).build()?);
    }
    if let Some(after) = ages.retention {
        all.push(rule(EXPIRE).expiration(LifecycleExpiration::builder().days(days(after)).build()).build()?);
    }
    Ok(all)
}

fn is_ours(rule: &LifecycleRule) -> bool {
    rule.id().is_some_and(|id| [KEEP, ARCHIVE, EXPIRE].contains(&id))
}

/// What our rules say. Rules of others may stand beside them, and are theirs.
fn ages(rules: &[LifecycleRule]) -> Ages {
    let on = || rules.iter().filter(|rule| is_ours(rule) && rule.status() == &ExpirationStatus::Enabled);
    let number = |days: i32| u32::try_from(days).ok();
    Ages {
        noncurrent: on().find_map(|r| r.noncurrent_version_expiration()?.noncurrent_days().and_then(number)),
        abort_incomplete: on().find_map(|r| r.abort_incomplete_multipart_upload()?.days_after_initiation().and_then(number)),
        archive_after: on().find_map(|r| r.transitions().iter().find_map(|t| t.days().and_then(number))),
        retention: on().find_map(|r| r.expiration()?.days().and_then(number)),
    }
}

async fn standing(aws: &Aws, client: &aws_sdk_s3::Client, bucket: &str) -> Result<Vec<LifecycleRule>> {
    let found = aws
        .call(Api::S3, "s3:GetLifecycleConfiguration", format!("bucket `{bucket}`"))
        .send(|| client.get_bucket_lifecycle_configuration().bucket(bucket).send())
        .await;
    match found {
        Ok(found) => Ok(found.rules().to_vec()),
        Err(failure) if failure.is(&["NoSuchLifecycleConfiguration"]) => Ok(Vec::new()),
        Err(failure) => Err(failure.into()),
    }
}

fn client(aws: &Aws, region: &str) -> aws_sdk_s3::Client {
    if region == aws.region() { aws.clients().s3.clone() } else { aws.clients().s3_in(region) }
}

/// The ages as found.
pub(super) async fn read(aws: &Aws, region: &str, bucket: &str) -> Result<Ages> {
    Ok(ages(&standing(aws, &client(aws, region), bucket).await?))
}

/// Our rules as wanted; those of others stay. Answers that still tell the old rules are waited out.
pub(super) async fn ensure(aws: &Aws, region: &str, bucket: &str, wanted: Ages) -> Result<()> {
    let client = client(aws, region);
    let found = standing(aws, &client, bucket).await?;
    if ages(&found) == wanted {
        return Ok(());
    }
    let object = format!("bucket `{bucket}`");
    let built = |error: aws_sdk_s3::error::BuildError| Error::Api {
        operation: "s3:PutLifecycleConfiguration",
        object: object.clone(),
        code: String::new(),
        message: error.to_string(),
    };
    let mut all = rules(wanted).map_err(built)?;
    all.extend(found.into_iter().filter(|rule| !is_ours(rule)));
    let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(all)).build().map_err(built)?;
    aws.call(Api::S3, "s3:PutLifecycleConfiguration", object.as_str())
        .settling(&[])
        .send(|| {
            let request = client.put_bucket_lifecycle_configuration().bucket(bucket);
            request.lifecycle_configuration(configuration.clone()).send()
        })
        .await?;
    let mut pace = super::call::Pace::new(super::call::SETTLE, std::time::Duration::from_secs(2));
    while ages(&standing(aws, &client, bucket).await?) != wanted {
        if !pace.wait().await {
            let seconds = super::call::SETTLE.as_secs();
            return Err(Error::NotInTime { object, awaited: "seen with its lifecycle rules", seconds });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_back_as_they_were_written() {
        for wanted in [
            Ages { noncurrent: Some(7), abort_incomplete: Some(1), ..Ages::default() },
            Ages { noncurrent: Some(7), abort_incomplete: Some(1), archive_after: Some(30), retention: Some(365) },
        ] {
            assert_eq!(ages(&rules(wanted).unwrap()), wanted);
        }
    }

    #[test]
    fn a_rule_of_somebody_elses_says_nothing_of_ours() {
        let days = |days| LifecycleExpiration::builder().days(days).build();
        let theirs = || rule("logs").expiration(days(3)).build().unwrap();
        let wanted = Ages { noncurrent: Some(7), abort_incomplete: Some(1), ..Ages::default() };
        let all: Vec<LifecycleRule> = std::iter::once(theirs()).chain(rules(wanted).unwrap()).collect();
        assert_eq!(ages(&all), wanted);
        assert_eq!(ages(&[theirs()]), Ages::default());
    }
}
