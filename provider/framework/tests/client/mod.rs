//! A client as Terraform is one: starts the example provider `notes`, makes mutual TLS and calls it.

#![allow(dead_code, unreachable_pub)] // each test file uses its own part
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy knows tests by their attribute only
#![allow(clippy::struct_field_names)] // a state's state is what the protocol calls it

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper_util::rt::TokioIo;
use proto::tfplugin5 as wire;
use proto::tfplugin5::provider_client::ProviderClient;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rmpv::Value as Raw;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

pub const COOKIE: (&str, &str) = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");
/// No step of a test takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The example provider's program, which `cargo test` builds (with `--test` alone it does not).
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/notes");
    assert!(program.exists(), "`{}` is not built", program.display());
    program
}

/// A client's key and certificate of the kind that go-plugin makes: P-521, self-signed, an authority.
pub struct Identity {
    key: KeyPair,
    certificate: CertificateDer<'static>,
    pub pem: String,
}

impl Identity {
    pub fn new() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { key, certificate: certificate.der().clone(), pem: certificate.pem() }
    }

    fn tls(&self, server: &str) -> TlsConnector {
        let server = CertificateDer::from(STANDARD_NO_PAD.decode(server).unwrap());
        let mut roots = RootCertStore::empty();
        roots.add(server).unwrap();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![self.certificate.clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

/// What the handshake line says.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub line: String,
    pub socket: PathBuf,
    pub certificate: String,
}

impl Handshake {
    pub async fn read(stdout: ChildStdout) -> Self {
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        tokio::time::timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
        let line = line.trim_end().to_owned();
        let parts: Vec<&str> = line.split('|').collect();
        let (socket, certificate) = (PathBuf::from(parts[3]), parts[5].to_owned());
        Self { line, socket, certificate }
    }
}

/// A channel over the provider's socket; with TLS as `identity`.
pub async fn connect(handshake: &Handshake, identity: Option<&Identity>) -> Result<Channel, tonic::transport::Error> {
    let tls = identity.map(|identity| identity.tls(&handshake.certificate));
    let socket = handshake.socket.clone();
    let connector = tower::service_fn(move |_| {
        let (tls, socket) = (tls.clone(), socket.clone());
        async move {
            let stream = UnixStream::connect(socket).await?;
            match tls {
                None => Ok(TokioIo::new(Box::new(stream) as Box<dyn Stream>)),
                Some(tls) => {
                    let name = ServerName::try_from("localhost").unwrap();
                    Ok::<_, std::io::Error>(TokioIo::new(Box::new(tls.connect(name, stream).await?) as Box<dyn Stream>))
                }
            }
        }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await
}

pub trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}

/// A started provider, and a connection to it.
pub struct Client {
    pub child: Child,
    pub handshake: Handshake,
    pub identity: Identity,
    pub channel: Channel,
    pub provider: ProviderClient<Channel>,
    /// Where the notes are.
    pub folder: TempDir,
    /// Where the socket is.
    pub sockets: TempDir,
}

/// The provider as Terraform starts it.
pub fn command(identity: &Identity, sockets: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .env(COOKIE.0, COOKIE.1)
        .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
        .env("PLUGIN_CLIENT_CERT", &identity.pem)
        .env("PLUGIN_UNIX_SOCKET_DIR", sockets)
        .env_remove("TF_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Client {
    /// Started and connected.
    pub async fn start() -> Self {
        Self::start_as(|_| {}).await
    }

    /// The same, with a change to how it is started.
    pub async fn start_as(change: impl FnOnce(&mut Command)) -> Self {
        let identity = Identity::new();
        let sockets = TempDir::new().unwrap();
        let mut command = command(&identity, sockets.path());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let handshake = Handshake::read(child.stdout.take().unwrap()).await;
        let channel = connect(&handshake, Some(&identity)).await.unwrap();
        let provider = ProviderClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
        Self { child, handshake, identity, channel, provider, folder: TempDir::new().unwrap(), sockets }
    }

    /// Started, connected and configured.
    pub async fn configured() -> Self {
        let mut client = Self::start().await;
        client.configure().await;
        client
    }

    pub async fn configure(&mut self) {
        let config = json!({ "folder": self.folder.path() });
        let request = wire::configure::Request {
            terraform_version: "1.11.4".into(),
            config: Some(value(&config)),
            client_capabilities: None,
        };
        let answer = self.provider.configure(request).await.unwrap().into_inner();
        assert_eq!(said(&answer.diagnostics), "");
    }

    /// Plans; a null configuration plans a destroy.
    pub async fn plan(&mut self, prior: &Json, config: &Json, private: &[u8]) -> Planned {
        let request = wire::plan_resource_change::Request {
            type_name: "notes_note".into(),
            prior_state: Some(value(prior)),
            proposed_new_state: Some(value(config)),
            config: Some(value(config)),
            prior_private: private.to_vec(),
            ..Default::default()
        };
        let answer = self.provider.plan_resource_change(request).await.unwrap().into_inner();
        Planned {
            said: said(&answer.diagnostics),
            state: answer.planned_state.as_ref().map_or(Json::Null, json_of),
            private: answer.planned_private,
            requires_replace: answer.requires_replace.iter().map(path_text).collect(),
        }
    }

    /// Applies what was planned.
    pub async fn apply(&mut self, prior: &Json, planned: &Planned) -> State {
        let answer = self.provider.apply_resource_change(apply_request(prior, planned)).await.unwrap().into_inner();
        State::of(answer)
    }

    /// Plans and applies a new note, which must go well.
    pub async fn create(&mut self, config: &Json) -> State {
        let planned = self.plan(&Json::Null, config, &[]).await;
        assert_eq!(planned.said, "");
        let state = self.apply(&Json::Null, &planned).await;
        assert_eq!(state.said, "");
        state
    }

    pub async fn read(&mut self, state: &Json, private: &[u8]) -> (Json, Vec<u8>) {
        let request = wire::read_resource::Request {
            type_name: "notes_note".into(),
            current_state: Some(value(state)),
            private: private.to_vec(),
            ..Default::default()
        };
        let answer = self.provider.read_resource(request).await.unwrap().into_inner();
        assert_eq!(said(&answer.diagnostics), "");
        (answer.new_state.as_ref().map_or(Json::Null, json_of), answer.private)
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("the provider goes on").unwrap()
    }
}

pub fn apply_request(prior: &Json, planned: &Planned) -> wire::apply_resource_change::Request {
    wire::apply_resource_change::Request {
        type_name: "notes_note".into(),
        prior_state: Some(value(prior)),
        planned_state: Some(value(&planned.state)),
        config: None,
        planned_private: planned.private.clone(),
        ..Default::default()
    }
}

#[derive(Debug, Clone)]
pub struct Planned {
    pub said: String,
    pub state: Json,
    pub private: Vec<u8>,
    pub requires_replace: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct State {
    pub said: String,
    pub state: Json,
    pub private: Vec<u8>,
}

impl State {
    pub fn of(answer: wire::apply_resource_change::Response) -> Self {
        Self {
            said: said(&answer.diagnostics),
            state: answer.new_state.as_ref().map_or(Json::Null, json_of),
            private: answer.private,
        }
    }
}

/// A note's configuration: `changes` over one that sets nothing but the name.
pub fn note(changes: &Json) -> Json {
    let mut note = json!({
        "name": "alpha", "text": null, "repeat": null, "tags": null, "price": null,
        "keywords": null, "related": null, "password": null, "id": null, "revision": null,
        "lines": null, "reader": {}, "footnote": [], "mark": [],
        "layout": { "width": null, "turned": null }, "subject": null, "timeouts": null,
    });
    for (name, value) in changes.as_object().unwrap() {
        note[name] = value.clone();
    }
    note
}

/// Stands for an unknown value in JSON.
pub const UNKNOWN: &str = "\u{0}unknown";

pub fn value(json: &Json) -> wire::DynamicValue {
    let mut msgpack = Vec::new();
    rmpv::encode::write_value(&mut msgpack, &raw(json)).unwrap();
    wire::DynamicValue { msgpack, json: Vec::new() }
}

fn raw(json: &Json) -> Raw {
    match json {
        Json::Null => Raw::Nil,
        Json::Bool(truth) => Raw::from(*truth),
        Json::Number(number) => Raw::from(number.as_i64().unwrap()),
        Json::String(text) if text == UNKNOWN => Raw::Ext(0, vec![0]),
        Json::String(text) => Raw::from(text.as_str()),
        Json::Array(elements) => Raw::Array(elements.iter().map(raw).collect()),
        Json::Object(entries) => Raw::Map(entries.iter().map(|(key, value)| (Raw::from(key.as_str()), raw(value))).collect()),
    }
}

pub fn json_of(value: &wire::DynamicValue) -> Json {
    from_raw(&rmpv::decode::read_value(&mut value.msgpack.as_slice()).unwrap())
}

fn from_raw(raw: &Raw) -> Json {
    match raw {
        Raw::Nil => Json::Null,
        Raw::Boolean(truth) => json!(truth),
        Raw::Integer(number) => json!(number.as_i64().unwrap()),
        Raw::String(text) => json!(text.as_str().unwrap()),
        Raw::Ext(..) => json!(UNKNOWN),
        Raw::Array(elements) => elements.iter().map(from_raw).collect(),
        Raw::Map(entries) => entries.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), from_raw(value))).collect(),
        other => panic!("{other}"),
    }
}

/// Diagnostics as a user would read them, one a line.
pub fn said(diagnostics: &[wire::Diagnostic]) -> String {
    let lines = diagnostics.iter().map(|diagnostic| {
        let severity = diagnostic.severity().as_str_name().to_lowercase();
        let place = diagnostic.attribute.as_ref().map(|path| format!(" at {}", path_text(path))).unwrap_or_default();
        format!("{severity}{place}: {}. {}", diagnostic.summary, diagnostic.detail).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn path_text(path: &wire::AttributePath) -> String {
    use wire::attribute_path::step::Selector;
    let steps = path.steps.iter().map(|step| match step.selector.as_ref().unwrap() {
        Selector::AttributeName(name) => format!(".{name}"),
        Selector::ElementKeyString(key) => format!("[{key}]"),
        Selector::ElementKeyInt(index) => format!("[{index}]"),
    });
    steps.collect::<String>().trim_start_matches('.').to_owned()
}
