//! For a terminal: a tree of who renders whom, with what each waits for.

use std::fmt::Write as _;

use crate::graph::{Graph, Node, State};

pub(super) fn draw(graph: &Graph) -> String {
    let mut out = format!("{}\n", graph.cluster);
    for root in graph.nodes.iter().filter(|node| node.parent.is_none()) {
        branch(&mut out, graph, root, "", "");
    }
    out
}

fn branch(out: &mut String, graph: &Graph, node: &Node, stem: &str, below: &str) {
    out.push_str(stem);
    out.push_str(&node.id);
    if !node.about.is_empty() {
        let _ = write!(out, " ({})", node.about);
    }
    out.push_str(match node.state {
        State::Well => "",
        State::Suspended => " [suspended]",
        State::Failed => " [does not build]",
    });
    if !node.after.is_empty() {
        // The same kind goes without saying.
        let after = node.after.iter().map(|after| after.strip_prefix(node.kind).unwrap_or(after).trim());
        let _ = write!(out, ", after {}", after.collect::<Vec<_>>().join(", "));
    }
    out.push('\n');
    let children: Vec<&Node> = graph.children(&node.id).collect();
    for (position, child) in children.iter().enumerate() {
        let (stem, next) = if position + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        branch(out, graph, child, &format!("{below}{stem}"), &format!("{below}{next}"));
    }
}
