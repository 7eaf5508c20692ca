//! From text to parts. What may stand where follows the scanner of envsubst: it reads ahead with one rule at a time, so
//! that a pattern, say, ends at the next `/` wherever that is.

use super::EnvsubstError;

/// Deeper than anyone nests.
const MOST_DEPTH: usize = 100;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Call(Call),
}

/// `${name…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// What is done with the value: empty, `:=`, `//`, `^^`, …
    pub(crate) function: String,
    pub(crate) arguments: Vec<Part>,
    /// The line it starts on, from 1.
    pub(crate) line: usize,
}

impl Call {
    /// Whether it gives a value where the variable has none. (`-` and its kin parse only behind a `:`.)
    pub(crate) fn has_default(&self) -> bool {
        matches!(self.function.as_str(), "=" | ":=" | ":-" | ":+" | ":?")
    }
}

/// Takes a text apart.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>, EnvsubstError> {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    let mut parts = Vec::new();
    while !scanner.is_done() {
        if scanner.opens() {
            parts.push(Part::Call(scanner.call()?));
        } else {
            parts.push(Part::Text(scanner.run(|_| true, Escapes::Dollar, true)));
        }
    }
    Ok(parts)
}

/// What stands for itself behind an escape.
#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    None,
    /// `$$`.
    Dollar,
    /// `$$`, `\/`, `\\`.
    All,
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn opens(&self) -> bool {
        self.rest().starts_with("${")
    }

    fn error(&self, start: usize, what: &'static str) -> EnvsubstError {
        let line = 1 + self.text[..start].matches('\n').count();
        let near = self.text[start..].lines().next().unwrap_or_default().chars().take(24).collect();
        EnvsubstError::Syntax { line, near, what }
    }

    /// Characters as long as they are accepted; `${` ends them where `at_open` says so.
    fn run(&mut self, accepts: impl Fn(char) -> bool, escapes: Escapes, at_open: bool) -> String {
        let mut out = String::new();
        while let Some(c) = self.peek() {
            if at_open && self.opens() {
                break;
            }
            let next = self.rest().chars().nth(1);
            let stands_for_itself = match (c, next) {
                ('$', Some('$')) => escapes != Escapes::None,
                ('\\', Some('/' | '\\')) => escapes == Escapes::All,
                _ => false,
            };
            if stands_for_itself {
                // Both are ASCII.
                self.at += 2;
                out.extend(next);
            } else if accepts(c) {
                self.at += c.len_utf8();
                out.push(c);
            } else {
                break;
            }
        }
        out
    }

    /// The longest of these at this place.
    fn operator(&mut self, operators: &[&str]) -> String {
        let found = operators.iter().filter(|operator| self.rest().starts_with(**operator)).max_by_key(|operator| operator.len());
        let found = found.copied().unwrap_or_default();
        self.at += found.len();
        found.to_owned()
    }

    fn close(&mut self, start: usize) -> Result<(), EnvsubstError> {
        if self.peek() == Some('}') {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(start, "a `}` is missing"))
    }

    fn call(&mut self) -> Result<Call, EnvsubstError> {
        let start = self.at;
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(self.error(start, "it is nested too deeply"));
        }
        self.at += 2;
        let line = 1 + self.text[..start].matches('\n').count();
        let ident = |c: char| c.is_alphabetic() || is_digit(c) || c == '_';
        if self.peek() == Some('#') {
            self.at += 1;
            let name = self.run(ident, Escapes::None, false);
            if name.is_empty() {
                return Err(self.error(start, "a name is missing"));
            }
            self.close(start)?;
            self.depth -= 1;
            return Ok(Call { name, function: "#".to_owned(), arguments: Vec::new(), line });
        }
        let name = self.run(ident, Escapes::None, false);
        if name.is_empty() {
            return Err(self.error(start, "a name is missing"));
        }
        let (function, arguments) = self.function(start)?;
        self.close(start)?;
        self.depth -= 1;
        Ok(Call { name, function, arguments, line })
    }

    fn function(&mut self, start: usize) -> Result<(String, Vec<Part>), EnvsubstError> {
        let not_closing = |c: char| c != '}';
        match self.peek() {
            Some(':') => match self.rest().chars().nth(1) {
                Some('=' | '-' | '?' | '+') => self.default(start, &[":=", ":-", ":?", ":+"]),
                Some(c) if c.is_ascii() => {
                    self.at += 1;
                    let mut arguments = vec![self.argument(start, |c| c != ':' && c != '}', Escapes::None)?];
                    if self.peek() == Some(':') {
                        self.run(|c| c == ':', Escapes::None, false);
                        arguments.push(self.argument(start, not_closing, Escapes::None)?);
                    }
                    Ok((":".to_owned(), arguments))
                }
                _ => Err(self.error(start, "a position is missing")),
            },
            Some('=') => self.default(start, &["="]),
            Some(',' | '^') => Ok((self.operator(&[",", ",,", "^", "^^", ",^", "^,"]), Vec::new())),
            Some('#') => {
                let function = self.operator(&["#", "##"]);
                Ok((function, vec![self.argument(start, not_closing, Escapes::None)?]))
            }
            Some('%') => {
                let function = self.operator(&["%", "%%"]);
                Ok((function, vec![self.argument(start, not_closing, Escapes::None)?]))
            }
            Some('/') => {
                let function = self.operator(&["/", "//", "/#", "/%"]);
                let mut arguments = vec![self.argument(start, |c| c != '/', Escapes::All)?];
                if self.run(|c| c == '/', Escapes::None, false).is_empty() {
                    return Err(self.error(start, "a `/` is missing"));
                }
                if self.peek() != Some('}') {
                    arguments.push(self.argument(start, not_closing, Escapes::All)?);
                }
                Ok((function, arguments))
            }
            _ => Ok((String::new(), Vec::new())),
        }
    }

    fn default(&mut self, start: usize, operators: &[&str]) -> Result<(String, Vec<Part>), EnvsubstError> {
        let function = self.operator(operators);
        let mut arguments = Vec::new();
        while self.peek() != Some('}') {
            arguments.push(self.argument(start, |c| c != '}', Escapes::None)?);
        }
        Ok((function, arguments))
    }

    /// One argument: a substitution, or text. It cannot be empty.
    fn argument(&mut self, start: usize, accepts: impl Fn(char) -> bool, escapes: Escapes) -> Result<Part, EnvsubstError> {
        if self.opens() {
            return Ok(Part::Call(self.call()?));
        }
        let before = self.at;
        let text = self.run(accepts, escapes, true);
        if self.at == before {
            return Err(self.error(start, "an argument is missing"));
        }
        Ok(Part::Text(text))
    }
}

/// Go's `unicode.IsDigit`: decimal digits only.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric() && !c.is_alphabetic())
}
