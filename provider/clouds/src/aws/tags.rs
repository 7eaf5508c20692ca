//! Tags as AWS has them: the keys that only it needs, and their form in each service's API.

use crate::{Claim, Kind, Scope};

pub(super) use crate::tags::*;

/// On a region's root: hosted zone of the record that belongs to it.
pub(super) const DNS_ZONE: &str = "inferadb.com/dns-zone";
/// On a region's root: full name of the record that belongs to it.
pub(super) const DNS_RECORD: &str = "inferadb.com/dns-record";
/// On a backup's root: `PROVIDER_REGION/BUCKET` of the replica.
pub(super) const REPLICA: &str = "inferadb.com/replica";
/// On a backup's root, with the bucket's name behind it: the provider region of a replica that was taken away and may still
/// stand.
pub(super) const FORMER_REPLICA: &str = "inferadb.com/former-replica/";
/// On a replica's bucket and role: the bucket that it belongs to.
pub(super) const REPLICA_OF: &str = "inferadb.com/replica-of";
/// What consoles show.
pub(super) const DISPLAY: &str = "Name";

/// What everything in a region bears: the user's tags, then ours.
pub(super) fn common(scope: &Scope, display: &str, user: &Tags) -> Tags {
    let mut tags = Tags::from([(DISPLAY.to_owned(), display.to_owned())]);
    tags.extend(user.clone());
    tags.insert(ENVIRONMENT.to_owned(), scope.environment.clone());
    tags.insert(REGION.to_owned(), scope.region.clone());
    tags
}

/// What everything of a cluster bears.
pub(super) fn of_cluster(scope: &Scope, cluster: &str, display: &str, user: &Tags) -> Tags {
    let mut tags = common(scope, display, user);
    tags.insert(CLUSTER.to_owned(), cluster.to_owned());
    tags
}

/// What an unfinished root bears besides.
pub(super) fn of_root(mut tags: Tags, kind: Kind, name: &str, claim: &Claim) -> Tags {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    tags.insert(KIND.to_owned(), kind_name(kind).to_owned());
    tags.insert(NAME.to_owned(), name.to_owned());
    tags.insert(CLAIM.to_owned(), claim.0.clone());
    tags.insert(STATE.to_owned(), UNFINISHED.to_owned());
    tags.insert(CREATED.to_owned(), format!("{:013}", now.as_millis()));
    tags
}

/// The user's part of an object's tags. `display` is the `Name` that we give where the user gives none.
pub(super) fn users(tags: &Tags, display: &str) -> Tags {
    tags.iter()
        .filter(|(key, value)| is_users(key) && !(*key == DISPLAY && *value == display))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Neither ours, nor AWS' own, nor the mark that Kubernetes' cloud controller puts on what it uses.
fn is_users(key: &str) -> bool {
    !key.starts_with(PREFIX) && !key.starts_with("aws:") && !key.starts_with("kubernetes.io/")
}

/// What to set and which keys to take away, so that `found` has the user's tags as wanted.
pub(super) fn difference(found: &Tags, display: &str, user: &Tags) -> (Tags, Vec<String>) {
    let mut wanted = Tags::from([(DISPLAY.to_owned(), display.to_owned())]);
    wanted.extend(user.clone());
    let set = wanted.iter().filter(|(key, value)| found.get(*key) != Some(value));
    let set = set.map(|(key, value)| (key.clone(), value.clone())).collect();
    let gone = found.keys().filter(|key| is_users(key) && !wanted.contains_key(*key)).cloned().collect();
    (set, gone)
}

pub(super) fn from_ec2(tags: &[aws_sdk_ec2::types::Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect()
}

pub(super) fn ec2(tags: &Tags) -> Vec<aws_sdk_ec2::types::Tag> {
    tags.iter().map(|(key, value)| aws_sdk_ec2::types::Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn ec2_specification(kind: aws_sdk_ec2::types::ResourceType, tags: &Tags) -> aws_sdk_ec2::types::TagSpecification {
    aws_sdk_ec2::types::TagSpecification::builder().resource_type(kind).set_tags(Some(ec2(tags))).build()
}

pub(super) fn elb(tags: &Tags) -> Vec<aws_sdk_elasticloadbalancingv2::types::Tag> {
    use aws_sdk_elasticloadbalancingv2::types::Tag;

    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn iam(tags: &Tags) -> Vec<aws_sdk_iam::types::Tag> {
    tags.iter().filter_map(|(key, value)| aws_sdk_iam::types::Tag::builder().key(key).value(value).build().ok()).collect()
}

pub(super) fn route53(tags: &Tags) -> Vec<aws_sdk_route53::types::Tag> {
    tags.iter().map(|(key, value)| aws_sdk_route53::types::Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn s3(tags: &Tags) -> Vec<aws_sdk_s3::types::Tag> {
    tags.iter().filter_map(|(key, value)| aws_sdk_s3::types::Tag::builder().key(key).value(value).build().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_users_part_leaves_ours_and_the_clouds_out() {
        let all = tags(&[("Name", "production-nyc1"), ("team", "platform"), (CLAIM, "x"), ("aws:cloudformation", "y")]);
        assert_eq!(users(&all, "production-nyc1"), tags(&[("team", "platform")]));
        assert_eq!(users(&all, "other").len(), 2, "a Name that the user chose is the user's");
    }

    #[test]
    fn a_difference_sets_what_changed_and_drops_what_is_not_wanted() {
        let found = tags(&[("Name", "a"), ("team", "old"), ("gone", "1"), (ENVIRONMENT, "production")]);
        let (set, gone) = difference(&found, "a", &tags(&[("team", "new")]));
        assert_eq!(set, tags(&[("team", "new")]));
        assert_eq!(gone, ["gone"]);
    }

    #[test]
    fn a_user_cannot_overwrite_the_index() {
        let scope = Scope { environment: "production".to_owned(), region: "nyc1".to_owned() };
        let all = common(&scope, "x", &tags(&[(ENVIRONMENT, "staging")]));
        assert_eq!(all[ENVIRONMENT], "production");
    }
}
