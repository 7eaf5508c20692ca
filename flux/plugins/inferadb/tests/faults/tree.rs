//! A copy of the tree to plant faults in, by lines: a fault is what a person's hand would do to the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::dice::Dice;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) rule: String,
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// What has to be found.
pub(crate) struct Planted {
    pub(crate) findings: Vec<Finding>,
    /// More arguments for `validate`.
    pub(crate) arguments: Vec<String>,
}

impl Planted {
    pub(crate) fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }
}

/// A line of the tree.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub(crate) file: String,
    /// From 0.
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl At {
    /// What has to be found here.
    pub(crate) fn is(&self, rule: &str) -> Planted {
        let finding = Finding { rule: rule.to_owned(), file: self.file.clone(), line: self.line + 1 };
        Planted { findings: vec![finding], arguments: Vec::new() }
    }

    pub(crate) fn below(&self, lines: usize) -> At {
        At { file: self.file.clone(), line: self.line + lines, text: String::new() }
    }
}

/// An object in a file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) file: String,
    /// Of its first key, from 0.
    pub(crate) start: usize,
    /// Behind its last line.
    pub(crate) end: usize,
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
}

#[derive(Clone)]
pub(crate) struct Tree {
    files: BTreeMap<String, Vec<String>>,
    before: BTreeMap<String, Vec<String>>,
}

impl Tree {
    /// The tree of this repository, as it stands here.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let mut files = BTreeMap::new();
        let mut folders = vec!["flux".to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(root.join(&folder)).unwrap().map(Result::unwrap) {
                let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
                if entry.file_type().unwrap().is_dir() {
                    if path != "flux/plugins" {
                        folders.push(path);
                    }
                } else if entry.path().extension().is_some_and(|extension| extension == "yaml") {
                    let text = std::fs::read_to_string(entry.path()).unwrap();
                    files.insert(path, text.lines().map(str::to_owned).collect());
                }
            }
        }
        Tree { before: files.clone(), files }
    }

    pub(crate) fn write(&self, folder: &Path) {
        for (path, lines) in &self.files {
            let file = folder.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, lines.join("\n") + "\n").unwrap();
        }
    }

    /// What was planted, for who reads a failure.
    pub(crate) fn changes(&self) -> String {
        let mut out = String::new();
        for (path, lines) in self.files.iter().filter(|(path, lines)| self.before.get(*path) != Some(*lines)) {
            let before = self.before.get(path).cloned().unwrap_or_default();
            for (number, line) in lines.iter().enumerate().filter(|(_, line)| !before.contains(line)) {
                let _ = writeln!(out, "  {path}:{}: {line}", number + 1);
            }
        }
        out
    }

    /// Files that hold objects: those that a kustomization.yaml names as resources.
    fn resources(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (path, lines) in self.files.iter().filter(|(path, _)| path.ends_with("/kustomization.yaml")) {
            let folder = path.trim_end_matches("kustomization.yaml");
            let named = lines.iter().filter_map(|line| line.trim().strip_prefix("- ")).map(|name| format!("{folder}{name}"));
            all.extend(named.filter(|path| self.files.contains_key(path)));
        }
        all
    }

    /// All objects, patches left out.
    pub(crate) fn documents(&self) -> Vec<Document> {
        let mut all = Vec::new();
        for file in self.resources() {
            let lines = &self.files[&file];
            let mut start = 0;
            for end in (0..=lines.len()).filter(|end| lines.get(*end).is_none_or(|line| line == "---")) {
                let value = |key: &str| {
                    let found = lines[start..end].iter().find_map(|line| line.strip_prefix(key));
                    found.unwrap_or_default().trim().to_owned()
                };
                let first = (start..end).find(|line| lines[*line].starts_with(|c: char| c.is_ascii_alphabetic()));
                all.push(Document {
                    file: file.clone(),
                    start: first.unwrap_or(start),
                    end,
                    api_version: value("apiVersion:"),
                    kind: value("kind:"),
                    name: value("  name:"),
                });
                start = end + 1;
            }
        }
        all
    }

    /// Objects of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<Document> {
        self.documents().into_iter().filter(|one| one.kind == kind).collect()
    }

    /// The lines of an object that fit.
    pub(crate) fn lines_of(&self, document: &Document, fits: impl Fn(&str) -> bool) -> Vec<At> {
        let lines = &self.files[&document.file];
        (document.start..document.end)
            .filter(|line| fits(&lines[*line]))
            .map(|line| At { file: document.file.clone(), line, text: lines[line].clone() })
            .collect()
    }

    /// The lines of all objects that fit.
    pub(crate) fn lines(&self, fits: impl Fn(&Document, &str) -> bool) -> Vec<At> {
        self.documents().iter().flat_map(|document| self.lines_of(document, |line| fits(document, line))).collect()
    }

    /// The lines of files that fit, whatever they hold.
    pub(crate) fn lines_of_files(&self, is_file: impl Fn(&str) -> bool, fits: impl Fn(&str) -> bool) -> Vec<At> {
        let files = self.files.iter().filter(|(path, _)| is_file(path));
        let lines = files.flat_map(|(path, lines)| lines.iter().enumerate().map(move |(line, text)| (path, line, text)));
        let fitting = lines.filter(|(_, _, text)| fits(text));
        fitting.map(|(path, line, text)| At { file: path.clone(), line, text: text.clone() }).collect()
    }

    pub(crate) fn text(&self, at: &At) -> &str {
        &self.files[&at.file][at.line]
    }

    pub(crate) fn set(&mut self, at: &At, text: &str) {
        text.clone_into(&mut self.files.get_mut(&at.file).unwrap()[at.line]);
    }

    /// Misspells the last word of a line.
    pub(crate) fn misspell(&mut self, at: &At) {
        let text = format!("{}x", at.text.split(" #").next().unwrap().trim_end());
        self.set(at, &text);
    }

    /// Puts lines behind one, and gives the place of the first.
    pub(crate) fn insert(&mut self, at: &At, text: &str) -> At {
        let lines = self.files.get_mut(&at.file).unwrap();
        let behind = at.line + 1;
        lines.splice(behind..behind, text.lines().map(str::to_owned));
        at.below(1)
    }

    /// Adds an object to a file, and gives the place of its first line.
    pub(crate) fn append(&mut self, file: &str, text: &str) -> At {
        let lines = self.files.get_mut(file).unwrap();
        lines.push("---".to_owned());
        let line = lines.len();
        lines.extend(text.lines().map(str::to_owned));
        At { file: file.to_owned(), line, text: String::new() }
    }

    pub(crate) fn add_file(&mut self, path: &str, text: &str) {
        self.files.insert(path.to_owned(), text.lines().map(str::to_owned).collect());
    }

    /// A file with objects that has variables substituted, from a folder that all clusters of an environment build.
    pub(crate) fn some_file(&self, dice: &mut Dice) -> String {
        let files: Vec<String> = self.resources().into_iter().filter(|path| is_substituted(path)).collect();
        dice.choose(&files)
    }

    /// The pod specs of Deployments: the line of `    spec:` in their template.
    pub(crate) fn pods(&self) -> Vec<At> {
        self.lines(|document, line| document.kind == "Deployment" && line == "    spec:")
    }
}

/// Whether the Kustomization that builds a file substitutes variables in it: not the root, and not `sources`.
pub(crate) fn is_substituted(path: &str) -> bool {
    !path.starts_with("flux/clusters/") && !path.starts_with("flux/infrastructure/base/sources/")
}
