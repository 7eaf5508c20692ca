//! For a person at a terminal.

use std::fmt::Write as _;

use super::compare::{Change, Kind, Report};

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
        let _ = writeln!(out, "{}", paint(BOLD, &format!("cluster {}", report.cluster)));
        for note in &report.notes {
            let _ = writeln!(out, "  note: {note}");
        }
        for one in &report.withheld {
            let text = format!("  ! {} {} {} the change{}", one.producer, one.verb(), one.side, one.count(": "));
            let _ = writeln!(out, "{}", paint(RED, &text));
        }
        for change in &report.changes {
            let (colour, text) = heading(change);
            let _ = writeln!(out, "  {}", paint(colour, &text));
            for line in change.lines.lines() {
                let colour = match line.as_bytes().first() {
                    Some(b'+') => GREEN,
                    Some(b'-') => RED,
                    _ => "",
                };
                let _ = writeln!(out, "      {}", if colour.is_empty() { line.to_owned() } else { paint(colour, line) });
            }
        }
        for image in &report.images {
            let _ = writeln!(out, "  image {}: {} → {}", image.name, image.old, image.new);
        }
    }
    if out.is_empty() { "Nothing changes in any cluster.\n".to_owned() } else { out }
}

fn heading(change: &Change) -> (&'static str, String) {
    let (id, by) = (&change.id, &change.by);
    match &change.kind {
        Kind::PrunedWithData => (RED, format!("- PRUNED, WITH WHAT IT HOLDS: {id}, by {by}")),
        Kind::Pruned => (RED, format!("- pruned: {id}, by {by}")),
        Kind::Left => (YELLOW, format!("- left in the cluster, as {by} does not prune it: {id}")),
        Kind::Moved(from) => (YELLOW, format!("> moved from {from} to {by}: {id}")),
        Kind::Created => (GREEN, format!("+ created: {id}, by {by}")),
        Kind::Changed => (YELLOW, format!("~ changed: {id}, by {by}")),
    }
}
