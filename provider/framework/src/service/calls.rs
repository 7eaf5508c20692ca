//! The protocol's calls: each reads its request, has the work done, and writes the answer. Whatever goes wrong is a
//! diagnostic; a call itself never fails.

use std::collections::HashMap;
use std::future::Future;
use std::time::Instant;

use proto::tfplugin5 as wire;
use proto::tfplugin5::provider_server;
use tonic::{Request, Response, Status};

use super::{Service, capabilities, unknown_type};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::erased::{PlanAnswer, StateAnswer};
use crate::provider::Provider;
use crate::{panics, typed, wire as convert};

type Answer<T> = Result<Response<T>, Status>;

/// Runs a handler's work; a panic in it, which is none of an operation's own, becomes a diagnostic as well.
async fn guarded<T>(what: &str, work: impl Future<Output = Result<T, Diagnostics>>) -> Result<T, Diagnostics> {
    let begun = Instant::now();
    let result = match panics::caught(what, work).await {
        Ok(result) => result,
        Err(panic) => Err(panic.into()),
    };
    tracing::debug!(took = ?begun.elapsed(), "{what}");
    result
}

fn guarded_now(what: &str, work: impl FnOnce() -> Result<Diagnostics, Diagnostics>) -> Vec<wire::Diagnostic> {
    let diagnostics = match panics::caught_now(what, work) {
        Ok(Ok(diagnostics) | Err(diagnostics)) => diagnostics,
        Err(panic) => panic.into(),
    };
    convert::diagnostics(diagnostics)
}

#[tonic::async_trait]
impl<P: Provider> provider_server::Provider for Service<P> {
    async fn get_metadata(&self, _: Request<wire::get_metadata::Request>) -> Answer<wire::get_metadata::Response> {
        let resources = self.resources.keys().cloned();
        let data_sources = self.data_sources.keys().cloned();
        Ok(Response::new(wire::get_metadata::Response {
            server_capabilities: Some(capabilities()),
            resources: resources.map(|type_name| wire::get_metadata::ResourceMetadata { type_name }).collect(),
            data_sources: data_sources.map(|type_name| wire::get_metadata::DataSourceMetadata { type_name }).collect(),
            ..Default::default()
        }))
    }

    async fn get_schema(&self, _: Request<wire::get_provider_schema::Request>) -> Answer<wire::get_provider_schema::Response> {
        let resources = self.resources.iter();
        let data_sources = self.data_sources.iter();
        Ok(Response::new(wire::get_provider_schema::Response {
            provider: Some(convert::schema(&self.block, 0)),
            resource_schemas: resources.map(|(name, r)| (name.clone(), convert::schema(r.block(), r.schema_version()))).collect(),
            data_source_schemas: data_sources.map(|(name, source)| (name.clone(), convert::schema(source.block(), 0))).collect(),
            server_capabilities: Some(capabilities()),
            ..Default::default()
        }))
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<wire::get_resource_identity_schemas::Request>,
    ) -> Answer<wire::get_resource_identity_schemas::Response> {
        // No resource has an identity beside its id.
        Ok(Response::new(wire::get_resource_identity_schemas::Response::default()))
    }

    async fn get_functions(&self, _: Request<wire::get_functions::Request>) -> Answer<wire::get_functions::Response> {
        Ok(Response::new(wire::get_functions::Response { functions: HashMap::new(), diagnostics: Vec::new() }))
    }

    async fn prepare_provider_config(
        &self,
        request: Request<wire::prepare_provider_config::Request>,
    ) -> Answer<wire::prepare_provider_config::Response> {
        let config = request.into_inner().config;
        let diagnostics = guarded_now("Validating the provider's configuration", || {
            let config = convert::read(config.clone(), &self.block)?;
            Ok(typed::validated::<P::Config>(&self.block, config, |config, diagnostics| {
                self.provider.validate(config, diagnostics);
            }))
        });
        Ok(Response::new(wire::prepare_provider_config::Response { prepared_config: config, diagnostics }))
    }

    async fn configure(&self, request: Request<wire::configure::Request>) -> Answer<wire::configure::Response> {
        let work = async { Ok(self.configure(request.into_inner()).await) };
        let (Ok(diagnostics) | Err(diagnostics)) = guarded("Configuring the provider", work).await;
        Ok(Response::new(wire::configure::Response { diagnostics: convert::diagnostics(diagnostics) }))
    }

