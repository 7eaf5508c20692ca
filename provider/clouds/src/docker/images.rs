//! Images, pulled where the engine does not have them, and the machine types that there are.

use std::time::{Duration, Instant};

use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;

use super::failure::{Class, Failure};
use super::{Docker, ZONE};
use crate::{Error, Image, MachineType, Result};

const PULL: &str = "docker:ImageCreate";
/// Where Talos' container images are.
const TALOS: &str = "ghcr.io/siderolabs/talos";
/// How often a pull tells how far it is.
const TELL: Duration = Duration::from_secs(5);
/// Tries of a pull, which a registry may cut off.
const TRIES: u32 = 4;

/// The image of a Talos version.
pub(super) async fn talos(docker: &Docker, version: &str, architecture: &str, image: Option<&str>) -> Result<Image> {
    let own = &docker.engine().facts().await?.architecture;
    let id = image.map_or_else(|| format!("{TALOS}:{version}"), str::to_owned);
    if architecture != own {
        return Err(Error::NotFound {
            object: format!("image `{id}` for `{architecture}`"),
            message: format!("the engine runs `{own}` only"),
        });
    }
    let id = with_tag(&id);
    if !is_here(docker, &id).await? {
        check_registry(docker, &id).await?;
    }
    Ok(Image { name: id.clone(), id, architecture: own.clone(), needs_uefi: false })
}

/// A reference without tag or digest would mean all tags.
fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains(':') || last.contains('@') { reference.to_owned() } else { format!("{reference}:latest") }
}

async fn is_here(docker: &Docker, image: &str) -> Result<bool> {
    let found = docker
        .engine()
        .call("docker:ImageInspect", &format!("image `{image}`"), |client| {
            let image = image.to_owned();
            async move { client.inspect_image(&image).await }
        })
        .await;
    match found {
        Ok(_) => Ok(true),
        Err(failure) if failure.is_not_found() => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// That the registry has the image, as far as it can be asked: a plan without a network is no error.
async fn check_registry(docker: &Docker, image: &str) -> Result<()> {
    let asked = docker
        .engine()
        .call("docker:DistributionInspect", &format!("image `{image}`"), |client| {
            let image = image.to_owned();
            async move { client.inspect_registry_image(&image, None).await }
        })
        .await;
    match asked {
        Err(failure) if failure.says(&["manifest unknown", "not found", "name unknown"]) => Err(Error::NotFound {
            object: format!("image `{image}`"),
            message: format!("neither the engine nor the registry has it: {}", failure.message),
        }),
        Err(failure) if matches!(failure.class, Class::Nobody | Class::Forbidden) => Err(failure.into()),
        Err(failure) => {
            tracing::debug!(image, message = failure.message, "the registry was not asked; the apply will");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// Sees that the engine has an image; those who need the same wait for one pull.
pub(super) async fn ensure(docker: &Docker, image: &str) -> Result<()> {
    let image = with_tag(image);
    let pull = docker.pull_of(&image).await;
    pull.get_or_try_init(|| async {
        if is_here(docker, &image).await? {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match fetch(docker, &image).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.says(&["manifest unknown", "not found", "denied"]) || tries >= TRIES => {
                    return Err(Error::Api {
                        operation: PULL,
                        object: format!("image `{image}`"),
                        code: "not pulled".to_owned(),
                        message: format!(
                            "{}. Try `docker pull {image}`; an image that the engine has already is not pulled",
                            failure.message
                        ),
                    });
                }
                Err(failure) => {
                    tracing::info!(image, message = failure.message, "the pull broke off, and is tried again");
                    tokio::time::sleep(Duration::from_secs(1 << tries)).await;
                }
            }
        }
    })
    .await
    .copied()
}

async fn fetch(docker: &Docker, image: &str) -> std::result::Result<(), Failure> {
    tracing::info!(image, "pulling an image");
    let object = format!("image `{image}`");
    docker
        .engine()
        .call(PULL, &object, |client| {
            let image = image.to_owned();
            async move {
                let options = CreateImageOptions { from_image: Some(image.clone()), ..CreateImageOptions::default() };
                let mut lines = Box::pin(client.create_image(Some(options), None, None));
                let mut layers = std::collections::BTreeMap::new();
                let mut told = Instant::now();
                while let Some(line) = lines.next().await {
                    let line = line?;
                    if let (Some(layer), Some(progress)) = (line.id, line.progress_detail) {
                        layers.insert(layer, (progress.current.unwrap_or_default(), progress.total.unwrap_or_default()));
                    }
                    if told.elapsed() >= TELL {
                        told = Instant::now();
                        let (done, all) = layers.values().fold((0, 0), |(a, b), (current, total)| (a + current, b + total));
                        tracing::info!(image, "pulled {} of {} MiB", done >> 20, all >> 20);
                    }
                }
                Ok(())
            }
        })
        .await
}

/// The machine type of that name, `2cpu-4gib`: any numbers that the engine's machine can give.
pub(super) async fn machine_type(docker: &Docker, name: &str) -> Result<Option<MachineType>> {
    let Some((vcpus, gib)) = parse(name) else { return Ok(None) };
    let facts = docker.engine().facts().await?;
    let memory_mib = u64::from(gib) << 10;
    if memory_mib > facts.memory_mib {
        return Err(Error::Quota {
            operation: "docker:SystemInfo",
            object: format!("machine type `{name}`"),
            message: format!(
                "it has {memory_mib} MiB of memory, and the engine's whole machine {} MiB. Choose a smaller type (`1cpu-2gib` is the \
                 least for a control plane), or give the engine more: in Docker Desktop under Settings, Resources",
                facts.memory_mib
            ),
        });
    }
    Ok(Some(MachineType {
        boots_uefi: true,
        name: name.to_owned(),
        architecture: facts.architecture.clone(),
        vcpus,
        memory_mib,
        zones: vec![ZONE.to_owned()],
    }))
}

/// CPUs and GiB of a machine type.
pub(super) fn parse(name: &str) -> Option<(u32, u32)> {
    let (cpus, memory) = name.split_once('-')?;
    let number =
        |text: &str| text.parse::<u32>().ok().filter(|number| (1..=4096).contains(number) && !text.starts_with(['0', '+']));
    Some((number(cpus.strip_suffix("cpu")?)?, number(memory.strip_suffix("gib")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_type_is_its_numbers() {
        assert_eq!(parse("2cpu-4gib"), Some((2, 4)));
        assert_eq!(parse("16cpu-64gib"), Some((16, 64)));
        for wrong in ["", "2cpu", "2cpu-4", "0cpu-4gib", "2cpu-04gib", "-1cpu-4gib", "2cpu-4gib-x", "t3.medium", "+2cpu-4gib"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_reference_without_a_tag_means_latest() {
        assert_eq!(with_tag("localhost:5000/talos"), "localhost:5000/talos:latest");
        assert_eq!(with_tag("localhost:5000/talos:v1"), "localhost:5000/talos:v1");
        assert_eq!(with_tag("talos@sha256:00"), "talos@sha256:00");
    }
}
