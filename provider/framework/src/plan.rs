//! The plan before the resource's own say: configuration, defaults and what was there before, put together.

use std::collections::BTreeMap;

use crate::cty::Cty;
use crate::path::Path;
use crate::schema::{Attribute, Block, NestedBlock, Nesting};

/// What a plan starts from: each attribute as configured; else its default; else, if it is computed, as it was before, or
/// unknown where there was nothing before. `prior` is null where the block is new.
pub(crate) fn propose(block: &Block, prior: &Cty, config: &Cty) -> Cty {
    propose_block(block, prior, config, &Cty::unknown())
}

/// Fills in the defaults and nothing else: for the configurations of providers and data sources.
pub(crate) fn with_defaults(block: &Block, config: &Cty) -> Cty {
    propose_block(block, &Cty::Null, config, &Cty::Null)
}

/// `fresh` is what a computed attribute is where there was nothing before.
fn propose_block(block: &Block, prior: &Cty, config: &Cty, fresh: &Cty) -> Cty {
    let attributes = block.attributes.iter().map(|(name, attribute)| {
        let value = propose_attribute(attribute, prior, name, config.get(name), fresh);
        (name.clone(), value)
    });
    let blocks = block
        .blocks
        .iter()
        .map(|(name, nested)| (name.clone(), propose_blocks(nested, prior.get(name), config.get(name), fresh)));
    Cty::Map(attributes.chain(blocks).collect())
}

fn propose_attribute(attribute: &Attribute, prior: &Cty, name: &str, config: &Cty, fresh: &Cty) -> Cty {
    if !config.is_null() {
        return config.clone();
    }
    if let Some(default) = &attribute.default {
        return default.clone();
    }
    match (attribute.computed, prior) {
        (false, _) => Cty::Null,
        (true, Cty::Null) => fresh.clone(),
        (true, prior) => prior.get(name).clone(),
    }
}

fn propose_blocks(nested: &NestedBlock, prior: &Cty, config: &Cty, fresh: &Cty) -> Cty {
    let one = |prior: &Cty, config: &Cty| propose_block(&nested.block, prior, config, fresh);
    match (nested.nesting, config) {
        (Nesting::Single, Cty::Null) | (_, Cty::Unknown(_)) => config.clone(),
        (Nesting::Single | Nesting::Group, config) => one(prior, config),
        (Nesting::List, Cty::List(configs)) => {
            let priors = elements(prior);
            let proposed = configs.iter().enumerate();
            Cty::List(proposed.map(|(i, config)| one(priors.get(i).unwrap_or(&Cty::Null), config)).collect())
        }
        (Nesting::Set, Cty::List(configs)) => {
            // Elements have no names: the one before is the one that agrees in all that is configured.
            let mut priors: Vec<&Cty> = elements(prior).iter().collect();
            let mut proposed: Vec<Cty> = configs
                .iter()
                .map(|config| {
                    let position = priors.iter().position(|prior| one(prior, config) == **prior);
                    let prior = position.map_or(&Cty::Null, |position| priors.swap_remove(position));
                    one(prior, config)
                })
                .collect();
            proposed.sort();
            Cty::List(proposed)
        }
        (Nesting::Map, Cty::Map(configs)) => {
            Cty::Map(configs.iter().map(|(label, config)| (label.clone(), one(prior.get(label), config))).collect())
        }
        // Core never sends another form; an absent collection is empty.
        (Nesting::List | Nesting::Set | Nesting::Map, _) => nested.absent(),
    }
}

/// The paths of the attributes and blocks that require a replacement and that differ.
pub(crate) fn replacements(block: &Block, prior: &Cty, planned: &Cty) -> Vec<Path> {
    let mut paths = Vec::new();
    collect_replacements(block, prior, planned, &Path::root(), &mut paths);
    paths
}

