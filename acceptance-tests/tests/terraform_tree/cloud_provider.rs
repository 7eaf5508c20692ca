//! A provider that has `hashicorp/aws`' schemas and no cloud: what a module writes is held to the names, types and blocks
//! that the real one has (`aws.json`, by `make cloud-schemas`), planned, and remembered by Terraform alone.
//!
//! What the cloud would fill in is made up, and always the same for the same resource. Nothing is known of what AWS would refuse.

use std::net::SocketAddr;
use std::sync::Arc;

use acceptance_tests::terraform::Kind;
use proto::tfplugin5 as wire;
use rmpv::Value;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use wire::provider_server::{Provider, ProviderServer};

/// A running provider; Terraform is told of it by [`CloudProvider::reattach`].
pub(crate) struct CloudProvider {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl CloudProvider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let schemas = serde_json::from_str(include_str!("aws.json")).unwrap();
        let server = tonic::transport::Server::builder().add_service(ProviderServer::new(Fixture { schemas: Arc::new(schemas) }));
        let task = tokio::spawn(async move {
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { address, task }
    }

    /// The value of `TF_REATTACH_PROVIDERS`: Terraform then starts no provider of its own, and installs none.
    pub(crate) fn reattach(&self, kind: Kind) -> String {
        json!({
            format!("{}/hashicorp/aws", kind.registry()): {
                "Protocol": "grpc",
                "ProtocolVersion": 5,
                "Pid": std::process::id(),
                "Test": true,
                "Addr": {"Network": "tcp", "String": self.address.to_string()},
            }
        })
        .to_string()
    }
}

impl Drop for CloudProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Fixture {
    schemas: Arc<Json>,
}

impl Fixture {
    fn schema(&self, kind: &str, name: &str) -> &Json {
        &self.schemas[kind][name]
    }
}

/// The attributes of a resource that only the cloud fills in, with their types.
fn computed(schema: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let attributes = schema["attributes"].as_object().into_iter().flatten();
    attributes.filter(|(_, attribute)| attribute["computed"] == true).map(|(name, attribute)| (name.as_str(), &attribute["type"]))
}

/// A schema as the wire has it.
fn block(schema: &Json) -> wire::schema::Block {
    let flag = |attribute: &Json, name: &str| attribute[name] == true;
    let attributes = schema["attributes"].as_object().into_iter().flatten().map(|(name, attribute)| wire::schema::Attribute {
        name: name.clone(),
        r#type: attribute["type"].to_string().into_bytes(),
        required: flag(attribute, "required"),
        optional: flag(attribute, "optional"),
        // Which optional ones the cloud fills in where nothing is given is not known: any may be.
        computed: flag(attribute, "computed") || flag(attribute, "optional"),
        ..Default::default()
    });
    let blocks = schema["blocks"].as_object().into_iter().flatten().map(|(name, nested)| wire::schema::NestedBlock {
        type_name: name.clone(),
        block: Some(block(&nested["block"])),
        nesting: match nested["nesting"].as_str() {
            Some("single") => wire::schema::nested_block::NestingMode::Single.into(),
            Some("set") => wire::schema::nested_block::NestingMode::Set.into(),
            _ => wire::schema::nested_block::NestingMode::List.into(),
        },
        min_items: nested["min"].as_i64().unwrap_or_default(),
        max_items: nested["max"].as_i64().unwrap_or_default(),
    });
    wire::schema::Block { attributes: attributes.collect(), block_types: blocks.collect(), ..Default::default() }
}

fn schema(json: &Json) -> wire::Schema {
    wire::Schema { version: 0, block: Some(block(json)) }
}

/// The provider block: what our configurations set in it.
fn provider_schema() -> wire::Schema {
    schema(&json!({
        "attributes": {
            "region": {"type": "string", "optional": true},
            "profile": {"type": "string", "optional": true},
            "allowed_account_ids": {"type": ["set", "string"], "optional": true},
        },
        "blocks": {
            "default_tags": {"nesting": "list", "max": 1, "block": {
                "attributes": {"tags": {"type": ["map", "string"], "optional": true}}, "blocks": {},
            }},
        },
    }))
}

fn decode(value: Option<wire::DynamicValue>) -> Value {
    let bytes = value.unwrap_or_default().msgpack;
    rmpv::decode::read_value(&mut bytes.as_slice()).unwrap_or(Value::Nil)
}

#[allow(clippy::unnecessary_wraps, reason = "messages have it optional")]
fn encode(value: &Value) -> Option<wire::DynamicValue> {
    let mut msgpack = Vec::new();
    rmpv::encode::write_value(&mut msgpack, value).unwrap();
    Some(wire::DynamicValue { msgpack, json: Vec::new() })
}

/// What Terraform writes for a value that only an apply will tell.
fn unknown() -> Value {
    Value::Ext(0, vec![0])
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::F64(number.as_f64().unwrap_or_default()), |whole| Value::Integer(whole.into()))
        }
        Json::String(text) => Value::String(text.as_str().into()),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (Value::String(name.as_str().into()), from_json(value))).collect())
        }
    }
}

