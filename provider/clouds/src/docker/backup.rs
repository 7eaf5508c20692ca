//! A backup store: Versity's S3 gateway in a container, over a volume, which is the root.
//!
//! It has what FoundationDB's backup needs of S3, and no more: no TLS, no encryption, no versions, no lifecycle rules, no
//! replica. It is for trying the backup out, and says so in a plan.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::DownloadFromContainerOptions;
use futures_util::StreamExt;

use super::archive::{self, Entry, Reader};
use super::containers::{self, Files, Wanted};
use super::inventory::FRESH;
use super::labels::BUCKET;
use super::roots::{claimed, retag, sweep, take_up};
use super::{Docker, images, labels, marks, naming, network, places, proxy, roots};
use crate::tags;
use crate::{BackupSpec, BackupState, Claim, Error, Kind, Observer, Result, Root};

const PORT: u16 = 7070;
const DATA: &str = "/data";
const MEMORY: i64 = 512 << 20;

/// Makes or changes a backup store.
pub(super) async fn apply(
    docker: &Docker,
    spec: &BackupSpec,
    claim: &Claim,
    given: Option<&Root>,
    observer: &dyn Observer<BackupState>,
) -> Result<BackupState> {
    let network = network::need(docker, &spec.scope).await?;
    let volume = naming::backup(&spec.name);
    let mut common = labels::common(&spec.scope, &spec.tags);
    common.insert(BUCKET.to_owned(), spec.name.clone());
    if given.is_none() {
        let bears = labels::of_root(common.clone(), Kind::Backup, &spec.name, claim);
        let found = marks::create(docker, &volume, &bears).await?;
        if found.get(tags::KIND).map(String::as_str) != Some(tags::kind_name(Kind::Backup)) {
            return Err(Error::Foreign {
                object: format!("volume `{volume}`"),
                message: format!("remove it with `docker volume rm {volume}`"),
            });
        }
    }
    let gone = || Error::NotFound {
        object: format!("volume `{volume}`"),
        message: "it was removed while the backup store was made".to_owned(),
    };
    let (root, marked) = take_up(docker, Kind::Backup, &spec.name, claim).await?.ok_or_else(gone)?;
    observer.observe(&BackupState { bucket: spec.name.clone(), tags: labels::users(&root.tags), ..BackupState::default() });
    if containers::find(docker, &volume).await?.is_none() {
        images::ensure(docker, docker.settings().backup_image()).await?;
    }
    containers::ensure(docker, &wanted(docker, spec, network, &volume, common)).await?;
    retag(docker, &root, &marked, &spec.tags).await?;
    let (root, _) = claimed(docker, Kind::Backup, &spec.name, claim).await?.ok_or_else(gone)?;
    let state = read_root(docker, &root, FRESH).await?;
    observer.observe(&state);
    Ok(state)
}

/// The gateway takes each folder of its data folder for a bucket. Its keys are random, and stand in its environment.
fn wanted(docker: &Docker, spec: &BackupSpec, network: super::inventory::Network, volume: &str, bears: tags::Tags) -> Wanted {
    let secret = || format!("{:032x}", rand::random::<u128>());
    let bucket = format!("{}/", spec.name);
    Wanted {
        object: format!("backup store `{}`", spec.name),
        name: volume.to_owned(),
        scope: spec.scope.clone(),
        network,
        ports: Vec::new(),
        place: None,
        body: ContainerCreateBody {
            image: Some(docker.settings().backup_image().to_owned()),
            cmd: Some(["--port", &format!(":{PORT}"), "--region", super::REGION, "posix", DATA].map(str::to_owned).to_vec()),
            env: Some(vec![format!("ROOT_ACCESS_KEY_ID={}", &secret()[..20]), format!("ROOT_SECRET_ACCESS_KEY={}", secret())]),
            ..ContainerCreateBody::default()
        },
        host: HostConfig {
            memory: Some(MEMORY),
            mounts: Some(vec![Mount {
                typ: Some(MountType::VOLUME),
                source: Some(volume.to_owned()),
                target: Some(DATA.to_owned()),
                volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
                ..Mount::default()
            }]),
            ..HostConfig::default()
        },
        labels: bears,
        files: Some(Files {
            witness: format!("{DATA}/{}", spec.name),
            folder: DATA.to_owned(),
            archive: archive::pack(&[Entry::Folder(&bucket, false)]),
        }),
        ports_setting: "host",
    }
}

/// The backup store of that bucket.
pub(super) async fn read(docker: &Docker, id: &str, age: Duration) -> Result<Option<BackupState>> {
    match roots::one(docker, Kind::Backup, id, age).await? {
        Some((root, _)) => read_root(docker, &root, age).await.map(Some),
        None => Ok(None),
    }
}

async fn read_root(docker: &Docker, root: &Root, age: Duration) -> Result<BackupState> {
    let containers = docker.containers(age).await?;
    let name = naming::backup(&root.id);
    let container = containers.iter().find(|container| container.name == name);
    let host = container.and_then(places::address).map(|address| format!("{address}:{PORT}"));
    Ok(BackupState {
        bucket: root.id.clone(),
        host: host.unwrap_or_default(),
        // The gateway knows nobody but its root account.
        public_access_blocked: true,
        tags: labels::users(&root.tags),
        ..BackupState::default()
    })
}

/// Removes a backup store. With objects in it, only if `force`.
pub(super) async fn delete(docker: &Docker, id: &str, claim: &Claim, force: bool) -> Result<()> {
    let Some((root, marked)) = claimed(docker, Kind::Backup, id, claim).await? else { return Ok(()) };
    let name = naming::backup(id);
    if let Some(container) = containers::find(docker, &name).await? {
        if !force && let Some(file) = first_file(docker, id, &container.id).await? {
            return Err(Error::NotEmpty {
                object: format!("bucket `{id}`"),
                message: format!("it holds `{file}`, for one. Set `force_destroy = true` and apply that first, or empty it"),
            });
        }
        containers::remove(docker, &container.id).await?;
    } else if root.finished && !force {
        return Err(Error::NotEmpty {
            object: format!("bucket `{id}`"),
            message: format!(
                "it cannot be looked into, as its container `{name}` is gone. An apply makes that again; with `force_destroy = true`, \
                 applied first, the bucket goes as it is"
            ),
        });
    }
    marks::clear(docker, &marked).await?;
    proxy::remove_volume(docker, &name).await?;
    sweep(docker, &root.scope).await
}

/// Any file in the bucket. The archive is read as far as that.
async fn first_file(docker: &Docker, bucket: &str, container: &str) -> Result<Option<String>> {
    let path = format!("{DATA}/{bucket}");
    let found = docker
        .engine()
        .call("docker:ContainerArchive", &format!("bucket `{bucket}`"), |client| {
            let (path, container) = (path.clone(), container.to_owned());
            async move {
                let mut pieces =
                    Box::pin(client.download_from_container(&container, Some(DownloadFromContainerOptions { path })));
                let mut reader = Reader::default();
                while let Some(piece) = pieces.next().await {
                    if let Some(file) = reader.first_file(&piece?) {
                        return Ok(Some(file));
                    }
                }
                Ok(None)
            }
        })
        .await;
    match found {
        Err(failure) if failure.is_not_found() => Ok(None),
        answer => Ok(answer?),
    }
}
