//! `versions.yaml` is the one file that says which versions there are; whatever else names one agrees.

use std::fs;

use acceptance_tests::terraform::Kind;
use acceptance_tests::terraform::tool::repository;
use serde_json::Value as Json;
use talos::version::{KubernetesVersion, TalosVersion};

use crate::world::tool;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

fn versions() -> Json {
    serde_saphyr::from_str(&read("versions.yaml")).unwrap()
}

fn text<'a>(versions: &'a Json, pointer: &str) -> &'a str {
    versions.pointer(pointer).and_then(Json::as_str).unwrap_or_else(|| panic!("versions.yaml has no text at {pointer}"))
}

#[test]
fn the_provider_supports_what_the_file_says() {
    let versions = versions();
    assert_eq!(text(&versions, "/talos/supported/from"), format!("v1.{}", TalosVersion::OLDEST_MINOR));
    assert_eq!(text(&versions, "/talos/supported/to"), format!("v1.{}", TalosVersion::NEWEST_MINOR));
    for minor in TalosVersion::OLDEST_MINOR..=TalosVersion::NEWEST_MINOR {
        let (from, to) = TalosVersion::parse(&format!("v1.{minor}.0")).unwrap().kubernetes_minors();
        assert_eq!(text(&versions, &format!("/talos/kubernetes/v1.{minor}/from")), format!("1.{from}"), "Talos v1.{minor}");
        assert_eq!(text(&versions, &format!("/talos/kubernetes/v1.{minor}/to")), format!("1.{to}"), "Talos v1.{minor}");
    }
    let talos = TalosVersion::parse(text(&versions, "/talos/preferred")).unwrap();
    assert!(talos.supports(&KubernetesVersion::parse(text(&versions, "/kubernetes/preferred")).unwrap()));
}

#[test]
fn the_examples_use_the_preferred_versions() {
    let versions = versions();
    for example in ["examples/quickstart/main.tf", "examples/resources/inferadb_cluster/resource.tf"] {
        let example = read(example);
        assert!(example.contains(&format!("talos_version      = \"{}\"", text(&versions, "/talos/preferred"))));
        assert!(example.contains(&format!("kubernetes_version = \"{}\"", text(&versions, "/kubernetes/preferred"))));
    }
}

#[test]
fn the_tools_are_pinned_to_the_preferred_versions() {
    let versions = versions();
    let opentofu = text(&versions, "/opentofu/preferred");
    assert!(read("acceptance-tests/tools/tofu/go.mod").contains(&format!("github.com/opentofu/opentofu v{opentofu} ")));
    assert!(read("acceptance-tests/moto/requirements.txt").contains(&format!("moto=={}", text(&versions, "/moto/preferred"))));
    assert!(
        read("acceptance-tests/tools/machinery/go.mod").contains(&format!("machinery {}\n", text(&versions, "/talos/preferred")))
    );
    let said = std::process::Command::new(tool(Kind::OpenTofu).program)
        .arg("version")
        .env_remove("TF_CLI_CONFIG_FILE")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).starts_with(&format!("OpenTofu v{opentofu}\n")));
}
