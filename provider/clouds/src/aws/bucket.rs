//! Buckets: making them ours, protecting them, emptying them.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Delete, ObjectIdentifier, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tagging, VersioningConfiguration,
};
use serde_json::{Value, json};

use super::Aws;
use super::call::Api;
use super::inventory::pages;
use super::tags::{self, Tags};
use crate::{Error, Result};

/// The region that S3 calls by no name: `CreateBucket` refuses it as location constraint.
const UNNAMED: &str = "us-east-1";
/// Statement of the bucket policy that is ours.
const TLS_ONLY: &str = "InferadbTlsOnly";
/// How S3 says that a bucket of that name stands in another region.
const ELSEWHERE: &[&str] = &["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];
/// Objects that one `DeleteObjects` takes, which is also the largest page of `ListObjectVersions`.
const PAGE: i32 = 1000;
/// Pages deleted in one go: a hundred million versions. What is left then is left to the next try.
const DELETE_PAGES: usize = 100_000;

fn client(aws: &Aws, region: &str) -> Client {
    if region == aws.region() { aws.clients().s3.clone() } else { aws.clients().s3_in(region) }
}

/// Names of the account's buckets in a region.
pub(super) async fn names(aws: &Aws, region: &str) -> Result<Vec<String>> {
    let client = &client(aws, region);
    let buckets = pages(
        aws,
        Api::S3,
        "s3:ListBuckets",
        "the buckets",
        |token| client.list_buckets().bucket_region(region).max_buckets(PAGE).set_continuation_token(token).send(),
        |mut page| (page.buckets.take().unwrap_or_default(), page.continuation_token.take()),
    )
    .await?;
    Ok(buckets.into_iter().filter_map(|bucket| bucket.name).collect())
}

/// A bucket's tags; `None` where there is no bucket of that name in this account.
pub(super) async fn tags(aws: &Aws, region: &str, bucket: &str) -> Result<Option<Tags>> {
    let client = client(aws, region);
    let answer = aws
        .call(Api::S3, "s3:GetBucketTagging", format!("bucket `{bucket}`"))
        .send(|| client.get_bucket_tagging().bucket(bucket).send())
        .await;
    match answer {
        Ok(found) => Ok(Some(found.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())),
        Err(failure) if failure.is(&["NoSuchTagSet"]) => Ok(Some(Tags::new())),
        Err(failure) if failure.is(&["NoSuchBucket"]) || failure.is(ELSEWHERE) => Ok(None),
        // Another account's bucket answers so, and ours where we may not read its tags: that is no absence.
        Err(failure) if failure.is(&["AccessDenied"]) => match names(aws, region).await {
            Ok(ours) if !ours.iter().any(|name| name == bucket) => Ok(None),
            _ => Err(failure.into()),
        },
        Err(failure) => Err(failure.into()),
    }
}

/// Sets and removes tags. S3 takes the whole set only.
pub(super) async fn retag(aws: &Aws, region: &str, bucket: &str, set: &Tags, gone: &[&str]) -> Result<()> {
    let mut all = tags(aws, region, bucket).await?.unwrap_or_default();
    let before = all.clone();
    all.retain(|key, _| !gone.contains(&key.as_str()));
    all.extend(set.clone());
    if all == before { Ok(()) } else { put_tags(aws, region, bucket, &all).await }
}

async fn put_tags(aws: &Aws, region: &str, bucket: &str, all: &Tags) -> Result<()> {
    let client = client(aws, region);
    // Tags of AWS' own cannot be written.
    let own: Tags = all.iter().filter(|(key, _)| !key.starts_with("aws:")).map(|(k, v)| (k.clone(), v.clone())).collect();
    let object = format!("bucket `{bucket}`");
    let tagging = Tagging::builder().set_tag_set(Some(tags::s3(&own))).build().map_err(|error| unbuilt(&object, &error))?;
    aws.call(Api::S3, "s3:PutBucketTagging", object)
        .settling(&[])
        .send(|| client.put_bucket_tagging().bucket(bucket).tagging(tagging.clone()).send())
        .await?;
    Ok(())
}

fn unbuilt(object: &str, error: &dyn std::error::Error) -> Error {
    Error::Api { operation: "s3", object: object.to_owned(), code: String::new(), message: error.to_string() }
}

/// Makes the bucket, tags and all, or finds it. The answer is its tags.
///
/// # Errors
///
/// [`Error::Foreign`] where the name belongs to somebody else.
pub(super) async fn ensure(aws: &Aws, region: &str, bucket: &str, wanted: &Tags) -> Result<Tags> {
    let client = client(aws, region);
    let object = format!("bucket `{bucket}`");
    if let Some(found) = tags(aws, region, bucket).await? {
        return Ok(found);
    }
    let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(tags::s3(wanted)));
    if region != UNNAMED {
        configuration = configuration.location_constraint(BucketLocationConstraint::from(region));
    }
    let configuration = configuration.build();
    let made = aws
        .call(Api::S3, "s3:CreateBucket", object.as_str())
        .send(|| {
            client
                .create_bucket()
                .bucket(bucket)
                .object_ownership(ObjectOwnership::BucketOwnerEnforced)
                .create_bucket_configuration(configuration.clone())
                .send()
        })
        .await;
    let stood = match made {
        Ok(_) => false,
        Err(failure) if failure.is(&["BucketAlreadyOwnedByYou"]) => true,
        Err(failure) if failure.is(&["BucketAlreadyExists"]) => {
            return Err(Error::Foreign {
                object,
                message: "names of buckets are shared by all accounts of AWS, and another account has it: choose another name"
                    .to_owned(),
            });
        }
        Err(failure) => return Err(failure.into()),
    };
    let mut pace = super::call::Pace::new(super::call::SETTLE, std::time::Duration::from_secs(2));
    loop {
        match tags(aws, region, bucket).await? {
            Some(found) if !found.is_empty() => return Ok(found),
            // A store that does not tag buckets while it makes them.
            Some(_) => put_tags(aws, region, bucket, wanted).await?,
            None => {}
        }
        if stood && names(aws, region).await.is_ok_and(|ours| !ours.iter().any(|name| name == bucket)) {
            let message =
                "this account has it in another region of the cloud, and names of buckets are unique: choose another name"
                    .to_owned();
            return Err(Error::Foreign { object, message });
        }
        if !pace.wait().await {
            return Err(Error::NotInTime { object, awaited: "seen with its tags", seconds: super::call::SETTLE.as_secs() });
        }
    }
}

