//! A place in the repository, and ways into objects.

use serde_json::Value;

/// A file and a line in it, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// A step into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Item(usize),
}

/// `a.b` and numbers, as steps.
pub(crate) fn steps(path: &str) -> Vec<Step> {
    path.split('.')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_or_else(|_| Step::Key(part.to_owned()), Step::Item))
        .collect()
}

/// A path as people write it.
pub(crate) fn dotted(path: &[Step]) -> String {
    let part = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Item(position) => position.to_string(),
    };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

/// The value at a path; null where nothing is.
pub(crate) fn value_at<'v>(value: &'v Value, path: &[Step]) -> &'v Value {
    path.iter().fold(value, |value, step| match step {
        Step::Key(key) => &value[key.as_str()],
        Step::Item(position) => &value[*position],
    })
}

/// Calls for each value in an object, with its path.
pub(crate) fn each_value<'v>(value: &'v Value, path: &mut Vec<Step>, call: &mut impl FnMut(&[Step], &'v Value)) {
    call(path, value);
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                path.push(Step::Key(key.clone()));
                each_value(item, path, call);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                path.push(Step::Item(position));
                each_value(item, path, call);
                path.pop();
            }
        }
        _ => {}
    }
}
