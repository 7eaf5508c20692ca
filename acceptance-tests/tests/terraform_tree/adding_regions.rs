//! `docs/adding-regions.md`, done as it says.

use std::fs;

use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};
use ipnet::Ipv4Net;
use tokio::process::Command;

use crate::account::in_an_account;
use crate::page::{bare, blocks, commands, table};
use crate::tree::read;

const STAGING: &str = "environments/staging";

/// Sets the default of a variable that has none.
fn set_default(text: &str, variable: &str, default: &str) -> String {
    let start = text.find(&format!("variable \"{variable}\" {{")).unwrap_or_else(|| panic!("no variable `{variable}`"));
    let (before, after) = text.split_at(start);
    assert!(after.contains("default     = null"), "`{variable}` is set already");
    format!("{before}{}", after.replacen("default     = null", &format!("default     = {default}"), 1))
}

async fn a_region_is_added(kind: Kind) {
    let page = read("docs/adding-regions.md");
    let (tree, _cloud) = in_an_account(kind, Install::Mirror).await;
    let commands = commands(&page);
    // A key is asked for, and put into AWS: there is neither here.
    let [copy, _read, put, init, apply, output, back, remove] = commands.as_slice() else {
        panic!("the page has other commands: {commands:#?}")
    };
    let named = read("terraform/environments/staging/terraform.tfvars");
    let named = named.split_once("auth_key_parameter = \"").unwrap().1.split('"').next().unwrap();
    assert!(put.contains(&format!("--region eu-west-2 --name {named} ")), "{put}");

    let in_a_shell = async |command: &str| {
        let done = Command::new("sh").args(["-c", command]).current_dir(tree.path()).status().await.unwrap();
        assert!(done.success(), "{command}");
    };
    in_a_shell(copy).await;
    for block in blocks(&page, "hcl") {
        let path = block.lines().next().unwrap().trim_start_matches("# ").to_owned();
        fs::write(tree.path().join(path), &block).unwrap();
    }
    let [first, second] = tree.ranges();
    tree.move_ranges("terraform/environments/staging/london.tfvars", &[("10.30.0.0/16", &first), ("10.50.0.0/16", &second)]);
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

    // What is not set yet is named.
    let variables = table(&page, &["variable", "default"]);
    let unset = tree.plan(STAGING, &["-var-file=london.tfvars"]).await.fails();
    let path = tree.path().join("terraform/regions/lon1/aws/variables.tf");
    let mut text = fs::read_to_string(&path).unwrap();
    for row in &variables {
        let (variable, default) = (bare(&row[0]), bare(&row[1]));
        assert!(
            unset.diagnostics().iter().any(|said| said.text().contains(&format!("`{variable}` is not set"))),
            "{variable}: {}",
            unset.report()
        );
        text = set_default(&text, variable, default);
    }
    fs::write(&path, text).unwrap();

    run(apply, &["-json", "-auto-approve"]).await.succeeds();
    let told: serde_json::Value = serde_json::from_str(&run(output, &[]).await.stdout).unwrap();
    assert_eq!(told["lon1"]["CLUSTER_NAME"], "staging-lon1");
    assert_eq!(told["lon1"]["PROVIDER_REGION"], "eu-west-2");
    tree.plan(STAGING, &["-var-file=london.tfvars"]).await.is_empty_plan();

    let gone = run(back, &["-json", "-auto-approve"]).await.succeeds();
    assert!(gone.planned().iter().all(|(address, action)| address.contains("lon1") && action == "delete"), "{}", gone.report());
    in_a_shell(remove).await;
    fs::copy(
        repository().join("terraform/environments/staging/regions.tf"),
        tree.path().join("terraform/environments/staging/regions.tf"),
    )
    .unwrap();
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
    for file in ["production/terraform.tfvars", "staging/terraform.tfvars", "staging/drill.tfvars"] {
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
