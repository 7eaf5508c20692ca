//! A bucket's copy in a second region: bucket, role, replication rule.
//!
//! Delete markers are replicated: `fdbbackup expire` then frees the space in both buckets, and what it took away stays
//! in both as noncurrent version for as long as the lifecycle keeps those.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination, ReplicationConfiguration, ReplicationRule,
    ReplicationRuleFilter, ReplicationRuleStatus,
};
use serde_json::json;

use super::Aws;
use super::call::Api;
use super::lifecycle::{self, Ages};
use super::tags::{self, Tags};
use super::{bucket, naming};
use crate::{Error, ReplicaSpec, ReplicaState, Result};

/// Value of the kind tag: a replica is no root.
const KIND: &str = "backup-replica";
const RULE: &str = "inferadb-replica";
const POLICY: &str = "replicate";
const PUT: &str = "s3:PutReplicationConfiguration";

/// Role names are unique in the account and at most 64 characters long.
fn role_name(source: &str) -> String {
    format!("inferadb-replication-{}", naming::digest(&["replication", source], 16))
}

/// Which buckets are, or were, the copy: as the root notes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Copies {
    /// Region and name of the one that is wanted.
    wanted: Option<(String, String)>,
    /// Regions of earlier ones, by name.
    former: BTreeMap<String, String>,
}

/// Value of [`tags::REPLICA`].
pub(super) fn note(replica: &ReplicaSpec) -> String {
    format!("{}/{}", replica.provider_region, replica.name)
}

fn former_key(bucket: &str) -> String {
    format!("{}{bucket}", tags::FORMER_REPLICA)
}

impl Copies {
    /// Reads the notes on a root.
    pub(super) fn noted(root: &Tags) -> Self {
        let wanted = root.get(tags::REPLICA).and_then(|note| note.split_once('/'));
        let former =
            root.iter().filter_map(|(key, region)| Some((key.strip_prefix(tags::FORMER_REPLICA)?.to_owned(), region.clone())));
        Self { wanted: wanted.map(|(region, name)| (region.to_owned(), name.to_owned())), former: former.collect() }
    }

    /// Whether there is to be a copy.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Regions of all of them, by name. A name stands in one region only: buckets' names are unique.
    pub(super) fn all(&self) -> BTreeMap<String, String> {
        let wanted = self.wanted.iter().map(|(region, name)| (name.clone(), region.clone()));
        self.former.clone().into_iter().chain(wanted).collect()
    }

    /// Which tags of the root to set and to take away, so that `replica` is noted as wanted and all others as earlier ones.
    /// Those in `gone` do not stand any more.
    pub(super) fn changes(&self, replica: Option<&ReplicaSpec>, gone: &[String]) -> (Tags, Vec<String>) {
        let mut set = Tags::new();
        let mut away = Vec::new();
        match replica {
            Some(replica) => {
                set.insert(tags::REPLICA.to_owned(), note(replica));
            }
            None if self.wanted.is_some() => away.push(tags::REPLICA.to_owned()),
            None => {}
        }
        let wanted = replica.map(|replica| replica.name.as_str());
        for (name, region) in self.all() {
            if wanted == Some(name.as_str()) || gone.contains(&name) {
                away.extend(self.former.contains_key(&name).then(|| former_key(&name)));
            } else if !self.former.contains_key(&name) {
                set.insert(former_key(&name), region);
            }
        }
        if replica.is_some_and(|replica| self.wanted.as_ref() == Some(&(replica.provider_region.clone(), replica.name.clone()))) {
            set.remove(tags::REPLICA);
        }
        (set, away)
    }
}

fn replica_tags(common: &Tags, source: &str) -> Tags {
    let mut all = common.clone();
    all.insert(tags::KIND.to_owned(), KIND.to_owned());
    all.insert(tags::REPLICA_OF.to_owned(), source.to_owned());
    all
}

fn is_ours(found: &Tags, source: &str) -> bool {
    found.get(tags::REPLICA_OF).map(String::as_str) == Some(source)
}

