//! A file for each command.

pub(crate) mod build;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod graph;
pub(crate) mod new_region;
pub(crate) mod validate;
