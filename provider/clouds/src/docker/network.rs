//! A region's network: a bridge with the region's range. Its lower half is ours to give out; the engine gives containers of
//! others that join without an address one of the upper half.

use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use ipnet::Ipv4Net;

use super::inventory::{FRESH, Network};
use super::{Docker, labels, naming};
use crate::{Claim, Error, Kind, RegionSpec, Result, Scope, tags};

/// The network of a scope, if it stands: the one that was made first, should there be two.
pub(super) async fn find(docker: &Docker, scope: &Scope) -> Result<Option<Network>> {
    let networks = docker.networks(FRESH).await?;
    let ours = networks.iter().filter(|network| is_region(network, scope));
    Ok(ours.min_by_key(|network| network.labels.get(tags::CREATED).cloned()).cloned())
}

/// The network of a scope, which has to stand.
pub(super) async fn need(docker: &Docker, scope: &Scope) -> Result<Network> {
    find(docker, scope).await?.ok_or_else(|| Error::NotFound {
        object: format!("network `{}`", naming::region(scope)),
        message: "the region's network is gone: apply its `inferadb_region` first".to_owned(),
    })
}

fn is_region(network: &Network, scope: &Scope) -> bool {
    network.labels.get(tags::KIND).map(String::as_str) == Some(tags::kind_name(Kind::Region))
        && labels::belongs(&network.labels, scope)
}

/// Makes the network, or finds it. The engine gives a range to one network only, so two calls make one.
pub(super) async fn ensure(docker: &Docker, spec: &RegionSpec, claim: &Claim) -> Result<Network> {
    if let Some(standing) = find(docker, &spec.scope).await? {
        return Ok(standing);
    }
    let name = naming::region(&spec.scope);
    let bears = labels::of_root(labels::common(&spec.scope, &spec.tags), Kind::Region, &spec.scope.region, claim);
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(spec.cidr.to_string()),
                gateway: Some(gateway(spec.cidr).to_string()),
                ip_range: dynamic(spec.cidr).map(|range| range.to_string()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        }),
        labels: Some(bears.into_iter().collect()),
        ..NetworkCreateRequest::default()
    };
    let made = docker
        .write("docker:NetworkCreate", &format!("network `{name}`"), |client| {
            let request = request.clone();
            async move { client.create_network(request).await }
        })
        .await;
    // Somebody else's call may have been the one that made it.
    if let Some(standing) = find(docker, &spec.scope).await? {
        return Ok(standing);
    }
    match made {
        Ok(_) => {
            Err(Error::NotFound { object: format!("network `{name}`"), message: "it was made, and then removed".to_owned() })
        }
        Err(failure) if failure.says(&["overlap"]) => Err(in_the_way(docker, spec.cidr, failure.message).await?),
        Err(failure) if failure.is_conflict() || failure.says(&["already exists"]) => Err(Error::Foreign {
            object: format!("network `{name}`"),
            message: format!("remove it with `docker network rm {name}`"),
        }),
        Err(failure) => Err(failure.into()),
    }
}

/// Which network has the range. The engine's own message does not say.
async fn in_the_way(docker: &Docker, range: Ipv4Net, said: String) -> Result<Error> {
    let networks = docker.networks(FRESH).await?;
    let meets = |network: &&Network| network.ranges.iter().any(|other| range.contains(other) || other.contains(&range));
    let whose = networks.iter().find(meets).map_or_else(
        || "another network of the engine, or a route of its machine, has addresses of it".to_owned(),
        |network| {
            format!("network `{}` has addresses of it (`docker network rm {}` if nobody needs it)", network.name, network.name)
        },
    );
    Ok(Error::Api {
        operation: "docker:NetworkCreate",
        object: format!("the range `{range}`"),
        code: "overlap".to_owned(),
        message: format!("{whose}: {said}"),
    })
}

/// Removes the network; `false` while containers are in it.
pub(super) async fn remove(docker: &Docker, id: &str) -> Result<bool> {
    let removed = docker
        .write("docker:NetworkDelete", &format!("network `{id}`"), |client| {
            let id = id.to_owned();
            async move { client.remove_network(&id).await }
        })
        .await;
    match removed {
        Ok(()) => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(true),
        Err(failure) if failure.says(&["active endpoints"]) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// The engine's own address in the network.
fn gateway(range: Ipv4Net) -> Ipv4Addr {
    range.hosts().next().unwrap_or_else(|| range.network())
}

/// What the engine gives out by itself.
fn dynamic(range: Ipv4Net) -> Option<Ipv4Net> {
    range.subnets(range.prefix_len() + 1).ok()?.nth(1)
}

/// Addresses that are ours to give out, in order: the lower half without network and gateway.
pub(super) fn ours(range: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let lower = range.subnets(range.prefix_len() + 1).ok().and_then(|mut halves| halves.next()).unwrap_or(range);
    let gateway = gateway(range);
    lower.hosts().filter(move |address| *address != gateway && *address != range.network())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_addresses_and_the_engines_are_apart() {
        let range: Ipv4Net = "10.5.0.0/23".parse().unwrap();
        let dynamic = dynamic(range).unwrap();
        assert_eq!(gateway(range).to_string(), "10.5.0.1");
        assert_eq!(dynamic.to_string(), "10.5.1.0/24");
        let ours: Vec<Ipv4Addr> = ours(range).collect();
        assert_eq!(ours[0].to_string(), "10.5.0.2");
        assert!(ours.iter().all(|address| !dynamic.contains(address)));
        assert!(ours.len() > 250);
    }
}
