//! `terraform/environments/dev` on a real Docker engine, with the stand-in for Talos nodes as the image, by both tools.
//!
//! `make docker-lives` runs it; `scripts/with-docker.sh` brings the engine and the images.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail and say where it is, and reads well above all"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};

#[allow(dead_code, reason = "this test program uses its part of it")]
#[path = "terraform_tree/tree.rs"]
mod tree;

#[allow(dead_code, reason = "this test program uses its part of it")]
#[path = "terraform_tree/page.rs"]
mod page;

use tree::Folder;

const DEV: &str = "environments/dev";

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run it by scripts/with-docker.sh"))
}

/// What of ours an engine has, by what `docker` calls the kinds.
fn standing() -> Vec<String> {
    let lists: [&[&str]; 3] = [
        &["ps", "--all", "--filter", "name=inferadb", "--format", "{{.Names}}"],
        &["volume", "ls", "--filter", "name=inferadb", "--format", "{{.Name}}"],
        &["network", "ls", "--filter", "name=inferadb", "--format", "{{.Name}}"],
    ];
    let list = |arguments: &&[&str]| {
        let ran =
            Command::new("docker").env("DOCKER_HOST", variable("INFERADB_TEST_DOCKER_HOST")).args(*arguments).output().unwrap();
        assert!(ran.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    lists.iter().flat_map(list).collect()
}

/// Two ports of this machine that nothing listens on.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

async fn lives_and_goes(kind: Kind) {
    let environment = vec![
        ("DOCKER_HOST".to_owned(), variable("INFERADB_TEST_DOCKER_HOST")),
        ("TF_VAR_talos_image".to_owned(), variable("INFERADB_TEST_TALOS_IMAGE")),
        ("TF_VAR_load_balancer_image".to_owned(), variable("INFERADB_TEST_PROXY_IMAGE")),
    ];
    let tree = Folder::copied(Workspace::new(Tool::find(kind).unwrap(), Install::Override, environment).unwrap());
    let [http, https] = free_ports();
    let own = "cidr_block = \"10.5.0.0/16\"";
    let elsewhere = format!("{own}, ports = {{ \"80\" = {http}, \"443\" = {https} }}");
    tree.move_ranges(&format!("terraform/{DEV}/terraform.tfvars"), &[(own, &elsewhere)]);
    tree.get(DEV).await;
    assert_eq!(standing(), Vec::<String>::new());

    tree.apply(DEV, &[]).await.succeeds();
    let regions = tree.output(DEV, "regions").await;
    let local = &regions["local"];
    assert_eq!(local["cluster_id"], "dev/local/dev-local");
    assert!(local["endpoint"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{local}");
    assert_eq!(local["nodes"].as_object().unwrap().len(), 2, "a control-plane node and a worker");
    let told = tree.output(DEV, "cluster_settings").await;
    let told: BTreeMap<String, String> = serde_json::from_value(told["local"].clone()).unwrap();
    assert_eq!(told, page::settings(&tree::read("docs/environment-parity.md"), "dev-local"));
    let kubeconfigs = tree.output(DEV, "kubeconfigs").await;
    assert!(kubeconfigs["local"].as_str().unwrap().contains(local["endpoint"].as_str().unwrap()));
    tree.plan(DEV, &[]).await.is_empty_plan();

    let again = tree.apply(DEV, &[]).await.succeeds();
    assert!(again.planned().is_empty(), "{}", again.report());
    assert!(!standing().is_empty());
    tree.destroy(DEV, &[]).await.succeeds();
    assert_eq!(standing(), Vec::<String>::new());
}

/// The page's commands in a copy of the repository: up, up again, asked, down.
fn the_page_is_walked_through() {
    let page = fs::read_to_string(repository().join("docs/getting-started.md")).unwrap();
    for said in ["$ scripts/dev-up.sh\n", "$ kubectl get --raw /readyz\n", "$ scripts/dev-down.sh\n"] {
        assert!(page.contains(said), "the page does not say {said:?}");
    }
    let workspace = Workspace::new(Tool::find(Kind::Terraform).unwrap(), Install::Override, Vec::new()).unwrap();
    let here = workspace.path();
    for folder in ["terraform", "talos", "scripts"] {
        tree::copy(&repository().join(folder), &here.join(folder));
    }
    let [http, https] = free_ports();
    let before = files_in(&here);
    let regions = format!(r#"{{local={{cidr_block="10.5.0.0/16",ports={{"80"={http},"443"={https}}}}}}}"#);
    let run = |program: &str, arguments: &[&str]| {
        let ran = Command::new(program)
            .args(arguments)
            .current_dir(&here)
            .envs(workspace.exports())
            .env("TF_BIN", &Tool::find(Kind::Terraform).unwrap().program)
            .env("DOCKER_HOST", variable("INFERADB_TEST_DOCKER_HOST"))
            .env("TF_VAR_talos_image", variable("INFERADB_TEST_TALOS_IMAGE"))
            .env("TF_VAR_load_balancer_image", variable("INFERADB_TEST_PROXY_IMAGE"))
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{program}: {said}");
        said
    };
    let given = ["-no-color".to_owned(), format!("-var=regions={regions}")];
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    assert!(run("scripts/dev-down.sh", &given).contains("nothing to take down"));
    run("scripts/dev-up.sh", &given);
    assert!(run("scripts/dev-up.sh", &given).contains("0 added, 0 changed, 0 destroyed"));
    let kubeconfig = here.join(".build/dev/kubeconfig");
    if Command::new("kubectl").args(["version", "--client"]).output().is_ok() {
        let asked = run("kubectl", &["--kubeconfig", kubeconfig.to_str().unwrap(), "get", "--raw", "/readyz"]);
        assert!(asked.starts_with("ok"), "{asked}");
    } else {
        println!("skipped: kubectl get --raw /readyz: there is no kubectl");
    }
    run("scripts/dev-down.sh", &given);
    assert_eq!(standing(), Vec::<String>::new());
    assert_eq!(files_in(&here), before, "the scripts leave nothing behind");

    // What a `dev-up.sh` leaves that was killed before Terraform had written a state.
    for kind in ["volume", "network"] {
        let labels = ["--label", "inferadb.com/environment=dev", "--label", "inferadb.com/region=local"];
        run("docker", &[&[kind, "create"][..], &labels, &["inferadb-left"]].concat());
    }
    assert!(!standing().is_empty());
    fs::create_dir_all(here.join(".build/dev")).unwrap();
    fs::write(here.join(".build/dev/kubeconfig"), "").unwrap();
    run("scripts/dev-down.sh", &given);
    assert_eq!(standing(), Vec::<String>::new());
    assert_eq!(files_in(&here), before, "the scripts leave nothing behind");
}

/// Every file below a folder.
fn files_in(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { [path].into() }).collect()
}

/// One after the other: names on an engine are the environment's own.
#[tokio::test(flavor = "multi_thread")]
async fn the_dev_environment_is_made_replanned_empty_and_destroyed_by_both_tools_and_by_the_scripts() {
    lives_and_goes(Kind::Terraform).await;
    lives_and_goes(Kind::OpenTofu).await;
    the_page_is_walked_through();
}
