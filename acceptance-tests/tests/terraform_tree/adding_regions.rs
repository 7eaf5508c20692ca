//! `docs/adding-regions.md`, done as it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};
use ipnet::Ipv4Net;
use tokio::process::Command;

use crate::account::in_an_account;
use crate::environments::told_on_aws;
use crate::page::{bare, blocks, commands, table};
use crate::regions;
use crate::tree::{copy, files, folders, read};

const STAGING: &str = "environments/staging";

/// The plugin that was built beside the running program.
fn plugin() -> PathBuf {
    let running = std::env::current_exe().unwrap();
    let built = running.ancestors().skip(1).take(2).map(|folder| folder.join("flux-inferadb")).find(|program| program.is_file());
    built.unwrap_or_else(|| panic!("no flux-inferadb beside {}: `cargo build --workspace --bins`", running.display()))
}

/// What a cluster of the GitOps tree is told.
fn settings_in(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap();
    let map: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    serde_json::from_value(map["data"].clone()).unwrap()
}

async fn a_region_is_added(kind: Kind) {
    let page = read("docs/adding-regions.md");
    let (tree, _cloud) = in_an_account(kind, Install::Mirror).await;
    for folder in ["flux/clusters", "docs"] {
        copy(&repository().join(folder), &tree.path().join(folder));
    }
    regions::keep_the_first(&tree.path());
    let before = fs::read_to_string(tree.path().join("terraform/environments/staging/regions.tf")).unwrap();
    let commands = commands(&page);
    // A key is asked for, and put into AWS: there is neither here.
    let [new, _read, put, init, apply, output, back, remove] = commands.as_slice() else {
        panic!("the page has other commands: {commands:#?}")
    };
    let named = read("terraform/environments/staging/terraform.tfvars");
    let named = named.split_once("auth_key_parameter = \"").unwrap().1.split('"').next().unwrap();
    assert!(put.contains(&format!("--region eu-west-2 --name {named} ")), "{put}");

    let words = new.strip_prefix("flux inferadb ").unwrap().split(' ');
    let made = Command::new(plugin()).args(words).arg("--repo").arg(tree.path()).output().await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let steps = String::from_utf8(made.stdout).unwrap();
    for command in [put, init, apply, output] {
        assert!(steps.contains(&format!("$ {command}\n")), "`{command}` is none of the steps: {steps}");
    }
    // The page shows what is written.
    for block in blocks(&page, "hcl") {
        let path = block.lines().next().unwrap().trim_start_matches("# ");
        let written = fs::read_to_string(tree.path().join(path)).unwrap();
        for line in block.lines().skip(1) {
            assert!(written.contains(line), "{path} has no `{line}`: {written}");
        }
    }
    let variables = fs::read_to_string(tree.path().join("terraform/regions/lon1/aws/variables.tf")).unwrap();
    for row in table(&page, &["variable", "default"]) {
        let (variable, default) = (bare(&row[0]), bare(&row[1]));
        let block = variables.split(&format!("variable \"{variable}\" {{")).nth(1).unwrap();
        assert!(block.split("validation").next().unwrap().contains(&format!("default     = {default}\n")), "{variable}");
    }
    let formatted = tree.run(STAGING, &["fmt", "-check", "-no-color"]).await;
    assert_eq!(formatted.code, Some(0), "{}", formatted.stdout);

    let [first, second] = tree.ranges();
    tree.move_ranges("terraform/environments/staging/lon1.tfvars", &[("10.30.0.0/16", &first), ("10.50.0.0/16", &second)]);
    tree.move_ranges("terraform/environments/staging/terraform.tfvars", &[("10.30.0.0/16", &first)]);

    // Each command as it is printed, but for the program and for the question that `apply` asks.
    let arguments = |command: &str| -> Vec<String> {
        let rest =
            command.strip_prefix("terraform -chdir=terraform/environments/staging ").unwrap_or_else(|| panic!("{command}"));
        rest.split(' ').map(str::to_owned).collect()
    };
    let run = async |command: &str, more: &[&str]| {
        let arguments = arguments(command);
        let all: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
        tree.run(STAGING, &all).await
    };
    let initialised = run(init, &["-no-color"]).await;
    assert_eq!(initialised.code, Some(0), "{}{}", initialised.stdout, initialised.stderr);
    run(apply, &["-json", "-auto-approve"]).await.succeeds();
    let told: serde_json::Value = serde_json::from_str(&run(output, &[]).await.stdout).unwrap();
    let mut written = settings_in(&tree.path().join("flux/clusters/staging-lon1/cluster-settings.yaml"));
    assert_eq!(written.insert("NETWORK_CIDR".to_owned(), second.clone()).as_deref(), Some("10.50.0.0/16"));
    assert_eq!(told_on_aws(&told["lon1"]), written);
    tree.plan(STAGING, &["-var-file=lon1.tfvars"]).await.is_empty_plan();

    let gone = run(back, &["-json", "-auto-approve"]).await.succeeds();
    assert!(gone.planned().iter().all(|(address, action)| address.contains("lon1") && action == "delete"), "{}", gone.report());
    let removed = Command::new("sh").args(["-c", remove]).current_dir(tree.path()).status().await.unwrap();
    assert!(removed.success(), "{remove}");
    fs::write(tree.path().join("terraform/environments/staging/regions.tf"), before).unwrap();
    assert_eq!(run(init, &["-no-color"]).await.code, Some(0));
    tree.plan(STAGING, &[]).await.is_empty_plan();
    tree.destroy(STAGING, &[]).await.succeeds();
    tree.is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_added_as_the_page_says_with_terraform() {
    a_region_is_added(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_added_as_the_page_says_with_opentofu() {
    a_region_is_added(Kind::OpenTofu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_template_leaves_open_is_named_at_plan() {
    let workspace = Workspace::new(Tool::find(Kind::Terraform).unwrap(), Install::Nothing, Vec::new()).unwrap();
    workspace.copy_from(&repository().join("terraform/regions/_template/aws")).unwrap();
    let unset = workspace.run(&["plan", "-json"]).await.unwrap().fails();
    for row in table(&read("docs/adding-regions.md"), &["variable", "default"]) {
        let not_set = format!("`{}` is not set", bare(&row[0]));
        assert!(unset.diagnostics().iter().any(|said| said.text().contains(&not_set)), "{not_set}: {}", unset.report());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_each_other_are_refused_at_plan() {
    let workspace = Workspace::new(Tool::find(Kind::Terraform).unwrap(), Install::Nothing, Vec::new()).unwrap();
    workspace.copy_from(&repository().join("terraform/regions/nyc1/aws")).unwrap();
    let plan = async |setting: &str| workspace.run(&["plan", "-json", setting]).await.unwrap();
    plan(r#"-var=zones=["us-west-2a", "us-west-2b", "us-west-2c"]"#).await.fails().says(&["`zones`", "us-east-1"]);
    plan("-var=backup_replica_region=us-east-1").await.fails().says(&["`backup_replica_region`", "outlive"]);
    plan(r#"-var=zones=["us-east-1a", "us-east-1b"]"#).await.fails().says(&["not three zones"]);
    plan("-var=name=nyc1").await.succeeds();
}

#[test]
fn the_page_lists_every_range_that_is_taken() {
    let page = read("docs/adding-regions.md");
    let listed = table(&page, &["network", "pods", "services", "region", "environment"]);
    let values = |environment: &String| {
        let files = files(&format!("terraform/environments/{environment}")).into_iter().filter(|file| file.ends_with(".tfvars"));
        files.map(|file| format!("{environment}/{file}")).collect::<Vec<_>>()
    };
    for file in folders("terraform/environments").iter().flat_map(values) {
        for (column, kind) in ["cidr_block", "pod_cidr", "service_cidr"].into_iter().enumerate() {
            for range in read(&format!("terraform/environments/{file}")).split(&format!("{kind} = \"")).skip(1) {
                let range = range.split('"').next().unwrap();
                assert!(listed.iter().any(|row| row[column] == range), "{file} takes {range}, which the page does not list");
            }
        }
    }
    let ranges: Vec<Ipv4Net> = listed.iter().flat_map(|row| row[..3].iter().map(|range| range.parse().unwrap())).collect();
    for (place, range) in ranges.iter().enumerate() {
        for other in &ranges[place + 1..] {
            assert!(!range.contains(other) && !other.contains(range), "{range} meets {other}");
        }
    }
}
