//! What kustomize refused, with the file and line to blame where that can be told: its own words often name neither, or wrap
//! them into those of each folder on the way.

use std::path::Path;

use super::generate::FILE_NAMES;
use crate::error::Error;
use crate::object::KUSTOMIZE;
use crate::tree::{Tree, join};
use crate::yaml::{self, Node};

/// Names what is to blame: in the files that were rendered, and of the references in them that lead nowhere (each with the file
/// it stands in).
pub(super) fn explain(tree: &Tree, files: &[String], missing: &[(String, String)], message: &str) -> Error {
    let message = innermost(message);
    let is_yaml = |path: &&String| {
        let path = Path::new(path.as_str());
        path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
            || path.file_name().is_some_and(|name| FILE_NAMES.iter().any(|known| name == *known))
    };
    let at = |path: &str, line: usize| Error::KustomizeAt { path: path.to_owned(), line, message: message.clone() };
    let is_named = |(path, reference): &&(String, String)| {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        message.contains(reference.as_str()) || join(folder, reference).is_some_and(|whole| message.contains(&whole))
    };
    for (path, reference) in missing.iter().filter(is_named) {
        if let Some(line) = line_naming(tree, path, reference) {
            return Error::NoFile { path: path.clone(), line, reference: reference.clone() };
        }
    }
    let mut read = Vec::new();
    for path in files.iter().filter(|path| tree.has_file(path)).filter(is_yaml) {
        let text = match tree.text(path) {
            Ok(text) => text,
            Err(error) => return error,
        };
        match yaml::parse(&text) {
            Err(source) => return Error::Yaml { path: path.clone(), source },
            Ok(documents) => read.push((path, text, documents)),
        }
    }
    if message.contains("already defined") {
        for (path, text, _) in &read {
            if let Some(line) = yaml::repeated_key(text) {
                let message = "a key stands twice in its mapping".to_owned();
                return Error::KustomizeAt { path: (*path).clone(), line, message };
            }
        }
    }
    if message.contains("missing metadata.name") || message.contains("missing kind") || message.contains("kind' not set") {
        let lacks = |document: &&Node| {
            let has = |path: &[&str]| document.at(path).and_then(Node::text).is_some();
            !is_kustomization(document) && document.entry("metadata").is_some() && !(has(&["kind"]) && has(&["metadata", "name"]))
        };
        for (path, _, documents) in &read {
            if let Some(document) = documents.iter().find(lacks) {
                return at(path, document.line);
            }
        }
    }
    // The same reference twice in one file, or an object that the words name: of two, the later one.
    if message.contains("already registered id") {
        for (path, _, documents) in &read {
            if let Some(line) = documents.iter().filter(|document| is_kustomization(document)).find_map(repeated_reference) {
                return at(path, line);
            }
        }
    }
    if message.contains("replacement") || message.contains("nothing selected by") {
        for (path, _, documents) in &read {
            if let Some(entry) = documents.iter().find_map(|document| document.entry("replacements")) {
                return at(path, entry.line);
            }
        }
    }
    let mut named = None;
    for (path, _, documents) in &read {
        for document in documents.iter().filter(|document| ids(document).iter().any(|id| message.contains(id))) {
            named = Some((path, document.line));
        }
    }
    match named {
        Some((path, line)) => at(path, line),
        None => Error::Kustomize(message),
    }
}

/// The line of a file that has a word on its own.
pub(super) fn line_naming(tree: &Tree, path: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '-' | '_');
    let names = |line: &str| {
        line.match_indices(word)
            .any(|(start, _)| !line[..start].ends_with(is_part) && !line[start + word.len()..].starts_with(is_part))
    };
    tree.text(path).ok()?.lines().position(names).map(|position| position + 1)
}

/// Without the words that kustomize puts around those of each folder and file.
fn innermost(message: &str) -> String {
    let mut words = message;
    if let Some((_, inner)) = words.rsplit_once("recursed accumulation of path '") {
        words = inner.split_once("': ").map_or(words, |(_, inner)| inner);
    }
    if let Some((_, inner)) = words.rsplit_once("couldn't make target for path '") {
        words = inner.split_once("': ").map_or(words, |(_, inner)| inner);
    }
    // A file is tried as a file first, then as a folder.
    let first = "accumulating resources: accumulation err='accumulating resources from '";
    if let Some(inner) = words.strip_prefix(first)
        && let Some((file, inner)) = inner.split_once("': ")
    {
        let inner = inner.split("': must build at directory").next().unwrap_or(inner);
        return format!("{file}: {inner}");
    }
    words.trim_start_matches("accumulating resources: ").to_owned()
}

fn is_kustomization(document: &Node) -> bool {
    let text = |key: &str| document.at(&[key]).and_then(Node::text).unwrap_or_default();
    text("apiVersion").starts_with(KUSTOMIZE) || (text("kind").is_empty() && document.entry("resources").is_some())
}

fn repeated_reference(document: &Node) -> Option<usize> {
    let items = document.at(&["resources"])?.items();
    let again = |(position, item): &(usize, &Node)| items[..*position].iter().any(|before| before.text() == item.text());
    items.iter().enumerate().find(again).map(|(_, item)| item.line)
}

/// How kustomize names an object; without a namespace, in both ways that it has.
fn ids(document: &Node) -> Vec<String> {
    let text = |path: &[&str]| document.at(path).and_then(Node::text);
    let (Some(version), Some(kind), Some(name)) = (text(&["apiVersion"]), text(&["kind"]), text(&["metadata", "name"])) else {
        return Vec::new();
    };
    let (group, version) = version.split_once('/').unwrap_or(("[noGrp]", version));
    let of = |namespace: &str| format!("{kind}.{version}.{group}/{name}.{namespace}");
    match text(&["metadata", "namespace"]) {
        Some(namespace) => vec![of(namespace)],
        None => vec![of("[noNs]"), of("default")],
    }
}
