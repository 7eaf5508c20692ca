//! The language of `--set`, in which `targetPath` puts a single value into a release's values: `a.b[0].c=value`, with `\` in
//! front of what is no syntax. Helm parses path and value as one text, so a comma in a value starts another path.

use std::cell::RefCell;
use std::rc::Rc;

use super::value::{Go, List, Map};

/// More items than this no index makes.
const MOST_ITEMS: i64 = 65_536;
/// Deeper than this no path goes.
const MOST_DEPTH: usize = 30;

/// Why the parser stops. At the end of the text, what was set so far counts.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    End,
    /// What is wrong. It quotes no text, which may be secret.
    Wrong(&'static str),
}

/// Sets what a text says in `into`. With `as_text`, every value is a text.
pub(super) fn set(text: &str, into: &Map, as_text: bool) -> Result<(), &'static str> {
    let mut parser = Parser { text: text.chars().collect(), at: 0, as_text };
    loop {
        match parser.key(into, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Wrong(message)) => return Err(message),
        }
    }
}

/// A key as this language writes it.
pub(super) fn escape(key: &str) -> String {
    let mut out = String::new();
    for c in key.chars() {
        if matches!(c, '\\' | '.' | ',' | '=' | '[' | ']' | '{' | '}') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

struct Parser {
    text: Vec<char>,
    at: usize,
    as_text: bool,
}

/// What follows a key or an index.
enum Given {
    Value(Go),
    /// Nothing: the text ends here.
    Nothing,
}

impl Parser {
    fn next(&mut self) -> Option<char> {
        let next = self.text.get(self.at).copied();
        self.at += usize::from(next.is_some());
        next
    }

    /// What stands before one of these, and which one it is; none at the end.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut read = String::new();
        while let Some(c) = self.next() {
            if stops.contains(&c) {
                return (read, Some(c));
            }
            match c {
                '\\' => match self.next() {
                    Some(escaped) => read.push(escaped),
                    None => return (read, None),
                },
                c => read.push(c),
            }
        }
        (read, None)
    }

    fn key(&mut self, map: &Map, depth: usize) -> Result<(), Stop> {
        let (key, stop) = self.until(&['=', '[', ',', '.']);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None | Some(',') => Err(Stop::Wrong("a key has no value")),
            Some('[') => {
                let index = self.index()?;
                let list = match map.borrow().get(&key) {
                    None => List::default(),
                    Some(Go::List(list)) => Rc::clone(list),
                    Some(_) => return Err(Stop::Wrong("an index stands behind what is no list")),
                };
                let (list, result) = self.item(list, index, depth);
                put(map, &key, Go::List(list));
                result
            }
            Some('=') => match self.given()? {
                Given::Value(value) => {
                    put(map, &key, value);
                    Ok(())
                }
                Given::Nothing => {
                    put(map, &key, Go::Text(String::new()));
                    Err(Stop::End)
                }
            },
            Some(_) => {
                if depth + 1 > MOST_DEPTH {
                    return Err(Stop::Wrong("the path is too deep"));
                }
                let inner = match map.borrow().get(&key) {
                    None => Go::map(),
                    Some(Go::Map(inner)) => Rc::clone(inner),
                    Some(_) => return Err(Stop::Wrong("a key stands below what is no mapping")),
                };
                let result = self.key(&inner, depth + 1);
                let is_empty = inner.borrow().is_empty();
                if result.is_ok() && is_empty {
                    return Err(Stop::Wrong("a key has no value"));
                }
                if !is_empty {
                    put(map, &key, Go::Map(inner));
                }
                result
            }
        }
    }

    fn index(&mut self) -> Result<i64, Stop> {
        match self.until(&[']']) {
            (_, None) => Err(Stop::End),
            (index, Some(_)) => index.parse().map_err(|_| Stop::Wrong("an index is no number")),
        }
    }

    /// What stands behind an index: the list that holds it from now on.
    fn item(&mut self, list: List, index: i64, depth: usize) -> (List, Result<(), Stop>) {
        if index < 0 {
            return (list, Err(Stop::Wrong("an index is negative")));
        }
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        let (between, stop) = self.until(&['[', '.', '=']);
        if !between.is_empty() {
            return (list, Err(Stop::Wrong("something stands between an index and its value")));
        }
        match stop {
            None => (list, Err(Stop::End)),
            Some('=') => match self.given() {
                Ok(Given::Value(value)) => put_at(list, index, value),
                Ok(Given::Nothing) => put_at(list, index, Go::Text(String::new())),
                Err(stop) => (list, Err(stop)),
            },
            Some('[') => {
                let next = match self.index() {
                    Ok(next) => next,
                    Err(stop) => return (list, Err(stop)),
                };
                let inner = match list.borrow().get(position) {
                    None | Some(Go::Null) => Ok(List::default()),
                    Some(Go::List(inner)) => Ok(Rc::clone(inner)),
                    Some(_) => Err(Stop::Wrong("an index stands behind what is no list")),
                };
                match inner.and_then(|inner| {
                    let (inner, result) = self.item(inner, next, depth);
                    result.map(|()| inner)
                }) {
                    Ok(inner) => put_at(list, index, Go::List(inner)),
                    Err(stop) => (list, Err(stop)),
                }
            }
            Some(_) => {
                let mut inner = Go::map();
                if let Some(there) = list.borrow_mut().get_mut(position) {
                    match there {
                        Go::Map(there) => inner = Rc::clone(there),
                        there => *there = Go::Map(Rc::clone(&inner)),
                    }
                }
                match self.key(&inner, depth) {
                    Ok(()) => put_at(list, index, Go::Map(inner)),
                    Err(stop) => (list, Err(stop)),
                }
            }
        }
    }

    /// A value: a list in braces, or what stands before the next comma.
    fn given(&mut self) -> Result<Given, Stop> {
        match self.text.get(self.at) {
            None => return Ok(Given::Nothing),
            Some('{') => self.at += 1,
            Some(_) => {
                let (value, _) = self.until(&[',']);
                return Ok(Given::Value(self.typed(value)));
            }
        }
        let mut list = Vec::new();
        loop {
            let (item, stop) = self.until(&[',', '}']);
            if stop.is_none() {
                return Err(Stop::Wrong("a list does not end with `}`"));
            }
            list.push(self.typed(item));
            if stop == Some('}') {
                if self.text.get(self.at) == Some(&',') {
                    self.at += 1;
                }
                return Ok(Given::Value(Go::List(Rc::new(RefCell::new(list)))));
            }
        }
    }

    fn typed(&self, text: String) -> Go {
        if self.as_text {
            return Go::Text(text);
        }
        // Go folds the long s, too.
        let lower = text.replace('ſ', "s").to_ascii_lowercase();
        match lower.as_str() {
            "true" => Go::Bool(true),
            "false" => Go::Bool(false),
            "null" => Go::Null,
            "0" => Go::Int(0),
            _ if text.starts_with('0') => Go::Text(text),
            _ => text.parse().map_or(Go::Text(text), Go::Int),
        }
    }
}

/// An empty key sets nothing.
fn put(map: &Map, key: &str, value: Go) {
    if !key.is_empty() {
        map.borrow_mut().insert(key.to_owned(), value);
    }
}

/// A list that is long enough is written into, where all see it that hold it; one that has to grow is another list.
fn put_at(list: List, index: i64, value: Go) -> (List, Result<(), Stop>) {
    if index > MOST_ITEMS {
        return (list, Err(Stop::Wrong("an index is too large")));
    }
    let position = usize::try_from(index).unwrap_or_default();
    if let Some(there) = list.borrow_mut().get_mut(position) {
        *there = value;
        return (Rc::clone(&list), Ok(()));
    }
    let mut longer = list.borrow().clone();
    longer.resize(position, Go::Null);
    longer.push(value);
    (Rc::new(RefCell::new(longer)), Ok(()))
}
