//! For Markdown: full arrows go from what is waited for to what waits, dotted ones to what is rendered.

use std::fmt::Write as _;

use crate::graph::{Graph, State};

pub(super) fn draw(graphs: &[Graph]) -> String {
    let mut out = String::from("flowchart LR\n");
    for (number, graph) in graphs.iter().enumerate() {
        let key = |id: &str| graph.nodes.iter().position(|node| node.id == id).map(|node| format!("c{number}n{node}"));
        let _ = writeln!(out, "  subgraph c{number}[\"{}\"]", escape(&graph.cluster));
        for node in &graph.nodes {
            let (open, close) = if node.kind == "Kustomization" { ("[", "]") } else { ("([", "])") };
            let class = match node.state {
                State::Well => "",
                State::Suspended => ":::suspended",
                State::Failed => ":::failed",
            };
            if let Some(key) = key(&node.id) {
                let _ = writeln!(out, "    {key}{open}\"{}\"{close}{class}", escape(&node.name));
            }
        }
        out.push_str("  end\n");
        for node in &graph.nodes {
            for (from, arrow) in node.parent.iter().map(|id| (id, "-.->")).chain(node.after.iter().map(|id| (id, "-->"))) {
                if let (Some(from), Some(to)) = (key(from), key(&node.id)) {
                    let _ = writeln!(out, "  {from} {arrow} {to}");
                }
            }
        }
    }
    out.push_str("  classDef failed stroke:#c00,stroke-width:2px\n  classDef suspended stroke-dasharray:4\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('"', "#quot;")
}
