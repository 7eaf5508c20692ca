//! What core demands of a provider's answers, checked here first: core calls a breach "a bug in the provider", and after
//! an apply it taints the object for it.
//!
//! The rules are those of core's `objchange` package: `AssertPlanValid` and `AssertObjectCompatible`.

use std::collections::BTreeMap;

use crate::cty::Cty;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::plan::unknown_paths;
use crate::schema::{Attribute, Block, NestedBlock, Nesting};

/// A planned value repeats what is configured (or, where both mean the same, what was there before), and adds only
/// computed attributes.
pub(crate) fn plan(block: &Block, prior: &Cty, config: &Cty, planned: &Cty) -> Result<(), Diagnostics> {
    let mut breaches = Breaches::new("plan");
    breaches.plan(block, prior, config, planned, &Path::root());
    breaches.into_result()
}

/// The result of an apply is wholly known and repeats all that was known in the plan.
pub(crate) fn apply(block: &Block, planned: &Cty, actual: &Cty) -> Result<(), Diagnostics> {
    known(block, actual, "after apply")?;
    let mut breaches = Breaches::new("result of the apply");
    breaches.apply(block, planned, actual, &Path::root());
    breaches.into_result()
}

/// Nothing in a state is unknown.
pub(crate) fn known(block: &Block, state: &Cty, when: &'static str) -> Result<(), Diagnostics> {
    let mut breaches = Breaches::new("state");
    for path in unknown_paths(block, state) {
        breaches.add(&path, &format!("is still unknown {when}"));
    }
    breaches.into_result()
}

struct Breaches {
    of: &'static str,
    found: Diagnostics,
}

impl Breaches {
    fn new(of: &'static str) -> Self {
        Self { of, found: Diagnostics::new() }
    }

    fn into_result(self) -> Result<(), Diagnostics> {
        self.found.into_result()
    }

    /// Values are never shown: they may be sensitive.
    fn add(&mut self, path: &Path, breach: &str) {
        self.found.push(
            Diagnostic::error(format!("The provider made an invalid {}", self.of))
                .detail(format!("`{path}` {breach}. This is a mistake of the provider; please report it to its authors."))
                .at(path.clone()),
        );
    }

    fn plan(&mut self, block: &Block, prior: &Cty, config: &Cty, planned: &Cty, path: &Path) {
        match (config.is_null(), planned.is_null()) {
            (false, true) => return self.add(path, "is configured, but planned to be absent"),
            (true, false) => return self.add(path, "is not configured, but planned to exist"),
            (true, true) => return,
            (false, false) => {}
        }
        for (name, attribute) in &block.attributes {
            let path = path.clone().attribute(name);
            self.plan_attribute(attribute, prior.get(name), config.get(name), planned.get(name), &path);
        }
        for (name, nested) in &block.blocks {
            let path = path.clone().attribute(name);
            self.plan_blocks(nested, prior.get(name), config.get(name), planned.get(name), &path);
        }
    }

    fn plan_attribute(&mut self, attribute: &Attribute, prior: &Cty, config: &Cty, planned: &Cty, path: &Path) {
        let (config, planned) = (config.without_refinements(), planned.without_refinements());
        if planned == config || attribute.computed && (config.is_null() || !attribute.optional) {
            return;
        }
        // What means the same as before may stay as it was before.
        if !prior.is_null() && !config.is_null() && planned == prior.without_refinements() {
            return;
        }
        if config.is_null() {
            self.add(path, "is neither configured nor computed, but planned to have a value");
        } else {
            self.add(path, "is planned to have another value than the configured one");
        }
    }

    fn plan_blocks(&mut self, nested: &NestedBlock, prior: &Cty, config: &Cty, planned: &Cty, path: &Path) {
        if planned == config {
            return;
        }
        if config.is_unknown() {
            return self.add(path, "comes from an unknown `dynamic` block, but is planned to be known");
        }
        if planned.is_unknown() {
            return self.add(path, "is planned to be unknown as a whole; only its attributes may be");
        }
        let block = &nested.block;
        match (nested.nesting, config, planned) {
            (Nesting::Single | Nesting::Group, config, planned) => self.plan(block, prior, config, planned, path),
            (Nesting::List, Cty::List(configs), Cty::List(planned)) => {
                if configs.len() != planned.len() {
                    return self.add(path, "is planned with another number of blocks than is configured");
                }
                let none = Vec::new();
                let priors = if let Cty::List(priors) = prior { priors } else { &none };
                for (index, (config, planned)) in configs.iter().zip(planned).enumerate() {
                    let prior = priors.get(index).unwrap_or(&Cty::Null);
                    self.plan(block, prior, config, planned, &path.clone().element(index));
                }
            }
            (Nesting::Map, Cty::Map(configs), Cty::Map(planned)) => {
                if !configs.keys().eq(planned.keys()) {
                    return self.add(path, "is planned with other labels than are configured");
                }
                for (label, config) in configs {
                    let planned = planned.get(label).unwrap_or(&Cty::Null);
                    self.plan(block, prior.get(label), config, planned, &path.clone().element(label));
                }
            }
            // A set's elements cannot be told apart; core trusts the provider with them.
            (Nesting::Set, Cty::List(_), Cty::List(planned)) => {
                if planned.iter().any(Cty::is_unknown) {
                    self.add(path, "is planned with an element that is unknown as a whole");
                }
            }
            _ => self.add(path, "is planned to be null; no blocks are an empty collection"),
        }
    }

