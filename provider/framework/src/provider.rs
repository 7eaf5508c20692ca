//! The trait that a provider implements.

use std::future::Future;
use std::sync::Arc;

use crate::context::ConfigureContext;
use crate::diagnostics::Diagnostics;
use crate::erased::{ErasedDataSource, ErasedResource};
use crate::model::Model;

/// A provider: its own block, and what it provides.
pub trait Provider: Send + Sync + 'static {
    /// The name that begins each type's name: `inferadb` for `inferadb_region`.
    const NAME: &'static str;
    /// The targets (crates or modules) whose log lines follow `TF_LOG`. All others show warnings and errors only, since
    /// libraries log whole requests at the lower levels.
    const LOG_TARGETS: &'static [&'static str] = &[];

    /// The provider's block.
    type Config: Model;
    /// What configuring makes; every operation is given it.
    type Configured: Send + Sync + 'static;

    /// Checks that concern several attributes at once. Values may be unknown; what depends on one passes.
    fn validate(&self, config: &Self::Config, diagnostics: &mut Diagnostics) {
        let _ = (config, diagnostics);
    }

    /// Prepares the provider for use. In a plan, values may be unknown; they are known in an apply.
    fn configure(
        &self,
        cx: &ConfigureContext,
        config: Self::Config,
    ) -> impl Future<Output = Result<Arc<Self::Configured>, Diagnostics>> + Send;

    /// Its resources, each made by [`crate::resource`].
    fn resources() -> Vec<Box<dyn ErasedResource<Self::Configured>>>;

    /// Its data sources, each made by [`crate::data_source`].
    fn data_sources() -> Vec<Box<dyn ErasedDataSource<Self::Configured>>> {
        Vec::new()
    }
}
