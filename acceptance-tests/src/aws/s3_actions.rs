//! Names of S3's actions: S3 spells them as method, path and a key of the query.

use http::{HeaderMap, Method};

use super::parameters::Parameters;

/// Query key, and the names for GET, PUT, DELETE and POST on a bucket.
const BUCKET: &[(&str, [&str; 4])] = &[
    ("accelerate", ["GetBucketAccelerateConfiguration", "PutBucketAccelerateConfiguration", "", ""]),
    ("acl", ["GetBucketAcl", "PutBucketAcl", "", ""]),
    ("cors", ["GetBucketCors", "PutBucketCors", "DeleteBucketCors", ""]),
    ("delete", ["", "", "", "DeleteObjects"]),
    ("encryption", ["GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption", ""]),
    ("lifecycle", ["GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle", ""]),
    ("location", ["GetBucketLocation", "", "", ""]),
    ("logging", ["GetBucketLogging", "PutBucketLogging", "", ""]),
    ("object-lock", ["GetObjectLockConfiguration", "PutObjectLockConfiguration", "", ""]),
    ("ownershipControls", ["GetBucketOwnershipControls", "PutBucketOwnershipControls", "DeleteBucketOwnershipControls", ""]),
    ("policy", ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy", ""]),
    ("policyStatus", ["GetBucketPolicyStatus", "", "", ""]),
    ("publicAccessBlock", ["GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock", ""]),
    ("replication", ["GetBucketReplication", "PutBucketReplication", "DeleteBucketReplication", ""]),
    ("requestPayment", ["GetBucketRequestPayment", "PutBucketRequestPayment", "", ""]),
    ("tagging", ["GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging", ""]),
    ("uploads", ["ListMultipartUploads", "", "", ""]),
    ("versioning", ["GetBucketVersioning", "PutBucketVersioning", "", ""]),
    ("versions", ["ListObjectVersions", "", "", ""]),
    ("website", ["GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite", ""]),
    ("list-type", ["ListObjectsV2", "", "", ""]),
    ("", ["ListObjects", "CreateBucket", "DeleteBucket", ""]),
];

/// The same on an object.
const OBJECT: &[(&str, [&str; 4])] = &[
    ("acl", ["GetObjectAcl", "PutObjectAcl", "", ""]),
    ("tagging", ["GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging", ""]),
    ("uploads", ["", "", "", "CreateMultipartUpload"]),
    ("uploadId", ["ListParts", "UploadPart", "AbortMultipartUpload", "CompleteMultipartUpload"]),
    ("attributes", ["GetObjectAttributes", "", "", ""]),
    ("", ["GetObject", "PutObject", "DeleteObject", ""]),
];

/// The action's name; `Unknown` for what S3 has not.
pub(crate) fn name(method: &Method, bucket: &str, key: &str, query: &str, headers: &HeaderMap) -> &'static str {
    if *method == Method::HEAD {
        return if key.is_empty() { "HeadBucket" } else { "HeadObject" };
    }
    if bucket.is_empty() {
        return "ListBuckets";
    }
    if *method == Method::PUT && !key.is_empty() && query.is_empty() && headers.contains_key("x-amz-copy-source") {
        return "CopyObject";
    }
    let column = match method.as_str() {
        "GET" => 0,
        "PUT" => 1,
        "DELETE" => 2,
        "POST" => 3,
        _ => return "Unknown",
    };
    let query = Parameters::parse(query);
    let table = if key.is_empty() { BUCKET } else { OBJECT };
    table
        .iter()
        .find(|(wanted, names)| (wanted.is_empty() || query.get(wanted).is_some()) && !names[column].is_empty())
        .map_or("Unknown", |(_, names)| names[column])
}
