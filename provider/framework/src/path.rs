//! Where in a value something is.

use std::fmt;

/// A way from the root of a resource's value to one place in it. Made with [`path!`](crate::path!).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into an attribute or block by its name.
    Attribute(String),
    /// Into a map's entry or a labelled block.
    Key(String),
    /// Into a list's element.
    Index(i64),
}

impl Path {
    /// The value itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// One step further, into the attribute or block `name`.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.0.push(Step::Attribute(name.into()));
        self
    }

    /// One step further, into an element: a map's key (string) or a list's index (integer).
    #[must_use]
    pub fn element(mut self, element: impl Into<Element>) -> Self {
        self.0.push(element.into().0);
        self
    }

    /// The steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this is the value itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

/// A step into an element of a collection.
#[derive(Clone, Debug)]
pub struct Element(Step);

impl From<&str> for Element {
    fn from(key: &str) -> Self {
        Self(Step::Key(key.to_owned()))
    }
}

impl From<String> for Element {
    fn from(key: String) -> Self {
        Self(Step::Key(key))
    }
}

impl From<&String> for Element {
    fn from(key: &String) -> Self {
        Self(Step::Key(key.clone()))
    }
}

impl From<usize> for Element {
    fn from(index: usize) -> Self {
        Self(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)))
    }
}

impl From<i64> for Element {
    fn from(index: i64) -> Self {
        Self(Step::Index(index))
    }
}

impl From<i32> for Element {
    fn from(index: i32) -> Self {
        Self(Step::Index(index.into()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Makes a [`Path`](crate::Path): attributes and blocks by name, elements in brackets.
///
/// ```
/// use tf_provider::path;
/// let pool = "general";
/// assert_eq!(path!("control_plane", "count").to_string(), "control_plane.count");
/// assert_eq!(path!("worker_pool", [pool], "taints", [0]).to_string(), "worker_pool[\"general\"].taints[0]");
/// ```
#[macro_export]
macro_rules! path {
    (@ $path:expr;) => { $path };
    (@ $path:expr; [$element:expr] $(, $($rest:tt)*)?) => { $crate::path!(@ $path.element($element); $($($rest)*)?) };
    (@ $path:expr; $name:expr $(, $($rest:tt)*)?) => { $crate::path!(@ $path.attribute($name); $($($rest)*)?) };
    ($($steps:tt)*) => { $crate::path!(@ $crate::Path::root(); $($steps)*) };
}
