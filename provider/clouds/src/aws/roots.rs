//! Roots: VPCs, clusters' security groups and buckets that bear our tags, and the marks on them.

use std::time::Duration;

use aws_sdk_ec2::types::{SecurityGroup, Vpc};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::call::{Api, Pace, SETTLE};
use super::inventory::FRESH;
use super::tags::{self, Tags};
use super::{Aws, bucket, mismatch};
use crate::{Claim, Error, Kind, Mark, Result, Root, Scope};

/// The root that an object with these tags is, or `None` if they are not a root's.
pub(super) fn from_tags(kind: Kind, id: &str, tags: Tags) -> Option<Root> {
    if tags.get(tags::KIND).map(String::as_str) != Some(tags::kind_name(kind)) {
        return None;
    }
    let scope = Scope { environment: tags.get(tags::ENVIRONMENT)?.clone(), region: tags.get(tags::REGION)?.clone() };
    Some(Root {
        kind,
        id: id.to_owned(),
        name: tags.get(tags::NAME)?.clone(),
        scope,
        claim: tags.get(tags::CLAIM).cloned().map(Claim),
        finished: tags.get(tags::STATE).map(String::as_str) == Some(tags::FINISHED),
        in_state: tags.get(tags::IN_STATE).map(String::as_str) == Some("true"),
        cidr: None,
        tags,
    })
}

pub(super) fn of_vpc(vpc: &Vpc) -> Option<Root> {
    let mut root = from_tags(Kind::Region, vpc.vpc_id()?, tags::from_ec2(vpc.tags()))?;
    root.cidr = vpc.cidr_block().and_then(|cidr| cidr.parse().ok());
    Some(root)
}

pub(super) fn of_group(group: &SecurityGroup) -> Option<Root> {
    from_tags(Kind::Cluster, group.group_id()?, tags::from_ec2(group.tags()))
}

/// Finished ones first, then the older.
fn in_order(mut roots: Vec<Root>) -> Vec<Root> {
    let age = |root: &Root| (root.tags.get(tags::CREATED).cloned().unwrap_or_default(), root.id.clone());
    roots.sort_by(|a, b| (b.in_state, b.finished).cmp(&(a.in_state, a.finished)).then_with(|| age(a).cmp(&age(b))));
    roots
}

pub(super) async fn networks(aws: &Aws, age: Duration) -> Result<Vec<Root>> {
    Ok(in_order(aws.vpcs(age).await?.iter().filter_map(of_vpc).collect()))
}

pub(super) async fn firewalls(aws: &Aws, age: Duration) -> Result<Vec<Root>> {
    Ok(in_order(aws.groups(age).await?.iter().filter_map(of_group).collect()))
}

/// S3 shows tags one bucket at a time, so this costs a call per bucket of the place; whoever knows the name asks for
/// the one root.
pub(super) async fn buckets(aws: &Aws) -> Result<Vec<Root>> {
    let names = bucket::names(aws, aws.region()).await?;
    let roots: Vec<Option<Root>> = stream::iter(names)
        .map(|name| async move {
            let found = match bucket::tags(aws, aws.region(), &name).await {
                // Others' buckets stand beside ours, and their policies may keep even the account's own people out.
                Err(Error::Denied { message, .. }) => {
                    tracing::info!(bucket = name, message, "passing over a bucket that does not tell its tags");
                    None
                }
                other => other?,
            };
            Ok::<_, Error>(found.and_then(|tags| from_tags(Kind::Backup, &name, tags)))
        })
        .buffer_unordered(16)
        .try_collect()
        .await?;
    Ok(in_order(roots.into_iter().flatten().collect()))
}

/// The root of that id.
pub(super) async fn one(aws: &Aws, kind: Kind, id: &str, age: Duration) -> Result<Option<Root>> {
    match kind {
        Kind::Region => Ok(networks(aws, age).await?.into_iter().find(|root| root.id == id)),
        Kind::Cluster => Ok(firewalls(aws, age).await?.into_iter().find(|root| root.id == id)),
        Kind::Backup => {
            let found = bucket::tags(aws, aws.region(), id).await?;
            Ok(found.and_then(|tags| from_tags(Kind::Backup, id, tags)))
        }
    }
}

