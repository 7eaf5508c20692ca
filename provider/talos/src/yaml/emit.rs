//! From a tree to text.

use zeroize::Zeroizing;

use crate::tree::{Map, Tree};

use super::scalar;

/// Talos indents by four, so a config reads like one of `talosctl`'s.
const INDENT: usize = 4;

/// Writes documents in block style, with `---` between them.
pub fn emit<'a>(documents: impl IntoIterator<Item = &'a Tree>) -> Zeroizing<String> {
    let documents: Vec<_> = documents.into_iter().collect();
    // A text that outgrows its buffer leaves a copy behind that nobody wipes, so the buffer is large enough.
    let bytes = documents.iter().map(|document| most_bytes(document, 0)).sum();
    let mut out = Zeroizing::new(String::with_capacity(bytes));
    for (index, document) in documents.into_iter().enumerate() {
        if index > 0 {
            out.push_str("---\n");
        }
        match document {
            Tree::Map(map) if !map.is_empty() => write_map(&mut out, map, 0),
            Tree::List(list) if !list.is_empty() => write_list(&mut out, list, 0),
            other => {
                write_inline(&mut out, other, 0);
                out.push('\n');
            }
        }
    }
    out
}

/// At least as many bytes as a tree takes: every line indented, every text quoted.
fn most_bytes(tree: &Tree, indent: usize) -> usize {
    const MARKS: usize = 16;
    // Escapes are rare: what has more of them costs a copy, no more.
    let text = |text: &str| text.len() + text.len() / 8 + MARKS;
    match tree {
        Tree::Null | Tree::Bool(_) => MARKS,
        Tree::Number(number) => text(number),
        Tree::Text(value) => text(value) + value.matches('\n').count() * (indent + INDENT),
        Tree::List(list) => list.iter().map(|item| indent + MARKS + most_bytes(item, indent + INDENT)).sum::<usize>() + MARKS,
        Tree::Map(map) => {
            let entry = |(key, value): (&str, &Tree)| indent + text(key) + most_bytes(value, indent + INDENT);
            map.iter().map(entry).sum::<usize>() + MARKS
        }
    }
}

fn write_map(out: &mut String, map: &Map, indent: usize) {
    for (key, value) in map.iter() {
        pad(out, indent);
        write_entry(out, key, value, indent);
    }
}

fn write_entry(out: &mut String, key: &str, value: &Tree, indent: usize) {
    write_text(out, key);
    out.push(':');
    match value {
        Tree::Map(map) if !map.is_empty() => {
            out.push('\n');
            write_map(out, map, indent + INDENT);
        }
        Tree::List(list) if !list.is_empty() => {
            out.push('\n');
            write_list(out, list, indent + INDENT);
        }
        other => {
            out.push(' ');
            write_inline(out, other, indent + INDENT);
            out.push('\n');
        }
    }
}

fn write_list(out: &mut String, list: &[Tree], indent: usize) {
    for item in list {
        pad(out, indent);
        out.push_str("- ");
        match item {
            Tree::Map(map) if !map.is_empty() => {
                for (index, (key, value)) in map.iter().enumerate() {
                    if index > 0 {
                        pad(out, indent + 2);
                    }
                    write_entry(out, key, value, indent + 2);
                }
            }
            Tree::List(list) if !list.is_empty() => {
                // A list in a list starts on a line of its own.
                out.push('\n');
                write_list(out, list, indent + INDENT);
            }
            other => {
                write_inline(out, other, indent + 2);
                out.push('\n');
            }
        }
    }
}

/// What fits behind a colon or a dash; block texts end without their last line feed.
fn write_inline(out: &mut String, value: &Tree, indent: usize) {
    match value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(true) => out.push_str("true"),
        Tree::Bool(false) => out.push_str("false"),
        Tree::Number(number) => out.push_str(number),
        Tree::List(_) => out.push_str("[]"),
        Tree::Map(_) => out.push_str("{}"),
        Tree::Text(text) if indent > 0 && is_block(text) => write_block(out, text, indent),
        Tree::Text(text) => write_text(out, text),
    }
}

