//! As a comment on a pull request.

use std::fmt::Write as _;

use super::report::{Change, Kind, Report};
use crate::shown::{shown, shown_lines};

/// More than this does not fit into a comment; GitHub takes 65536 characters.
const MOST: usize = 60_000;

pub(super) fn write(reports: &[Report]) -> String {
    let mut out = String::from("### What this does to the clusters\n");
    if reports.iter().all(Report::is_empty) {
        out.push_str("\nNothing changes in any cluster.\n");
        return out;
    }
    out.push_str("\n| cluster | created | changed | moved | pruned | not compared |\n| --- | --- | --- | --- | --- | --- |\n");
    for report in reports {
        let count = |of: fn(&Kind) -> bool| report.changes.iter().filter(|change| of(&change.kind)).count();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            plain(&report.cluster),
            count(|kind| *kind == Kind::Created),
            count(|kind| *kind == Kind::Changed),
            count(|kind| matches!(kind, Kind::Moved(_) | Kind::MovedAtRisk(_) | Kind::MovedEmptied(_) | Kind::Contested(_))),
            count(|kind| matches!(kind, Kind::Pruned | Kind::PrunedWithData)),
            report.withheld.iter().map(|one| one.objects).sum::<usize>(),
        );
    }
    let mut cut = 0;
    for report in reports.iter().filter(|report| !report.is_empty()) {
        let _ = write!(out, "\n#### {}\n\n", plain(&report.cluster));
        for note in &report.notes {
            let _ = writeln!(out, "- {}", plain(note));
        }
        for one in &report.withheld {
            let _ = writeln!(out, "- :x: {} {} {} the change{}", code(&one.producer), one.verb(), one.side, one.count(", and "));
        }
        for change in report.changes.iter().filter(|change| change.lines.is_empty()) {
            let _ = writeln!(out, "- {}", heading(change, code));
        }
        for image in &report.images {
            let _ = writeln!(out, "- image {}: {} → {}", code(&image.name), code(&image.old), code(&image.new));
        }
        for change in report.changes.iter().filter(|change| !change.lines.is_empty()) {
            let lines = shown_lines(&change.lines);
            let fence = fence(&lines);
            let details = format!(
                "\n<details><summary>{}</summary>\n\n{fence}diff\n{lines}{fence}\n\n</details>\n",
                heading(change, html).replace("**", ""),
            );
            if out.len() + details.len() > MOST {
                cut += 1;
            } else {
                out.push_str(&details);
            }
        }
    }
    if cut > 0 {
        let _ = writeln!(out, "\n{cut} more changes do not fit here: `flux inferadb diff` shows them.");
    }
    out
}

/// A fence longer than any in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// A name as code, whatever it holds.
fn code(text: &str) -> String {
    let text = shown(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    if longest == 0 {
        return format!("`{text}`");
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence} {text} {fence}")
}

/// A text in HTML, where Markdown is not read.
fn html(text: &str) -> String {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '*' | '`');
    shown(text).chars().map(|c| if special(c) { format!("&#{};", u32::from(c)) } else { c.to_string() }).collect()
}

/// A text in Markdown.
fn plain(text: &str) -> String {
    let special = |c: char| "\\`*_[]<>|~&#".contains(c);
    shown(text).chars().map(|c| if special(c) { format!("\\{c}") } else { c.to_string() }).collect()
}

/// What happens to an object, with names written as `name` does.
fn heading(change: &Change, name: fn(&str) -> String) -> String {
    let (id, by) = (name(&change.id.to_string()), name(&change.by));
    let from = match &change.kind {
        Kind::Moved(from) | Kind::MovedEmptied(from) | Kind::MovedAtRisk(from) | Kind::Contested(from) => name(from),
        _ => String::new(),
    };
    match &change.kind {
        Kind::PrunedWithData => format!(":warning: **pruned, with what it holds**: {id}, by {by}"),
        Kind::Pruned => format!("**pruned**: {id}, by {by}"),
        Kind::Left => format!("left in the cluster, as {by} does not prune it: {id}"),
        Kind::LeftWithOwner => {
            format!("left in the cluster with {by}, which nobody prunes and which goes on with what its path holds: {id}")
        }
        Kind::MovedEmptied(_) => format!(
            ":warning: **moved, and emptied on the way**: {id}, from {from} to {by}: {by} waits for {from}, which prunes it first, with what it holds"
        ),
        Kind::MovedAtRisk(_) => format!(
            ":warning: **moved, and may be emptied on the way**: {id}, from {from} to {by}: {from} may prune it, with what it holds, before {by} has it"
        ),
        Kind::Contested(_) => format!(
            ":warning: produced by {by} now, and by {from} still, which is gone from the tree and left in the cluster: {id}"
        ),
        Kind::Moved(_) => format!("moved from {from} to {by}: {id}"),
        Kind::Created => format!("created: {id}, by {by}"),
        Kind::Changed => format!("changed: {id}, by {by}"),
    }
}
