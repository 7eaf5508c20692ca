//! Names, descriptions and sources that EC2 refuses in security groups.

use super::super::answer::Refusal;
use super::super::request::Request;
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
