//! What a page of the docs says, for tests that do it.

use std::collections::BTreeMap;

/// The rows of the table whose head begins with these cells, without the head.
pub(crate) fn table(page: &str, head: &[&str]) -> Vec<Vec<String>> {
    let cells =
        |line: &str| -> Vec<String> { line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect() };
    let mut lines = page.lines().skip_while(|line| !(line.starts_with('|') && cells(line).iter().take(head.len()).eq(head)));
    assert!(lines.next().is_some(), "the page has no table {head:?}");
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// What a cluster is told, by `docs/environment-parity.md`.
pub(crate) fn settings(page: &str, cluster: &str) -> BTreeMap<String, String> {
    let clusters = ["dev-local", "staging-nyc1", "staging-sfo1", "prod-nyc1", "prod-sfo1"];
    let column = 1 + clusters.iter().position(|name| *name == cluster).unwrap();
    let rows = table(page, &[&["key"][..], &clusters].concat());
    let value = |cell: &str| if cell == "(empty)" { String::new() } else { cell.to_owned() };
    rows.iter().map(|row| (bare(&row[0]).to_owned(), value(&row[column]))).collect()
}

/// The fenced blocks of a language.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut blocks = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    for line in page.lines() {
        match &mut open {
            None if line == opening => open = Some(Vec::new()),
            Some(lines) if line == "```" => {
                blocks.push(lines.join("\n") + "\n");
                open = None;
            }
            Some(lines) => lines.push(line),
            None => {}
        }
    }
    blocks
}

/// The commands of the page: what follows `$ ` in blocks of a terminal.
pub(crate) fn commands(page: &str) -> Vec<String> {
    let blocks = blocks(page, "console");
    blocks.iter().flat_map(|block| block.lines()).filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// A cell without its backticks.
pub(crate) fn bare(cell: &str) -> &str {
    cell.trim_matches('`')
}
