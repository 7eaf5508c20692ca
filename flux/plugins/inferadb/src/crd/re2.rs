//! Regular expressions as an API server reads them: Go's syntax (RE2), in which `\d`, `\w`, `\s` and `\b` are ASCII.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// What is read is kept, up to so many.
const KEPT: usize = 1000;

/// Whether a text has a match; nothing where the expression is not understood here.
pub(super) fn matches(pattern: &str, text: &str) -> Option<bool> {
    thread_local! {
        static READ: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
    }
    READ.with_borrow_mut(|read| {
        if read.len() > KEPT {
            read.clear();
        }
        let known = read.entry(pattern.to_owned()).or_insert_with(|| Regex::new(&translated(pattern)?).ok());
        known.as_ref().map(|known| known.is_match(text))
    })
}

/// The expression in the syntax of this program's library.
fn translated(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() * 2);
    let mut rest = pattern.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => escape(&mut rest, &mut out)?,
            '[' => class(&mut rest, &mut out)?,
            '(' => group(&mut rest, &mut out)?,
            '{' => match repetition(&rest) {
                Some((count, length)) => {
                    out.push_str(&count);
                    rest.nth(length - 1);
                }
                None => literal('{', &mut out),
            },
            '.' | '^' | '$' | '|' | ')' | '*' | '+' | '?' => out.push(letter),
            _ => literal(letter, &mut out),
        }
    }
    Some(out)
}

fn literal(letter: char, out: &mut String) {
    let _ = write!(out, "\\x{{{:X}}}", u32::from(letter));
}

/// `\d`, `\s`, `\w` as the inside of a class.
fn ascii(letter: char) -> Option<&'static str> {
    match letter {
        'd' => Some("0-9"),
        's' => Some(r"\t\n\f\r\x20"),
        'w' => Some("0-9A-Za-z_"),
        _ => None,
    }
}

/// `\d` or `\D` as a class.
fn perl(letter: char) -> Option<String> {
    let inside = ascii(letter.to_ascii_lowercase())?;
    Some(if letter.is_ascii_uppercase() { format!("[^{inside}]") } else { format!("[{inside}]") })
}

fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let letter = *rest.peek()?;
    match letter {
        'A' | 'z' => out.extend(['\\', letter]),
        'b' => out.push_str(r"(?-u:\b)"),
        'Q' => {
            rest.next();
            while let Some(letter) = rest.next() {
                if letter == '\\' && rest.peek() == Some(&'E') {
                    break;
                }
                literal(letter, out);
            }
        }
        _ => match perl(letter) {
            Some(class) => out.push_str(&class),
            None if letter == 'p' || letter == 'P' => return unicode(rest, out),
            None => {
                literal(character(rest)?, out);
                return Some(());
            }
        },
    }
    rest.next();
    Some(())
}

/// The character that an escape stands for, after its backslash.
fn character(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    let letter = rest.next()?;
    let octal = |letter: &char| ('0'..='7').contains(letter);
    match letter {
        'a' => Some('\x07'),
        'f' => Some('\x0C'),
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'v' => Some('\x0B'),
        'x' => {
            let mut digits = String::new();
            if rest.next_if_eq(&'{').is_some() {
                while let Some(digit) = rest.next_if(char::is_ascii_hexdigit) {
                    digits.push(digit);
                }
                rest.next_if_eq(&'}')?;
            } else {
                digits.extend([rest.next_if(char::is_ascii_hexdigit)?, rest.next_if(char::is_ascii_hexdigit)?]);
            }
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
        }
        // One digit alone refers back, but for zero.
        '0'..='7' if letter == '0' || rest.peek().is_some_and(octal) => {
            let mut value = letter.to_digit(8)?;
            for _ in 0..2 {
                let Some(digit) = rest.next_if(octal) else { break };
                value = value * 8 + digit.to_digit(8)?;
            }
            char::from_u32(value)
        }
        _ if letter.is_ascii() && !letter.is_ascii_alphanumeric() => Some(letter),
        _ => None,
    }
}

