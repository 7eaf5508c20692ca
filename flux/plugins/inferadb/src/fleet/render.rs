//! A Kustomization on its way through kustomize.

use std::sync::Arc;

use crate::error::Result;
use crate::render::{Rendered, Renderer, Started};
use crate::sources::Artifact;

/// One that is begun.
pub(super) struct Render {
    pub(super) artifact: Arc<Artifact>,
    /// Under which its artifact keeps it.
    pub(super) key: String,
    pub(super) started: Started,
}

impl Render {
    /// Whether kustomize must run for it.
    pub(super) fn waits(&self) -> bool {
        !self.started.is_kept()
    }

    pub(super) fn end(self, with: &Renderer) -> Result<Rendered> {
        let rendered = with.finish(&self.artifact.tree, self.started)?;
        self.artifact.keep(self.key, &rendered);
        Ok(rendered)
    }
}
