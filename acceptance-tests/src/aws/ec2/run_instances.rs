//! RunInstances: what EC2 refuses, client tokens, and what moto leaves undone.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::answer::{Answer, Refusal};
use super::super::images::{self, Image, ROOT_DEVICE, ROOT_DISK_GIB};
use super::super::request::Request;
use super::super::state::{Token, TokenUse};
use super::super::xml::Element;
use super::super::{Cloud, caller, visibility};
use super::instances::{self, Instance, Phase};
use super::zones;
use crate::instance_feed::{InstanceStarted, UserData};
use crate::ledger::Ticket;

/// User data before base64.
const USER_DATA_LIMIT: usize = 16 * 1024;
/// How long EC2 remembers a client token.
const TOKEN_LIFE: Duration = Duration::from_hours(24);
/// EBS' volume types.
const VOLUME_TYPES: [&str; 7] = ["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"];

pub(crate) async fn run(cloud: &Arc<Cloud>, request: &mut Request, account: &str, ticket: &Ticket) -> Result<Answer, Refusal> {
    let fingerprint = request.fingerprint(&["ClientToken"]);
    let token = request.parameters.get("ClientToken").filter(|token| !token.is_empty()).map(str::to_owned);
    // A token is known in one zone, so the same one in another zone makes another instance.
    let zone = if token.is_some() { zone_asked_for(cloud, request, account).await } else { String::new() };
    let token = token.map(|text| Token { account: account.to_owned(), region: request.region.clone(), zone, text });
    if let Some(Token { text, .. }) = &token
        && (text.len() > 64 || !text.is_ascii())
    {
        return Err(invalid("Invalid value for parameter clientToken: at most 64 ASCII characters"));
    }
    if let Some(token) = &token
        && let Some(answer) = replay(cloud, request, account, token, &fingerprint).await?
    {
        ticket.note("Replayed", true);
        return Ok(answer);
    }
    let user_data = user_data(request)?;
    let image = image(cloud, request)?.clone();
    let count = count(request)?;
    check_type(cloud, request, account, &image).await?;
    let place = Place::check(cloud, request, account, count).await?;
    zones::check_offered(cloud, request, account, &place.zone).await?;
    check_disks(request)?;
    check_metadata_options(request)?;
    check_quota(cloud, request, account, count)?;
    complete(request);

    let answer = cloud.moto.forward(request, account).await?;
    if !answer.is_ok() {
        return Ok(answer);
    }
    let mut tree = answer.tree();
    let mut ids = Vec::new();
    if let Some(set) = tree.child_mut("instancesSet") {
        for item in set.elements_mut() {
            let started = enter(cloud, request, account, item, &image, &place, user_data.clone());
            ids.push(started.instance_id.clone());
            tag_interfaces(cloud, request, account, &started.instance_id).await;
            instances::schedule_start(cloud, started);
        }
    }
    ticket.note("Made", ids.join(","));
    if let Some(token) = token {
        cloud.state().tokens.insert(token, TokenUse { fingerprint, instance_ids: ids, at: Instant::now() });
    }
    Ok(answer.replaced(&tree))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

/// The answer to a token that was used before: the same instances, whatever has become of them.
async fn replay(
    cloud: &Cloud,
    request: &Request,
    account: &str,
    token: &Token,
    fingerprint: &str,
) -> Result<Option<Answer>, Refusal> {
    let used = cloud.state().tokens.get(token).filter(|used| used.at.elapsed() < TOKEN_LIFE).cloned();
    let Some(used) = used else { return Ok(None) };
    if used.fingerprint != fingerprint {
        return Err(Refusal::new(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        ));
    }
    let mut reservation = instances::described(cloud, request, account, &used.instance_ids).await?;
    "RunInstancesResponse".clone_into(&mut reservation.name);
    reservation.attributes = vec![("xmlns".to_owned(), "http://ec2.amazonaws.com/doc/2016-11-15/".to_owned())];
    Ok(Some(Answer::xml(&reservation)))
}

/// The zone of the subnet that a request names; empty where it names none that is there.
async fn zone_asked_for(cloud: &Cloud, request: &Request, account: &str) -> String {
    let interfaces = request.parameters.structures("NetworkInterface");
    let subnet = interfaces.iter().find_map(|interface| interface.get("SubnetId"));
    let Some(subnet) = request.parameters.get("SubnetId").or(subnet) else { return String::new() };
    let found = cloud.moto.ec2(caller(request, account), "DescribeSubnets", &[("SubnetId.1", subnet)]).await;
    let zone =
        found.ok().and_then(|found| found.at(&["subnetSet", "item", "availabilityZone"]).map(|zone| zone.text().to_owned()));
    zone.unwrap_or_default()
}

fn user_data(request: &Request) -> Result<UserData, Refusal> {
    let Some(encoded) = request.parameters.get("UserData") else { return Ok(UserData::new(Vec::new())) };
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| invalid("Invalid BASE64 encoding of user data."))?;
    if bytes.len() > USER_DATA_LIMIT {
        return Err(invalid(format!("User data is limited to {USER_DATA_LIMIT} bytes")));
    }
    Ok(UserData::new(bytes))
}

