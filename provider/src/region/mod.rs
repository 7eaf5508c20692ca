//! `inferadb_region`: all that outlives a cluster.

mod apply;
mod checks;
mod model;
mod plan;
mod read;
mod state;

use std::time::Duration;

use tf_provider::{ApplyContext, DefaultTimeouts, Diagnostics, PlanContext, ReadContext, Resource, Timeouts, Value};

use crate::claims::Remake;
use crate::configured::Configured;

pub(crate) use model::RegionModel;

/// The resource `inferadb_region`.
pub(crate) struct RegionResource;

impl Resource for RegionResource {
    const NAME: &'static str = "region";
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: Duration::from_mins(30),
        read: Duration::from_mins(5),
        update: Duration::from_mins(30),
        delete: Duration::from_mins(30),
    };

    type Provider = Configured;
    type Model = RegionModel;
    type Private = ();
    type Planned = Remake;

    fn timeouts(model: &RegionModel) -> &Value<Timeouts> {
        &model.timeouts
    }

    fn validate(&self, config: &RegionModel, diagnostics: &mut Diagnostics) {
        plan::validate(config, diagnostics);
        plan::lacking(config, diagnostics);
    }

    async fn plan_create(
        &self,
        cx: &PlanContext<Configured>,
        config: &RegionModel,
        plan: &mut RegionModel,
    ) -> Result<Remake, Diagnostics> {
        plan::create(cx, config, plan).await
    }

    async fn plan_update(
        &self,
        cx: &PlanContext<Configured>,
        _private: Option<&()>,
        prior: &RegionModel,
        config: &RegionModel,
        plan: &mut RegionModel,
    ) -> Result<Remake, Diagnostics> {
        plan::update(cx, prior, config, plan).await?;
        Ok(Remake::default())
    }

    async fn create(
        &self,
        cx: &ApplyContext<Self>,
        _planned: Remake,
        plan: RegionModel,
    ) -> Result<(RegionModel, ()), Diagnostics> {
        Ok((Box::pin(apply::create(cx, plan)).await?, ()))
    }

    async fn read(
        &self,
        cx: &ReadContext<Configured>,
        _private: Option<()>,
        state: RegionModel,
    ) -> Result<Option<(RegionModel, Option<()>)>, Diagnostics> {
        Ok(Box::pin(read::read(cx, state)).await?.map(|model| (model, None)))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Self>,
        _private: Option<()>,
        _planned: Remake,
        prior: RegionModel,
        plan: RegionModel,
    ) -> Result<(RegionModel, ()), Diagnostics> {
        Ok((Box::pin(apply::update(cx, &prior, plan)).await?, ()))
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Self>,
        _private: Option<()>,
        planned: Remake,
        prior: RegionModel,
    ) -> Result<(), Diagnostics> {
        apply::delete(cx, &planned, &prior).await
    }

    async fn import(&self, cx: &ReadContext<Configured>, id: &str) -> Result<(RegionModel, Option<()>), Diagnostics> {
        Ok((read::import(cx, id).await?, None))
    }
}