/// Texts of several lines that the literal style renders exactly.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn write_block(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let line_feeds = text.len() - body.len();
    out.push_str(match line_feeds {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
    for _ in 1..line_feeds {
        out.push('\n');
    }
}

fn write_text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => match u32::from(c) {
                code @ 0..=0xff => push_hex(out, 'x', code, 2),
                code @ 0x100..=0xffff => push_hex(out, 'u', code, 4),
                code => push_hex(out, 'U', code, 8),
            },
        }
    }
    out.push('"');
}

fn push_hex(out: &mut String, kind: char, code: u32, digits: u32) {
    out.push('\\');
    out.push(kind);
    for position in (0..digits).rev() {
        let digit = (code >> (4 * position)) & 0xf;
        out.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}

/// What may stand in a text unescaped.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Whether any YAML reader takes the bare text for this text: not a number, boolean, date or null in 1.1 or 1.2.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
    let inside = |c: char| letters(c) || matches!(c, '-' | '+' | '=' | '@' | ':' | ',' | '(' | ')' | '%');
    letters(first) && text.chars().all(inside) && !text.ends_with(':') && !looks_numeric(text) && !is_word(text)
}

fn looks_numeric(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (scalar::is_number(text)
            || text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '-' | '+' | '.' | ':' | '_' | 'x' | 'o' | 'T' | 'Z')))
}

fn is_word(text: &str) -> bool {
    const WORDS: [&str; 13] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", ".inf", ".nan", "inf", "nan"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Node, Value, parse, untyped};
    use super::*;
    use crate::tree::tree;

    fn read(node: &Node) -> Tree {
        match &node.value {
            Value::Scalar(scalar) => untyped(scalar),
            Value::List(items) => Tree::List(items.iter().map(read).collect()),
            Value::Map(entries) => Tree::Map(entries.iter().map(|entry| (entry.key.clone(), read(&entry.value))).collect()),
        }
    }

    #[test]
    fn a_text_stays_a_text() {
        for text in [
            "",
            "yes",
            "No",
            "1.30",
            "0x1f",
            "1_000",
            "1e3",
            ".5",
            "null",
            "~",
            "2024-01-02",
            "12:30:45",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "*a",
            "&a",
            "!a",
            "@a",
            "`a",
            "%a",
            "a:",
            "=",
            "<<",
            "[",
            "{",
            "'",
            "\"",
            "a\tb",
            "a\r\nb",
            " a",
            "a ",
            "\n",
            "a\n",
            "a\nb",
            "a\nb\n",
            "a\nb\n\n",
            "\na\nb",
            " a\nb",
            "\ta\nb",
            "a\n\n  b\n",
            "a\nb ",
            "\u{85}a",
            "\u{feff}a",
            "é",
            "🦀",
            "10.0.0.1",
            "0.0.0.0/0",
            "infinite",
            "inf",
            "+1",
            "-1",
            "08",
            "0o17",
        ] {
            let document = tree!({ "k": text, "l": [text, "after"], "m": { "n": text } });
            let out = emit([&document]);
            let documents = parse(&out).unwrap();
            assert_eq!(documents.len(), 1);
            assert!(read(&documents[0]) == document, "{text:?} became\n{}", *out);
        }
    }

    #[test]
    fn the_buffer_is_never_outgrown_by_a_config_s_kind_of_text() {
        let manifest = "apiVersion: v1\nkind: Namespace\n".repeat(5_000);
        let document = tree!({ "a": { "b": [tree!({ "c": manifest.as_str() })] }, "d": ["1.30", "yes"] });
        let bytes = most_bytes(&document, 0);
        let out = emit([&document]);
        assert!(out.len() <= bytes && bytes < 2 * out.len(), "{} of {bytes}", out.len());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(texts in prop::collection::vec("\\PC{0,12}|[ \\t\\n\\r:#a-]{0,9}", 1..5)) {
            let mut map = Map::new();
            for text in &texts {
                map.insert(text.as_str(), Tree::text(text.as_str()));
            }
            map.insert("list", Tree::List(texts.iter().map(|t| Tree::List(vec![Tree::text(t.as_str())])).collect()));
            let document = Tree::Map(map);
            let out = emit([&document, &document]);
            let documents = parse(&out).map_err(|e| TestCaseError::fail(format!("{e}\n{}", *out)))?;
            prop_assert_eq!(documents.len(), 2);
            prop_assert!(read(&documents[1]) == document, "{}", *out);
        }
    }
}
