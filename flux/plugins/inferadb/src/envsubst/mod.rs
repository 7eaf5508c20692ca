//! `${…}` as `fluxcd/pkg/envsubst` reads and evaluates it, its oddities included: what it accepts, refuses or leaves alone
//! here is what it accepts, refuses or leaves alone in the controller.

mod eval;
mod glob;
mod parse;

pub(crate) use eval::expand;
use parse::{Call, Part, parse};

/// The names of the variables that a text asks for; none where it cannot be read.
pub(crate) fn names(text: &str) -> Vec<String> {
    fn gather(parts: &[Part], names: &mut Vec<String>) {
        for part in parts {
            if let Part::Call(call) = part {
                names.push(call.name.clone());
                gather(&call.arguments, names);
            }
        }
    }
    let mut names = Vec::new();
    gather(&parse(text).unwrap_or_default(), &mut names);
    names
}

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvsubstError {
    /// `${` with something behind it that is no substitution: often a shell script's own, which takes `$${` or an object
    /// with `kustomize.toolkit.fluxcd.io/substitute: disabled`.
    #[error(
        "line {line}: `{near}` is no substitution ({what}): write `$${{` for a `${{` that is not Flux's, or annotate the object with `kustomize.toolkit.fluxcd.io/substitute: disabled`"
    )]
    Syntax { line: usize, near: String, what: &'static str },
    /// A variable without a value and without a default.
    #[error(
        "the variable `{0}` has no value: give it one in `postBuild.substitute` or in an object of `postBuild.substituteFrom`, or a default as in `${{{0}:=value}}`"
    )]
    Missing(String),
    /// A substring whose end lies before its start.
    #[error("the substring of `{0}` ends before it starts")]
    Range(String),
    /// A substring or trim that cuts a character in two.
    #[error("a function on `{0}` cuts a character of more than one byte in two")]
    Cut(String),
}