/// Makes or corrects the copy. The source is versioned already.
pub(super) async fn ensure(aws: &Aws, source: &str, spec: &ReplicaSpec, common: &Tags, ages: Ages) -> Result<ReplicaState> {
    let all = replica_tags(common, source);
    let (found, role) =
        tokio::try_join!(bucket::ensure(aws, &spec.provider_region, &spec.name, &all), ensure_role(aws, source, &all))?;
    if !is_ours(&found, source) {
        return Err(foreign(&spec.name, source));
    }
    // Until the rule is written, an earlier copy goes on.
    let earlier = rule(aws, source).await?.map(|(bucket, _)| bucket).filter(|bucket| *bucket != spec.name);
    let both: Vec<&str> = std::iter::once(spec.name.as_str()).chain(earlier.as_deref()).collect();
    let ((), (), ()) = tokio::try_join!(
        write_policy(aws, source, &both),
        bucket::protect(aws, &spec.provider_region, &spec.name),
        lifecycle::ensure(aws, &spec.provider_region, &spec.name, ages),
    )?;
    write_rule(aws, source, &spec.name, &role).await?;
    if earlier.is_some() {
        write_policy(aws, source, &[&spec.name]).await?;
    }
    Ok(ReplicaState { bucket: spec.name.clone(), provider_region: spec.provider_region.clone(), role })
}

fn foreign(name: &str, source: &str) -> Error {
    Error::Foreign {
        object: format!("bucket `{name}`"),
        message: format!("it is not the replica of `{source}`: choose another name for the replica"),
    }
}

async fn ensure_role(aws: &Aws, source: &str, all: &Tags) -> Result<String> {
    let client = &aws.clients().iam;
    let name = role_name(source);
    let object = format!("role `{name}`");
    // As in S3's user guide, without conditions: what S3 sends along when it takes up the role is nowhere promised.
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    })
    .to_string();
    let made = aws
        .call(Api::Iam, "iam:CreateRole", object.as_str())
        .send(|| {
            client
                .create_role()
                .role_name(&name)
                .assume_role_policy_document(&trust)
                .description(format!("Replicates bucket {source}"))
                .set_tags(Some(tags::iam(all)))
                .send()
        })
        .await;
    let role = match made {
        Ok(answer) => answer.role,
        Err(failure) if failure.is(&["EntityAlreadyExists"]) => {
            let found = aws
                .call(Api::Iam, "iam:GetRole", object.as_str())
                .settling(&[])
                .send(|| client.get_role().role_name(&name).send())
                .await?;
            found.role
        }
        Err(failure) => return Err(failure.into()),
    };
    role.map(|role| role.arn).ok_or_else(|| Error::Api {
        operation: "iam:CreateRole",
        object,
        code: String::new(),
        message: "the answer names none".to_owned(),
    })
}

async fn write_policy(aws: &Aws, source: &str, replicas: &[&str]) -> Result<()> {
    let client = &aws.clients().iam;
    let name = role_name(source);
    let partition = &aws.identity().await?.partition;
    let arn = |bucket: &str| format!("arn:{partition}:s3:::{bucket}");
    // As S3's user guide asks for, where source and destination have one owner.
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
                "Resource": arn(source),
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
                "Resource": format!("{}/*", arn(source)),
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                "Resource": replicas.iter().map(|replica| format!("{}/*", arn(replica))).collect::<Vec<_>>(),
            },
        ],
    })
    .to_string();
    aws.call(Api::Iam, "iam:PutRolePolicy", format!("role `{name}`"))
        .settling(&["NoSuchEntity"])
        .send(|| client.put_role_policy().role_name(&name).policy_name(POLICY).policy_document(&policy).send())
        .await?;
    Ok(())
}

