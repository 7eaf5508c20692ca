//! Security groups and their rules.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType, SecurityGroup, UserIdGroupPair};
use ipnet::Ipv4Net;

use super::Aws;
use super::call::{Api, Pace, SETTLE};
use super::inventory::FRESH;
use super::tags::{self, Tags};
use crate::{Error, Result};

/// Descriptions of our rules begin with it: rules of others (a cloud controller's, a person's) are left alone.
const MARK: &str = "inferadb: ";
/// Describes the ways in of single nodes, which come and go with them and are in no list of the user's.
pub(super) const NODE: &str = "a node by its public address";

/// Where a rule lets in from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Range(Ipv4Net),
    Group(String),
}

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule {
    /// TCP port; `None`: every protocol and port.
    pub(super) port: Option<u16>,
    pub(super) source: Source,
}

impl Rule {
    /// A TCP port for each of the ranges.
    pub(super) fn ranges(port: u16, ranges: &[Ipv4Net]) -> impl Iterator<Item = Self> + '_ {
        ranges.iter().map(move |range| Self { port: Some(port), source: Source::Range(range.trunc()) })
    }

    /// A TCP port for members of a group.
    pub(super) fn group(port: u16, group: &str) -> Self {
        Self { port: Some(port), source: Source::Group(group.to_owned()) }
    }

    /// Everything for members of a group.
    pub(super) fn all_of(group: &str) -> Self {
        Self { port: None, source: Source::Group(group.to_owned()) }
    }

    fn permission(&self, description: Option<&str>) -> IpPermission {
        let mut permission = IpPermission::builder();
        permission = match self.port {
            Some(port) => permission.ip_protocol("tcp").from_port(port.into()).to_port(port.into()),
            None => permission.ip_protocol("-1"),
        };
        let description = description.map(str::to_owned);
        match &self.source {
            Source::Range(range) => {
                let range = IpRange::builder().cidr_ip(range.to_string()).set_description(description).build();
                permission.ip_ranges(range).build()
            }
            Source::Group(group) => {
                let pair = UserIdGroupPair::builder().group_id(group).set_description(description).build();
                permission.user_id_group_pairs(pair).build()
            }
        }
    }
}

/// A rule as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) rule: Rule,
    description: Option<String>,
}

impl Standing {
    fn is_ours(&self) -> bool {
        self.description.as_deref().is_some_and(|text| text.starts_with(MARK))
    }

    /// The way in of a single node.
    pub(super) fn is_of_node(&self) -> bool {
        self.description.as_deref().and_then(|text| text.strip_prefix(MARK)) == Some(NODE)
    }
}

/// What stands in a group.
pub(super) fn rules(group: &SecurityGroup) -> Vec<Standing> {
    let mut all = Vec::new();
    for permission in group.ip_permissions() {
        let port = match (permission.ip_protocol(), permission.from_port(), permission.to_port()) {
            (Some("-1"), _, _) => None,
            (Some("tcp"), Some(from), Some(to)) if from == to => match u16::try_from(from) {
                Ok(port) => Some(port),
                Err(_) => continue,
            },
            // Ours are single TCP ports or everything.
            _ => continue,
        };
        let standing = |source: Source, description: Option<&str>| Standing {
            rule: Rule { port, source },
            description: description.map(str::to_owned),
        };
        for range in permission.ip_ranges() {
            if let Some(cidr) = range.cidr_ip().and_then(|cidr| cidr.parse::<Ipv4Net>().ok()) {
                all.push(standing(Source::Range(cidr.trunc()), range.description()));
            }
        }
        for pair in permission.user_id_group_pairs() {
            if let Some(id) = pair.group_id() {
                all.push(standing(Source::Group(id.to_owned()), pair.description()));
            }
        }
    }
    all
}

/// Ranges that a port is open to, sorted; single nodes left out.
pub(super) fn ranges_of(group: &SecurityGroup, port: u16) -> Vec<Ipv4Net> {
    let ranges: BTreeSet<Ipv4Net> = rules(group)
        .into_iter()
        .filter(|standing| !standing.is_of_node())
        .filter_map(|standing| match standing.rule.source {
            Source::Range(range) if standing.rule.port == Some(port) => Some(range),
            _ => None,
        })
        .collect();
    ranges.into_iter().collect()
}

/// The group of that name in the VPC.
pub(super) async fn by_name(aws: &Aws, vpc: &str, name: &str, age: Duration) -> Result<Option<SecurityGroup>> {
    let groups = aws.groups(age).await?;
    Ok(groups.iter().find(|group| group.vpc_id() == Some(vpc) && group.group_name() == Some(name)).cloned())
}

/// The group of that id.
pub(super) async fn by_id(aws: &Aws, id: &str, age: Duration) -> Result<Option<SecurityGroup>> {
    Ok(aws.groups(age).await?.iter().find(|group| group.group_id() == Some(id)).cloned())
}

/// The group of that name, made where there is none. EC2 takes a name once per VPC, which is the claim.
pub(super) async fn ensure(aws: &Aws, vpc: &str, name: &str, about: &str, tags: &Tags) -> Result<SecurityGroup> {
    if let Some(group) = by_name(aws, vpc, name, FRESH).await? {
        return Ok(group);
    }
    let client = &aws.clients().ec2;
    let made = aws
        .call(Api::Ec2, "ec2:CreateSecurityGroup", format!("security group `{name}`"))
        .settling(&[])
        .send(|| {
            let request = client.create_security_group().group_name(name).vpc_id(vpc).description(about);
            request.tag_specifications(tags::ec2_specification(ResourceType::SecurityGroup, tags)).send()
        })
        .await;
    let duplicate = match made {
        Ok(_) => None,
        Err(failure) if failure.is(&["InvalidGroup.Duplicate"]) => Some(failure.message),
        Err(failure) => return Err(failure.into()),
    };
    let mut pace = Pace::new(SETTLE, Duration::from_secs(2));
    loop {
        if let Some(group) = by_name(aws, vpc, name, FRESH).await? {
            return Ok(group);
        }
        if !pace.wait().await {
            let object = format!("security group `{name}` in network `{vpc}`");
            return Err(match duplicate {
                Some(message) => Error::Foreign { object, message },
                None => Error::NotInTime { object, awaited: "seen after it was made", seconds: SETTLE.as_secs() },
            });
        }
    }
}

