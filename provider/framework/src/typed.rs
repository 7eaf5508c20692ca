//! Operations on a typed resource or data source: decoded, run within their limits, held to core's rules, and encoded.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use serde_json::Map as JsonMap;
use serde_json::Value as Json;

use crate::context::{ApplyContext, Checkpoint, PlanContext, ReadContext, Warnings, locked};
use crate::cty::Cty;
use crate::data_source::DataSource;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::erased::{ApplyRequest, Call, ErasedDataSource, ErasedResource, PlanAnswer, PlanRequest, StateAnswer};
use crate::model::BlockValue;
use crate::operation::Limits;
use crate::path::Path;
use crate::resource::Resource;
use crate::schema::Block;
use crate::timeouts::Operation;
use crate::{nulls, plan, private, rules};

/// Something typed with its schema, which is made once.
pub(crate) struct Typed<T> {
    block: Block,
    inner: T,
}

impl<T> Typed<T> {
    pub(crate) fn new(block: Block, inner: T) -> Self {
        Self { block, inner }
    }
}

pub(crate) fn decode<M: BlockValue>(value: Cty) -> Result<M, Diagnostics> {
    M::from_cty(value, &Path::root()).map_err(Into::into)
}

/// Decodes a configuration and runs the validators on it.
pub(crate) fn validated<M: BlockValue>(block: &Block, config: Cty, check: impl FnOnce(&M, &mut Diagnostics)) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    nulls::check(block, &config, &Path::root(), &mut diagnostics);
    let model: M = match decode(config) {
        Ok(model) => model,
        Err(broken) => {
            diagnostics.extend(broken);
            return diagnostics;
        }
    };
    model.check(&Path::root(), &mut diagnostics);
    check(&model, &mut diagnostics);
    diagnostics
}

fn unreadable_private(error: &serde_json::Error) -> Diagnostics {
    Diagnostic::error("Private state cannot be read")
        .detail(format!(
            "What the state keeps privately for this resource does not have the form that this version of the provider \
             reads: {error}. If a newer version wrote it, use that one."
        ))
        .into()
}

fn unwritable_private(error: &serde_json::Error) -> Diagnostics {
    Diagnostic::error("Private state cannot be written")
        .detail(format!("It does not go into JSON: {error}. This is a mistake of the provider; please report it."))
        .into()
}

const NOTHING_CHANGED: &str = "Nothing was changed. Try again.";
const STATE_SAYS: &str = "What exists by now is in the state where it could be noted. Apply again to go on.";

impl<R: Resource> ErasedResource<R::Provider> for Typed<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn schema_version(&self) -> i64 {
        R::SCHEMA_VERSION
    }

    fn block(&self) -> &Block {
        &self.block
    }

    fn validate(&self, config: Cty) -> Diagnostics {
        validated::<R::Model>(&self.block, config, |model, diagnostics| self.inner.validate(model, diagnostics))
    }

    fn upgrade(&self, version: i64, state: JsonMap<String, Json>) -> Result<Option<JsonMap<String, Json>>, Diagnostics> {
        self.inner.upgrade(version, state)
    }

    fn plan(&self, call: Call<R::Provider>, request: PlanRequest) -> BoxFuture<'_, PlanAnswer> {
        Box::pin(self.planned(call, request))
    }

    fn apply(&self, call: Call<R::Provider>, request: ApplyRequest) -> BoxFuture<'_, StateAnswer> {
        Box::pin(self.applied(call, request))
    }

    fn read(&self, call: Call<R::Provider>, state: Cty, private: Vec<u8>) -> BoxFuture<'_, StateAnswer> {
        Box::pin(self.refreshed(call, state, private))
    }

    fn import(&self, call: Call<R::Provider>, id: String) -> BoxFuture<'_, StateAnswer> {
        Box::pin(self.imported(call, id))
    }
}

impl<R: Resource> Typed<R> {
    async fn planned(&self, call: Call<R::Provider>, request: PlanRequest) -> PlanAnswer {
        let what = format!("Planning `{}`", call.type_name);
        let timeouts = decode::<R::Model>(if request.config.is_null() { request.prior.clone() } else { request.config.clone() });
        let timeouts = timeouts.map(|model| Operation::Read.timeout(R::timeouts(&model), &R::TIMEOUTS));
        let limits = Limits {
            what: &what,
            advice: NOTHING_CHANGED,
            setting: Some(Operation::Read.attribute()),
            timeout: timeouts.unwrap_or(R::TIMEOUTS.read),
            stop: &call.stop,
        };
        let cx = PlanContext {
            provider: call.provider,
            stop: call.stop.clone(),
            deadline: limits.deadline(),
            warnings: Warnings::default(),
            replacements: Mutex::default(),
        };
        let result = limits.run(self.plan_change(&cx, request)).await;
        let mut diagnostics = cx.warnings.take();
        match result {
            Ok(answer) => PlanAnswer { diagnostics, ..answer },
            Err(errors) => {
                diagnostics.extend(errors);
                PlanAnswer { diagnostics, ..PlanAnswer::default() }
            }
        }
    }