/// What the cloud would have made of an attribute.
fn made_up(resource: &str, name: &str, attribute: &str, kind: &Json) -> Value {
    match kind.as_str() {
        Some("number") => Value::Integer(1.into()),
        Some("bool") => Value::Boolean(false),
        Some(_) => Value::String(format!("{resource}/{name}/{attribute}").into()),
        None if kind[0] == "map" => Value::Map(Vec::new()),
        None => Value::Array(vec![Value::String(format!("{resource}/{name}/{attribute}").into())]),
    }
}

/// What tells one resource of a kind from another: its name where it has one.
fn name_of(object: &[(Value, Value)]) -> String {
    let named = ["bucket", "name", "user", "name_prefix", "subnet_id", "tag_key"];
    let text = |wanted: &&str| object.iter().find(|(key, _)| key.as_str() == Some(wanted)).and_then(|(_, value)| value.as_str());
    named.iter().find_map(text).unwrap_or("one").to_owned()
}

/// Puts something in the place of each computed attribute that has `from` for a value.
fn fill(schema: &Json, value: &mut Value, from: impl Fn(&Value) -> bool, to: impl Fn(&str, &Json, &str) -> Value) {
    let Value::Map(object) = value else { return };
    let name = name_of(object);
    for (attribute, kind) in computed(schema) {
        for (key, value) in object.iter_mut() {
            if key.as_str() == Some(attribute) && from(value) {
                *value = to(attribute, kind, &name);
            }
        }
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn not_served<T>() -> Answer<T> {
    Err(Status::unimplemented("this provider has schemas alone"))
}

#[tonic::async_trait]
impl Provider for Fixture {
    async fn get_schema(&self, _: Request<wire::get_provider_schema::Request>) -> Answer<wire::get_provider_schema::Response> {
        let all = |kind: &str| {
            let schemas = self.schemas[kind].as_object().into_iter().flatten();
            schemas.map(|(name, json)| (name.clone(), schema(json))).collect()
        };
        Ok(Response::new(wire::get_provider_schema::Response {
            provider: Some(provider_schema()),
            resource_schemas: all("resources"),
            data_source_schemas: all("data"),
            ..Default::default()
        }))
    }

    async fn prepare_provider_config(
        &self,
        request: Request<wire::prepare_provider_config::Request>,
    ) -> Answer<wire::prepare_provider_config::Response> {
        Ok(Response::new(wire::prepare_provider_config::Response {
            prepared_config: request.into_inner().config,
            diagnostics: Vec::new(),
        }))
    }

    async fn configure(&self, _: Request<wire::configure::Request>) -> Answer<wire::configure::Response> {
        Ok(Response::new(wire::configure::Response::default()))
    }

    async fn stop(&self, _: Request<wire::stop::Request>) -> Answer<wire::stop::Response> {
        Ok(Response::new(wire::stop::Response::default()))
    }

    async fn validate_resource_type_config(
        &self,
        _: Request<wire::validate_resource_type_config::Request>,
    ) -> Answer<wire::validate_resource_type_config::Response> {
        Ok(Response::new(wire::validate_resource_type_config::Response::default()))
    }

    async fn validate_data_source_config(
        &self,
        _: Request<wire::validate_data_source_config::Request>,
    ) -> Answer<wire::validate_data_source_config::Response> {
        Ok(Response::new(wire::validate_data_source_config::Response::default()))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<wire::upgrade_resource_state::Request>,
    ) -> Answer<wire::upgrade_resource_state::Response> {
        let raw = request.into_inner().raw_state.unwrap_or_default().json;
        let state: Json = serde_json::from_slice(&raw).map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(wire::upgrade_resource_state::Response {
            upgraded_state: encode(&from_json(&state)),
            diagnostics: Vec::new(),
        }))
    }

    async fn read_resource(&self, request: Request<wire::read_resource::Request>) -> Answer<wire::read_resource::Response> {
        Ok(Response::new(wire::read_resource::Response { new_state: request.into_inner().current_state, ..Default::default() }))
    }

    async fn plan_resource_change(
        &self,
        request: Request<wire::plan_resource_change::Request>,
    ) -> Answer<wire::plan_resource_change::Response> {
        let request = request.into_inner();
        let mut planned = decode(request.proposed_new_state);
        if decode(request.prior_state).is_nil() {
            fill(self.schema("resources", &request.type_name), &mut planned, Value::is_nil, |_, _, _| unknown());
        }
        Ok(Response::new(wire::plan_resource_change::Response { planned_state: encode(&planned), ..Default::default() }))
    }

    async fn apply_resource_change(
        &self,
        request: Request<wire::apply_resource_change::Request>,
    ) -> Answer<wire::apply_resource_change::Response> {
        let request = request.into_inner();
        let mut state = decode(request.planned_state);
        let resource = request.type_name;
        let made = |attribute: &str, kind: &Json, name: &str| made_up(&resource, name, attribute, kind);
        fill(self.schema("resources", &resource), &mut state, |value| matches!(value, Value::Ext(..)), made);
        Ok(Response::new(wire::apply_resource_change::Response { new_state: encode(&state), ..Default::default() }))
    }

    async fn read_data_source(
        &self,
        request: Request<wire::read_data_source::Request>,
    ) -> Answer<wire::read_data_source::Response> {
        let request = request.into_inner();
        let mut state = decode(request.config);
        let source = request.type_name;
        let made = |attribute: &str, kind: &Json, name: &str| made_up(&source, name, attribute, kind);
        fill(self.schema("data", &source), &mut state, Value::is_nil, made);
        Ok(Response::new(wire::read_data_source::Response { state: encode(&state), ..Default::default() }))
    }

    // What no test of ours leads to.

    async fn get_metadata(&self, _: Request<wire::get_metadata::Request>) -> Answer<wire::get_metadata::Response> {
        not_served()
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<wire::get_resource_identity_schemas::Request>,
    ) -> Answer<wire::get_resource_identity_schemas::Response> {
        not_served()
    }

    async fn get_functions(&self, _: Request<wire::get_functions::Request>) -> Answer<wire::get_functions::Response> {
        not_served()
    }

    async fn upgrade_resource_identity(
        &self,
        _: Request<wire::upgrade_resource_identity::Request>,
    ) -> Answer<wire::upgrade_resource_identity::Response> {
        not_served()
    }

    async fn import_resource_state(
        &self,
        _: Request<wire::import_resource_state::Request>,
    ) -> Answer<wire::import_resource_state::Response> {
        not_served()
    }

    async fn move_resource_state(
        &self,
        _: Request<wire::move_resource_state::Request>,
    ) -> Answer<wire::move_resource_state::Response> {
        not_served()
    }

    async fn validate_ephemeral_resource_config(
        &self,
        _: Request<wire::validate_ephemeral_resource_config::Request>,
    ) -> Answer<wire::validate_ephemeral_resource_config::Response> {
        not_served()
    }

    async fn open_ephemeral_resource(
        &self,
        _: Request<wire::open_ephemeral_resource::Request>,
    ) -> Answer<wire::open_ephemeral_resource::Response> {
        not_served()
    }

    async fn renew_ephemeral_resource(
        &self,
        _: Request<wire::renew_ephemeral_resource::Request>,
    ) -> Answer<wire::renew_ephemeral_resource::Response> {
        not_served()
    }

    async fn close_ephemeral_resource(
        &self,
        _: Request<wire::close_ephemeral_resource::Request>,
    ) -> Answer<wire::close_ephemeral_resource::Response> {
        not_served()
    }

    async fn call_function(&self, _: Request<wire::call_function::Request>) -> Answer<wire::call_function::Response> {
        not_served()
    }
}
