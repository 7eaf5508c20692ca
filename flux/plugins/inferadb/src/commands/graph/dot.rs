//! For Graphviz: full arrows go from what is waited for to what waits, dotted ones to what is rendered.

use std::fmt::Write as _;

use crate::graph::{Graph, State};

pub(super) fn draw(graphs: &[Graph]) -> String {
    let mut out = String::from("digraph fleet {\n  rankdir=LR;\n  node [shape=box, fontname=sans];\n");
    for (number, graph) in graphs.iter().enumerate() {
        let key = |id: &str| quoted(&format!("{} {id}", graph.cluster));
        let _ = writeln!(out, "  subgraph cluster_{number} {{\n    label={};", quoted(&graph.cluster));
        for node in &graph.nodes {
            let shape = if node.kind == "Kustomization" { "box" } else { "ellipse" };
            let style = match node.state {
                State::Well => "",
                State::Suspended => ", style=dashed",
                State::Failed => ", color=red",
            };
            let _ = writeln!(out, "    {} [label={}, shape={shape}{style}];", key(&node.id), quoted(&node.name));
        }
        out.push_str("  }\n");
        for node in &graph.nodes {
            if let Some(parent) = &node.parent {
                let _ = writeln!(out, "  {} -> {} [style=dotted];", key(parent), key(&node.id));
            }
            for after in node.after.iter().filter(|after| graph.has(after)) {
                let _ = writeln!(out, "  {} -> {};", key(after), key(&node.id));
            }
        }
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