fn image<'a>(cloud: &'a Cloud, request: &Request) -> Result<&'a Image, Refusal> {
    let id = request
        .parameters
        .get("ImageId")
        .ok_or_else(|| Refusal::new("MissingParameter", "The request must contain the parameter ImageId"))?;
    images::find(&cloud.images, id, &request.region)
        .ok_or_else(|| Refusal::new("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")))
}

fn count(request: &Request) -> Result<usize, Refusal> {
    let number = |key: &str| {
        let missing = || Refusal::new("MissingParameter", format!("The request must contain the parameter {key}"));
        let value = request.parameters.get(key).ok_or_else(missing)?;
        value
            .parse::<usize>()
            .ok()
            .filter(|value| *value > 0)
            .ok_or_else(|| invalid(format!("Value ({value}) for parameter {key} is invalid.")))
    };
    let (least, most) = (number("MinCount")?, number("MaxCount")?);
    if least > most {
        return Err(invalid("The MinCount may not be greater than the MaxCount"));
    }
    Ok(most)
}

async fn check_type(cloud: &Cloud, request: &Request, account: &str, image: &Image) -> Result<(), Refusal> {
    let Some(name) = request.parameters.get("InstanceType") else {
        return Err(Refusal::new("MissingParameter", "The request must contain the parameter InstanceType"));
    };
    let described = cloud.moto.ec2(caller(request, account), "DescribeInstanceTypes", &[("InstanceType.1", name)]).await;
    let described = described.map_err(|_| invalid(format!("Invalid value '{name}' for InstanceType.")))?;
    let architectures: Vec<&str> = described
        .all("supportedArchitectures")
        .iter()
        .flat_map(|list| list.elements().map(Element::text).collect::<Vec<_>>())
        .collect();
    if architectures.is_empty() {
        return Err(invalid(format!("Invalid value '{name}' for InstanceType.")));
    }
    if !architectures.contains(&image.architecture) {
        return Err(invalid(format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. \
             Specify an instance type and an AMI that have matching architectures, and try again.",
            architectures.join(","),
            image.architecture
        )));
    }
    let modes = described.all("supportedBootModes");
    let by_uefi = modes.iter().any(|list| list.elements().any(|mode| mode.text() == "uefi"));
    if image.boot_mode == Some("uefi") && !by_uefi {
        // EC2's own code for this is not documented; what matters is that the machine is not made.
        return Err(Refusal::new(
            "InvalidParameterCombination",
            format!("The instance type '{name}' does not support the boot mode 'uefi' of the specified AMI."),
        ));
    }
    Ok(())
}

/// Where the instances go.
struct Place {
    subnet: String,
    zone: String,
    vpc: String,
    groups: Vec<String>,
}

