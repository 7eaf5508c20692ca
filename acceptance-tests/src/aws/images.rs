//! Machine images: the official Talos ones of each region, and a look-alike that must never be chosen.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::Cloud;
use super::answer::{Answer, Refusal};
use super::request::Request;
use super::xml::Element;
use crate::hash::hex;

/// Sidero Labs' account: the owner of the official images.
pub(crate) const OFFICIAL_OWNER: &str = "540036508848";
/// An account that publishes images of the same names, newer than the official ones.
pub(crate) const LOOK_ALIKE_OWNER: &str = "666600006666";

/// An image that exists in one region.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: &'static str,
    /// As EC2 calls it: `x86_64` or `arm64`.
    pub(crate) architecture: &'static str,
    pub(crate) region: String,
    pub(crate) talos_version: String,
    created: &'static str,
    /// From when on AWS lists it no more unless asked for deprecated ones.
    deprecated_from: String,
    /// How EC2 starts it, where the image says.
    pub(crate) boot_mode: Option<&'static str>,
}

/// The day in the sandbox, for deprecations.
const TODAY: &str = "2026-11-01T00:00:00.000Z";

impl Image {
    fn is_deprecated(&self) -> bool {
        self.deprecated_from.as_str() <= TODAY
    }
}

/// When an official image was made. The oldest version's is its release, which is more than two years ago.
fn made(version: &str) -> &'static str {
    if version.starts_with("v1.8.") { "2024-09-23T10:00:00.000Z" } else { "2026-01-10T10:00:00.000Z" }
}

/// Public images are deprecated two years after they were made, whatever their owner says (EC2 user guide, "Deprecate an
/// AMI").
fn two_years_after(created: &str) -> String {
    let (year, rest) = created.split_at(4);
    format!("{}{rest}", year.parse::<u32>().map_or(0, |year| year + 2))
}

/// As Talos' releases register their images (`tools/cloud-image-uploader` of its source): UEFI where it can be from v1.10 on,
/// and nothing else from v1.13 on.
fn boot_mode(version: &str) -> Option<&'static str> {
    let minor: u32 = version.split('.').nth(1)?.parse().ok()?;
    match minor {
        13.. => Some("uefi"),
        10.. => Some("uefi-preferred"),
        _ => None,
    }
}

/// The disk that an image boots from.
pub(crate) const ROOT_DEVICE: &str = "/dev/xvda";
/// Its size.
pub(crate) const ROOT_DISK_GIB: u32 = 20;

/// All images: each version in each region and architecture, by both owners.
pub(crate) fn catalogue(versions: &[String], regions: &[String]) -> Vec<Image> {
    let mut images = Vec::new();
    for region in regions {
        for version in versions {
            for (suffix, architecture) in [("amd64", "x86_64"), ("arm64", "arm64")] {
                let name = format!("talos-{version}-{region}-{suffix}");
                let owners = [(OFFICIAL_OWNER, made(version)), (LOOK_ALIKE_OWNER, "2026-02-20T10:00:00.000Z")];
                for (owner, created) in owners {
                    let hash = hex(format!("{owner}/{name}").as_bytes());
                    images.push(Image {
                        id: format!("ami-0{}", &hash[..16]),
                        name: name.clone(),
                        owner,
                        architecture,
                        region: region.clone(),
                        talos_version: version.clone(),
                        created,
                        deprecated_from: two_years_after(created),
                        boot_mode: boot_mode(version),
                    });
                }
            }
        }
    }
    images
}

/// Writes the list that moto reads. moto gives every region all of them; [`describe`] and RunInstances keep them apart.
pub(crate) fn write_for_moto(images: &[Image], path: &Path) -> std::io::Result<()> {
    let list: Vec<_> = images
        .iter()
        .map(|image| {
            json!({
                "ami_id": image.id, "name": image.name, "owner_id": image.owner, "architecture": image.architecture,
                "creation_date": image.created, "description": "Talos Linux", "public": true, "state": "available",
                "image_location": format!("{}/{}", image.owner, image.name), "image_type": "machine", "platform": null,
                "hypervisor": "xen", "virtualization_type": "hvm", "root_device_name": ROOT_DEVICE,
                "root_device_type": "ebs", "sriov": "simple",
            })
        })
        .collect();
    fs::write(path, serde_json::to_vec(&list)?)
}

/// The image of that id in that region.
pub(crate) fn find<'a>(images: &'a [Image], id: &str, region: &str) -> Option<&'a Image> {
    images.iter().find(|image| image.id == id && image.region == region)
}