/// The root under `claim`; one that a state holds is only for its own claim.
pub(super) async fn take_up(aws: &Aws, root: Root, claim: &Claim) -> Result<Root> {
    if root.claim.as_ref() == Some(claim) {
        return Ok(root);
    }
    if root.in_state {
        return Err(mismatch(&root));
    }
    mark(aws, &root, &Mark::Claim(claim.clone())).await?;
    one(aws, root.kind, &root.id, FRESH).await?.ok_or_else(|| mismatch(&root))
}

/// Changes the marks and waits until they are seen.
pub(super) async fn mark(aws: &Aws, root: &Root, mark: &Mark) -> Result<()> {
    let (set, gone): (Tags, &[&str]) = match mark {
        Mark::Claim(claim) => (
            Tags::from([(tags::CLAIM.to_owned(), claim.0.clone()), (tags::STATE.to_owned(), tags::UNFINISHED.to_owned())]),
            &[tags::IN_STATE],
        ),
        Mark::Finished => (Tags::from([(tags::STATE.to_owned(), tags::FINISHED.to_owned())]), &[]),
        Mark::InState => (Tags::from([(tags::IN_STATE.to_owned(), "true".to_owned())]), &[]),
    };
    retag(aws, root.kind, &root.id, &set, gone).await
}

/// Sets and removes tags of a root and waits until reads show it.
pub(super) async fn retag(aws: &Aws, kind: Kind, id: &str, set: &Tags, gone: &[&str]) -> Result<()> {
    match kind {
        Kind::Region | Kind::Cluster => {
            // Away first: whoever dies between the two leaves less said, not more.
            remove_ec2_tags(aws, &[id.to_owned()], gone).await?;
            set_ec2_tags(aws, &[id.to_owned()], set).await?;
        }
        Kind::Backup => bucket::retag(aws, aws.region(), id, set, gone).await?,
    }
    let mut pace = Pace::new(SETTLE, Duration::from_secs(2));
    loop {
        let seen = one(aws, kind, id, FRESH).await?.is_some_and(|root| {
            set.iter().all(|(key, value)| root.tags.get(key) == Some(value))
                && gone.iter().all(|key| !root.tags.contains_key(*key))
        });
        if seen {
            return Ok(());
        }
        if !pace.wait().await {
            let object = format!("{} `{id}`", tags::kind_name(kind));
            return Err(Error::NotInTime { object, awaited: "seen with its new tags", seconds: SETTLE.as_secs() });
        }
    }
}

/// Sets tags of EC2 objects, a thousand at a time.
pub(super) async fn set_ec2_tags(aws: &Aws, ids: &[String], set: &Tags) -> Result<()> {
    if set.is_empty() {
        return Ok(());
    }
    let client = &aws.clients().ec2;
    for some in ids.chunks(1000) {
        aws.call(Api::Ec2, "ec2:CreateTags", format!("`{}`", some.join("`, `")))
            .settling(&[])
            .send(|| client.create_tags().set_resources(Some(some.to_vec())).set_tags(Some(tags::ec2(set))).send())
            .await?;
    }
    Ok(())
}

/// Removes tags of EC2 objects, whatever their values.
pub(super) async fn remove_ec2_tags(aws: &Aws, ids: &[String], keys: &[impl AsRef<str> + Sync]) -> Result<()> {
    use aws_sdk_ec2::types::Tag;

    if keys.is_empty() {
        return Ok(());
    }
    let client = &aws.clients().ec2;
    for some in ids.chunks(1000) {
        aws.call(Api::Ec2, "ec2:DeleteTags", format!("`{}`", some.join("`, `")))
            .send(|| {
                let keys = keys.iter().map(|key| Tag::builder().key(key.as_ref()).build()).collect();
                client.delete_tags().set_resources(Some(some.to_vec())).set_tags(Some(keys)).send()
            })
            .await?;
    }
    Ok(())
}