/// Opens what is wanted and closes what is ours and not wanted. `about` describes a rule (letters, digits, spaces and
/// `._-:/()` only: EC2 takes no others); `keep` names rules of ours that somebody else looks after.
pub(super) async fn sync(
    aws: &Aws,
    group: &SecurityGroup,
    wanted: &BTreeSet<Rule>,
    about: impl Fn(&Rule) -> &'static str,
    keep: impl Fn(&Standing) -> bool,
) -> Result<()> {
    let id = group.group_id().unwrap_or_default();
    let found = rules(group);
    let missing: Vec<&Rule> = wanted.iter().filter(|rule| !found.iter().any(|have| have.rule == **rule)).collect();
    let surplus: Vec<&Standing> =
        found.iter().filter(|have| have.is_ours() && !wanted.contains(&have.rule) && !keep(have)).collect();
    let client = &aws.clients().ec2;
    let object = format!("security group `{id}`");
    if !missing.is_empty() {
        let all: Vec<IpPermission> =
            missing.iter().map(|rule| rule.permission(Some(&format!("{MARK}{}", about(rule))))).collect();
        let opened = aws
            .call(Api::Ec2, "ec2:AuthorizeSecurityGroupIngress", object.as_str())
            .settling(&[])
            .send(|| {
                let request = client.authorize_security_group_ingress().group_id(id);
                request.set_ip_permissions(Some(all.clone())).send()
            })
            .await;
        match opened {
            Ok(_) => {}
            // One of them stands already and reads did not show it: EC2 then takes none of the list.
            Err(failure) if failure.is(&["InvalidPermission.Duplicate"]) => {
                for one in all {
                    let opened = aws
                        .call(Api::Ec2, "ec2:AuthorizeSecurityGroupIngress", object.as_str())
                        .send(|| client.authorize_security_group_ingress().group_id(id).ip_permissions(one.clone()).send())
                        .await;
                    match opened {
                        Err(failure) if !failure.is(&["InvalidPermission.Duplicate"]) => return Err(failure.into()),
                        _ => {}
                    }
                }
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    close(aws, id, &surplus).await
}

/// Closes rules; those that are closed already are no error.
pub(super) async fn close(aws: &Aws, id: &str, rules: &[&Standing]) -> Result<()> {
    let client = &aws.clients().ec2;
    for Standing { rule, description } in rules {
        let permission = rule.permission(description.as_deref());
        let closed = aws
            .call(Api::Ec2, "ec2:RevokeSecurityGroupIngress", format!("security group `{id}`"))
            .send(|| client.revoke_security_group_ingress().group_id(id).ip_permissions(permission.clone()).send())
            .await;
        match closed {
            Err(failure) if !failure.is_not_found() => return Err(failure.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Removes a group; `false` while something still uses it.
pub(super) async fn remove(aws: &Aws, id: &str) -> Result<bool> {
    let client = &aws.clients().ec2;
    let gone = aws
        .call(Api::Ec2, "ec2:DeleteSecurityGroup", format!("security group `{id}`"))
        .send(|| client.delete_security_group().group_id(id).send())
        .await;
    match gone {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(true),
        Err(failure) if failure.is_in_use() => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_back_as_they_were_written() {
        let range: Ipv4Net = "10.0.0.0/8".parse().unwrap();
        let all = [Rule { port: Some(6443), source: Source::Range(range) }, Rule::group(50000, "sg-1"), Rule::all_of("sg-2")];
        let mut group = SecurityGroup::builder();
        for rule in &all {
            group = group.ip_permissions(rule.permission(Some("inferadb: test")));
        }
        let read = rules(&group.build());
        assert!(read.iter().all(Standing::is_ours));
        assert_eq!(read.into_iter().map(|standing| standing.rule).collect::<Vec<_>>(), all);
    }

    #[test]
    fn the_way_in_of_a_node_is_no_range_of_the_users() {
        let range = |text: &str| Rule { port: Some(6443), source: Source::Range(text.parse().unwrap()) };
        let about = format!("{MARK}{NODE}");
        let group = SecurityGroup::builder()
            .ip_permissions(range("203.0.113.7/32").permission(Some(&about)))
            .ip_permissions(range("198.51.100.0/24").permission(Some("inferadb: Kubernetes API")))
            .build();
        assert_eq!(ranges_of(&group, 6443), ["198.51.100.0/24".parse::<Ipv4Net>().unwrap()]);
        assert_eq!(rules(&group).iter().filter(|have| have.is_of_node()).count(), 1);
    }

    #[test]
    fn rules_of_others_are_known_by_their_description() {
        let rule = Rule::group(30080, "sg-1");
        for description in [None, Some("kubernetes.io/rule/nlb/health=a")] {
            let group = SecurityGroup::builder().ip_permissions(rule.permission(description)).build();
            let read = rules(&group);
            assert_eq!(read[0].rule, rule);
            assert!(!read[0].is_ours());
        }
    }
}
