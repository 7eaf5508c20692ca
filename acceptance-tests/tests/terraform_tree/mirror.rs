//! `make mirror`: what it lays out is what `init` installs.

use std::fs;

use acceptance_tests::terraform::install::{VERSION, provider};
use acceptance_tests::terraform::tool::repository;
use acceptance_tests::terraform::workspace::Install;
use acceptance_tests::terraform::{Kind, Tool, Workspace};
use tokio::process::Command;

/// The script, with the provider that the tests were built with; a folder whose name a shell would split.
async fn an_init_installs_from_it(kind: Kind) {
    let folder = tempfile::Builder::new().prefix("a mirror ").tempdir().unwrap();
    let as_printed = r#"said=$(scripts/mirror.sh "$0") && eval "$said" && printf %s "$TF_CLI_CONFIG_FILE""#;
    let mut shell = Command::new("bash");
    shell.args(["-c", as_printed]).arg(folder.path()).current_dir(repository());
    let laid = shell.env("INFERADB_PROVIDER", provider().unwrap()).output().await.unwrap();
    assert!(laid.status.success(), "{}", String::from_utf8_lossy(&laid.stderr));
    let file = String::from_utf8(laid.stdout).unwrap();

    // A root that needs our provider alone: that of others would come from the internet.
    let mut workspace = Workspace::new(Tool::find(kind).unwrap(), Install::Nothing, Vec::new()).unwrap();
    workspace.set("TF_CLI_CONFIG_FILE", file);
    let example = repository().join("terraform/environments/dev/versions.tf");
    fs::copy(example, workspace.path().join("versions.tf")).unwrap();
    workspace.write("main.tf", "provider \"inferadb\" {\n  environment = \"test\"\n}\n").unwrap();
    let initialised = workspace.init().await.unwrap();
    assert_eq!(initialised.code, Some(0), "{}{}", initialised.stdout, initialised.stderr);
    assert!(initialised.stdout.contains(&format!("inferadb/inferadb v{VERSION}")), "{}", initialised.stdout);
    let valid = workspace.run(&["validate", "-no-color"]).await.unwrap();
    assert_eq!(valid.code, Some(0), "{}{}", valid.stdout, valid.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn terraform_installs_from_the_mirror() {
    an_init_installs_from_it(Kind::Terraform).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opentofu_installs_from_the_mirror() {
    an_init_installs_from_it(Kind::OpenTofu).await;
}
