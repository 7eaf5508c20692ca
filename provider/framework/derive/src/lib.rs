//! `#[derive(Model)]` and `#[derive(Object)]` of the crate `tf-provider`, which documents and re-exports them.

mod errors;
mod fields;
mod model;
mod object;
mod options;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a configuration block: of a resource, data source or provider, or one nested in those.
///
/// Doc comments become descriptions (Markdown, a paragraph a line). An attribute's ends by itself with its default, and with a
/// word on `requires_replace`. Each field is a `Value<…>` with `#[attr(…)]` or `#[block]`:
///
/// - `#[attr(required | optional | computed | optional, computed, …)]` with, besides, `sensitive`, `requires_replace`,
///   `default = …` (makes it optional and computed), `deprecated = "what to use instead"` and any number of
///   `validate = function`, each a `fn(&T) -> Result<(), String>` that is asked about known values.
/// - `#[block]` or `#[block(requires_replace, validate = function, min_items = 1, max_items = 3)]`. What the `Value`
///   holds says how often the block may stand: `M` once, `Vec<M>` as a list, `BTreeMap<String, M>` labelled, `Set<M>`
///   without order, `Group<M>` always.
#[proc_macro_derive(Model, attributes(attr, block))]
pub fn model(input: TokenStream) -> TokenStream {
    model::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct an object: the value of an attribute, or of the elements of a collection. Each field is a `Value<…>`.
#[proc_macro_derive(Object)]
pub fn object(input: TokenStream) -> TokenStream {
    object::derive(&parse_macro_input!(input as DeriveInput)).into()
}
