//! A document as a tree whose texts are wiped from memory when they are dropped.
//!
//! Machine configs are mostly secrets, so they are kept in this type and not in a general JSON value. Keys keep their
//! order; numbers keep the digits they were written with.

use zeroize::Zeroizing;

/// A node of a YAML or JSON document. Has no `Debug`, since it holds secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Tree {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A text.
    Text(Zeroizing<String>),
    /// A sequence.
    List(Vec<Tree>),
    /// A mapping.
    Map(Map),
}

/// A mapping in the order of its keys' first appearance.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Map(Vec<(String, Tree)>);

impl Tree {
    /// A text node.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// The text, when this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The mapping, when this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, when this is one.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The sequence, when this is one.
    pub fn as_list(&self) -> Option<&[Tree]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The boolean, when this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// What stands at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Tree> {
        path.iter().try_fold(self, |node, key| node.as_map()?.get(key))
    }

    /// The text at a path of keys.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_text()
    }

    /// Whether two trees say the same, whatever the order of their keys.
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| value.same_as(other)))
            }
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_as(b)),
            (a, b) => a == b,
        }
    }
}

impl Map {
    /// An empty mapping.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Tree> {
        self.0.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets a key, at its place when it is there, else at the end.
    pub fn insert(&mut self, key: impl Into<String>, value: Tree) {
        let key = key.into();
        match self.get_mut(&key) {
            Some(present) => *present = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Tree> {
        let position = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(position).1)
    }

    /// The value of a key, which becomes an empty mapping when it is missing or null.
    pub fn map_entry(&mut self, key: &str) -> Option<&mut Map> {
        if matches!(self.get(key), None | Some(Tree::Null)) {
            self.insert(key, Tree::Map(Map::new()));
        }
        self.get_mut(key)?.as_map_mut()
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tree)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Tree)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Tree)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// Writes a tree literal: `tree!({ "a": text, "b": { "c": true }, "d": [x, y] })`. A value in the shape of an
/// `Option` goes in only when it is there: `"key"?: option`.
macro_rules! tree {
    ({ $($body:tt)* }) => {{
        #[allow(unused_mut, reason = "an empty literal changes nothing")]
        let mut map = $crate::tree::Map::new();
        $crate::tree::tree_entries!(map; $($body)*);
        $crate::tree::Tree::Map(map)
    }};
    ([ $($item:expr),* $(,)? ]) => {
        $crate::tree::Tree::List(vec![$($crate::tree::Tree::from($item)),*])
    };
    ($value:expr) => { $crate::tree::Tree::from($value) };
}

macro_rules! tree_entries {
    ($map:ident;) => {};
    ($map:ident; $key:literal : { $($body:tt)* } $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::tree::tree!({ $($body)* }));
        $($crate::tree::tree_entries!($map; $($rest)*);)?
    };
    ($map:ident; $key:literal : [ $($body:tt)* ] $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::tree::tree!([ $($body)* ]));
        $($crate::tree::tree_entries!($map; $($rest)*);)?
    };
    ($map:ident; $key:literal ? : $value:expr $(, $($rest:tt)*)?) => {
        if let Some(value) = $value {
            $map.insert($key, $crate::tree::Tree::from(value));
        }
        $($crate::tree::tree_entries!($map; $($rest)*);)?
    };
    ($map:ident; $key:literal : $value:expr $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::tree::Tree::from($value));
        $($crate::tree::tree_entries!($map; $($rest)*);)?
    };
}

pub(crate) use {tree, tree_entries};

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Tree {
    fn from(value: i64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<&str> for Tree {
    fn from(value: &str) -> Self {
        Self::text(value)
    }
}

impl From<String> for Tree {
    fn from(value: String) -> Self {
        Self::text(value)
    }
}

impl From<Map> for Tree {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

impl From<Vec<Tree>> for Tree {
    fn from(value: Vec<Tree>) -> Self {
        Self::List(value)
    }
}

impl From<&[String]> for Tree {
    fn from(value: &[String]) -> Self {
        Self::List(value.iter().map(|text| Self::text(text.as_str())).collect())
    }
}