    fn apply(&mut self, block: &Block, planned: &Cty, actual: &Cty, path: &Path) {
        match (planned, actual) {
            (Cty::Null, Cty::Null) | (Cty::Unknown(_), _) => return,
            (Cty::Null, _) => return self.add(path, "was planned to be absent, and exists"),
            (_, Cty::Null) => return self.add(path, "was planned to exist, and is absent"),
            _ => {}
        }
        for name in block.attributes.keys() {
            self.apply_value(planned.get(name), actual.get(name), &path.clone().attribute(name));
        }
        for (name, nested) in &block.blocks {
            let (planned, actual, path) = (planned.get(name), actual.get(name), path.clone().attribute(name));
            match (nested.nesting, planned, actual) {
                (_, Cty::Unknown(_), _) => {}
                (Nesting::Single | Nesting::Group, planned, actual) => {
                    self.apply(&nested.block, planned, actual, &path);
                }
                (Nesting::List, Cty::List(planned), Cty::List(actual)) if planned.len() == actual.len() => {
                    for (index, (planned, actual)) in planned.iter().zip(actual).enumerate() {
                        self.apply(&nested.block, planned, actual, &path.clone().element(index));
                    }
                }
                (Nesting::Map, Cty::Map(planned), Cty::Map(actual)) if planned.keys().eq(actual.keys()) => {
                    for (label, planned) in planned {
                        let actual = actual.get(label).unwrap_or(&Cty::Null);
                        self.apply(&nested.block, planned, actual, &path.clone().element(label));
                    }
                }
                (Nesting::Set, Cty::List(planned), Cty::List(actual)) => {
                    let fits = |planned: &Cty, actual: &Cty| {
                        let mut breaches = Self::new(self.of);
                        breaches.apply(&nested.block, planned, actual, &path);
                        breaches.found.is_empty()
                    };
                    if !correlate(planned, actual, fits) {
                        self.add(&path, "has other elements than were planned");
                    }
                }
                _ => self.add(&path, "has other blocks than were planned"),
            }
        }
    }

    fn apply_value(&mut self, planned: &Cty, actual: &Cty, path: &Path) {
        if let Some(place) = differs(planned, actual) {
            let within = if place.is_empty() { String::new() } else { format!(" in `{}`", place.join(".")) };
            self.add(path, &format!("has another value than was planned{within}"));
        }
    }
}

/// Where in a value of maps and objects the first difference is; `None` where there is none.
fn differs<'v>(planned: &'v Cty, actual: &'v Cty) -> Option<Vec<&'v str>> {
    if conforms(planned, actual) {
        return None;
    }
    let (Cty::Map(planned), Cty::Map(actual)) = (planned, actual) else { return Some(Vec::new()) };
    let missing =
        planned.keys().find(|key| !actual.contains_key(*key)).or_else(|| actual.keys().find(|key| !planned.contains_key(*key)));
    if let Some(key) = missing {
        return Some(vec![key]);
    }
    planned.iter().find_map(|(key, planned)| {
        let mut place = differs(planned, actual.get(key)?)?;
        place.insert(0, key);
        Some(place)
    })
}

/// Whether `actual` is what `planned` said, wherever that was known.
fn conforms(planned: &Cty, actual: &Cty) -> bool {
    match (planned, actual) {
        (Cty::Unknown(refinement), actual) => admits(refinement, actual),
        (Cty::List(planned), Cty::List(actual)) => {
            // Lists and sets look the same here; a set's order may have changed with what became known in it.
            planned.len() == actual.len() && planned.iter().zip(actual).all(|(p, a)| conforms(p, a))
                || correlate(planned, actual, conforms) && planned.iter().any(|element| !element.is_wholly_known())
        }
        (Cty::Map(planned), Cty::Map(actual)) => same_keys(planned, actual, conforms),
        (Cty::Dynamic(planned_type, planned), Cty::Dynamic(actual_type, actual)) => {
            planned_type == actual_type && conforms(planned, actual)
        }
        (planned, actual) => planned == actual,
    }
}

fn same_keys(planned: &BTreeMap<String, Cty>, actual: &BTreeMap<String, Cty>, same: fn(&Cty, &Cty) -> bool) -> bool {
    planned.len() == actual.len()
        && planned.iter().all(|(key, planned)| actual.get(key).is_some_and(|actual| same(planned, actual)))
}

/// Whether each element has its like on the other side. Unknown elements that turned out equal may have become one.
fn correlate(planned: &[Cty], actual: &[Cty], fits: impl Fn(&Cty, &Cty) -> bool) -> bool {
    actual.len() <= planned.len()
        && planned.iter().all(|planned| actual.iter().any(|actual| fits(planned, actual)))
        && actual.iter().all(|actual| planned.iter().any(|planned| fits(planned, actual)))
}

/// Whether a value is one of those that were still possible.
fn admits(refinement: &crate::refinement::Refinement, actual: &Cty) -> bool {
    let length_fits = |length: usize| {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        refinement.minimum_length.is_none_or(|minimum| minimum <= length)
            && refinement.maximum_length.is_none_or(|maximum| length <= maximum)
    };
    match actual {
        Cty::Null => !refinement.not_null,
        Cty::String(text) => refinement.prefix.as_ref().is_none_or(|prefix| text.starts_with(prefix.as_str())),
        Cty::Number(number) => {
            let number = number.as_f64();
            refinement.minimum.as_ref().is_none_or(|minimum| {
                let bound = minimum.value.as_f64();
                number > bound || minimum.inclusive && number >= bound
            }) && refinement.maximum.as_ref().is_none_or(|maximum| {
                let bound = maximum.value.as_f64();
                number < bound || maximum.inclusive && number <= bound
            })
        }
        Cty::List(elements) => length_fits(elements.len()),
        Cty::Map(entries) => length_fits(entries.len()),
        Cty::Bool(_) | Cty::Unknown(_) | Cty::Dynamic(..) => true,
    }
}
