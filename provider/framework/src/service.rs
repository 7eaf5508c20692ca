//! The provider as the protocol sees it: finds whom a request is for, and has it done.

mod calls;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::tfplugin5 as wire;
use tokio_util::sync::CancellationToken;

use crate::context::{ConfigureContext, Warnings, locked};
use crate::cty::Cty;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::erased::{ApplyRequest, Call, ErasedDataSource, ErasedResource, PlanAnswer, PlanRequest, StateAnswer};
use crate::model::BlockValue;
use crate::operation::Limits;
use crate::provider::Provider;
use crate::schema::Block;
use crate::{plan, typed, wire as convert};

/// How long configuring may take: it prepares, and asks no cloud.
const CONFIGURE: Duration = Duration::from_mins(2);

/// One provider, served.
pub(crate) struct Service<P: Provider> {
    provider: P,
    block: Block,
    resources: BTreeMap<String, Box<dyn ErasedResource<P::Configured>>>,
    data_sources: BTreeMap<String, Box<dyn ErasedDataSource<P::Configured>>>,
    configured: Mutex<Option<Arc<P::Configured>>>,
    stop: CancellationToken,
}

impl<P: Provider> Service<P> {
    /// `stop` is cancelled by the client's Stop; whoever holds it may cancel it as well.
    pub(crate) fn new(provider: P, stop: CancellationToken) -> Self {
        let full = |name: &str| format!("{}_{name}", P::NAME);
        Self {
            provider,
            block: P::Config::block(),
            resources: P::resources().into_iter().map(|resource| (full(resource.name()), resource)).collect(),
            data_sources: P::data_sources().into_iter().map(|source| (full(source.name()), source)).collect(),
            configured: Mutex::default(),
            stop,
        }
    }

    fn resource(&self, type_name: &str) -> Result<&dyn ErasedResource<P::Configured>, Diagnostics> {
        self.resources.get(type_name).map(AsRef::as_ref).ok_or_else(|| unknown_type("resource", type_name))
    }

    fn data_source(&self, type_name: &str) -> Result<&dyn ErasedDataSource<P::Configured>, Diagnostics> {
        self.data_sources.get(type_name).map(AsRef::as_ref).ok_or_else(|| unknown_type("data source", type_name))
    }

    fn call(&self, type_name: &str) -> Result<Call<P::Configured>, Diagnostics> {
        let provider = locked(&self.configured).clone().ok_or_else(|| {
            Diagnostic::error("The provider is not configured")
                .detail(format!("`{type_name}` was asked for before the provider's own block was read."))
        })?;
        Ok(Call { provider, stop: self.stop.clone(), type_name: type_name.to_owned() })
    }

    async fn configure(&self, request: wire::configure::Request) -> Diagnostics {
        let cx = ConfigureContext {
            terraform_version: request.terraform_version,
            stop: self.stop.clone(),
            warnings: Warnings::default(),
        };
        let limits = Limits {
            what: "Configuring the provider",
            advice: "Nothing was changed. Try again.",
            setting: None,
            timeout: CONFIGURE,
            stop: &self.stop,
        };
        let work = async {
            let config = convert::read(request.config, &self.block)?;
            self.provider.configure(&cx, typed::decode(plan::with_defaults(&self.block, &config))?).await
        };
        let result = limits.run(work).await;
        let mut diagnostics = cx.warnings.take();
        match result {
            Ok(configured) => *locked(&self.configured) = Some(configured),
            Err(errors) => diagnostics.extend(errors),
        }
        diagnostics
    }

