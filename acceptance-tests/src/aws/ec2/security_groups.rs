//! Names, descriptions and sources that EC2 refuses in security groups.

use super::super::answer::Refusal;
use super::super::request::Request;
use super::super::xml::Element;
use super::super::{Cloud, caller, visibility};

/// Letters that names and descriptions may have besides letters, digits and blanks.
const SIGNS: &str = "._-:/()#,@[]+=&;{}!$*";

fn is_plain(text: &str) -> bool {
    text.chars().count() <= 255
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == ' ' || SIGNS.contains(letter))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

/// CreateSecurityGroup and the two Authorize actions.
pub(crate) async fn check(cloud: &Cloud, request: &Request, account: &str) -> Result<(), Refusal> {
    let parameters = &request.parameters;
    if request.action == "CreateSecurityGroup" {
        let name = parameters.get("GroupName").unwrap_or_default();
        let description = parameters.get("GroupDescription").unwrap_or_default();
        if name.is_empty() || !is_plain(name) || name.starts_with("sg-") {
            return Err(invalid(format!(
                "Value ({name}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported."
            )));
        }
        if !is_plain(description) {
            return Err(invalid(format!(
                "Value ({description}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported."
            )));
        }
        return Ok(());
    }
    let mut named = Vec::new();
    for permission in parameters.structures("IpPermissions") {
        let ranges = ["IpRanges", "Ipv6Ranges", "Groups", "PrefixListIds"];
        for source in ranges.iter().flat_map(|key| permission.structures(key)) {
            if source.get("Description").is_some_and(|text| !is_plain(text)) {
                return Err(invalid(
                    "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: \
                     a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
                ));
            }
            if let Some(group) = source.get("GroupId") {
                named.push(group.to_owned());
            }
        }
        let port = |key: &str| permission.get(key).and_then(|port| port.parse::<i32>().ok());
        if ["tcp", "udp", "6", "17"].contains(&permission.get("IpProtocol").unwrap_or_default()) {
            match (port("FromPort"), port("ToPort")) {
                (Some(from), Some(to)) if (0..=65535).contains(&from) && from <= to && to <= 65535 => {}
                (from, to) => {
                    return Err(invalid(format!(
                        "Invalid TCP/UDP port range ({}:{})",
                        from.unwrap_or_default(),
                        to.unwrap_or_default()
                    )));
                }
            }
        }
    }
    for group in named {
        let found = cloud.moto.ec2(caller(request, account), "DescribeSecurityGroups", &[("GroupId.1", &group)]).await;
        found.map_err(|_| visibility::not_found(&group))?;
    }
    Ok(())
}

/// EC2 finds the rule to revoke without its description; moto compares that too, so it is filled in.
pub(crate) async fn describe_revoked(cloud: &Cloud, request: &mut Request, account: &str) -> Result<(), Refusal> {
    let Some(group) = request.parameters.get("GroupId").map(str::to_owned) else { return Ok(()) };
    let found = cloud.moto.ec2(caller(request, account), "DescribeSecurityGroups", &[("GroupId.1", &group)]).await?;
    let rules: Vec<Element> =
        found.all("ipPermissions").into_iter().flat_map(|list| list.elements().cloned().collect::<Vec<_>>()).collect();
    let mut described = Vec::new();
    for permission in (1..).map(|index| format!("IpPermissions.{index}")) {
        let text = |key: &str| request.parameters.get(&format!("{permission}.{key}")).unwrap_or_default();
        if text("IpProtocol").is_empty() {
            break;
        }
        let same = rules.iter().filter(|rule| {
            rule.text_of("ipProtocol") == text("IpProtocol")
                && rule.text_of("fromPort") == text("FromPort")
                && rule.text_of("toPort") == text("ToPort")
        });
        let sources: Vec<&Element> = same.flat_map(|rule| [rule.child("groups"), rule.child("ipRanges")]).flatten().collect();
        for (list, key, name) in [("Groups", "GroupId", "groupId"), ("IpRanges", "CidrIp", "cidrIp")] {
            for source in (1..).map(|index| format!("{permission}.{list}.{index}")) {
                let Some(wanted) = request.parameters.get(&format!("{source}.{key}")) else { break };
                let stands = sources.iter().flat_map(|list| list.elements()).find(|item| item.text_of(name) == wanted);
                if let Some(description) = stands.map(|item| item.text_of("description")).filter(|text| !text.is_empty()) {
                    described.push((format!("{source}.Description"), description.to_owned()));
                }
            }
        }
    }
    for (key, description) in described {
        request.parameters.set(&key, &description);
    }
    Ok(())
}
