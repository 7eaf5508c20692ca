//! moto's server: a child process on a loopback port of its own, which ends when this process does.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};

use super::Error;
use super::answer::{Answer, Refusal};
use super::parameters::Parameters;
use super::request::Request;
use super::xml::Element;

/// The server and how to reach it.
pub(crate) struct Moto {
    address: SocketAddr,
    child: Mutex<Child>,
    /// The child ends when this closes, even if this process is killed.
    _lifeline: Option<ChildStdin>,
}

/// Whose call of our own it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
}

pub(crate) const EC2_VERSION: &str = "2016-11-15";
pub(crate) const ELBV2_VERSION: &str = "2015-12-01";
pub(crate) const IAM_VERSION: &str = "2010-05-08";

impl Moto {
    /// Starts the server with these images and waits until it listens.
    pub(crate) async fn start(images: &Path) -> Result<Self, Error> {
        let python = crate::python::interpreter().await?;
        let mut child = Command::new(python)
            .arg(crate::python::folder().join("serve.py"))
            .env("MOTO_AMIS_PATH", images)
            .env("MOTO_ENABLE_AMI_VALIDATION", "true")
            .env("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true")
            .env("MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS", "false")
            // Its own look at AWS variables must not depend on who runs the sandbox.
            .env_remove("MOTO_ACCOUNT_ID")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::Moto)?;
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take().ok_or(Error::MotoSilent)?;
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        tokio::time::timeout(Duration::from_mins(1), reader.read_line(&mut line))
            .await
            .map_err(|_| Error::MotoSilent)?
            .map_err(Error::Moto)?;
        let port: u16 = line.trim().parse().map_err(|_| Error::MotoSilent)?;
        Ok(Self { address: (Ipv4Addr::LOCALHOST, port).into(), child: Mutex::new(child), _lifeline: lifeline })
    }

    /// Ends the server.
    pub(crate) fn end(&self) {
        if let Err(error) = self.child.lock().unwrap_or_else(PoisonError::into_inner).start_kill() {
            tracing::debug!("moto had ended before: {error}");
        }
    }

    /// Passes a client's request on.
    pub(crate) async fn forward(&self, request: &Request, account: &str) -> Result<Answer, Refusal> {
        let mut builder = http::Request::builder().method(request.method.clone()).uri(&request.target);
        if let Some(headers) = builder.headers_mut() {
            for (name, value) in &request.headers {
                let hop = [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::EXPECT];
                if !hop.contains(name) {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        let body = if request.parameters.is_empty() { request.body.clone() } else { Bytes::from(request.parameters.encode()) };
        if !request.parameters.is_empty() {
            builder = builder.method(Method::POST).uri("/");
            if let Some(headers) = builder.headers_mut() {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            }
        }
        self.send(builder, body, account).await
    }

    /// A call of our own on a query service; it is not in the ledger.
    pub(crate) async fn query(&self, service: &str, caller: Caller<'_>, parameters: &Parameters) -> Result<Element, Refusal> {
        let builder = http::Request::builder()
            .method(Method::POST)
            .uri("/")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, authorization(service, caller.region));
        let answer = self.send(builder, Bytes::from(parameters.encode()), caller.account).await?;
        accepted(&answer)
    }

    /// A call of our own on EC2.
    pub(crate) async fn ec2(&self, caller: Caller<'_>, action: &str, pairs: &[(&str, &str)]) -> Result<Element, Refusal> {
        self.query("ec2", caller, &Parameters::of(action, EC2_VERSION, pairs)).await
    }

    /// A call of our own on a REST service.
    pub(crate) async fn rest(
        &self,
        service: &str,
        caller: Caller<'_>,
        method: Method,
        target: &str,
        body: String,
    ) -> Result<Element, Refusal> {
        let builder = http::Request::builder()
            .method(method)
            .uri(target)
            .header(header::AUTHORIZATION, authorization(service, caller.region));
        let answer = self.send(builder, Bytes::from(body), caller.account).await?;
        accepted(&answer)
    }

    /// The answer of a REST service that is no XML.
    pub(crate) async fn rest_text(&self, service: &str, caller: Caller<'_>, target: &str) -> Result<String, Refusal> {
        let builder = http::Request::builder()
            .method(Method::GET)
            .uri(target)
            .header(header::AUTHORIZATION, authorization(service, caller.region));
        let answer = self.send(builder, Bytes::new(), caller.account).await?;
        if answer.is_ok() {
            Ok(String::from_utf8_lossy(&answer.body).into_owned())
        } else {
            Err(Refusal::new(&answer.code(), "").with_status(answer.status))
        }
    }

    async fn send(&self, builder: http::request::Builder, body: Bytes, account: &str) -> Result<Answer, Refusal> {
        let request = builder
            .header(header::HOST, self.address.to_string())
            .header("x-moto-account-id", account)
            .body(Full::new(body))
            .map_err(|error| broken(&error))?;
        let stream = TcpStream::connect(self.address).await.map_err(|error| broken(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let driver = tokio::spawn(connection);
        let exchange = async {
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            Ok::<_, hyper::Error>((parts, body.collect().await?.to_bytes()))
        };
        let result = tokio::time::timeout(Duration::from_mins(1), exchange).await;
        driver.abort();
        let (parts, body) = result.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?;
        let mut headers = parts.headers;
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
            headers.remove(name);
        }
        Ok(Answer { status: parts.status, headers, body })
    }
}

fn authorization(service: &str, region: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=AKIASANDBOX/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0")
}

fn accepted(answer: &Answer) -> Result<Element, Refusal> {
    if answer.is_ok() {
        return Ok(answer.tree());
    }
    let tree = answer.tree();
    let message = tree.all("Message").first().map(|message| message.text().to_owned()).unwrap_or_default();
    Err(Refusal { status: answer.status, code: answer.code(), message })
}

/// The sandbox itself is broken: a client sees a server error that says so.
fn broken(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!("the sandbox's moto does not answer: {error}");
    Refusal::new("SandboxBroken", format!("the sandbox's moto does not answer: {error}"))
        .with_status(StatusCode::INTERNAL_SERVER_ERROR)
}
