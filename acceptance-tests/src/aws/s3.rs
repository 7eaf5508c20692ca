//! S3's rules: bucket names and regions, deletion of empty buckets only, and what replication needs.

use std::time::Instant;

use http::{HeaderValue, Method, StatusCode};

use super::answer::{Answer, Refusal};
use super::images::glob;
use super::moto::Caller;
use super::request::{Request, Service};
use super::state::Bucket;
use super::xml::Element;
use super::{Cloud, caller, s3_policy};

/// Actions whose answers were compared with what AWS does.
pub(crate) const REVIEWED: &[&str] = &[
    "AbortMultipartUpload",
    "CreateBucket",
    "DeleteBucket",
    "DeleteBucketLifecycle",
    "DeleteBucketPolicy",
    "DeleteBucketReplication",
    "DeleteObject",
    "DeleteObjects",
    "GetBucketEncryption",
    "GetBucketLifecycleConfiguration",
    "GetBucketLocation",
    "GetBucketPolicy",
    "GetBucketReplication",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetObject",
    "GetPublicAccessBlock",
    "HeadBucket",
    "ListBuckets",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjectsV2",
    "PutBucketEncryption",
    "PutBucketLifecycleConfiguration",
    "PutBucketPolicy",
    "PutBucketReplication",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutObject",
    "PutPublicAccessBlock",
];

pub(crate) async fn carry_out(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    if request.action != "CreateBucket"
        && let Some(elsewhere) = redirect(cloud, request)
    {
        return Ok(elsewhere);
    }
    check_policy(cloud, request, account).await?;
    match request.action.as_str() {
        "CreateBucket" => create(cloud, request, account).await,
        "DeleteBucket" => delete(cloud, request, account).await,
        "PutBucketVersioning" => {
            let answer = cloud.moto.forward(request, account).await?;
            if answer.is_ok() {
                let from = Instant::now() + cloud.config.timing.versioning_known_after;
                cloud.state().versioned_from.entry(request.bucket.clone()).or_insert(from);
            }
            Ok(answer)
        }
        "PutBucketLifecycleConfiguration" => {
            check_lifecycle(&request.tree())?;
            cloud.moto.forward(request, account).await
        }
        "PutBucketReplication" => put_replication(cloud, request, account).await,
        "GetBucketPolicy" => s3_policy::get(cloud, request, account).await,
        "PutBucketPolicy" => s3_policy::put(cloud, request, account).await,
        "DeleteBucketPolicy" => s3_policy::delete(cloud, request, account).await,
        "Unknown" => Err(Refusal::new("MethodNotAllowed", "The specified method is not allowed against this resource.")
            .with_status(StatusCode::METHOD_NOT_ALLOWED)),
        _ => {
            let answer = cloud.moto.forward(request, account).await?;
            // moto says no more than the status of some refusals.
            if answer.status == StatusCode::FORBIDDEN && request.method != Method::HEAD && answer.code().starts_with("HTTP ") {
                return Err(Refusal::new("AccessDenied", "Access Denied").with_status(StatusCode::FORBIDDEN));
            }
            Ok(rooted(&request.action, answer))
        }
    }
}

