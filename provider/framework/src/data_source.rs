//! The trait that a data source implements.

use std::future::Future;
use std::time::Duration;

use crate::context::ReadContext;
use crate::diagnostics::Diagnostics;
use crate::model::Model;

/// A data source: something to look up. Methods may be written as `async fn`.
pub trait DataSource: Send + Sync + 'static {
    /// The type's name without the provider's.
    const NAME: &'static str;
    /// How long a read may take.
    const TIMEOUT: Duration = Duration::from_mins(5);

    /// What configuring the provider makes.
    type Provider: Send + Sync + 'static;
    /// The data source's block.
    type Model: Model;

    /// Checks that concern several attributes at once. Values may be unknown; what depends on one passes.
    fn validate(&self, config: &Self::Model, diagnostics: &mut Diagnostics) {
        let _ = (config, diagnostics);
    }

    /// Looks it up. `config` is wholly known; its defaults are filled in and its computed attributes are null.
    fn read(
        &self,
        cx: &ReadContext<Self::Provider>,
        config: Self::Model,
    ) -> impl Future<Output = Result<Self::Model, Diagnostics>> + Send;
}
