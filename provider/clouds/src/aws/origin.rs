//! What a cluster was made with and reads of it leave out, for imports.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::{Filter, Instance, Volume};

use super::call::Api;
use super::inventory::pages;
use super::{Aws, cluster, machines, tags};
use crate::{ClusterOrigin, ClusterState, MachineOrigin, RegionState, Result, RootDisk};

/// EC2's largest page of volumes.
const PAGE: i32 = 500;

/// The disks and images of the machines, and whether the nodes serve the region's ingress load balancer.
pub(super) async fn read(aws: &Aws, cluster: &ClusterState, region: &RegionState, age: Duration) -> Result<ClusterOrigin> {
    let root = cluster.security_group_id.as_str();
    let (listed, instances, ingress) =
        tokio::try_join!(machines::list(aws, root, age), aws.instances(age), cluster::serves_ingress(aws, root, region, age))?;
    let name = listed.first().and_then(|machine| machine.tags.get(tags::CLUSTER)).cloned().unwrap_or_default();
    let volumes = volumes(aws, &name).await?;
    let mut machines = BTreeMap::new();
    for machine in listed {
        let Some(instance) = instances.iter().find(|instance| instance.instance_id() == Some(&machine.id)) else { continue };
        let image_id = instance.image_id().unwrap_or_default().to_owned();
        machines.insert(machine.id, MachineOrigin { image_id, root_disk: root_disk(instance, &volumes) });
    }
    Ok(ClusterOrigin { machines, serves_ingress: ingress })
}

/// Volumes that were made with the machines of clusters of that name.
async fn volumes(aws: &Aws, cluster: &str) -> Result<Vec<Volume>> {
    let client = &aws.clients().ec2;
    let filter = Filter::builder().name(format!("tag:{}", tags::CLUSTER)).values(cluster).build();
    let volumes = pages(
        aws,
        Api::Ec2,
        "ec2:DescribeVolumes",
        &format!("the disks of cluster `{cluster}`"),
        |token| client.describe_volumes().filters(filter.clone()).max_results(PAGE).set_next_token(token).send(),
        |mut page| (page.volumes.take().unwrap_or_default(), page.next_token.take()),
    )
    .await?;
    Ok(volumes)
}

fn root_disk(instance: &Instance, volumes: &[Volume]) -> Option<RootDisk> {
    let root = instance.root_device_name();
    let mapping = instance.block_device_mappings().iter().find(|mapping| mapping.device_name() == root)?;
    let id = mapping.ebs()?.volume_id()?;
    let volume = volumes.iter().find(|volume| volume.volume_id() == Some(id))?;
    Some(RootDisk {
        size_gib: volume.size().and_then(|gib| u32::try_from(gib).ok())?,
        volume_type: volume.volume_type()?.as_str().to_owned(),
    })
}
