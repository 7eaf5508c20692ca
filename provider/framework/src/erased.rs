//! Resources and data sources without their types: what the server holds. Values are [`Cty`] here.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Map as JsonMap;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::cty::Cty;
use crate::data_source::DataSource;
use crate::diagnostics::Diagnostics;
use crate::model::BlockValue;
use crate::path::Path;
use crate::resource::Resource;
use crate::schema::Block;
use crate::typed::Typed;

/// What every operation is given.
pub struct Call<P> {
    pub(crate) provider: Arc<P>,
    pub(crate) stop: CancellationToken,
    /// The whole type name, for messages.
    pub(crate) type_name: String,
}

/// A change to plan. A null `config` asks for the plan of a destroy.
pub struct PlanRequest {
    pub(crate) prior: Cty,
    pub(crate) config: Cty,
    pub(crate) private: Vec<u8>,
}

/// A planned change.
#[derive(Default)]
pub struct PlanAnswer {
    pub(crate) planned: Cty,
    pub(crate) private: Vec<u8>,
    pub(crate) requires_replace: Vec<Path>,
    pub(crate) diagnostics: Diagnostics,
}

/// A planned change to make.
pub struct ApplyRequest {
    pub(crate) prior: Cty,
    pub(crate) planned: Cty,
    pub(crate) private: Vec<u8>,
}

/// What there is now.
#[derive(Default)]
pub struct StateAnswer {
    pub(crate) state: Cty,
    pub(crate) private: Vec<u8>,
    pub(crate) diagnostics: Diagnostics,
}

/// A [`Resource`] without its types. Made by [`crate::resource`].
pub trait ErasedResource<P>: Send + Sync {
    /// [`Resource::NAME`]
    fn name(&self) -> &'static str;
    /// [`Resource::SCHEMA_VERSION`]
    fn schema_version(&self) -> i64;
    /// The schema.
    fn block(&self) -> &Block;
    /// Runs all validators.
    fn validate(&self, config: Cty) -> Diagnostics;
    /// [`Resource::upgrade`]
    fn upgrade(&self, version: i64, state: JsonMap<String, Json>) -> Result<Option<JsonMap<String, Json>>, Diagnostics>;
    /// Plans a create, update or destroy.
    fn plan(&self, call: Call<P>, request: PlanRequest) -> BoxFuture<'_, PlanAnswer>;
    /// Makes what was planned.
    fn apply(&self, call: Call<P>, request: ApplyRequest) -> BoxFuture<'_, StateAnswer>;
    /// [`Resource::read`]
    fn read(&self, call: Call<P>, state: Cty, private: Vec<u8>) -> BoxFuture<'_, StateAnswer>;
    /// [`Resource::import`]
    fn import(&self, call: Call<P>, id: String) -> BoxFuture<'_, StateAnswer>;
}

/// A [`DataSource`] without its types. Made by [`crate::data_source`].
pub trait ErasedDataSource<P>: Send + Sync {
    /// [`DataSource::NAME`]
    fn name(&self) -> &'static str;
    /// The schema.
    fn block(&self) -> &Block;
    /// Runs all validators.
    fn validate(&self, config: Cty) -> Diagnostics;
    /// [`DataSource::read`]
    fn read(&self, call: Call<P>, config: Cty) -> BoxFuture<'_, Result<(Cty, Diagnostics), Diagnostics>>;
}

/// Takes a resource's types away, so that a provider can list it.
pub fn resource<R: Resource>(resource: R) -> Box<dyn ErasedResource<R::Provider>> {
    let mut block = R::Model::block();
    R::TIMEOUTS.describe(&mut block);
    Box::new(Typed::new(block, resource))
}

/// Takes a data source's types away, so that a provider can list it.
pub fn data_source<D: DataSource>(data_source: D) -> Box<dyn ErasedDataSource<D::Provider>> {
    Box::new(Typed::new(D::Model::block(), data_source))
}
