//! Network interfaces in answers: instances' public addresses, and those that load balancers keep in their subnets.

use super::super::answer::{Answer, Refusal};
use super::super::elbv2::balancer::Footprint;
use super::super::images::glob;
use super::super::request::{Request, digest};
use super::super::xml::Element;
use super::super::{Cloud, visibility};
use super::instances::{associate, public_dns_name};

/// DescribeNetworkInterfaces.
pub(crate) async fn describe(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let mut tree = answer.tree();
    if let Some(set) = tree.child_mut("networkInterfaceSet") {
        {
            let state = cloud.state();
            for item in set.elements_mut() {
                let id = item.at(&["attachment", "instanceId"]).map(Element::text).unwrap_or_default();
                let Some(instance) = state.instances.get(id) else { continue };
                let name = instance.public_ip.map(|ip| public_dns_name(ip, &instance.region)).unwrap_or_default();
                associate(item, instance.public_ip, &name);
            }
        }
        for item in of_load_balancers(cloud, request, account) {
            set.push(item);
        }
    }
    Ok(visibility::hide(cloud, request, answer.replaced(&tree)))
}

/// An interface per load balancer and subnet, as far as the request's filters are ones that these have.
fn of_load_balancers(cloud: &Cloud, request: &Request, account: &str) -> Vec<Element> {
    if !request.parameters.list("NetworkInterfaceId").is_empty() {
        return Vec::new();
    }
    let filters = request.parameters.structures("Filter");
    let state = cloud.state();
    let mut items = Vec::new();
    for footprint in state.footprints(account, &request.region) {
        for subnet in &footprint.subnets {
            let fits = filters.iter().all(|filter| {
                let values = filter.list("Value");
                let has = |value: &str| values.iter().any(|wanted| glob(wanted, value));
                match filter.get("Name").unwrap_or_default() {
                    "vpc-id" => has(&footprint.vpc),
                    "subnet-id" => has(subnet),
                    "group-id" => footprint.groups.iter().any(|group| has(group)),
                    "description" => has(&footprint.description),
                    "status" => has("in-use"),
                    "requester-managed" => has("true"),
                    "interface-type" => has("network_load_balancer"),
                    _ => false,
                }
            });
            if fits {
                items.push(item(&footprint, subnet, account));
            }
        }
    }
    items
}

fn item(footprint: &Footprint, subnet: &str, account: &str) -> Element {
    let hash = digest(format!("{}/{subnet}", footprint.description).as_bytes());
    let mut groups = Element::new("groupSet");
    for group in &footprint.groups {
        groups.push(Element::new("item").leaf("groupId", group));
    }
    Element::new("item")
        .leaf("networkInterfaceId", &format!("eni-0{}", &hash[7..23]))
        .leaf("subnetId", subnet)
        .leaf("vpcId", &footprint.vpc)
        .leaf("description", &footprint.description)
        .leaf("ownerId", account)
        .leaf("requesterId", "amazon-elb")
        .leaf("requesterManaged", "true")
        .leaf("status", "in-use")
        .leaf("interfaceType", "network_load_balancer")
        .node(groups)
        .node(Element::new("tagSet"))
}
