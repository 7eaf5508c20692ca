//! `inferadb_fdb_backup`: where FoundationDB backs up to.

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

pub(crate) use model::BackupModel;

/// The resource `inferadb_fdb_backup`.
pub(crate) struct BackupResource;

impl Resource for BackupResource {
    const NAME: &'static str = "fdb_backup";
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: Duration::from_mins(20),
        read: Duration::from_mins(5),
        update: Duration::from_mins(20),
        // Emptying a bucket takes as long as it has objects.
        delete: Duration::from_hours(1),
    };

    type Provider = Configured;
    type Model = BackupModel;
    type Private = ();
    type Planned = Remake;

    fn timeouts(model: &BackupModel) -> &Value<Timeouts> {
        &model.timeouts
    }

    fn validate(&self, config: &BackupModel, diagnostics: &mut Diagnostics) {
        plan::validate(config, diagnostics);
    }

    async fn plan_create(
        &self,
        cx: &PlanContext<Configured>,
        config: &BackupModel,
        plan: &mut BackupModel,
    ) -> Result<Remake, Diagnostics> {
        plan::create(cx, config, plan).await
    }

    async fn plan_update(
        &self,
        cx: &PlanContext<Configured>,
        _private: Option<&()>,
        prior: &BackupModel,
        config: &BackupModel,
        plan: &mut BackupModel,
    ) -> Result<Remake, Diagnostics> {
        plan::update(cx, prior, config, plan)?;
        Ok(Remake::default())
    }

    async fn plan_destroy(
        &self,
        _cx: &PlanContext<Configured>,
        _private: Option<&()>,
        prior: &BackupModel,
    ) -> Result<Remake, Diagnostics> {
        plan::destroy(prior)?;
        Ok(Remake::default())
    }

    async fn create(
        &self,
        cx: &ApplyContext<Self>,
        _planned: Remake,
        plan: BackupModel,
    ) -> Result<(BackupModel, ()), Diagnostics> {
        Ok((Box::pin(apply::create(cx, plan)).await?, ()))
    }

    async fn read(
        &self,
        cx: &ReadContext<Configured>,
        _private: Option<()>,
        state: BackupModel,
    ) -> Result<Option<(BackupModel, Option<()>)>, Diagnostics> {
        Ok(Box::pin(read::read(cx, state)).await?.map(|model| (model, None)))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Self>,
        _private: Option<()>,
        _planned: Remake,
        prior: BackupModel,
        plan: BackupModel,
    ) -> Result<(BackupModel, ()), Diagnostics> {
        Ok((Box::pin(apply::update(cx, &prior, plan)).await?, ()))
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Self>,
        _private: Option<()>,
        planned: Remake,
        prior: BackupModel,
    ) -> Result<(), Diagnostics> {
        apply::delete(cx, &planned, &prior).await
    }

    async fn import(&self, cx: &ReadContext<Configured>, id: &str) -> Result<(BackupModel, Option<()>), Diagnostics> {
        Ok((read::import(cx, id).await?, None))
    }
}
