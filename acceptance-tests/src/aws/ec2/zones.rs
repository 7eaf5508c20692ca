//! Which zone offers what. moto knows AWS' offers by zone; which letter stands for which zone differs from account to account.

use super::super::answer::{Answer, Refusal};
use super::super::moto::Caller;
use super::super::request::Request;
use super::super::xml::Element;
use super::super::{Cloud, caller};

/// Zones that take no new load balancers, as moto letters them. AWS calls them constrained; one is in `us-east-1`.
const CONSTRAINED: [&str; 1] = ["us-east-1e"];

/// The zone as moto letters it, of the one as the account does, and the other way round.
fn other_letter<'a>(cloud: &'a Cloud, zone: &'a str) -> &'a str {
    match &cloud.config.swapped_zones {
        Some((one, other)) if zone == one => other,
        Some((one, other)) if zone == other => one,
        _ => zone,
    }
}

/// DescribeInstanceTypeOfferings: moto's answer in the account's letters.
pub(crate) async fn describe_offerings(cloud: &Cloud, request: &Request, account: &str) -> Result<Answer, Refusal> {
    let mut asked = request.clone();
    for (index, filter) in request.parameters.structures("Filter").iter().enumerate() {
        if filter.get("Name") == Some("location") {
            for (place, zone) in filter.list("Value").into_iter().enumerate() {
                asked.parameters.set(&format!("Filter.{}.Value.{}", index + 1, place + 1), other_letter(cloud, zone));
            }
        }
    }
    let answer = cloud.moto.forward(&asked, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let mut tree = answer.tree();
    if let Some(set) = tree.child_mut("instanceTypeOfferingSet") {
        for item in set.elements_mut() {
            let zone = other_letter(cloud, item.text_of("location")).to_owned();
            item.set("location", &zone);
        }
    }
    Ok(answer.replaced(&tree))
}

/// Zones that offer a type, in the account's letters.
async fn offering(cloud: &Cloud, caller: Caller<'_>, machine_type: &str) -> Result<Vec<String>, Refusal> {
    let pairs = [("LocationType", "availability-zone"), ("Filter.1.Name", "instance-type"), ("Filter.1.Value.1", machine_type)];
    let found = cloud.moto.ec2(caller, "DescribeInstanceTypeOfferings", &pairs).await?;
    let set = found.child("instanceTypeOfferingSet").cloned().unwrap_or_default();
    let mut zones: Vec<String> =
        set.elements().map(|item: &Element| other_letter(cloud, item.text_of("location")).to_owned()).collect();
    zones.sort();
    Ok(zones)
}

/// RunInstances: the zone offers the type.
pub(crate) async fn check_offered(cloud: &Cloud, request: &Request, account: &str, zone: &str) -> Result<(), Refusal> {
    let machine_type = request.parameters.get("InstanceType").unwrap_or_default();
    let zones = offering(cloud, caller(request, account), machine_type).await?;
    if zones.iter().any(|offering| offering == zone) {
        return Ok(());
    }
    Err(Refusal::new(
        "Unsupported",
        format!(
            "Your requested instance type ({machine_type}) is not supported in your requested Availability Zone ({zone}). \
             Please retry your request by not specifying an Availability Zone or choosing {}.",
            zones.join(", ")
        ),
    ))
}

/// Whether network load balancers can be made in a zone.
pub(crate) fn takes_load_balancers(cloud: &Cloud, zone: &str) -> bool {
    !CONSTRAINED.contains(&other_letter(cloud, zone))
}
