//! Marks on roots and machines: what changes in their life.
//!
//! The engine cannot change a label once its object stands. So a mark is a volume of its own, empty, which the engine makes
//! for a name at most once: whoever asks for a name that is there gets what is there. A root's claim is the mark with the
//! highest number, and taking a root up is making the next one; the marks `finished` and `in-state` name the claim that they
//! were set under, so that a new claim takes them away in the same moment. What is out of date is removed after.

use std::collections::HashMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::RemoveVolumeOptions;

use super::Docker;
use super::inventory::{FRESH, Volume};
use super::labels::{INCARNATION, KEY, MARK, MARKED, NUMBER, VALUE};
use super::naming;
use crate::tags::{self, Tags};
use crate::{Claim, Error, Mark, Result, Root, Scope};

const CLAIM: &str = "claim";
const FINISHED: &str = "finished";
const IN_STATE: &str = "in-state";
const TAGS: &str = "tags";
const TAG: &str = "tag";

/// The object that marks are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    /// The engine's id of it.
    pub(super) id: String,
    /// Its name, which the marks' names begin with.
    pub(super) name: String,
    /// The claim that it was made with.
    pub(super) incarnation: String,
    pub(super) scope: Scope,
}

/// What the marks of a root say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `None`: never taken up, so the claim is that of the root's own label.
    pub(super) claim: Option<String>,
    number: u32,
    pub(super) finished: bool,
    pub(super) in_state: bool,
    /// `None`: never changed, so the user's tags are the root's own labels.
    pub(super) tags: Option<Tags>,
    tags_number: u32,
}

impl Marked {
    fn has(&self, volume: &Volume) -> bool {
        let is = |key: &str, value: &str| volume.labels.get(key).map(String::as_str) == Some(value);
        volume.labels.contains_key(MARK) && is(MARKED, &self.id) && is(INCARNATION, &self.incarnation)
    }

    /// What its marks say.
    pub(super) fn said(&self, volumes: &[Volume]) -> Said {
        let mut said = Said::default();
        let mine: Vec<&Volume> = volumes.iter().filter(|volume| self.has(volume)).collect();
        for volume in &mine {
            let number = volume.labels.get(NUMBER).and_then(|number| number.parse().ok()).unwrap_or(0);
            match volume.labels.get(MARK).map(String::as_str) {
                Some(CLAIM) if number > said.number => {
                    said.number = number;
                    said.claim = volume.labels.get(VALUE).cloned();
                }
                Some(TAGS) if number > said.tags_number => {
                    said.tags_number = number;
                    said.tags = Some(super::labels::users(&volume.labels));
                }
                _ => {}
            }
        }
        let claim = said.claim.clone().unwrap_or_else(|| self.incarnation.clone());
        let is = |mark: &str| {
            let by = |key: &str, volume: &Volume| volume.labels.get(key).cloned().unwrap_or_default();
            mine.iter().any(|volume| by(MARK, volume) == mark && by(VALUE, volume) == claim)
        };
        said.finished = is(FINISHED);
        said.in_state = is(IN_STATE);
        said
    }

