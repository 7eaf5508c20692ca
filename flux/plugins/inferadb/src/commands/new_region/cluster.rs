//! The folder of a region's cluster: that of another cluster of the environment, with what differs by region.

use crate::error::{Error, Result};
use crate::root;
use crate::sops;
use crate::tree::Tree;
use crate::yaml::{self, Node};

use super::Refused;
use super::changes::Changes;
use super::ranges::Ranges;
use super::region::Region;
use super::settings::{Settings, data_of, texts};

/// The most characters of a bucket's name.
const LONGEST_BUCKET: usize = 63;

/// What the new cluster is told: what Terraform's output `cluster_settings` will say.
pub(super) fn settings(sibling: &Settings, region: &Region, ranges: &Ranges, role: &str) -> Result<Vec<(String, String)>> {
    let bucket = bucket(sibling, region)?;
    let mut settings = sibling.values.clone();
    for (key, value) in [
        ("CLUSTER_NAME", sibling.name_in(&region.name)?),
        ("CLUSTER_ROLE", role.to_lowercase()),
        ("REGION", region.name.clone()),
        ("PROVIDER_TYPE", region.provider.to_owned()),
        ("PROVIDER_REGION", region.place.clone()),
        ("ZONES", region.zones.join(",")),
        ("NETWORK_CIDR", ranges.network.to_string()),
        ("POD_CIDR", ranges.pods.to_string()),
        ("SERVICE_CIDR", ranges.services.to_string()),
        ("FDB_BACKUP_URL", url(sibling, region, &bucket)?),
        ("FDB_BACKUP_BUCKET", bucket),
    ] {
        match settings.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => return Err(sibling.wrong(format!("the setting `{key}` is missing"))),
        }
    }
    Ok(settings)
}

/// The bucket for backups; empty where the environment has none.
fn bucket(sibling: &Settings, region: &Region) -> Result<String> {
    let (own, environment) = (sibling.needed("FDB_BACKUP_BUCKET")?, sibling.needed("ENVIRONMENT")?);
    if own.is_empty() {
        return Ok(String::new());
    }
    let end = |region: &str| format!("-{environment}-{region}-fdb-backup");
    let Some(prefix) = own.strip_suffix(&end(sibling.needed("REGION")?)) else {
        return Err(sibling.wrong(format!("`FDB_BACKUP_BUCKET` is `{own}`, and not PREFIX-ENVIRONMENT-REGION-fdb-backup")));
    };
    let bucket = format!("{prefix}{}", end(&region.name));
    let replica = format!("{bucket}-replica");
    if replica.len() > LONGEST_BUCKET {
        return Err(
            Refused::Long { name: replica, what: "what the copy of its backups would be called", most: LONGEST_BUCKET }.into()
        );
    }
    Ok(bucket)
}

/// FoundationDB's name of the bucket, as the sibling's is made.
fn url(sibling: &Settings, region: &Region, bucket: &str) -> Result<String> {
    let (own, environment) = (sibling.needed("FDB_BACKUP_URL")?, sibling.needed("ENVIRONMENT")?);
    if own.is_empty() && bucket.is_empty() {
        return Ok(String::new());
    }
    let of = |host: &str, name: &str, bucket: &str, region: &str| {
        format!("blobstore://@{host}/{environment}-{name}?bucket={bucket}&region={region}&secure_connection=1")
    };
    let theirs = sibling.needed("PROVIDER_REGION")?;
    let host = own.strip_prefix("blobstore://@").and_then(|rest| rest.split_once('/')).map(|(host, _)| host);
    match host.filter(|host| {
        own == of(host, sibling.get("REGION").unwrap_or_default(), sibling.get("FDB_BACKUP_BUCKET").unwrap_or_default(), theirs)
    }) {
        Some(host) if host.contains(theirs) => Ok(of(&host.replace(theirs, &region.place), &region.name, bucket, &region.place)),
        _ => Err(sibling.wrong(format!("`FDB_BACKUP_URL` is `{own}`, which does not follow from the other settings"))),
    }
}

/// Writes the cluster's folder.
pub(super) fn write(
    tree: &Tree,
    sibling: &Settings,
    folder: &str,
    settings: &[(String, String)],
    changes: &mut Changes<'_>,
) -> Result<()> {
    let sync = root::find(tree, &sibling.folder).place.file;
    for path in tree.below(&sibling.folder) {
        let bytes = tree.bytes(path)?;
        if sops::file(&bytes, sops::Format::of_path(path)).is_some() {
            return Err(Refused::Encrypted(path.to_owned()).into());
        }
        let bytes = if path == sibling.path {
            told(path, &tree.text(path)?, settings)?.into_bytes()
        } else if path == sync {
            synced(path, &tree.text(path)?, &sibling.folder, folder)?.into_bytes()
        } else {
            bytes
        };
        changes.add(format!("{folder}{}", &path[sibling.folder.len()..]), bytes);
    }
    Ok(())
}

/// The file with other settings, each in its line.
fn told(path: &str, text: &str, settings: &[(String, String)]) -> Result<String> {
    let data = data_of(path, text)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (key, value) in settings {
        let entry = data.entry(key).filter(|entry| entry.value.text() != Some(value));
        if let Some(entry) = entry
            && let Some(line) = entry.line.checked_sub(1).and_then(|line| lines.get_mut(line))
        {
            let indent: String = line.chars().take_while(|letter| *letter == ' ').collect();
            *line = format!("{indent}{key}: {}", serde_json::Value::from(value.as_str()));
        }
    }
    let text = lines.join("\n") + "\n";
    if texts(&data_of(path, &text)?) == settings {
        return Ok(text);
    }
    Err(Refused::Settings { path: path.to_owned(), problem: "not every setting stands in a line of its own".to_owned() }.into())
}

/// The file with another path to sync.
fn synced(path: &str, text: &str, from: &str, to: &str) -> Result<String> {
    let parse = |text: &str| yaml::parse(text).map_err(|source| Error::Yaml { path: path.to_owned(), source });
    let of = |documents: &[Node]| {
        let paths = documents.iter().filter_map(|one| one.at(&["spec", "sync"]).or(one.at(&["spec"]))?.entry("path").cloned());
        paths.into_iter().find_map(|entry| Some((entry.line, entry.value.text()?.to_owned())))
    };
    let Some((line, old)) = of(&parse(text)?) else {
        return Err(Refused::Settings { path: path.to_owned(), problem: "it names no path to sync".to_owned() }.into());
    };
    let new = old.replace(from, to);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some(line) = line.checked_sub(1).and_then(|line| lines.get_mut(line)) {
        *line = line.replace(&old, &new);
    }
    let text = lines.join("\n") + "\n";
    if old.contains(from) && of(&parse(&text)?).is_some_and(|(_, found)| found == new) {
        return Ok(text);
    }
    Err(Refused::Settings { path: path.to_owned(), problem: format!("the path `{old}` that it syncs is not `{from}`") }.into())
}
