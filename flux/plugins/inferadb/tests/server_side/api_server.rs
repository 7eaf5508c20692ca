//! A throw-away API server with its etcd, on loopback, started as Talos starts it.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{Api, until};
use crate::definitions::{Definitions, wait_until_served};
use crate::support::built;

/// A server, which ends with this.
pub(crate) struct ApiServer {
    pub(crate) api: Api,
    // What asks ends before what is asked, and the folder goes last.
    programs: Vec<Lifeline>,
    folder: TempDir,
}

impl ApiServer {
    /// Starts both, and waits until the API is served.
    pub(crate) fn start(admission: &Value, definitions: &Definitions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let token = token();
        let [store, peers, api] = free_ports();
        let (store, peers) = (format!("http://127.0.0.1:{store}"), format!("http://127.0.0.1:{peers}"));
        definitions.copy_to(&at("etcd"));
        fs::write(at("admission.json"), admission.to_string()).unwrap();
        fs::write(at("tokens.csv"), format!("{token},admin,admin,system:masters\n")).unwrap();
        fs::write(at("kubeconfig"), kubeconfig(api, &token).to_string()).unwrap();

        let mut etcd = Command::new(built("ETCD_CLI", "etcd"));
        etcd.arg("--data-dir").arg(at("etcd")).args(["--unsafe-no-fsync", "--log-level", "warn"]);
        etcd.args(["--listen-client-urls", &store, "--advertise-client-urls", &store]);
        etcd.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        etcd.args(["--initial-cluster", &format!("default={peers}")]);
        let etcd = Lifeline::spawn(&etcd, &at("etcd.log"));

        let mut server = Command::new(built("KUBE_APISERVER_CLI", "kube-apiserver"));
        let mut set = |option: &str, value: &str| {
            server.arg(format!("--{option}={value}"));
        };
        let text = |name: &str| at(name).to_str().unwrap().to_owned();
        set("etcd-servers", &store);
        set("bind-address", "127.0.0.1");
        set("secure-port", &api.to_string());
        set("token-auth-file", &text("tokens.csv"));
        // The server makes its own certificate there, and its key serves for service accounts, too.
        set("cert-dir", &text("certificates"));
        set("service-account-key-file", &text("certificates/apiserver.key"));
        set("service-account-signing-key-file", &text("certificates/apiserver.key"));
        set("service-account-issuer", "https://127.0.0.1");
        set("service-cluster-ip-range", "10.96.0.0/12");
        // There is no address that pods could reach it at.
        set("endpoint-reconciler-type", "none");
        // As Talos has it, from here on.
        set("admission-control-config-file", &text("admission.json"));
        set("enable-admission-plugins", "NodeRestriction");
        set("authorization-mode", "Node,RBAC");
        set("allow-privileged", "true");
        set("anonymous-auth", "false");
        let server = Lifeline::spawn(&server, &at("kube-apiserver.log"));

        let mut server = Self { api: Api::new(at("socket")), programs: vec![server, etcd], folder };
        server.wait("has a certificate", |server| {
            // It is written before its key.
            let key = server.folder.path().join("certificates/apiserver.key");
            if key.exists() { Ok(()) } else { Err(format!("there is no {}", key.display())) }
        });
        server.log_in();
        server.wait("is ready", |server| server.api.get("/readyz").accepted());
        wait_until_served(&server.api);
        server
    }

    /// Starts what logs in for all requests.
    fn log_in(&mut self) {
        let at = |name: &str| self.folder.path().join(name);
        let mut proxy = kubectl(self.folder.path());
        proxy.arg("proxy").arg("--unix-socket").arg(at("socket"));
        let proxy = Lifeline::spawn(&proxy, &at("proxy.log"));
        self.programs.insert(0, proxy);
    }

    /// Applies all manifests of a folder.
    pub(crate) fn apply_folder(&self, folder: &Path) {
        let mut kubectl = kubectl(self.folder.path());
        let output = kubectl.args(["apply", "--server-side", "--recursive", "-f"]).arg(folder).output().unwrap();
        assert!(output.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    }

    /// Ends all, and gives what they leave.
    pub(crate) fn end(self) -> TempDir {
        self.folder
    }

    /// Waits for that, as long as all programs run.
    fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> Result<(), String>) {
        until(&format!("the API server {what}"), || {
            let Err(words) = is_so(self) else { return Ok(()) };
            let ended = self.programs.iter_mut().any(Lifeline::has_ended);
            let log = |name| tail(&fs::read_to_string(self.folder.path().join(name)).unwrap_or_default());
            let logs = ["etcd.log", "kube-apiserver.log", "proxy.log"].map(|name| format!("\n{name}:\n{}", log(name))).concat();
            assert!(!ended, "a program ends before the API server {what}: {words}{logs}");
            Err(format!("{words}{logs}"))
        });
    }
}

fn kubectl(folder: &Path) -> Command {
    let mut kubectl = Command::new(built("KUBECTL_CLI", "kubectl"));
    // Nobody's own settings, and their clusters least of all.
    kubectl
        .env_clear()
        .env("HOME", folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("KUBECACHEDIR", folder.join("cache"));
    kubectl
}

/// A program that ends when this goes, even if this process is killed: what it hangs on is its standard input.
struct Lifeline(Child);

impl Lifeline {
    fn spawn(program: &Command, log: &Path) -> Self {
        const UNTIL_IT_BREAKS: &str =
            r#"exec 3<&0; "$@" 3<&- & child=$!; { read -r _ <&3; kill -KILL "$child"; } & wait "$child""#;
        let log = File::create(log).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", UNTIL_IT_BREAKS, "sh"]).arg(program.get_program()).args(program.get_args());
        shell
            .env_clear()
            .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", std::env::var_os("PATH").unwrap());
        Lifeline(shell.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Ports that nobody listens on. All are held until all are found.
fn free_ports<const N: usize>() -> [u16; N] {
    [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap()).map(|held| held.local_addr().unwrap().port())
}

fn token() -> String {
    let mut bytes = [0; 16];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes.iter().fold(String::new(), |token, byte| format!("{token}{byte:02x}"))
}

fn kubeconfig(port: u16, token: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": "certificates/apiserver.crt",
        }}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "admin"}}],
        "current-context": "one",
    })
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
