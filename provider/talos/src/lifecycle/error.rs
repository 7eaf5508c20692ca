//! Why a procedure did not get to its end.

use std::time::Duration;

use crate::{client, kubernetes};

/// A failed step. What the cluster looks like by then is what the messages before said; the same procedure goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node answered something that waiting does not mend.
    #[error("{step}: {source}")]
    Node {
        /// The step, like `bootstrap`.
        step: &'static str,
        /// Which node and call, and why.
        source: client::Error,
    },
    /// The Kubernetes API answered something that waiting does not mend.
    #[error("{step}: {source}")]
    Kubernetes {
        /// The step, like `drain`.
        step: &'static str,
        /// Which call, and why.
        source: kubernetes::Error,
    },
    /// The time is over.
    #[error("{step}: not done after {} s; at last: {seen}", .waited.as_secs())]
    Deadline {
        /// The step.
        step: &'static str,
        /// How long it was tried.
        waited: Duration,
        /// What stood in the way, with the nodes' names.
        seen: String,
    },
    /// It would break etcd.
    #[error("{step}: node `{node}`: {reason}")]
    Refused {
        /// The step.
        step: &'static str,
        /// Whose turn it was.
        node: String,
        /// Why, and what to do.
        reason: String,
    },
}