impl Place {
    async fn check(cloud: &Cloud, request: &Request, account: &str, count: usize) -> Result<Self, Refusal> {
        let interfaces = request.parameters.structures("NetworkInterface");
        let mut groups: Vec<String> = request.parameters.list("SecurityGroupId").into_iter().map(str::to_owned).collect();
        if !interfaces.is_empty() {
            let both = |what: &str| {
                Refusal::new(
                    "InvalidParameterCombination",
                    format!("Network interfaces and an instance-level {what} may not be specified on the same request"),
                )
            };
            if request.parameters.get("SubnetId").is_some() {
                return Err(both("subnet ID"));
            }
            if !groups.is_empty() {
                return Err(both("security groups"));
            }
        }
        let primary = interfaces.iter().find(|interface| interface.get("DeviceIndex") == Some("0"));
        let subnet = request.parameters.get("SubnetId").or_else(|| primary.and_then(|primary| primary.get("SubnetId")));
        let Some(subnet) = subnet else {
            return Err(Refusal::new("MissingInput", "No subnets found for the default VPC. Please specify a subnet."));
        };
        if let Some(primary) = primary {
            groups = primary.list("SecurityGroupId").into_iter().map(str::to_owned).collect();
        }
        let caller = caller(request, account);
        let found = cloud.moto.ec2(caller, "DescribeSubnets", &[("SubnetId.1", subnet)]).await;
        let found = found.map_err(|_| visibility::not_found(subnet))?;
        let found = found.at(&["subnetSet", "item"]).cloned().unwrap_or_default();
        let vpc = found.text_of("vpcId").to_owned();
        if found.text_of("availableIpAddressCount").parse::<usize>().is_ok_and(|free| free < count) {
            return Err(Refusal::new(
                "InsufficientFreeAddressesInSubnet",
                format!("There are not enough free addresses in subnet '{subnet}' to satisfy the requested number of instances."),
            ));
        }
        for group in &groups {
            let found = cloud.moto.ec2(caller, "DescribeSecurityGroups", &[("GroupId.1", group)]).await;
            let found = found.map_err(|_| visibility::not_found(group))?;
            if found.at(&["securityGroupInfo", "item", "vpcId"]).map(Element::text) != Some(vpc.as_str()) {
                return Err(Refusal::new(
                    "InvalidParameter",
                    format!("Security group {group} and subnet {subnet} belong to different networks."),
                ));
            }
        }
        let zone = found.text_of("availabilityZone").to_owned();
        Ok(Self { subnet: subnet.to_owned(), zone, vpc, groups })
    }
}

fn check_disks(request: &Request) -> Result<(), Refusal> {
    for mapping in request.parameters.structures("BlockDeviceMapping") {
        if let Some(kind) = mapping.get("Ebs.VolumeType").filter(|kind| !VOLUME_TYPES.contains(kind)) {
            return Err(invalid(format!("Invalid value '{kind}' for VolumeType.")));
        }
        let root = mapping.get("DeviceName") == Some(ROOT_DEVICE);
        let size = mapping.get("Ebs.VolumeSize").map(|size| size.parse::<u32>().unwrap_or(0));
        if root && size.is_some_and(|size| size < ROOT_DISK_GIB) {
            return Err(Refusal::new(
                "InvalidBlockDeviceMapping",
                format!(
                    "Volume of size {}GB is smaller than snapshot 'snap-0sandbox', expect size>= {ROOT_DISK_GIB}GB",
                    size.unwrap_or_default()
                ),
            ));
        }
    }
    Ok(())
}

fn check_metadata_options(request: &Request) -> Result<(), Refusal> {
    let options = request.parameters.below("MetadataOptions");
    if let Some(limit) = options.get("HttpPutResponseHopLimit")
        && !limit.parse::<u8>().is_ok_and(|limit| (1..=64).contains(&limit))
    {
        return Err(invalid(format!(
            "A value of '{limit}' is not valid for HttpPutResponseHopLimit. Specify a value between 1 and 64"
        )));
    }
    if let Some(tokens) = options.get("HttpTokens")
        && !["optional", "required"].contains(&tokens)
    {
        return Err(invalid(format!("Invalid value '{tokens}' for httpTokens")));
    }
    Ok(())
}

fn check_quota(cloud: &Cloud, request: &Request, account: &str, count: usize) -> Result<(), Refusal> {
    let state = cloud.state();
    let Some(quota) = state.instance_quota else { return Ok(()) };
    let running = state
        .instances
        .values()
        .filter(|instance| instance.account == account && instance.region == request.region && instance.lives())
        .count();
    if running + count <= quota {
        return Ok(());
    }
    if request.parameters.get("InstanceMarketOptions.MarketType") == Some("spot") {
        return Err(Refusal::new("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded"));
    }
    Err(Refusal::new(
        "VcpuLimitExceeded",
        format!(
            "You have requested more vCPU capacity than your current vCPU limit of {} allows for the instance bucket that the \
             specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an \
             adjustment to this limit.",
            quota * 2
        ),
    ))
}

