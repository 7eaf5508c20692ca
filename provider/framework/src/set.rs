//! A collection without order or repetition.

use crate::value::Value;

/// A set's elements. Equality knows no order; an element that is already there is not added again, but unknown ones
/// are, since they may turn out to differ.
#[derive(Clone, Debug)]
pub struct Set<T>(Vec<Value<T>>);

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Set<T> {
    /// Without elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; `false` where it was there.
    pub fn insert(&mut self, element: impl Into<Value<T>>) -> bool {
        let element = element.into();
        let is_new = element.is_unknown() || !self.0.contains(&element);
        if is_new {
            self.0.push(element);
        }
        is_new
    }

    /// Whether `element` is in it.
    pub fn contains(&self, element: &T) -> bool {
        self.0.iter().any(|own| own.known() == Some(element))
    }
}

impl<T> Set<T> {
    /// All elements.
    pub fn iter(&self) -> std::slice::Iter<'_, Value<T>> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: PartialEq> PartialEq for Set<T> {
    fn eq(&self, other: &Self) -> bool {
        // Unknown elements may repeat, so membership alone would not do.
        let mut rest: Vec<&Value<T>> = other.0.iter().collect();
        self.0.len() == other.0.len()
            && self.0.iter().all(|element| {
                rest.iter().position(|candidate| *candidate == element).is_some_and(|position| {
                    rest.swap_remove(position);
                    true
                })
            })
    }
}

impl<T: PartialEq, E: Into<Value<T>>> FromIterator<E> for Set<T> {
    fn from_iter<I: IntoIterator<Item = E>>(elements: I) -> Self {
        let mut set = Self::default();
        for element in elements {
            set.insert(element);
        }
        set
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = Value<T>;
    type IntoIter = std::vec::IntoIter<Value<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a Value<T>;
    type IntoIter = std::slice::Iter<'a, Value<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