    async fn stop(&self, _: Request<wire::stop::Request>) -> Answer<wire::stop::Response> {
        tracing::info!("stopped by the user");
        self.stop.cancel();
        Ok(Response::new(wire::stop::Response::default()))
    }

    async fn validate_resource_type_config(
        &self,
        request: Request<wire::validate_resource_type_config::Request>,
    ) -> Answer<wire::validate_resource_type_config::Response> {
        let request = request.into_inner();
        let what = format!("Validating `{}`", request.type_name);
        let diagnostics = guarded_now(&what, || {
            let resource = self.resource(&request.type_name)?;
            Ok(resource.validate(convert::read(request.config, resource.block())?))
        });
        Ok(Response::new(wire::validate_resource_type_config::Response { diagnostics }))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<wire::upgrade_resource_state::Request>,
    ) -> Answer<wire::upgrade_resource_state::Response> {
        let request = request.into_inner();
        let what = format!("Reading the state of `{}`", request.type_name);
        let result = guarded(&what, async { self.upgrade(request) }).await;
        let (upgraded_state, diagnostics) = match result {
            Ok(state) => (Some(state), Diagnostics::new()),
            Err(diagnostics) => (None, diagnostics),
        };
        Ok(Response::new(wire::upgrade_resource_state::Response {
            upgraded_state,
            diagnostics: convert::diagnostics(diagnostics),
        }))
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<wire::upgrade_resource_identity::Request>,
    ) -> Answer<wire::upgrade_resource_identity::Response> {
        let diagnostics = Diagnostic::error("No identity")
            .detail(format!("`{}` has no identity beside its id.", request.into_inner().type_name));
        Ok(Response::new(wire::upgrade_resource_identity::Response {
            upgraded_identity: None,
            diagnostics: convert::diagnostics(diagnostics.into()),
        }))
    }

    async fn read_resource(&self, request: Request<wire::read_resource::Request>) -> Answer<wire::read_resource::Response> {
        let request = request.into_inner();
        let type_name = request.type_name.clone();
        let before = (request.current_state.clone(), request.private.clone());
        let result = guarded(&format!("Reading `{type_name}`"), self.read(request)).await;
        Ok(Response::new(match result {
            Ok(StateAnswer { state, private, mut diagnostics }) => wire::read_resource::Response {
                new_state: self.state(&type_name, &state, &mut diagnostics),
                private,
                diagnostics: convert::diagnostics(diagnostics),
                ..Default::default()
            },
            Err(diagnostics) => wire::read_resource::Response {
                new_state: before.0,
                private: before.1,
                diagnostics: convert::diagnostics(diagnostics),
                ..Default::default()
            },
        }))
    }

    async fn plan_resource_change(
        &self,
        request: Request<wire::plan_resource_change::Request>,
    ) -> Answer<wire::plan_resource_change::Response> {
        let request = request.into_inner();
        let type_name = request.type_name.clone();
        let result = guarded(&format!("Planning `{type_name}`"), self.plan(request)).await;
        Ok(Response::new(match result {
            Ok(PlanAnswer { planned, private, requires_replace, mut diagnostics }) => wire::plan_resource_change::Response {
                planned_state: self.state(&type_name, &planned, &mut diagnostics),
                planned_private: private,
                requires_replace: requires_replace.iter().map(convert::path).collect(),
                diagnostics: convert::diagnostics(diagnostics),
                ..Default::default()
            },
            Err(diagnostics) => {
                wire::plan_resource_change::Response { diagnostics: convert::diagnostics(diagnostics), ..Default::default() }
            }
        }))
    }

    async fn apply_resource_change(
        &self,
        request: Request<wire::apply_resource_change::Request>,
    ) -> Answer<wire::apply_resource_change::Response> {
        let request = request.into_inner();
        let type_name = request.type_name.clone();
        let result = guarded(&format!("Applying `{type_name}`"), self.apply(request)).await;
        // Before the operation began nothing exists that the row does not say; null keeps the row.
        let StateAnswer { state, private, mut diagnostics } =
            result.unwrap_or_else(|diagnostics| StateAnswer { diagnostics, ..StateAnswer::default() });
        Ok(Response::new(wire::apply_resource_change::Response {
            new_state: self.state(&type_name, &state, &mut diagnostics),
            private,
            diagnostics: convert::diagnostics(diagnostics),
            ..Default::default()
        }))
    }

