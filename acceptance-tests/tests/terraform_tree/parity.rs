//! `docs/environment-parity.md` and the environments say the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};

use crate::account;
use crate::page::{bare, settings, table};
use crate::tree::{files, folders, read};

/// The environment's variables and regions alone: what they hold can be asked for without a cloud.
pub(crate) async fn asked_for(environment: &str, expressions: &[String]) -> Vec<String> {
    let workspace = Workspace::new(Tool::find(Kind::Terraform).unwrap(), Install::Nothing, Vec::new()).unwrap();
    let here = workspace.path().join("environments").join(environment);
    fs::create_dir_all(&here).unwrap();
    for file in ["variables.tf", "regions.tf", "terraform.tfvars"] {
        fs::copy(repository().join(format!("terraform/environments/{environment}/{file}")), here.join(file)).unwrap();
    }
    if environment != "dev" {
        fs::write(here.join(account::FILE), account::VALUES).unwrap();
    }
    for region in folders("terraform/regions") {
        for cloud in folders(&format!("terraform/regions/{region}")) {
            let from = format!("terraform/regions/{region}/{cloud}");
            let to = workspace.path().join(format!("regions/{region}/{cloud}"));
            fs::create_dir_all(&to).unwrap();
            for file in files(&from) {
                fs::copy(repository().join(&from).join(&file), to.join(&file)).unwrap();
            }
        }
    }
    let mut questions = String::new();
    for (number, expression) in expressions.iter().enumerate() {
        let _ = writeln!(questions, "output \"q{number}\" {{\n  value = tostring({expression})\n}}");
    }
    fs::write(here.join("questions.tf"), questions).unwrap();
    let change = format!("-chdir=environments/{environment}");
    for arguments in [&["init"][..], &["apply", "-auto-approve", "-json"]] {
        let outcome = workspace.run(&[&[change.as_str()], arguments].concat()).await.unwrap();
        assert_eq!(outcome.code, Some(0), "{}{}", outcome.report(), outcome.stderr);
    }
    let outcome = workspace.run(&[&change, "output", "-json"]).await.unwrap();
    let answers: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    (0..expressions.len()).map(|number| answers[format!("q{number}")]["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_are_what_the_table_says() {
    let page = read("docs/environment-parity.md");
    let table = table(&page, &["aspect", "expression", "dev", "staging", "production"]);
    assert!(table.len() > 20, "{table:#?}");
    for (column, environment) in [(2, "dev"), (3, "staging"), (4, "production")] {
        // What an environment does not have is no part of its configuration.
        let rows: Vec<&Vec<String>> = table.iter().filter(|row| row[column] != "-").collect();
        assert!(rows.len() == table.len() || environment == "dev", "{environment} has all of it");
        let expressions: Vec<String> = rows.iter().map(|row| bare(&row[1]).to_owned()).collect();
        let said: Vec<(&str, &str)> = rows.iter().map(|row| (row[0].as_str(), row[column].as_str())).collect();
        let answers = asked_for(environment, &expressions).await;
        let is: Vec<(&str, &str)> = rows.iter().zip(&answers).map(|(row, answer)| (row[0].as_str(), answer.as_str())).collect();
        assert_eq!(is, said, "{environment}");
    }
}

/// What the architecture asks each environment to say of itself; spot machines, which the provider lacks, are a note.
#[test]
fn the_table_has_every_aspect_that_environments_differ_in() {
    let page = read("docs/environment-parity.md");
    let rows = table(&page, &["aspect", "expression", "dev", "staging", "production"]);
    let aspects: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    for aspect in [
        "cloud",
        "regions",
        "control-plane nodes in each",
        "workers in each",
        "database nodes in each",
        "FoundationDB's redundancy",
        "FoundationDB's backups",
        "days that backups are kept",
        "engine replicas, least",
        "engine replicas, most",
        "control replicas, least",
        "control replicas, most",
        "dashboard replicas",
        "Tailscale",
        "TLS certificates",
        "secrets from the vault of",
        "network policies",
        "unsigned images",
        "alerts reach somebody",
    ] {
        assert!(aspects.contains(&aspect), "no row `{aspect}`");
    }
    assert!(page.contains("**Spot machines**"));
}

/// The names of the entries of `settings` in an environment's values.
fn settings_of(environment: &str) -> BTreeSet<String> {
    let values = read(&format!("terraform/environments/{environment}/terraform.tfvars"));
    let entries = values.split_once("settings = {").unwrap().1;
    let entries = entries.lines().skip(1).take_while(|line| *line != "}");
    entries.map(|line| line.split_once('=').unwrap().0.trim().to_owned()).collect()
}

#[test]
fn what_an_environment_decides_is_in_both_tables() {
    let page = read("docs/environment-parity.md");
    let told: BTreeSet<String> = settings(&page, "dev-local").into_keys().collect();
    for environment in ["dev", "staging", "production"] {
        for name in settings_of(environment) {
            assert!(page.contains(&format!("`var.settings.{name}`")), "{environment}: {name}");
            assert!(told.contains(&name), "{environment}: {name}");
        }
        assert_eq!(settings_of(environment), settings_of("dev"), "{environment}");
    }
}

#[test]
fn the_environments_have_the_same_files_and_variables() {
    let [staging, production] = ["staging", "production"].map(|name| format!("terraform/environments/{name}"));
    // Regions, and the values to apply one of them with, are each one's own; everything else is in both.
    for file in files(&production).into_iter().filter(|file| !file.ends_with(".tfvars")) {
        assert!(files(&staging).contains(&file), "{file}");
    }
    for file in ["aws.tf", "variables.tf", "outputs.tf", "versions.tf"] {
        assert_eq!(read(&format!("{staging}/{file}")), read(&format!("{production}/{file}")), "{file}");
    }
}

#[test]
fn every_region_is_the_template_with_its_variables_set() {
    let template = "terraform/regions/_template";
    let unset = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.trim_start().starts_with("default ")).map(str::to_owned).collect()
    };
    for region in folders("terraform/regions") {
        for cloud in folders(&format!("terraform/regions/{region}")) {
            let (here, like) = (format!("terraform/regions/{region}/{cloud}"), format!("{template}/{cloud}"));
            assert_eq!(files(&here), files(&like), "{here}");
            for file in files(&here) {
                let (text, pattern) = (read(&format!("{here}/{file}")), read(&format!("{like}/{file}")));
                if file == "variables.tf" {
                    assert_eq!(unset(&text), unset(&pattern), "{here}/{file}");
                } else {
                    assert_eq!(text, pattern, "{here}/{file}");
                }
            }
        }
    }
}
