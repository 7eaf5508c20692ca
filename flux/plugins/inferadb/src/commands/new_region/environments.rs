//! The folders under `terraform/environments`.

use std::path::Path;

use hcl_edit::expr::Object;

use crate::error::{Error, Result};

use super::hcl::{Hcl, entries, text_of};

pub(crate) const ENVIRONMENTS: &str = "terraform/environments";

/// The environments that there are.
pub(crate) fn names(root: &Path) -> Vec<String> {
    let folders = std::fs::read_dir(root.join(ENVIRONMENTS)).into_iter().flatten().flatten();
    let mut names: Vec<String> = folders
        .filter(|entry| entry.path().join("regions.tf").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The files of a folder with an extension, by name.
pub(super) fn files(root: &Path, folder: &str, extension: &str) -> Result<Vec<String>> {
    let path = root.join(folder);
    let entries = std::fs::read_dir(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let mut files: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|found| found == extension) && entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    files.sort();
    Ok(files)
}

/// The ranges that an environment's files of values give to regions.
pub(super) fn given_ranges(root: &Path, environment: &str) -> Result<Vec<(String, String)>> {
    let folder = format!("{ENVIRONMENTS}/{environment}");
    let mut given = Vec::new();
    for file in files(root, &folder, "tfvars")? {
        let hcl = Hcl::read(root, &format!("{folder}/{file}"))?;
        let Some(regions) = hcl.object("regions") else { continue };
        for (region, value) in entries(regions) {
            let ranges = value.as_object().into_iter().flat_map(|object: &Object| {
                ["cidr_block", "pod_cidr", "service_cidr"].into_iter().filter_map(|kind| text_of(object, kind))
            });
            given.extend(ranges.map(|range| (range.to_owned(), format!("of `{region}` in `{}`", hcl.path))));
        }
    }
    Ok(given)
}
