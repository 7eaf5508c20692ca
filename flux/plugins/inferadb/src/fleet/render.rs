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
    pub(super) begun: Begun,
}

pub(super) enum Begun {
    /// Another cluster's is the same.
    Before(Rendered),
    Now(Started),
}

impl Render {
    /// Whether kustomize must run for it.
    pub(super) fn waits(&self) -> bool {
        matches!(&self.begun, Begun::Now(started) if !started.is_kept())
    }

    pub(super) fn end(self, with: &Renderer) -> Result<Rendered> {
        let started = match self.begun {
            Begun::Before(rendered) => return Ok(rendered),
            Begun::Now(started) => started,
        };
        let rendered = with.finish(&self.artifact.tree, started)?;
        self.artifact.keep(self.key, &rendered);
        Ok(rendered)
    }
}