    async fn import_resource_state(
        &self,
        request: Request<wire::import_resource_state::Request>,
    ) -> Answer<wire::import_resource_state::Response> {
        let request = request.into_inner();
        let type_name = request.type_name.clone();
        let result = guarded(&format!("Importing `{type_name}`"), self.import(request)).await;
        let StateAnswer { state, private, mut diagnostics } =
            result.unwrap_or_else(|diagnostics| StateAnswer { diagnostics, ..StateAnswer::default() });
        let imported = (!diagnostics.has_errors()).then(|| wire::import_resource_state::ImportedResource {
            state: self.state(&type_name, &state, &mut diagnostics),
            type_name,
            private,
            identity: None,
        });
        Ok(Response::new(wire::import_resource_state::Response {
            imported_resources: imported.into_iter().collect(),
            diagnostics: convert::diagnostics(diagnostics),
            deferred: None,
        }))
    }

    async fn move_resource_state(
        &self,
        request: Request<wire::move_resource_state::Request>,
    ) -> Answer<wire::move_resource_state::Response> {
        let request = request.into_inner();
        let diagnostics = Diagnostic::error("Move is not supported").detail(format!(
            "A `{}` cannot become a `{}`. Remove it from the state and import it as the other type.",
            request.source_type_name, request.target_type_name
        ));
        Ok(Response::new(wire::move_resource_state::Response {
            diagnostics: convert::diagnostics(diagnostics.into()),
            ..Default::default()
        }))
    }

    async fn validate_data_source_config(
        &self,
        request: Request<wire::validate_data_source_config::Request>,
    ) -> Answer<wire::validate_data_source_config::Response> {
        let request = request.into_inner();
        let what = format!("Validating the data source `{}`", request.type_name);
        let diagnostics = guarded_now(&what, || {
            let source = self.data_source(&request.type_name)?;
            Ok(source.validate(convert::read(request.config, source.block())?))
        });
        Ok(Response::new(wire::validate_data_source_config::Response { diagnostics }))
    }

    async fn read_data_source(
        &self,
        request: Request<wire::read_data_source::Request>,
    ) -> Answer<wire::read_data_source::Response> {
        let request = request.into_inner();
        let what = format!("Reading the data source `{}`", request.type_name);
        let work = async {
            let source = self.data_source(&request.type_name)?;
            let config = convert::read(request.config, source.block())?;
            let (state, warnings) = source.read(self.call(&request.type_name)?, config).await?;
            Ok((convert::write(&state, &source.block().ty())?, warnings))
        };
        let (state, diagnostics) = match guarded(&what, work).await {
            Ok((state, warnings)) => (Some(state), warnings),
            Err(diagnostics) => (None, diagnostics),
        };
        Ok(Response::new(wire::read_data_source::Response {
            state,
            diagnostics: convert::diagnostics(diagnostics),
            deferred: None,
        }))
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<wire::validate_ephemeral_resource_config::Request>,
    ) -> Answer<wire::validate_ephemeral_resource_config::Response> {
        let diagnostics = unknown_type("ephemeral resource", &request.into_inner().type_name);
        Ok(Response::new(wire::validate_ephemeral_resource_config::Response { diagnostics: convert::diagnostics(diagnostics) }))
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<wire::open_ephemeral_resource::Request>,
    ) -> Answer<wire::open_ephemeral_resource::Response> {
        let diagnostics = unknown_type("ephemeral resource", &request.into_inner().type_name);
        Ok(Response::new(wire::open_ephemeral_resource::Response {
            diagnostics: convert::diagnostics(diagnostics),
            ..Default::default()
        }))
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<wire::renew_ephemeral_resource::Request>,
    ) -> Answer<wire::renew_ephemeral_resource::Response> {
        let diagnostics = unknown_type("ephemeral resource", &request.into_inner().type_name);
        Ok(Response::new(wire::renew_ephemeral_resource::Response {
            diagnostics: convert::diagnostics(diagnostics),
            ..Default::default()
        }))
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<wire::close_ephemeral_resource::Request>,
    ) -> Answer<wire::close_ephemeral_resource::Response> {
        let diagnostics = unknown_type("ephemeral resource", &request.into_inner().type_name);
        Ok(Response::new(wire::close_ephemeral_resource::Response { diagnostics: convert::diagnostics(diagnostics) }))
    }

    async fn call_function(&self, request: Request<wire::call_function::Request>) -> Answer<wire::call_function::Response> {
        let text = format!("This version of the provider has no function `{}`.", request.into_inner().name);
        Ok(Response::new(wire::call_function::Response {
            result: None,
            error: Some(wire::FunctionError { text, function_argument: None }),
        }))
    }
}
