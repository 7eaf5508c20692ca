//! A region's VPC: finding it, making it once, its DNS names, its end.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, VpcAttributeName};
use futures_util::future::try_join;
use ipnet::Ipv4Net;

use super::call::{Api, Pace, SETTLE};
use super::failure::{Class, Failure};
use super::inventory::{FRESH, SHARED};
use super::{Aws, roots, tags};
use crate::{Claim, Error, Kind, RegionSpec, Result, Root};

/// How long a VPC is looked for whose making was not answered, and how often one may be.
const LOST: Duration = Duration::from_secs(10);
const LOST_ANSWERS: u32 = 5;

/// Id and range of every VPC; one with secondary ranges comes once for each.
pub(super) async fn ranges(aws: &Aws) -> Result<Vec<(String, Ipv4Net)>> {
    let vpcs = aws.vpcs(SHARED).await?;
    let mut ranges = Vec::new();
    for vpc in vpcs.iter() {
        let id = vpc.vpc_id().unwrap_or_default();
        let secondary = vpc.cidr_block_association_set().iter().filter_map(|part| part.cidr_block());
        let mut blocks: Vec<Ipv4Net> =
            vpc.cidr_block().into_iter().chain(secondary).filter_map(|block| block.parse().ok()).collect();
        blocks.sort();
        blocks.dedup();
        ranges.extend(blocks.into_iter().map(|block| (id.to_owned(), block)));
    }
    Ok(ranges)
}

/// The VPC to work on, under `claim`: the given one, one that turned up since, or a new one.
pub(super) async fn root(aws: &Aws, spec: &RegionSpec, claim: &Claim, given: Option<&Root>) -> Result<Root> {
    if let Some(given) = given {
        let gone = || Error::NotFound {
            object: format!("network `{}` of region `{}`", given.id, spec.scope.region),
            message: "it was there a moment ago: plan again".to_owned(),
        };
        let found = roots::one(aws, Kind::Region, &given.id, FRESH).await?.ok_or_else(gone)?;
        return roots::take_up(aws, found, claim).await;
    }
    if let Some(found) = ours(aws, spec).await?.into_iter().next() {
        return roots::take_up(aws, found, claim).await;
    }
    create(aws, spec, claim).await
}

/// Roots of this region as they are now, the one to keep first.
async fn ours(aws: &Aws, spec: &RegionSpec) -> Result<Vec<Root>> {
    let all = roots::networks(aws, FRESH).await?;
    Ok(all.into_iter().filter(|root| root.scope == spec.scope).collect())
}

/// `CreateVpc` has no client token: what it made is looked for by its claim, also where the answer was lost. Where an
/// older one of the same region turns up meanwhile, that one is kept.
async fn create(aws: &Aws, spec: &RegionSpec, claim: &Claim) -> Result<Root> {
    let display = super::region::display(&spec.scope);
    let all = tags::of_root(tags::common(&spec.scope, &display, &spec.tags), Kind::Region, &spec.scope.region, claim);
    let mut lost = 0;
    let found = loop {
        match create_vpc(aws, spec, &all).await {
            Ok(()) => break await_claim(aws, spec, claim, SETTLE).await?,
            Err(failure) if failure.class == Class::Ambiguous && lost < LOST_ANSWERS => {
                lost += 1;
                // Made or not made: if nothing is seen soon, it is made (again). A twin that is seen later goes in the end.
                if let Ok(found) = await_claim(aws, spec, claim, LOST).await {
                    break found;
                }
            }
            Err(failure) => return Err(failure.into()),
        }
    };
    let (keep, surplus) = found;
    for extra in surplus.iter().filter(|root| root.claim.as_ref() == Some(claim)) {
        remove_empty(aws, &extra.id).await?;
    }
    roots::take_up(aws, keep, claim).await
}

async fn create_vpc(aws: &Aws, spec: &RegionSpec, all: &tags::Tags) -> std::result::Result<(), Failure> {
    let client = &aws.clients().ec2;
    aws.call(Api::Ec2, "ec2:CreateVpc", format!("the network of region `{}`", spec.scope.region))
        .once()
        .send(|| {
            let request = client.create_vpc().cidr_block(spec.cidr.trunc().to_string());
            request.tag_specifications(tags::ec2_specification(ResourceType::Vpc, all)).send()
        })
        .await
        .map(drop)
}