    async fn plan_change(&self, cx: &PlanContext<R::Provider>, request: PlanRequest) -> Result<PlanAnswer, Diagnostics> {
        let PlanRequest { prior, config, private } = request;
        let (private, _) = private::decode::<R::Private, R::Planned>(&private).map_err(|e| unreadable_private(&e))?;
        if config.is_null() {
            let model = decode(prior)?;
            let note = self.inner.plan_destroy(cx, private.as_ref(), &model).await?;
            let private = private::encode_plan(private.as_ref(), &note).map_err(|e| unwritable_private(&e))?;
            return Ok(PlanAnswer { private, ..PlanAnswer::default() });
        }
        let proposed = plan::propose(&self.block, &prior, &config);
        let config_model: R::Model = decode(config.clone())?;
        let mut model: R::Model = decode(proposed)?;
        let note = if prior.is_null() {
            self.inner.plan_create(cx, &config_model, &mut model).await?
        } else {
            let prior: R::Model = decode(prior.clone())?;
            self.inner.plan_update(cx, private.as_ref(), &prior, &config_model, &mut model).await?
        };
        let planned = model.to_cty();
        rules::plan(&self.block, &prior, &config, &planned)?;
        let mut requires_replace = std::mem::take(&mut *locked(&cx.replacements));
        if prior.is_null() {
            requires_replace.clear();
        } else {
            requires_replace.extend(plan::replacements(&self.block, &prior, &planned));
            requires_replace.sort();
            requires_replace.dedup();
        }
        let private = private::encode_plan(private.as_ref(), &note).map_err(|e| unwritable_private(&e))?;
        Ok(PlanAnswer { planned, private, requires_replace, diagnostics: Diagnostics::new() })
    }

    async fn applied(&self, call: Call<R::Provider>, request: ApplyRequest) -> StateAnswer {
        let (verb, operation) = match (&request.prior, &request.planned) {
            (Cty::Null, _) => ("Creating", Operation::Create),
            (_, Cty::Null) => ("Deleting", Operation::Delete),
            _ => ("Updating", Operation::Update),
        };
        let what = format!("{verb} `{}`", call.type_name);
        let configured = decode::<R::Model>(match operation {
            Operation::Delete => request.prior.clone(),
            _ => request.planned.clone(),
        });
        let timeout = configured.map(|model| operation.timeout(R::timeouts(&model), &R::TIMEOUTS));
        let limits = Limits {
            what: &what,
            advice: STATE_SAYS,
            setting: Some(operation.attribute()),
            timeout: timeout.unwrap_or(R::TIMEOUTS.read),
            stop: &call.stop,
        };
        let cx = ApplyContext::<R> {
            provider: call.provider,
            stop: call.stop.clone(),
            deadline: limits.deadline(),
            warnings: Warnings::default(),
            checkpoint: Mutex::default(),
        };
        let result = limits.run(self.apply_change(&cx, operation, request)).await;
        let mut diagnostics = cx.warnings.take();
        match result {
            Ok(Checkpoint { state, private }) => StateAnswer { state, private, diagnostics },
            Err(errors) => {
                diagnostics.extend(errors);
                // Without a checkpoint the answer is null: core then keeps the row as it was, with its private state, and
                // makes none for a create. (It has more than is known here: the delete half of a replacement is given no
                // private state.)
                match locked(&cx.checkpoint).take() {
                    Some(Checkpoint { state, private }) => StateAnswer { state, private, diagnostics },
                    None => StateAnswer { diagnostics, ..StateAnswer::default() },
                }
            }
        }
    }

    async fn apply_change(
        &self,
        cx: &ApplyContext<R>,
        operation: Operation,
        request: ApplyRequest,
    ) -> Result<Checkpoint, Diagnostics> {
        let ApplyRequest { prior, planned, private } = request;
        let (private, note) = private::decode(&private).map_err(|e| unreadable_private(&e))?;
        let note: R::Planned = note.unwrap_or_default();
        let result = match operation {
            Operation::Create => self.inner.create(cx, note, decode(planned.clone())?).await?,
            Operation::Delete => {
                self.inner.delete(cx, private, note, decode(prior)?).await?;
                return Ok(Checkpoint { state: Cty::Null, private: Vec::new() });
            }
            Operation::Update | Operation::Read => {
                self.inner.update(cx, private, note, decode(prior)?, decode(planned.clone())?).await?
            }
        };
        let (model, private) = result;
        let state = model.to_cty();
        // Whatever is wrong with the answer, what it says is what exists.
        cx.checkpoint(&model, &private);
        rules::apply(&self.block, &planned, &state)?;
        let private = private::encode_state(Some(&private)).map_err(|e| unwritable_private(&e))?;
        Ok(Checkpoint { state, private })
    }

