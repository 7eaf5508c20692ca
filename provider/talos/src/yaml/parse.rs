//! From text to nodes.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};
use zeroize::Zeroizing;

use super::{Entry, Node, Scalar, Value};

/// More nodes than any machine config has: aliases that multiply themselves end here.
const MOST_NODES: usize = 500_000;
/// Deeper than any machine config or manifest is.
const MOST_DEPTH: usize = 100;

/// A text that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct YamlError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there. Quotes no value of the text, which may be secret.
    pub message: String,
}

/// Parses a stream of documents. Empty documents are left out.
pub fn parse(text: &str) -> Result<Vec<Node>, YamlError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader { events: Parser::new_from_str_with_options(text, options), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::DocumentStart(..), _) => {
                let (event, span) = reader.next()?;
                let document = reader.node(event, &span, 0)?;
                if !document.is_null() {
                    documents.push(document);
                }
                reader.anchors.clear();
            }
            _ => {}
        }
    }
}

struct Reader<E> {
    events: E,
    anchors: HashMap<usize, Node>,
    nodes: usize,
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
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_text(tag.as_deref());
                check_tag(tag.as_deref(), line)?;
                let text = Zeroizing::new(text.into_owned());
                (anchor, Value::Scalar(Scalar { text, plain }))
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), line)?;
                (anchor, Value::List(self.list(depth)?))
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), line)?;
                (anchor, Value::Map(self.map(line, depth)?))
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(line, "an alias stands inside the node that it refers to"));
                };
                self.nodes += count(&node);
                (0, node.value)
            }
            _ => return Err(error(line, "a value is missing")),
        };
        let node = Node { line, value };
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

    fn map(&mut self, start: usize, depth: usize) -> Result<Vec<Entry>, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, &span, depth + 1)?;
            let Value::Scalar(scalar) = &key.value else {
                return Err(error(key.line, "a key is a list or a mapping"));
            };
            let is_merge = scalar.plain && *scalar.text == "<<";
            let text = scalar.text.to_string();
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            if is_merge {
                merged.push(value);
                continue;
            }
            if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                let message = format!("the key `{text}` was already given on line {}", first.line);
                return Err(error(key.line, message));
            }
            entries.push(Entry { key: text, line: key.line, value });
        }
        for value in merged {
            merge(&mut entries, value).map_err(|message| error(start, message))?;
        }
        Ok(entries)
    }
}

/// YAML 1.1's merge key: what it brings gives way to keys that are there.
fn merge(entries: &mut Vec<Entry>, value: Node) -> Result<(), &'static str> {
    match value.value {
        Value::Map(more) => {
            for entry in more {
                if !entries.iter().any(|present| present.key == entry.key) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Value::List(items) => items.into_iter().try_for_each(|item| merge(entries, item)),
        Value::Scalar(_) => Err("a merge key `<<` needs a mapping"),
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|entry| count(&entry.value)).sum(),
    }
}

fn is_text(tag: Option<&Tag>) -> bool {
    tag.and_then(Tag::core_suffix) == Some("str")
}

/// Tags that only say what the value is anyway pass.
fn check_tag(tag: Option<&Tag>, line: usize) -> Result<(), YamlError> {
    match tag {
        None => Ok(()),
        Some(tag) => match tag.core_suffix() {
            Some("str" | "int" | "float" | "bool" | "null" | "map" | "seq") => Ok(()),
            _ => Err(error(line, format!("the tag `{}` is not known", tag.original()))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        match parse(text) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_broken_text_is_refused_with_its_line() {
        for (text, line) in [
            ("a: 1\nb: [1,\nc: 2\n", "line 2"),
            ("a: 1\nb: 2\na: 3\n", "line 3: the key `a` was already given on line 1"),
            ("a: 1\n b: 2\n", "line 2"),
            ("a: !!binary aGk=\n", "line 1: the tag"),
            ("a: *nowhere\n", "line 1"),
            ("? [1, 2]\n: x\n", "line 1: a key is a list or a mapping"),
        ] {
            assert!(message(text).starts_with(line), "{text:?}: {}", message(text));
        }
    }

    #[test]
    fn aliases_that_multiply_themselves_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            text = format!("{text}a{i}: &a{i} [{list}]\n");
        }
        assert!(message(&text).ends_with("the document is too large"));
    }

    #[test]
    fn a_deep_text_is_refused() {
        let text = "[".repeat(5_000);
        assert_ne!(message(&text), "accepted");
    }

    #[test]
    fn anchors_and_merge_keys_are_resolved() {
        let documents = parse("base: &b {x: 1, y: 2}\nmore: {<<: *b, x: 3}\n---\n# nothing\n---\nz: ~\n").unwrap();
        assert_eq!(documents.len(), 2);
        let more = documents[0].get("more").unwrap();
        assert_eq!(more.get("x").and_then(Node::scalar), Some("3"));
        assert_eq!(more.get("y").and_then(Node::scalar), Some("2"));
    }
}
