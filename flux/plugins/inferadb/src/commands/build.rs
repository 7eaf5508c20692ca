//! `build`: what Flux would apply.

use std::mem::ManuallyDrop;

use clap::Args;
use serde_json::{Value, json};

use super::releases::{self, When};
use crate::cli::{Data, FOUND, Shared, print, tell};
use crate::error::Result;
use crate::fleet::{Cluster, Kustomization};
use crate::listing::with_files;
use crate::object::Object;
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
    let releaser = options.releases.releaser(&options.shared, &repository, When::Auto, false)?;
    let is_yaml = options.output == Data::Yaml;
    let write = |cluster: &Cluster| if is_yaml { documents(cluster) } else { Vec::new() };
    let all = |tree: &Tree| options.shared.build_then(tree, &options.names, &renderer, releaser.as_ref(), write);
    // Not put back piece by piece: the process ends.
    let built = ManuallyDrop::new(with_files(&repository, &options.shared.cache(), all)??);
    let (clusters, written) = (&built.clusters, &built.made);
    built.in_vain.values().for_each(|warning| tell(warning));
    let mut failed = 0;
    for cluster in clusters {
        for producer in cluster.producers().filter(|producer| !producer.is_left_out()) {
            if let Some(failure) = producer.failure() {
                failed += 1;
                tell(&format!("error: {}: {failure}", cluster.name));
            } else if producer.is_suspended() {
                tell(&format!("note: {}: {} is suspended: Flux applies none of its objects", cluster.name, producer.title()));
            }
        }
    }
    for note in releases::left_out(clusters) {
        tell(&note);
    }
    print(&match options.output {
        Data::Yaml => clusters.iter().zip(written).map(|(cluster, written)| as_yaml(cluster, written)).collect(),
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

/// The objects of each Kustomization that is applied, as text.
fn documents(cluster: &Cluster) -> Vec<Vec<String>> {
    let objects = |kustomization: &Kustomization| {
        kustomization.objects().iter().map(|object| document(cluster, kustomization, object)).collect()
    };
    applied(cluster).map(objects).collect()
}

fn document(cluster: &Cluster, by: &Kustomization, object: &Object) -> String {
    format!("---\n# {}: {}\n{}", cluster.name, by.title(), yaml::emit(&object.0))
}

/// All of them, each release's objects behind it.
fn as_yaml(cluster: &Cluster, written: &[Vec<String>]) -> String {
    let mut out = String::with_capacity(written.iter().flatten().map(String::len).sum());
    for (kustomization, written) in applied(cluster).zip(written) {
        let releases: Vec<&Kustomization> = releases(cluster, kustomization).collect();
        for (object, document) in kustomization.objects().iter().zip(written) {
            out.push_str(document);
            let is_it = |release: &&&Kustomization| object.kind() == "HelmRelease" && release.object.id() == object.id();
            if let Some(release) = releases.iter().find(is_it) {
                out.extend(release.objects().iter().map(|rendered| self::document(cluster, release, rendered)));
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
