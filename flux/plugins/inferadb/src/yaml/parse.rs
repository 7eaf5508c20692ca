//! From text to nodes.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{Entry, Kind, Node, scalar};

/// More nodes than any manifest has: aliases that multiply themselves end here.
const MOST_NODES: usize = 2_000_000;
/// Deeper than any manifest is.
const MOST_DEPTH: usize = 200;

/// A text that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub(crate) struct YamlError {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong there. Quotes no value of the text, which may be secret.
    pub(crate) message: String,
}

/// Parses a stream of documents. Empty documents are left out.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, YamlError> {
    Ok(read(text)?.0)
}

/// The line of the first key that stands a second time in its mapping, which `parse` takes and kustomize does not.
pub(crate) fn repeated_key(text: &str) -> Option<usize> {
    read(text).ok()?.1
}

fn read(text: &str) -> Result<(Vec<Node>, Option<usize>), YamlError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader =
        Reader { events: Parser::new_from_str_with_options(text, options), anchors: HashMap::new(), nodes: 0, repeated: None };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok((documents, reader.repeated)),
            (Event::DocumentStart(..), _) => {
                let (event, span) = reader.next()?;
                let document = reader.node(event, &span, 0)?;
                if document.kind != Kind::Null {
                    documents.push(document);
                }
                reader.anchors.clear();
            }
            _ => {}
        }
    }
}

/// Parses a text that holds one document at most; like Go's `yaml.Unmarshal`, only the first counts.
pub(crate) fn parse_one(text: &str) -> Result<Node, YamlError> {
    Ok(parse(text)?.into_iter().next().unwrap_or(Node { line: 1, kind: Kind::Null }))
}

struct Reader<E> {
    events: E,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// The line of the first key that stands a second time in its mapping.
    repeated: Option<usize>,
}

fn error(line: usize, message: impl Into<String>) -> YamlError {
    YamlError { line, message: message.into() }
}

impl<'t, E: Iterator<Item = Result<(Event<'t>, Span), ScanError>>> Reader<E> {
    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(scan)) => Err(error(scan.marker().line(), scan.info())),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, YamlError> {
        let line = span.start.line();
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(error(line, "the document is too large"));
        }
        if depth > MOST_DEPTH {
            return Err(error(line, "the document is nested too deeply"));
        }
        let (anchor, kind) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = match (core_tag(tag.as_deref(), line)?, style) {
                    (Some("str"), _) => Kind::Text(text.into_owned()),
                    (None, ScalarStyle::Plain) | (Some(_), _) => {
                        scalar::resolve(&text).map_err(|message| error(line, message))?
                    }
                    (None, _) => Kind::Text(text.into_owned()),
                };
                (anchor, kind)
            }
            Event::SequenceStart(_, anchor, tag) => {
                core_tag(tag.as_deref(), line)?;
                (anchor, Kind::List(self.list(depth)?))
            }
            Event::MappingStart(_, anchor, tag) => {
                core_tag(tag.as_deref(), line)?;
                (anchor, Kind::Map(self.map(depth)?))
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(line, "an alias stands inside the node that it refers to"));
                };
                self.nodes += count(&node);
                (0, node.kind)
            }
            _ => return Err(error(line, "a value is missing")),
        };
        let node = Node { line, kind };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let line = span.start.line();
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text.as_ref() == "<<");
            let key = self.node(event, &span, depth + 1)?;
            let text = match key.kind {
                Kind::Text(text) => text,
                Kind::Bool(value) => value.to_string(),
                Kind::Number(value) => value.to_string(),
                Kind::Null => return Err(error(line, "a key is null")),
                Kind::List(_) | Kind::Map(_) => return Err(error(line, "a key is a list or a mapping")),
            };
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            if is_merge {
                merged.push(value);
                continue;
            }
            // The later one counts, in the place of the first: so Go does it where it is not strict.
            match entries.iter_mut().find(|entry| entry.key == text) {
                Some(entry) => {
                    self.repeated.get_or_insert(line);
                    *entry = Entry { key: text, line, value };
                }
                None => entries.push(Entry { key: text, line, value }),
            }
        }
        for value in merged {
            let line = value.line;
            merge(&mut entries, value).map_err(|message| error(line, message))?;
        }
        Ok(entries)
    }
}

/// YAML 1.1's merge key: what it brings gives way to keys that are there.
fn merge(entries: &mut Vec<Entry>, value: Node) -> Result<(), &'static str> {
    match value.kind {
        Kind::Map(more) => {
            for entry in more {
                if !entries.iter().any(|present| present.key == entry.key) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Kind::List(items) => items.into_iter().try_for_each(|item| merge(entries, item)),
        _ => Err("a merge key `<<` needs a mapping"),
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(entries) => entries.iter().map(|entry| count(&entry.value)).sum(),
        _ => 0,
    }
}

fn core_tag(tag: Option<&Tag>, line: usize) -> Result<Option<&str>, YamlError> {
    let Some(tag) = tag else { return Ok(None) };
    match tag.core_suffix() {
        Some(suffix @ ("str" | "int" | "float" | "bool" | "null" | "map" | "seq")) => Ok(Some(suffix)),
        _ => Err(error(line, format!("the tag `{}` is not known", tag.original()))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_text_and_the_later_of_two_counts() {
        let node = parse_one("a: 1\nyes: 2\n3: x\na: 4\n").unwrap();
        assert_eq!(node.to_json(), json!({"a": 4, "true": 2, "3": "x"}));
        let Kind::Map(entries) = node.kind else { panic!("no mapping") };
        assert_eq!(entries[0].line, 4);
    }

    #[test]
    fn merge_keys_and_aliases_are_followed() {
        let node = parse_one("base: &base {a: 1, b: 2}\nnext:\n  <<: *base\n  b: 3\n").unwrap();
        assert_eq!(node.to_json()["next"], json!({"b": 3, "a": 1}));
    }

    #[test]
    fn a_broken_text_is_refused_with_its_line() {
        assert_eq!(parse("a: b\nc: [\n").map_err(|error| error.line >= 2), Err(true));
    }
}