/// How a bucket is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Protection {
    pub(super) versioning: bool,
    pub(super) encrypted: bool,
    pub(super) public_access_blocked: bool,
    pub(super) tls_only: bool,
    owner_enforced: bool,
}

/// A configuration that a bucket may lack: S3 answers with a code of its own for each.
macro_rules! optional {
    ($aws:expr, $operation:literal, $bucket:expr, $send:expr, $missing:expr) => {
        match $aws.call(Api::S3, $operation, format!("bucket `{}`", $bucket)).send($send).await {
            Ok(found) => Some(found),
            Err(failure) if failure.is($missing) => None,
            Err(failure) => return Err(Error::from(failure)),
        }
    };
}

pub(super) async fn protection(aws: &Aws, region: &str, bucket: &str) -> Result<Protection> {
    let client = &client(aws, region);
    let versioning = async {
        let found =
            optional!(aws, "s3:GetBucketVersioning", bucket, || client.get_bucket_versioning().bucket(bucket).send(), &[]);
        Ok::<_, Error>(found.is_some_and(|found| found.status() == Some(&BucketVersioningStatus::Enabled)))
    };
    let encryption = async {
        let missing = &["ServerSideEncryptionConfigurationNotFoundError"];
        let found =
            optional!(aws, "s3:GetBucketEncryption", bucket, || client.get_bucket_encryption().bucket(bucket).send(), missing);
        let rules = found.and_then(|found| found.server_side_encryption_configuration);
        Ok(rules.is_some_and(|rules| rules.rules().iter().any(|r| r.apply_server_side_encryption_by_default().is_some())))
    };
    let block = async {
        let missing = &["NoSuchPublicAccessBlockConfiguration"];
        let found =
            optional!(aws, "s3:GetPublicAccessBlock", bucket, || client.get_public_access_block().bucket(bucket).send(), missing);
        Ok(found.and_then(|found| found.public_access_block_configuration).is_some_and(|block| {
            [block.block_public_acls(), block.ignore_public_acls(), block.block_public_policy(), block.restrict_public_buckets()]
                .iter()
                .all(|on| *on == Some(true))
        }))
    };
    let ownership = async {
        let missing = &["OwnershipControlsNotFoundError"];
        let found = optional!(
            aws,
            "s3:GetBucketOwnershipControls",
            bucket,
            || client.get_bucket_ownership_controls().bucket(bucket).send(),
            missing
        );
        Ok(found.and_then(|found| found.ownership_controls).is_some_and(|controls| {
            controls.rules().iter().any(|rule| rule.object_ownership() == &ObjectOwnership::BucketOwnerEnforced)
        }))
    };
    let policy = async { Ok(policy(aws, region, bucket).await?.is_some_and(|policy| is_tls_only(&policy))) };
    let (versioning, encrypted, public_access_blocked, owner_enforced, tls_only) =
        tokio::try_join!(versioning, encryption, block, ownership, policy)?;
    Ok(Protection { versioning, encrypted, public_access_blocked, tls_only, owner_enforced })
}

