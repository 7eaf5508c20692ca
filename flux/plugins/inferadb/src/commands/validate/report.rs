//! How findings are written.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::checks::{Finding, Findings, RULES};
use crate::shown::{shown, shown_lines};

/// For people: a line for each, as compilers write it.
pub(super) fn text(findings: &Findings, with_waived: bool, colours: bool) -> String {
    let (bold, none) = if colours { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut out = String::new();
    for one in &findings.found {
        let _ = writeln!(
            out,
            "{bold}{}:{}{none}: {}: {}: {}{}",
            shown(&one.place.file),
            one.place.line,
            one.rule,
            shown(&one.object),
            shown(&one.message),
            clusters(one)
        );
    }
    if with_waived {
        waived(&mut out, &findings.waived);
    }
    out
}

/// One line for all that one waiver waives.
fn waived(out: &mut String, all: &[Finding]) {
    let same = |one: &Finding, other: &Finding| {
        one.place.file == other.place.file
            && one.rule == other.rule
            && one.object == other.object
            && one.clusters == other.clusters
    };
    for group in all.chunk_by(same) {
        let Some(first) = group.first() else { continue };
        let more = if group.len() == 1 { String::new() } else { format!(" ({} times)", group.len()) };
        let reason = first.waived.as_deref().unwrap_or_default();
        let (place, rule, object) = (&first.place, first.rule, &first.object);
        let line = format!("{}:{}: {rule}: {object}: waived{more}: {reason}{}", place.file, place.line, clusters(first));
        let _ = writeln!(out, "{}", shown(&line));
    }
}

fn clusters(finding: &Finding) -> String {
    shown(&format!(" [{}]", finding.clusters.join(", ")))
}

/// One line on all of it.
pub(super) fn summary(findings: &Findings, has_schemas: bool) -> String {
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut out = format!(
        "{} looked at: {}, {} waived",
        plural(findings.objects, "object"),
        plural(findings.found.len(), "finding"),
        findings.waived.len()
    );
    if !has_schemas {
        out.push_str("; no schemas here, so no object was held to its own: give their location with `--schema-location` or `--crd-location`");
    } else if !findings.without_schema.is_empty() {
        let count: usize = findings.without_schema.values().sum();
        let kinds: Vec<&str> = findings.without_schema.keys().map(String::as_str).collect();
        let _ = write!(out, "; {} of kinds without a schema: {}", plural(count, "object"), kinds.join(", "));
    }
    if !findings.not_evaluated.is_empty() {
        let count = findings.not_evaluated.values().map(std::collections::BTreeSet::len).sum();
        let kinds: Vec<&str> = findings.not_evaluated.keys().map(String::as_str).collect();
        let _ = write!(out, "; {} not evaluated, of {}", plural(count, "rule"), kinds.join(", "));
    }
    if !findings.without_chart.is_empty() {
        let charts: Vec<&str> = findings.without_chart.keys().map(String::as_str).collect();
        let _ = write!(out, "; charts that are not at hand: {}", charts.join(", "));
    }
    if !findings.partial.is_empty() {
        let clusters = findings.partial.join(", ");
        let _ = write!(out, "; something does not build in {clusters}, so what objects name is not looked for there");
    }
    out
}

fn one_as_json(finding: &Finding) -> Value {
    let mut one = json!({
        "rule": finding.rule,
        "file": finding.place.file,
        "line": finding.place.line,
        "object": finding.object,
        "message": finding.message,
        "clusters": finding.clusters,
    });
    if let Some(reason) = &finding.waived {
        one["waived"] = json!(reason);
    }
    one
}

/// For programs.
pub(super) fn json(findings: &Findings) -> String {
    let many = |all: &[Finding]| all.iter().map(one_as_json).collect::<Vec<_>>();
    let whole = json!({
        "findings": many(&findings.found),
        "waived": many(&findings.waived),
        "objects": findings.objects,
        "withoutSchema": findings.without_schema,
        "notEvaluated": findings.not_evaluated,
        "withoutChart": findings.without_chart,
    });
    format!("{whole:#}\n")
}

/// A path as a URI reference.
fn uri(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// For code scanning: SARIF 2.1.0. What is waived is a suppressed result.
pub(super) fn sarif(findings: &Findings) -> String {
    let results = findings.found.iter().chain(&findings.waived).map(|finding| {
        let mut result = json!({
            "ruleId": finding.rule,
            "level": "error",
            "message": {"text": format!("{}: {}{}", finding.object, finding.message, clusters(finding))},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": uri(&finding.place.file)},
                "region": {"startLine": finding.place.line},
            }}],
        });
        if let Some(reason) = &finding.waived {
            result["suppressions"] = json!([{"kind": "inSource", "justification": reason}]);
        }
        result
    });
    let rules = RULES.iter().map(|rule| json!({"id": rule.id, "shortDescription": {"text": rule.about}}));
    let whole = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "flux-inferadb",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.collect::<Vec<_>>(),
            }},
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{whole:#}\n")
}

/// For workflows of GitHub, which shows each at its line.
pub(super) fn github(findings: &Findings) -> String {
    let data = |text: &str| shown_lines(text).replace('%', "%25").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut out = String::new();
    for one in &findings.found {
        let message = format!("{}: {}{}", one.object, one.message, clusters(one));
        let _ = writeln!(
            out,
            "::error file={},line={},title={}::{}",
            property(&one.place.file),
            one.place.line,
            property(one.rule),
            data(&message)
        );
    }
    out
}
