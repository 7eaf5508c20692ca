//! What security groups let through on the way from a client over a load balancer to an instance.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::super::Cloud;
use super::super::answer::Refusal;
use super::super::elbv2::balancer::LoadBalancer;
use super::super::moto::Caller;
use super::super::xml::Element;

/// One rule: TCP ports, and who is at the other end.
#[derive(Clone, Debug, Default)]
struct Rule {
    from: u16,
    to: u16,
    ranges: Vec<Ipv4Net>,
    groups: Vec<String>,
}

/// The rules of a security group.
#[derive(Clone, Debug, Default)]
struct Group {
    ingress: Vec<Rule>,
    egress: Vec<Rule>,
}

/// All groups by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Firewall(HashMap<String, Group>);

/// Reads an account's and region's groups anew, after a call that may have changed them.
pub(crate) async fn refresh(cloud: &Cloud, caller: Caller<'_>) -> Result<(), Refusal> {
    let tree = cloud.moto.ec2(caller, "DescribeSecurityGroups", &[]).await?;
    let mut state = cloud.state();
    for item in tree.child("securityGroupInfo").map(|set| set.elements().collect::<Vec<_>>()).unwrap_or_default() {
        let rules = |name: &str| item.child(name).map(|set| set.elements().filter_map(rule).collect()).unwrap_or_default();
        let group = Group { ingress: rules("ipPermissions"), egress: rules("ipPermissionsEgress") };
        state.firewall.0.insert(item.text_of("groupId").to_owned(), group);
    }
    Ok(())
}

/// `None` for protocols other than TCP.
fn rule(item: &Element) -> Option<Rule> {
    let (from, to) = match item.text_of("ipProtocol") {
        "-1" => (0, u16::MAX),
        "tcp" | "6" => (item.text_of("fromPort").parse().ok()?, item.text_of("toPort").parse().ok()?),
        _ => return None,
    };
    let ranges =
        item.child("ipRanges").map(|set| set.elements().filter_map(|range| range.text_of("cidrIp").parse().ok()).collect());
    let groups = item.child("groups").map(|set| set.elements().map(|pair| pair.text_of("groupId").to_owned()).collect());
    Some(Rule { from, to, ranges: ranges.unwrap_or_default(), groups: groups.unwrap_or_default() })
}

impl Rule {
    fn admits(&self, port: u16, ranges: &[Ipv4Net], groups: &[String]) -> bool {
        (self.from..=self.to).contains(&port)
            && (ranges.iter().any(|peer| self.ranges.iter().any(|own| own.contains(peer)))
                || groups.iter().any(|peer| self.groups.contains(peer)))
    }
}

impl Firewall {
    fn ingress(&self, groups: &[String], port: u16, ranges: &[Ipv4Net], peers: &[String]) -> bool {
        groups
            .iter()
            .filter_map(|id| self.0.get(id))
            .flat_map(|group| &group.ingress)
            .any(|rule| rule.admits(port, ranges, peers))
    }

    fn egress(&self, groups: &[String], port: u16, ranges: &[Ipv4Net], peers: &[String]) -> bool {
        groups.iter().filter_map(|id| self.0.get(id)).flat_map(|group| &group.egress).any(|rule| rule.admits(port, ranges, peers))
    }

    /// Whether a client may speak to a load balancer's port. One without security groups is open to all.
    pub(crate) fn admits_client(&self, balancer: &LoadBalancer, client: Ipv4Addr, port: u16) -> bool {
        !balancer.made_with_groups || self.ingress(&balancer.groups, port, &[client.into()], &[])
    }

    /// Whether a load balancer may speak to an instance: on its own behalf (`client` is `None`: health checks, and
    /// traffic without client addresses), or with the client's address as sender.
    pub(crate) fn admits_balancer(
        &self,
        balancer: &LoadBalancer,
        target: Ipv4Addr,
        target_groups: &[String],
        port: u16,
        client: Option<Ipv4Addr>,
    ) -> bool {
        let out = !balancer.made_with_groups || self.egress(&balancer.groups, port, &[target.into()], target_groups);
        let sender: Vec<Ipv4Net> = client.map_or_else(|| balancer.ranges.clone(), |client| vec![client.into()]);
        out && self.ingress(target_groups, port, &sender, &balancer.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(range: &str, group: &str) -> Rule {
        Rule { from: 6443, to: 6443, ranges: range.parse().into_iter().collect(), groups: vec![group.to_owned()] }
    }

    fn firewall(ingress: Rule) -> Firewall {
        Firewall(HashMap::from([("sg-own".to_owned(), Group { ingress: vec![ingress], egress: Vec::new() })]))
    }

    fn admits(firewall: &Firewall, port: u16, peer: &str, groups: &[&str]) -> bool {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        firewall.ingress(&["sg-own".to_owned()], port, &[peer.parse().expect("range")], &groups)
    }

    #[test]
    fn a_rule_lets_in_its_range_on_its_ports_only() {
        let firewall = firewall(rule("10.0.0.0/8", "sg-none"));
        assert!(admits(&firewall, 6443, "10.1.2.3/32", &[]));
        assert!(!admits(&firewall, 6444, "10.1.2.3/32", &[]));
        assert!(!admits(&firewall, 6443, "11.1.2.3/32", &[]));
    }

    #[test]
    fn a_rule_lets_in_the_members_of_its_group() {
        let firewall = firewall(rule("", "sg-peer"));
        assert!(admits(&firewall, 6443, "10.1.2.3/32", &["sg-peer"]));
        assert!(!admits(&firewall, 6443, "10.1.2.3/32", &["sg-other"]));
    }
}
