//! Which fields each minor of Talos knows in a machine config, and of what type.
//!
//! The table is generated from Talos' own library (`schema/` beside the sources) and embedded.

mod read;
mod suggest;
mod syntax;
mod table;

pub use read::Problem;
pub(crate) use read::{check_value, header, read_any, read_document, retype, unknown_field};
pub(crate) use table::{PEM_TYPES, Shape, View};
