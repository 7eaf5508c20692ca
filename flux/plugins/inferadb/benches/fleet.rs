//! How long a build of the whole tree takes, beside what people use instead: `kubectl kustomize` for one root after another, and
//! flate. All in one run, one after the other in each round, so that only their ratios count.
//!
//! `make bench` builds what it takes and runs it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a measurement says what went wrong")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const PLUGIN: &str = env!("CARGO_BIN_EXE_flux-inferadb");
/// Each round changes another file of the tree.
const ROUNDS: usize = 31;

fn main() -> ExitCode {
    // What cargo passes to every benchmark.
    let _ = std::env::args();
    // What a build has just written would go to disk beside what is measured.
    let _ = Command::new("sync").status();
    let tree = Copy::of_tree();
    let roots = tree.roots();
    let files = tree.files_to_change();
    println!("{} clusters, {} roots, {} files; {ROUNDS} rounds", tree.clusters().len(), roots.len(), files.len());

    let (mut kubectl, mut cold, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        kubectl.push(time(|| roots.iter().for_each(|root| tree.kubectl(root))));
        cold.push(tree.cold(&[]));
        let file = &files[round * files.len() / ROUNDS];
        changed.push((tree.changed(file, &[]), file));
    }
    let slowest = changed.iter().max().unwrap();
    let (kubectl, cold) = (median(&kubectl), median(&cold));
    let after = median(&changed.iter().map(|(time, _)| *time).collect::<Vec<_>>());
    let mut results = Results::default();
    println!("\nthe tree");
    results.line("one kubectl kustomize after another", kubectl);
    results.line("flux inferadb build, nothing cached", cold);
    results.at_most("of kubectl's time", ratio(cold, kubectl), 0.6);
    results.line("the same, after one changed file", after);
    results.at_least("as fast as with nothing cached", ratio(cold, after), 10.0);
    println!("    slowest file: {} in {}", slowest.1, shown(slowest.0));

    // flate finds Kustomizations in files, and fetches charts: it is given the rendered roots, and no charts.
    let plain = Copy::for_flate(&tree);
    let clusters = plain.clusters();
    let one = [clusters.last().unwrap().clone()];
    for (title, clusters) in
        [("the tree as flate can read it, all clusters", clusters.as_slice()), ("one cluster of it", one.as_slice())]
    {
        let names: Vec<&str> = clusters.iter().map(String::as_str).collect();
        let (mut theirs, mut ours, mut theirs_after, mut ours_after) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS / 2 {
            let file = &files[round * files.len() / (ROUNDS / 2)];
            let file = if file.starts_with("flux/clusters/") { &files[files.len() - 1] } else { file };
            let cache = tempfile::tempdir().unwrap();
            theirs.push(time(|| names.iter().for_each(|name| plain.flate(name, cache.path()))));
            ours.push(plain.cold(&names));
            theirs_after.push(plain.with_change(file, || time(|| names.iter().for_each(|name| plain.flate(name, cache.path())))));
            ours_after.push(plain.changed(file, &names));
        }
        println!("\n{title}");
        let (theirs, ours) = (median(&theirs), median(&ours));
        results.line("flate, nothing cached", theirs);
        results.line("flux inferadb build, nothing cached", ours);
        results.at_most("of flate's time", ratio(ours, theirs), 1.0);
        let (theirs, ours) = (median(&theirs_after), median(&ours_after));
        results.line("flate, after one changed file", theirs);
        results.line("flux inferadb build, after one changed file", ours);
        results.at_most("of flate's time", ratio(ours, theirs), 1.0);
    }
    ExitCode::from(u8::from(results.missed > 0))
}

/// A copy of the tree that files are changed in.
struct Copy {
    folder: TempDir,
    cache: TempDir,
}

