//! Custom resource definitions, installed once for all API servers: that takes longer than all that is asked afterwards.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{Api, until};
use crate::api_server::ApiServer;

/// What etcd holds when they are there.
pub(crate) struct Definitions {
    etcd: TempDir,
}

impl Definitions {
    /// Of the folder of manifests. Tests that run beside each other share them.
    pub(crate) fn installed(manifests: &Path) -> Arc<Self> {
        static SHARED: Mutex<Weak<Definitions>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|_| panic!("the definitions are not installed: another test says why"));
        shared.upgrade().unwrap_or_else(|| {
            let installed = Arc::new(Self::install(manifests));
            *shared = Arc::downgrade(&installed);
            installed
        })
    }

    fn install(manifests: &Path) -> Self {
        let definitions = Definitions { etcd: tempfile::tempdir().unwrap() };
        let nothing = json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration"});
        let server = ApiServer::start(&nothing, &definitions);
        server.apply_folder(manifests);
        wait_until_served(&server.api);
        let left = server.end();
        copy(&left.path().join("etcd"), definitions.etcd.path());
        definitions
    }

    /// A copy for one etcd.
    pub(crate) fn copy_to(&self, folder: &Path) {
        copy(self.etcd.path(), folder);
    }
}

/// Waits until all kinds that are defined are served.
pub(crate) fn wait_until_served(api: &Api) {
    until("all definitions are served", || {
        let defined = api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions");
        let defined = defined.body["items"].as_array().ok_or_else(|| defined.words())?.clone();
        defined.iter().filter(|one| !is_served(api, one)).map(|one| one["metadata"]["name"].to_string()).try_for_each(Err)
    });
}

fn is_served(api: &Api, definition: &Value) -> bool {
    let is_true = |one: &Value| one["type"] == "Established" && one["status"] == "True";
    let established = definition["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(is_true));
    let spec = &definition["spec"];
    let versions = spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true);
    let mut versions = versions.filter_map(|version| Some(format!("{}/{}", spec["group"].as_str()?, version["name"].as_str()?)));
    established && versions.all(|version| api.resource(&version, spec["names"]["kind"].as_str().unwrap_or_default()).is_some())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}
