//! `graph`: who renders whom, and who waits for whom.

mod dot;
mod mermaid;
mod svg;
mod text;

use clap::{Args, ValueEnum};

use crate::cli::{FOUND, Shared, print, tell};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::tree::Tree;

/// Prints the dependency graph of each cluster, found from what its Kustomizations render.
///
/// The exit code is 1 where a Kustomization did not build, waits for one that is not there, or waits for itself.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The clusters; all without any
    #[arg(value_name = "CLUSTER")]
    names: Vec<String>,
    /// How it is drawn; `svg` draws one cluster
    #[arg(long, short, value_enum, default_value_t = Drawing::Text)]
    output: Drawing,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Drawing {
    Text,
    Mermaid,
    Dot,
    Svg,
}

/// Builds and draws.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let repository = options.shared.repository()?;
    let renderer = options.shared.renderer(&repository)?;
    let tree = Tree::from_folder(&repository)?;
    let clusters = options.shared.build(&tree, &options.names, &renderer, None)?;
    let graphs: Vec<Graph> = clusters.iter().map(Graph::new).collect();
    if options.output == Drawing::Svg && graphs.len() != 1 {
        let names: Vec<&str> = graphs.iter().map(|graph| graph.cluster.as_str()).collect();
        return Err(Error::Usage(format!("an SVG shows one cluster: name one of {}", names.join(", "))));
    }
    print(&match options.output {
        Drawing::Text => graphs.iter().map(text::draw).collect(),
        Drawing::Mermaid => mermaid::draw(&graphs),
        Drawing::Dot => dot::draw(&graphs),
        Drawing::Svg => graphs.iter().map(svg::draw).collect(),
    });
    let mut found = false;
    for (cluster, graph) in clusters.iter().zip(&graphs) {
        for kustomization in &cluster.kustomizations {
            if let Some(failure) = kustomization.failure() {
                found = true;
                tell(&format!("error: {}: {failure}", cluster.name));
            }
        }
        for (node, after) in graph.missing() {
            found = true;
            tell(&format!("error: {}: {node} waits for {after}, which is not there: correct its `dependsOn`", cluster.name));
        }
        for cycle in graph.cycles() {
            found = true;
            let way = cycle.join(" waits for ");
            let first = cycle.first().copied().unwrap_or_default();
            tell(&format!("error: {}: {way} waits for {first}: none of them gets ready; take one `dependsOn` out", cluster.name));
        }
    }
    Ok(if found { FOUND } else { 0 })
}