    async fn plan(&self, request: wire::plan_resource_change::Request) -> Result<PlanAnswer, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let block = resource.block();
        // Core leaves the configuration null where it plans a destroy; so it is the proposal that tells.
        let destroys = convert::read(request.proposed_new_state, block)?.is_null();
        let config = if destroys { Cty::Null } else { convert::read(request.config, block)? };
        let prior = convert::read(request.prior_state, block)?;
        let call = self.call(&request.type_name)?;
        Ok(resource.plan(call, PlanRequest { prior, config, private: request.prior_private }).await)
    }

    async fn apply(&self, request: wire::apply_resource_change::Request) -> Result<StateAnswer, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let block = resource.block();
        let request_values = ApplyRequest {
            prior: convert::read(request.prior_state, block)?,
            planned: convert::read(request.planned_state, block)?,
            private: request.planned_private,
        };
        Ok(resource.apply(self.call(&request.type_name)?, request_values).await)
    }

    async fn read(&self, request: wire::read_resource::Request) -> Result<StateAnswer, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        let state = convert::read(request.current_state, resource.block())?;
        Ok(resource.read(self.call(&request.type_name)?, state, request.private).await)
    }

    async fn import(&self, request: wire::import_resource_state::Request) -> Result<StateAnswer, Diagnostics> {
        let resource = self.resource(&request.type_name)?;
        if request.id.is_empty() {
            return Err(Diagnostic::error("Import needs an id")
                .detail(format!(
                    "`{}` is imported by its id, not by an identity: set `id` in the `import` block.",
                    request.type_name
                ))
                .into());
        }
        Ok(resource.import(self.call(&request.type_name)?, request.id).await)
    }

    fn upgrade(&self, request: wire::upgrade_resource_state::Request) -> Result<wire::DynamicValue, Diagnostics> {
        let type_name = &request.type_name;
        let resource = self.resource(type_name)?;
        let current = resource.schema_version();
        let raw = request.raw_state.unwrap_or_default();
        if raw.json.is_empty() {
            return Err(Diagnostic::error("The state is too old")
                .detail(format!(
                    "The state of this `{type_name}` has the form of Terraform 0.11. Remove it from the state and import it."
                ))
                .into());
        }
        let state = match request.version.cmp(&current) {
            Ordering::Equal => convert::read_json(&raw.json, resource.block())?,
            Ordering::Greater => return Err(newer_state(type_name, request.version, current)),
            Ordering::Less => {
                let json = serde_json::from_slice(&raw.json).map_err(|error| {
                    Diagnostic::error("The state cannot be read")
                        .detail(format!("The state of this `{type_name}` is not a JSON object: {error}."))
                })?;
                let upgraded = resource.upgrade(request.version, json)?;
                let upgraded = upgraded.ok_or_else(|| older_state(type_name, request.version, current))?;
                let json = serde_json::Value::Object(upgraded).to_string();
                convert::read_json(json.as_bytes(), resource.block())?
            }
        };
        convert::write(&state, &resource.block().ty())
    }

    /// The state's answer for the wire. Should the state itself not go over, that is an error beside what does.
    fn state(&self, type_name: &str, answer: &Cty, diagnostics: &mut Diagnostics) -> Option<wire::DynamicValue> {
        let block = self.resources.get(type_name)?.block();
        match convert::write(answer, &block.ty()) {
            Ok(value) => Some(value),
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        }
    }
}

fn unknown_type(kind: &str, type_name: &str) -> Diagnostics {
    Diagnostic::error(format!("Unknown {kind}"))
        .detail(format!("This version of the provider has no {kind} `{type_name}`."))
        .into()
}

fn newer_state(type_name: &str, version: i64, current: i64) -> Diagnostics {
    Diagnostic::error("The state is of a newer provider")
        .detail(format!(
            "The state of this `{type_name}` has version {version}, and this provider knows versions up to {current}. \
             Use the provider's version that wrote it, or a later one."
        ))
        .into()
}

fn older_state(type_name: &str, version: i64, current: i64) -> Diagnostics {
    Diagnostic::error("The state is of an older provider")
        .detail(format!(
            "The state of this `{type_name}` has version {version}, and this provider cannot bring it to version \
             {current}. Apply with a version of the provider in between, or remove it from the state and import it."
        ))
        .into()
}

fn capabilities() -> wire::ServerCapabilities {
    wire::ServerCapabilities { plan_destroy: true, get_provider_schema_optional: true, ..Default::default() }
}
