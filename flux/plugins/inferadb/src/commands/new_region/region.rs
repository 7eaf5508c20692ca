//! What a region is: its folder under `terraform/regions`, which all environments share.

use std::path::Path;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Structure;

use crate::error::Result;
use crate::tree::Tree;

use super::changes::Changes;
use super::hcl::{Hcl, replaced};
use super::settings::Settings;
use super::{Options, Provider, Refused};

const REGIONS: &str = "terraform/regions";
/// What others are copied from.
const TEMPLATE: &str = "terraform/regions/_template";
/// The most characters of a region's name.
const LONGEST: usize = 24;

/// Names that stand for a region of AWS, as in the Terraform provider, and where backups of it are copied to.
const KNOWN: [(&str, &str, &str); 3] =
    [("nyc1", "us-east-1", "us-west-2"), ("sfo1", "us-west-1", "us-east-1"), ("lon1", "eu-west-2", "eu-west-1")];

/// A region of a cloud.
pub(super) struct Region {
    pub(super) name: String,
    pub(super) provider: &'static str,
    /// The cloud's own name.
    pub(super) place: String,
    pub(super) zones: Vec<String>,
    pub(super) replica: String,
    /// Its files, where they are not there already.
    files: Vec<(String, String)>,
}

/// A lower-case DNS label that the modules and Terraform take.
pub(super) fn check_name(name: &str) -> Result<()> {
    let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let right = name.len() <= LONGEST
        && name.chars().all(inner)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        // In front of an object's entries, Terraform would read it as the beginning of a loop.
        && name != "for";
    if right { Ok(()) } else { Err(Refused::Name { name: name.to_owned() }.into()) }
}

impl Region {
    /// What was asked for, as far as it is not there already.
    pub(super) fn of(options: &Options, root: &Path, tree: &Tree, sibling: &Settings) -> Result<Self> {
        let (name, provider) = (options.name.as_str(), options.provider.as_str());
        if !tree.has_folder(&format!("{TEMPLATE}/{provider}")) {
            return Err(Refused::NoTemplate { provider, known: folders(tree, TEMPLATE) }.into());
        }
        let theirs = sibling.needed("PROVIDER_TYPE")?;
        if theirs != provider {
            let environment = options.environment.clone();
            return Err(Refused::OtherProvider { environment, theirs: theirs.to_owned(), provider }.into());
        }
        let folder = format!("{REGIONS}/{name}/{provider}");
        let region = if root.join(&folder).symlink_metadata().is_ok() {
            Self::there(options, &Hcl::read(root, &format!("{folder}/variables.tf"))?)?
        } else {
            Self::made(options, root, tree, &folder)?
        };
        let other = sibling.needed("PROVIDER_REGION")?;
        if provider == Provider::Aws.as_str() && partition(other) != partition(&region.place) {
            return Err(Refused::OtherPartition { region: region.place, theirs: other.to_owned() }.into());
        }
        Ok(region)
    }

    /// The region that another environment has.
    fn there(options: &Options, variables: &Hcl) -> Result<Self> {
        let text = |name: &str| {
            let value = default(variables, name).and_then(Expression::as_str);
            value.map(str::to_owned).ok_or_else(|| variables.lacks(format!("text as the default of `{name}`")))
        };
        let zones = default(variables, "zones").and_then(Expression::as_array);
        let zones: Option<Vec<String>> =
            zones.and_then(|zones| zones.iter().map(|zone| Some(zone.as_str()?.to_owned())).collect());
        let zones = zones.ok_or_else(|| variables.lacks("list as the default of `zones`"))?;
        let (place, replica) = (text("provider_region")?, text("backup_replica_region")?);
        let asked_zones = (!options.zones.is_empty()).then(|| options.zones.join(","));
        for (option, asked, theirs) in [
            ("provider-region", options.provider_region.clone(), place.clone()),
            ("backup-replica-region", options.backup_replica_region.clone(), replica.clone()),
            ("zones", asked_zones, zones.join(",")),
        ] {
            if let Some(value) = asked.filter(|asked| *asked != theirs) {
                return Err(Refused::Differs { option, value, path: variables.path.clone(), theirs }.into());
            }
        }
        let provider = options.provider.as_str();
        Ok(Region { name: options.name.clone(), provider, place, zones, replica, files: Vec::new() })
    }

    /// A region that is nowhere yet.
    fn made(options: &Options, root: &Path, tree: &Tree, folder: &str) -> Result<Self> {
        let (name, provider) = (options.name.as_str(), options.provider.as_str());
        let known = KNOWN.iter().find(|(known, _, _)| *known == name);
        let place = match (&options.provider_region, known) {
            (Some(told), _) => checked("provider-region", told)?,
            (None, Some((_, theirs, _))) => (*theirs).to_owned(),
            (None, None) => {
                let known = KNOWN.map(|(ours, theirs, _)| format!("`{ours}` ({theirs})")).join(", ");
                return Err(Refused::NoRegion { name: name.to_owned(), provider, known }.into());
            }
        };
        let zones = zones(&options.zones, &place)?;
        let replica = match &options.backup_replica_region {
            Some(told) => checked("backup-replica-region", told)?,
            None => near(root, tree, &place)?,
        };
        if replica == place {
            return Err(Refused::ReplicaItself(replica).into());
        }
        let quoted = |text: &str| format!("\"{text}\"");
        let values = [
            ("name", quoted(name)),
            ("provider_region", quoted(&place)),
            ("zones", format!("[{}]", zones.iter().map(|zone| quoted(zone)).collect::<Vec<_>>().join(", "))),
            ("backup_replica_region", quoted(&replica)),
        ];
        let template = format!("{TEMPLATE}/{provider}");
        let mut files = Vec::new();
        for path in tree.below(&template) {
            let text = tree.text(path)?;
            let text = if path.ends_with("/variables.tf") { set(&Hcl::parse(path, text)?, &values)? } else { text };
            files.push((format!("{folder}{}", &path[template.len()..]), text));
        }
        Ok(Region { name: name.to_owned(), provider, place, zones, replica, files })
    }

