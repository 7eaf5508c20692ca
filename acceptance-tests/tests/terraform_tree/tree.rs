//! A copy of the tree, and the sandbox in front of it.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Outcome, Tool, Workspace};
use acceptance_tests::world::{Sandbox, SandboxConfig};
use ipnet::Ipv4Net;
use serde_json::Value as Json;

/// What two regions of fifteen nodes may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(5);

/// The repository's `terraform/` and `talos/` in a folder of their own, and a program to run in there.
pub(crate) struct Folder {
    workspace: Workspace,
}

impl Folder {
    /// Copies the tree into a workspace.
    pub(crate) fn copied(workspace: Workspace) -> Self {
        for folder in ["terraform", "talos"] {
            copy(&repository().join(folder), &workspace.path().join(folder));
        }
        Self { workspace }
    }

    /// Where the copy is.
    pub(crate) fn path(&self) -> PathBuf {
        self.workspace.path()
    }

    /// Sets an environment variable for the commands from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.workspace.set(name, value);
    }

    /// Puts ranges that this machine answers in the place of a file's own; each must be in there.
    pub(crate) fn move_ranges(&self, file: &str, ranges: &[(&str, &str)]) {
        let path = self.path().join(file);
        let mut text = fs::read_to_string(&path).unwrap();
        for (from, to) in ranges {
            assert!(text.contains(from), "`{file}` has no `{from}`");
            text = text.replace(from, to);
        }
        fs::write(path, text).unwrap();
    }

    /// Runs a command in a folder under `terraform/`.
    pub(crate) async fn run(&self, folder: &str, arguments: &[&str]) -> Outcome {
        let change = format!("-chdir=terraform/{folder}");
        let arguments: Vec<&str> = [change.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        self.workspace.start(&arguments).unwrap().finish(LIMIT).await.unwrap()
    }

    /// Finds the modules that a folder's configuration and tests use.
    pub(crate) async fn get(&self, folder: &str) {
        let outcome = self.run(folder, &["get", "-no-color", "-test-directory=tests"]).await;
        assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    }

    /// Claims that the module's own tests pass.
    pub(crate) async fn tests_pass(&self, module: &str) {
        self.get(module).await;
        let tested = self.run(module, &["test", "-no-color"]).await;
        assert_eq!(tested.code, Some(0), "{module}: {}{}", tested.stdout, tested.stderr);
        assert!(tested.stdout.contains(" passed, 0 failed"), "{module}: {}", tested.stdout);
    }

    pub(crate) async fn apply(&self, folder: &str, more: &[&str]) -> Outcome {
        self.run(folder, &[&["apply", "-json", "-auto-approve"], more].concat()).await
    }

    pub(crate) async fn plan(&self, folder: &str, more: &[&str]) -> Outcome {
        self.run(folder, &[&["plan", "-json", "-detailed-exitcode"], more].concat()).await
    }

    pub(crate) async fn destroy(&self, folder: &str, more: &[&str]) -> Outcome {
        self.run(folder, &[&["destroy", "-json", "-auto-approve"], more].concat()).await
    }

    /// An output as JSON.
    pub(crate) async fn output(&self, folder: &str, name: &str) -> Json {
        let outcome = self.run(folder, &["output", "-json", name]).await;
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.report()))
    }
}

/// The tree in front of a sandbox.
pub(crate) struct Tree {
    pub(crate) sandbox: Sandbox,
    folder: Folder,
}

impl Tree {
    /// A cloud whose regions have Talos images where the tree's regions are.
    pub(crate) async fn in_a_sandbox(kind: Kind, install: Install) -> Self {
        let mut config = SandboxConfig::default();
        config.aws.regions = ["us-east-1", "us-west-2", "eu-west-2"].map(str::to_owned).into();
        config.aws.dns_zones = ["inferadb.com", "staging.inferadb.com"].map(str::to_owned).into();
        let sandbox = Sandbox::start(config).await.unwrap();
        let workspace = Workspace::new(Tool::find(kind).unwrap(), install, sandbox.env()).unwrap();
        Self { sandbox, folder: Folder::copied(workspace) }
    }

    /// Two ranges that this machine answers, for two regions.
    pub(crate) fn ranges(&self) -> [String; 2] {
        let halves: Vec<Ipv4Net> = self.sandbox.vpc_cidr().subnets(17).unwrap().collect();
        [halves[0].to_string(), halves[1].to_string()]
    }

    /// How many objects of a kind stand in the cloud.
    pub(crate) async fn count(&self, kind: &str) -> usize {
        self.sandbox.inventory().await.unwrap().iter().filter(|object| object.kind == kind).count()
    }

    /// Claims that nothing is left in the cloud, and that no node went through what no cluster may.
    pub(crate) async fn is_empty(&self) {
        let nodes = self.sandbox.nodes().unwrap();
        assert_eq!(nodes.violations(), Vec::<String>::new());
        assert!(nodes.boot_failures().is_empty(), "{:?}", nodes.boot_failures());
        let left = self.sandbox.inventory().await.unwrap();
        assert!(left.is_empty(), "these are left in the cloud: {left:#?}");
    }
}

impl Deref for Tree {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl DerefMut for Tree {
    fn deref_mut(&mut self) -> &mut Folder {
        &mut self.folder
    }
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The folders in a folder of the repository, by name.
pub(crate) fn folders(path: &str) -> Vec<String> {
    let entries = fs::read_dir(repository().join(path)).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = entries.filter(|path| path.is_dir()).map(|path| name(&path)).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// The files in a folder of the repository, by name, without those that commands leave behind.
pub(crate) fn files(path: &str) -> Vec<String> {
    let entries = fs::read_dir(repository().join(path)).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = entries.filter(|path| path.is_file()).map(|path| name(&path)).collect();
    names.retain(|name| !name.starts_with('.') && !name.contains(".tfstate"));
    names.sort();
    names
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Copies a folder, without what commands leave behind.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = name(&path);
        if name.starts_with('.') || name.contains(".tfstate") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(&name));
        } else {
            fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}
