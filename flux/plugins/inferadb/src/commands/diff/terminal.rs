//! For a person at a terminal.

use std::fmt::Write as _;

use super::report::{Change, Kind, Report};
use crate::shown::shown;

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const BOLD: &str = "\x1b[1m";
const NONE: &str = "\x1b[0m";

/// Writes all clusters; one line where nothing changes.
pub(super) fn write(reports: &[Report], colours: bool) -> String {
    let paint = |colour: &str, text: &str| if colours { format!("{colour}{text}{NONE}") } else { text.to_owned() };
    let mut out = String::new();
    for report in reports {
        if report.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}", paint(BOLD, &shown(&format!("cluster {}", report.cluster))));
        for note in &report.notes {
            let _ = writeln!(out, "  note: {}", shown(note));
        }
        for one in &report.withheld {
            let text = format!("  ! {} {} {} the change{}", one.producer, one.verb(), one.side, one.count(": "));
            let _ = writeln!(out, "{}", paint(RED, &shown(&text)));
        }
        for change in &report.changes {
            let (colour, text) = heading(change);
            let _ = writeln!(out, "  {}", paint(colour, &shown(&text)));
            for line in change.lines.split_terminator('\n') {
                let colour = match line.as_bytes().first() {
                    Some(b'+') => GREEN,
                    Some(b'-') => RED,
                    _ => "",
                };
                let line = content(line);
                let _ = writeln!(out, "      {}", if colour.is_empty() { line } else { paint(colour, &line) });
            }
        }
        for image in &report.images {
            let _ = writeln!(out, "  {}", shown(&format!("image {}: {} → {}", image.name, image.old, image.new)));
        }
    }
    if out.is_empty() { "Nothing changes in any cluster.\n".to_owned() } else { out }
}

/// A line of an object. Logs of workflows obey one that starts with `::`, spaces in front or not.
fn content(line: &str) -> String {
    let text = line.trim_start();
    let escape = if text.starts_with("::") { "\\" } else { "" };
    format!("{}{escape}{}", &line[..line.len() - text.len()], shown(text))
}

fn heading(change: &Change) -> (&'static str, String) {
    let (id, by) = (&change.id, &change.by);
    match &change.kind {
        Kind::PrunedWithData => (RED, format!("- PRUNED, WITH WHAT IT HOLDS: {id}, by {by}")),
        Kind::Pruned => (RED, format!("- pruned: {id}, by {by}")),
        Kind::Left => (YELLOW, format!("- left in the cluster, as {by} does not prune it: {id}")),
        Kind::LeftWithOwner => (
            YELLOW,
            format!("- left in the cluster with {by}, which nobody prunes and which goes on with what its path holds: {id}"),
        ),
        Kind::MovedEmptied(from) => (
            RED,
            format!(
                "> MOVED, AND EMPTIED ON THE WAY: {id}, from {from} to {by}: {by} waits for {from}, which prunes it first, with what it holds"
            ),
        ),
        Kind::MovedAtRisk(from) => (
            RED,
            format!(
                "> MOVED, AND MAY BE EMPTIED ON THE WAY: {id}, from {from} to {by}: {from} may prune it, with what it holds, before {by} has it"
            ),
        ),
        Kind::Contested(from) => (
            RED,
            format!("! produced by {by} now, and by {from} still, which is gone from the tree and left in the cluster: {id}"),
        ),
        Kind::Moved(from) => (YELLOW, format!("> moved from {from} to {by}: {id}")),
        Kind::Created => (GREEN, format!("+ created: {id}, by {by}")),
        Kind::Changed => (YELLOW, format!("~ changed: {id}, by {by}")),
    }
}
