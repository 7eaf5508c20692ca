//! InferaDB's names for regions and machine types, and the clouds' own.
//!
//! One table a cloud. Wherever a name of ours is accepted, the cloud's own is too.

use clouds::ProviderType;

/// Our region name and the cloud's.
type Row = (&'static str, &'static str);

const AWS_REGIONS: &[Row] = &[("nyc1", "us-east-1"), ("sfo1", "us-west-1"), ("lon1", "eu-west-2")];

const AWS_MACHINE_TYPES: &[Row] = &[("small", "t3.medium"), ("medium", "t3.xlarge"), ("large", "t3.2xlarge")];

/// An engine is one place.
const DOCKER_REGIONS: &[Row] = &[("local", clouds::docker::REGION)];

const DOCKER_MACHINE_TYPES: &[Row] = &[("small", "2cpu-2gib"), ("medium", "2cpu-4gib"), ("large", "4cpu-8gib")];

const DOCKER_OWN_REGIONS: &[&str] = &[clouds::docker::REGION];

/// Regions of the partitions `aws`, `aws-us-gov`, `aws-cn` and `aws-eusc`, as botocore's `endpoints.json` lists them.
const AWS_OWN_REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

const fn regions(cloud: ProviderType) -> &'static [Row] {
    match cloud {
        ProviderType::Aws => AWS_REGIONS,
        ProviderType::Docker => DOCKER_REGIONS,
    }
}

const fn own_regions(cloud: ProviderType) -> &'static [&'static str] {
    match cloud {
        ProviderType::Aws => AWS_OWN_REGIONS,
        ProviderType::Docker => DOCKER_OWN_REGIONS,
    }
}

const fn machine_types(cloud: ProviderType) -> &'static [Row] {
    match cloud {
        ProviderType::Aws => AWS_MACHINE_TYPES,
        ProviderType::Docker => DOCKER_MACHINE_TYPES,
    }
}

/// The cloud's own region for a name: one of ours, or one of the cloud's.
///
/// # Errors
/// A sentence that says which names are known.
pub(crate) fn provider_region(cloud: ProviderType, name: &str) -> Result<&'static str, String> {
    let ours = regions(cloud).iter().find(|(ours, _)| *ours == name).map(|(_, theirs)| *theirs);
    let found = ours.or_else(|| own_regions(cloud).iter().copied().find(|theirs| *theirs == name));
    found.ok_or_else(|| {
        let known: Vec<String> = regions(cloud).iter().map(|(ours, theirs)| format!("`{ours}` ({theirs})")).collect();
        let own = own_regions(cloud).first().copied().unwrap_or_default();
        format!("`{name}` is no region of `{cloud}`: expected {}, or the cloud's own name such as `{own}`", known.join(", "))
    })
}

/// The cloud's region where it has but one, so that a name of a region need not say which.
pub(crate) fn only_region(cloud: ProviderType) -> Option<&'static str> {
    match own_regions(cloud) {
        [only] => Some(only),
        _ => None,
    }
}

/// The cloud's own machine type for a name: ours is translated, any other is taken for the cloud's own.
pub(crate) fn machine_type(cloud: ProviderType, name: &str) -> &str {
    machine_types(cloud).iter().find(|(ours, _)| *ours == name).map_or(name, |(_, theirs)| theirs)
}

/// Our name for the cloud's own machine type, where there is one.
pub(crate) fn our_machine_type(cloud: ProviderType, name: &str) -> &str {
    machine_types(cloud).iter().find(|(_, theirs)| *theirs == name).map_or(name, |(ours, _)| ours)
}

/// The cloud's own names of the machine types that bear names of ours.
pub(crate) fn own_machine_types(cloud: ProviderType) -> impl Iterator<Item = &'static str> {
    machine_types(cloud).iter().map(|(_, theirs)| *theirs)
}

/// What to write for a machine type, for an error about one that does not exist.
pub(crate) fn known_machine_types(cloud: ProviderType) -> String {
    let known: Vec<String> = machine_types(cloud).iter().map(|(ours, theirs)| format!("`{ours}` ({theirs})")).collect();
    format!("{}, or the cloud's own name", known.join(", "))
}

/// A name that goes into names and tags of cloud objects: a lower-case DNS label of at most `most` characters.
pub(crate) fn check_label(name: &str, most: usize) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() {
        return Err(format!("the name is empty: expected 1 to {most} characters"));
    }
    if name.len() > most {
        return Err(format!("`{name}` has {} characters: expected 1 to {most}", name.chars().count()));
    }
    if !name.chars().all(inner) || name.starts_with('-') || name.ends_with('-') {
        return Err(format!(
            "`{name}` may hold lower-case letters, digits and hyphens only, with a letter or digit at both ends"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_and_the_clouds_own_mean_the_same() {
        for (ours, theirs) in [("nyc1", "us-east-1"), ("sfo1", "us-west-1"), ("lon1", "eu-west-2")] {
            assert_eq!(provider_region(ProviderType::Aws, ours), Ok(theirs));
            assert_eq!(provider_region(ProviderType::Aws, theirs), Ok(theirs));
        }
        for (ours, theirs) in [("small", "t3.medium"), ("medium", "t3.xlarge"), ("large", "t3.2xlarge")] {
            assert_eq!(machine_type(ProviderType::Aws, ours), theirs);
            assert_eq!(machine_type(ProviderType::Aws, theirs), theirs);
            assert_eq!(our_machine_type(ProviderType::Aws, theirs), ours);
        }
        assert_eq!(our_machine_type(ProviderType::Aws, "m7i.large"), "m7i.large");
        assert_eq!(machine_type(ProviderType::Aws, "m7i.large"), "m7i.large");
    }

    #[test]
    fn the_index_page_lists_every_name() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/index.md")).unwrap();
        for (ours, theirs) in AWS_REGIONS.iter().chain(AWS_MACHINE_TYPES) {
            assert!(page.contains(&format!("| `{ours}` | `{theirs}` |")), "`{ours}` is not in docs/index.md as `{theirs}`");
        }
    }

    #[test]
    fn every_translation_leads_to_a_region_that_the_cloud_has() {
        for cloud in ProviderType::ALL {
            for (ours, theirs) in regions(*cloud) {
                assert!(own_regions(*cloud).contains(theirs), "{ours} -> {theirs}");
                assert_eq!(check_label(ours, 8), Ok(()));
            }
        }
    }

    #[test]
    fn an_unknown_region_is_answered_with_the_known_ones() {
        insta::assert_snapshot!(
            provider_region(ProviderType::Aws, "nyc2").unwrap_err(),
            @"`nyc2` is no region of `aws`: expected `nyc1` (us-east-1), `sfo1` (us-west-1), `lon1` (eu-west-2), or the cloud's own name such as `af-south-1`"
        );
    }

    #[test]
    fn labels_are_lower_case_and_bounded() {
        for wrong in ["", "Nyc1", "nyc_1", "-nyc", "nyc-", "nyç1", &"n".repeat(25)] {
            assert!(check_label(wrong, 24).is_err(), "{wrong}");
        }
        for right in ["nyc1", "1", "us-east-1", &"n".repeat(24)] {
            assert_eq!(check_label(right, 24), Ok(()), "{right}");
        }
    }
}
