//! `build`: what Flux would apply.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{Data, FOUND, Shared, print, tell};
use crate::error::Result;
use crate::fleet::{Cluster, Kustomization};
use crate::parallel::in_parallel;
use crate::tree::Tree;
use crate::yaml;

/// Prints what Flux would apply to each cluster, Kustomization by Kustomization, in the order in which they get ready.
///
/// What does not build is named on standard error, and the rest is printed; the exit code is 1 then.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The clusters; all without any
    #[arg(value_name = "CLUSTER")]
    names: Vec<String>,
    /// YAML documents, or one JSON document that has the Kustomizations with their objects or errors
    #[arg(long, short, value_enum, default_value_t = Data::Yaml)]
    output: Data,
    #[command(flatten)]
    shared: Shared,
}

/// Builds and prints.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let repository = options.shared.repository()?;
    let renderer = options.shared.renderer(&repository)?;
    let tree = Tree::from_folder(&repository)?;
    let clusters = options.shared.build(&tree, &options.names, &renderer)?;
    let mut failed = 0;
    for cluster in &clusters {
        for kustomization in &cluster.kustomizations {
            if let Some(failure) = kustomization.failure() {
                failed += 1;
                tell(&format!("error: {}: {failure}", cluster.name));
            } else if kustomization.is_suspended() {
                tell(&format!(
                    "note: {}: Kustomization {} is suspended: Flux applies none of its objects",
                    cluster.name,
                    kustomization.id()
                ));
            }
        }
    }
    print(&match options.output {
        Data::Yaml => in_parallel(&clusters, as_yaml).concat(),
        Data::Json => format!("{:#}\n", json!({"clusters": clusters.iter().map(as_json).collect::<Vec<_>>()})),
    });
    Ok(if failed > 0 { FOUND } else { 0 })
}

fn applied(cluster: &Cluster) -> impl Iterator<Item = &Kustomization> {
    cluster.kustomizations.iter().filter(|kustomization| !kustomization.is_suspended())
}

fn as_yaml(cluster: &Cluster) -> String {
    let mut out = String::new();
    for kustomization in applied(cluster) {
        for object in kustomization.objects() {
            let _ = write!(out, "---\n# {}: Kustomization {}\n{}", cluster.name, kustomization.id(), yaml::emit(&object.0));
        }
    }
    out
}

fn as_json(cluster: &Cluster) -> Value {
    let kustomizations = applied(cluster).map(|kustomization| {
        let mut one = json!({
            "namespace": kustomization.object.namespace(),
            "name": kustomization.object.name(),
        });
        match &kustomization.outcome {
            Ok(built) => one["objects"] = built.objects.iter().map(|object| object.0.clone()).collect(),
            Err(error) => one["error"] = json!(error.to_string()),
        }
        one
    });
    json!({"name": cluster.name, "kustomizations": kustomizations.collect::<Vec<_>>()})
}
