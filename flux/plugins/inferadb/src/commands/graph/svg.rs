//! A picture that needs no other program: a column for each step of waiting, boxes in it, and lines from what is waited for.

use std::collections::BTreeMap;

use crate::graph::{Graph, Node, State};

const WIDTH: usize = 260;
const HEIGHT: usize = 44;
const ACROSS: usize = 80;
const DOWN: usize = 18;
const MARGIN: usize = 24;

pub(super) fn draw(graph: &Graph) -> String {
    let columns = columns(graph);
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    for node in &graph.nodes {
        let column = columns.get(node.id.as_str()).copied().unwrap_or(0);
        let row = rows.entry(column).or_default();
        places.insert(&node.id, (MARGIN + column * (WIDTH + ACROSS), MARGIN + 24 + *row * (HEIGHT + DOWN)));
        *row += 1;
    }
    let width = places.values().map(|(x, _)| x + WIDTH + MARGIN).max().unwrap_or(MARGIN);
    let height = places.values().map(|(_, y)| y + HEIGHT + MARGIN).max().unwrap_or(MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{0}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{MARGIN}\" y=\"{MARGIN}\" font-size=\"15\" font-weight=\"bold\">{0}</text>\n",
        escape(&graph.cluster)
    );
    for node in &graph.nodes {
        let lines = node.parent.iter().map(|id| (id, " stroke-dasharray=\"3 4\"")).chain(node.after.iter().map(|id| (id, "")));
        for (from, style) in lines {
            if let (Some(from), Some(to)) = (places.get(from.as_str()), places.get(node.id.as_str())) {
                out.push_str(&line(*from, *to, style));
            }
        }
    }
    for node in &graph.nodes {
        if let Some(place) = places.get(node.id.as_str()) {
            out.push_str(&shape(node, *place));
        }
    }
    out.push_str("</svg>\n");
    out
}

/// How many steps lie before each node. Those in a circle stop counting after as many steps as there are nodes.
fn columns(graph: &Graph) -> BTreeMap<&str, usize> {
    let mut columns: BTreeMap<&str, usize> = graph.nodes.iter().map(|node| (node.id.as_str(), 0)).collect();
    for _ in 0..graph.nodes.len() {
        let mut changed = false;
        for node in &graph.nodes {
            let before = node.parent.iter().chain(&node.after).filter_map(|id| columns.get(id.as_str())).max();
            let column = before.map_or(0, |before| (before + 1).min(graph.nodes.len()));
            if columns.get(node.id.as_str()).is_some_and(|present| *present < column) {
                columns.insert(&node.id, column);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    columns
}

fn line((x, y): (usize, usize), (to_x, to_y): (usize, usize), style: &str) -> String {
    let (x, y, to_y) = (x + WIDTH, y + HEIGHT / 2, to_y + HEIGHT / 2);
    let (bend, to_bend) = (x + ACROSS / 2, to_x.saturating_sub(ACROSS / 2));
    format!("<path d=\"M{x} {y} C{bend} {y} {to_bend} {to_y} {to_x} {to_y}\" fill=\"none\" stroke=\"#789\"{style}/>\n")
}

fn shape(node: &Node, (x, y): (usize, usize)) -> String {
    let (stroke, style) = match node.state {
        State::Well => ("#345", ""),
        State::Suspended => ("#345", " stroke-dasharray=\"5 4\""),
        State::Failed => ("#c00", " stroke-width=\"2\""),
    };
    let round = if node.kind == "Kustomization" { 3 } else { HEIGHT / 2 };
    let (text_x, first, second) = (x + 14, y + 19, y + 35);
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"{round}\" fill=\"#f4f7fa\" stroke=\"{stroke}\"{style}/>\n<text x=\"{text_x}\" y=\"{first}\">{}</text>\n<text x=\"{text_x}\" y=\"{second}\" font-size=\"10\" fill=\"#567\">{}</text>\n",
        escape(&short(&node.name, 36)),
        escape(&short(&node.about, 44)),
    )
}

/// The end of a long text says more than its start.
fn short(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most { text.to_owned() } else { format!("…{}", text.chars().skip(count - most + 1).collect::<String>()) }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
