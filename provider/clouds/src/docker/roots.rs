//! Roots: networks and volumes that bear our labels, with what their marks say of them.

use std::time::Duration;

use super::inventory::{FRESH, Network, Volume};
use super::marks::{self, Marked};
use super::{Docker, labels, mismatch};
use crate::tags::{self, Tags};
use crate::{Claim, Kind, Mark, Result, Root, Scope};

/// The root that an object with these labels is, and what its marks are on; `None` if they are not a root's.
fn from_labels(kind: Kind, id: &str, name: &str, found: &Tags) -> Option<(Root, Marked)> {
    if found.get(tags::KIND).map(String::as_str) != Some(tags::kind_name(kind)) {
        return None;
    }
    let scope = Scope { environment: found.get(tags::ENVIRONMENT)?.clone(), region: found.get(tags::REGION)?.clone() };
    let incarnation = found.get(tags::CLAIM)?.clone();
    let root = Root {
        kind,
        id: id.to_owned(),
        scope: scope.clone(),
        name: found.get(tags::NAME)?.clone(),
        claim: Some(Claim(incarnation.clone())),
        finished: false,
        in_state: false,
        cidr: None,
        tags: found.clone(),
    };
    Some((root, Marked { id: id.to_owned(), name: name.to_owned(), incarnation, scope }))
}

/// With what the marks say.
fn marked((mut root, marked): (Root, Marked), volumes: &[Volume]) -> (Root, Marked) {
    let said = marked.said(volumes);
    if let Some(claim) = said.claim {
        root.claim = Some(Claim(claim));
    }
    root.finished = said.finished;
    root.in_state = said.in_state;
    if let Some(users) = said.tags {
        let old: Vec<String> = labels::users(&root.tags).into_keys().collect();
        root.tags.retain(|key, _| !old.contains(key));
        root.tags.extend(users);
    }
    if let Some(claim) = &root.claim {
        root.tags.insert(tags::CLAIM.to_owned(), claim.0.clone());
    }
    (root, marked)
}

fn of_network(network: &Network) -> Option<(Root, Marked)> {
    let (mut root, marked) = from_labels(Kind::Region, &network.id, &network.name, &network.labels)?;
    root.cidr = network.ranges.first().copied();
    Some((root, marked))
}

/// A cluster's root is called by its volume's name, a backup store's by the bucket's.
fn of_volume(kind: Kind, volume: &Volume) -> Option<(Root, Marked)> {
    let id = match kind {
        Kind::Backup => volume.labels.get(labels::BUCKET)?,
        _ => &volume.name,
    };
    from_labels(kind, id, &volume.name, &volume.labels)
}

async fn all(docker: &Docker, kind: Kind, age: Duration) -> Result<Vec<(Root, Marked)>> {
    let volumes = docker.volumes(age).await?;
    let found: Vec<(Root, Marked)> = match kind {
        Kind::Region => docker.networks(age).await?.iter().filter_map(of_network).collect(),
        Kind::Cluster | Kind::Backup => volumes.iter().filter_map(|volume| of_volume(kind, volume)).collect(),
    };
    let mut roots: Vec<(Root, Marked)> = found.into_iter().map(|root| marked(root, &volumes)).collect();
    // Finished ones first, then the older.
    let made = |root: &Root| (root.tags.get(tags::CREATED).cloned().unwrap_or_default(), root.id.clone());
    roots.sort_by(|(a, _), (b, _)| (b.in_state, b.finished).cmp(&(a.in_state, a.finished)).then_with(|| made(a).cmp(&made(b))));
    Ok(roots)
}

/// All roots of a kind.
pub(super) async fn list(docker: &Docker, kind: Kind, age: Duration) -> Result<Vec<Root>> {
    Ok(all(docker, kind, age).await?.into_iter().map(|(root, _)| root).collect())
}

/// The root of that id, and what its marks are on.
pub(super) async fn one(docker: &Docker, kind: Kind, id: &str, age: Duration) -> Result<Option<(Root, Marked)>> {
    Ok(all(docker, kind, age).await?.into_iter().find(|(root, _)| root.id == id))
}

/// The root that may be acted on under `claim`, as it is now.
pub(super) async fn claimed(docker: &Docker, kind: Kind, id: &str, claim: &Claim) -> Result<Option<(Root, Marked)>> {
    match one(docker, kind, id, FRESH).await? {
        Some(found) if found.0.claim.as_ref() == Some(claim) => Ok(Some(found)),
        Some((root, _)) => Err(mismatch(&root)),
        None => Ok(None),
    }
}

/// The root under `claim`; one that a state holds is only for its own claim.
pub(super) async fn take_up(docker: &Docker, kind: Kind, id: &str, claim: &Claim) -> Result<Option<(Root, Marked)>> {
    let Some((root, marked)) = one(docker, kind, id, FRESH).await? else { return Ok(None) };
    if root.claim.as_ref() == Some(claim) {
        return Ok(Some((root, marked)));
    }
    if root.in_state {
        return Err(mismatch(&root));
    }
    marks::set(docker, &root, &marked, &Mark::Claim(claim.clone())).await?;
    claimed(docker, kind, id, claim).await
}

/// Changes the marks of a root.
pub(super) async fn mark(docker: &Docker, root: &Root, mark: &Mark) -> Result<()> {
    match one(docker, root.kind, &root.id, FRESH).await? {
        Some((now, marked)) => marks::set(docker, &now, &marked, mark).await,
        None => Err(crate::Error::NotFound {
            object: format!("{} `{}`", tags::kind_name(root.kind), root.name),
            message: format!("`{}` was removed", root.id),
        }),
    }
}

/// Removes what marks of this scope are left of things that are gone.
pub(super) async fn sweep(docker: &Docker, scope: &Scope) -> Result<()> {
    let volumes = docker.volumes(FRESH).await?;
    let networks = docker.networks(FRESH).await?;
    let containers = docker.containers(FRESH).await?;
    let mut stands: Vec<String> = networks.iter().map(|network| network.id.clone()).collect();
    stands.extend(containers.iter().map(|container| container.id.clone()));
    let roots = volumes.iter().filter(|volume| volume.labels.contains_key(tags::KIND));
    for volume in roots {
        stands.push(volume.name.clone());
        stands.extend(volume.labels.get(labels::BUCKET).cloned());
    }
    marks::sweep(docker, &volumes, scope, &stands).await
}

/// The user's tags on a root, changed where they differ.
pub(super) async fn retag(docker: &Docker, root: &Root, marked: &Marked, user: &Tags) -> Result<()> {
    if labels::users(&root.tags) == *user { Ok(()) } else { marks::set_tags(docker, marked, user).await }
}
