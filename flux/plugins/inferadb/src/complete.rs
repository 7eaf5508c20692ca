//! Completion by Cobra's protocol, as the Flux CLI asks its plugins for it: `__complete WORD… LAST` prints a candidate a line,
//! with a tab and what it is behind it, and ends with `:N`, which says how the shell goes on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::{Arg, Command};

use crate::commands::new_region;
use crate::program;
use crate::root;
use crate::tree::{Tree, repository_of};

/// The shell may offer files.
const FILES: u8 = 0;
/// Only the candidates.
const NO_FILES: u8 = 4;
/// The shell offers folders.
const FOLDERS: u8 = 16;

/// What the shell prints for these words, the last of which is not finished.
pub(crate) fn answer(program: &Command, words: &[String], described: bool) -> String {
    let (candidates, directive) = candidates(program, words);
    let mut out = String::new();
    for (candidate, about) in candidates {
        let _ = match about.lines().next() {
            Some(about) if described && !about.is_empty() => writeln!(out, "{candidate}\t{about}"),
            _ => writeln!(out, "{candidate}"),
        };
    }
    let _ = writeln!(out, ":{directive}");
    out
}

type Candidates = Vec<(String, String)>;

fn candidates(program: &Command, words: &[String]) -> (Candidates, u8) {
    let Some((last, before)) = words.split_last() else { return (Vec::new(), NO_FILES) };
    let Some((name, before)) = before.split_first() else {
        let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
        let named = commands.map(|command| (command.get_name().to_owned(), about(command.get_about())));
        return (starting(named.chain([("help".to_owned(), "Says what a command takes".to_owned())]), last), NO_FILES);
    };
    let Some(command) = program.find_subcommand(name) else { return (Vec::new(), NO_FILES) };
    if before.iter().any(|word| word == "--") {
        return (Vec::new(), NO_FILES);
    }
    // `--flag=VALUE` and `--flag VALUE`.
    if let Some((flag, value)) = last.split_once('=')
        && let Some(flag) = takes_value(command, flag)
    {
        let (values, directive) = values(flag, value, before);
        let whole =
            values.into_iter().map(|(value, about)| (format!("--{}={value}", flag.get_long().unwrap_or_default()), about));
        return (whole.collect(), directive);
    }
    if let Some(flag) = before.last().filter(|word| !word.contains('=')).and_then(|word| takes_value(command, word)) {
        return values(flag, last, before);
    }
    if last.starts_with('-') {
        let flags = command.get_arguments().filter_map(|flag| Some((format!("--{}", flag.get_long()?), about(flag.get_help()))));
        return (starting(flags, last), NO_FILES);
    }
    match name.as_str() {
        "diff" => (starting(revisions(before), last), NO_FILES),
        // A name that nobody has yet.
        "new-region" => (Vec::new(), NO_FILES),
        _ if command.get_positionals().next().is_some() => {
            let taken = |name: &str| before.iter().any(|word| word == name);
            let clusters = clusters(before).into_iter().filter(|(name, _)| !taken(name));
            (starting(clusters, last), NO_FILES)
        }
        _ => (Vec::new(), NO_FILES),
    }
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn starting(all: impl IntoIterator<Item = (String, String)>, start: &str) -> Candidates {
    all.into_iter().filter(|(candidate, _)| candidate.starts_with(start)).collect()
}

fn takes_value<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let flag = command.get_arguments().find(|flag| {
        let long = flag.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
        long || flag.get_short().is_some_and(|short| word == format!("-{short}"))
    })?;
    flag.get_action().takes_values().then_some(flag)
}

fn values(flag: &Arg, start: &str, before: &[String]) -> (Candidates, u8) {
    let possible = flag.get_possible_values();
    if !possible.is_empty() {
        let values = possible.iter().map(|value| (value.get_name().to_owned(), about(value.get_help())));
        return (starting(values, start), NO_FILES);
    }
    match flag.get_long().unwrap_or_default() {
        "cluster" => (starting(clusters(before), start), NO_FILES),
        "repo" | "clusters" => (Vec::new(), FOLDERS),
        "env" => (starting(environments(before), start), NO_FILES),
        "set"
        | "strip"
        | "kube-version"
        | "api-versions"
        | "provider-region"
        | "zones"
        | "backup-replica-region"
        | "cidr"
        | "pod-cidr"
        | "service-cidr" => (Vec::new(), NO_FILES),
        _ => (Vec::new(), FILES),
    }
}

/// The value of a flag among words that are finished.
fn given<'w>(words: &'w [String], flag: &str) -> Option<&'w str> {
    let joined = format!("{flag}=");
    words.iter().enumerate().find_map(|(position, word)| {
        word.strip_prefix(&joined).or_else(|| (word == flag).then(|| words.get(position + 1)).flatten().map(String::as_str))
    })
}

fn repository(words: &[String]) -> PathBuf {
    if let Some(told) = given(words, "--repo") {
        return PathBuf::from(told);
    }
    let here = Path::new(".").canonicalize().unwrap_or_default();
    repository_of(&here).unwrap_or(Path::new(".")).to_owned()
}

/// Where something is wrong, there is nothing to offer.
fn clusters(words: &[String]) -> Candidates {
    let tree = Tree::from_folder(&repository(words));
    tree.and_then(|tree| root::clusters(&tree, given(words, "--clusters"))).unwrap_or_default()
}

fn environments(words: &[String]) -> Candidates {
    let names = new_region::environments(&repository(words));
    names.into_iter().map(|name| (name.clone(), format!("{}/{name}", new_region::ENVIRONMENTS))).collect()
}

fn revisions(words: &[String]) -> Candidates {
    let arguments = ["for-each-ref", "--format=%(refname:short)%09%(subject)", "refs/heads", "refs/tags", "refs/remotes"];
    let listed = program::git(&repository(words), &arguments, Stdio::null());
    let listed = String::from_utf8_lossy(&listed.unwrap_or_default()).into_owned();
    listed.lines().filter_map(|line| line.split_once('\t')).map(|(name, subject)| (name.to_owned(), subject.to_owned())).collect()
}
