//! The trait that a managed resource implements.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{ApplyContext, PlanContext, ReadContext};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::Model;
use crate::timeouts::{DefaultTimeouts, Timeouts};
use crate::value::Value;

/// What a read finds: the model and what to store as private, or nothing.
pub type Found<R> = Result<Option<(<R as Resource>::Model, Option<<R as Resource>::Private>)>, Diagnostics>;

/// A managed resource: how it is planned, made, read, changed and removed. Methods may be written as `async fn`.
///
/// Each operation runs until it is done, its timeout, or the user's stop; then it is dropped where it stands. A panic is
/// caught. So an operation neither watches the clock nor the stop: it calls [`ApplyContext::checkpoint`] after each
/// object that it made, and what it noted last becomes the state.
pub trait Resource: Send + Sync + 'static {
    /// The type's name without the provider's: `region` for `inferadb_region`.
    const NAME: &'static str;
    /// The version of the state's form. A change that old states cannot be read by needs the next number and
    /// [`Resource::upgrade`].
    const SCHEMA_VERSION: i64 = 0;
    /// How long operations may take where the user says nothing.
    const TIMEOUTS: DefaultTimeouts;

    /// What configuring the provider makes.
    type Provider: Send + Sync + 'static;
    /// The resource's block.
    type Model: Model;
    /// What the state holds beside the model, hidden from plans and outputs (though not encrypted).
    type Private: Serialize + DeserializeOwned + Send + Sync;
    /// What a plan notes for its apply.
    type Planned: Serialize + DeserializeOwned + Default + Send + Sync;

    /// The block `timeouts` of the model.
    fn timeouts(model: &Self::Model) -> &Value<Timeouts>;

    /// Checks that concern several attributes at once. Values may be unknown; what depends on one passes.
    fn validate(&self, config: &Self::Model, diagnostics: &mut Diagnostics) {
        let _ = (config, diagnostics);
    }

    /// Makes the plan for a new resource. `plan` is the configuration with defaults filled in and with computed
    /// attributes unknown.
    fn plan_create(
        &self,
        cx: &PlanContext<Self::Provider>,
        config: &Self::Model,
        plan: &mut Self::Model,
    ) -> impl Future<Output = Result<Self::Planned, Diagnostics>> + Send;

    /// Makes the plan for a change. `plan` is the configuration with defaults filled in and with computed attributes as
    /// they were before: set unknown what will change. A plan that equals `prior` changes nothing.
    fn plan_update(
        &self,
        cx: &PlanContext<Self::Provider>,
        private: Option<&Self::Private>,
        prior: &Self::Model,
        config: &Self::Model,
        plan: &mut Self::Model,
    ) -> impl Future<Output = Result<Self::Planned, Diagnostics>> + Send;

    /// Makes the plan for removing it. An error keeps it.
    fn plan_destroy(
        &self,
        cx: &PlanContext<Self::Provider>,
        private: Option<&Self::Private>,
        prior: &Self::Model,
    ) -> impl Future<Output = Result<Self::Planned, Diagnostics>> + Send {
        let _ = (cx, private, prior);
        async { Ok(Self::Planned::default()) }
    }

    /// Makes the resource as planned; every unknown value of the plan is known in what it returns.
    fn create(
        &self,
        cx: &ApplyContext<Self>,
        planned: Self::Planned,
        plan: Self::Model,
    ) -> impl Future<Output = Result<(Self::Model, Self::Private), Diagnostics>> + Send;

    /// Looks what has become of it; `None` where it is gone. What it returns as private is what is stored.
    fn read(
        &self,
        cx: &ReadContext<Self::Provider>,
        private: Option<Self::Private>,
        state: Self::Model,
    ) -> impl Future<Output = Found<Self>> + Send;

    /// Changes it as planned; every unknown value of the plan is known in what it returns.
    fn update(
        &self,
        cx: &ApplyContext<Self>,
        private: Option<Self::Private>,
        planned: Self::Planned,
        prior: Self::Model,
        plan: Self::Model,
    ) -> impl Future<Output = Result<(Self::Model, Self::Private), Diagnostics>> + Send;

    /// Removes it. In a replacement core gives the note of the plan that creates the successor, and no private data; in a
    /// destroy the note of [`Resource::plan_destroy`] and the private data.
    fn delete(
        &self,
        cx: &ApplyContext<Self>,
        private: Option<Self::Private>,
        planned: Self::Planned,
        prior: Self::Model,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Finds what exists under `id`. Core reads it right after.
    fn import(
        &self,
        cx: &ReadContext<Self::Provider>,
        id: &str,
    ) -> impl Future<Output = Result<(Self::Model, Option<Self::Private>), Diagnostics>> + Send {
        let _ = (cx, id);
        async {
            Err(Diagnostic::error("Import is not supported")
                .detail("What stands already cannot be taken into a state by this type of resource.")
                .into())
        }
    }

    /// Brings the state of an older [`Resource::SCHEMA_VERSION`] to today's form; `Ok(None)` where it cannot.
    fn upgrade(
        &self,
        version: i64,
        state: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Option<serde_json::Map<String, serde_json::Value>>, Diagnostics> {
        let _ = (version, state);
        Ok(None)
    }
}
