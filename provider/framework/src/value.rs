//! Values that may be null or not known yet.

use crate::refinement::Refinement;

/// A value of a configuration, plan or state. In a plan anything may be unknown until it is applied, so "unknown" is a
/// value that code has to meet, not an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value<T> {
    /// Not set.
    #[default]
    Null,
    /// Not known before apply.
    Unknown(Refinement),
    /// Set and known.
    Known(T),
}

impl<T> Value<T> {
    /// Unknown, with nothing known about it.
    pub fn unknown() -> Self {
        Self::Unknown(Refinement::none())
    }

    /// The value, where it is set and known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown(_) => None,
        }
    }

    /// The value to change, where it is set and known.
    pub fn known_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown(_) => None,
        }
    }

    /// The value itself, where it is set and known.
    pub fn into_known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown(_) => None,
        }
    }

    /// The value itself, or `default` where it is null or unknown.
    pub fn known_or(self, default: T) -> T {
        self.into_known().unwrap_or(default)
    }

    /// Whether it is not set.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is not known before apply. A null is known to be null.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether it is set and known.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// The same over a reference.
    pub fn as_ref(&self) -> Value<&T> {
        match self {
            Self::Null => Value::Null,
            Self::Unknown(refinement) => Value::Unknown(refinement.clone()),
            Self::Known(value) => Value::Known(value),
        }
    }

    /// Changes a known value. What is known about an unknown one is dropped, but for its not being null.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Value<U> {
        self.and_then(|value| Value::Known(f(value)))
    }

    /// Changes a known value into one that may be null or unknown.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Value<U>) -> Value<U> {
        match self {
            Self::Null => Value::Null,
            Self::Unknown(refinement) => Value::Unknown(Refinement { not_null: refinement.not_null, ..Refinement::none() }),
            Self::Known(value) => f(value),
        }
    }

    /// Takes the value out and leaves null.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

impl Value<String> {
    /// The text, where it is set and known.
    pub fn as_str(&self) -> Option<&str> {
        self.known().map(String::as_str)
    }
}

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T> From<Option<T>> for Value<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Known)
    }
}

impl From<&str> for Value<String> {
    fn from(text: &str) -> Self {
        Self::Known(text.to_owned())
    }
}
