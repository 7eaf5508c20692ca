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