/// What a bucket's policy forbids everybody, its owner too. Statements with conditions are left out: the one that asks for TLS
/// would forbid every call here.
async fn check_policy(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    if request.bucket.is_empty() || request.action.ends_with("BucketPolicy") || request.action == "CreateBucket" {
        return Ok(());
    }
    let target = format!("/{}?policy", request.bucket);
    // A bucket that is not there or has no policy forbids nothing.
    let Ok(text) = cloud.moto.rest_text("s3", caller(request, account), &target).await else { return Ok(()) };
    let policy: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let action = format!("s3:{}", request.action);
    let names = |value: &serde_json::Value| match value {
        serde_json::Value::String(name) => vec![name.clone()],
        serde_json::Value::Array(names) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let forbids = |statement: &serde_json::Value| {
        statement["Effect"] == "Deny"
            && statement["Principal"] == "*"
            && statement["Condition"].is_null()
            && names(&statement["Action"]).iter().any(|name| glob(name, &action))
    };
    if policy["Statement"].as_array().is_some_and(|statements| statements.iter().any(forbids)) {
        return Err(Refusal::new(
            "AccessDenied",
            format!("User: arn:aws:iam::{account}:user/sandbox is not authorized to perform: {action} on resource: \"arn:aws:s3:::{}\" with an explicit deny in a resource-based policy", request.bucket),
        )
        .with_status(StatusCode::FORBIDDEN));
    }
    Ok(())
}

/// The name of an answer's root element, which moto makes of the action's name for some.
const ROOTS: [(&str, &str); 11] = [
    ("GetBucketVersioning", "VersioningConfiguration"),
    ("GetBucketTagging", "Tagging"),
    ("GetBucketEncryption", "ServerSideEncryptionConfiguration"),
    ("GetPublicAccessBlock", "PublicAccessBlockConfiguration"),
    ("GetBucketLifecycleConfiguration", "LifecycleConfiguration"),
    ("GetBucketReplication", "ReplicationConfiguration"),
    ("GetBucketOwnershipControls", "OwnershipControls"),
    ("ListBuckets", "ListAllMyBucketsResult"),
    ("ListObjectVersions", "ListVersionsResult"),
    ("ListObjectsV2", "ListBucketResult"),
    ("DeleteObjects", "DeleteResult"),
];

fn rooted(action: &str, answer: Answer) -> Answer {
    let Some((_, name)) = ROOTS.iter().find(|(known, _)| *known == action).filter(|_| answer.is_ok()) else { return answer };
    let mut tree = answer.tree();
    if tree.name == *name || tree.name.is_empty() {
        return answer;
    }
    (*name).clone_into(&mut tree.name);
    answer.replaced(&tree)
}

/// A bucket is answered for by its own region only.
fn redirect(cloud: &Cloud, request: &Request) -> Option<Answer> {
    let region = cloud.state().buckets.get(&request.bucket)?.region.clone();
    if region == request.region {
        return None;
    }
    let refusal = Refusal::new(
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
    )
    .with_status(StatusCode::MOVED_PERMANENTLY);
    let mut answer = refusal.answer(Service::S3);
    answer.headers.insert("x-amz-bucket-region", HeaderValue::from_str(&region).ok()?);
    if request.method == Method::HEAD {
        answer.body = bytes::Bytes::new();
    }
    Some(answer)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let inner = |letter: char| letters(letter) || letter == '-' || letter == '.';
    let good = (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(letters)
        && name.ends_with(letters)
        && !name.contains("..")
        && !name.starts_with("xn--")
        && !name.ends_with("-s3alias")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if good { Ok(()) } else { Err(Refusal::new("InvalidBucketName", "The specified bucket is not valid.")) }
}

async fn create(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    check_name(&request.bucket)?;
    let constraint = request.tree().text_of("LocationConstraint").to_owned();
    let region = if constraint.is_empty() { "us-east-1" } else { constraint.as_str() };
    if constraint == "us-east-1" {
        return Err(Refusal::new("InvalidLocationConstraint", "The specified location-constraint is not valid"));
    }
    if request.region != "us-east-1" && region != request.region {
        let what = if constraint.is_empty() { "unspecified" } else { &constraint };
        return Err(Refusal::new(
            "IllegalLocationConstraintException",
            format!("The {what} location constraint is incompatible for the region specific endpoint this request was sent to."),
        ));
    }
    if cloud.state().buckets.get(&request.bucket).is_some_and(|bucket| bucket.account != account) {
        return Err(Refusal::new(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
        )
        .with_status(StatusCode::CONFLICT));
    }
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok() {
        let bucket = Bucket { account: account.to_owned(), region: region.to_owned() };
        let is_new = {
            let mut state = cloud.state();
            let is_new = state.buckets.insert(request.bucket.clone(), bucket).is_none();
            if is_new {
                state.born("CreateBucket", &request.bucket, Instant::now());
            }
            is_new
        };
        if is_new {
            set_defaults(cloud, caller(request, account), &request.bucket).await?;
            set_tags(cloud, caller(request, account), request).await?;
        }
    }
    Ok(answer)
}

/// The tags that `CreateBucket` brings along, which moto does not look at.
async fn set_tags(cloud: &Cloud, caller: Caller<'_>, request: &Request) -> Result<(), Refusal> {
    let tree = request.tree();
    let all = tree.all("Tag");
    if all.is_empty() {
        return Ok(());
    }
    let copy = |tag: &Element| Element::new("Tag").leaf("Key", tag.text_of("Key")).leaf("Value", tag.text_of("Value"));
    let set = all.iter().fold(Element::new("TagSet"), |set, tag| set.node(copy(tag)));
    let body = Element::new("Tagging").node(set).document();
    cloud.moto.rest("s3", caller, Method::PUT, &format!("/{}?tagging", request.bucket), body).await?;
    Ok(())
}

/// What S3 gives every new bucket since 2023: encryption, and all public access blocked.
async fn set_defaults(cloud: &Cloud, caller: Caller<'_>, bucket: &str) -> Result<(), Refusal> {
    let encryption = Element::new("ServerSideEncryptionConfiguration").node(
        Element::new("Rule")
            .node(Element::new("ApplyServerSideEncryptionByDefault").leaf("SSEAlgorithm", "AES256"))
            .leaf("BucketKeyEnabled", "false"),
    );
    let block = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let block = block.into_iter().fold(Element::new("PublicAccessBlockConfiguration"), |block, name| block.leaf(name, "true"));
    for (key, body) in [("encryption", encryption), ("publicAccessBlock", block)] {
        cloud.moto.rest("s3", caller, Method::PUT, &format!("/{bucket}?{key}"), body.document()).await?;
    }
    Ok(())
}

/// What S3 refuses in lifecycle rules: days that are none, and expiry before transition.
fn check_lifecycle(config: &Element) -> Result<(), Refusal> {
    let invalid = |message: String| Refusal::new("InvalidArgument", message);
    for rule in config.all("Rule") {
        let days = |action: &str| rule.at(&[action, "Days"]).and_then(|days| days.text().parse::<u32>().ok());
        for name in ["Days", "NoncurrentDays", "DaysAfterInitiation"] {
            for element in rule.all(name) {
                if !element.text().parse::<u32>().is_ok_and(|days| days > 0 || name == "Days") {
                    return Err(invalid(format!("'{name}' for lifecycle actions must be a positive integer")));
                }
            }
        }
        if days("Expiration") == Some(0) {
            return Err(invalid("'Days' for Expiration action must be a positive integer".to_owned()));
        }
        if let (Some(expiry), Some(transition)) = (days("Expiration"), days("Transition"))
            && expiry <= transition
        {
            return Err(invalid(
                "'Days' in the Expiration action must be greater than 'Days' in the Transition action".to_owned(),
            ));
        }
    }
    Ok(())
}

/// Whether anything is in a bucket: objects, versions, delete markers.
async fn holds_something(cloud: &Cloud, caller: Caller<'_>, bucket: &str) -> Result<bool, Refusal> {
    let tree = cloud.moto.rest("s3", caller, Method::GET, &format!("/{bucket}?versions"), String::new()).await?;
    Ok(tree.elements().any(|element| ["Version", "DeleteMarker"].contains(&element.name.as_str())))
}

async fn delete(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    if holds_something(cloud, caller(request, account), &request.bucket).await? {
        return Err(Refusal::new(
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        )
        .with_status(StatusCode::CONFLICT));
    }
    let answer = cloud.moto.forward(request, account).await?;
    if answer.is_ok() {
        let mut state = cloud.state();
        state.buckets.remove(&request.bucket);
        state.versioned_from.remove(&request.bucket);
        state.bucket_policies.remove(&request.bucket);
    }
    Ok(answer)
}

fn invalid_request(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidRequest", message)
}

async fn is_versioned(cloud: &Cloud, caller: Caller<'_>, bucket: &str) -> Result<bool, Refusal> {
    let tree = cloud.moto.rest("s3", caller, Method::GET, &format!("/{bucket}?versioning"), String::new()).await?;
    let known = cloud.state().versioned_from.get(bucket).is_some_and(|from| *from <= Instant::now());
    Ok(known && tree.text_of("Status") == "Enabled")
}

/// Replication needs versioning at both ends and a role that has spread to S3.
async fn put_replication(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let caller = caller(request, account);
    let config = request.tree();
    if !is_versioned(cloud, caller, &request.bucket).await? {
        return Err(invalid_request("Versioning must be 'Enabled' on the bucket to apply a replication configuration"));
    }
    for destination in config.all("Destination") {
        let bucket = destination.text_of("Bucket").rsplit(':').next().unwrap_or_default().to_owned();
        match is_versioned(cloud, caller, &bucket).await {
            Ok(true) => {}
            Ok(false) => return Err(invalid_request("Destination bucket must have versioning enabled.")),
            Err(_) => return Err(invalid_request("Destination bucket must exist.")),
        }
    }
    for rule in config.all("Rule") {
        let filtered = rule.child("Filter").is_some();
        if filtered && rule.child("DeleteMarkerReplication").is_none() {
            return Err(invalid_request(
                "DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema.",
            ));
        }
        if filtered && rule.child("Priority").is_none() {
            return Err(invalid_request(
                "Priority must be specified for this version of Cross Region Replication configuration schema.",
            ));
        }
    }
    let role = config.text_of("Role").to_owned();
    let name = role.rsplit('/').next().unwrap_or_default().to_owned();
    let usable_from = cloud.state().roles_usable_from.get(&(account.to_owned(), name)).copied();
    if usable_from.is_none_or(|from| from > Instant::now()) {
        // S3's own code for this is not documented; what matters is that the call is refused and works later.
        return Err(Refusal::new("InvalidArgument", format!("Invalid role: `{role}` does not exist or cannot be used yet")));
    }
    cloud.moto.forward(request, account).await
}

/// The tags of a bucket, as pairs.
pub(crate) async fn tags(cloud: &Cloud, caller: Caller<'_>, bucket: &str) -> Vec<(String, String)> {
    let tree = cloud.moto.rest("s3", caller, Method::GET, &format!("/{bucket}?tagging"), String::new()).await;
    let tree = tree.unwrap_or_else(|_| Element::new("Tagging"));
    tree.all("Tag").iter().map(|tag| (tag.text_of("Key").to_owned(), tag.text_of("Value").to_owned())).collect()
}