async fn write_rule(aws: &Aws, source: &str, replica: &str, role: &str) -> Result<()> {
    let standing = configuration(aws, source).await?;
    let theirs = others(standing.as_ref());
    if let Some(standing) = &standing {
        if destination(standing) == Some(replica) && standing.role() == role {
            return Ok(());
        }
        if !theirs.is_empty() && standing.role() != role {
            return Err(other_role(source, standing));
        }
    }
    let partition = &aws.identity().await?.partition;
    let destination = format!("arn:{partition}:s3:::{replica}");
    let built = our_rule(&destination, &theirs).and_then(|ours| with_rules(role, theirs, Some(ours)));
    put(aws, source, &built.map_err(|error| unbuilt(source, &error))?).await
}

/// A bucket has one role for all its rules, and ours may write to our replica only.
fn other_role(source: &str, standing: &ReplicationConfiguration) -> Error {
    let rules: Vec<String> = others(Some(standing)).iter().map(|rule| format!("`{}`", rule.id().unwrap_or_default())).collect();
    Error::Foreign {
        object: format!("the replication of bucket `{source}`"),
        message: format!(
            "its rules {} work by role `{}`, and a bucket has one role for all its rules: remove them, or do without `replica`",
            rules.join(", "),
            standing.role()
        ),
    }
}

fn is_our_rule(rule: &ReplicationRule) -> bool {
    rule.id() == Some(RULE)
}

/// Rules that somebody else has set.
fn others(standing: Option<&ReplicationConfiguration>) -> Vec<ReplicationRule> {
    let rules = standing.map(ReplicationConfiguration::rules).unwrap_or_default();
    rules.iter().filter(|rule| !is_our_rule(rule)).cloned().collect()
}

fn our_rule(
    destination: &str,
    theirs: &[ReplicationRule],
) -> std::result::Result<ReplicationRule, aws_sdk_s3::error::BuildError> {
    // Each rule of a bucket has a priority of its own.
    let priority = (1..=i32::MAX).find(|priority| !theirs.iter().any(|rule| rule.priority() == Some(*priority)));
    ReplicationRule::builder()
        .id(RULE)
        // With a filter and a priority it is the second version of the rules, which can replicate delete markers.
        .set_priority(priority)
        .filter(ReplicationRuleFilter::builder().prefix("").build())
        .status(ReplicationRuleStatus::Enabled)
        .delete_marker_replication(DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Enabled).build())
        .destination(Destination::builder().bucket(destination).build()?)
        .build()
}

fn with_rules(
    role: &str,
    theirs: Vec<ReplicationRule>,
    ours: Option<ReplicationRule>,
) -> std::result::Result<ReplicationConfiguration, aws_sdk_s3::error::BuildError> {
    ReplicationConfiguration::builder().role(role).set_rules(Some(theirs.into_iter().chain(ours).collect())).build()
}

fn unbuilt(source: &str, error: &aws_sdk_s3::error::BuildError) -> Error {
    Error::Api {
        operation: PUT,
        object: format!("the replication of bucket `{source}`"),
        code: String::new(),
        message: error.to_string(),
    }
}

async fn put(aws: &Aws, source: &str, configuration: &ReplicationConfiguration) -> Result<()> {
    let client = &aws.clients().s3;
    aws.call(Api::S3, PUT, format!("the replication of bucket `{source}`"))
        // The role, or either bucket's versioning, may not have reached S3's replication yet.
        .settling(&["InvalidRequest", "InvalidArgument", "MalformedPolicy", "AccessDenied"])
        .send(|| client.put_bucket_replication().bucket(source).replication_configuration(configuration.clone()).send())
        .await?;
    Ok(())
}

