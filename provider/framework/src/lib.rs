//! Terraform providers in Rust: protocol 5 over go-plugin's transport, with typed models.
//!
//! A [`Provider`] lists its [`Resource`]s and [`DataSource`]s and is run by [`serve`]. Their blocks are structs with
//! `#[derive(Model)]`, whose doc comments become the schema's descriptions and whose fields are [`Value`]s: known, null, or
//! not known before apply.
//!
//! A request's way: [`serve`] accepts the connection, `service` decodes the request, `erased` runs the operation within its
//! limits on the typed resource, and the answer goes back the same way. Everything that Terraform demands beyond the
//! protocol's messages (plans that repeat the configuration, results that repeat the plan, a process that lives no longer
//! than its client) is kept here, not in the resources.
//!
//! ```
//! use tf_provider::{Model, Value};
//!
//! fn two_letters(code: &str) -> Result<(), String> {
//!     if code.len() == 2 { Ok(()) } else { Err(format!("`{code}` has not two letters.")) }
//! }
//!
//! /// A country.
//! #[derive(Model, Clone, Debug, PartialEq)]
//! struct Country {
//!     /// Its code, e.g. `is`.
//!     #[attr(required, requires_replace, validate = two_letters)]
//!     code: Value<String>,
//!     /// How it is written.
//!     #[attr(optional, computed, default = "UTF-8")]
//!     charset: Value<String>,
//!     /// How many live there.
//!     #[attr(computed)]
//!     people: Value<i64>,
//! }
//! ```
//!
//! Whatever may be null or unknown says so in its type; a bare one does not compile:
//!
//! ```compile_fail,E0277
//! # use tf_provider::Model;
//! /// A country.
//! #[derive(Model, Clone, Debug, PartialEq)]
//! struct Country {
//!     /// Its code.
//!     #[attr(required)]
//!     code: String,
//! }
//! ```
//!
//! Nor does a type that Terraform has not, or a block that is no model:
//!
//! ```compile_fail,E0277
//! # use tf_provider::{Model, Value};
//! /// A country.
//! #[derive(Model, Clone, Debug, PartialEq)]
//! struct Country {
//!     /// Its age.
//!     #[attr(required)]
//!     age: Value<u8>,
//! }
//! ```
//!
//! ```compile_fail,E0277
//! # use tf_provider::{Model, Value};
//! /// A country.
//! #[derive(Model, Clone, Debug, PartialEq)]
//! struct Country {
//!     /// Its towns.
//!     #[block]
//!     town: Value<Vec<String>>,
//! }
//! ```

// The derive macros name the crate from outside.
extern crate self as tf_provider;

mod connection;
mod context;
mod cty;
mod data_source;
mod diagnostics;
mod erased;
mod handshake;
mod json;
mod life;
mod logs;
mod model;
mod msgpack;
mod nulls;
mod number;
mod operation;
mod panics;
mod path;
mod plan;
mod plumbing;
mod private;
mod provider;
mod refinement;
mod resource;
mod rules;
mod schema;
mod serve;
mod service;
mod set;
mod timeouts;
mod tls;
mod typed;
mod value;
mod wire;

pub use context::{ApplyContext, ConfigureContext, PlanContext, ReadContext};
pub use data_source::DataSource;
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use erased::{ErasedDataSource, ErasedResource, data_source, resource};
pub use model::{Group, Model};
pub use number::Number;
pub use path::{Element, Path, Step};
pub use provider::Provider;
pub use refinement::{Bound, Refinement};
pub use resource::{Found, Resource};
pub use serve::serve;
pub use set::Set;
pub use tf_provider_derive::{Model, Object};
pub use timeouts::{DefaultTimeouts, Timeouts, format_duration, parse_duration};
pub use tokio_util::sync::CancellationToken;
pub use value::Value;

/// What the derive macros' code names. Not for use by hand.
#[doc(hidden)]
pub mod derived {
    pub use crate::cty::{Cty, Type};
    pub use crate::diagnostics::{Diagnostic, Diagnostics};
    pub use crate::model::{AttributeField, AttributeValue, BlockField, BlockValue, Fields, validated};
    pub use crate::path::Path;
    pub use crate::schema::{Attribute, Block, NestedBlock, Nesting, description};
}