/// `\pL`, `\p{Greek}`, `\P{^L}`.
fn unicode(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let mut negated = rest.next()? == 'P';
    let mut name = String::new();
    if rest.next_if_eq(&'{').is_some() {
        negated ^= rest.next_if_eq(&'^').is_some();
        while let Some(letter) = rest.next_if(|letter| letter.is_ascii_alphabetic() || *letter == '_') {
            name.push(letter);
        }
        rest.next_if_eq(&'}')?;
    } else {
        name.push(rest.next_if(char::is_ascii_alphabetic)?);
    }
    let _ = write!(out, "\\{}{{{name}}}", if negated { 'P' } else { 'p' });
    Some(())
}

fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let letter = *rest.peek()?;
        if letter == ']' && !first {
            rest.next();
            out.push(']');
            return Some(());
        }
        first = false;
        let mut after = rest.clone();
        after.next();
        match (letter, after.peek()) {
            ('[', Some(':')) => {
                let text: String = after.collect();
                let end = text.find(":]")?;
                let name = text.get(1..end)?;
                let known = name.trim_start_matches('^').bytes().all(|byte| byte.is_ascii_lowercase());
                if !known {
                    return None;
                }
                let _ = write!(out, "[:{name}:]");
                rest.nth(end + 2);
                continue;
            }
            ('\\', Some(next)) if perl(*next).is_some() => {
                out.push_str(&perl(*next)?);
                rest.nth(1);
                continue;
            }
            ('\\', Some('p' | 'P')) => {
                rest.next();
                unicode(rest, out)?;
                continue;
            }
            _ => {}
        }
        let low = single(rest)?;
        literal(low, out);
        let mut after = rest.clone();
        if after.next() == Some('-') && after.peek().is_some_and(|next| *next != ']') {
            rest.next();
            let high = single(rest)?;
            if high < low {
                return None;
            }
            out.push('-');
            literal(high, out);
        }
    }
}

fn single(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '\\' => character(rest),
        letter => Some(letter),
    }
}

/// What follows an opening bracket: names go, flags stay, and what looks around is not there.
fn group(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('(');
    if rest.next_if_eq(&'?').is_none() {
        return Some(());
    }
    let named = rest.next_if_eq(&'P').is_some();
    if rest.next_if_eq(&'<').is_some() {
        let mut length = 0;
        while rest.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_').is_some() {
            length += 1;
        }
        return (length > 0 && rest.next_if_eq(&'>').is_some()).then_some(());
    }
    if named {
        return None;
    }
    out.push('?');
    loop {
        let letter = rest.next()?;
        out.push(letter);
        match letter {
            ':' | ')' => return Some(()),
            'i' | 'm' | 's' | 'U' | '-' => {}
            _ => return None,
        }
    }
}

/// `{2}`, `{2,}` and `{2,3}`, after the bracket, and how long that is; all else stands for itself.
fn repetition(rest: &Peekable<Chars<'_>>) -> Option<(String, usize)> {
    let text: String = rest.clone().take_while(|letter| *letter != '}').take(12).collect();
    let is_number = |part: &str| part.len() <= 4 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (least, most) = text.split_once(',').unwrap_or((&text, ""));
    let closed = rest.clone().nth(text.len()) == Some('}');
    (closed && is_number(least) && (most.is_empty() || is_number(most))).then(|| (format!("{{{text}}}"), text.len() + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn classes_are_ascii_and_the_syntax_is_that_of_re2() {
        let cases = [
            (r"^\w$", "é", Some(false)),
            (r"^\d$", "٣", Some(false)),
            (r"^\S$", "\u{a0}", Some(true)),
            (r"\bé\b", "é", Some(false)),
            (r"^[[:alpha:]]+$", "abc", Some(true)),
            (r"^\Qa.b\E$", "a.b", Some(true)),
            (r"^\Qa.b\E$", "axb", Some(false)),
            (r"^[a-z&&b]$", "&", Some(true)),
            (r"^[^\s\d]$", "\u{a0}", Some(true)),
            (r"^a{,2}$", "a{,2}", Some(true)),
            (r"^]}$", "]}", Some(true)),
            (r"(?=a)", "a", None),
            (r"(a)\1", "aa", None),
            (r"\Ba", "ba", None),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_expression_brings_the_program_down(pattern in r"(\PC|\\[a-zA-Z]|\[|\]|\[:|:\]|\{|\}|,|[0-9]|\(\?|-){0,12}", text in r"\PC{0,4}") {
            matches(&pattern, &text);
        }
    }
}
