//! Machine configs: what makes a machine a node of a cluster.

mod contract;
mod documents;
mod fixed;
mod found;
mod generate;
mod kubernetes;

pub use fixed::FixedError;
pub use found::Found;
pub use generate::{ClusterInput, ConfigError, NodeInput, Role, generate};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::fingerprint::fingerprint;
use crate::patch::Identity;
use crate::schema::{self, Problem};
use crate::tree::Tree;
use crate::version::TalosVersion;
use crate::yaml::{self, YamlError};

pub(crate) use documents::Documents;

/// A machine config: one or more documents. Wiped when dropped; has no `Debug`.
#[derive(Clone)]
pub struct MachineConfig {
    documents: Documents,
    text: Zeroizing<String>,
}

/// A Kubernetes manifest that a config brings along.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name in the config.
    pub name: String,
    /// YAML of one or more objects.
    pub contents: Zeroizing<String>,
}

impl MachineConfig {
    pub(crate) fn new(documents: Documents) -> Self {
        let text = yaml::emit(documents.iter());
        Self { documents, text }
    }

    /// Reads a config that was found on a node. Fields that this version of Talos does not know are an error.
    pub fn parse(text: &str, version: &TalosVersion) -> Result<Self, ParseError> {
        let mut problems = Vec::new();
        let mut documents: Vec<Tree> = Vec::new();
        let mut identities: Vec<Identity> = Vec::new();
        for node in yaml::parse(text)? {
            let document = schema::read_document(&node, version, &mut problems);
            let identity = Identity::of(&document, version);
            if identities.contains(&identity) {
                let message = format!("the config has the {identity} twice");
                problems.push(Problem { line: node.line, path: "kind".to_owned(), message });
            }
            identities.push(identity);
            documents.push(document);
        }
        match problems.into_iter().next() {
            Some(problem) => Err(problem.into()),
            None => Ok(Self::new(Documents::new(documents))),
        }
    }

    /// Whether a node of that version reads the same from both, however they are written.
    pub fn same_as(&self, other: &Self, version: &TalosVersion) -> bool {
        if self.documents.same_as(&other.documents) {
            return true;
        }
        let read = |config: &Self| Self::parse(&config.text, version).ok();
        matches!((read(self), read(other)), (Some(one), Some(other)) if one.documents.same_as(&other.documents))
    }

    /// The config as YAML, as a node takes it.
    pub fn to_yaml(&self) -> &str {
        &self.text
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Tells this config from others: 16 hexadecimal digits, the same however keys are ordered.
    ///
    /// It may stand in plain state: the hash is keyed with the cluster's own secret, which is in every config, so that
    /// no value in it can be guessed by trying. A changed secret changes it.
    pub fn fingerprint(&self) -> String {
        let documents = &self.documents;
        let key = [
            documents.machine_text(&["token"]).unwrap_or_default(),
            documents
                .cluster_text(&["secret"])
                .or_else(|| documents.of_kind("DiscoveryIdentityConfig")?.text_at(&["clusterSecret"]))
                .unwrap_or_default(),
        ];
        let key = Zeroizing::new(key.join("\n"));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.as_bytes());
        let mut hash = Sha256::new();
        let mut ordered: Vec<_> = documents.iter().map(canonical).collect();
        ordered.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        for document in &ordered {
            hash.update(document.as_bytes());
            hash.update([0xff]);
        }
        let digest = aws_lc_rs::hmac::sign(&key, &hash.finalize());
        fingerprint(digest.as_ref())
    }

    /// Whether the cluster gets a network from its configs, so that its nodes become ready by themselves: flannel,
    /// which Talos installs unless told otherwise, or manifests that bring another.
    pub fn brings_cni(&self) -> bool {
        self.documents.brings_cni()
    }

    /// The config without its inline manifests, and the manifests: for user data that would else be too large.
    pub fn without_inline_manifests(&self) -> (Self, Vec<Manifest>) {
        let mut documents = self.documents.clone();
        let manifests = documents.take_inline_manifests();
        (Self::new(documents), manifests)
    }
}

/// Why a config could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Talos would not take it.
    #[error("line {line}, `{path}`: {message}")]
    Field {
        /// The line, from 1.
        line: usize,
        /// Where in the document.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl From<Problem> for ParseError {
    fn from(problem: Problem) -> Self {
        Self::Field { line: problem.line, path: problem.path, message: problem.message }
    }
}

/// A text that is the same for two trees that say the same.
fn canonical(tree: &Tree) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(16 * 1024));
    write_canonical(&mut out, tree);
    out
}

fn write_canonical(out: &mut String, tree: &Tree) {
    match tree {
        Tree::Null => out.push('~'),
        Tree::Bool(value) => out.push_str(if *value { "t" } else { "f" }),
        Tree::Number(number) => {
            out.push('#');
            out.push_str(number);
            out.push(';');
        }
        Tree::Text(text) => {
            // The length in front makes the end of a text clear.
            out.push_str(&text.len().to_string());
            out.push(':');
            out.push_str(text);
        }
        Tree::List(list) => {
            out.push('[');
            for item in list {
                write_canonical(out, item);
            }
            out.push(']');
        }
        Tree::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in entries {
                out.push_str(&key.len().to_string());
                out.push(':');
                out.push_str(key);
                write_canonical(out, value);
            }
            out.push('}');
        }
    }
}
