//! Names come from files, and whoever reads a report is not told by one what to do.

/// A text on one line: what a terminal or a log would obey is written as an escape.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// The same for a text of several lines, which stays one.
pub(crate) fn shown_lines(text: &str) -> String {
    text.split('\n').map(|line| line.split('\t').map(shown).collect::<Vec<_>>().join("\t")).collect::<Vec<_>>().join("\n")
}

/// Control characters, and those that turn the direction or break the line.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(shown("a\n::error::b\u{1b}[31m\u{202e}\u{85}é→"), "a\\n::error::b\\u{1b}[31m\\u{202e}\\u{85}é→");
        assert_eq!(shown_lines("a\n\tb\r\n"), "a\n\tb\\r\n");
    }
}
