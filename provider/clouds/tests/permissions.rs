//! The policy that users are told to give their role, held to the calls that stand in the sources.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Where IAM has another name for an operation than the API, or several, or wants no permission. Source: AWS' service
/// authorization reference, "Actions, resources, and condition keys for Amazon S3".
const OTHERWISE: [(&str, &[&str]); 9] = [
    ("s3:DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("s3:DeleteReplicationConfiguration", &["s3:PutReplicationConfiguration"]),
    ("s3:GetBucketEncryption", &["s3:GetEncryptionConfiguration"]),
    ("s3:GetPublicAccessBlock", &["s3:GetBucketPublicAccessBlock"]),
    ("s3:ListBuckets", &["s3:ListAllMyBuckets"]),
    ("s3:ListObjectVersions", &["s3:ListBucketVersions"]),
    ("s3:PutBucketEncryption", &["s3:PutEncryptionConfiguration"]),
    ("s3:PutPublicAccessBlock", &["s3:PutBucketPublicAccessBlock"]),
    ("sts:GetCallerIdentity", &[]),
];

/// What calls need besides: a bucket or role that is made with tags, a role that is handed to S3, and the role that AWS makes
/// with the first load balancer of an account.
const BESIDES: [&str; 4] = ["s3:TagResource", "iam:TagRole", "iam:PassRole", "iam:CreateServiceLinkedRole"];

/// The operations of AWS' APIs that the sources name in calls, tests and policies for others left out.
fn called() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.contains("\"Action\":")) {
            found.extend(line.split('"').skip(1).step_by(2).filter(|literal| is_operation(literal)).map(str::to_owned));
        }
    }
    found
}

fn is_operation(literal: &str) -> bool {
    let Some((service, name)) = literal.split_once(':') else { return false };
    ["ec2", "elasticloadbalancing", "iam", "route53", "s3", "sts"].contains(&service)
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn needed() -> BTreeSet<String> {
    let mut needed: BTreeSet<String> = BESIDES.map(str::to_owned).into();
    for operation in called() {
        match OTHERWISE.iter().find(|(name, _)| *name == operation) {
            Some((_, actions)) => needed.extend(actions.iter().map(|&action| action.to_owned())),
            None => {
                needed.insert(operation);
            }
        }
    }
    needed
}

#[test]
fn the_documented_policy_allows_each_call_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/aws-permissions.md");
    let page = std::fs::read_to_string(page).unwrap();
    let policy = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).expect("a policy in the page");
    let policy: Value = serde_json::from_str(policy).unwrap();
    let allowed: BTreeSet<String> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| statement["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    let needed = needed();
    assert!(needed.len() > 90, "few calls were found: {needed:?}");
    let missing: Vec<_> = needed.difference(&allowed).collect();
    let idle: Vec<_> = allowed.difference(&needed).collect();
    assert!(missing.is_empty(), "templates/guides/aws-permissions.md does not allow {missing:?}: add them, and run `make docs`");
    assert!(
        idle.is_empty(),
        "templates/guides/aws-permissions.md allows {idle:?}, which nothing calls: remove them, and run `make docs`"
    );
}
