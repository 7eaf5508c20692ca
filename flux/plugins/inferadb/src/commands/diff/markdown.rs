//! As a comment on a pull request.

use std::fmt::Write as _;

use super::compare::{Change, Kind, Report};

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
            report.cluster,
            count(|kind| *kind == Kind::Created),
            count(|kind| *kind == Kind::Changed),
            count(|kind| matches!(kind, Kind::Moved(_))),
            count(|kind| matches!(kind, Kind::Pruned | Kind::PrunedWithData)),
            report.withheld.iter().map(|one| one.objects).sum::<usize>(),
        );
    }
    let mut cut = 0;
    for report in reports.iter().filter(|report| !report.is_empty()) {
        let _ = write!(out, "\n#### {}\n\n", report.cluster);
        for note in &report.notes {
            let _ = writeln!(out, "- {note}");
        }
        for one in &report.withheld {
            let _ = writeln!(out, "- :x: `{}` {} {} the change{}", one.producer, one.verb(), one.side, one.count(", and "));
        }
        for change in report.changes.iter().filter(|change| change.lines.is_empty()) {
            let _ = writeln!(out, "- {}", heading(change));
        }
        for image in &report.images {
            let _ = writeln!(out, "- image `{}`: `{}` → `{}`", image.name, image.old, image.new);
        }
        for change in report.changes.iter().filter(|change| !change.lines.is_empty()) {
            let fence = fence(&change.lines);
            let details = format!(
                "\n<details><summary>{}</summary>\n\n{fence}diff\n{}{fence}\n\n</details>\n",
                heading(change).replace('`', ""),
                change.lines
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

fn heading(change: &Change) -> String {
    let (id, by) = (&change.id, &change.by);
    match &change.kind {
        Kind::PrunedWithData => format!(":warning: **pruned, with what it holds**: `{id}`, by `{by}`"),
        Kind::Pruned => format!("**pruned**: `{id}`, by `{by}`"),
        Kind::Left => format!("left in the cluster, as `{by}` does not prune it: `{id}`"),
        Kind::Moved(from) => format!("moved from `{from}` to `{by}`: `{id}`"),
        Kind::Created => format!("created: `{id}`, by `{by}`"),
        Kind::Changed => format!("changed: `{id}`, by `{by}`"),
    }
}
