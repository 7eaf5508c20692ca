//! `inferadb_cluster`: API load balancer, machines, Talos and Kubernetes as one resource.
//!
//! | file | what |
//! | --- | --- |
//! | `model`, `checks` | schema, and the checks of single attributes |
//! | `plan`, `same` | what will happen, what cannot, and what only looks like a change |
//! | `create`, `update`, `delete`, `read`, `import` | the operations |
//! | `desired`, `machines` | which nodes are asked for, and which machines stay, come and go |
//! | `render` | machine configs |
//! | `site` | where a cluster stands: cloud, region, zones |
//! | `secrets` | where a create finds its bundle |
//! | `record` | the row as it grows |
//! | `fleet` | the machines, and the ways to them |
//! | `make`, `targets`, `bring_up` | from nothing to machines behind load balancers to a healthy cluster |
//! | `change`, `rebuild`, `leave` | nodes that change, that are made again, and that go |
//! | `credentials` | admin certificates |

mod bring_up;
mod change;
mod checks;
mod create;
mod credentials;
mod delete;
mod desired;
mod fleet;
mod import;
mod leave;
mod machines;
mod make;
mod model;
mod plan;
mod read;
mod rebuild;
mod record;
mod render;
mod same;
mod secrets;
mod site;
mod targets;
mod update;

use std::time::Duration;

use tf_provider::{ApplyContext, DefaultTimeouts, Diagnostics, PlanContext, ReadContext, Resource, Timeouts, Value};

use crate::claims::Remake;
use crate::configured::Configured;
use model::ClusterModel;
use record::ClusterPrivate;

/// The resource.
pub(crate) struct ClusterResource;

impl Resource for ClusterResource {
    const NAME: &'static str = "cluster";
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: Duration::from_hours(1),
        read: Duration::from_mins(5),
        update: Duration::from_hours(2),
        delete: Duration::from_mins(30),
    };

    type Provider = Configured;
    type Model = ClusterModel;
    type Private = ClusterPrivate;
    type Planned = Remake;

    fn timeouts(model: &ClusterModel) -> &Value<Timeouts> {
        &model.timeouts
    }

    fn validate(&self, config: &ClusterModel, diagnostics: &mut Diagnostics) {
        plan::validate(config, diagnostics);
    }

    async fn plan_create(
        &self,
        cx: &PlanContext<Configured>,
        config: &ClusterModel,
        plan: &mut ClusterModel,
    ) -> Result<Remake, Diagnostics> {
        same::as_configured(config, plan);
        plan::create(cx, config, plan).await
    }

    async fn plan_update(
        &self,
        cx: &PlanContext<Configured>,
        private: Option<&ClusterPrivate>,
        prior: &ClusterModel,
        config: &ClusterModel,
        plan: &mut ClusterModel,
    ) -> Result<Remake, Diagnostics> {
        same::as_configured(config, plan);
        same::keep(private.and_then(|private| private.bundle.as_ref()), config, prior, plan);
        plan::update(cx, private, prior, config, plan).await
    }

    async fn plan_destroy(
        &self,
        _cx: &PlanContext<Configured>,
        _private: Option<&ClusterPrivate>,
        prior: &ClusterModel,
    ) -> Result<Remake, Diagnostics> {
        delete::check_protection(prior)?;
        Ok(Remake::default())
    }

    async fn create(
        &self,
        cx: &ApplyContext<Self>,
        _planned: Remake,
        plan: ClusterModel,
    ) -> Result<(ClusterModel, ClusterPrivate), Diagnostics> {
        Box::pin(create::create(cx, plan)).await
    }

    async fn read(
        &self,
        cx: &ReadContext<Configured>,
        private: Option<ClusterPrivate>,
        state: ClusterModel,
    ) -> Result<Option<(ClusterModel, Option<ClusterPrivate>)>, Diagnostics> {
        Box::pin(read::read(cx, private, state)).await
    }

    async fn update(
        &self,
        cx: &ApplyContext<Self>,
        private: Option<ClusterPrivate>,
        _planned: Remake,
        prior: ClusterModel,
        plan: ClusterModel,
    ) -> Result<(ClusterModel, ClusterPrivate), Diagnostics> {
        Box::pin(update::update(cx, private, prior, plan)).await
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Self>,
        _private: Option<ClusterPrivate>,
        planned: Remake,
        prior: ClusterModel,
    ) -> Result<(), Diagnostics> {
        delete::delete(cx, &planned, &prior).await
    }

    async fn import(
        &self,
        cx: &ReadContext<Configured>,
        id: &str,
    ) -> Result<(ClusterModel, Option<ClusterPrivate>), Diagnostics> {
        let (row, private) = Box::pin(import::import(cx, id)).await?;
        Ok((row, Some(private)))
    }
}
