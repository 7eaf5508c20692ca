//! Ids of resources: known at plan time, readable, and enough to find an object again.
//!
//! | resource | `id` | also accepted by import |
//! | --- | --- | --- |
//! | region | `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME` | `ENVIRONMENT/NAME`, for a name that stands for one cloud region |
//! | cluster, backup | `ENVIRONMENT/REGION/NAME` | `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/REGION/NAME` |

use std::fmt;
use std::str::FromStr;

use clouds::{Place, ProviderType, Scope};

use crate::names::{check_label, provider_region};

/// The most characters of an environment's or a region's name; both go into names that clouds limit to 32.
pub(crate) const LONGEST_SCOPE_NAME: usize = 24;

/// An id that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{id}` is not an id: {problem}")]
pub(crate) struct IdError {
    id: String,
    problem: String,
}

/// Which region: its place in a cloud, and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RegionId {
    /// The provider's `environment`.
    pub(crate) environment: String,
    /// Cloud and the cloud's own region.
    pub(crate) place: Place,
    /// The region's name.
    pub(crate) name: String,
}

impl RegionId {
    /// What its cloud objects are tagged with.
    pub(crate) fn scope(&self) -> Scope {
        Scope { environment: self.environment.clone(), region: self.name.clone() }
    }

    /// Reads the id, or the short form `ENVIRONMENT/NAME` that stands for it on the first cloud that knows the name.
    pub(crate) fn from_import(id: &str) -> Result<Self, IdError> {
        match *parts(id).as_slice() {
            [environment, name] => on_some_cloud(id, environment, name),
            [_, _, _, _] => id.parse(),
            _ => Err(wrong(
                id,
                "expected `ENVIRONMENT/NAME`, such as `production/nyc1`, or `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME`, such as \
                 `production/aws/us-east-1/nyc1`",
            )),
        }
    }
}

impl fmt::Display for RegionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.environment, self.place, self.name)
    }
}

impl FromStr for RegionId {
    type Err = IdError;

    fn from_str(id: &str) -> Result<Self, IdError> {
        let [environment, cloud, region, name] = *parts(id).as_slice() else {
            return Err(wrong(
                id,
                "expected `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME`, such as `production/aws/us-east-1/nyc1`",
            ));
        };
        region_id(id, environment, cloud, region, name)
    }
}

/// Which cluster or backup store: the region that it stands in, and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberId {
    /// The region.
    pub(crate) region: RegionId,
    /// The name in it.
    pub(crate) name: String,
}

impl MemberId {
    /// Reads both forms: `ENVIRONMENT/REGION/NAME` for a region name that stands for one cloud region, and the long one.
    pub(crate) fn from_import(id: &str) -> Result<Self, IdError> {
        let (region, name) = match *parts(id).as_slice() {
            [environment, region, name] => (on_some_cloud(id, environment, region)?, name),
            [environment, cloud, provider_region, region, name] => {
                (region_id(id, environment, cloud, provider_region, region)?, name)
            }
            _ => {
                return Err(wrong(
                    id,
                    "expected `ENVIRONMENT/REGION/NAME`, such as `production/nyc1/prod-nyc1`, or \
                     `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/REGION/NAME`",
                ));
            }
        };
        if name.is_empty() {
            return Err(wrong(id, "the name is empty"));
        }
        Ok(Self { region, name: name.to_owned() })
    }

    /// The form that import takes whatever the region's name is.
    pub(crate) fn long(&self) -> String {
        format!("{}/{}", self.region, self.name)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.region.environment, self.region.name, self.name)
    }
}

fn parts(id: &str) -> Vec<&str> {
    id.split('/').collect()
}

fn wrong(id: &str, problem: impl Into<String>) -> IdError {
    IdError { id: id.to_owned(), problem: problem.into() }
}

fn region_id(id: &str, environment: &str, cloud: &str, region: &str, name: &str) -> Result<RegionId, IdError> {
    for part in [environment, name] {
        check_label(part, LONGEST_SCOPE_NAME).map_err(|problem| wrong(id, problem))?;
    }
    let provider_type: ProviderType = cloud.parse().map_err(|problem: String| wrong(id, problem))?;
    let provider_region = provider_region(provider_type, region).map_err(|problem| wrong(id, problem))?.to_owned();
    Ok(RegionId { environment: environment.to_owned(), place: Place { provider_type, provider_region }, name: name.to_owned() })
}

fn on_some_cloud(id: &str, environment: &str, name: &str) -> Result<RegionId, IdError> {
    let cloud = ProviderType::ALL.iter().find(|cloud| provider_region(**cloud, name).is_ok()).ok_or_else(|| {
        wrong(id, format!("`{name}` stands for no cloud region by itself, so the id has to name cloud and region too"))
    })?;
    region_id(id, environment, cloud.as_str(), name, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_id_reads_back_as_written() {
        let id: RegionId = "production/aws/us-east-1/nyc1".parse().unwrap();
        assert_eq!(id.to_string(), "production/aws/us-east-1/nyc1");
        assert_eq!(id.place.provider_region, "us-east-1");
        assert_eq!(id.scope(), Scope { environment: "production".into(), region: "nyc1".into() });
    }

    #[test]
    fn import_takes_the_short_form_of_a_known_region() {
        let short = RegionId::from_import("production/nyc1").unwrap();
        assert_eq!(short.to_string(), "production/aws/us-east-1/nyc1");
        assert_eq!(RegionId::from_import(&short.to_string()).unwrap(), short);
    }

    #[test]
    fn a_member_id_reads_in_both_forms() {
        let short = MemberId::from_import("production/nyc1/prod-nyc1").unwrap();
        let long = MemberId::from_import("production/aws/us-east-1/nyc1/prod-nyc1").unwrap();
        assert_eq!(short, long);
        assert_eq!(short.to_string(), "production/nyc1/prod-nyc1");
        assert_eq!(short.long(), "production/aws/us-east-1/nyc1/prod-nyc1");
    }

    #[test]
    fn the_clouds_own_region_name_is_taken_too() {
        let id = MemberId::from_import("staging/eu-west-3/blue").unwrap();
        assert_eq!(id.region.to_string(), "staging/aws/eu-west-3/eu-west-3");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let region = |id: &str| RegionId::from_import(id).unwrap_err().to_string();
        let member = |id: &str| MemberId::from_import(id).unwrap_err().to_string();
        insta::assert_snapshot!(region("production"), @"`production` is not an id: expected `ENVIRONMENT/NAME`, such as `production/nyc1`, or `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/NAME`, such as `production/aws/us-east-1/nyc1`");
        insta::assert_snapshot!(region("production/blue"), @"`production/blue` is not an id: `blue` stands for no cloud region by itself, so the id has to name cloud and region too");
        insta::assert_snapshot!(region("production/azure/eastus/blue"), @"`production/azure/eastus/blue` is not an id: unknown cloud `azure`: expected `aws`, `docker`");
        insta::assert_snapshot!(region("Prod/aws/us-east-1/nyc1"), @"`Prod/aws/us-east-1/nyc1` is not an id: `Prod` may hold lower-case letters, digits and hyphens only, with a letter or digit at both ends");
        insta::assert_snapshot!(member("a/b"), @"`a/b` is not an id: expected `ENVIRONMENT/REGION/NAME`, such as `production/nyc1/prod-nyc1`, or `ENVIRONMENT/PROVIDER_TYPE/PROVIDER_REGION/REGION/NAME`");
        insta::assert_snapshot!(member("production/nyc1/"), @"`production/nyc1/` is not an id: the name is empty");
    }
}