    fn labels(&self, mark: &str, value: &str) -> Tags {
        let own = [
            (tags::ENVIRONMENT, self.scope.environment.as_str()),
            (tags::REGION, self.scope.region.as_str()),
            (MARK, mark),
            (MARKED, &self.id),
            (INCARNATION, &self.incarnation),
            (VALUE, value),
        ];
        own.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

/// Changes a root's marks.
pub(super) async fn set(docker: &Docker, root: &Root, marked: &Marked, mark: &Mark) -> Result<()> {
    let volumes = docker.volumes(FRESH).await?;
    let said = marked.said(&volumes);
    let claim = said.claim.clone().unwrap_or_else(|| marked.incarnation.clone());
    match mark {
        Mark::Claim(new) => {
            let number = (said.number + 1).to_string();
            let mut labels = marked.labels(CLAIM, &new.0);
            labels.insert(NUMBER.to_owned(), number.clone());
            let made = make(docker, marked, &naming::mark(&marked.name, CLAIM, &number), labels).await?;
            let owner = made.get(VALUE).cloned();
            if owner.as_ref() != Some(&new.0) {
                return Err(super::mismatch(&Root { claim: owner.map(Claim), ..root.clone() }));
            }
            let old = volumes.iter().filter(|volume| marked.has(volume));
            let old = old.filter(|volume| volume.labels.get(MARK).is_some_and(|mark| mark != TAGS));
            remove(docker, old).await
        }
        Mark::Finished | Mark::InState => {
            let what = if *mark == Mark::Finished { FINISHED } else { IN_STATE };
            let name = naming::mark(&marked.name, what, &naming::digest(&claim, 12));
            make(docker, marked, &name, marked.labels(what, &claim)).await.map(drop)
        }
    }
}

/// Sets the user's tags of a root.
pub(super) async fn set_tags(docker: &Docker, marked: &Marked, user: &Tags) -> Result<()> {
    let volumes = docker.volumes(FRESH).await?;
    let number = (marked.said(&volumes).tags_number + 1).to_string();
    let mut labels = user.clone();
    labels.extend(marked.labels(TAGS, ""));
    labels.insert(NUMBER.to_owned(), number.clone());
    make(docker, marked, &naming::mark(&marked.name, TAGS, &number), labels).await?;
    let old = volumes.iter().filter(|volume| marked.has(volume));
    remove(docker, old.filter(|volume| volume.labels.get(MARK).map(String::as_str) == Some(TAGS))).await
}

/// Makes a mark, or finds it. One of its name that is of an earlier object of that name is removed first.
async fn make(docker: &Docker, marked: &Marked, name: &str, labels: Tags) -> Result<Tags> {
    for _ in 0..3 {
        let found = create(docker, name, &labels).await?;
        let volume = Volume { name: name.to_owned(), labels: found };
        if marked.has(&volume) {
            return Ok(volume.labels);
        }
        if !volume.labels.contains_key(MARK) {
            break;
        }
        remove(docker, std::iter::once(&volume)).await?;
    }
    Err(Error::Foreign {
        object: format!("volume `{name}`"),
        message: "it bears the name of a mark of ours and is none: remove it".to_owned(),
    })
}

/// The labels of the volume of that name, which is made with `labels` where there is none.
pub(super) async fn create(docker: &Docker, name: &str, labels: &Tags) -> Result<Tags> {
    let labels: HashMap<String, String> = labels.clone().into_iter().collect();
    let request =
        || VolumeCreateRequest { name: Some(name.to_owned()), labels: Some(labels.clone()), ..VolumeCreateRequest::default() };
    let made = docker
        .write("docker:VolumeCreate", &format!("volume `{name}`"), |client| {
            let request = request();
            async move { client.create_volume(request).await }
        })
        .await?;
    Ok(made.labels.into_iter().collect())
}

/// Removes volumes; what is gone already is none of our worry.
pub(super) async fn remove(docker: &Docker, volumes: impl Iterator<Item = &Volume>) -> Result<()> {
    let names: Vec<String> = volumes.map(|volume| volume.name.clone()).collect();
    for name in names {
        remove_volume(docker, &name).await?;
    }
    Ok(())
}

/// Removes one volume.
pub(super) async fn remove_volume(docker: &Docker, name: &str) -> Result<()> {
    let removed = docker
        .write("docker:VolumeDelete", &format!("volume `{name}`"), |client| {
            let name = name.to_owned();
            async move { client.remove_volume(&name, None::<RemoveVolumeOptions>).await }
        })
        .await;
    match removed {
        Err(failure) if !failure.is_not_found() => Err(failure.into()),
        _ => Ok(()),
    }
}

/// Takes away what is said of a root that is about to go; its claim stays to the end.
pub(super) async fn clear(docker: &Docker, marked: &Marked) -> Result<()> {
    let volumes = docker.volumes(FRESH).await?;
    let mine = volumes.iter().filter(|volume| marked.has(volume));
    remove(docker, mine.filter(|volume| volume.labels.get(MARK).is_some_and(|mark| mark != CLAIM))).await
}

/// Removes marks in a scope whose object is gone: `stands` are the ids of all objects that may bear marks, looked up after
/// `volumes`.
pub(super) async fn sweep(docker: &Docker, volumes: &[Volume], scope: &Scope, stands: &[String]) -> Result<()> {
    let lost = volumes.iter().filter(|volume| {
        volume.labels.contains_key(MARK)
            && super::labels::belongs(&volume.labels, scope)
            && volume.labels.get(MARKED).is_some_and(|id| !stands.contains(id))
    });
    remove(docker, lost).await
}

/// A machine's tags that were set later, by container id and key.
pub(super) fn machine_tags(volumes: &[Volume], container: &str) -> Tags {
    let mine = volumes.iter().filter(|volume| {
        volume.labels.get(MARK).map(String::as_str) == Some(TAG)
            && volume.labels.get(MARKED).map(String::as_str) == Some(container)
    });
    mine.filter_map(|volume| Some((volume.labels.get(KEY)?.clone(), volume.labels.get(VALUE)?.clone()))).collect()
}

/// Sets a tag of a machine.
pub(super) async fn tag_machine(docker: &Docker, machine: &Marked, key: &str, value: &str) -> Result<()> {
    let name = naming::mark(&machine.name, TAG, &naming::digest(key, 12));
    let mut labels = machine.labels(TAG, value);
    labels.insert(KEY.to_owned(), key.to_owned());
    for _ in 0..3 {
        let found = make(docker, machine, &name, labels.clone()).await?;
        if found.get(VALUE).map(String::as_str) == Some(value) {
            return Ok(());
        }
        remove_volume(docker, &name).await?;
    }
    Err(Error::NotInTime { object: format!("tag `{key}` of machine `{}`", machine.name), awaited: "set", seconds: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked() -> Marked {
        Marked {
            id: "n1".to_owned(),
            name: "inferadb.dev.local".to_owned(),
            incarnation: "c0".to_owned(),
            scope: Scope { environment: "dev".to_owned(), region: "local".to_owned() },
        }
    }

    fn mark(of: &Marked, mark: &str, value: &str, number: Option<u32>) -> Volume {
        let mut labels = of.labels(mark, value);
        labels.extend(number.map(|number| (NUMBER.to_owned(), number.to_string())));
        Volume { name: format!("{mark}-{value}"), labels }
    }

    #[test]
    fn a_root_without_marks_bears_the_claim_it_was_made_with() {
        assert_eq!(marked().said(&[]), Said::default());
    }

    #[test]
    fn the_highest_claim_counts_and_takes_the_others_flags_away() {
        let root = marked();
        let mut volumes = vec![mark(&root, FINISHED, "c0", None), mark(&root, IN_STATE, "c0", None)];
        let said = root.said(&volumes);
        assert!(said.finished && said.in_state && said.claim.is_none());
        volumes.push(mark(&root, CLAIM, "c2", Some(2)));
        volumes.push(mark(&root, CLAIM, "c1", Some(1)));
        let said = root.said(&volumes);
        assert_eq!(said.claim.as_deref(), Some("c2"));
        assert!(!said.finished && !said.in_state);
        volumes.push(mark(&root, FINISHED, "c2", None));
        assert!(root.said(&volumes).finished);
    }

    #[test]
    fn marks_of_an_earlier_root_of_the_name_do_not_count() {
        let earlier = Marked { incarnation: "before".to_owned(), ..marked() };
        assert_eq!(marked().said(&[mark(&earlier, CLAIM, "c9", Some(9)), mark(&earlier, FINISHED, "c0", None)]), Said::default());
    }

    #[test]
    fn the_users_tags_are_those_that_were_set_last() {
        let root = marked();
        let mut old = mark(&root, TAGS, "", Some(1));
        old.labels.insert("team".to_owned(), "old".to_owned());
        let mut new = mark(&root, TAGS, "", Some(2));
        new.labels.insert("team".to_owned(), "new".to_owned());
        let said = root.said(&[new, old]);
        assert_eq!(said.tags, Some(Tags::from([("team".to_owned(), "new".to_owned())])));
    }
}
