//! The patterns of `${x#…}` and its kin: `*` and `?` match `/` too, and a pattern that is none trims nothing.

enum Token {
    Star,
    Any,
    Byte(u8),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// A pattern; `None` where it is malformed.
pub(super) struct Glob(Option<Vec<Token>>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Glob(tokens(pattern))
    }

    /// The value without its shortest, or longest, start that matches and is not empty. Nothing where that cuts a
    /// character in two.
    pub(super) fn trim(&self, value: &[u8], longest: bool) -> Option<String> {
        let mut starts: Box<dyn Iterator<Item = usize>> =
            if longest { Box::new((1..=value.len()).rev()) } else { Box::new(1..=value.len()) };
        let end = starts.find(|end| self.matches(&value[..*end])).unwrap_or(0);
        String::from_utf8(value[end..].to_vec()).ok()
    }

    fn matches(&self, text: &[u8]) -> bool {
        let Some(tokens) = &self.0 else { return false };
        let (mut token, mut at) = (0, 0);
        // Where to go on when something behind the last star does not match: one byte later.
        let mut star: Option<(usize, usize)> = None;
        loop {
            let step = match tokens.get(token) {
                None if at == text.len() => return true,
                None => None,
                Some(Token::Star) => {
                    star = Some((token + 1, at));
                    Some(0)
                }
                Some(one) => one_matches(one, &text[at..]),
            };
            if let Some(step) = step {
                token += 1;
                at += step;
            } else if let Some((after, from)) = star
                && from < text.len()
            {
                star = Some((after, from + 1));
                (token, at) = (after, from + 1);
            } else {
                return false;
            }
        }
    }
}

/// How many bytes the token takes.
fn one_matches(token: &Token, text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    match token {
        Token::Star => None,
        Token::Byte(byte) => (first == *byte).then_some(1),
        Token::Any => Some(character(text).1),
        Token::Class { negated, ranges } => {
            let (c, size) = character(text);
            (ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated).then_some(size)
        }
    }
}

/// The character here and its bytes; half a character counts as one of one byte.
fn character(text: &[u8]) -> (char, usize) {
    let whole = (1..=text.len().min(4)).find_map(|size| std::str::from_utf8(&text[..size]).ok());
    match whole.and_then(|text| text.chars().next()) {
        Some(c) => (c, c.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    let push = |tokens: &mut Vec<Token>, c: char| tokens.extend(c.encode_utf8(&mut [0; 4]).bytes().map(Token::Byte));
    while let Some(c) = rest.next() {
        match c {
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::Any),
            '\\' => push(&mut tokens, rest.next()?),
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
                    let low = member(&mut rest)?;
                    let high = if rest.next_if_eq(&'-').is_some() { member(&mut rest)? } else { low };
                    ranges.push((low, high));
                }
                tokens.push(Token::Class { negated, ranges });
            }
            c => push(&mut tokens, c),
        }
    }
    Some(tokens)
}

fn member(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        c => Some(c),
    }
}
