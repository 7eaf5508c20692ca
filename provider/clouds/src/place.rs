//! Which cloud, and where in it.

use std::fmt;
use std::str::FromStr;

/// A cloud that has a module here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderType {
    /// Amazon Web Services.
    Aws,
    /// A Docker engine.
    Docker,
}

impl ProviderType {
    /// Every cloud, in the order in which they are listed to users.
    pub const ALL: &[Self] = &[Self::Aws, Self::Docker];

    /// The name users write (`provider_type = "aws"`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Docker => "docker",
        }
    }
}

impl fmt::Display for ProviderType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProviderType {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let known: Vec<String> = Self::ALL.iter().map(|kind| format!("`{kind}`")).collect();
            format!("unknown cloud `{name}`: expected {}", known.join(", "))
        })
    }
}

/// One cloud region, the unit that a [`crate::Cloud`] client is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The cloud.
    pub provider_type: ProviderType,
    /// The cloud's own name of the region, for example `us-east-1`.
    pub provider_region: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider_type, self.provider_region)
    }
}
