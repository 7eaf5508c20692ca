//! What Talos refuses in a config that it can read, as far as a user can cause it.
//!
//! A node whose user data Talos refuses has no API at all, so this is asked before a machine is bought. Nothing is refused
//! here that Talos takes. Source: the `Validate` and `V1Alpha1ConflictValidate` methods of Talos' config types, in the mode
//! of a cloud node.

mod cluster;
mod conflicts;
mod documents;
mod machine;
mod names;

pub use names::{label_for_worker, label_value, qualified_name};

use crate::config::{Documents, MachineConfig};
use crate::schema;
use crate::tree::Tree;
use crate::version::TalosVersion;

/// Something that Talos refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {message}")]
pub struct Violation {
    /// Where: `cluster.controlPlane.endpoint`, or for other documents `HostnameConfig: hostname`.
    pub path: String,
    /// What is wrong. Quotes names and addresses, no secrets.
    pub message: String,
}

/// All that Talos of that version would refuse in a config; nothing for one that a node takes.
pub fn validate(config: &MachineConfig, version: &TalosVersion) -> Vec<Violation> {
    let documents = config.documents();
    let mut rules = Rules { documents, minor: version.minor(), violations: Vec::new() };
    for document in documents.iter() {
        if let Err(problem) = schema::retype(document, version) {
            rules.refuse(problem.path, problem.message);
        }
    }
    if documents.machine(&[]).is_none() {
        rules.refuse("machine", "the config has no `machine`");
        return rules.violations;
    }
    rules.machine();
    rules.cluster();
    rules.conflicts();
    rules.other_documents();
    rules.violations
}

struct Rules<'c> {
    documents: &'c Documents,
    minor: u16,
    violations: Vec<Violation>,
}

impl Rules<'_> {
    fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.violations.push(Violation { path: path.into(), message: message.into() });
    }

    /// Refuses with the error's words where there is one.
    fn require(&mut self, path: impl Into<String>, result: Result<(), String>) {
        if let Err(message) = result {
            self.refuse(path, message);
        }
    }

    fn is_control_plane(&self) -> bool {
        matches!(self.documents.machine_text(&["type"]), Some("controlplane" | "init"))
    }
}

/// A text that is there and says something.
fn filled(tree: Option<&Tree>) -> Option<&str> {
    tree.and_then(Tree::as_text).filter(|text| !text.is_empty())
}

/// The texts of a list.
fn texts(tree: Option<&Tree>) -> impl Iterator<Item = &str> {
    tree.and_then(Tree::as_list).unwrap_or_default().iter().filter_map(Tree::as_text)
}

/// A URL with a host, and a port only where that is one.
fn endpoint(url: &str) -> Result<(), String> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None if authority.matches(':').count() > 2 => {
            return Err("an IPv6 address stands in brackets in a URL: `https://[fd00::1]:6443`".to_owned());
        }
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("the URL has no host: it is written like `https://HOST:6443`".to_owned());
    }
    match port {
        Some(port) if !port.is_empty() && !matches!(port.parse::<u32>(), Ok(1..=65535)) => Err(format!("`{port}` is no port")),
        _ => Ok(()),
    }
}

/// An address or a range of addresses; `!` in front leaves it out.
fn subnet(text: &str) -> Result<(), String> {
    let text = text.strip_prefix('!').unwrap_or(text);
    if text.parse::<ipnet::IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    Err(format!("`{text}` is neither an address nor a range of addresses"))
}
