//! What is generated is as its generator would write it now; what names a version agrees with `versions.yaml`.

use std::io::Write as _;
use std::process::Command;

use acceptance_tests::terraform::tool::repository;
use serde_json::Value as Json;

use crate::tree::{folders, read};

fn version(pointer: &str) -> String {
    let versions: Json = serde_saphyr::from_str(&read("versions.yaml")).unwrap();
    versions
        .pointer(pointer)
        .and_then(Json::as_str)
        .unwrap_or_else(|| panic!("versions.yaml has no text at {pointer}"))
        .to_owned()
}

/// Says so past the capture of output: it is counted at the end.
fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

#[test]
fn the_readmes_of_the_modules_are_as_terraform_docs_writes_them() {
    let program = repository().join(".build/bin/terraform-docs");
    if !program.is_file() {
        skipped("the_readmes_of_the_modules_are_as_terraform_docs_writes_them", "`make tools` has not built terraform-docs");
        return;
    }
    for module in folders("terraform/modules") {
        let checked = Command::new(&program)
            .args(["-c", ".terraform-docs.yml", "--output-check", &format!("modules/{module}")])
            .current_dir(repository().join("terraform"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "terraform/modules/{module}/README.md is out of date, run `make module-docs`: {said}");
    }
}

#[test]
fn ciliums_patch_is_as_its_chart_renders_it() {
    let rendered = repository().join(".build/cilium.yaml");
    let Ok(rendered) = std::fs::read_to_string(rendered) else {
        skipped("ciliums_patch_is_as_its_chart_renders_it", "`make tools` has not rendered the chart");
        return;
    };
    assert!(
        rendered == read("talos/patches/common/cilium.yaml"),
        "talos/patches/common/cilium.yaml is out of date, run `make cilium`"
    );
}

#[test]
fn ciliums_patch_holds_no_secret() {
    let patch = read("talos/patches/common/cilium.yaml");
    assert!(!patch.contains("kind: Secret\n") && !patch.contains("PRIVATE KEY"), "a secret would be in the repository");
}

#[test]
fn versions_are_those_of_the_one_file() {
    let (talos, kubernetes, cilium) =
        (version("/talos/preferred"), version("/kubernetes/preferred"), version("/cilium/preferred"));
    for environment in ["dev", "staging", "production"] {
        let values = read(&format!("terraform/environments/{environment}/terraform.tfvars"));
        assert!(values.contains(&format!("talos_version      = \"{talos}\"")), "{environment}");
        assert!(values.contains(&format!("kubernetes_version = \"{kubernetes}\"")), "{environment}");
    }
    for module in ["talos-cluster", "regional-stack"] {
        let variables = read(&format!("terraform/modules/{module}/variables.tf"));
        assert!(variables.contains(&format!("default     = \"{talos}\"")), "{module}");
        assert!(variables.contains(&format!("default     = \"{kubernetes}\"")), "{module}");
    }
    let talconfig = read("talos/talconfig.yaml");
    assert!(
        talconfig.contains(&format!("talosVersion: {talos}\n"))
            && talconfig.contains(&format!("kubernetesVersion: v{kubernetes}\n"))
    );
    assert!(read("acceptance-tests/tools/cilium/chart.mod").contains(&format!("require github.com/cilium/cilium {cilium}\n")));
    assert!(read("talos/patches/common/cilium.yaml").starts_with(&format!("# Cilium {} ", cilium.trim_start_matches('v'))));
}