async fn policy(aws: &Aws, region: &str, bucket: &str) -> Result<Option<Value>> {
    let client = &client(aws, region);
    let found = optional!(
        aws,
        "s3:GetBucketPolicy",
        bucket,
        || client.get_bucket_policy().bucket(bucket).send(),
        &["NoSuchBucketPolicy"]
    );
    Ok(found.and_then(|found| serde_json::from_str(found.policy().unwrap_or_default()).ok()))
}

fn is_tls_only(policy: &Value) -> bool {
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    statements.iter().any(|statement| {
        statement.get("Effect").and_then(Value::as_str) == Some("Deny")
            && statement.pointer("/Condition/Bool/aws:SecureTransport").and_then(Value::as_str) == Some("false")
    })
}

/// The policy with our statement in it; what others put there stays.
fn with_tls_only(policy: Option<&Value>, partition: &str, bucket: &str) -> Value {
    let ours = json!({
        "Sid": TLS_ONLY,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [format!("arn:{partition}:s3:::{bucket}"), format!("arn:{partition}:s3:::{bucket}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    });
    let standing = policy.and_then(|policy| policy.get("Statement")).and_then(Value::as_array).cloned();
    let mut statements: Vec<Value> = standing.unwrap_or_default();
    statements.retain(|statement| statement.get("Sid").and_then(Value::as_str) != Some(TLS_ONLY));
    statements.push(ours);
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Sets what is missing of the protections, all at once: S3 answers `OperationAborted` where two get into each other's
/// way, which is tried again. Nobody but the owner can read the bucket before, so the order does not matter.
pub(super) async fn protect(aws: &Aws, region: &str, bucket: &str) -> Result<()> {
    let have = protection(aws, region, bucket).await?;
    let client = &client(aws, region);
    let partition = aws.identity().await?.partition.clone();
    let object = format!("bucket `{bucket}`");
    let object = object.as_str();
    let versioning = async {
        if have.versioning {
            return Ok::<(), Error>(());
        }
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        aws.call(Api::S3, "s3:PutBucketVersioning", object)
            .settling(&[])
            .send(|| client.put_bucket_versioning().bucket(bucket).versioning_configuration(on.clone()).send())
            .await?;
        Ok(())
    };
    let encryption = async {
        if have.encrypted {
            return Ok(());
        }
        // S3's own keys: replication needs no key grants, and a bucket key serves KMS only.
        let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
        let default = default.map_err(|error| unbuilt(object, &error))?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let rules = rules.map_err(|error| unbuilt(object, &error))?;
        aws.call(Api::S3, "s3:PutBucketEncryption", object)
            .settling(&[])
            .send(|| {
                let request = client.put_bucket_encryption().bucket(bucket);
                request.server_side_encryption_configuration(rules.clone()).send()
            })
            .await?;
        Ok(())
    };
    let block = async {
        if have.public_access_blocked {
            return Ok(());
        }
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        aws.call(Api::S3, "s3:PutPublicAccessBlock", object)
            .settling(&[])
            .send(|| {
                let request = client.put_public_access_block().bucket(bucket);
                request.public_access_block_configuration(all.clone()).send()
            })
            .await?;
        Ok(())
    };
    let ownership = async {
        if have.owner_enforced {
            return Ok(());
        }
        let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced).build();
        let rule = rule.map_err(|error| unbuilt(object, &error))?;
        let controls = OwnershipControls::builder().rules(rule).build().map_err(|error| unbuilt(object, &error))?;
        aws.call(Api::S3, "s3:PutBucketOwnershipControls", object)
            .settling(&[])
            .send(|| client.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls.clone()).send())
            .await?;
        Ok(())
    };
    let tls = async {
        if have.tls_only {
            return Ok(());
        }
        let policy = with_tls_only(policy(aws, region, bucket).await?.as_ref(), &partition, bucket).to_string();
        aws.call(Api::S3, "s3:PutBucketPolicy", object)
            .settling(&[])
            .send(|| client.put_bucket_policy().bucket(bucket).policy(&policy).send())
            .await?;
        Ok(())
    };
    tokio::try_join!(versioning, encryption, block, ownership, tls)?;
    Ok(())
}

/// Whether any version or delete marker is in it.
pub(super) async fn is_empty(aws: &Aws, region: &str, bucket: &str) -> Result<bool> {
    let client = client(aws, region);
    let first = aws
        .call(Api::S3, "s3:ListObjectVersions", format!("bucket `{bucket}`"))
        .send(|| client.list_object_versions().bucket(bucket).max_keys(1).send())
        .await;
    match first {
        Ok(page) => Ok(page.versions().is_empty() && page.delete_markers().is_empty()),
        Err(failure) if failure.is(&["NoSuchBucket"]) => Ok(true),
        Err(failure) => Err(failure.into()),
    }
}

/// Deletes every version and delete marker, page by page.
pub(super) async fn empty(aws: &Aws, region: &str, bucket: &str) -> Result<()> {
    let client = &client(aws, region);
    let object = format!("the objects of bucket `{bucket}`");
    for _ in 0..DELETE_PAGES {
        // Always the first page: what it held is gone by the next look.
        let page = aws
            .call(Api::S3, "s3:ListObjectVersions", object.as_str())
            .send(|| client.list_object_versions().bucket(bucket).max_keys(PAGE).send())
            .await;
        let page = match page {
            Err(failure) if failure.is(&["NoSuchBucket"]) => return Ok(()),
            other => other?,
        };
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let all: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                let version = version.map(str::to_owned);
                ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok()
            })
            .collect();
        if all.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder().set_objects(Some(all)).quiet(true).build();
        let delete = delete.map_err(|error| unbuilt(&object, &error))?;
        let answer = aws
            .call(Api::S3, "s3:DeleteObjects", object.as_str())
            .send(|| client.delete_objects().bucket(bucket).delete(delete.clone()).send())
            .await?;
        if let Some(error) = answer.errors().iter().find(|error| !matches!(error.code(), Some("InternalError" | "SlowDown"))) {
            return Err(Error::Api {
                operation: "s3:DeleteObjects",
                object: format!("`{}` of bucket `{bucket}`", error.key().unwrap_or_default()),
                code: error.code().unwrap_or_default().to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
            });
        }
    }
    Err(Error::NotEmpty { object: format!("bucket `{bucket}`"), message: "too many objects for one try: try again".to_owned() })
}

/// Removes the bucket.
///
/// # Errors
///
/// [`Error::NotEmpty`] where there is something in it.
pub(super) async fn remove(aws: &Aws, region: &str, bucket: &str) -> Result<()> {
    let client = client(aws, region);
    let object = format!("bucket `{bucket}`");
    let gone = aws.call(Api::S3, "s3:DeleteBucket", object.as_str()).send(|| client.delete_bucket().bucket(bucket).send()).await;
    match gone {
        Ok(_) => Ok(()),
        Err(failure) if failure.is(&["NoSuchBucket"]) => Ok(()),
        Err(failure) if failure.is(&["BucketNotEmpty"]) => Err(Error::NotEmpty { object, message: failure.message }),
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_keeps_what_others_put_there() {
        let theirs = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "Audit", "Effect": "Allow" }] });
        let policy = with_tls_only(Some(&theirs), "aws-cn", "b");
        assert!(is_tls_only(&policy));
        assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(2));
        assert_eq!(policy["Statement"][1]["Resource"][1], "arn:aws-cn:s3:::b/*");
        assert_eq!(with_tls_only(Some(&policy), "aws-cn", "b"), policy, "a second time changes nothing");
    }
}
