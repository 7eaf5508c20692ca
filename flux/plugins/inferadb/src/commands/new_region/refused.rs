//! Why a region is not written. Nothing is, then.

use crate::error::Error;
use std::path::PathBuf;

/// What stands against a region.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "`{name}` is no name for a region: it has to be 1 to 24 lower-case letters, digits and hyphens, with a letter first and a letter or digit last, such as `lon1`"
    )]
    Name { name: String },
    #[error("`{name}`, {what}, has {length} characters, and {most} are the most: take a shorter name for the region", length = .name.len())]
    Long { name: String, what: &'static str, most: usize },
    #[error("`terraform/regions/_template` has {known} only: there is nothing to make a region on `{provider}` of")]
    NoTemplate { provider: &'static str, known: String },
    #[error("there is no environment `{name}`: `terraform/environments` has {known}")]
    NoEnvironment { name: String, known: String },
    #[error(
        "`{path}` takes no regions of `terraform/regions`: the environment `{environment}` has the regions that it names itself; give `--env` another one"
    )]
    OwnRegions { path: String, environment: String },
    #[error(
        "the environment `{environment}` is on `{theirs}` alone, where its keys, buckets and zone are: a region on `{provider}` would not plan there"
    )]
    OtherProvider { environment: String, theirs: String, provider: &'static str },
    #[error(
        "`{region}` and {theirs} are in different partitions of AWS, which take different accounts: an environment has one account"
    )]
    OtherPartition { region: String, theirs: String },
    #[error(
        "the environment `{environment}` has {regions} already, and Route 53's failover knows a primary and a secondary: a third region would be refused at plan. It needs a name of its own (docs/adding-regions.md)"
    )]
    ThirdRegion { environment: String, regions: String },
    #[error("this is there already, and nothing was changed: {0}")]
    Exists(String),
    #[error("`{name}` stands for no region of `{provider}`, only {known} do: give the cloud's own name with `--provider-region`")]
    NoRegion { name: String, provider: &'static str, known: String },
    #[error("`--{option} {value}`: no region of AWS has such a name: write it as in `eu-west-2`")]
    ProviderRegion { option: &'static str, value: String },
    #[error(
        "no other region of the same part of the world is known here: say with `--backup-replica-region` where backups of `{region}` are copied to, another region, so that they outlive this one"
    )]
    NoReplica { region: String },
    #[error("`--backup-replica-region {0}` is the region itself: a copy of the backups has to outlive it")]
    ReplicaItself(String),
    #[error(
        "`--zones {zones}`: give three zones of `{region}`, each once, since FoundationDB keeps a copy in each; `aws ec2 describe-availability-zones --region {region}` lists those of your account"
    )]
    Zones { zones: String, region: String },
    #[error(
        "us-west-1 has two zones for most accounts, and FoundationDB keeps a copy in each of three: give another region with `--provider-region`, or three zones of yours with `--zones`"
    )]
    TwoZones,
    #[error(
        "`--{option} {value}`: `{path}` is there already and says {theirs}, for all environments: leave the option out, or take another name"
    )]
    Differs { option: &'static str, value: String, path: String, theirs: String },
    #[error("`--{option} {value}`: {problem}")]
    Range { option: &'static str, value: String, problem: String },
    #[error("{what} `{range}` meets `{other}`, {whose}: Tailscale joins them, so give another one with `--{option}`")]
    Meets { what: &'static str, option: &'static str, range: String, other: String, whose: String },
    #[error("no three ranges of 10.0.0.0/8 are free: give them with `--cidr`, `--pod-cidr` and `--service-cidr`")]
    NoFreeRange,
    #[error(
        "no cluster of the environment `{environment}` is there, whose settings would be taken: make its first one by hand, from the values of `terraform output -json cluster_settings` (flux/README.md, \"Adding a cluster\")"
    )]
    NoSibling { environment: String },
    #[error(
        "`{first}` and `{second}` are of one environment and differ in `{key}`: both have it from Terraform's output `cluster_settings`; make them equal first"
    )]
    Siblings { first: String, second: String, key: String },
    #[error("`{path}`: {problem}; a new cluster's cannot be made of it")]
    Settings { path: String, problem: String },
    #[error(
        "`{0}` is encrypted for the key of its cluster: copy that folder by hand, and encrypt the file for the new cluster (flux/README.md, \"Adding a cluster\")"
    )]
    Encrypted(String),
    #[error("{path}:{line}: no HCL: {message}")]
    Hcl { path: String, line: usize, message: String },
    #[error("`{path}` has no {what}, which a region's entry goes by")]
    Form { path: String, what: String },
    #[error("`{}` was changed meanwhile: run the command again", .0.display())]
    Changed(PathBuf),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Error::Usage(refused.to_string())
    }
}
