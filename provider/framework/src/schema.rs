//! Schemas: what a block holds, as core is told and as plans are made by.

use std::collections::BTreeMap;

use crate::cty::{Cty, Type};

/// A configuration block: of a resource, data source or provider, or one nested in those.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Markdown.
    pub description: String,
    /// By name.
    pub attributes: BTreeMap<String, Attribute>,
    /// By name.
    pub blocks: BTreeMap<String, NestedBlock>,
}

/// One attribute of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its type.
    pub ty: Type,
    /// Markdown.
    pub description: String,
    /// The user must set it.
    pub required: bool,
    /// The user may set it.
    pub optional: bool,
    /// The provider may set it where the user does not.
    pub computed: bool,
    /// Not shown in plans and outputs.
    pub sensitive: bool,
    /// A note of what to use instead, where it should no longer be used.
    pub deprecated: Option<String>,
    /// A change makes the resource anew.
    pub requires_replace: bool,
    /// What the plan holds where the user sets nothing.
    pub default: Option<Cty>,
}

/// A block inside a block.
#[derive(Clone, Debug, PartialEq)]
pub struct NestedBlock {
    /// What each holds.
    pub block: Block,
    /// How many there may be, and how they are told apart.
    pub nesting: Nesting,
    /// The smallest number, for lists and sets.
    pub min_items: i64,
    /// The largest number, for lists and sets; 0 for any.
    pub max_items: i64,
    /// Adding or removing one makes the resource anew.
    pub requires_replace: bool,
}

/// How often a nested block may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// Once or not; not there it is null.
    Single,
    /// Once or not; not there it is an object of nulls.
    Group,
    /// Any number, told apart by their order; none is an empty list, never null.
    List,
    /// Any number, without order; none is an empty set, never null.
    Set,
    /// Any number, told apart by their label; none is an empty map, never null.
    Map,
}

/// A description that ends with what the protocol has no place for: the default, and that a change replaces the resource.
pub fn description(text: &str, default: Option<&Cty>, requires_replace: bool) -> String {
    let default = default.map(|value| format!("Default: `{}`.", written(value)));
    let replace = requires_replace.then(|| "A change replaces the resource.".to_owned());
    let parts = [Some(text.to_owned()).filter(|text| !text.is_empty()), default, replace];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A value as a configuration has it; a text without quotes, as descriptions have texts.
fn written(value: &Cty) -> String {
    match value {
        Cty::String(text) if !text.is_empty() => text.clone(),
        value => literal(value),
    }
}

fn literal(value: &Cty) -> String {
    match value {
        Cty::Null => "null".to_owned(),
        // No default is unknown.
        Cty::Unknown(_) => "(known after apply)".to_owned(),
        Cty::Bool(truth) => truth.to_string(),
        Cty::Number(number) => number.to_string(),
        Cty::String(text) => format!("{text:?}"),
        Cty::List(elements) => format!("[{}]", elements.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Cty::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Cty::Map(entries) => {
            let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key} = {}", literal(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Cty::Dynamic(_, value) => literal(value),
    }
}

impl Block {
    /// The type of the block's value.
    pub fn ty(&self) -> Type {
        let attributes = self.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.ty.clone()));
        let blocks = self.blocks.iter().map(|(name, nested)| (name.clone(), nested.ty()));
        Type::Object(attributes.chain(blocks).collect())
    }

    /// The value of the block when nothing at all is in it.
    pub fn empty(&self) -> Cty {
        let attributes = self.attributes.keys().map(|name| (name.clone(), Cty::Null));
        let blocks = self.blocks.iter().map(|(name, nested)| (name.clone(), nested.absent()));
        Cty::Map(attributes.chain(blocks).collect())
    }
}

impl NestedBlock {
    /// The type of the value of all of them together.
    pub fn ty(&self) -> Type {
        let of = self.block.ty();
        match self.nesting {
            Nesting::Single | Nesting::Group => of,
            Nesting::List => Type::List(Box::new(of)),
            Nesting::Set => Type::Set(Box::new(of)),
            Nesting::Map => Type::Map(Box::new(of)),
        }
    }

    /// The value where there is none.
    pub fn absent(&self) -> Cty {
        match self.nesting {
            Nesting::Single => Cty::Null,
            Nesting::Group => self.block.empty(),
            Nesting::List | Nesting::Set => Cty::List(Vec::new()),
            Nesting::Map => Cty::Map(BTreeMap::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_ends_with_the_default_as_a_configuration_has_it() {
        let text = |text: &str| Cty::String(text.to_owned());
        let said = |default: Cty| description("How it is.", Some(&default), false);
        assert_eq!(said(Cty::Bool(false)), "How it is. Default: `false`.");
        assert_eq!(said(Cty::Number(3.into())), "How it is. Default: `3`.");
        assert_eq!(said(text("gp3")), "How it is. Default: `gp3`.");
        assert_eq!(said(text("")), "How it is. Default: `\"\"`.");
        assert_eq!(said(Cty::List(vec![text("a"), text("b")])), "How it is. Default: `[\"a\", \"b\"]`.");
        assert_eq!(said(Cty::Map(BTreeMap::new())), "How it is. Default: `{}`.");
        assert_eq!(said(Cty::Map([("a".to_owned(), Cty::Bool(true))].into())), "How it is. Default: `{ a = true }`.");
    }

    #[test]
    fn a_description_says_that_a_change_replaces_the_resource() {
        let default = Cty::Bool(true);
        assert_eq!(description("How it is.", None, false), "How it is.");
        assert_eq!(description("How it is.", None, true), "How it is. A change replaces the resource.");
        assert_eq!(
            description("How it is.", Some(&default), true),
            "How it is. Default: `true`. A change replaces the resource."
        );
        assert_eq!(description("", Some(&default), false), "Default: `true`.");
    }
}