fn collect_replacements(block: &Block, prior: &Cty, planned: &Cty, path: &Path, paths: &mut Vec<Path>) {
    for (name, attribute) in &block.attributes {
        if attribute.requires_replace && prior.get(name) != planned.get(name) {
            paths.push(path.clone().attribute(name));
        }
    }
    for (name, nested) in &block.blocks {
        let (prior, planned, path) = (prior.get(name), planned.get(name), path.clone().attribute(name));
        if nested.requires_replace && keys(prior) != keys(planned) {
            paths.push(path);
            continue;
        }
        match (nested.nesting, prior, planned) {
            // A block that comes or goes has no attribute that changes.
            (Nesting::Single | Nesting::Group, Cty::Map(_), Cty::Map(_)) => {
                collect_replacements(&nested.block, prior, planned, &path, paths);
            }
            (Nesting::List, Cty::List(priors), Cty::List(planned)) => {
                for (index, (prior, planned)) in priors.iter().zip(planned).enumerate() {
                    collect_replacements(&nested.block, prior, planned, &path.clone().element(index), paths);
                }
            }
            (Nesting::Map, Cty::Map(priors), Cty::Map(planned)) => {
                for (label, prior) in priors {
                    if let Some(planned) = planned.get(label) {
                        collect_replacements(&nested.block, prior, planned, &path.clone().element(label), paths);
                    }
                }
            }
            // A set's elements have no address: the set as a whole is what changes.
            (Nesting::Set, Cty::List(priors), Cty::List(planned)) => {
                let forces = |one: &Cty| !priors.contains(one) && nested.block.attributes.values().any(|a| a.requires_replace);
                if planned.iter().any(forces) {
                    paths.push(path);
                }
            }
            _ => {}
        }
    }
}

/// What tells the blocks of one name apart: their number, or their labels.
fn keys(blocks: &Cty) -> (bool, usize, Vec<&String>) {
    match blocks {
        Cty::List(elements) => (true, elements.len(), Vec::new()),
        Cty::Map(entries) => (true, entries.len(), entries.keys().collect()),
        other => (other.is_unknown(), 0, Vec::new()),
    }
}

fn elements(list: &Cty) -> &[Cty] {
    match list {
        Cty::List(elements) => elements,
        _ => &[],
    }
}

/// Every place in a block's value that is unknown.
pub(crate) fn unknown_paths(block: &Block, value: &Cty) -> Vec<Path> {
    let mut paths = Vec::new();
    unknown_in_block(block, value, &Path::root(), &mut paths);
    paths
}

fn unknown_in_block(block: &Block, value: &Cty, path: &Path, paths: &mut Vec<Path>) {
    for name in block.attributes.keys() {
        unknown_in_value(value.get(name), &path.clone().attribute(name), paths);
    }
    for (name, nested) in &block.blocks {
        let path = path.clone().attribute(name);
        match value.get(name) {
            Cty::Unknown(_) => paths.push(path),
            Cty::List(blocks) => {
                for (index, value) in blocks.iter().enumerate() {
                    unknown_in_block(&nested.block, value, &path.clone().element(index), paths);
                }
            }
            Cty::Map(blocks) if nested.nesting == Nesting::Map => {
                for (label, value) in blocks {
                    unknown_in_block(&nested.block, value, &path.clone().element(label), paths);
                }
            }
            value => unknown_in_block(&nested.block, value, &path, paths),
        }
    }
}

fn unknown_in_value(value: &Cty, path: &Path, paths: &mut Vec<Path>) {
    match value {
        Cty::Unknown(_) => paths.push(path.clone()),
        Cty::List(elements) => {
            for (index, element) in elements.iter().enumerate() {
                unknown_in_value(element, &path.clone().element(index), paths);
            }
        }
        // An object's attributes would be steps of another kind; what is shown of them is the same.
        Cty::Map(entries) => {
            for (key, entry) in entries {
                unknown_in_value(entry, &path.clone().element(key), paths);
            }
        }
        Cty::Dynamic(_, value) => unknown_in_value(value, path, paths),
        Cty::Null | Cty::Bool(_) | Cty::Number(_) | Cty::String(_) => {}
    }
}

/// An object without attributes that are in the block's type but not in `value`: those become null or empty.
pub(crate) fn complete(block: &Block, value: Cty) -> Cty {
    let Cty::Map(mut entries) = value else {
        return value;
    };
    let mut complete = BTreeMap::new();
    for name in block.attributes.keys() {
        complete.insert(name.clone(), entries.remove(name).unwrap_or_default());
    }
    for (name, nested) in &block.blocks {
        let inner = &nested.block;
        let value = match (nested.nesting, entries.remove(name)) {
            (_, None | Some(Cty::Null)) => nested.absent(),
            (Nesting::Single | Nesting::Group, Some(value)) => self::complete(inner, value),
            (Nesting::List | Nesting::Set, Some(Cty::List(blocks))) => {
                Cty::List(blocks.into_iter().map(|block| self::complete(inner, block)).collect())
            }
            (Nesting::Map, Some(Cty::Map(blocks))) => {
                Cty::Map(blocks.into_iter().map(|(label, block)| (label, self::complete(inner, block))).collect())
            }
            (_, Some(other)) => other,
        };
        complete.insert(name.clone(), value);
    }
    Cty::Map(complete)
}

#[cfg(test)]
mod tests;
