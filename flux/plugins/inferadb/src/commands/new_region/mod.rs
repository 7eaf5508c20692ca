//! `new-region`: what a program can do of adding a region to an environment, and what is left for a person.

mod changes;
mod cluster;
mod environment;
mod environments;
mod hcl;
mod pages;
mod ranges;
mod refused;
mod region;
mod settings;
mod steps;

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use crate::cli::{At, print, tell};
use crate::error::Result;
use crate::tree::Tree;

use changes::Changes;
use environment::Environment;
pub(crate) use environments::{ENVIRONMENTS, names as environments};
pub(crate) use refused::Refused;
use region::Region;

/// Adds a region to an environment: its folder under terraform/regions, its entry in the environment's regions, the values to
/// apply it with, and the folder of its cluster.
///
/// Nothing is written where any of it is there already, or where the result could not be planned. What is left to do is
/// printed last.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The region's name, such as `lon1`: it goes into the names of all that is made there
    name: String,
    /// The cloud that it stands in
    #[arg(long, value_enum)]
    provider: Provider,
    /// The environment, a folder of terraform/environments
    #[arg(long = "env", value_name = "ENVIRONMENT")]
    environment: String,
    /// The cloud's own name of its region [default: the one that the name stands for]
    #[arg(long, value_name = "REGION")]
    provider_region: Option<String>,
    /// The cloud's own names of three zones [default on AWS: the region's a, b and c]
    #[arg(long, value_name = "ZONE,ZONE,ZONE", value_delimiter = ',')]
    zones: Vec<String>,
    /// The cloud's own name of the region that backups are copied to [default: one that is near]
    #[arg(long, value_name = "REGION")]
    backup_replica_region: Option<String>,
    /// The address range of the network [default: one that no region of any environment has]
    #[arg(long, value_name = "RANGE")]
    cidr: Option<String>,
    /// That of the pods [default: 10.150.0.0/16 for the network 10.50.0.0/16, or a free one]
    #[arg(long, value_name = "RANGE")]
    pod_cidr: Option<String>,
    /// That of the services [default: 10.250.0.0/16 for the network 10.50.0.0/16, or a free one]
    #[arg(long, value_name = "RANGE")]
    service_cidr: Option<String>,
    /// Writes nothing, and prints what would be written as a patch
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    at: At,
}

/// Clouds by the names that the Terraform provider has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Provider {
    Aws,
    Gcp,
    #[value(name = "digitalocean")]
    DigitalOcean,
    Docker,
}

impl Provider {
    const fn as_str(self) -> &'static str {
        match self {
            Provider::Aws => "aws",
            Provider::Gcp => "gcp",
            Provider::DigitalOcean => "digitalocean",
            Provider::Docker => "docker",
        }
    }
}

/// Writes a region, or prints what would be written.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let root = options.at.repository()?;
    let tree = Tree::from_folder(&root)?;
    let (name, provider) = (options.name.as_str(), options.provider.as_str());
    region::check_name(name)?;
    let environment = Environment::find(&root, &options.environment)?;
    environment.takes(name)?;
    let clusters = settings::all(&tree, options.at.clusters_told())?;
    let sibling = settings::sibling(&clusters, &environment.name)?;
    let folder = sibling.folder_of(name)?;
    refuse_what_exists(&root, name, &environment, &folder)?;
    let region = Region::of(options, &root, &tree, sibling)?;
    let role = environment.role()?;
    let ranges = ranges::choose(options, &ranges::taken(&root, &clusters)?)?;
    let settings = cluster::settings(sibling, &region, &ranges, role)?;

    let mut changes = Changes::new(&root);
    region.write(&mut changes);
    environment.write(&region, &ranges, &mut changes)?;
    cluster::write(&tree, sibling, &folder, &settings, &mut changes)?;
    pages::write(&tree, sibling, &environment, &region, &ranges, &settings, &mut changes)?;
    if options.dry_run {
        print(&changes.as_patch());
        tell("note: nothing was written");
        return Ok(0);
    }
    let done = changes.apply()?;
    let mut out = format!(
        "{name} of {}: {provider} {} ({}), backups copied to {}, network {}, pods {}, services {}\n",
        environment.name,
        region.place,
        region.zones.join(", "),
        region.replica,
        ranges.network,
        ranges.pods,
        ranges.services
    );
    for line in done {
        let _ = writeln!(out, "{line}");
    }
    out.push_str(&steps::left(&environment, &region, &folder, &settings));
    print(&out);
    Ok(0)
}

/// All that is there already, said at once.
fn refuse_what_exists(root: &std::path::Path, name: &str, environment: &Environment, folder: &str) -> Result<()> {
    let mut there: Vec<String> = environment.has(name).into_iter().collect();
    for path in [environment.values_file(name), folder.to_owned()] {
        if root.join(&path).symlink_metadata().is_ok() {
            there.push(format!("`{path}`"));
        }
    }
    if there.is_empty() { Ok(()) } else { Err(Refused::Exists(there.join(", ")).into()) }
}
