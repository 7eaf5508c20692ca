//! `build`: what Flux would apply.

use std::fmt::Write as _;
use std::mem::ManuallyDrop;

use clap::Args;
use serde_json::{Value, json};

use super::releases::{self, When};
use crate::cli::{Data, FOUND, Shared, print, tell};
use crate::error::Result;
use crate::fleet::{Cluster, Kustomization};
use crate::object::Object;
use crate::parallel::in_parallel;
use crate::tree::Tree;
use crate::yaml;

/// Prints what Flux would apply to each cluster, Kustomization by Kustomization, in the order in which they get ready.
///
/// What does not build is named on standard error, and the rest is printed; the exit code is 1 then. What a Helm release
/// installs comes behind it, where its chart and helm are on this machine.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The clusters; all without any
    #[arg(value_name = "CLUSTER")]
    names: Vec<String>,
    /// YAML documents, or one JSON document that has the Kustomizations with their objects or errors
    #[arg(long, short, value_enum, default_value_t = Data::Yaml)]
    output: Data,
    #[command(flatten)]
    releases: releases::Rendering,
    #[command(flatten)]
    shared: Shared,
}

/// Builds and prints.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let repository = options.shared.repository()?;
    let renderer = options.shared.renderer(&repository)?;
    let tree = Tree::from_folder(&repository)?;
    let releaser = options.releases.releaser(&options.shared, &repository, When::Auto, false)?;
    // Not put back piece by piece: the process ends.
    let clusters = ManuallyDrop::new(options.shared.build(&tree, &options.names, &renderer, releaser.as_ref())?);
    let mut failed = 0;
    for cluster in clusters.iter() {
        for producer in cluster.producers().filter(|producer| !producer.is_left_out()) {
            if let Some(failure) = producer.failure() {
                failed += 1;
                tell(&format!("error: {}: {failure}", cluster.name));
            } else if producer.is_suspended() {
                tell(&format!("note: {}: {} is suspended: Flux applies none of its objects", cluster.name, producer.title()));
            }
        }
    }
    for note in releases::left_out(&clusters) {
        tell(&note);
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

/// The releases that a Kustomization's objects have.
fn releases<'c>(cluster: &'c Cluster, by: &Kustomization) -> impl Iterator<Item = &'c Kustomization> {
    let by = by.id();
    cluster.releases.iter().filter(move |release| release.parent.as_ref() == Some(&by) && !release.is_suspended())
}

fn as_yaml(cluster: &Cluster) -> String {
    let mut out = String::new();
    let mut write = |by: &Kustomization, object: &Object| {
        let _ = write!(out, "---\n# {}: {}\n{}", cluster.name, by.title(), yaml::emit(&object.0));
    };
    for kustomization in applied(cluster) {
        for object in kustomization.objects() {
            write(kustomization, object);
            let release = releases(cluster, kustomization).find(|release| release.object.id() == object.id());
            for rendered in release.into_iter().flat_map(Kustomization::objects) {
                write(release.unwrap_or(kustomization), rendered);
            }
        }
    }
    out
}

fn as_json(cluster: &Cluster) -> Value {
    let kustomizations = applied(cluster).map(|kustomization| {
        let mut one = produced(kustomization);
        let releases: Vec<Value> = releases(cluster, kustomization).map(produced).collect();
        if !releases.is_empty() {
            one["releases"] = Value::Array(releases);
        }
        one
    });
    json!({"name": cluster.name, "kustomizations": kustomizations.collect::<Vec<_>>()})
}

/// What a Kustomization or release gives, or why it gives nothing.
fn produced(by: &Kustomization) -> Value {
    let mut one = json!({
        "namespace": by.object.namespace(),
        "name": by.object.name(),
    });
    match &by.outcome {
        Ok(built) => one["objects"] = built.objects.iter().map(|object| object.0.clone()).collect(),
        Err(error) if by.is_left_out() => one["notRendered"] = json!(error.to_string()),
        Err(error) => one["error"] = json!(error.to_string()),
    }
    one
}
