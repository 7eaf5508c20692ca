//! What is known about an unknown value.

use crate::number::Number;

/// What is already known about a value that is not known yet. Core reasons with it: an unknown string that is known
/// not to be null makes `x == null` false in a plan.
///
/// Only the fields that fit the value's type count: a prefix for strings, bounds for numbers, lengths for collections.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refinement {
    /// The value will not be null.
    pub not_null: bool,
    /// The string will begin with this.
    pub prefix: Option<String>,
    /// The number will not be smaller.
    pub minimum: Option<Bound>,
    /// The number will not be greater.
    pub maximum: Option<Bound>,
    /// The collection will not have fewer elements.
    pub minimum_length: Option<u64>,
    /// The collection will not have more elements.
    pub maximum_length: Option<u64>,
}

/// One end of a range of numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bound {
    /// The end itself.
    pub value: Number,
    /// Whether the end belongs to the range.
    pub inclusive: bool,
}

impl Refinement {
    /// Nothing is known.
    pub fn none() -> Self {
        Self::default()
    }

    /// The value will not be null.
    pub fn not_null() -> Self {
        Self { not_null: true, ..Self::default() }
    }

    /// Whether nothing at all is known.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Also: the string will begin with `prefix`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }
}