/// The region's roots once one with the claim is among them: the one to keep, the others.
async fn await_claim(aws: &Aws, spec: &RegionSpec, claim: &Claim, limit: Duration) -> Result<(Root, Vec<Root>)> {
    let mut pace = Pace::new(limit, Duration::from_secs(2));
    loop {
        let mut found = ours(aws, spec).await?;
        if found.iter().any(|root| root.claim.as_ref() == Some(claim)) {
            let surplus = found.split_off(1);
            if let Some(keep) = found.pop() {
                return Ok((keep, surplus));
            }
        }
        if !pace.wait().await {
            let object = format!("the network of region `{}`", spec.scope.region);
            return Err(Error::NotInTime { object, awaited: "seen after it was made", seconds: limit.as_secs() });
        }
    }
}

/// Removes unfinished twins of a region's VPC that turned up late. EC2 refuses to delete one with anything in it.
pub(super) async fn remove_twins(aws: &Aws, spec: &RegionSpec, keep: &str) -> Result<()> {
    for twin in ours(aws, spec).await?.iter().filter(|root| root.id != keep && !root.finished && !root.in_state) {
        remove_empty(aws, &twin.id).await?;
    }
    Ok(())
}

async fn remove_empty(aws: &Aws, id: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let object = format!("network `{id}`");
    let gone = aws.call(Api::Ec2, "ec2:DeleteVpc", object.as_str()).send(|| client.delete_vpc().vpc_id(id).send()).await;
    match gone {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) if failure.is_in_use() => Err(Error::Foreign {
            object: format!("a second {object} of this region"),
            message: "something stands in it, so another apply seems to be at work on this region: let it end, then apply \
                      again"
                .to_owned(),
        }),
        Err(failure) => Err(failure.into()),
    }
}

/// DNS support and host names: without them a node gets no name of its own. Each goes by its own call.
pub(super) async fn resolve_names(aws: &Aws, vpc: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let on = || AttributeBooleanValue::builder().value(true).build();
    let (support, names) = name_attributes(aws, vpc, Some(&[])).await?;
    let object = format!("network `{vpc}`");
    if !support {
        aws.call(Api::Ec2, "ec2:ModifyVpcAttribute", object.as_str())
            .settling(&[])
            .send(|| client.modify_vpc_attribute().vpc_id(vpc).enable_dns_support(on()).send())
            .await?;
    }
    if !names {
        aws.call(Api::Ec2, "ec2:ModifyVpcAttribute", object)
            .settling(&[])
            .send(|| client.modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(on()).send())
            .await?;
    }
    Ok(())
}

/// DNS support, DNS host names. `settling` as in [`super::call::Call::settling`], for a VPC that was made just now.
pub(super) async fn name_attributes(aws: &Aws, vpc: &str, settling: Option<&[&str]>) -> Result<(bool, bool)> {
    let client = &aws.clients().ec2;
    let ask = |attribute: VpcAttributeName| async move {
        let call = aws.call(Api::Ec2, "ec2:DescribeVpcAttribute", format!("network `{vpc}`"));
        let call = if let Some(codes) = settling { call.settling(codes) } else { call };
        call.send(|| client.describe_vpc_attribute().vpc_id(vpc).attribute(attribute.clone()).send()).await
    };
    let (support, names) = try_join(ask(VpcAttributeName::EnableDnsSupport), ask(VpcAttributeName::EnableDnsHostnames)).await?;
    let is_on =
        |value: Option<&AttributeBooleanValue>| value.and_then(aws_sdk_ec2::types::AttributeBooleanValue::value).unwrap_or(false);
    Ok((is_on(support.enable_dns_support()), is_on(names.enable_dns_hostnames())))
}

/// Removes the VPC itself; `false` while something of it still stands.
pub(super) async fn remove(aws: &Aws, id: &str) -> Result<bool> {
    let client = &aws.clients().ec2;
    let gone =
        aws.call(Api::Ec2, "ec2:DeleteVpc", format!("network `{id}`")).send(|| client.delete_vpc().vpc_id(id).send()).await;
    match gone {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(true),
        Err(failure) if failure.is_in_use() => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}
