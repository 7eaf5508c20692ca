//! The recordings: one file a scenario.

use std::path::PathBuf;

use serde_json::Value;

/// A recorded call and its answer.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) endpoint: String,
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) credentials: String,
    pub(crate) request: Value,
    pub(crate) answer: Value,
}

impl Step {
    pub(crate) fn code(&self) -> &str {
        self.answer["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.answer["message"].as_str().unwrap_or_default()
    }
}

/// A recorded scenario.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) topic: String,
    pub(crate) name: String,
    pub(crate) calls: Vec<Step>,
    pub(crate) observed: Value,
}

impl Scenario {
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.topic, self.name)
    }

    /// Whether the API's port was open in the end.
    pub(crate) fn ends_reachable(&self) -> bool {
        let states = self.observed["port_50000"].as_array().cloned().unwrap_or_default();
        states.last().is_some_and(|last| last["state"] != "refused")
    }

    /// What the node logged as the reason why it has no API.
    pub(crate) fn logged_error(&self) -> String {
        let lines = self.observed["log"].as_array().cloned().unwrap_or_default();
        let line = lines.iter().filter_map(Value::as_str).rfind(|line| line.contains("controller failed")).unwrap_or_default();
        let fields: Value = line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok()).unwrap_or_default();
        let error = fields["error"].as_str().unwrap_or_default();
        error.split_once("platform container: ").map_or(error, |(_, reason)| reason).to_owned()
    }
}

/// The folder.
pub(crate) struct Recordings {
    folder: PathBuf,
}

impl Recordings {
    pub(crate) fn find() -> Option<Self> {
        let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/talos-observed");
        let folder = std::env::var_os("TALOS_OBSERVED_DIR").map_or_else(beside, PathBuf::from);
        folder.join("README.md").exists().then_some(Self { folder })
    }

    fn read(&self, path: &str) -> String {
        let path = self.folder.join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `controlplane` or `worker`.
    pub(crate) fn base_config(&self, kind: &str) -> String {
        self.read(&format!("base-config/{kind}.yaml"))
    }

    /// A config that ApplyConfiguration was given.
    pub(crate) fn config(&self, sha256: &str) -> String {
        self.read(&format!("configs/{}.yaml", &sha256[..16]))
    }

    /// All scenarios of a topic, by name.
    pub(crate) fn topic(&self, topic: &str) -> Vec<Scenario> {
        let folder = self.folder.join(topic);
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".json").map(str::to_owned))
            .collect();
        names.sort();
        names
            .into_iter()
            .map(|name| {
                let recorded: Value = serde_json::from_str(&self.read(&format!("{topic}/{name}.json"))).unwrap();
                let steps = recorded["steps"].as_array().cloned().unwrap_or_else(|| vec![recorded.clone()]);
                let calls = steps.iter().filter(|step| step["call"].is_object()).map(step).collect();
                Scenario { topic: topic.to_owned(), name, calls, observed: recorded["observed"].clone() }
            })
            .collect()
    }
}

fn step(recorded: &Value) -> Step {
    let call = &recorded["call"];
    let text = |key: &str| call[key].as_str().unwrap_or_default().to_owned();
    let mut metadata = Vec::new();
    for (name, values) in call["metadata"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten() {
            metadata.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
        }
    }
    Step {
        endpoint: text("endpoint"),
        service: text("service"),
        method: text("method"),
        metadata,
        credentials: text("credentials"),
        request: call["request"].clone(),
        answer: recorded["answer"].clone(),
    }
}