impl Copy {
    /// All files that git knows: the plugin looks at each of them.
    fn of_tree() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let copy = Copy { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() };
        let listed = output(Command::new("git").arg("-C").arg(&root).args(["ls-files", "-z"]));
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            let target = copy.folder.path().join(path);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            // What is deleted, and not yet in git's eyes.
            let _ = std::fs::copy(root.join(path), target);
        }
        copy.commit();
        copy
    }

    fn for_flate(tree: &Copy) -> Self {
        let copy = Copy { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() };
        let listed = output(Command::new("git").arg("-C").arg(tree.folder.path()).args(["ls-files", "-z"]));
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            let target = copy.folder.path().join(path);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            let bytes = std::fs::read(tree.folder.path().join(path)).unwrap();
            // Releases and their sources stay as objects to render, and ask for no chart.
            let text = String::from_utf8(bytes).ok().filter(|_| path.starts_with("flux/") && !path.contains("/plugins/"));
            match text {
                Some(text) => {
                    let text = text
                        .replace("apiVersion: helm.toolkit.fluxcd.io/v2\n", "apiVersion: example.com/v1\n")
                        .replace("apiVersion: source.toolkit.fluxcd.io/v1\n", "apiVersion: example.com/v1\n");
                    std::fs::write(target, text).unwrap();
                }
                None => drop(std::fs::copy(tree.folder.path().join(path), target).unwrap()),
            }
        }
        for cluster in copy.clusters() {
            let folder = copy.folder.path().join("flux/clusters").join(&cluster);
            let rendered = output(Command::new(tool("KUSTOMIZE_CLI")).arg("build").arg(&folder));
            std::fs::remove_dir_all(&folder).unwrap();
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("all.yaml"), rendered).unwrap();
            std::fs::write(folder.join("kustomization.yaml"), "resources:\n  - all.yaml\n").unwrap();
        }
        copy.commit();
        copy
    }

    fn commit(&self) {
        for arguments in [&["init", "-q"] as &[&str], &["add", "-A"], &["commit", "-q", "-m", "the tree"]] {
            let identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"];
            output(Command::new("git").args(identity).args(arguments).current_dir(self.folder.path()));
        }
    }

    fn clusters(&self) -> Vec<String> {
        let folders = std::fs::read_dir(self.folder.path().join("flux/clusters")).unwrap();
        let mut names: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The paths that Flux builds, for each cluster.
    fn roots(&self) -> Vec<String> {
        let mut roots = Vec::new();
        let built = output(self.plugin(self.cache.path()).args(["--output", "json"]));
        let built: Value = serde_json::from_str(&built).unwrap();
        for cluster in built["clusters"].as_array().unwrap() {
            roots.push(format!("flux/clusters/{}", cluster["name"].as_str().unwrap()));
            let objects = cluster["kustomizations"].as_array().unwrap().iter().flat_map(|one| one["objects"].as_array().unwrap());
            let kustomizations = objects.filter(|one| {
                one["kind"] == "Kustomization" && one["apiVersion"].as_str().unwrap().starts_with("kustomize.toolkit.fluxcd.io/")
            });
            roots.extend(kustomizations.map(|one| one["spec"]["path"].as_str().unwrap().to_owned()));
        }
        roots
    }

    /// Files that Kustomizations are built from.
    fn files_to_change(&self) -> Vec<String> {
        let listed = output(Command::new("git").arg("-C").arg(self.folder.path()).args(["ls-files", "flux"]));
        let is_yaml = |path: &str| Path::new(path).extension().is_some_and(|extension| extension == "yaml");
        let is_built = |path: &&str| is_yaml(path) && !path.contains("/plugins/") && *path != "flux/bootstrap.yaml";
        listed.lines().filter(is_built).map(str::to_owned).collect()
    }

    fn plugin(&self, cache: &Path) -> Command {
        let mut command = Command::new(PLUGIN);
        command
            .args(["build", "--vars", "flux/bootstrap.yaml"])
            .current_dir(self.folder.path())
            .env("KUSTOMIZE", tool("KUSTOMIZE_CLI"))
            .env("FLUX_INFERADB_CACHE", cache);
        command
    }

    /// A build with nothing cached.
    fn cold(&self, clusters: &[&str]) -> Duration {
        let cache = tempfile::tempdir().unwrap();
        time(|| run(self.plugin(cache.path()).args(clusters)))
    }

    /// A build after a change, of what was built before it.
    fn changed(&self, file: &str, clusters: &[&str]) -> Duration {
        run(self.plugin(self.cache.path()).args(clusters));
        self.with_change(file, || time(|| run(self.plugin(self.cache.path()).args(clusters))))
    }

    fn with_change(&self, file: &str, measure: impl FnOnce() -> Duration) -> Duration {
        let path = self.folder.path().join(file);
        let before = std::fs::read_to_string(&path).unwrap();
        // Another change each time.
        let mark = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        std::fs::write(&path, format!("{before}# changed {mark}\n")).unwrap();
        let time = measure();
        std::fs::write(&path, before).unwrap();
        time
    }

    fn kubectl(&self, root: &str) {
        let arguments = ["kustomize", "--load-restrictor", "LoadRestrictionsNone", root];
        run(Command::new(tool("KUBECTL_CLI")).args(arguments).current_dir(self.folder.path()));
    }

    fn flate(&self, cluster: &str, cache: &Path) {
        let mut command = Command::new(tool("FLATE_CLI"));
        command.args(["build", "ks", "--no-progress", "--log-level", "error", "--cache-dir"]).arg(cache);
        command.arg("--path").arg(format!("flux/clusters/{cluster}")).current_dir(self.folder.path());
        run(&mut command);
    }
}

fn tool(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file());
    path.unwrap_or_else(|| panic!("{variable} names no program: run `make bench`, which builds it"))
}

fn run(command: &mut Command) {
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn time(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[derive(Default)]
struct Results {
    missed: usize,
}

impl Results {
    #[allow(clippy::unused_self, reason = "it reads as the others")]
    fn line(&self, what: &str, time: Duration) {
        println!("  {what:<46} {:>10}", shown(time));
    }

    fn at_most(&mut self, what: &str, ratio: f64, limit: f64) {
        self.verdict(&format!("{ratio:.2} × {what}, of {limit} at most"), ratio <= limit);
    }

    fn at_least(&mut self, what: &str, ratio: f64, limit: f64) {
        self.verdict(&format!("{ratio:.1} × {what}, of {limit} at least"), ratio >= limit);
    }

    fn verdict(&mut self, what: &str, is_held: bool) {
        self.missed += usize::from(!is_held);
        println!("    {what}: {}", if is_held { "held" } else { "MISSED" });
    }
}