/// Spells out EC2's defaults that moto's differ from.
fn complete(request: &mut Request) {
    let mut set = Vec::new();
    for (_, prefix) in request.parameters.entries("BlockDeviceMapping") {
        let key = format!("{prefix}.Ebs.DeleteOnTermination");
        let is_root = request.parameters.get(&format!("{prefix}.DeviceName")) == Some(ROOT_DEVICE);
        if is_root && request.parameters.get(&key).is_none() {
            set.push((key, "true".to_owned()));
        }
        let size = format!("{prefix}.Ebs.VolumeSize");
        if is_root && request.parameters.get(&size).is_none() {
            set.push((size, ROOT_DISK_GIB.to_string()));
        }
    }
    for (_, prefix) in request.parameters.entries("NetworkInterface") {
        let key = format!("{prefix}.DeleteOnTermination");
        if request.parameters.get(&key).is_none() {
            set.push((key, "true".to_owned()));
        }
    }
    for (key, value) in set {
        request.parameters.set(&key, &value);
    }
}

/// Enters an instance of moto's answer, mends that answer, and says what the node is to be.
fn enter(
    cloud: &Cloud,
    request: &Request,
    account: &str,
    item: &mut Element,
    image: &Image,
    place: &Place,
    user_data: UserData,
) -> InstanceStarted {
    let id = item.text_of("instanceId").to_owned();
    let private_ip: Ipv4Addr = item.text_of("privateIpAddress").parse().unwrap_or(Ipv4Addr::UNSPECIFIED);
    let has_public = !item.text_of("ipAddress").is_empty();
    let public_ip = has_public.then(|| {
        let [first, second, third, fourth] = private_ip.octets();
        Ipv4Addr::new(first, second.wrapping_add(cloud.config.public_octet_offset), third, fourth)
    });
    let interfaces: Vec<String> = item
        .child("networkInterfaceSet")
        .map(|set| set.elements().map(|interface| interface.text_of("networkInterfaceId").to_owned()).collect())
        .unwrap_or_default();
    let zone = item.at(&["placement", "availabilityZone"]).map(Element::text).unwrap_or_default().to_owned();
    let instance = Instance {
        account: account.to_owned(),
        region: request.region.clone(),
        vpc: place.vpc.clone(),
        subnet: place.subnet.clone(),
        zone: zone.clone(),
        private_ip,
        public_ip,
        groups: place.groups.clone(),
        public_from: None,
        phase: Phase::Pending,
        interfaces,
        protected: request.parameters.get("DisableApiTermination") == Some("true"),
        handed_over: false,
    };
    instances::overlay(item, &instance);
    let tags = request
        .parameters
        .structures("TagSpecification")
        .iter()
        .filter(|specification| specification.get("ResourceType") == Some("instance"))
        .flat_map(|specification| specification.tags("Tag"))
        .collect();
    let mut state = cloud.state();
    state.born("RunInstances", &id, Instant::now() + cloud.config.timing.visible_after);
    state.instances.insert(id.clone(), instance);
    InstanceStarted {
        instance_id: id,
        private_ip,
        public_ip,
        private_dns_name: item.text_of("privateDnsName").to_owned(),
        user_data,
        image_id: image.id.clone(),
        image_name: image.name.clone(),
        talos_version: (image.owner == images::OFFICIAL_OWNER).then(|| image.talos_version.clone()),
        region: request.region.clone(),
        zone,
        instance_type: request.parameters.get("InstanceType").unwrap_or_default().to_owned(),
        spot: request.parameters.get("InstanceMarketOptions.MarketType") == Some("spot"),
        metadata_hop_limit: request
            .parameters
            .get("MetadataOptions.HttpPutResponseHopLimit")
            .and_then(|limit| limit.parse().ok())
            .unwrap_or(1),
        tags,
    }
}

/// moto tags instances and volumes, but not interfaces.
async fn tag_interfaces(cloud: &Cloud, request: &Request, account: &str, id: &str) {
    let tags: Vec<(String, String)> = request
        .parameters
        .structures("TagSpecification")
        .iter()
        .filter(|specification| specification.get("ResourceType") == Some("network-interface"))
        .flat_map(|specification| specification.tags("Tag"))
        .collect();
    let interfaces: BTreeSet<String> =
        cloud.state().instances.get(id).map(|instance| instance.interfaces.iter().cloned().collect()).unwrap_or_default();
    if tags.is_empty() {
        return;
    }
    for interface in interfaces {
        let mut pairs = vec![("ResourceId.1".to_owned(), interface)];
        for (index, (key, value)) in tags.iter().enumerate() {
            pairs.push((format!("Tag.{}.Key", index + 1), key.clone()));
            pairs.push((format!("Tag.{}.Value", index + 1), value.clone()));
        }
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        if let Err(refusal) = cloud.moto.ec2(caller(request, account), "CreateTags", &pairs).await {
            tracing::error!("moto does not tag a network interface: {}", refusal.message);
        }
    }
}
