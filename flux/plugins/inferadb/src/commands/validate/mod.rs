//! `validate`: what is wrong with the fleet.

mod report;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::checks::{self, Context, RULES, Schemas};
use crate::cli::{FOUND, Shared, colours, print, tell};
use crate::commands::releases::{self, When};
use crate::crd::Crds;
use crate::error::Result;
use crate::places::Places;
use crate::shown::shown;
use crate::tree::Tree;

/// Holds every object of every cluster to rules: it builds, what it names is there, its variables are read and keep secrets,
/// it fits its kind's schema and keeps the rules of its CustomResourceDefinition.
///
/// A finding has a rule, a file with a line, and what to do. An annotation `waive.inferadb.com/RULE: why` at the object waives
/// one. The exit code is 1 where something is found that is not waived.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The clusters; all without any. Variables count as unused only where all are looked at
    #[arg(value_name = "CLUSTER")]
    names: Vec<String>,
    /// Text, JSON, SARIF, or annotations of GitHub's workflows
    #[arg(long, short, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// Where JSON schemas are, as kubeconform names them; by default in `$INFERADB_SCHEMA_DIR` or `../shared/schemas`
    #[arg(long, value_name = "TEMPLATE")]
    schema_location: Vec<String>,
    /// CustomResourceDefinitions, in a file or a folder; by default in `crd-manifests` beside the schemas. Those that a cluster's
    /// own Kustomizations bring forth go before
    #[arg(long, value_name = "FILE_OR_DIR")]
    crd_location: Vec<PathBuf>,
    /// A kind without a schema is a finding, instead of being counted; so is a rule that is not understood
    #[arg(long)]
    require_schemas: bool,
    /// Lists what is waived too, with the reasons
    #[arg(long)]
    waived: bool,
    /// Lists the rules, and looks at nothing
    #[arg(long)]
    rules: bool,
    #[command(flatten)]
    releases: releases::Rendering,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Sarif,
    Github,
}

/// Builds and checks.
pub(crate) fn run(options: &Options) -> Result<u8> {
    if options.rules {
        for rule in RULES {
            print(&format!("{:<16} {}\n", rule.id, rule.about));
        }
        return Ok(0);
    }
    let repository: PathBuf = options.shared.repository()?;
    let schemas = match options.schema_location.as_slice() {
        [] => Schemas::beside(&repository),
        locations => Some(Schemas::at(locations)?),
    };
    let crds = Crds::find(&options.crd_location, &checks::schema_folder(&repository))?;
    let renderer = options.shared.renderer(&repository)?;
    let tree = Tree::from_folder(&repository)?;
    let releaser = options.releases.releaser(&options.shared, &repository, When::Never, false)?;
    let clusters = options.shared.build(&tree, &options.names, &renderer, releaser.as_ref())?;
    let charts = options.releases.charts(&repository);
    let given = options.shared.given()?;
    let context = Context {
        clusters: &clusters,
        all_clusters: options.names.is_empty(),
        tree: &tree,
        places: Places::new(&tree),
        schemas: schemas.as_ref(),
        crds: &crds,
        charts: &charts,
        require_schemas: options.require_schemas,
        given: &given.objects,
    };
    let findings = checks::run(&context);
    print(&match options.output {
        Form::Text => report::text(&findings, options.waived, colours()),
        Form::Json => report::json(&findings),
        Form::Sarif => report::sarif(&findings),
        Form::Github => report::github(&findings),
    });
    for note in releases::left_out(&clusters) {
        tell(&note);
    }
    tell(&shown(&report::summary(&findings, schemas.is_some() || !crds.is_empty())));
    Ok(if findings.found.is_empty() { 0 } else { FOUND })
}