/// DescribeImages.
pub(crate) fn describe(cloud: &Cloud, request: &Request) -> Result<Answer, Refusal> {
    let parameters = &request.parameters;
    let ids = parameters.list("ImageId");
    for id in &ids {
        if find(&cloud.images, id, &request.region).is_none() {
            return Err(Refusal::new("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")));
        }
    }
    let owners = parameters.list("Owner");
    let filters: Vec<(String, Vec<String>)> = parameters
        .structures("Filter")
        .iter()
        .map(|filter| {
            let values = filter.list("Value").into_iter().map(str::to_owned).collect();
            (filter.get("Name").unwrap_or_default().to_owned(), values)
        })
        .collect();
    let all = parameters.get("IncludeDeprecated") == Some("true");
    let mut set = Element::new("imagesSet");
    for image in cloud.images.iter().filter(|image| image.region == request.region) {
        let by_id = ids.is_empty() || ids.contains(&image.id.as_str());
        let by_owner = owners.is_empty() || owners.contains(&image.owner);
        let mut by_filters = true;
        for (name, values) in &filters {
            let value = match name.as_str() {
                "name" => image.name.as_str(),
                "owner-id" => image.owner,
                "architecture" => image.architecture,
                "image-id" => image.id.as_str(),
                "state" => "available",
                "virtualization-type" => "hvm",
                "root-device-type" => "ebs",
                "image-type" => "machine",
                "is-public" | "ena-support" => "true",
                other => {
                    return Err(Refusal::new("InvalidParameterValue", format!("The filter '{other}' is invalid")));
                }
            };
            by_filters &= values.iter().any(|wanted| glob(wanted, value));
        }
        // One that is named shows in any case, and every one to its owner, who is nobody of the sandbox's.
        let listed = all || !ids.is_empty() || !image.is_deprecated();
        if by_id && by_owner && by_filters && listed {
            set.push(item(image));
        }
    }
    Ok(Answer::xml(&Element::new("DescribeImagesResponse").leaf("requestId", "sandbox").node(set)))
}

fn item(image: &Image) -> Element {
    let disk = Element::new("ebs")
        .leaf("deleteOnTermination", "true")
        .leaf("volumeSize", &ROOT_DISK_GIB.to_string())
        .leaf("volumeType", "gp3")
        .leaf("encrypted", "false");
    let mut item = Element::new("item")
        .leaf("imageId", &image.id)
        .leaf("imageLocation", &format!("{}/{}", image.owner, image.name))
        .leaf("imageState", "available")
        .leaf("imageOwnerId", image.owner)
        .leaf("creationDate", image.created)
        .leaf("isPublic", "true")
        .leaf("architecture", image.architecture)
        .leaf("imageType", "machine")
        .leaf("name", &image.name)
        .leaf("rootDeviceType", "ebs")
        .leaf("rootDeviceName", ROOT_DEVICE)
        .leaf("virtualizationType", "hvm")
        .leaf("enaSupport", "true")
        .leaf("hypervisor", "xen")
        .leaf("deprecationTime", &image.deprecated_from)
        .node(Element::new("blockDeviceMapping").node(Element::new("item").leaf("deviceName", ROOT_DEVICE).node(disk)));
    if let Some(mode) = image.boot_mode {
        item.push(Element::with_text("bootMode", mode));
    }
    item
}

/// EC2's wildcards in filters: `*` and `?`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    fn matches(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|from| matches(rest, &text[from..])),
            Some(('?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
            Some((letter, rest)) => text.first() == Some(letter) && matches(rest, &text[1..]),
        }
    }
    matches(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_mean_what_ec2_says() {
        assert!(glob("talos-v1.13.9-*-amd64", "talos-v1.13.9-us-east-1-amd64"));
        assert!(glob("a?c", "abc"));
        assert!(!glob("a?c", "ac"));
        assert!(!glob("talos", "talos-v1"));
    }

    #[test]
    fn images_are_deprecated_after_two_years() {
        let images = catalogue(&["v1.8.0".to_owned(), "v1.13.9".to_owned()], &["us-east-1".to_owned()]);
        let deprecated: Vec<_> = images.iter().filter(|image| image.is_deprecated()).collect();
        assert!(!deprecated.is_empty());
        assert!(deprecated.iter().all(|image| image.talos_version == "v1.8.0" && image.owner == OFFICIAL_OWNER));
    }

    #[test]
    fn every_name_is_there_twice() {
        let images = catalogue(&["v1.13.9".to_owned()], &["us-east-1".to_owned()]);
        let named: Vec<_> = images.iter().filter(|image| image.name == "talos-v1.13.9-us-east-1-amd64").collect();
        assert_eq!(named.len(), 2);
        assert_ne!(named[0].id, named[1].id);
    }
}
