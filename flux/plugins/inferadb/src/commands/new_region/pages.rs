//! The tables of the docs that list clusters and ranges, where the repository has them.

use crate::error::Result;
use crate::tree::Tree;

use super::changes::Changes;
use super::environment::Environment;
use super::ranges::Ranges;
use super::region::Region;
use super::settings::Settings;

const SETTINGS: &str = "docs/environment-parity.md";
const RANGES: &str = "docs/adding-regions.md";

pub(super) fn write(
    tree: &Tree,
    sibling: &Settings,
    environment: &Environment,
    region: &Region,
    ranges: &Ranges,
    settings: &[(String, String)],
    changes: &mut Changes<'_>,
) -> Result<()> {
    if tree.has_file(SETTINGS) {
        let page = tree.text(SETTINGS)?;
        let value = |key: &str| settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let new = with_column(&page, &sibling.name, value("CLUSTER_NAME").unwrap_or_default(), value);
        changes.edit_if_other(SETTINGS, &page, new);
    }
    if tree.has_file(RANGES) {
        let page = tree.text(RANGES)?;
        let row =
            format!("| {} | {} | {} | {} | {} |", ranges.network, ranges.pods, ranges.services, region.name, environment.name);
        changes.edit_if_other(RANGES, &page, with_row(&page, "| network | pods | services |", &row));
    }
    Ok(())
}

/// The page, with a column for a cluster in the table that tells what each is told.
fn with_column<'v>(page: &str, sibling: &str, cluster: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut inside = 0;
    let lines = page.lines().map(|line| {
        if inside == 0 && line.starts_with("| key |") && line.contains(&format!("| {sibling} |")) {
            inside = 1;
            return format!("{line} {cluster} |");
        }
        if inside == 0 || !line.starts_with('|') {
            inside = 0;
            return line.to_owned();
        }
        inside += 1;
        if inside == 2 {
            return format!("{line} --- |");
        }
        let key = line.split('|').nth(1).unwrap_or_default().trim().trim_matches('`');
        let value = value(key).map_or("-", |value| if value.is_empty() { "(empty)" } else { value });
        format!("{line} {value} |")
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The page, with a row at the end of the table that begins so.
fn with_row(page: &str, head: &str, row: &str) -> String {
    let mut lines: Vec<&str> = page.lines().collect();
    let Some(start) = lines.iter().position(|line| line.starts_with(head)) else { return page.to_owned() };
    let rows = lines.iter().skip(start).take_while(|line| line.starts_with('|')).count();
    lines.insert(start + rows, row);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gets_its_column_and_others_do_not() {
        let page = "| key | a |\n| --- | --- |\n| `X` | 1 |\n| `Y` | |\n\n| key | other |\n| --- | --- |\n| `X` | 1 |\n";
        let value = |key: &str| (key == "X").then_some("").or((key == "Y").then_some("2"));
        let expected = "| key | a | b |\n| --- | --- | --- |\n| `X` | 1 | (empty) |\n| `Y` | | 2 |\n\n| key | other |\n| --- | --- |\n| `X` | 1 |\n";
        assert_eq!(with_column(page, "a", "b", value), expected);
    }

    #[test]
    fn a_table_gets_its_row_at_its_end() {
        assert_eq!(with_row("| a |\n| --- |\n| 1 |\n\nend\n", "| a |", "| 2 |"), "| a |\n| --- |\n| 1 |\n| 2 |\n\nend\n");
        assert_eq!(with_row("no table\n", "| a |", "| 2 |"), "no table\n");
    }
}