    async fn refreshed(&self, call: Call<R::Provider>, state: Cty, private: Vec<u8>) -> StateAnswer {
        let what = format!("Reading `{}`", call.type_name);
        let model = match decode::<R::Model>(state.clone()) {
            Ok(model) => model,
            Err(diagnostics) => {
                return StateAnswer { state, private, diagnostics };
            }
        };
        let limits = Limits {
            what: &what,
            advice: NOTHING_CHANGED,
            setting: Some(Operation::Read.attribute()),
            timeout: Operation::Read.timeout(R::timeouts(&model), &R::TIMEOUTS),
            stop: &call.stop,
        };
        let cx = ReadContext {
            provider: call.provider,
            stop: call.stop.clone(),
            deadline: limits.deadline(),
            warnings: Warnings::default(),
        };
        let result = limits
            .run(async {
                let (private, _) = private::decode::<R::Private, R::Planned>(&private).map_err(|e| unreadable_private(&e))?;
                let Some((model, private)) = self.inner.read(&cx, private, model).await? else {
                    return Ok((Cty::Null, Vec::new()));
                };
                let state = model.to_cty();
                rules::known(&self.block, &state, "after it was read")?;
                let private = private::encode_state(private.as_ref()).map_err(|e| unwritable_private(&e))?;
                Ok((state, private))
            })
            .await;
        let mut diagnostics = cx.warnings.take();
        match result {
            Ok((state, private)) => StateAnswer { state, private, diagnostics },
            Err(errors) => {
                diagnostics.extend(errors);
                StateAnswer { state, private, diagnostics }
            }
        }
    }

    async fn imported(&self, call: Call<R::Provider>, id: String) -> StateAnswer {
        let what = format!("Importing `{}` with the id `{id}`", call.type_name);
        let limits = Limits { what: &what, advice: NOTHING_CHANGED, setting: None, timeout: R::TIMEOUTS.read, stop: &call.stop };
        let cx = ReadContext {
            provider: call.provider,
            stop: call.stop.clone(),
            deadline: limits.deadline(),
            warnings: Warnings::default(),
        };
        let result = limits
            .run(async {
                let (model, private) = self.inner.import(&cx, &id).await?;
                let state = model.to_cty();
                rules::known(&self.block, &state, "after its import")?;
                let private = private::encode_state(private.as_ref()).map_err(|e| unwritable_private(&e))?;
                Ok((state, private))
            })
            .await;
        let mut diagnostics = cx.warnings.take();
        match result {
            Ok((state, private)) => StateAnswer { state, private, diagnostics },
            Err(errors) => {
                diagnostics.extend(errors);
                StateAnswer { diagnostics, ..StateAnswer::default() }
            }
        }
    }
}

impl<D: DataSource> ErasedDataSource<D::Provider> for Typed<D> {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn block(&self) -> &Block {
        &self.block
    }

    fn validate(&self, config: Cty) -> Diagnostics {
        validated::<D::Model>(&self.block, config, |model, diagnostics| self.inner.validate(model, diagnostics))
    }

    fn read(&self, call: Call<D::Provider>, config: Cty) -> BoxFuture<'_, Result<(Cty, Diagnostics), Diagnostics>> {
        Box::pin(async move {
            let what = format!("Reading the data source `{}`", call.type_name);
            let limits = Limits { what: &what, advice: NOTHING_CHANGED, setting: None, timeout: D::TIMEOUT, stop: &call.stop };
            let cx = ReadContext {
                provider: call.provider,
                stop: call.stop.clone(),
                deadline: limits.deadline(),
                warnings: Warnings::default(),
            };
            let config = plan::with_defaults(&self.block, &config);
            let result = limits
                .run(async {
                    let state = self.inner.read(&cx, decode(config)?).await?.to_cty();
                    rules::known(&self.block, &state, "after it was read")?;
                    Ok(state)
                })
                .await;
            let mut diagnostics = cx.warnings.take();
            match result {
                Ok(state) => Ok((state, diagnostics)),
                Err(errors) => {
                    diagnostics.extend(errors);
                    Err(diagnostics)
                }
            }
        })
    }
}
