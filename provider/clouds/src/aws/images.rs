//! Images and machine types.

use aws_sdk_ec2::types::{
    ArchitectureType, ArchitectureValues, BootModeType, BootModeValues, Filter, ImageState, InstanceType, InstanceTypeInfo,
    LocationType, MemoryInfo, ProcessorInfo, VCpuInfo,
};

use super::Aws;
use super::call::Api;
use crate::{Error, Image, MachineType, Result};

/// The account that Sidero Labs publishes Talos from (talos docs, "AWS"; `cloud-images.json` of each release).
const TALOS_OWNER: &str = "540036508848";

/// The official image of that version, or the given one.
pub(super) async fn find(aws: &Aws, version: &str, architecture: &str, id: Option<&str>) -> Result<Image> {
    match id {
        Some(id) => given(aws, id, architecture).await,
        None => official(aws, version, architecture).await,
    }
}

async fn official(aws: &Aws, version: &str, architecture: &str) -> Result<Image> {
    let name = format!("talos-{version}-{}-{architecture}", aws.region());
    let client = &aws.clients().ec2;
    let answer = aws
        .call(Api::Ec2, "ec2:DescribeImages", format!("image `{name}`"))
        .send(|| {
            // AWS deprecates a public image two years after it was made; it boots as before.
            let request = client.describe_images().owners(TALOS_OWNER).include_deprecated(true);
            request.filters(Filter::builder().name("name").values(&name).build()).send()
        })
        .await?;
    let newest = answer
        .images()
        .iter()
        .filter(|image| image.state() == Some(&ImageState::Available))
        .max_by_key(|image| image.creation_date().unwrap_or_default().to_owned());
    let Some(image) = newest else {
        return Err(Error::NotFound {
            object: format!("image `{name}`"),
            message: format!(
                "account {TALOS_OWNER} (Sidero Labs) offers none of that name in `{}`: check the version, or give an image id",
                aws.region()
            ),
        });
    };
    remember(aws, image).await;
    let id = image.image_id().unwrap_or_default().to_owned();
    Ok(Image { id, name, architecture: architecture.to_owned(), needs_uefi: needs_uefi(image) })
}

async fn given(aws: &Aws, id: &str, architecture: &str) -> Result<Image> {
    let image = describe(aws, id).await?;
    let found = match image.architecture() {
        Some(ArchitectureValues::X8664) => "amd64",
        Some(ArchitectureValues::Arm64) => "arm64",
        other => {
            let other = other.map_or("unknown", |other| other.as_str());
            return Err(Error::NotFound {
                object: format!("image `{id}` for `{architecture}`"),
                message: format!("it is for `{other}`"),
            });
        }
    };
    if found != architecture {
        return Err(Error::NotFound {
            object: format!("image `{id}` for `{architecture}`"),
            message: format!("it is for `{found}`: choose an image of the machines' architecture"),
        });
    }
    let name = image.name().unwrap_or_default().to_owned();
    Ok(Image { id: id.to_owned(), name, architecture: found.to_owned(), needs_uefi: needs_uefi(&image) })
}

fn needs_uefi(image: &aws_sdk_ec2::types::Image) -> bool {
    image.boot_mode() == Some(&BootModeValues::Uefi)
}

async fn describe(aws: &Aws, id: &str) -> Result<aws_sdk_ec2::types::Image> {
    let client = &aws.clients().ec2;
    let missing = |message: &str| Error::NotFound {
        object: format!("image `{id}`"),
        message: format!("not in `{}`, or not shared with this account ({message})", aws.region()),
    };
    let answer = aws
        .call(Api::Ec2, "ec2:DescribeImages", format!("image `{id}`"))
        .send(|| client.describe_images().image_ids(id).send())
        .await;
    let answer = match answer {
        Err(failure) if failure.code.starts_with("InvalidAMIID") => return Err(missing(&failure.message)),
        other => other?,
    };
    let image = answer.images().first().ok_or_else(|| missing("no answer"))?;
    if image.state() != Some(&ImageState::Available) {
        let state = image.state().map_or("unknown", ImageState::as_str);
        return Err(missing(&format!("its state is `{state}`")));
    }
    remember(aws, image).await;
    Ok(image.clone())
}

async fn remember(aws: &Aws, image: &aws_sdk_ec2::types::Image) {
    if let (Some(id), Some(device)) = (image.image_id(), image.root_device_name()) {
        aws.inner.root_devices.lock().await.insert(id.to_owned(), device.to_owned());
    }
}

/// The device name under which an image has its root disk, for overriding size and type.
pub(super) async fn root_device(aws: &Aws, image_id: &str) -> Result<String> {
    if let Some(device) = aws.inner.root_devices.lock().await.get(image_id) {
        return Ok(device.clone());
    }
    let image = describe(aws, image_id).await?;
    image.root_device_name().map(str::to_owned).ok_or_else(|| Error::NotFound {
        object: format!("the root device of image `{image_id}`"),
        message: "the image names none: it cannot be booted from".to_owned(),
    })
}

/// The machine type of that name, or `None` if the place does not offer it.
pub(super) async fn machine_type(aws: &Aws, name: &str) -> Result<Option<MachineType>> {
    if let Some(known) = aws.inner.machine_types.lock().await.get(name) {
        return Ok(known.clone());
    }
    let client = &aws.clients().ec2;
    let answer = aws
        .call(Api::Ec2, "ec2:DescribeInstanceTypes", format!("machine type `{name}`"))
        .send(|| client.describe_instance_types().instance_types(InstanceType::from(name)).send())
        .await;
    let info = match answer {
        Err(failure) if failure.is(&["InvalidInstanceType", "InvalidParameterValue"]) => None,
        other => other?.instance_types().first().cloned(),
    };
    let found = match info {
        Some(info) => Some(described(name, &info, offering_zones(aws, name).await?)),
        None => None,
    };
    aws.inner.machine_types.lock().await.insert(name.to_owned(), found.clone());
    Ok(found)
}

fn described(name: &str, info: &InstanceTypeInfo, zones: Vec<String>) -> MachineType {
    let architectures = info.processor_info().map(ProcessorInfo::supported_architectures).unwrap_or_default();
    let arm = architectures.contains(&ArchitectureType::Arm64);
    MachineType {
        name: name.to_owned(),
        architecture: if arm { "arm64" } else { "amd64" }.to_owned(),
        vcpus: info.v_cpu_info().and_then(VCpuInfo::default_v_cpus).and_then(|n| n.try_into().ok()).unwrap_or(0),
        memory_mib: info.memory_info().and_then(MemoryInfo::size_in_mib).and_then(|n| n.try_into().ok()).unwrap_or(0),
        zones,
        // Where EC2 does not tell, nothing is held against the type.
        boots_uefi: info.supported_boot_modes().is_empty() || info.supported_boot_modes().contains(&BootModeType::Uefi),
    }
}

/// Zones that offer a type: not each zone has each, and which letter stands for which zone differs from account to account.
async fn offering_zones(aws: &Aws, name: &str) -> Result<Vec<String>> {
    let client = &aws.clients().ec2;
    let filter = Filter::builder().name("instance-type").values(name).build();
    let answer = aws
        .call(Api::Ec2, "ec2:DescribeInstanceTypeOfferings", format!("machine type `{name}`"))
        .send(|| {
            let request = client.describe_instance_type_offerings().location_type(LocationType::AvailabilityZone);
            request.filters(filter.clone()).send()
        })
        .await?;
    let mut zones: Vec<String> =
        answer.instance_type_offerings().iter().filter_map(|offering| offering.location().map(str::to_owned)).collect();
    zones.sort();
    Ok(zones)
}