/// The bucket's replication, where it has one.
async fn configuration(aws: &Aws, source: &str) -> Result<Option<ReplicationConfiguration>> {
    let client = &aws.clients().s3;
    let found = aws
        .call(Api::S3, "s3:GetReplicationConfiguration", format!("the replication of bucket `{source}`"))
        .send(|| client.get_bucket_replication().bucket(source).send())
        .await;
    match found {
        Ok(found) => Ok(found.replication_configuration),
        Err(failure) if failure.is(&["ReplicationConfigurationNotFoundError", "NoSuchBucket"]) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// The bucket that our rule copies to, where it is on.
fn destination(configuration: &ReplicationConfiguration) -> Option<&str> {
    let on = |rule: &&ReplicationRule| is_our_rule(rule) && rule.status() == &ReplicationRuleStatus::Enabled;
    let arn = configuration.rules().iter().find(on)?.destination()?.bucket();
    Some(arn.rsplit(':').next().unwrap_or(arn))
}

/// The bucket that our rule copies to, and the role that copies.
async fn rule(aws: &Aws, source: &str) -> Result<Option<(String, String)>> {
    let Some(standing) = configuration(aws, source).await? else { return Ok(None) };
    Ok(destination(&standing).map(|bucket| (bucket.to_owned(), standing.role().to_owned())))
}

/// The copy as it stands, and the earlier ones that still stand.
///
/// The copy is where the rule points to, whatever is wanted, so that a change that ended early shows; without a rule it is
/// the bucket that is wanted, with no role.
pub(super) async fn read(aws: &Aws, source: &str, copies: Copies) -> Result<(Option<ReplicaState>, Vec<String>)> {
    let noted = copies.all();
    if noted.is_empty() {
        return Ok((None, Vec::new()));
    }
    let (running, gone) = tokio::try_join!(rule(aws, source), gone(aws, source, &copies))?;
    let mut standing: BTreeMap<String, String> = noted.into_iter().filter(|(name, _)| !gone.contains(name)).collect();
    let (bucket, role) = match (running, &copies.wanted) {
        (Some((bucket, role)), _) if standing.contains_key(&bucket) => (bucket, role),
        (_, Some((_, bucket))) => (bucket.clone(), String::new()),
        _ => Default::default(),
    };
    let replica = standing.remove(&bucket).map(|provider_region| ReplicaState { bucket, provider_region, role });
    let mut former: Vec<String> = standing.into_iter().map(|(name, region)| format!("{region}/{name}")).collect();
    former.sort();
    Ok((replica, former))
}

/// Names of those that do not stand, or are not this bucket's.
pub(super) async fn gone(aws: &Aws, source: &str, copies: &Copies) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for (name, region) in copies.all() {
        if !bucket::tags(aws, &region, &name).await?.is_some_and(|found| is_ours(&found, source)) {
            gone.push(name);
        }
    }
    Ok(gone)
}

/// Whether the copy is empty, or not there.
pub(super) async fn is_empty(aws: &Aws, source: &str, region: &str, name: &str) -> Result<bool> {
    match bucket::tags(aws, region, name).await? {
        Some(found) if is_ours(&found, source) => bucket::is_empty(aws, region, name).await,
        _ => Ok(true),
    }
}

/// Stops our replication and removes the role, unless somebody else's rules work by it.
pub(super) async fn stop(aws: &Aws, source: &str) -> Result<()> {
    let Some(standing) = configuration(aws, source).await? else { return remove_role(aws, source).await };
    let theirs = others(Some(&standing));
    if !theirs.is_empty() {
        let role = standing.role();
        if theirs.len() < standing.rules().len() {
            let left = with_rules(role, theirs, None).map_err(|error| unbuilt(source, &error))?;
            put(aws, source, &left).await?;
        }
        if role.rsplit('/').next() == Some(role_name(source).as_str()) {
            tracing::warn!(bucket = source, role, "the role stays: rules that are not ours replicate by it");
            return Ok(());
        }
        return remove_role(aws, source).await;
    }
    let client = &aws.clients().s3;
    let off = aws
        .call(Api::S3, "s3:DeleteReplicationConfiguration", format!("the replication of bucket `{source}`"))
        .send(|| client.delete_bucket_replication().bucket(source).send())
        .await;
    match off {
        Err(failure) if !failure.is(&["ReplicationConfigurationNotFoundError", "NoSuchBucket"]) => return Err(failure.into()),
        _ => {}
    }
    remove_role(aws, source).await
}

/// Removes the copy's bucket, with what is in it if `force`.
pub(super) async fn remove_bucket(aws: &Aws, source: &str, region: &str, name: &str, force: bool) -> Result<()> {
    match bucket::tags(aws, region, name).await? {
        Some(found) if is_ours(&found, source) => {}
        // Somebody else's, or gone.
        _ => return Ok(()),
    }
    if force {
        bucket::empty(aws, region, name).await?;
    }
    bucket::remove(aws, region, name).await
}

async fn remove_role(aws: &Aws, source: &str) -> Result<()> {
    let client = &aws.clients().iam;
    let name = role_name(source);
    let gone = aws
        .call(Api::Iam, "iam:DeleteRolePolicy", format!("role `{name}`"))
        .send(|| client.delete_role_policy().role_name(&name).policy_name(POLICY).send())
        .await;
    match gone {
        Err(failure) if !failure.is_not_found() => return Err(failure.into()),
        _ => {}
    }
    let gone = aws
        .call(Api::Iam, "iam:DeleteRole", format!("role `{name}`"))
        // That it has no policy any more takes a while to be known everywhere.
        .spreading(&["DeleteConflict"])
        .send(|| client.delete_role().role_name(&name).send())
        .await;
    match gone {
        Err(failure) if !failure.is_not_found() => Err(failure.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn replica(provider_region: &str, name: &str) -> ReplicaSpec {
        ReplicaSpec { provider_region: provider_region.to_owned(), name: name.to_owned() }
    }

    /// The root's tags once the changes are made.
    fn after(mut root: Tags, wanted: Option<&ReplicaSpec>, standing_no_more: &[&str]) -> Tags {
        let gone: Vec<String> = standing_no_more.iter().map(|name| (*name).to_owned()).collect();
        let (set, away) = Copies::noted(&root).changes(wanted, &gone);
        root.retain(|key, _| !away.contains(key));
        root.extend(set);
        root
    }

    #[test]
    fn no_copy_is_forgotten_while_it_stands() {
        let first = root(&[(tags::REPLICA, "us-west-1/a")]);
        assert_eq!(after(Tags::new(), Some(&replica("us-west-1", "a")), &[]), first);
        assert_eq!(after(first.clone(), Some(&replica("us-west-1", "a")), &[]), first, "nothing to change");

        let moved = after(first.clone(), Some(&replica("eu-west-2", "b")), &[]);
        assert_eq!(moved, root(&[(tags::REPLICA, "eu-west-2/b"), ("inferadb.com/former-replica/a", "us-west-1")]));
        let none = after(moved, None, &[]);
        assert_eq!(none, root(&[("inferadb.com/former-replica/a", "us-west-1"), ("inferadb.com/former-replica/b", "eu-west-2")]));
        assert_eq!(Copies::noted(&none).all().len(), 2);

        let back = after(none.clone(), Some(&replica("us-west-1", "a")), &[]);
        assert_eq!(back, root(&[(tags::REPLICA, "us-west-1/a"), ("inferadb.com/former-replica/b", "eu-west-2")]));
        assert_eq!(after(none, None, &["a", "b"]), Tags::new(), "what somebody removed by hand is forgotten");
        assert_eq!(after(first, None, &["a"]), Tags::new());
    }

    fn theirs(priority: i32) -> ReplicationRule {
        let destination = Destination::builder().bucket("arn:aws:s3:::archive").build().unwrap();
        let rule = ReplicationRule::builder().id("archive").priority(priority).status(ReplicationRuleStatus::Enabled);
        rule.destination(destination).build().unwrap()
    }

    #[test]
    fn our_rule_stands_beside_others() {
        let ours = our_rule("arn:aws:s3:::copy", &[theirs(1)]).unwrap();
        assert_eq!(ours.priority(), Some(2), "each has a priority of its own");
        let all = with_rules("role", vec![theirs(1)], Some(ours)).unwrap();
        assert_eq!(destination(&all), Some("copy"), "not the first rule that is on");
        assert_eq!(others(Some(&all)), [theirs(1)]);
        assert_eq!(destination(&with_rules("role", vec![theirs(1)], None).unwrap()), None);
    }
}