    pub(super) fn write(&self, changes: &mut Changes<'_>) {
        for (path, text) in &self.files {
            changes.add(path.clone(), text.clone().into_bytes());
        }
    }
}

/// The default of a variable.
fn default<'h>(hcl: &'h Hcl, variable: &str) -> Option<&'h Expression> {
    let blocks = hcl.body.iter().filter_map(Structure::as_block).filter(|block| block.ident.as_str() == "variable");
    let named = blocks.into_iter().find(|block| block.labels.first().is_some_and(|label| label.as_str() == variable))?;
    Some(&named.body.get_attribute("default")?.value)
}

/// The template's variables with their defaults.
fn set(variables: &Hcl, values: &[(&str, String)]) -> Result<String> {
    let mut edits = Vec::new();
    for (name, value) in values {
        let place = default(variables, name).filter(|default| default.is_null());
        let Some(place) = place else { return Err(variables.lacks(format!("variable `{name}` without a default"))) };
        edits.push((variables.place(place)?, value.clone()));
    }
    let text = replaced(&variables.text, edits);
    Hcl::parse(&variables.path, text.clone())?;
    Ok(text)
}

fn folders(tree: &Tree, parent: &str) -> String {
    let below = tree.below(parent);
    let mut names: Vec<&str> = below
        .iter()
        .filter_map(|path| path[parent.len()..].trim_start_matches('/').split_once('/'))
        .map(|(name, _)| name)
        .collect();
    names.dedup();
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// AWS' own name of a region: `eu-west-2`, `us-gov-east-1`.
fn checked(option: &'static str, value: &str) -> Result<String> {
    let parts: Vec<&str> = value.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_lowercase());
    let right = match parts.as_slice() {
        [first, middle @ .., last] => {
            (2..=4).contains(&first.len())
                && letters(first)
                && !middle.is_empty()
                && middle.iter().all(letters)
                && last.len() == 1
                && last.chars().all(|digit| digit.is_ascii_digit())
        }
        _ => false,
    };
    if right { Ok(value.to_owned()) } else { Err(Refused::ProviderRegion { option, value: value.to_owned() }.into()) }
}

fn zones(told: &[String], region: &str) -> Result<Vec<String>> {
    if told.is_empty() {
        if region == "us-west-1" {
            return Err(Refused::TwoZones.into());
        }
        return Ok(["a", "b", "c"].map(|zone| format!("{region}{zone}")).into());
    }
    let of_region = |zone: &String| {
        let rest = zone.strip_prefix(region);
        rest.is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        })
    };
    let distinct: std::collections::BTreeSet<&String> = told.iter().collect();
    if told.len() == 3 && distinct.len() == 3 && told.iter().all(of_region) {
        return Ok(told.to_vec());
    }
    Err(Refused::Zones { zones: told.join(","), region: region.to_owned() }.into())
}

/// Regions of one partition are reached with one account.
fn partition(region: &str) -> &str {
    ["cn-", "us-gov-", "eusc-"].into_iter().find(|start| region.starts_with(start)).unwrap_or("aws")
}

/// Where backups are copied to unless somebody says it: a region of the same part of the world.
fn near(root: &Path, tree: &Tree, region: &str) -> Result<String> {
    if let Some((_, _, near)) = KNOWN.iter().find(|(_, known, _)| *known == region) {
        return Ok((*near).to_owned());
    }
    let part = |region: &str| region.split('-').next().unwrap_or_default().to_owned();
    for path in tree.below(REGIONS) {
        if path.starts_with(TEMPLATE) || !path.ends_with("/aws/variables.tf") {
            continue;
        }
        let other = Hcl::read(root, path)?;
        if let Some(other) = default(&other, "provider_region").and_then(Expression::as_str)
            && other != region
            && part(other) == part(region)
            && partition(other) == partition(region)
        {
            return Ok(other.to_owned());
        }
    }
    Err(Refused::NoReplica { region: region.to_owned() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label_that_terraform_takes() {
        for right in ["lon1", "a", "eu-west-2", &"n".repeat(24)] {
            assert!(check_name(right).is_ok(), "{right}");
        }
        for wrong in ["", "Lon1", "lon_1", "-lon", "lon-", "1lon", "lön1", "a.b", "../a", "a/b", "for", &"n".repeat(25)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_stand_for_the_regions_that_the_providers_page_says() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/index.md")).unwrap();
        for (ours, theirs, _) in KNOWN {
            assert!(page.contains(&format!("| `{ours}` | `{theirs}` |")), "{ours}");
        }
    }

    #[test]
    fn a_region_of_aws_has_its_form() {
        for right in ["us-east-1", "eusc-de-east-1", "us-gov-west-1", "ap-southeast-7"] {
            assert!(checked("provider-region", right).is_ok(), "{right}");
        }
        for wrong in ["", "us", "us-east", "us-east-12", "us-1", "US-east-1", "us--1", "europe-west1", "us-east-1a"] {
            assert!(checked("provider-region", wrong).is_err(), "{wrong}");
        }
    }
}
