//! Network interfaces that others leave in a region's network: GuardDuty's runtime monitoring, for one, puts an endpoint into
//! every network where machines run, and leaves it there.

use aws_sdk_ec2::types::{Filter, NetworkInterface};

use super::Aws;
use super::call::Api;
use super::inventory::pages;
use crate::{Error, Result};

/// How many are named.
const NAMED: usize = 10;

/// What of others stands in the network, in a sentence with what to do; `None` if nothing does, or nobody may tell.
pub(super) async fn left_by_others(aws: &Aws, vpc: &str) -> Result<Option<String>> {
    let client = &aws.clients().ec2;
    let filter = Filter::builder().name("vpc-id").values(vpc).build();
    let found = pages(
        aws,
        Api::Ec2,
        "ec2:DescribeNetworkInterfaces",
        "the network interfaces that are left",
        |token| client.describe_network_interfaces().filters(filter.clone()).max_results(1000).set_next_token(token).send(),
        |mut page| (page.network_interfaces.take().unwrap_or_default(), page.next_token.take()),
    )
    .await;
    match found.map_err(Error::from) {
        Ok(found) => Ok(sentence(&found)),
        Err(Error::Denied { message, .. }) => {
            tracing::info!(message, "cannot tell what is left in the network");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A load balancer's interfaces are called `ELB …`, and go some minutes after it.
fn is_passing(interface: &NetworkInterface) -> bool {
    interface.description().is_some_and(|text| text.starts_with("ELB "))
}

fn sentence(found: &[NetworkInterface]) -> Option<String> {
    let mut left: Vec<String> = found
        .iter()
        .filter(|interface| !is_passing(interface))
        .map(|interface| {
            let id = interface.network_interface_id().unwrap_or_default();
            let about = interface.description().filter(|text| !text.is_empty()).unwrap_or("without description");
            let owner = interface.requester_id().or_else(|| interface.owner_id()).unwrap_or("unknown");
            let machine = interface.attachment().and_then(|attachment| attachment.instance_id());
            let machine = machine.map(|machine| format!(", at instance `{machine}`")).unwrap_or_default();
            format!("`{id}` ({about}, of `{owner}`{machine})")
        })
        .collect();
    if left.is_empty() {
        return None;
    }
    left.sort();
    let more = left.len().saturating_sub(NAMED);
    left.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!(
        "network interfaces that are not ours stand in it: {}{more}. Remove what they belong to (a VPC endpoint, and with it its \
         security group, where a service such as GuardDuty has put one there), then go on",
        left.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(id: &str, about: &str, requester: &str) -> NetworkInterface {
        NetworkInterface::builder().network_interface_id(id).description(about).requester_id(requester).build()
    }

    #[test]
    fn what_is_left_is_named_with_its_owner() {
        assert_eq!(sentence(&[]), None);
        let balancer = interface("eni-1", "ELB net/production-nyc1-ingress/5b0c", "amazon-elb");
        assert_eq!(sentence(std::slice::from_ref(&balancer)), None, "that one goes by itself");
        let endpoint = interface("eni-2", "VPC Endpoint Interface vpce-0a1", "727180483921");
        let said = sentence(&[balancer, endpoint]).unwrap_or_default();
        assert!(said.contains("`eni-2` (VPC Endpoint Interface vpce-0a1, of `727180483921`)"), "{said}");
        assert!(!said.contains("eni-1"), "{said}");
    }
}
