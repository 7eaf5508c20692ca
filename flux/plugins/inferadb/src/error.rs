//! What can go wrong, and what to do about it.

use std::path::PathBuf;

use crate::envsubst::EnvsubstError;
use crate::object::Id;
use crate::yaml::YamlError;

/// Why a command, or the build of one Flux Kustomization, failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A file or folder cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    /// A file of the source is no YAML.
    #[error("{path}:{line}: no YAML: {message}", line = .source.line, message = .source.message)]
    Yaml { path: String, source: YamlError },
    /// A kustomization.yaml names a file or folder that is not there.
    #[error("{path}:{line}: `{reference}` is not in the source: correct the path, or add what it names")]
    NoFile { path: String, line: usize, reference: String },
    /// A reference that leads out of the source.
    #[error(
        "{path}:{line}: `{reference}` lies outside of the source, where Flux reads nothing: copy it into the repository, and name it by a relative path"
    )]
    Outside { path: String, line: usize, reference: String },
    /// A FluxInstance, or the Kustomization of `flux bootstrap`, syncs another folder than the one that it stands in.
    #[error("{path}:{line}: it syncs `{synced}`, which is not the folder that it stands in: write `{folder}`")]
    OtherFolder { path: String, line: usize, synced: String, folder: String },
    /// A file of the source is not UTF-8.
    #[error("{0}: not UTF-8")]
    Encoding(String),
    /// The command line asks for what is not there.
    #[error("{0}")]
    Usage(String),
    /// A program cannot be started.
    #[error("cannot run `{program}`: {source}: {advice}")]
    Program { program: String, source: std::io::Error, advice: &'static str },
    /// A program ended with an error.
    #[error("`{command}` failed: {message}")]
    Command { command: String, message: String },
    /// A program took more than it may.
    #[error("`{program}` was not waited for: {why}")]
    Limit { program: String, why: String },
    /// `kustomize build` refused.
    #[error("kustomize build failed: {0}")]
    Kustomize(String),
    /// The same, with what is to blame.
    #[error("{path}:{line}: kustomize build failed: {message}")]
    KustomizeAt { path: String, line: usize, message: String },
    /// The path of a Flux Kustomization is not in its source.
    #[error(
        "the path `{path}` is not in {source_name}: `spec.path` counts from the source's root, and files that `.sourceignore` leaves out are not there"
    )]
    NoPath { path: String, source_name: String },
    /// A field of a Flux Kustomization, or of a kustomization.yaml, has another type.
    #[error("{path}: `{field}` is no {expected}")]
    Type { path: String, field: String, expected: &'static str },
    /// A component's path is absolute or remote.
    #[error("the component `{0}` is no local relative path")]
    Component(String),
    /// A base that only the network has.
    #[error(
        "{path}:{line}: `{reference}` lies elsewhere, and nothing is fetched here: copy it into the repository, or make it a source of its own"
    )]
    Remote { path: String, line: usize, reference: String },
    /// An object is none.
    #[error("an object without apiVersion, kind or name: {0}")]
    NotAnObject(String),
    /// Two objects became one by substitution.
    #[error("post build failed for `{object}`: another object has the same kind, namespace and name")]
    Twice { object: Box<Id> },
    /// Substitution failed.
    #[error("post build failed for `{object}`: {source}")]
    Envsubst { object: Box<Id>, source: EnvsubstError },
    /// What substitution made is no YAML.
    #[error(
        "post build failed for `{object}`: what substitution made of it is no YAML: {source}: quote the variable in the manifest, as in `\"${{X}}\"`"
    )]
    Substituted { object: Box<Id>, source: YamlError },
    /// A variable's name is none.
    #[error(
        "post build failed for `{object}`: `{name}` is no name of a variable: letters, digits and `_`, not starting with a digit"
    )]
    VariableName { object: Box<Id>, name: String },
    /// Nothing produces an object of `substituteFrom`.
    #[error(
        "`substituteFrom` names {kind} `{namespace}/{name}`, which no Kustomization of this cluster produces: correct the name, mark it `optional`, or give its values with `--vars` where it lives only in the cluster"
    )]
    NoVariables { kind: String, namespace: String, name: String },
    /// An encrypted Secret in a Kustomization without decryption.
    #[error("`{0}` is encrypted with SOPS, and its Kustomization has no `spec.decryption`")]
    Encrypted(Box<Id>),
    /// A Kustomization's source is not known.
    #[error(
        "its source {0} is none that this repository is, and nothing is fetched here: correct the name, or give its folder with `--source {0}=DIR`"
    )]
    NoSource(String),
    /// A Helm release that cannot be rendered on this machine, which says nothing against it.
    #[error("{0}")]
    NotRendered(String),
    /// The values of a Helm release cannot be put together.
    #[error("its values cannot be composed: {0}")]
    Values(String),
    /// A chart is none, or not what a release makes of it.
    #[error("{0}")]
    Chart(String),
    /// A post-renderer refused what helm gave.
    #[error("post-rendering failed: {0}")]
    PostRender(String),
    /// `helm template` refused.
    #[error("helm template failed: {0}")]
    Helm(String),
    /// Two Kustomizations of one name.
    #[error("{first} and {second} both produce the Kustomization `{id}`")]
    TwoParents { id: String, first: String, second: String },
}

impl Error {
    /// The file of a source that is to blame, and the line in it.
    pub(crate) fn place(&self) -> Option<(&str, usize)> {
        match self {
            Error::Yaml { path, source } => Some((path, source.line)),
            Error::NoFile { path, line, .. }
            | Error::KustomizeAt { path, line, .. }
            | Error::Outside { path, line, .. }
            | Error::OtherFolder { path, line, .. }
            | Error::Remote { path, line, .. } => Some((path, *line)),
            Error::Encoding(path) | Error::Type { path, .. } => Some((path, 1)),
            _ => None,
        }
    }

    /// The same, with the file's path as it is from the repository's root.
    pub(crate) fn below(mut self, folder: &str) -> Self {
        match &mut self {
            Error::Yaml { path, .. }
            | Error::NoFile { path, .. }
            | Error::KustomizeAt { path, .. }
            | Error::Outside { path, .. }
            | Error::Encoding(path)
            | Error::Type { path, .. }
            | Error::Remote { path, .. }
                if !folder.is_empty() =>
            {
                *path = format!("{folder}/{path}");
            }
            _ => {}
        }
        self
    }
}

/// The result of what can fail so.
pub(crate) type Result<T> = std::result::Result<T, Error>;
