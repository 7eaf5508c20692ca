//! The way out of a region's network: internet gateway, route table, associations.

use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, RouteTable};
use futures_util::future::try_join_all;

use super::call::{Api, Pace, SETTLE};
use super::inventory::FRESH;
use super::network::Parts;
use super::{Aws, naming, network, tags};
use crate::{Error, RegionSpec, Result, Root, Subnet};

/// Where everything else goes.
const ANYWHERE: &str = "0.0.0.0/0";
/// On an internet gateway: the VPC that it was made for.
pub(super) const NETWORK: &str = "inferadb.com/network";

/// A gateway that is attached to the VPC; its id. `CreateInternetGateway` has no token, but only one can be attached, and
/// those that are not are removed at the end.
pub(super) async fn make_gateway(aws: &Aws, spec: &RegionSpec, root: &Root, parts: &Parts) -> Result<String> {
    let client = &aws.clients().ec2;
    let standing = parts.gateways.first();
    let id = if let Some(id) = standing.and_then(|gateway| gateway.internet_gateway_id()) {
        id.to_owned()
    } else {
        let mut all = tags::common(&spec.scope, &super::region::display(&spec.scope), &spec.tags);
        all.insert(NETWORK.to_owned(), root.id.clone());
        let specification = tags::ec2_specification(ResourceType::InternetGateway, &all);
        let made = aws
            .call(Api::Ec2, "ec2:CreateInternetGateway", "the internet gateway")
            .send(|| client.create_internet_gateway().tag_specifications(specification.clone()).send())
            .await?;
        made.internet_gateway().and_then(|gateway| gateway.internet_gateway_id()).unwrap_or_default().to_owned()
    };
    if standing.is_some_and(|gateway| !gateway.attachments().is_empty()) {
        return Ok(id);
    }
    let attached = aws
        .call(Api::Ec2, "ec2:AttachInternetGateway", format!("internet gateway `{id}`"))
        .settling(&[])
        .send(|| client.attach_internet_gateway().internet_gateway_id(&id).vpc_id(&root.id).send())
        .await;
    match attached {
        Ok(_) => Ok(id),
        // To this VPC by a try whose answer was lost, or the VPC has another by an earlier one.
        Err(failure) if failure.is(&["Resource.AlreadyAssociated", "InvalidParameterValue"]) => {
            let mut pace = Pace::new(SETTLE, Duration::from_secs(2));
            loop {
                let now = network::parts(aws, root, FRESH).await?;
                let found = now.gateways.iter().find(|gateway| !gateway.attachments().is_empty());
                if let Some(found) = found.and_then(|gateway| gateway.internet_gateway_id()) {
                    return Ok(found.to_owned());
                }
                if !pace.wait().await {
                    return Err(failure.into());
                }
            }
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The route table of the public subnets; its id.
pub(super) async fn make_route_table(aws: &Aws, spec: &RegionSpec, root: &Root, parts: &Parts) -> Result<RouteTable> {
    if let Some(table) = parts.route_tables.first() {
        return Ok(table.clone());
    }
    let client = &aws.clients().ec2;
    let display = format!("{}-public", super::region::display(&spec.scope));
    let specification = tags::ec2_specification(ResourceType::RouteTable, &tags::common(&spec.scope, &display, &spec.tags));
    let token = naming::digest(&["route table", &root.id], 64);
    let made = aws
        .call(Api::Ec2, "ec2:CreateRouteTable", "the route table")
        .settling(&[])
        .send(|| {
            let request = client.create_route_table().vpc_id(&root.id).client_token(&token);
            request.tag_specifications(specification.clone()).send()
        })
        .await?;
    made.route_table().cloned().ok_or_else(|| Error::Api {
        operation: "ec2:CreateRouteTable",
        object: "the route table".to_owned(),
        code: String::new(),
        message: "the answer names none".to_owned(),
    })
}

/// The default route's target, where the table has one.
pub(super) fn default_route(table: &RouteTable) -> Option<&str> {
    let route = table.routes().iter().find(|route| route.destination_cidr_block() == Some(ANYWHERE))?;
    route.gateway_id()
}

/// Sends everything else through the gateway.
pub(super) async fn route(aws: &Aws, table: &RouteTable, gateway: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let id = table.route_table_id().unwrap_or_default();
    let object = format!("the default route of `{id}`");
    match default_route(table) {
        Some(target) if target == gateway => return Ok(()),
        Some(_) => {
            aws.call(Api::Ec2, "ec2:ReplaceRoute", object)
                .settling(&[])
                .send(|| {
                    let request = client.replace_route().route_table_id(id).gateway_id(gateway);
                    request.destination_cidr_block(ANYWHERE).send()
                })
                .await?;
        }
        None => {
            let made = aws
                .call(Api::Ec2, "ec2:CreateRoute", object)
                .settling(&[])
                .send(|| {
                    let request = client.create_route().route_table_id(id).gateway_id(gateway);
                    request.destination_cidr_block(ANYWHERE).send()
                })
                .await;
            match made {
                Err(failure) if !failure.is(&["RouteAlreadyExists"]) => return Err(failure.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Ties each subnet to the table.
pub(super) async fn associate(aws: &Aws, table: &RouteTable, subnets: &[Subnet]) -> Result<()> {
    let client = &aws.clients().ec2;
    let id = table.route_table_id().unwrap_or_default();
    let tied = |subnet: &&Subnet| !table.associations().iter().any(|a| a.subnet_id() == Some(subnet.id.as_str()));
    try_join_all(subnets.iter().filter(tied).map(|subnet| async move {
        let made = aws
            .call(Api::Ec2, "ec2:AssociateRouteTable", format!("subnet `{}`", subnet.id))
            .settling(&[])
            .send(|| client.associate_route_table().route_table_id(id).subnet_id(&subnet.id).send())
            .await;
        match made {
            Err(failure) if !failure.is(&["Resource.AlreadyAssociated"]) => Err(failure),
            _ => Ok(()),
        }
    }))
    .await?;
    Ok(())
}

/// Gateways and tables that a try whose answer was lost has left.
pub(super) async fn remove_spares(aws: &Aws, parts: &Parts, gateway: &str, table: &RouteTable) -> Result<()> {
    let client = &aws.clients().ec2;
    for spare in parts.gateways.iter().filter(|spare| spare.attachments().is_empty()) {
        if let Some(id) = spare.internet_gateway_id().filter(|id| *id != gateway) {
            delete_gateway(aws, id).await?;
        }
    }
    for spare in parts.route_tables.iter().filter(|spare| spare.associations().is_empty()) {
        if let Some(id) = spare.route_table_id().filter(|id| Some(*id) != table.route_table_id()) {
            let gone = aws
                .call(Api::Ec2, "ec2:DeleteRouteTable", format!("route table `{id}`"))
                .send(|| client.delete_route_table().route_table_id(id).send())
                .await;
            match gone {
                Err(failure) if !failure.is_not_found() => return Err(failure.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

pub(super) async fn delete_gateway(aws: &Aws, id: &str) -> Result<()> {
    let client = &aws.clients().ec2;
    let gone = aws
        .call(Api::Ec2, "ec2:DeleteInternetGateway", format!("internet gateway `{id}`"))
        .send(|| client.delete_internet_gateway().internet_gateway_id(id).send())
        .await;
    match gone {
        Err(failure) if failure.is_in_use() || failure.is_not_found() => Ok(()),
        Err(failure) => Err(failure.into()),
        Ok(_) => Ok(()),
    }
}

/// `true` while something still uses the table.
pub(super) async fn remove_table(aws: &Aws, table: &RouteTable) -> Result<bool> {
    let client = &aws.clients().ec2;
    let id = table.route_table_id().unwrap_or_default();
    let gone = aws
        .call(Api::Ec2, "ec2:DeleteRouteTable", format!("route table `{id}`"))
        .send(|| client.delete_route_table().route_table_id(id).send())
        .await;
    match gone {
        Ok(_) => return Ok(false),
        Err(failure) if failure.is_not_found() => return Ok(false),
        Err(failure) if failure.is_in_use() => {}
        Err(failure) => return Err(failure.into()),
    }
    // Somebody's subnet uses it; ours are gone, so it may be let go of.
    for tie in table.associations().iter().filter(|association| association.main() != Some(true)) {
        let tie = tie.route_table_association_id().unwrap_or_default();
        let loose = aws
            .call(Api::Ec2, "ec2:DisassociateRouteTable", format!("route table `{id}`"))
            .send(|| client.disassociate_route_table().association_id(tie).send())
            .await;
        match loose {
            Err(failure) if !failure.is_not_found() => return Err(failure.into()),
            _ => {}
        }
    }
    Ok(true)
}
