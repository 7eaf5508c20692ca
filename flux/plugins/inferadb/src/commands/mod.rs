//! A file for each command, and what several take.

pub(crate) mod build;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod graph;
pub(crate) mod new_region;
mod releases;
pub(crate) mod validate;
